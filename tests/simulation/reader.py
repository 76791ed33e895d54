"""Readers of the charge event stream: what the business side will be, with one of its two safeguards, or both."""

from typing import Any

from ocs.balance.store import Unavailable
from ocs.events import ChargeEvent, decode_event
from tests.simulation.replicated_store import StoreConnection
from tests.support.books import check
from tests.support.history import History


class Reader:
    """Takes each event once.

    Attributes:
        connection: how it reads; it may lead to a site that is the primary no more.
        has_barrier: it takes only what every replica has. Without it, what it took may be lost with a promotion; the
            event that comes in its place has the same id.
    """

    def __init__(self, connection: StoreConnection, *, has_barrier: bool) -> None:
        self.connection = connection
        self.has_barrier = has_barrier
        self.taken: dict[str, ChargeEvent] = {}
        self._uses: dict[tuple[object, ...], str] = {}

    def poll(self, partition: int) -> None:
        """Read a partition again, and take what is new."""
        self.connection.read_events(partition, self._read, barrier=self.has_barrier)

    def _read(self, entries: tuple[tuple[int, bytes], ...] | Unavailable | Any) -> None:
        if isinstance(entries, Unavailable):
            return
        for stream_id, octets in entries:
            event = decode_event(octets)
            name = self.name_of(stream_id, event)
            if name not in self.taken:
                self.taken[name] = event
                self._check_use(event)

    def name_of(self, stream_id: int, event: ChargeEvent) -> str:
        """By what an event is known."""
        return event.event_id

    def _check_use(self, event: ChargeEvent) -> None:
        """The same use must not come twice, whatever it is called; access servers' requests have no numbers."""
        if event.trace is None or event.session_id.startswith("radius;"):
            return
        use = event.session_id, event.request_number, event.rating_group, event.kind, event.units
        check(use not in self._uses, "one use taken twice:", event.event_id, self._uses.get(use))
        self._uses[use] = event.event_id

    def check_against(self, history: History) -> None:
        """At the end: everything that happened was taken; with the barrier, nothing else."""
        ids = {event.event_id for event in self.taken.values()}
        check(history.event_ids <= ids, "events never taken:", history.event_ids - ids)
        if self.has_barrier:
            check(ids <= history.event_ids, "taken, and never happened:", ids - history.event_ids)
