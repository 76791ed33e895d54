"""How full the events' room is, how long it lasts, and when somebody is told."""

from collections.abc import Generator

import pytest
import structlog

from ocs.balance import events_room, keys
from ocs.balance.events_room import EventsKept, EventsRoom, seconds_left
from ocs.metrics import REGISTRY
from tests.support.charged_store import NOW_MS, PARTITIONS, ChargedStore

MIB = 1 << 20


@pytest.fixture
def store(url: str) -> Generator[ChargedStore]:
    store = ChargedStore(url)
    store.set_up()
    yield store
    store.admin.config_set("maxmemory", 0)
    store.close()


def room(store: ChargedStore, limit_octets: int = MIB) -> EventsRoom:
    return EventsRoom(store.admin, store.clock, partitions=PARTITIONS, limit_octets=limit_octets)


def gauge(name: str) -> float:
    family = next(family for family in REGISTRY.snapshot().families if family.name == name)
    return family.samples[0].value


def kept(added: int, octets: int, at_ms: int, *, count: int | None = None) -> EventsKept:
    return EventsKept(added, added if count is None else count, octets, 1, 1_000, at_ms)


def test_empty_store_takes_no_room(store: ChargedStore) -> None:
    found = room(store).look()
    assert (found.kept, found.octets, found.ratio, found.age_s) == (0, 0, 0, 0)


def test_events_are_measured_in_the_store_s_memory(store: ChargedStore) -> None:
    store.fill()
    found = room(store).look()
    lengths = [store.admin.xlen(keys.events_key(partition)) for partition in range(PARTITIONS)]
    assert found.kept == found.added == sum(lengths)
    used = [store.admin.memory_usage(keys.events_key(p)) for p in range(PARTITIONS) if lengths[p]]
    assert found.octets == sum(used) > 0
    assert found.ratio == found.octets / MIB
    assert gauge("ocs_events_untrimmed_octets") == found.octets
    assert gauge("ocs_events_room_ratio") == found.ratio


def test_events_that_were_trimmed_count_as_added_alone(store: ChargedStore) -> None:
    store.fill()
    before = room(store).look()
    for partition in range(PARTITIONS):
        store.admin.xtrim(keys.events_key(partition), maxlen=0, approximate=False)
    after = room(store).look()
    assert (after.added, after.kept) == (before.added, 0)


def test_age_is_that_of_the_oldest_event(store: ChargedStore) -> None:
    store.admin.xadd(keys.events_key(0), {"e": b""}, id=f"{NOW_MS - 5_000}-0")
    store.admin.xadd(keys.events_key(1), {"e": b""}, id=f"{NOW_MS - 7_000}-0")
    assert room(store).look().age_s == 7
    assert gauge("ocs_events_oldest_age_seconds") == 7


def test_room_is_what_the_store_s_memory_leaves_if_that_is_less(store: ChargedStore) -> None:
    store.fill()
    used = store.admin.info("memory")["used_memory"]
    store.admin.config_set("maxmemory", used + MIB)
    found = room(store, limit_octets=1 << 40).look()
    assert 0 < found.room_octets < 2 * MIB + found.octets
    assert room(store, limit_octets=5).look().room_octets == 5


def test_full_store_leaves_no_room(store: ChargedStore) -> None:
    store.fill()
    store.admin.config_set("maxmemory", 1_000)
    assert room(store).look().ratio == 1.0


# --- Telling --------------------------------------------------------------------------------------------------


@pytest.fixture
def watched(store: ChargedStore, monkeypatch: pytest.MonkeyPatch):
    """Looks once at a filling of so many thousandths; returns the names of the lines written."""
    watch = room(store)
    ticks = iter(range(1, 100))

    def look(octets: int) -> list[dict[str, object]]:
        tick = next(ticks)
        monkeypatch.setattr(watch, "_measure", lambda: kept(10 * tick, octets, 1_000 * tick))
        with structlog.testing.capture_logs() as lines:
            watch.look()
        return [dict(line) for line in lines]

    return look


def test_half_full_is_told_once(watched) -> None:
    assert watched(499) == []
    (line,) = watched(500)
    assert (line["event"], line["log_level"]) == ("events_pile_up", "warning")
    assert line["reason"]
    assert line["remedy"]
    assert watched(900) == []


def test_end_of_it_is_told_once_and_the_next_time_again(watched) -> None:
    watched(600)
    assert watched(450) == []
    (line,) = watched(399)
    assert line["event"] == "events_pile_up_is_over"
    assert watched(100) == []
    assert [line["event"] for line in watched(700)] == ["events_pile_up"]


def test_line_tells_how_long_the_room_lasts_at_today_s_pace(watched) -> None:
    watched(250)
    (line,) = watched(500)
    # 20 events kept in 500 octets, 10 more each second: 250 octets a second into the 500 that are left.
    assert line["full_in_s"] == 2


def test_without_arrivals_the_room_lasts() -> None:
    assert seconds_left(kept(10, 500, 0), kept(10, 500, 1_000)) is None
    assert seconds_left(kept(10, 500, 0), kept(20, 500, 0)) is None
    assert seconds_left(kept(10, 500, 0), kept(20, 0, 1_000, count=0)) is None


def test_full_room_lasts_no_longer() -> None:
    assert seconds_left(kept(10, 500, 0), kept(20, 2_000, 1_000)) == 0


def test_alarm_is_at_half() -> None:
    assert events_room.EVENTS_ROOM_ALARM == 0.5
    assert events_room.EVENTS_ROOM_CLEAR < events_room.EVENTS_ROOM_ALARM
