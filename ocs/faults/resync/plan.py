"""Which elements are to be asked when: one conversation with an element at a time, few at once, later after failures.

Pure; times are of a clock that is never set.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum

from ocs.limits import (
    RESYNC_AFTER_RESTART_MS,
    RESYNC_PAUSE_MS,
    RESYNC_RETRY_MAX_MS,
    RESYNC_RETRY_MS,
    RESYNC_START_SPREAD_MS,
    RESYNCS_AT_ONCE,
)


class Occasion(StrEnum):
    """Why an element is asked."""

    START = "start"  # of ours: what it sent meanwhile is lost
    RESTART = "restart"  # of the element
    SILENCE = "silence"
    STORM = "storm"  # of its notifications some were dropped
    INTERVAL = "interval"
    OPERATOR = "operator"


class _Turn:
    """What is known of one element."""

    __slots__ = ("due_ms", "ended_ms", "failures", "interval_ms", "is_running", "occasion")

    def __init__(self, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.due_ms: int | None = None
        self.occasion = Occasion.START
        self.is_running = False
        self.failures = 0
        self.ended_ms: int | None = None


class ResyncPlan:
    """When each element has its turn.

    Args:
        intervals_ms: the elements that can be asked, and how often they are without an occasion; 0: never.
        chance: a number from 0 to 1, another one each time: so that elements that failed together do not come again
            together.
    """

    def __init__(self, intervals_ms: Iterable[tuple[str, int]], chance: Callable[[], float]) -> None:
        self._turns = {element: _Turn(interval_ms) for element, interval_ms in intervals_ms}
        self._chance = chance

    def __contains__(self, element: str) -> bool:
        """Whether an element can be asked."""
        return element in self._turns

    def want(self, element: str, occasion: Occasion, now_ms: int) -> None:
        """Have an element asked; an occasion while it is being asked has it asked once more."""
        turn = self._turns.get(element)
        if turn is None:
            return
        due_ms = now_ms + self._delay_ms(occasion)
        if occasion is not Occasion.OPERATOR and turn.ended_ms is not None:
            due_ms = max(due_ms, turn.ended_ms + self._pause_ms(turn))
        # A restart moves what waits: the element needs its time, however often it starts.
        if turn.due_ms is None or due_ms < turn.due_ms or occasion is Occasion.RESTART:
            turn.due_ms, turn.occasion = due_ms, occasion

    def begin(self, now_ms: int) -> list[tuple[str, Occasion]]:
        """The elements whose turn it is; they count as being asked from now on."""
        room = RESYNCS_AT_ONCE - sum(turn.is_running for turn in self._turns.values())
        waiting = sorted(
            (turn.due_ms, element)
            for element, turn in self._turns.items()
            if turn.due_ms is not None and turn.due_ms <= now_ms and not turn.is_running
        )
        begun: list[tuple[str, Occasion]] = []
        for _, element in waiting[: max(0, room)]:
            turn = self._turns[element]
            turn.is_running, turn.due_ms = True, None
            begun.append((element, turn.occasion))
        return begun

    def end(self, element: str, now_ms: int, *, is_success: bool) -> None:
        """An element was asked."""
        turn = self._turns[element]
        turn.is_running, turn.ended_ms = False, now_ms
        turn.failures = 0 if is_success else turn.failures + 1
        if turn.due_ms is not None:
            turn.due_ms = max(turn.due_ms, now_ms + RESYNC_PAUSE_MS)
        if not is_success:
            self._plan(turn, now_ms + self._spread(self._pause_ms(turn)), turn.occasion)
        elif turn.interval_ms:
            self._plan(turn, now_ms + self._spread(turn.interval_ms), Occasion.INTERVAL)

    def next_ms(self) -> int | None:
        """When somebody's turn comes; None: when something happens."""
        if sum(turn.is_running for turn in self._turns.values()) >= RESYNCS_AT_ONCE:
            return None
        return min(
            (turn.due_ms for turn in self._turns.values() if turn.due_ms is not None and not turn.is_running),
            default=None,
        )

    def _delay_ms(self, occasion: Occasion) -> int:
        if occasion is Occasion.RESTART:
            return RESYNC_AFTER_RESTART_MS
        if occasion is Occasion.START:
            return int(RESYNC_START_SPREAD_MS * self._chance())
        return 0

    def _pause_ms(self, turn: _Turn) -> int:
        """How long an element is left alone."""
        if not turn.failures:
            return RESYNC_PAUSE_MS
        return min(RESYNC_RETRY_MAX_MS, RESYNC_RETRY_MS << min(turn.failures - 1, 16))

    def _spread(self, delay_ms: int) -> int:
        """A quarter sooner or later."""
        return int(delay_ms * (0.75 + 0.5 * self._chance()))

    @staticmethod
    def _plan(turn: _Turn, due_ms: int, occasion: Occasion) -> None:
        if turn.due_ms is None or due_ms < turn.due_ms:
            turn.due_ms, turn.occasion = due_ms, occasion
