"""What is known of each peer over its connections: the peer table (RFC 6733 section 2.6). Pure."""

from collections import OrderedDict
from dataclasses import dataclass

from ocs.diameter_gy.base_commands import Origin
from ocs.limits import PEERS_REMEMBERED_MAX


@dataclass
class PeerEntry:
    """One Origin-Host.

    Attributes:
        connections: open now; several are allowed.
        lost: the last connection was closed because the watchdog went unanswered.
    """

    origin_state_id: int | None = None
    connections: int = 0
    lost: bool = False


class PeerTable:
    """All peers that are connected, and the latest of those that were.

    Invariant: an entry with open connections is never forgotten.
    """

    def __init__(self, remembered_max: int = PEERS_REMEMBERED_MAX) -> None:
        self._entries: OrderedDict[str, PeerEntry] = OrderedDict()
        self._remembered_max = remembered_max

    def is_lost(self, origin_host: str) -> bool:
        """Whether the peer's last connection fell silent: its next one starts in REOPEN (RFC 3539 section 3.4.1)."""
        entry = self._entries.get(origin_host.lower())
        return entry is not None and entry.lost

    def connections_of(self, origin_host: str) -> int:
        """How many connections the peer has open."""
        entry = self._entries.get(origin_host.lower())
        return 0 if entry is None else entry.connections

    def add_connection(self, origin_host: str) -> None:
        """A connection of the peer was opened."""
        entry = self._entry(origin_host)
        entry.connections += 1
        entry.lost = False

    def remove_connection(self, origin_host: str, *, lost: bool) -> None:
        """A connection of the peer was closed; ``lost`` when its watchdog went unanswered."""
        entry = self._entry(origin_host)
        entry.connections -= 1
        entry.lost = lost and not entry.connections

    def note_state(self, origin: Origin) -> bool:
        """Take in an Origin-State-Id; True when it rose: the peer lost its sessions (RFC 6733 section 8.16)."""
        if origin.state_id is None:
            return False
        entry = self._entry(origin.host)
        known, entry.origin_state_id = entry.origin_state_id, origin.state_id
        return known is not None and origin.state_id > known

    def _entry(self, origin_host: str) -> PeerEntry:
        key = origin_host.lower()
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = PeerEntry()
            self._forget_oldest_but(key)
        self._entries.move_to_end(key)
        return entry

    def _forget_oldest_but(self, kept: str) -> None:
        if len(self._entries) <= self._remembered_max:
            return
        idle = (key for key, entry in self._entries.items() if not entry.connections and key != kept)
        oldest = next(idle, None)
        if oldest is not None:
            del self._entries[oldest]
