"""Supervision time: the store's clock less our own outages.

Deadlines are counted in it, so that a gateway whose updates found nobody to answer does not find its sessions
closed when we are back: after an outage all deadlines have moved by its length, without a write.
"""

from ocs.balance.store import Heartbeat


class SupervisionClock:
    """Translates between our wall clock, the store's clock and supervision time, all in milliseconds."""

    def __init__(self) -> None:
        self._store_ahead_ms = 0
        self._outage_ms = 0

    def adjust(self, beat: Heartbeat, now_ms: int) -> None:
        """Take over what a heartbeat told."""
        self._store_ahead_ms = beat.store_ms - now_ms
        self._outage_ms = beat.outage_ms

    def at(self, now_ms: int) -> int:
        """Supervision time at a moment of our wall clock."""
        return now_ms + self._store_ahead_ms - self._outage_ms

    def store_time_of(self, supervision_ms: int) -> int:
        """The store's clock at a supervision time."""
        return supervision_ms + self._outage_ms
