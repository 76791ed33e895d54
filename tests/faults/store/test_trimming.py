"""The stream of changes: forgotten when acknowledged, bounded when not."""

from typing import Any

import pytest
import redis
import trio
import trio.testing

from ocs.clock import ManualClock
from ocs.faults.store import keys
from ocs.faults.store.trimming import ChangeTrimmer, keep_trimmed
from ocs.limits import ALARM_CHANGES_KEPT_S, ALARM_TRIM_INTERVAL_S
from tests.support.alarm_lab import AlarmLab, lab
from tests.support.alarms import NOW_MS, alarm_of, batch_of

__all__ = ["lab"]
# Enough entries for the store to forget whole nodes of its stream, which is what it does cheaply.
MANY = 1_000


@pytest.fixture
def trimmer(lab: AlarmLab) -> ChangeTrimmer:
    return ChangeTrimmer(lab.client)


def fill(lab: AlarmLab) -> int:
    """Many changes; returns when those who look may be a minute behind the last of them, in ms."""
    lab.commit(batch_of(*(alarm_of(f"router{number}") for number in range(MANY))))
    last: bytes = lab.client.xinfo_stream(keys.CHANGES)["last-generated-id"]
    return int(last.partition(b"-")[0]) + ALARM_CHANGES_KEPT_S * 1000 + 1


def length(lab: AlarmLab) -> int:
    return lab.client.xlen(keys.CHANGES)


def read(lab: AlarmLab, count: int) -> list[bytes]:
    ((_, entries),) = lab.client.xreadgroup("history", "c", {keys.CHANGES: ">"}, count=count)
    return [entry_id for entry_id, _ in entries]


def test_last_change_stays(lab: AlarmLab, trimmer: ChangeTrimmer):
    late_ms = fill(lab)
    lab.client.config_set("stream-node-max-entries", 1)
    fill(lab)
    trimmer.trim(late_ms * 2)
    lab.client.config_set("stream-node-max-entries", 100)
    assert length(lab) >= 1


def test_list_without_changes_is_left_alone(trimmer: ChangeTrimmer):
    assert trimmer.trim(1) == 0


def test_changes_stay_for_those_who_are_a_minute_behind(lab: AlarmLab, trimmer: ChangeTrimmer):
    late_ms = fill(lab)
    assert trimmer.trim(late_ms - 10_000) == 0
    assert trimmer.trim(late_ms) >= MANY - 100
    assert length(lab) < 100


def test_nothing_goes_that_a_group_has_not_acknowledged(lab: AlarmLab, trimmer: ChangeTrimmer):
    late_ms = fill(lab)
    lab.client.xgroup_create(keys.CHANGES, "history", id="0")
    assert trimmer.trim(late_ms) == 0
    given = read(lab, 500)
    assert trimmer.trim(late_ms) == 0
    lab.client.xack(keys.CHANGES, "history", *given[1:])
    assert trimmer.trim(late_ms) == 0
    lab.client.xack(keys.CHANGES, "history", given[0])
    assert 400 <= trimmer.trim(late_ms) <= 500
    assert lab.client.xinfo_groups(keys.CHANGES)[0]["lag"] == MANY - 500


def test_slowest_group_decides(lab: AlarmLab, trimmer: ChangeTrimmer):
    late_ms = fill(lab)
    for group in ("history", "notices"):
        lab.client.xgroup_create(keys.CHANGES, group, id="0")
    lab.client.xack(keys.CHANGES, "history", *read(lab, MANY))
    assert trimmer.trim(late_ms) == 0
    lab.client.xgroup_destroy(keys.CHANGES, "notices")
    assert trimmer.trim(late_ms) > 0


def test_reader_that_never_acknowledges_fills_no_store(
    lab: AlarmLab, trimmer: ChangeTrimmer, monkeypatch: Any
):
    monkeypatch.setattr("ocs.faults.store.trimming.ALARM_CHANGES_MAX", 300)
    fill(lab)
    lab.client.xgroup_create(keys.CHANGES, "history", id="0")
    assert trimmer.trim(0) == MANY - 300
    assert length(lab) == 300
    assert trimmer.trim(0) == 0


async def test_stream_is_trimmed_now_and_then_also_after_the_store_was_away(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
):
    calls: list[int] = []

    class Trimmer:
        def trim(self, now_ms: int) -> int:
            calls.append(now_ms)
            raise redis.ConnectionError

    async def at_once(work: Any, *arguments: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)
    trimmer: Any = Trimmer()
    with trio.move_on_after(ALARM_TRIM_INTERVAL_S * 3.5):
        await keep_trimmed(trimmer, ManualClock(NOW_MS))
    assert calls == [NOW_MS] * 4
