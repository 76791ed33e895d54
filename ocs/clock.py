"""The clock port: the only place where wall time enters, so that tests and the simulation can set it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells wall time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 00:00 UTC."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 00:00 UTC."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 00:00 UTC."""
        return self._now_ms

    def advance_ms(self, elapsed_ms: int) -> None:
        """Move forward."""
        self._now_ms += elapsed_ms
