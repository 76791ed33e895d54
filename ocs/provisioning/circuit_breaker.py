"""Leaving an element alone that cannot be reached: not every order waits for a time-out of its own. Pure."""

from collections.abc import Callable
from typing import Final

import msgspec

from ocs.limits import BREAKER_FAILURES_MAX, BREAKER_PAUSE_MAX_S, BREAKER_PAUSE_S

_JITTER: Final = 0.5


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait before something is tried again: twice as long each time, and never two at the same moment.

    Attributes:
        first_s: before the second attempt. longest_s: at most.
    """

    first_s: float
    longest_s: float

    def pause_s(self, failures: int, chance: float) -> float:
        """How long to wait.

        Args:
            failures: so far, from 1 on. chance: a random number from 0 to 1, by which pauses of many spread.
        """
        longest = min(self.first_s * 2 ** min(failures - 1, 32), self.longest_s)
        return longest * (1 - _JITTER * chance)


class CircuitBreaker:
    """Whether an element is to be tried, by how its last connections went.

    Closed, it lets everybody through. After some failures in a row it opens: everybody is refused at once. When its
    pause is over it lets one through; that one closes it, or opens it for longer.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        """Begin closed.

        Args:
            chance: gives random numbers from 0 to 1.
        """
        self._chance = chance
        self._backoff = Backoff(first_s=BREAKER_PAUSE_S, longest_s=BREAKER_PAUSE_MAX_S)
        self._failures = 0
        self._closed_until_s = 0.0
        self._is_trying = False
        self.reason = ""

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to remember."""
        return not self._failures and not self._is_trying

    @property
    def is_open(self) -> bool:
        """Whether its last connections have failed, so that everybody but one now and then is refused."""
        return self._failures >= BREAKER_FAILURES_MAX

    def wait_s(self, now_s: float) -> float:
        """How long everybody is refused from now; 0 when one may try, who then says how it went."""
        if not self.is_open:
            return 0.0
        if self._is_trying:
            return self._backoff.first_s
        return max(0.0, self._closed_until_s - now_s)

    def note_attempt(self) -> None:
        """Somebody tries."""
        self._is_trying = self.is_open

    def note_success(self) -> None:
        """Whoever tried was let in."""
        self._failures = 0
        self._is_trying = False
        self.reason = ""

    def note_failure(self, now_s: float, reason: str) -> None:
        """Whoever tried was not, and why."""
        self._failures += 1
        self._is_trying = False
        self.reason = reason
        over = self._failures - BREAKER_FAILURES_MAX + 1
        if over > 0:
            self._closed_until_s = now_s + self._backoff.pause_s(over, self._chance())

    def note_withdrawal(self) -> None:
        """Whoever tried gave up before the element had said anything."""
        self._is_trying = False
