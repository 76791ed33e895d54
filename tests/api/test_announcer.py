"""Listeners are told of what happened through any door: in order, at least once, by one process at a time."""

import msgspec
import pytest
import redis
import structlog
import trio

from ocs.api import announcer as module
from ocs.api.announcer import Announcer
from ocs.api.charge_stream import ChargeStream
from ocs.api.prepay_balance.announcements import announcement
from ocs.api.prepay_balance.resources import BASE
from ocs.api.threads import ReaderUnavailableError
from ocs.api.tmf import slow_listeners
from ocs.api.tmf.hubs import Hub, HubStore
from ocs.balance import keys
from ocs.clock import ManualClock
from ocs.events import ChargeEvent
from ocs.limits import HUB_LEASE_S, LISTENER_CATCHES_UP_S, LISTENERS_GONE_S
from ocs.subscribers.operations import NewAccount
from ocs.subscribers.service import SubscriberService
from ocs.units import Money
from tests.support.catalogue import lab_catalogue
from tests.support.charged_store import NOW_MS

pytestmark = pytest.mark.bounded(60)


@pytest.fixture
def service(balance) -> SubscriberService:
    service = SubscriberService(balance, lab_catalogue(), ManualClock(NOW_MS))
    for name in ("A1", "A2"):
        service.open_account(NewAccount(name, name, (), ("basic",), Money(10_000_000, "EUR")))
    return service


@pytest.fixture
def hubs(store) -> HubStore:
    return HubStore(store)


@pytest.fixture
def make(balance, hubs):
    def build(act=lambda event: None, told=announcement) -> Announcer:
        return Announcer(ChargeStream(balance), hubs, BASE, told, act)

    return build


def listen(hubs: HubStore, name: str = "h", query: str = "", base: str = BASE) -> None:
    hubs.add(Hub(name, base, "https://crm.example/", query))


def told(store, name: str = "h") -> list[str]:
    return [msgspec.json.decode(each)["eventId"] for each in store.lrange(keys.hub_queue_key(name), 0, -1)]


def top_up(service: SubscriberService, *references: str, account_id: str = "A1") -> None:
    for reference in references:
        service.top_up(account_id, Money(1_000_000, "EUR"), reference=reference)


def groups(store) -> int:
    return sum(
        len(store.xinfo_groups(keys.events_key(partition)))
        for partition in range(4)
        if store.exists(keys.events_key(partition))
    )


def test_listener_is_told_in_order_of_what_happened_since_it_registered(service, hubs, make, store):
    announcer = make()
    listen(hubs)
    announcer.look(0)
    top_up(service, "R1", "R2", "R3")
    announcer.look(1)
    assert told(store) == [f"topup:A1:R{number}" for number in (1, 2, 3)]
    announcer.look(2)
    assert len(told(store)) == 3


def test_each_listener_gets_what_its_query_asks_for(service, hubs, make, store):
    listen(hubs, "all")
    listen(hubs, "notices", "eventType=BalanceNoticeCreateEvent")
    listen(hubs, "a2", "balanceActionHistory.partyAccount.id=A2")
    listen(hubs, "other", base="/tmf-api/other/v4")
    announcer = make()
    announcer.look(0)
    top_up(service, "R1")
    top_up(service, "R2", account_id="A2")
    announcer.look(1)
    assert sorted(told(store, "all")) == ["topup:A1:R1", "topup:A2:R2"]
    assert told(store, "notices") == told(store, "other") == []
    assert told(store, "a2") == ["topup:A2:R2"]


def test_while_nobody_listens_nothing_is_read_and_nothing_kept(service, hubs, make, store, monkeypatch):
    announcer = make()
    monkeypatch.setattr(announcer._stream, "read", None)
    for second in range(3):
        announcer.look(second)
    assert groups(store) == 0


def test_places_are_given_up_a_while_after_the_last_listener(service, hubs, make, store):
    announcer = make()
    listen(hubs)
    announcer.look(0)
    assert groups(store) == 4
    hubs.remove("h")
    announcer.look(1)
    top_up(service, "R1")
    # Who registers within that while misses nothing of it.
    listen(hubs, "h2")
    announcer.look(2)
    assert told(store, "h2") == ["topup:A1:R1"]
    hubs.remove("h2")
    announcer.look(3)
    announcer.look(2 + LISTENERS_GONE_S)
    assert groups(store) == 4
    announcer.look(3 + LISTENERS_GONE_S)
    assert groups(store) == 0
    listen(hubs, "h3")
    announcer.look(4 + LISTENERS_GONE_S)
    top_up(service, "R2")
    announcer.look(5 + LISTENERS_GONE_S)
    assert told(store, "h3") == ["topup:A1:R2"]


def test_what_a_crash_left_is_told_by_the_next_process(service, hubs, make, store):
    listen(hubs)
    first = make()
    first.look(0)
    top_up(service, "R1", "R2")

    def die(event: ChargeEvent) -> None:
        raise redis.ConnectionError("gone")

    first._act = die
    with pytest.raises(redis.ConnectionError):
        first.look(1)
    assert told(store) == []
    store.delete(keys.hub_lease_key(module.LEASE))  # it ran out
    second = make()
    second.look(0)
    assert told(store) == ["topup:A1:R1", "topup:A1:R2"]


def test_crash_after_telling_tells_again_under_the_same_ids(service, hubs, make, store, monkeypatch):
    listen(hubs)
    announcer = make()
    announcer.look(0)
    top_up(service, "R1")

    def die(places) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(announcer._stream, "advance", die)
    with pytest.raises(redis.ConnectionError):
        announcer.look(1)
    store.delete(keys.hub_lease_key(module.LEASE))
    make().look(0)
    assert told(store) == ["topup:A1:R1", "topup:A1:R1"]


def test_one_of_two_processes_tells(service, hubs, make, store):
    listen(hubs)
    first, second = make(), make()
    for second_ in range(2):
        first.look(second_)
        second.look(second_)
    top_up(service, "R1")
    second.look(2)
    assert told(store) == []
    first.look(2)
    second.look(3)
    assert told(store) == ["topup:A1:R1"]


def test_process_that_was_away_for_its_lease_looks_where_another_one_was(service, hubs, make, store):
    listen(hubs)
    first, second = make(), make()
    first.look(0)
    store.delete(keys.hub_lease_key(module.LEASE))
    top_up(service, "R1")
    second.look(0)
    store.delete(keys.hub_lease_key(module.LEASE))
    first.look(HUB_LEASE_S + 1)
    assert told(store) == ["topup:A1:R1"]


def test_order_to_top_up_is_carried_out_before_listeners_hear_of_it(service, hubs, make, store):
    listen(hubs)
    acted: list[tuple[str, int]] = []
    announcer = make(act=lambda event: acted.append((event.event_id, len(told(store)))))
    announcer.look(0)
    top_up(service, "R1")
    announcer.look(1)
    assert acted == [("topup:A1:R1", 0)]
    assert told(store) == ["topup:A1:R1"]


def test_event_of_which_nobody_is_told_is_left_behind(service, hubs, make, store):
    listen(hubs)
    seen: list[str] = []
    announcer = make(told=lambda event: seen.append(event.event_id))
    announcer.look(0)
    top_up(service, "R1")
    announcer.look(1)
    announcer.look(2)
    assert (seen, told(store)) == (["topup:A1:R1"], [])


def test_listener_that_is_behind_is_waited_for_as_long_as_it_takes_events(
    service, hubs, make, store, monkeypatch
):
    monkeypatch.setattr(slow_listeners, "HUB_EVENTS_WAITING_MAX", 4)
    listen(hubs)
    announcer = make()
    announcer.look(0)
    top_up(service, "R1", "R2", "R3")
    announcer.look(1)
    top_up(service, "R4")
    announcer.look(2)
    assert len(told(store)) == 3  # more than half: let it catch up
    announcer.look(20)
    assert len(told(store)) == 3
    announcer.look(2 + LISTENER_CATCHES_UP_S)  # it took nothing for long: others are not held up
    assert told(store)[-1] == "topup:A1:R4"
    store.delete(keys.hub_queue_key("h"))
    top_up(service, "R5")
    announcer.look(3 + LISTENER_CATCHES_UP_S)
    assert told(store) == ["topup:A1:R5"]


def test_listener_that_takes_events_however_slowly_loses_none(service, hubs, make, store, monkeypatch):
    monkeypatch.setattr(slow_listeners, "HUB_EVENTS_WAITING_MAX", 4)
    listen(hubs)
    announcer = make()
    announcer.look(0)
    top_up(service, *(f"R{number}" for number in range(4)))
    announcer.look(1)
    top_up(service, "late")
    now_s = 1.0
    while told(store)[-1] != "topup:A1:late":
        now_s += LISTENER_CATCHES_UP_S - 1
        announcer.look(now_s)
        if told(store)[-1] != "topup:A1:late":
            store.lpop(keys.hub_queue_key("h"))
    assert told(store) == ["topup:A1:R2", "topup:A1:R3", "topup:A1:late"]


async def test_store_that_is_away_is_told_once_and_waited_for(autojump_clock, make, monkeypatch):
    answers: list[bool | Exception] = [ReaderUnavailableError("x"), ReaderUnavailableError("x"), True, False]
    looked: list[float] = []

    async def look(function, now_s: float) -> bool:
        await trio.lowlevel.checkpoint()
        looked.append(now_s)
        answer = answers.pop(0) if answers else False
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(module, "write_in_thread", look)
    began = trio.current_time()
    with structlog.testing.capture_logs() as lines, trio.move_on_after(4.5):
        await make().run()
    assert [round(at - began) for at in looked] == [0, 1, 2, 2, 3, 4]
    assert [line["event"] for line in lines] == ["listeners_not_told"]
