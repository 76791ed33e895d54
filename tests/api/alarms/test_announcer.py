"""TMF642's listeners are told of alarms: at least once, in order, by one process at a time."""

import msgspec
import pytest

from ocs.api.alarms.announcer import GROUP, AlarmAnnouncer
from ocs.api.alarms.resources import BASE
from ocs.api.tmf.hubs import Hub, HubStore
from ocs.balance import keys as balance_keys
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.store import keys
from ocs.faults.store.change_group import ChangeGroup
from ocs.limits import LISTENERS_GONE_S
from tests.api.alarms.conftest import Owner
from tests.support.alarms import Fact, alarm_of

pytestmark = pytest.mark.bounded(60)

A = alarm_of("router1")


@pytest.fixture
def hubs(store) -> HubStore:
    return HubStore(store)


@pytest.fixture
def write(store, side):
    """Writes changes; nobody follows them here."""
    owner = Owner(store, side.follower)
    return owner.write


def told(store) -> list[dict]:
    return [msgspec.json.decode(one) for one in store.lrange(balance_keys.hub_queue_key("h"), 0, -1)]


def groups(store) -> list[bytes]:
    return [group["name"] for group in store.xinfo_groups(keys.CHANGES)] if store.exists(keys.CHANGES) else []


def test_listener_is_told_in_order_of_what_happens_from_its_registration_on(store, hubs, announcer, write):
    write(alarm_of("before"))
    hubs.add(Hub("h", BASE, "https://crm.example/"))
    announcer.open()
    write(A)
    write(A, kind=ChangeKind.REPEATED)
    write(msgspec.structs.replace(A, is_cleared=True), kind=ChangeKind.CLEARED)
    while announcer.look(0):
        pass
    events = told(store)
    assert [event["eventType"] for event in events] == ["AlarmCreateEvent", "AlarmStateChangeEvent"]
    assert events[0]["event"]["alarm"]["alarmedObject"] == {"id": "router1"}
    assert len({event["eventId"] for event in events}) == 2


def test_query_of_a_listener_chooses_events(store, hubs, announcer, write):
    hubs.add(Hub("h", BASE, "https://crm.example/", query="alarm.perceivedSeverity=critical"))
    announcer.open()
    write(A)
    announcer.look(0)
    assert told(store) == []


def test_suppressed_change_is_told_to_nobody(store, hubs, announcer, write):
    hubs.add(Hub("h", BASE, "https://crm.example/"))
    announcer.open()
    write(A, changes=[Fact(ChangeKind.RAISED, A.alarm_id, is_notified=False)])
    announcer.look(0)
    assert told(store) == []


def test_what_was_read_and_not_acknowledged_is_told_again_under_the_same_id(
    store, hubs, announcer, write, monkeypatch
):
    hubs.add(Hub("h", BASE, "https://crm.example/"))
    announcer.open()
    write(A)
    monkeypatch.setattr(announcer._changes, "done", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        announcer.look(0)
    announcer._hubs._redis.delete(*store.keys("hub:*lease*") or ["none"])
    other = AlarmAnnouncer(ChangeGroup(store, GROUP), hubs)
    other.look(0)
    first, second = told(store)
    assert first == second


def test_one_process_at_a_time_tells(store, hubs, announcer, write):
    hubs.add(Hub("h", BASE, "https://crm.example/"))
    other = AlarmAnnouncer(ChangeGroup(store, GROUP), hubs)
    announcer.open()
    assert not announcer.look(0)
    write(A)
    assert not other.look(0)
    assert announcer.look(0)
    assert len(told(store)) == 1


def test_group_that_nobody_listens_to_is_given_up(store, hubs, announcer, write):
    write(A)
    announcer.look(0)
    assert groups(store) == []
    announcer.open()
    assert groups(store) == [b"listeners"]
    announcer.look(0)
    announcer.look(LISTENERS_GONE_S - 1)
    assert groups(store) == [b"listeners"]
    announcer.look(LISTENERS_GONE_S)
    assert groups(store) == []
    hubs.add(Hub("h", BASE, "https://crm.example/"))
    announcer.open()
    write(alarm_of("later"))
    announcer.look(LISTENERS_GONE_S + 1)
    assert len(told(store)) == 1
