"""Places in the charge streams, on a real store: events in order, from where it was left, until nobody listens."""

import pytest
import structlog

from ocs.api.charge_stream import ChargeStream
from ocs.balance import keys
from ocs.balance.trimming import Trimmer
from ocs.clock import ManualClock
from ocs.events import BILLING_GROUP, LISTENERS_GROUP
from ocs.limits import LISTENER_EVENTS_PER_PAGE
from ocs.subscribers.operations import NewAccount
from ocs.subscribers.service import SubscriberService
from ocs.units import Money
from tests.support.catalogue import lab_catalogue
from tests.support.charged_store import NOW_MS

pytestmark = pytest.mark.bounded(30)


@pytest.fixture
def service(balance) -> SubscriberService:
    return SubscriberService(balance, lab_catalogue(), ManualClock(NOW_MS))


@pytest.fixture
def stream(balance) -> ChargeStream:
    return ChargeStream(balance)


def open_accounts(service: SubscriberService, *names: str) -> None:
    for name in names:
        service.open_account(NewAccount(name, name, (), ("basic",), Money(10_000_000, "EUR")))


def read_on(stream: ChargeStream) -> list[str]:
    """What is new, as ids of events; the places move behind it."""
    pages = stream.read(stream.places())
    stream.advance({partition: page.last_id for partition, page in pages.items()})
    return [event.event_id for page in pages.values() for event in page.events]


def test_reading_begins_with_what_happens_after_it_was_opened(service, stream):
    open_accounts(service, "A1")
    stream.open()
    assert read_on(stream) == []
    service.top_up("A1", Money(1, "EUR"), reference="R1")
    assert read_on(stream) == ["topup:A1:R1"]
    assert read_on(stream) == []


def test_place_is_kept_by_the_store_and_opening_again_does_not_move_it(service, stream, balance):
    stream.open()
    open_accounts(service, "A1")
    other = ChargeStream(balance)
    other.open()
    assert read_on(other) == ["opening:A1"]
    assert read_on(stream) == []


def test_what_was_read_but_not_left_behind_is_read_again(service, stream):
    stream.open()
    open_accounts(service, "A1")
    first = stream.read(stream.places())
    assert first == stream.read(stream.places()) != {}


def test_events_of_an_account_come_in_order_page_after_page(service, stream):
    open_accounts(service, "A1")
    stream.open()
    count = LISTENER_EVENTS_PER_PAGE + 10
    for number in range(count):
        service.top_up("A1", Money(1, "EUR"), reference=f"R{number}")
    found = [read_on(stream) for _ in range(3)]
    assert [len(page) for page in found] == [LISTENER_EVENTS_PER_PAGE, 10, 0]
    assert [each for page in found for each in page] == [f"topup:A1:R{number}" for number in range(count)]


def test_place_that_is_given_up_keeps_nothing(service, stream, store):
    stream.open()
    open_accounts(service, "A1")
    stream.close()
    stream.close()  # and a second time
    for partition in range(4):
        assert store.xinfo_groups(keys.events_key(partition)) == []
    stream.open()
    assert read_on(stream) == []  # from now on


def test_giving_up_what_never_was_changes_nothing(stream, store):
    stream.close()
    assert not store.exists(keys.events_key(0))


def test_event_that_cannot_be_read_is_passed_over_and_told(service, stream, store, balance):
    stream.open()
    open_accounts(service, "A1")
    store.xadd(keys.events_key(balance.partition_of("A1")), {"e": b"\x00"})
    with structlog.testing.capture_logs() as lines:
        assert read_on(stream) == ["opening:A1"]
    assert [line["event"] for line in lines] == ["charge_event_not_announced"]
    assert read_on(stream) == []


def test_what_was_trimmed_unread_is_told(service, stream, store, balance):
    stream.open()
    open_accounts(service, "A1")
    partition = balance.partition_of("A1")
    name = keys.events_key(partition)
    store.xgroup_create(name, BILLING_GROUP, "$")
    assert Trimmer(store).trim_partition(partition) == 0  # kept for listeners
    assert Trimmer(store).trim_partition(partition, waits_for_listeners=False) == 1
    service.top_up("A1", Money(1, "EUR"), reference="R1")
    with structlog.testing.capture_logs() as lines:
        assert read_on(stream) == ["topup:A1:R1"]
        service.top_up("A1", Money(1, "EUR"), reference="R2")
        assert read_on(stream) == ["topup:A1:R2"]  # and not again
    assert [line["event"] for line in lines] == ["listeners_missed_events"]


def test_place_is_one_group_for_all(stream, store):
    stream.open()
    (group,) = store.xinfo_groups(keys.events_key(0))
    assert (group["name"], group["consumers"], group["pending"]) == (LISTENERS_GROUP.encode(), 0, 0)
