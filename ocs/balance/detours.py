"""Calls that the first server refused unexecuted, on their way to another: MOVED, ASK, TRYAGAIN.

What an error reply says of the server is noted on the way: that it is no primary any more, lacks our functions, or
refuses to write.
"""

from collections.abc import Callable
from typing import Any, Final

import structlog
import trio

from ocs import limits
from ocs.balance.redis_connection import Reply, StoreError
from ocs.balance.redis_node import RedisNode
from ocs.balance.slot_owners import SlotOwners
from ocs.balance.store import Unavailable
from ocs.clock import SystemClock
from ocs.log import RepeatLimiter
from ocs.metrics import Counter
from ocs.store_url import Endpoint

log = structlog.get_logger()

_REDIRECTIONS: Final = Counter(
    "ocs_store_redirections_total", "Calls that another server had to be asked for.", ("kind",)
)

# The server is not what it was, or not ready: who is?
_ASK_AGAIN: Final = ("CLUSTERDOWN", "MASTERDOWN", "LOADING", "NOREPLICAS", "NOGOODSLAVE", "UNKILLABLE")
HandOut = Callable[[Reply, int, Callable[[Reply], Any], Callable[[Any], None]], None]


def nobody(slot: int) -> Unavailable:
    """What a call is answered while nobody owns its slot."""
    return Unavailable(f"no server of the store holds slot {slot} now")


class Detour:
    """One command on its way; called with each reply that it gets."""

    __slots__ = ("_decode", "_detours", "_done", "attempts", "is_commit", "node", "packed", "slot")

    def __init__(
        self,
        detours: "Detours",
        node: RedisNode,
        slot: int,
        packed: bytes,
        decode: Callable[[Reply], Any],
        done: Callable[[Any], None],
        *,
        is_commit: bool,
    ) -> None:
        self._detours = detours
        self.node = node
        self.slot = slot
        self.packed = packed
        self._decode = decode
        self._done = done
        self.is_commit = is_commit
        self.attempts = 0

    def __call__(self, reply: Reply) -> None:
        """Take the reply, unless it says to look elsewhere."""
        if reply.__class__ is StoreError and self._detours.handle_error(self, str(reply)):
            return
        self._detours.hand_out(reply, self.slot, self._decode, self._done)


class Detours:
    """All calls that are on their way again.

    Args:
        hand_out: told the reply that ends a call, its slot, and how it is decoded and to whom it goes.
        on_library_missed: called when a server lacks our functions.
    """

    def __init__(self, owners: SlotOwners, hand_out: HandOut, on_library_missed: Callable[[], None]) -> None:
        self._owners = owners
        self.hand_out = hand_out
        self._on_library_missed = on_library_missed
        self._refusals = RepeatLimiter(SystemClock())
        self._later: list[Detour] = []
        self._has_later = trio.Event()

    async def run(self) -> None:
        """Send what waits, for ever; cancelled, it is answered ``Unavailable``."""
        try:
            while True:
                await self._has_later.wait()
                self._has_later = trio.Event()
                await trio.sleep(limits.STORE_RETRY_DELAY_S)
                calls, self._later = self._later, []
                for call in calls:
                    self._send(call)
        finally:
            calls, self._later = self._later, []
            for call in calls:
                call(Unavailable("closed by us"))

    def _send(self, call: Detour) -> None:
        node = self._owners.owner(call.slot)
        if node is None:
            self._owners.doubt()
            call(nobody(call.slot))
            return
        call.node = node
        if call.is_commit:
            node.send_commit(call.packed, call)
        else:
            node.send(call.packed, call)

    def handle_error(self, call: Detour, error: str) -> bool:
        """Do what an error reply calls for; returns whether the call is on its way again."""
        kind, _, rest = error.partition(" ")
        match kind:
            case "MOVED" | "ASK" | "TRYAGAIN":  # it was not executed
                call.attempts += 1
                if not self._owners.is_running or call.attempts > limits.STORE_REDIRECTS_MAX:
                    return False
                _REDIRECTIONS.inc(kind.lower())
                if kind == "TRYAGAIN":
                    self._send_later(call)
                else:
                    self._redirect(call, kind, rest)
                return True
            case "READONLY":
                self._owners.doubt()
                call.node.drop("it is a replica now")
            case "ERR" if "unction not found" in rest:
                self._on_library_missed()
            case _ if kind in _ASK_AGAIN:
                self._owners.doubt()
            case _ if call.is_commit:  # the caller hears it; an operator should know why
                swallowed = self._refusals.admit(kind)
                if swallowed is not None:
                    log.error(
                        "store_refused_commit",
                        server=str(call.node.endpoint),
                        reason=error[: limits.LOG_TEXT_CHARACTERS_MAX],
                        swallowed=swallowed,
                        remedy="look the error up in the runbook: memory, rights, or a key of another program",
                    )
            case _:
                pass
        return False

    def _redirect(self, call: Detour, kind: str, rest: str) -> None:
        """Send a call where the server says. ``rest`` is ``SLOT HOST:PORT``."""
        slot, _, place = rest.partition(" ")
        host, _, port = place.rpartition(":")
        if host in {"", "?"}:  # the server's own, which it does not know
            host = call.node.endpoint.host
        node = self._owners.node_at(Endpoint(host.strip("[]"), int(port)))
        call.node = node
        if kind == "MOVED":
            self._owners.moved(int(slot), node)
        if not node.is_connected and not node.attempted.is_set():
            self._send_later(call)  # it is new to us: the connection is being made
        elif kind == "MOVED":
            self._send(call)
        else:
            node.send_asking(call.packed, call, is_commit=call.is_commit)

    def _send_later(self, call: Detour) -> None:
        """Send a call again in a moment."""
        self._later.append(call)
        self._has_later.set()
