"""The native resources that change something, on a real store, and the operations behind them."""

import pytest

from ocs.api.tokens import make_token

pytestmark = pytest.mark.bounded(30)

ACCOUNT = {
    "account_id": "A1",
    "identities": ["e164:491710000001"],
    "offers": ["packs", "basic"],
    "opening_balance": {"amount": "10.00", "currency": "EUR"},
}
TOPUP = {"account_id": "A1", "amount": {"amount": "2.50", "currency": "EUR"}, "reference": "R1"}


async def opened(api) -> dict:
    response = await api.post("/api/v1/accounts", json=ACCOUNT)
    assert response.status_code == 201, response.text
    return response.json()


async def test_account_is_opened_once_and_found(api):
    made = await opened(api)
    assert made["balance"]["amount"] == "10.00"
    assert (await api.get("/api/v1/accounts/A1")).json() == made
    response = await api.post("/api/v1/accounts", json=ACCOUNT)
    assert (response.status_code, "belongs to" in response.text or "exists" in response.text) == (409, True)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"offers": ["none"]}, 409), ({"identities": ["x"]}, 409), ({"account_id": "a/b"}, 409), ({"colour": "red"}, 400),
        ({"account_id": 5}, 400), ({"opening_balance": {"amount": "x", "currency": "EUR"}}, 400),
        ({"opening_balance": {"amount": "0.0000001", "currency": "EUR"}}, 400),
        ({"opening_balance": {"amount": "1", "currency": "USD"}}, 409), ({"credit_limit": {"amount": 1, "currency": "USD"}}, 409),
        ({"opening_balance": {"amount": "NaN", "currency": "EUR"}}, 400),
        ({"opening_balance": {"amount": "1e99", "currency": "EUR"}}, 400),
    ],
)  # fmt: skip
async def test_account_that_is_not_well_formed_is_refused(api, change: dict, status: int):
    response = await api.post("/api/v1/accounts", json=ACCOUNT | change)
    assert response.status_code == status, response.text
    assert response.json()["detail"]
    assert (await api.get("/api/v1/accounts")).json()["items"] == []


async def test_opening_money_comes_from_the_offer_when_none_is_said(api):
    body = {name: value for name, value in ACCOUNT.items() if name != "opening_balance"}
    response = await api.post("/api/v1/accounts", json=body)
    assert response.json()["balance"]["currency"] == "EUR"


async def test_subscribers_share_an_account_and_are_found_by_identity(api):
    await opened(api)
    second = {
        "account_id": "A1",
        "subscriber_id": "A1-2",
        "identities": ["e164:491710000002"],
        "offers": ["basic"],
    }
    assert (await api.post("/api/v1/subscribers", json=second)).status_code == 201
    found = (await api.get("/api/v1/subscribers?identity=e164:491710000002")).json()["items"]
    assert [(each["subscriber_id"], each["account_id"]) for each in found] == [("A1-2", "A1")]
    assert (await api.get("/api/v1/subscribers?identity=e164:5")).json()["items"] == []
    first = (await api.get("/api/v1/subscribers?account_id=A1&limit=1")).json()
    assert ([each["subscriber_id"] for each in first["items"]], first["next_cursor"]) == (["A1"], "A1")
    rest = (await api.get("/api/v1/subscribers?account_id=A1&cursor=A1")).json()
    assert [each["subscriber_id"] for each in rest["items"]] == ["A1-2"]
    for query in ("", "?identity=a&account_id=b"):
        assert (await api.get(f"/api/v1/subscribers{query}")).status_code == 400


async def test_identity_that_its_subscriber_does_not_have_is_not_believed(api, balance):
    await opened(api)
    balance.claim_identities("A1", "A1", ("e164:77",))
    assert (await api.get("/api/v1/subscribers?identity=e164:77")).json()["items"] == []


async def test_top_up_is_done_once_per_reference(api):
    await opened(api)
    first = (await api.post("/api/v1/topups", json=TOPUP)).json()
    again = (await api.post("/api/v1/topups", json=TOPUP)).json()
    assert first["balance"]["amount"] == again["balance"]["amount"] == "12.50"
    assert (first["repeated"], again["repeated"]) == (False, True)
    other = TOPUP | {"amount": {"amount": 3, "currency": "EUR"}}
    assert (await api.post("/api/v1/topups", json=other)).status_code == 409
    assert (
        await api.post("/api/v1/topups", json=TOPUP | {"account_id": "A9", "reference": "R2"})
    ).status_code == 409


async def test_events_are_shown_newest_first_page_by_page(api):
    await opened(api)
    for number in range(3):
        await api.post("/api/v1/topups", json=TOPUP | {"reference": f"R{number}"})
    found, cursor = [], ""
    while cursor is not None:
        page = (
            await api.get("/api/v1/events", params={"account_id": "A1", "limit": 2, "cursor": cursor})
        ).json()
        found += page["items"]
        cursor = page["next_cursor"]
    assert [event["sequence"] for event in found] == [4, 3, 2, 1]
    assert found[0]["amount"]["amount"] == "2.50" and found[0]["balance_after"]["amount"] == "17.50"
    assert (await api.get("/api/v1/events?account_id=A9")).status_code == 404
    assert (await api.get("/api/v1/events")).status_code == 400
    assert (await api.get("/api/v1/events?account_id=A1&cursor=x")).status_code == 400


async def test_session_is_reauthorised(api):
    response = await api.post("/api/v1/reauthorisations", json={"session_id": "gw;1;1"})
    assert (response.status_code, response.json()) == (202, {"sessions": 1})
    for body in ({}, {"session_id": "a", "account_id": "b"}):
        assert (await api.post("/api/v1/reauthorisations", json=body)).status_code == 400


async def test_catalogues_are_listed(api):
    (catalogue,) = (await api.get("/api/v1/catalogues")).json()["items"]
    assert (catalogue["version"], catalogue["in_force"]) == ("v1", True)


async def test_write_is_one_line_in_the_log_with_its_caller(api, tokens, capsys):
    await opened(api)
    out = capsys.readouterr()
    lines = [line for line in (out.out + out.err).splitlines() if "http_write" in line]
    assert len(lines) == 1
    assert "caller_name=tests" in lines[0] and "status=201" in lines[0] and "ocs_" not in lines[0]


async def test_every_write_needs_its_own_scope(api, tokens):
    bodies = {"accounts": ACCOUNT, "subscribers": {}, "topups": TOPUP, "reauthorisations": {}}
    made, text = make_token("reader", ("balance:read", "hub:write"), now_ms=0)
    tokens.add(made)
    for path, body in bodies.items():
        response = await api.post(f"/api/v1/{path}", json=body, headers={"Authorization": f"Bearer {text}"})
        assert response.status_code == 403, path
