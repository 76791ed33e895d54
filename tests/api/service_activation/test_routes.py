"""TMF640 as a client sees it, judged by the standard's own definitions, on real databases and a real store.

Routes with what stands behind them: finding, monitors, resources, the generic layer's SQL side (sql_side).
"""

import json

import pytest

from ocs.api.service_activation import examples
from ocs.api.service_activation.finding import Request, queue_order
from ocs.api.service_activation.monitors import WORDS, monitor_view
from ocs.api.service_activation.resources import BASE, MONITOR, SERVICE
from ocs.api.tmf.hubs import Hub, HubStore
from ocs.balance.keys import hub_queue_key
from ocs.clock import ManualClock
from ocs.inventory.elements import add_elements
from ocs.inventory.model import Service
from ocs.inventory.services import record_service
from ocs.provisioning.services.mobile_data import MobileData
from ocs.provisioning.services.planner import ServiceAction, ServiceOrder, ServicePlanner
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.record import Transaction, Work
from ocs.provisioning.transactions.states import TransactionEvent, TransactionState
from ocs.sql_error import SqlUnavailableError
from tests.support.charged_store import NOW_MS
from tests.support.service_lab import ELEMENTS, MOBILE, lab_element, lab_resources
from tests.support.swagger import Definitions

pytestmark = pytest.mark.bounded(60)

TMF640 = Definitions("TMF640-ServiceActivation-v4.0.0.swagger.json")
SERVICES, MONITORS = f"{BASE}/service", f"{BASE}/monitor"
OTHER = {"serviceCharacteristic": [{"name": "imsi", "value": "262019999999999"}]}


@pytest.fixture
def network(network_api, database):
    """The lab of services in the inventory, beside the small network."""
    names = list(ELEMENTS)
    database.write_blocking(
        lambda connection: add_elements(connection, [lab_element(name) for name in names], lab_resources())
    )
    return network_api


def transaction(database, transaction_id: str) -> Transaction:
    return database.read_blocking(lambda connection: journal.read_transaction(connection, transaction_id))


def move(database, transaction_id: str, *events: TransactionEvent, reason: str = "") -> None:
    def work(connection):
        for event in events:
            journal.move(connection, transaction_id, event, now_ms=NOW_MS, reason=reason)

    database.write_blocking(work)


def test_attributes_are_those_of_the_standard_and_ours_beside_them():
    assert SERVICE.attributes == TMF640.attributes("Service") | {"subscribers"}
    assert MONITOR.attributes == TMF640.attributes("Monitor")


async def test_every_path_and_method_of_the_standard_is_served(network_api):
    described = (await network_api.get("/openapi.json")).json()["paths"]
    for path, methods in TMF640.paths().items():
        if path.startswith("/listener"):
            continue
        ours = path.replace("{id}", "{hub_id}" if path.startswith("/hub") else "{identifier}")
        assert {name.upper() for name in described[BASE + ours]} >= methods, path


def test_examples_are_what_the_standard_lets_clients_send():
    TMF640.check(examples.CREATE, "Service_Create")
    TMF640.check(examples.PATCH, "Service_Update")


@pytest.mark.parametrize("action", ServiceAction)
@pytest.mark.parametrize("state", TransactionState)
def test_monitor_is_shown_as_the_standard_defines_it_in_every_state(action, state):
    order = ServiceOrder(reference="t1", service_id="a/b", action=action, model="m", parameters={"x": 1})
    stands = Transaction(
        transaction_id="t1", state=state, work=Work("service", b""), description="", requested_by="",
        elements=(), reason="the element is away",
    )  # fmt: skip
    shown = monitor_view(stands, order)
    TMF640.check(shown, "Monitor")
    assert shown["sourceHref"] == f"{SERVICES}/a%2Fb"
    assert ("response" in shown) == (WORDS[state] not in {"acknowledged", "inProgress"})
    if WORDS[state] in {"failed", "cancelled"}:
        assert json.loads(shown["response"]["body"])["message"] == "the element is away"


async def test_service_that_is_wanted_becomes_a_transaction_and_the_client_gets_its_monitor(
    network, database
):
    answer = await network.post(SERVICES, json=examples.CREATE)
    assert answer.status_code == 202, answer.text
    TMF640.check(answer.json(), "Monitor")
    monitor = await network.get(answer.headers["Location"])
    assert monitor.json() == answer.json()
    assert (monitor.json()["state"], monitor.json()["request"]["method"]) == ("acknowledged", "POST")
    queued = transaction(database, answer.json()["id"])
    assert (queued.state, queued.requested_by) == (TransactionState.QUEUED, "tests")
    assert queued.elements == ("pgw1", "smf1")
    assert queued.description == "create data-4711"


async def test_same_key_again_queues_nothing_and_another_request_under_it_is_refused(network, database):
    key = {"Idempotency-Key": "K 1"}
    unnamed = {name: value for name, value in examples.CREATE.items() if name != "name"}
    first, again = [await network.post(SERVICES, json=unnamed, headers=key) for _ in range(2)]
    assert first.json() == again.json()
    assert first.json()["id"] in json.loads(first.json()["request"]["body"])["name"]
    other = await network.post(SERVICES, json=unnamed | {"subscribers": 2}, headers=key)
    assert other.status_code == 409
    assert len((await network.get(MONITORS)).json()) == 1
    await network.post(SERVICES, json=unnamed)
    assert len((await network.get(MONITORS)).json()) == 2


async def test_change_and_deletion_keep_what_is_not_said(network, database):
    known = Service(
        service_id="data-1", model="mobile_data", parameters=MOBILE, customer="acme", subscribers=3
    )
    database.write_blocking(lambda connection: record_service(connection, known, ()))
    body = {"serviceCharacteristic": [{"name": name, "value": value} for name, value in MOBILE.items()]}
    changed = await network.patch(f"{SERVICES}/data-1", json=body)
    assert changed.status_code == 202, changed.text
    TMF640.check(changed.json(), "Monitor")
    planner = ServicePlanner((MobileData(),), ManualClock(NOW_MS))
    expected = ServiceOrder(
        reference=changed.json()["id"], service_id="data-1", action=ServiceAction.MODIFY, model="mobile_data",
        parameters=MOBILE, customer="acme", subscribers=3,
    )  # fmt: skip
    asked = Request(changed.json()["id"], "tests", NOW_MS)
    found = database.write_blocking(lambda connection: queue_order(connection, expected, asked, planner))
    assert found == (changed.json(), False)  # the very same work
    for deletion in (
        await network.delete(f"{SERVICES}/data-1"),
        await network.patch(f"{SERVICES}/data-1", json={"state": "terminated"}),
    ):
        assert (deletion.status_code, deletion.json()["request"]["method"]) == (202, "DELETE")


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"state": "designed"}, 400),
        ({"name": "x" * 65}, 400),
        ({"subscribers": -1}, 400),
        ({"serviceSpecification": {"id": "teleport"}}, 409),
        ({"serviceCharacteristic": [{"name": "imsi", "value": "1"}]}, 409),
        ({"relatedParty": [{"id": "a", "role": "installer"}]}, 400),
    ],
)
async def test_service_that_cannot_be_made_is_refused_and_nothing_is_queued(network, wrong, status):
    answer = await network.post(SERVICES, json=examples.CREATE | wrong)
    assert answer.status_code == status, answer.text
    TMF640.check(answer.json(), "Error")
    assert (await network.get(MONITORS)).json() == []


async def test_service_and_monitor_that_are_not_there_are_404(network):
    for answer in (
        await network.get(f"{SERVICES}/x"),
        await network.get(f"{MONITORS}/x"),
        await network.patch(f"{SERVICES}/x", json={"subscribers": 1}),
        await network.delete(f"{SERVICES}/x"),
    ):
        assert answer.status_code == 404
        TMF640.check(answer.json(), "Error")


async def test_monitors_are_listed_by_state(network, database):
    ids = []
    for number in range(3):
        made = await network.post(SERVICES, json=examples.CREATE | {"name": f"s{number}"})
        ids.append(made.json()["id"])
    move(database, ids[0], TransactionEvent.CANCELLED, reason="cancelled by anna")
    move(database, ids[1], TransactionEvent.STARTED)
    for state, found in (
        ("cancelled", [ids[0]]),
        ("inProgress", [ids[1]]),
        ("acknowledged,cancelled", sorted([ids[0], ids[2]])),
        ("unheard-of", []),
    ):
        answer = await network.get(f"{MONITORS}?state={state}")
        assert [one["id"] for one in answer.json()] == found
        for one in answer.json():
            TMF640.check(one, "Monitor")
    found = (await network.get(f"{MONITORS}?request.method=POST&state=cancelled")).json()
    assert "cancelled by anna" in found[0]["response"]["body"]


async def test_services_are_shown_as_the_standard_defines_them(network):
    for service in (await network.get(SERVICES)).json():
        TMF640.check(service, "Service")
        assert (await network.get(service["href"])).json() == service


async def test_listeners_are_told_that_something_was_queued_once(network, store):
    HubStore(store).add(Hub("h1", BASE, "https://crm.example/events", created_ms=NOW_MS))
    for _ in range(2):
        await network.post(SERVICES, json=examples.CREATE, headers={"Idempotency-Key": "k"})
    (event,) = [json.loads(octets) for octets in store.lrange(hub_queue_key("h1"), 0, -1)]
    TMF640.check(event, "MonitorCreateEvent")
    assert event["eventType"] == "MonitorCreateEvent"


async def test_token_that_only_writes_records_orders_nothing(network, tokens):
    from ocs.api.tokens import make_token

    made, text = make_token("clerk", ("inventory:read", "inventory:write"), now_ms=0)
    tokens.add(made)
    headers = {"Authorization": f"Bearer {text}"}
    assert (await network.post(SERVICES, json=examples.CREATE, headers=headers)).status_code == 403
    assert (await network.get(MONITORS, headers=headers)).status_code == 200


async def test_database_that_does_not_answer_is_503(network, database, monkeypatch):
    def away(_work):
        raise SqlUnavailableError("away: see [sql] url")

    monkeypatch.setattr(database, "read_blocking", away)
    answer = await network.get(MONITORS)
    assert answer.status_code == 503
    assert "sql" not in answer.text
