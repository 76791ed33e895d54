"""One server of the store as charging uses it: calls collect, and its connections take them by the batch."""

from collections.abc import Callable
from typing import Final, Protocol

import structlog
import trio

from ocs import limits
from ocs.balance.barrier import Barrier
from ocs.balance.redis_connection import Batch, Callback, RedisConnection, Reply
from ocs.balance.redis_stream import StoreServers, ask, pack_command
from ocs.balance.replica_barrier import ReplicaBarrier
from ocs.balance.store import Unavailable
from ocs.balance.store_guard import ServerFault, StoreGuard
from ocs.balance.store_history import ReplicationState, StoreHistory, read_replication_state
from ocs.store_url import Endpoint

log = structlog.get_logger()

_ROLE: Final = pack_command(("ROLE",))
_NOT_CONNECTED: Final = Unavailable("the store is not connected")


class Watcher(Protocol):
    """Who wants to know how a server fares."""

    def node_met(self, node: "RedisNode", state: ReplicationState) -> None:
        """A connection stands; this is what the server says of itself."""
        ...

    def node_suspected(self) -> None:
        """A connection ended or could not be made, or replicas are missing: a server may have been replaced."""
        ...


class RedisNode:
    """A server, the calls that wait to be sent to it, and its connections.

    Without replicas to wait for, one connection has two writes under way: while one is fsynced the next is received.
    ``WAIT`` keeps its connection from everything else: with a barrier, commits have two connections with one write
    each, and reads have one of their own.

    Args:
        barrier: what the replicas must have before a commit is told; None asks nothing of them.
        history: where it is noted how much of the server's history is durable.

    Attributes:
        send: sends a command; the callback gets its reply, later, or at once when the server is away.
        send_commit: sends one whose reply must not be told before the replicas have what it rests on.
        attempted: set when all its connections stand, or one could not be made, for the first time.
        predecessor: the server that held its slots before; None while that was nobody.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        servers: StoreServers,
        watcher: Watcher,
        history: StoreHistory,
        barrier: Barrier | None,
    ) -> None:
        self.endpoint = endpoint
        self.attempted = trio.Event()
        self.predecessor: Endpoint | None = None
        self._servers = servers
        self._watcher = watcher
        self._history = history
        self._history_id = ""
        self._partitions: tuple[int, ...] = ()
        self._fault = ServerFault(str(endpoint))
        # The last line about its connections: "" while they stand.
        self._told = ""
        self._scope = trio.CancelScope()
        if barrier is None:
            self._barrier = None
            self._plain = self._guarded = _Queue(self, 1, limits.STORE_WRITES_IN_FLIGHT_MAX)
            self._queues = (self._plain,)
        else:
            self._barrier = ReplicaBarrier(barrier, str(endpoint), self._note, watcher.node_suspected)
            self._plain = _Queue(self, 1, limits.STORE_WRITES_IN_FLIGHT_MAX)
            self._guarded = _Queue(self, limits.STORE_WRITES_IN_FLIGHT_MAX, 1, self._barrier)
            self._queues = (self._plain, self._guarded)
        self.send: Callable[[bytes, Callback], None] = self._plain.add
        self.send_commit: Callable[[bytes, Callback], None] = self._usual_commit

    def __repr__(self) -> str:
        return f"RedisNode({self.endpoint})"

    @property
    def is_connected(self) -> bool:
        """Whether calls of both kinds go out now; otherwise they answer ``Unavailable`` at once."""
        return all(queue.is_connected for queue in self._queues)

    @property
    def trouble(self) -> str:
        """Why requests for its accounts are refused now; empty while they are not."""
        if not self.is_connected:
            return f"{self.endpoint} is not connected"
        return self._fault.reason or ("" if self._barrier is None else self._barrier.trouble)

    @property
    def partition(self) -> int | None:
        """One of the partitions that it holds; None when it holds none, or it is not known yet."""
        return self._partitions[0] if self._partitions else None

    def set_partitions(self, partitions: tuple[int, ...]) -> None:
        """Which partitions the server holds."""
        self._partitions = partitions
        if self._barrier is not None:
            self._barrier.set_partitions(partitions)

    # --- Calls ------------------------------------------------------------------------------------------

    def look(self, guard: StoreGuard, library_missed: Callable[[], None]) -> None:
        """Ask the server whether it still is what money needs."""
        guard.ask(self.send, str(self.endpoint), self.partition, self.set_fault, library_missed)

    def set_fault(self, reason: str) -> None:
        """What is wrong with the server, or "": commits are refused as long as something is."""
        self._fault.set(reason)
        self.send_commit = self._refuse_commit if reason else self._usual_commit

    def send_asking(self, packed: bytes, done: Callback, *, is_commit: bool) -> None:
        """Send a command for a slot that is just being imported."""
        # Both are in one batch and follow each other: whoever takes a batch takes all of it.
        if not is_commit:
            self.send(_ASKING, _ignore)
            self.send(packed, done)
        elif (refusal := self._refusal) is None:
            self._guarded.add(_ASKING, _ignore)
            self._guarded.add_commit(packed, done)
        else:
            done(refusal)

    @property
    def _usual_commit(self) -> Callable[[bytes, Callback], None]:
        return self._plain.add if self._barrier is None else self._send_guarded

    def _send_guarded(self, packed: bytes, done: Callback) -> None:
        refusal = self._refusal
        if refusal is None:
            self._guarded.add_commit(packed, done)
        else:
            done(refusal)

    def _refuse_commit(self, _packed: bytes, done: Callback) -> None:
        done(self._refusal)

    @property
    def _refusal(self) -> Unavailable | None:
        """What a commit is answered while it is refused without being sent."""
        if self._fault.reason:
            return Unavailable(self._fault.reason, is_unsent=True)
        return None if self._barrier is None else self._barrier.refusal

    def drop(self, reason: str) -> None:
        """End the connections; others are made, if the server still is what it was."""
        for queue in self._queues:
            for lane in queue.lanes:
                lane.drop(reason)

    # --- Life -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep connections until :meth:`retire`; calls in flight then answer ``Unavailable``."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    for queue in self._queues:
                        for lane in queue.lanes:
                            nursery.start_soon(lane.run)
                    nursery.start_soon(self._note_offsets)
                    if self._barrier is not None:
                        nursery.start_soon(self._barrier.watch, self.open)
        finally:
            self._fault.close()
            if self._barrier is not None:
                self._barrier.close()

    def retire(self) -> None:
        """Let go of the server."""
        self._scope.cancel()

    async def _note_offsets(self) -> None:
        """Note how much the server has acknowledged, in order to recognise a successor that lacks some of it.

        While commits wait for replicas, they say it themselves.
        """

        def told(reply: Reply) -> None:
            if isinstance(reply, list) and reply[0] == b"master":
                self._note(reply[1])

        while True:
            await trio.sleep(limits.STORE_OFFSET_INTERVAL_S)
            if self._barrier is None or not self._barrier.is_asked:
                self.send(_ROLE, told)

    def _note(self, offset: int) -> None:
        self._history.note(self._history_id, offset)

    async def open(self) -> trio.abc.Stream:
        """Connect, and see that it is a primary.

        Raises:
            OSError: it is not, or cannot be reached.
        """
        stream = await self._servers.connect(self.endpoint)
        try:
            with trio.fail_after(limits.STORE_TIMEOUT_S):
                (text,) = await ask(stream, (("INFO", "replication"),))
            state = read_replication_state(text.decode())
            if not state.is_primary:
                raise ConnectionError(f"{self.endpoint} is a replica now")
        except BaseException as error:
            await trio.aclose_forcefully(stream)
            if isinstance(error, trio.TooSlowError):
                raise TimeoutError(f"no answer within {limits.STORE_TIMEOUT_S} s") from None
            if isinstance(error, ValueError):
                raise ConnectionError(str(error)) from None
            raise
        self._history_id = state.history
        self._watcher.node_met(self, state)
        return stream

    def connected(self) -> None:
        """A connection stands."""
        if self.is_connected:
            self.attempted.set()
            if self._told:
                self._told = ""
                log.info("store_connected", server=str(self.endpoint))

    def lost(self, reason: str) -> None:
        """A connection ended, and not because we do; it has others, which likely end with it."""
        if not self._told:
            self._told = "lost"
            log.warning("store_connection_lost", server=str(self.endpoint), reason=reason)
        self._watcher.node_suspected()

    def unreachable(self, reason: str, failures: int) -> None:
        """A connection could not be made."""
        del failures  # each is one more of the same
        if self._told != "unreachable":
            self._told = "unreachable"
            log.warning(
                "store_unreachable",
                server=str(self.endpoint),
                reason=reason,
                remedy="start the store or correct [store] url",
            )
        self._watcher.node_suspected()
        self.attempted.set()


class _Queue:
    """Calls of one kind, and the connections that take them by the batch: an :class:`Owner` of these."""

    def __init__(
        self, node: RedisNode, lanes: int, writes_in_flight_max: int, barrier: ReplicaBarrier | None = None
    ) -> None:
        self._node = node
        self._barrier = barrier
        self._packed: list[bytes] = []
        self._callbacks: list[Callback] = []
        # Those of them that the replicas must have.
        self._commits: list[int] = []
        self.is_connected = False
        self.lanes = tuple(
            RedisConnection(node.open, self, writes_in_flight_max=writes_in_flight_max) for _ in range(lanes)
        )

    def add(self, packed: bytes, done: Callback) -> None:
        """Have a command sent."""
        if not self.is_connected:
            done(_NOT_CONNECTED)
            return
        self._packed.append(packed)
        self._callbacks.append(done)
        if len(self._callbacks) == 1:
            for lane in self.lanes:
                if lane.can_write:
                    lane.wake()
                    return

    def add_commit(self, packed: bytes, done: Callback) -> None:
        """Have a command sent that the barrier is for."""
        if self.is_connected and self._barrier is not None and self._barrier.is_asked:
            self._commits.append(len(self._callbacks))
        self.add(packed, done)

    # --- For the connections ----------------------------------------------------------------------------

    @property
    def has_calls(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._callbacks)

    def take(self) -> Batch | None:
        """Give everything that waits, with the barrier behind it if it holds a commit."""
        if not self._callbacks:
            return None
        packed, callbacks = self._packed, self._callbacks
        self._packed, self._callbacks = [], []
        if self._commits and self._barrier is not None:
            self._barrier.guard(packed, callbacks, self._commits)
            self._commits = []
        return packed, callbacks

    def connected(self) -> None:
        """A connection stands."""
        self.is_connected = True
        self._node.connected()

    def ended(self, reason: str) -> None:
        """A connection ended: what waits goes to another, if there is one."""
        self.is_connected = any(lane.is_connected for lane in self.lanes)
        if self.is_connected:
            return
        failed = self._callbacks
        self._packed, self._callbacks, self._commits = [], [], []
        unavailable = Unavailable(reason)
        for done in failed:
            done(unavailable)

    def lost(self, reason: str) -> None:
        """It was not we who ended it."""
        self._node.lost(reason)

    def unreachable(self, reason: str, failures: int) -> None:
        """A connection could not be made."""
        self._node.unreachable(reason, failures)


_ASKING: Final = pack_command(("ASKING",))


def _ignore(_reply: Reply) -> None:
    """Whether it was allowed shows in the reply to what follows."""
