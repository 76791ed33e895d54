"""The clock port: the only place where time enters charging, so that tests and the simulation can set it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells wall time, which people may set, and steady time, which only passes."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 00:00 UTC."""
        ...

    def steady_ms(self) -> int:
        """Milliseconds since some moment of the past: good for differences, and never set."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 00:00 UTC."""
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        """Milliseconds since the machine started, or some such moment."""
        return time.monotonic_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = self._steady_ms = now_ms

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 00:00 UTC."""
        return self._now_ms

    def steady_ms(self) -> int:
        """Milliseconds that have passed."""
        return self._steady_ms

    def advance_ms(self, elapsed_ms: int) -> None:
        """Let time pass."""
        self._now_ms += elapsed_ms
        self._steady_ms += elapsed_ms

    def leap_ms(self, by_ms: int) -> None:
        """Set wall time, forward or back, while no time passes."""
        self._now_ms += by_ms
