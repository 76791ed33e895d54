"""Registrations and the queues of what listeners have not taken yet."""

import pytest

from ocs.api.tmf import hubs as module
from ocs.api.tmf.hubs import Hub, HubsTooManyError, HubStore, parse_event_query
from ocs.api.tmf.query import QueryError
from ocs.limits import HUBS_MAX

EVENT = {
    "eventId": "1",
    "eventType": "TopupBalanceCreateEvent",
    "event": {"topupBalance": {"id": "t", "status": "completed", "partyAccount": {"id": "A1"}}},
}


def dropped() -> float:
    return sum(sample.value for sample in module.DROPPED.family().samples)


@pytest.fixture
def hubs(store) -> HubStore:
    return HubStore(store)


@pytest.mark.parametrize(
    "query",
    [
        "", "?", "eventType=TopupBalanceCreateEvent", "eventType=X,TopupBalanceCreateEvent",
        "topupBalance.partyAccount.id=A1", "?topupBalance.status=completed&eventType=TopupBalanceCreateEvent",
        "event.topupBalance.status=completed",
    ],
)  # fmt: skip
def test_listener_gets_what_it_asked_for(query: str):
    assert Hub("h", "/b", "https://x", query).wants(EVENT)


@pytest.mark.parametrize(
    "query", ["eventType=X", "topupBalance.partyAccount.id=A2", "adjustBalance.status=completed"]
)
def test_listener_does_not_get_what_it_did_not_ask_for(query: str):
    assert not Hub("h", "/b", "https://x", query).wants(EVENT)


@pytest.mark.parametrize("query", ["fields=eventId", "offset=5", 'eventType="x', "a=%ff"])
def test_query_that_is_none_is_refused(query: str):
    with pytest.raises(QueryError):
        parse_event_query(query)


def test_registration_is_kept_until_it_is_taken_away(hubs):
    hub = Hub("h", "/b", "https://x", "eventType=X", "secret", 5)
    hubs.add(hub)
    assert hubs.get("h") == hub and hubs.all() == [hub]
    assert not hubs.remove("h", "/other")
    assert hubs.remove("h", "/b")
    assert not hubs.remove("h") and hubs.get("h") is None


def test_events_wait_in_order_until_taken(hubs):
    hubs.add(Hub("h", "/b", "https://x"))
    for event in (b"1", b"2"):
        hubs.enqueue(["h"], event)
    assert hubs.first("h") == b"1"
    hubs.taken("h", b"1")
    assert hubs.first("h") == b"2"
    hubs.taken("h", b"2")
    assert hubs.first("h") is None


def test_full_queue_loses_its_oldest_and_counts_it(hubs, monkeypatch):
    monkeypatch.setattr(module, "HUB_EVENTS_WAITING_MAX", 2)
    before = dropped()
    for event in (b"1", b"2", b"3"):
        hubs.enqueue(["h"], event)
    assert (hubs.first("h"), dropped() - before) == (b"2", 1)


def test_queue_goes_with_its_registration(hubs):
    hubs.add(Hub("h", "/b", "https://x"))
    hubs.enqueue(["h"], b"1")
    hubs.remove("h")
    assert hubs.first("h") is None


def test_one_process_posts_to_a_listener(hubs):
    assert hubs.hold_lease("h", "p1", 60)
    assert hubs.hold_lease("h", "p1", 60)
    assert not hubs.hold_lease("h", "p2", 60)


def test_listeners_have_a_bound(hubs):
    for number in range(HUBS_MAX):
        hubs.add(Hub(str(number), "/b", "https://x"))
    with pytest.raises(HubsTooManyError):
        hubs.add(Hub("more", "/b", "https://x"))
