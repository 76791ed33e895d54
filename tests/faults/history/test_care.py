"""The task that writes and forgets: it goes on when store or database are away."""

from typing import Any

import redis
import trio
import trio.testing

from ocs.clock import ManualClock
from ocs.faults.history import care
from ocs.limits import HISTORY_FORGET_INTERVAL_S, HISTORY_INTERVAL_S
from ocs.sql_error import SqlUnavailableError
from tests.support.alarms import NOW_MS

DAY_MS = 86_400_000


class Step:
    """A step that may fail; counts its calls."""

    def __init__(self) -> None:
        self.fails_with: Exception | None = None
        self.results: list[int] = []
        self.calls: list[Any] = []

    def __call__(self, *arguments: Any) -> int:
        self.calls.append(arguments)
        if self.fails_with is not None:
            raise self.fails_with
        return self.results.pop(0) if self.results else 0


async def run_for(
    seconds: float, monkeypatch: Any, write: Step, forget: Step, prepare: Step | None = None
) -> None:
    async def at_once(work: Any, *arguments: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)
    writer: Any = type("Writer", (), {"prepare": prepare or Step(), "write": write, "forget": forget})
    monkeypatch.setattr(care, "HistoryWriter", lambda *_: writer)
    nothing: Any = None
    with trio.move_on_after(seconds):
        await care.care_for_history(nothing, nothing, ManualClock(NOW_MS), history_days=30)


async def test_what_waits_is_written_without_rest(monkeypatch: Any, autojump_clock: trio.testing.MockClock):
    write = Step()
    write.results = [500, 500, 10]
    await run_for(0.5, monkeypatch, write, Step())
    assert len(write.calls) == 4


async def test_writing_goes_on_after_store_or_database_were_away(
    monkeypatch: Any, autojump_clock: trio.testing.MockClock
):
    for error in (SqlUnavailableError("away"), redis.ConnectionError()):
        write = Step()
        write.fails_with = error
        await run_for(3.5, monkeypatch, write, Step())
        assert len(write.calls) == 4


async def test_database_that_is_away_at_the_start_is_waited_for(
    monkeypatch: Any, autojump_clock: trio.testing.MockClock
):
    prepare, write, forget = Step(), Step(), Step()
    prepare.fails_with = SqlUnavailableError("away")
    await run_for(HISTORY_INTERVAL_S * 3.5, monkeypatch, write, forget, prepare)
    assert len(prepare.calls) == 4
    assert not write.calls
    assert not forget.calls


async def test_forgetting_goes_on_as_well(monkeypatch: Any, autojump_clock: trio.testing.MockClock):
    forget = Step()
    forget.fails_with = SqlUnavailableError("away")
    await run_for(HISTORY_FORGET_INTERVAL_S + 1, monkeypatch, Step(), forget)
    assert len(forget.calls) == 2


async def test_what_is_old_is_forgotten_until_nothing_is_left_and_then_now_and_then(
    monkeypatch: Any, autojump_clock: trio.testing.MockClock
):
    forget = Step()
    forget.results = [5_000, 5_000]
    await run_for(HISTORY_FORGET_INTERVAL_S + 10, monkeypatch, Step(), forget)
    assert len(forget.calls) == 4
    assert forget.calls[0] == (NOW_MS - 30 * DAY_MS,)
