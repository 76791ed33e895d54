"""Turns: a worker that lost races for a hot account has it for itself for a moment."""

import trio
import trio.testing

from ocs import limits
from ocs.messages import Outcome
from tests.support.engine_lab import Lab
from tests.support.requests import initial, mscc, octets, update


class Race:
    """Two workers on one account: the second commits whenever the first is about to."""

    def __init__(self, lab: Lab) -> None:
        self.slow, self.fast = lab.worker(), lab.worker()
        self._next = 0
        self.slow.ask(initial(mscc(1), session_id="slow"))
        self.fast.ask(initial(mscc(1), session_id="fast"))

    def overtake(self) -> None:
        """Have the second worker charge between the first one's decision and its commit."""
        self.slow.engine.run_group()
        assert self.slow.connection.queued
        self._next += 1
        self.fast.send(update(self._next, mscc(1, used=octets(1_000)), session_id="fast"))
        self.fast.run()
        self.slow.connection.step()


async def test_worker_that_lost_two_races_has_the_account_for_itself(lab: Lab):
    race = Race(lab)
    race.slow.send(update(1, mscc(1, used=octets(1_000)), session_id="slow"))
    for _ in range(limits.LOST_RACES_BEFORE_TURN + 1):
        race.overtake()
    answered = len(race.fast.answers)
    race.overtake()  # refused: it is the other's turn, whose commit then goes through
    assert (len(race.slow.answers), len(race.fast.answers)) == (2, answered)
    race.fast.engine.retry_stalled()
    race.fast.run()
    assert set(race.slow.outcomes + race.fast.outcomes) == {Outcome.SUCCESS}
    assert len(race.fast.answers) == answered + 1


async def test_turn_of_a_worker_that_died_lapses(lab: Lab):
    race = Race(lab)
    race.slow.send(update(1, mscc(1, used=octets(1_000)), session_id="slow"))
    for _ in range(limits.LOST_RACES_BEFORE_TURN + 1):
        race.overtake()
    answered = len(race.fast.answers)
    race.fast.send(update(9, mscc(1, used=octets(1_000)), session_id="fast"))
    race.fast.run()
    assert len(race.fast.answers) == answered
    lab.clock.advance_ms(limits.TURN_MS)
    race.fast.engine.retry_stalled()
    race.fast.run()
    assert len(race.fast.answers) == answered + 1


async def test_engine_looks_by_itself_whether_a_turn_is_over(
    lab: Lab, autojump_clock: trio.testing.MockClock
):
    del autojump_clock
    race = Race(lab)
    race.slow.send(update(1, mscc(1, used=octets(1_000)), session_id="slow"))
    for _ in range(limits.LOST_RACES_BEFORE_TURN + 1):
        race.overtake()
    answered = len(race.fast.answers)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(race.fast.engine.run)
        race.fast.send(update(9, mscc(1, used=octets(1_000)), session_id="fast"))
        with trio.fail_after(5):
            while len(race.fast.answers) == answered:
                await trio.sleep(limits.TURN_TICK_S)
                lab.clock.advance_ms(2)
                while race.fast.connection.step():
                    pass
        nursery.cancel_scope.cancel()
    assert race.fast.outcomes[-1] == Outcome.SUCCESS
