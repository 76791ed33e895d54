"""What was left pending is looked for again and again, also after the store was away."""

import trio

from ocs.api.prepay_balance import sweep as module
from ocs.api.prepay_balance.sweep import sweep_actions
from ocs.api.threads import ReaderUnavailableError
from ocs.limits import ACTION_SWEEP_INTERVAL_S


class FakeActions:
    def __init__(self, *results: int | Exception) -> None:
        self.results = list(results)
        self.looked_at: list[float] = []

    def complete_pending(self) -> int:
        self.looked_at.append(trio.current_time())
        result = self.results.pop(0) if self.results else 0
        if isinstance(result, Exception):
            raise result
        return result


async def inline(function, *arguments):
    await trio.lowlevel.checkpoint()
    return function(*arguments)


async def test_pending_actions_are_looked_for_until_cancelled(autojump_clock, monkeypatch):
    monkeypatch.setattr(module, "write_in_thread", inline)
    actions = FakeActions(2, ReaderUnavailableError("away"), 1)
    began = trio.current_time()
    with trio.move_on_after(ACTION_SWEEP_INTERVAL_S * 3.5):
        await sweep_actions(actions)  # type: ignore[arg-type]
    assert [round(at - began) for at in actions.looked_at] == [0, 10, 20, 30]
