"""Listeners of TMF638 and TMF640 are told how transactions move, each state once, and again after a crash."""

import json

import pytest

from ocs.api.service_activation.announcer import PLACE_KEY, TransactionAnnouncer
from ocs.api.service_activation.resources import BASE
from ocs.api.service_inventory.resources import BASE as INVENTORY_BASE
from ocs.api.tmf.hubs import Hub, HubStore
from ocs.api.tmf.sql_side import SqlSide
from ocs.balance.keys import hub_lease_key, hub_queue_key
from ocs.clock import ManualClock
from ocs.inventory.model import Service
from ocs.inventory.services import record_service
from ocs.provisioning.services.planner import KIND, ServiceAction, ServiceOrder, encode_order
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.record import Transaction, Work
from ocs.provisioning.transactions.states import TransactionEvent, TransactionState
from tests.support.charged_store import NOW_MS
from tests.support.swagger import Definitions

pytestmark = pytest.mark.bounded(60)

E = TransactionEvent
TMF638 = Definitions("TMF638-ServiceInventory-v4.0.0.swagger.json")
TMF640 = Definitions("TMF640-ServiceActivation-v4.0.0.swagger.json")


@pytest.fixture
def make_announcer(store, database):
    clock = ManualClock(NOW_MS)
    return lambda: TransactionAnnouncer(SqlSide(lambda: database), store, HubStore(store), clock)


@pytest.fixture
def told(store):
    """Registers a listener of each API; gives what waits for one of them."""
    for name, base in (("a", BASE), ("i", INVENTORY_BASE)):
        HubStore(store).add(Hub(name, base, "https://crm.example/events", created_ms=NOW_MS))

    def waiting(name: str) -> list[dict]:
        return [json.loads(octets) for octets in store.lrange(hub_queue_key(name), 0, -1)]

    return waiting


def queue(database, transaction_id: str, action: ServiceAction, at_ms: int = NOW_MS) -> None:
    order = ServiceOrder(reference=transaction_id, service_id="s1", action=action)
    made = Transaction(
        transaction_id=transaction_id, state=TransactionState.QUEUED, work=Work(KIND, encode_order(order)),
        description="", requested_by="", elements=(), created_ms=at_ms,
    )  # fmt: skip
    database.write_blocking(lambda connection: journal.add_transaction(connection, made))


def move(database, transaction_id: str, *events: TransactionEvent, at_ms: int = NOW_MS) -> None:
    def work(connection):
        for event in events:
            journal.move(connection, transaction_id, event, now_ms=at_ms)

    database.write_blocking(work)


DONE = (E.PREPARED, E.VERIFIED, E.CONFIRMED)


def test_change_that_is_done_is_told_to_both_apis_once(make_announcer, told, database):
    database.write_blocking(
        lambda connection: record_service(connection, Service(service_id="s1", model="m"), ())
    )
    announcer = make_announcer()
    announcer.look()
    queue(database, "t1", ServiceAction.MODIFY)
    announcer.look()
    assert told("a") == []  # that it was queued is told by the route
    move(database, "t1", E.STARTED)
    announcer.look()
    move(database, "t1", *DONE)
    for _ in range(3):
        announcer.look()
    assert [(event["eventType"], event["eventId"]) for event in told("a")] == [
        ("MonitorStateChangeEvent", "t1:preparing"),
        ("MonitorStateChangeEvent", "t1:done"),
        ("ServiceAttributeValueChangeEvent", "t1:done:service"),
    ]
    (event,) = told("i")
    assert event["eventType"] == "ServiceAttributeValueChangeEvent"
    assert event["event"]["service"]["href"].startswith(INVENTORY_BASE)
    for event in told("a"):
        TMF640.check(event, event["eventType"])
    TMF638.check(told("i")[0], "ServiceAttributeValueChangeEvent")


@pytest.mark.parametrize(
    ("action", "name"), [(ServiceAction.CREATE, "Create"), (ServiceAction.DELETE, "StateChange")]
)
def test_service_is_told_by_what_was_done_to_it(make_announcer, told, database, action, name):
    database.write_blocking(
        lambda connection: record_service(connection, Service(service_id="s1", model="m"), ())
    )
    announcer = make_announcer()
    announcer.look()
    queue(database, "t1", action)
    move(database, "t1", E.STARTED, *DONE)
    announcer.look()
    assert [event["eventType"] for event in told("i")] == [f"Service{name}Event"]


def test_what_was_rolled_back_or_reconciled_changes_no_service(make_announcer, told, database):
    database.write_blocking(
        lambda connection: record_service(connection, Service(service_id="s1", model="m"), ())
    )
    announcer = make_announcer()
    announcer.look()
    queue(database, "t1", ServiceAction.MODIFY)
    move(database, "t1", E.STARTED, E.PREPARED, E.FAILED, E.RESTORED)
    queue(database, "t2", ServiceAction.RECONCILE)
    move(database, "t2", E.STARTED, *DONE)
    announcer.look()
    assert told("i") == []
    assert [event["event"]["monitor"]["state"] for event in told("a")] == ["failed", "completed"]


def test_who_takes_over_tells_again_under_the_same_id_and_skips_nothing(
    make_announcer, told, database, store
):
    first, second = make_announcer(), make_announcer()
    first.look()
    second.look()
    queue(database, "t1", ServiceAction.DELETE)
    move(database, "t1", E.STARTED)
    first.look()
    second.look()
    assert len(told("a")) == 1  # one at a time
    store.delete(hub_lease_key("service-transactions"))
    # Written before, and done only now.
    queue(database, "t0", ServiceAction.DELETE)
    move(database, "t0", E.STARTED, at_ms=NOW_MS - 5_000)
    second.look()
    assert [event["eventId"] for event in told("a")] == ["t1:preparing", "t0:preparing", "t1:preparing"]


def test_more_than_a_page_is_told_in_order(make_announcer, told, database, monkeypatch):
    monkeypatch.setattr("ocs.api.service_activation.announcer.LISTENER_EVENTS_PER_PAGE", 2)
    announcer = make_announcer()
    announcer.look()
    for number in range(5):
        queue(database, f"t{number}", ServiceAction.DELETE)
        move(database, f"t{number}", E.CANCELLED)
    while announcer.look():
        pass
    assert [event["eventId"] for event in told("a")] == [f"t{number}:cancelled" for number in range(5)]


def test_nothing_is_asked_while_nobody_listens_nor_told_of_the_time_before(make_announcer, database, store):
    announcer = make_announcer()
    queue(database, "t1", ServiceAction.DELETE, at_ms=NOW_MS - 60_000)
    move(database, "t1", E.CANCELLED, at_ms=NOW_MS - 60_000)
    assert not announcer.look()
    assert store.get(PLACE_KEY) is None
    HubStore(store).add(Hub("a", BASE, "https://crm.example/events", created_ms=NOW_MS))
    announcer.look()
    assert store.llen(hub_queue_key("a")) == 0
