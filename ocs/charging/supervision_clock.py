"""Supervision time: the store's clock less our own outages.

Deadlines are counted in it, so that a gateway whose updates found nobody to answer does not find its sessions
closed when we are back: after an outage all deadlines have moved by its length, without a write.
"""

from ocs.balance.store import Heartbeat


class SupervisionClock:
    """Translates between our steady clock, the store's clock and supervision time, all in milliseconds.

    Our wall clock has no part in it: somebody who sets it must not close sessions.

    Args:
        ahead_ms: how far the store's clock is thought to be ahead of our steady one before the first heartbeat.
    """

    def __init__(self, ahead_ms: int = 0) -> None:
        self._store_ahead_ms = ahead_ms
        self._outage_ms = 0

    def adjust(self, beat: Heartbeat, steady_ms: int) -> None:
        """Take over what a heartbeat told."""
        self._store_ahead_ms = beat.store_ms - steady_ms
        self._outage_ms = beat.outage_ms

    def at(self, steady_ms: int) -> int:
        """Supervision time at a moment of our steady clock."""
        return steady_ms + self._store_ahead_ms - self._outage_ms

    def store_time_of(self, supervision_ms: int) -> int:
        """The store's clock at a supervision time."""
        return supervision_ms + self._outage_ms
