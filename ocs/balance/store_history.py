"""Whether the server that we reach now has everything that one before it acknowledged; pure.

A server that replicates names its history by a random identifier and counts its octets. A replica that is promoted
begins a history of its own and tells which one it continues, and from which octet on (``master_replid2`` and
``second_repl_offset`` of ``INFO replication``).
"""

from enum import Enum
from typing import Final

import msgspec

_NONE: Final = "0" * 40


class ReplicationState(msgspec.Struct, frozen=True):
    """What ``INFO replication`` says of a server.

    Attributes:
        history: identifier of what it writes.
        offset: octets of it so far.
        continued: the history that it continues; empty when it began with it.
        continued_to: how many octets of that one it has.
    """

    is_primary: bool
    history: str
    offset: int
    continued: str = ""
    continued_to: int = 0


def read_replication_state(text: str) -> ReplicationState:
    """Read the reply to ``INFO replication``.

    Raises:
        ValueError: a field is missing.
    """
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        fields[name] = value
    try:
        # It is the first octet that is not of the earlier history.
        second = int(fields["second_repl_offset"])
        continued = fields["master_replid2"] if second > 0 and fields["master_replid2"] != _NONE else ""
        return ReplicationState(
            fields["role"] == "master",
            fields["master_replid"],
            int(fields["master_repl_offset"]),
            continued,
            second - 1 if continued else 0,
        )
    except KeyError as error:
        raise ValueError(f"INFO replication does not say {error}") from None


class Verdict(Enum):
    """What a server is to us."""

    FIRST = "nothing was known before"
    SAME = "it goes on"
    RESTARTED = "it was started again from its own file"
    PROMOTED = "it was a replica and has everything that was acknowledged to us"
    PROMOTED_LOSSY = "it was a replica and lacks something that was acknowledged to us"
    UNRELATED = "it continues nothing that we know"


class StoreHistory:
    """What a store's servers have acknowledged to this process: history -> highest octet.

    Invariant: an octet is noted only when everything up to it is as durable as the setting promises.
    """

    def __init__(self) -> None:
        self._acknowledged: dict[str, int] = {}
        self._last_of: dict[object, str] = {}

    def note(self, history: str, offset: int) -> None:
        """Everything up to an octet is durable now."""
        if offset > self._acknowledged.get(history, -1):
            self._acknowledged[history] = offset

    def judge(self, server: object, state: ReplicationState, predecessor: object = None) -> Verdict:
        """Compare a server with what is known, and remember what it writes from now on.

        Args:
            server: its address; a server that comes back there with another history was started again.
            predecessor: the address of the server in whose place it is; None when there is none.
        """
        verdict = self._verdict(server, state, predecessor)
        self._last_of[server] = state.history
        self._acknowledged.setdefault(state.history, state.continued_to)
        return verdict

    def lost_octets(self, state: ReplicationState) -> int:
        """How much of the history that it continues was acknowledged to us and is not there."""
        return max(0, self._acknowledged.get(state.continued, 0) - state.continued_to)

    def _verdict(self, server: object, state: ReplicationState, predecessor: object) -> Verdict:
        if state.history in self._acknowledged:
            return Verdict.SAME
        if state.continued in self._acknowledged:
            return Verdict.PROMOTED_LOSSY if self.lost_octets(state) else Verdict.PROMOTED
        if server in self._last_of:
            return Verdict.RESTARTED
        return Verdict.FIRST if predecessor not in self._last_of else Verdict.UNRELATED
