"""The store on Redis or Valkey: each call goes to the server that holds its keys.

One server, a primary that Sentinels choose, or a cluster: :class:`~ocs.balance.slot_owners.SlotOwners` knows who owns
which slots, and :class:`~ocs.balance.detours.Detours` follows redirections. A call that may have been executed is never
sent again by itself; its outcome is unknown, and the engine looks.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
import trio

from ocs import limits
from ocs.balance.barrier import Barrier
from ocs.balance.commit_packing import pack_commit
from ocs.balance.detours import Detour, Detours, nobody
from ocs.balance.keys import CLOCK, META, deadlines_key, events_key
from ocs.balance.redis_commands import (
    decode_commit_reply,
    decode_heartbeat,
    decode_hint,
    decode_members,
    decode_values,
    says_nothing_is_there,
    slot_of,
)
from ocs.balance.redis_connection import Reply, StoreError
from ocs.balance.redis_stream import Command, StoreServers, pack_command
from ocs.balance.slot_owners import SlotOwners
from ocs.balance.store import Commit, CommitResult, Heartbeat, Stored, Unavailable
from ocs.balance.store_guard import StoreGuard, home_question
from ocs.balance.store_identity import QUESTION, StoreIdentity

log = structlog.get_logger()


def _as_it_is(reply: Reply) -> Reply:
    return reply


class RedisStore:
    """A :class:`~ocs.balance.store.BalanceStore` over the servers of one address.

    Args:
        partitions: as the store was created with.
        barrier: what replicas must have before a commit is told; None asks nothing of them.
        reload_library: puts the functions that commit where they are missing, as on a server that has just joined;
            one runs at a time. May raise OSError.
        identity: what the store said of itself at the start: that something is absent counts from that one alone; None
            believes whatever answers.
        guard: looks now and then whether each server is as money needs it; None trusts them.
        on_promotion: told that another server has taken the place of one we knew: the history that it writes, and
            whether it lacks something that was acknowledged.
        on_topology: told that servers came, went or changed places.
    """

    def __init__(
        self,
        servers: StoreServers,
        *,
        partitions: int,
        barrier: Barrier | None = None,
        reload_library: Callable[[], Awaitable[None]] | None = None,
        identity: StoreIdentity | None = None,
        guard: StoreGuard | None = None,
        on_promotion: Callable[[str, bool], None] | None = None,
        on_topology: Callable[[], None] | None = None,
    ) -> None:
        self._slots = tuple(slot_of(events_key(partition)) for partition in range(partitions))
        self._owners = SlotOwners(
            servers,
            slots=self._slots,
            barrier=barrier,
            on_met=self._server_met,
            on_promotion=on_promotion,
            on_topology=on_topology,
        )
        self._reload_library = reload_library
        self._identity = identity
        self._guard = guard
        self._identity_doubted = trio.Event()
        self._library_missed = trio.Event()
        self._detours = Detours(self._owners, self._hand_out, self._miss_library)

    @property
    def is_connected(self) -> bool:
        """Whether every primary that owns something can be called, and the store is the one that we know."""
        return not self.fault and self._owners.is_connected

    @property
    def fault(self) -> str:
        """Why the store is not the one that we were started on; empty while it is."""
        return "" if self._identity is None else self._identity.fault

    @property
    def trouble(self) -> str:
        """Why requests are refused now, be it those for the accounts of one server; empty while none are."""
        return self.fault or self._owners.trouble

    # --- BalanceStore -----------------------------------------------------------------------------------

    def commit(self, commit: Commit, done: Callable[[CommitResult], None]) -> None:
        """Write a decision if everything it read still stands."""
        packed = pack_commit(commit)
        self._send(self._slots[commit.partition], packed, decode_commit_reply, done, is_commit=True)

    def load(self, keys: Sequence[str], done: Callable[[tuple[Stored, ...] | Unavailable], None]) -> None:
        """Read values of one partition with their tokens."""
        self._send(slot_of(keys[0]), pack_command(("MGET", *keys)), decode_values, done)

    def read_hint(self, key: str, done: Callable[[bytes | Unavailable | None], None]) -> None:
        """Read a directory or locator entry."""
        self._send(slot_of(key), pack_command(("GET", key)), decode_hint, done)

    def write_hint(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Write a directory or locator entry; nothing is written into a store that is not ours."""
        if self.fault:
            return
        packed = pack_command(("SET", key, value, "PX", ttl_ms) if ttl_ms else ("SET", key, value))
        self._send(slot_of(key), packed, _ignore, _ignore)

    def due(
        self, partition: int, until_ms: int, limit: int, done: Callable[[tuple[str, ...] | Unavailable], None]
    ) -> None:
        """List members of the deadlines whose time has come."""
        key = deadlines_key(partition)
        packed = pack_command(("ZRANGE", key, "-inf", until_ms, "BYSCORE", "LIMIT", 0, limit))
        self._send(self._slots[partition], packed, decode_members, done)

    def heartbeat(self, done: Callable[[Heartbeat | Unavailable], None]) -> None:
        """Tell the store that we live; learn its time and our outages.

        In a cluster it is the primary that holds the one clock which speaks for all: their clocks are to agree within
        seconds, as deadlines are minutes away.
        """
        if self.fault:
            done(Unavailable(self.fault))
            return
        packed = pack_command(("FCALL", "ocs_heartbeat", 1, CLOCK, limits.OUTAGE_THRESHOLD_MS))
        self._send(slot_of(CLOCK), packed, decode_heartbeat, done)

    def call(
        self, key: str, command: Command, done: Callable[[Reply], None], *, is_commit: bool = False
    ) -> None:
        """Send a command of another room to the server of ``key``; as a commit, its reply waits for the barrier."""
        self._send(slot_of(key), pack_command(command), _as_it_is, done, is_commit=is_commit)

    # --- Routes -----------------------------------------------------------------------------------------

    def _send(
        self,
        slot: int,
        packed: bytes,
        decode: Callable[[Reply], Any],
        done: Callable[[Any], None],
        *,
        is_commit: bool = False,
    ) -> None:
        owners = self._owners
        node = owners.only or owners.by_slot[slot]
        if node is None:
            owners.doubt()
            done(decode(nobody(slot)))
            return

        def replied(reply: Reply) -> None:
            if reply.__class__ is StoreError:
                Detour(self._detours, node, slot, packed, decode, done, is_commit=is_commit)(reply)
            elif reply is None or reply.__class__ is list:
                self._hand_out(reply, slot, decode, done)
            else:
                done(decode(reply))

        if is_commit:
            node.send_commit(packed, replied)
        else:
            node.send(packed, replied)

    def _hand_out(
        self, reply: Reply, slot: int, decode: Callable[[Reply], Any], done: Callable[[Any], None]
    ) -> None:
        """Tell a reply; that nothing is there, only when the store, and the server of the slot, are what we know.

        The question follows the call that it is about: a store that is ours then was ours before.
        """
        if self._identity is None or decode is _as_it_is or not says_nothing_is_there(reply):
            done(decode(reply))
            return
        identity = self._identity

        def answered(answer: Reply) -> None:
            refusal = identity.take(answer)
            if refusal is None:
                self._tell_nothing(reply, slot, decode, done)
            else:
                done(decode(refusal))

        self._send(slot_of(META), pack_command(QUESTION), _as_it_is, answered)

    def _tell_nothing(
        self, reply: Reply, slot: int, decode: Callable[[Reply], Any], done: Callable[[Any], None]
    ) -> None:
        """Tell that nothing is there, unless the server has lost what it held: the description lies elsewhere."""
        node, guard = self._owners.owner(slot), self._guard
        partition = None if node is None else node.partition
        if guard is None or node is None or partition is None:
            done(decode(reply))
            return

        def answered(answer: Reply) -> None:
            lost = (
                ""
                if isinstance(answer, Unavailable | StoreError)
                else guard.judge_home(str(node.endpoint), answer)
            )
            if lost:
                node.set_fault(lost)
            is_known = answer is None or isinstance(answer, bytes)
            done(decode(Unavailable(lost) if lost else reply if is_known else answer))

        self._send(self._slots[partition], pack_command(home_question(partition)), _as_it_is, answered)

    async def _watch_identity(self, identity: StoreIdentity) -> None:
        """Look now and then, and at once when a connection was made, whether the store is the one that we know."""
        question = pack_command(QUESTION)

        def told(reply: Reply) -> None:
            if identity.take(reply) is None and self._guard is not None:
                self._guard.other_library = identity.library
                for node in self._owners.nodes():
                    node.look(self._guard, self._miss_library)

        while True:
            self._identity_doubted = trio.Event()
            self._send(slot_of(META), question, _as_it_is, told)
            with trio.move_on_after(limits.STORE_IDENTITY_INTERVAL_S):
                await self._identity_doubted.wait()
            await trio.sleep(limits.STORE_TOPOLOGY_PAUSE_S)

    # --- Life -------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep connections for ever; report started when the first one stands and each was tried.

        Cancellation closes them; calls in flight then answer ``Unavailable``.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._detours.run)
            nursery.start_soon(self._reload_libraries)
            await nursery.start(self._owners.run)
            if self._identity is not None:
                nursery.start_soon(self._watch_identity, self._identity)
            task_status.started()

    def _server_met(self) -> None:
        """A connection was made, perhaps to a server that has lost everything."""
        self._identity_doubted.set()

    def _miss_library(self) -> None:
        self._library_missed.set()

    async def _reload_libraries(self) -> None:
        """Have the functions put where a server lacks them."""
        told = ""
        while True:
            await self._library_missed.wait()
            if not told:
                log.error("store_lacks_functions", remedy="none: they are loaded again")
            if self._reload_library is not None:
                try:
                    await self._reload_library()
                except OSError as error:
                    if told != str(error):  # once, however many calls miss them
                        log.warning("store_functions_not_loaded", reason=str(error))
                    told = str(error)
                else:
                    told = ""
            await trio.sleep(limits.STORE_TOPOLOGY_PAUSE_S)
            self._library_missed = trio.Event()


def _ignore(_reply: Any) -> None:
    """Nobody waits for it: a hint that could not be written is found again the long way."""
