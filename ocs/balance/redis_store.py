"""The store on Redis or Valkey: each call goes to the server that holds its keys.

One server, a primary that Sentinels choose, or a cluster: :class:`RedisStore` knows which servers there are and who
owns which slots, follows redirections, and asks again when one is lost. A call that may have been executed is never
sent again by itself; its outcome is unknown, and the engine looks.
"""

from binascii import crc_hqx
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog
import trio

from ocs import limits
from ocs.balance.barrier import Barrier
from ocs.balance.keys import CLOCK, META, deadlines_key, events_key, turn_key
from ocs.balance.redis_connection import Reply, StoreError
from ocs.balance.redis_node import RedisNode
from ocs.balance.redis_stream import StoreServers, pack_command
from ocs.balance.store import (
    COMMITTED,
    NONCE_OCTETS,
    NOT_YOUR_TURN,
    NOTHING,
    TOKEN_OCTETS,
    TOO_EARLY,
    Commit,
    CommitResult,
    Conflict,
    Heartbeat,
    Stored,
    Unavailable,
)
from ocs.balance.store_history import ReplicationState, StoreHistory, Verdict
from ocs.balance.store_identity import QUESTION, StoreIdentity
from ocs.balance.topology import Topology
from ocs.metrics import Counter
from ocs.store_url import Endpoint

log = structlog.get_logger()

_PROMOTIONS = Counter(
    "ocs_store_promotions_total",
    "Servers met that took another one's place: yes when they lack what was acknowledged, no when not.",
    ("lossy",),
)
_REDIRECTIONS = Counter(
    "ocs_store_redirections_total", "Calls that another server had to be asked for.", ("kind",)
)

SLOTS: Final = 16_384

# The server is not what it was, or not ready: who is?
_ASK_AGAIN: Final = ("CLUSTERDOWN", "MASTERDOWN", "LOADING", "NOREPLICAS", "NOGOODSLAVE", "UNKILLABLE")


def commit_command(commit: Commit) -> list[str | bytes | int]:
    """A commit as one FCALL (see commit.lua for the order of its arguments)."""
    arguments: list[str | bytes | int] = [
        "FCALL",
        "ocs_commit",
        len(commit.keys) + 3,
        events_key(commit.partition),
        deadlines_key(commit.partition),
        *commit.keys,
        commit.turn_key or turn_key(commit.partition, ""),
        len(commit.writes),
        len(commit.events),
        len(commit.deadlines),
        "" if commit.not_before_ms is None else commit.not_before_ms,
        commit.token[:NONCE_OCTETS],
        limits.TURN_MS if commit.claims_turn else "",
        *commit.expected,
    ]
    for write in commit.writes:
        arguments += (write.index + 1, commit.token + write.content, write.ttl_ms)
    arguments += commit.events
    for change in commit.deadlines:
        arguments += (change.member, "" if change.score_ms is None else change.score_ms)
    return arguments


def decode_stored(value: bytes | None) -> Stored:
    """Split a value into its token and content."""
    return NOTHING if value is None else Stored(value[:TOKEN_OCTETS], value[TOKEN_OCTETS:])


def decode_commit_reply(reply: Reply) -> CommitResult:
    """What the commit function said."""
    if reply == 1:
        return COMMITTED
    if reply == 2:  # commit.lua's own codes
        return TOO_EARLY
    if reply == 3:
        return NOT_YOUR_TURN
    if isinstance(reply, list):
        return Conflict(tuple(decode_stored(value) for value in reply))
    return _unavailable(reply)


def _decode_values(reply: Reply) -> tuple[Stored, ...] | Unavailable:
    """Values with their tokens."""
    if isinstance(reply, list):
        return tuple(decode_stored(value) for value in reply)
    return _unavailable(reply)


def _decode_hint(reply: Reply) -> bytes | Unavailable | None:
    return reply if reply is None or isinstance(reply, bytes) else _unavailable(reply)


def _decode_members(reply: Reply) -> tuple[str, ...] | Unavailable:
    return tuple(member.decode() for member in reply) if isinstance(reply, list) else _unavailable(reply)


def _decode_heartbeat(reply: Reply) -> Heartbeat | Unavailable:
    return Heartbeat(int(reply[0]), int(reply[1])) if isinstance(reply, list) else _unavailable(reply)


def _as_it_is(reply: Reply) -> Reply:
    return reply


def _says_nothing_is_there(reply: Reply) -> bool:
    return reply is None or (
        isinstance(reply, list) and bool(reply) and all(value is None for value in reply)
    )


def _unavailable(reply: Reply) -> Unavailable:
    return reply if isinstance(reply, Unavailable) else Unavailable(f"store answered {reply!r}")


def _nobody(slot: int) -> Unavailable:
    return Unavailable(f"no server of the store holds slot {slot} now")


def slot_of(key: str) -> int:
    """The slot of a key in a cluster: CRC16 of its hash tag, or of all of it."""
    begin = key.find("{")
    if begin >= 0:
        end = key.find("}", begin + 1)
        if end > begin + 1:
            key = key[begin + 1 : end]
    return crc_hqx(key.encode(), 0) % SLOTS


class _Detour:
    """A command that the first server refused unexecuted, on its way to another."""

    __slots__ = ("_decode", "_done", "_store", "attempts", "is_commit", "node", "packed", "slot")

    def __init__(
        self,
        store: "RedisStore",
        node: RedisNode,
        slot: int,
        packed: bytes,
        decode: Callable[[Reply], Any],
        done: Callable[[Any], None],
        *,
        is_commit: bool,
    ) -> None:
        self._store = store
        self.node = node
        self.slot = slot
        self.packed = packed
        self._decode = decode
        self._done = done
        self.is_commit = is_commit
        self.attempts = 0

    def __call__(self, reply: Reply) -> None:
        """Take the reply, unless it says to look elsewhere."""
        if reply.__class__ is StoreError and self._store.handle_error(self, str(reply)):
            return
        self._store.hand_out(reply, self._decode, self._done)


class RedisStore:
    """A :class:`~ocs.balance.store.BalanceStore` over the servers of one address.

    Args:
        partitions: as the store was created with.
        barrier: what replicas must have before a commit is told; None asks nothing of them.
        reload_library: puts the functions that commit where they are missing, as on a server that has just joined;
            one runs at a time. May raise OSError.
        identity: what the store said of itself at the start: that something is absent counts from that one alone; None
            believes whatever answers.
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
        on_promotion: Callable[[str, bool], None] | None = None,
        on_topology: Callable[[], None] | None = None,
    ) -> None:
        self._servers = servers
        self._barrier = barrier
        self._reload_library = reload_library
        self._identity = identity
        self._identity_doubted = trio.Event()
        self._on_promotion = on_promotion
        self._on_topology = on_topology
        self._history = StoreHistory()
        self._topology: Topology | None = None
        self._nodes: dict[Endpoint, RedisNode] = {}
        # Whom each slot belongs to; with one server for all of them, `_only` saves the look.
        self._owners: list[RedisNode | None] = [None] * SLOTS
        self._only: RedisNode | None = None
        # Whether redirections, or servers that may be gone, make another answer about the topology worth a look.
        self._is_ahead = False
        self._missing: set[Endpoint] = set()
        self._slots = tuple(slot_of(events_key(partition)) for partition in range(partitions))
        self._asked = trio.Event()
        self._first_connection = trio.Event()
        self._library_missed = trio.Event()
        self._later: list[_Detour] = []
        self._has_later = trio.Event()
        self._nursery: trio.Nursery | None = None

    @property
    def is_connected(self) -> bool:
        """Whether every primary that owns something can be called, and the store is the one that we know."""
        owners = {self._only} if self._only is not None else set(self._owners)
        return not self.fault and all(node is not None and node.is_connected for node in owners)

    @property
    def fault(self) -> str:
        """Why the store is not the one that we were started on; empty while it is."""
        return "" if self._identity is None else self._identity.fault

    # --- BalanceStore -----------------------------------------------------------------------------------

    def commit(self, commit: Commit, done: Callable[[CommitResult], None]) -> None:
        """Write a decision if everything it read still stands."""
        packed = pack_command(tuple(commit_command(commit)))
        self._send(self._slots[commit.partition], packed, decode_commit_reply, done, is_commit=True)

    def load(self, keys: Sequence[str], done: Callable[[tuple[Stored, ...] | Unavailable], None]) -> None:
        """Read values of one partition with their tokens."""
        self._send(slot_of(keys[0]), pack_command(("MGET", *keys)), _decode_values, done)

    def read_hint(self, key: str, done: Callable[[bytes | Unavailable | None], None]) -> None:
        """Read a directory or locator entry."""
        self._send(slot_of(key), pack_command(("GET", key)), _decode_hint, done)

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
        self._send(self._slots[partition], packed, _decode_members, done)

    def heartbeat(self, done: Callable[[Heartbeat | Unavailable], None]) -> None:
        """Tell the store that we live; learn its time and our outages.

        In a cluster it is the primary that holds the one clock which speaks for all: their clocks are to agree within
        seconds, as deadlines are minutes away.
        """
        if self.fault:
            done(Unavailable(self.fault))
            return
        packed = pack_command(("FCALL", "ocs_heartbeat", 1, CLOCK, limits.OUTAGE_THRESHOLD_MS))
        self._send(slot_of(CLOCK), packed, _decode_heartbeat, done)

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
        node = self._only or self._owners[slot]
        if node is None:
            self._asked.set()
            done(decode(_nobody(slot)))
            return

        def replied(reply: Reply) -> None:
            if reply.__class__ is StoreError:
                _Detour(self, node, slot, packed, decode, done, is_commit=is_commit)(reply)
            elif reply is None or reply.__class__ is list:
                self.hand_out(reply, decode, done)
            else:
                done(decode(reply))

        if is_commit and self._barrier is not None:
            node.send_commit(packed, replied)
        else:
            node.send(packed, replied)

    def hand_out(self, reply: Reply, decode: Callable[[Reply], Any], done: Callable[[Any], None]) -> None:
        """Tell a reply; that nothing is there, only when the store is the one that we know.

        The question follows the call that it is about: a store that is ours then was ours before.
        """
        if self._identity is None or decode is _as_it_is or not _says_nothing_is_there(reply):
            done(decode(reply))
            return
        identity = self._identity

        def answered(answer: Reply) -> None:
            done(decode(identity.take(answer) or reply))

        self._send(slot_of(META), pack_command(QUESTION), _as_it_is, answered)

    async def _watch_identity(self, identity: StoreIdentity) -> None:
        """Look now and then, and at once when a connection was made, whether the store is the one that we know."""
        question = pack_command(QUESTION)
        while True:
            self._identity_doubted = trio.Event()
            self._send(slot_of(META), question, _as_it_is, lambda reply: _ignore(identity.take(reply)))
            with trio.move_on_after(limits.STORE_IDENTITY_INTERVAL_S):
                await self._identity_doubted.wait()
            await trio.sleep(limits.STORE_TOPOLOGY_PAUSE_S)

    def _send_detour(self, call: _Detour) -> None:
        node = self._only or self._owners[call.slot]
        if node is None:
            self._asked.set()
            call(_nobody(call.slot))
            return
        call.node = node
        if call.is_commit:
            node.send_commit(call.packed, call)
        else:
            node.send(call.packed, call)

    def handle_error(self, call: _Detour, error: str) -> bool:
        """Do what an error reply calls for; returns whether the call is on its way again."""
        kind, _, rest = error.partition(" ")
        match kind:
            case "MOVED" | "ASK" | "TRYAGAIN":  # it was not executed
                call.attempts += 1
                if self._nursery is None or call.attempts > limits.STORE_REDIRECTS_MAX:
                    return False
                _REDIRECTIONS.inc(kind.lower())
                if kind == "TRYAGAIN":
                    self._send_later(call)
                else:
                    self._redirect(call, kind, rest)
                return True
            case "READONLY":
                self._asked.set()
                call.node.drop("it is a replica now")
            case "ERR" if "unction not found" in rest:
                self._library_missed.set()
            case _ if kind in _ASK_AGAIN:
                self._asked.set()
            case _:
                pass  # whatever it is, the caller hears it
        return False

    def _redirect(self, call: _Detour, kind: str, rest: str) -> None:
        """Send a call where the server says. ``rest`` is ``SLOT HOST:PORT``."""
        slot, _, place = rest.partition(" ")
        host, _, port = place.rpartition(":")
        if host in {"", "?"}:  # the server's own, which it does not know
            host = call.node.endpoint.host
        node = self._node_at(Endpoint(host.strip("[]"), int(port)))
        call.node = node
        if kind == "MOVED":
            self._asked.set()
            self._owners[int(slot)] = node
            self._only = None
            self._is_ahead = True
        if not node.is_connected and not node.attempted.is_set():
            self._send_later(call)  # it is new to us: the connection is being made
        elif kind == "MOVED":
            self._send_detour(call)
        else:
            node.send_asking(call.packed, call, is_commit=call.is_commit)

    def _send_later(self, call: _Detour) -> None:
        """Send a call again in a moment."""
        self._later.append(call)
        self._has_later.set()

    async def _send_what_waits(self) -> None:
        while True:
            await self._has_later.wait()
            self._has_later = trio.Event()
            await trio.sleep(limits.STORE_RETRY_DELAY_S)
            calls, self._later = self._later, []
            for call in calls:
                self._send_detour(call)

    # --- Servers ----------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep connections for ever; report started when the first one stands and each was tried.

        Cancellation closes them; calls in flight then answer ``Unavailable``.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                await self._find(patient=True)
                nursery.start_soon(self._send_what_waits)
                nursery.start_soon(self._reload_libraries)
                if self._identity is not None:
                    nursery.start_soon(self._watch_identity, self._identity)
                if not self._servers.is_fixed:
                    nursery.start_soon(self._follow_topology)
                await self._first_connection.wait()
                for node in tuple(self._nodes.values()):
                    await node.attempted.wait()
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
            self._only, self._owners = None, [None] * SLOTS
            self._nodes.clear()
            calls, self._later = self._later, []
            for call in calls:
                call(Unavailable("closed by us"))

    async def _follow_topology(self) -> None:
        """Look who is primary now and then, and at once when something suggests a change."""
        while True:
            with trio.move_on_after(limits.STORE_TOPOLOGY_INTERVAL_S):
                await self._asked.wait()
            self._asked = trio.Event()
            await self._find(patient=False)
            await trio.sleep(limits.STORE_TOPOLOGY_PAUSE_S)

    async def _find(self, *, patient: bool) -> None:
        """Ask for the topology and go by it; when patient, until somebody answers."""
        failures = 0
        while True:
            try:
                self._apply(await self._servers.find_topology(self._topology))
            except OSError as error:
                if failures % 50 == 0:
                    log.warning(
                        "store_topology_unknown",
                        reason=str(error),
                        remedy="start the store or correct [store] url",
                    )
                failures += 1
            else:
                return
            if not patient:
                self._asked.set()
                return
            await trio.sleep(limits.STORE_TOPOLOGY_PAUSE_S)

    def _apply(self, topology: Topology) -> None:
        """Connect to primaries that are new, let go of those that are none any more."""
        if topology == self._topology and not self._is_ahead:
            return
        is_change = self._topology is not None and topology != self._topology
        self._topology, self._is_ahead = topology, False
        if is_change and self._on_topology is not None:
            self._on_topology()
        gone = self._nodes.keys() - {primary.endpoint for primary in topology.primaries}
        owners: list[RedisNode | None] = [None] * SLOTS
        for primary in topology.primaries:
            node = self._node_at(primary.endpoint)
            for first, last in primary.slots:
                owners[first : last + 1] = [node] * (last - first + 1)
        self._inherit(owners, gone)
        self._owners = owners
        self._only = owners[0] if len(set(owners)) == 1 else None
        for node in self._nodes.values():
            node.set_partitions(
                tuple(number for number, slot in enumerate(self._slots) if owners[slot] is node)
            )
        # A server may be missing because who was asked did not know it yet: the second time counts.
        for endpoint in gone & self._missing:
            self._nodes.pop(endpoint).retire()
        self._missing = gone - self._missing
        if self._missing:
            self._is_ahead = True
            self._asked.set()

    def _inherit(self, owners: list[RedisNode | None], gone: set[Endpoint]) -> None:
        """Remember in whose place a server stands; slots that moved between primaries are nobody's place."""
        for before, now in zip(self._owners, owners, strict=True):
            if before is not None and now is not None and before.endpoint in gone:
                now.predecessor = before.endpoint

    def _node_at(self, endpoint: Endpoint) -> RedisNode:
        node = self._nodes.get(endpoint)
        if node is None:
            node = RedisNode(endpoint, self._servers, self, self._history, self._barrier)
            self._nodes[endpoint] = node
            assert self._nursery is not None  # noqa: S101 - servers are met while we run
            self._nursery.start_soon(node.run)
        return node

    # --- For the servers' nodes -------------------------------------------------------------------------

    def node_suspected(self) -> None:
        """Something went wrong with a server: somebody else may be primary."""
        self._asked.set()

    def node_met(self, node: RedisNode, state: ReplicationState) -> None:
        """A connection stands: is that the server that we knew?"""
        self._first_connection.set()
        self._identity_doubted.set()
        verdict = self._history.judge(node.endpoint, state, node.predecessor)
        if verdict is Verdict.PROMOTED:
            log.warning("store_promoted", server=str(node.endpoint))
        elif verdict in {Verdict.PROMOTED_LOSSY, Verdict.UNRELATED}:
            log.error(
                "store_lost_writes",
                server=str(node.endpoint),
                reason=f"{verdict.value} ({self._history.lost_octets(state)} octets of its predecessor's writes)",
                remedy="run `ocs verify`; bar replicas that [store] replicas does not cover from promotion",
            )
        else:
            return
        is_lossy = verdict is not Verdict.PROMOTED
        _PROMOTIONS.inc("yes" if is_lossy else "no")
        if self._on_promotion is not None:
            self._on_promotion(state.history, is_lossy)

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
