"""TMF654 as a client sees it, judged by the standard's own definitions, on a real store.

Routes with what stands behind them: the desk, the generic layer's answers and hub_routes.
"""

import msgspec
import pytest

from ocs.api.prepay_balance.resources import ACTIONS, BASE
from ocs.clock import ManualClock
from ocs.subscribers.operations import NewAccount
from ocs.subscribers.service import SubscriberService
from ocs.units import Money
from tests.support.catalogue import lab_catalogue
from tests.support.charged_store import NOW_MS
from tests.support.swagger import Definitions

pytestmark = pytest.mark.bounded(60)

TMF654 = Definitions("TMF654-PrepayBalance-v4.0.0.swagger.json")
NAMES = {path: kind.name for path, kind in ACTIONS.items()}


@pytest.fixture
def service(balance) -> SubscriberService:
    service = SubscriberService(balance, lab_catalogue(), ManualClock(NOW_MS))
    for number in (1, 2):
        service.open_account(
            NewAccount(
                f"A{number}",
                f"S{number}",
                (f"e164:4917100000{number}",),
                ("packs", "basic"),
                Money(10_000_000, "EUR"),
            )
        )
    return service


@pytest.fixture
async def client(service, api):
    return api


def topup(amount: object = 2.5, units: str = "EUR", **more) -> dict:
    return {
        "amount": {"amount": amount, "units": units},
        "usageType": "monetary",
        "bucket": {"id": "A1:main"},
        "partyAccount": {"id": "A1"},
        "channel": {"id": "app"},
        "requestor": {"id": "anna", "@referredType": "Individual"},
        **more,
    }


def adjust(amount: object = -1, **more) -> dict:
    body = topup(amount, adjustType="oneTime", reason="Goodwill: late answer", **more)
    del body["partyAccount"]
    return body


def transfer(amount: object = 2, **more) -> dict:
    return {
        "amount": {"amount": amount, "units": "EUR"},
        "usageType": "monetary",
        "bucket": {"id": "A1:main"},
        "logicalResource": [{"id": "49171000001"}],
        "receiverBucket": {"id": "A2:main"},
        "receiverBucketUsageType": "monetary",
        "receiverLogicalResource": {"id": "49171000002"},
        "channel": {"id": "app"},
        "reason": "gift",
        **more,
    }


BODIES = {
    "topupBalance": topup,
    "adjustBalance": adjust,
    "transferBalance": transfer,
    "reserveBalance": topup,
}


async def balance_of(client, account_id: str = "A1") -> float:
    return (await client.get(f"{BASE}/bucket/{account_id}:main")).json()["remainingValue"]["amount"]


def error(response, status: int) -> str:
    assert response.status_code == status, response.text
    TMF654.check(response.json(), "Error")
    assert response.json()["code"] == str(status)
    return response.json().get("message", "")


# --- What accounts have ------------------------------------------------------------------------------------------


async def test_every_path_of_the_standard_is_served(client):
    document = (await client.get("/openapi.json")).json()
    for path, methods in TMF654.paths().items():
        if path.startswith("/listener"):
            continue  # the client's side
        ours = document["paths"][BASE + path.replace("{id}", "{hub_id}" if "hub" in path else "{identifier}")]
        assert methods <= {method.upper() for method in ours}, path


async def test_buckets_are_what_the_standard_says(client):
    response = await client.get(f"{BASE}/bucket")
    assert response.status_code == 200
    buckets = response.json()
    for bucket in buckets:
        TMF654.check(bucket, "Bucket")
        assert bucket.keys() <= TMF654.attributes("Bucket")
    assert {bucket["id"] for bucket in buckets if bucket["usageType"] == "monetary"} == {"A1:main", "A2:main"}
    assert response.headers["x-total-count"] == response.headers["x-result-count"] == str(len(buckets))
    assert {bucket["usageType"] for bucket in buckets} == {"monetary", "data", "sms"}


async def test_one_bucket_is_shown_as_in_the_list(client):
    for bucket in (await client.get(f"{BASE}/bucket")).json():
        assert (await client.get(bucket["href"])).json() == bucket


async def test_accumulated_balances_are_what_the_standard_says(client):
    balances = (await client.get(f"{BASE}/accumulatedBalance?partyAccount.id=A1")).json()
    for balance in balances:
        TMF654.check(balance, "AccumulatedBalance")
        assert (await client.get(balance["href"])).json() == balance
    assert {balance["id"] for balance in balances} >= {"A1:money", "A1:total_octets"}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("partyAccount.id=A2&usageType=monetary", ["A2:main"]),
        ("logicalResource.id=49171000002&usageType=monetary", ["A2:main"]),
        ("logicalResource.id=%2B49171000002&usageType=monetary", ["A2:main"]),
        ("logicalResource.id=e164:49171000002&name=main", ["A2:main"]),
        ("id=A1:main,A2:main", ["A1:main", "A2:main"]),
        ("partyAccount.id=A9", []),
        ("remainingValue.amount.gte=10&usageType=monetary", ["A1:main", "A2:main"]),
        ("remainingValue.amount=10&status=active", ["A1:main", "A2:main"]),
        ("status=expired", []),
    ],
)  # fmt: skip
async def test_buckets_are_filtered(client, query: str, ids: list[str]):
    response = await client.get(f"{BASE}/bucket?{query}")
    assert sorted(bucket["id"] for bucket in response.json()) == ids


async def test_part_of_a_list_is_206_with_its_counts_and_links(client):
    total = len((await client.get(f"{BASE}/bucket")).json())
    response = await client.get(f"{BASE}/bucket?limit=2&offset=1&fields=name")
    assert response.status_code == 206
    assert (response.headers["x-total-count"], response.headers["x-result-count"]) == (str(total), "2")
    assert all(bucket.keys() == {"id", "href", "name"} for bucket in response.json())
    assert 'offset=3&limit=2>; rel="next"' in response.headers["link"]
    assert 'offset=0&limit=2>; rel="prev"' in response.headers["link"]
    assert "fields=name" in response.headers["link"]


async def test_pages_put_together_are_the_list(client):
    whole = (await client.get(f"{BASE}/bucket")).json()
    found = []
    for offset in range(0, len(whole), 2):
        found += (await client.get(f"{BASE}/bucket?offset={offset}&limit=2")).json()
    assert found == whole


@pytest.mark.parametrize("path", ["bucket/A9:main", "bucket/A1:none", "bucket/x", "topupBalance/1-ab", "accumulatedBalance/A1:x",
                                  "balanceActionHistory/A1:99", "balanceActionHistory/A1:x", "nothing"])  # fmt: skip
async def test_what_is_not_there_is_a_404_with_the_tm_forums_body(client, path: str):
    error(await client.get(f"{BASE}/{path}"), 404)


async def test_unknown_attribute_is_refused_and_named(client):
    assert error(await client.get(f"{BASE}/bucket?colour=red"), 400).startswith("colour:")
    assert error(await client.get(f"{BASE}/bucket/A1:main?status=active"), 400).startswith("status:")


async def test_history_is_what_the_standard_says(client):
    await client.post(f"{BASE}/topupBalance", json=topup())
    history = (await client.get(f"{BASE}/balanceActionHistory?partyAccount.id=A1")).json()
    for entry in history:
        TMF654.check(entry, "BalanceActionHistory")
        assert (await client.get(entry["href"])).json() == entry
    assert [entry["description"] for entry in history] == ["top up", "opening"]
    assert error(await client.get(f"{BASE}/balanceActionHistory"), 400)


# --- Actions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BODIES)
async def test_action_is_made_listed_and_shown_as_the_standard_says(client, kind: str):
    response = await client.post(f"{BASE}/{kind}", json=BODIES[kind]())
    assert response.status_code == 201, response.text
    made = response.json()
    TMF654.check(made, NAMES[kind])
    assert response.headers["location"] == made["href"]
    assert made["status"] == "completed" and made["confirmationDate"] >= made["requestedDate"]
    assert (await client.get(made["href"])).json() == made
    listed = await client.get(f"{BASE}/{kind}?partyAccount.id=A1&status=completed")
    assert listed.json() == [made]
    assert (await client.get(f"{BASE}/{kind}?partyAccount.id=A2")).json() == []
    shown = (await client.get(made["href"] + "?fields=status")).json()
    assert shown.keys() == {"id", "href", "status"}


async def test_actions_move_what_they_say(client):
    await client.post(f"{BASE}/topupBalance", json=topup(2.5))
    assert await balance_of(client) == 12.5
    await client.post(f"{BASE}/adjustBalance", json=adjust(-1.25))
    assert await balance_of(client) == 11.25
    await client.post(f"{BASE}/transferBalance", json=transfer(2))
    assert (await balance_of(client), await balance_of(client, "A2")) == (9.25, 12)
    await client.post(f"{BASE}/reserveBalance", json=topup(3))
    bucket = (await client.get(f"{BASE}/bucket/A1:main")).json()
    assert (bucket["remainingValue"]["amount"], bucket["reservedValue"]["amount"]) == (9.25, 3)
    assert bucket["remainingValueName"] == "6.25 EUR"


async def test_amount_keeps_its_digits(client):
    body = msgspec.json.encode(topup()).replace(b"2.5", b"0.100001")
    response = await client.post(
        f"{BASE}/topupBalance", content=body, headers={"Content-Type": "application/json"}
    )
    assert b'"amount":0.100001' in response.content
    assert b'"amount":10.100001' in (await client.get(f"{BASE}/bucket/A1:main")).content


@pytest.mark.parametrize("kind", BODIES)
async def test_repeat_under_one_key_gets_the_first_answer_and_moves_nothing(client, kind: str):
    headers = {"Idempotency-Key": "k1"}
    first = await client.post(f"{BASE}/{kind}", json=BODIES[kind](), headers=headers)
    before = await balance_of(client)
    again = await client.post(f"{BASE}/{kind}", json=BODIES[kind](), headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert await balance_of(client) == before
    assert "another request" in error(
        await client.post(f"{BASE}/{kind}", json=BODIES[kind](0.5), headers=headers), 409
    )


async def test_without_a_key_each_request_is_one_of_its_own(client):
    for _ in range(2):
        await client.post(f"{BASE}/topupBalance", json=topup(1))
    assert await balance_of(client) == 12


async def test_what_the_server_sets_is_not_the_clients_to_set(client):
    own = {"id": "mine", "href": "/mine", "status": "failed", "confirmationDate": "2020-01-01T00:00:00Z",
           "requestedDate": "2020-01-01T00:00:00Z"}  # fmt: skip
    made = (await client.post(f"{BASE}/topupBalance", json=topup(**own))).json()
    assert made["status"] == "completed" and made["id"] != "mine" and "2020" not in made["requestedDate"]


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("topupBalance", topup(0), "amount"), ("topupBalance", topup(-1), "amount"), ("topupBalance", topup("x"), "amount"),
        ("topupBalance", topup(0.0000001), "amount"), ("topupBalance", topup("NaN"), "amount"),
        ("topupBalance", topup(usageType="data"), "usageType"), ("topupBalance", topup(usageType="colour"), "usageType"),
        ("topupBalance", topup(bucket={"id": "A2:main"}), "bucket.id"), ("topupBalance", topup(bucket={"id": ""}), "bucket.id"),
        ("topupBalance", topup(bucket={"id": "A1:packs.pack"}), "bucket.id"), ("topupBalance", topup(bucket="A1"), "bucket"),
        ("topupBalance", topup(isAutoTopup=True), "isAutoTopup"), ("topupBalance", {}, "the body"),
        ("topupBalance", topup(validFor={"endDateTime": "2030-01-01T00:00:00Z"}), "validFor"),
        ("topupBalance", topup(units="ABC"), "amount"), ("topupBalance", [], "the body"),
        ("topupBalance", topup(requestor={"id": "anna"}), "@referredType"),
        ("adjustBalance", adjust(0), "amount"), ("transferBalance", transfer(channel=None), "channel"),
        ("transferBalance", transfer(receiverBucketUsageType="data"), "usageType"),
        ("transferBalance", transfer(logicalResource=[]), "logicalResource"),
    ],
)  # fmt: skip
async def test_what_cannot_be_meant_so_is_a_400_that_names_it(client, kind: str, body, said: str):
    assert said in error(await client.post(f"{BASE}/{kind}", json=body), 400)
    assert (await client.get(f"{BASE}/{kind}")).json() == []


async def test_body_that_is_no_json_is_refused(client):
    json = {"Content-Type": "application/json"}
    error(await client.post(f"{BASE}/topupBalance", content=b"{", headers=json), 400)
    error(await client.post(f"{BASE}/topupBalance", content=b"a=1"), 415)
    error(await client.post(f"{BASE}/topupBalance", content=b'{"x":"' + b"x" * 70_000, headers=json), 413)
    error(
        await client.post(f"{BASE}/topupBalance", json=topup(), headers={"Idempotency-Key": "x" * 129}), 400
    )


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("topupBalance", topup(bucket={"id": "A9:main"}, partyAccount={"id": "A9"})),
        ("topupBalance", topup(units="USD")),
        ("adjustBalance", adjust(-11)), ("transferBalance", transfer(11)), ("reserveBalance", topup(11)),
        ("transferBalance", transfer(receiverBucket={"id": "A9:main"})),
        ("topupBalance", topup(voucher="1234567890123456")),
    ],
)  # fmt: skip
async def test_what_the_account_does_not_allow_is_a_409_and_a_failed_action(client, kind: str, body):
    headers = {"Idempotency-Key": "k"}
    response = await client.post(f"{BASE}/{kind}", json=body, headers=headers)
    message = error(response, 409)
    failed = (await client.get(response.headers["location"])).json()
    TMF654.check(failed, NAMES[kind])
    assert (failed["status"], failed["statusReason"]) == ("failed", message)
    assert error(await client.post(f"{BASE}/{kind}", json=body, headers=headers), 409) == message
    assert await balance_of(client) == 10


@pytest.mark.parametrize("kind", ["topupBalance", "adjustBalance", "reserveBalance"])
async def test_cancelled_action_is_undone_once(client, kind: str):
    made = (await client.post(f"{BASE}/{kind}", json=BODIES[kind]())).json()
    for _ in range(2):
        response = await client.patch(made["href"], json={"status": "cancelled"})
        assert (response.status_code, response.json()["status"]) == (200, "cancelled")
        TMF654.check(response.json(), NAMES[kind])
    bucket = (await client.get(f"{BASE}/bucket/A1:main")).json()
    assert (bucket["remainingValue"]["amount"], bucket["reservedValue"]["amount"]) == (10, 0)


@pytest.mark.parametrize("kind", BODIES)
async def test_action_that_says_too_much_is_neither_done_nor_kept(client, kind: str):
    body = BODIES[kind]() | {"description": "x" * 5_000}
    assert "octets" in error(await client.post(f"{BASE}/{kind}", json=body), 413)
    assert (await client.get(f"{BASE}/{kind}")).json() == []


async def test_what_cannot_be_undone_is_a_409(client):
    made = (await client.post(f"{BASE}/transferBalance", json=transfer())).json()
    error(await client.patch(made["href"], json={"status": "cancelled"}), 409)
    spent = (await client.post(f"{BASE}/topupBalance", json=topup(5))).json()
    await client.post(f"{BASE}/transferBalance", json=transfer(13))
    assert "available" in error(await client.patch(spent["href"], json={"status": "cancelled"}), 409)
    error(await client.patch(spent["href"], json={"status": "completed"}), 400)
    assert (await client.get(spent["href"])).json()["status"] == "completed"


async def test_forgotten_action_stays_done(client):
    headers = {"Idempotency-Key": "k"}
    made = (await client.post(f"{BASE}/topupBalance", json=topup(), headers=headers)).json()
    assert (await client.delete(made["href"])).status_code == 204
    error(await client.get(made["href"]), 404)
    error(await client.delete(made["href"]), 404)
    await client.post(f"{BASE}/topupBalance", json=topup(), headers=headers)
    assert await balance_of(client) == 12.5


@pytest.mark.parametrize("kind", ["topupBalance", "adjustBalance", "reserveBalance"])
async def test_cancelled_action_stays_cancelled_for_its_repeat_also_when_its_record_was_deleted(client, kind):
    headers, body = {"Idempotency-Key": "k"}, topup() | {"adjustType": "oneTime"}
    made = (await client.post(f"{BASE}/{kind}", json=body, headers=headers)).json()
    assert (await client.patch(made["href"], json={"status": "cancelled"})).json()["status"] == "cancelled"
    assert (await client.delete(made["href"])).status_code == 204
    before = await balance_of(client)
    for _ in range(2):
        again = (await client.post(f"{BASE}/{kind}", json=body, headers=headers)).json()
        assert (again["id"], again["status"]) == (made["id"], "cancelled")
    assert (await client.get(made["href"])).json()["status"] == "cancelled"
    assert await balance_of(client) == before


async def test_listener_is_registered_and_taken_away(client):
    response = await client.post(
        f"{BASE}/hub", json={"callback": "https://crm.example/events", "secret": "s3cret"}
    )
    assert response.status_code == 201
    TMF654.check(response.json(), "EventSubscription")
    assert "s3cret" not in response.text
    assert (await client.delete(response.json()["href"])).status_code == 204
    error(await client.delete(response.json()["href"]), 404)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"callback": "http://127.0.0.1/"},
        {"callback": "https://a.example", "query": 'x="'},
        {"callback": 5},
    ],
)
async def test_listener_that_cannot_be_is_refused(client, body):
    error(await client.post(f"{BASE}/hub", json=body), 400)
