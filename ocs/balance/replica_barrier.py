"""The barrier of ``durability = "replicated"`` on one server: commits are told when the replicas have them.

``WAIT`` counts what its own connection has written. A repeat or a refusal writes nothing, so each batch that holds a
commit ends with a small write before it: what the answer rests on is then older than that write.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio

from ocs import limits
from ocs.balance.barrier import Barrier
from ocs.balance.keys import barrier_key
from ocs.balance.redis_connection import Callback, Reply, StoreError
from ocs.balance.redis_stream import Command, ask, pack_command
from ocs.balance.store import Unavailable
from ocs.metrics import Gauge

log = structlog.get_logger()

_DEGRADED = Gauge(
    "ocs_store_degraded", "1 while a server's replicas do not have what it commits.", ("server",), merge="max"
)

_ROLE: Final = pack_command(("ROLE",))
_REMEDIES: Final = {
    True: "requests are refused (3004) until the replicas follow: start them, or set [store] on_degraded",
    False: "requests are answered on the primary's fsync alone: start the replicas before it is lost",
}


class ReplicaBarrier:
    """Holds the replies to a server's commits until its replicas have what they rest on.

    When they have not in time, it is degraded: commits are refused at once, or answered without waiting, until a
    question of its own finds that the replicas follow again.

    Args:
        name: how people know the server.
        note: told the octet of the server's history up to which its replicas have everything.
        suspect: called again and again while replicas are missing: one may have become primary.
    """

    def __init__(
        self, barrier: Barrier, name: str, note: Callable[[int], None], suspect: Callable[[], None]
    ) -> None:
        self._barrier = barrier
        self._name = name
        self._note = note
        self._suspect = suspect
        self._partitions: tuple[int, ...] = ()
        self._turn = 0
        self._wait = pack_command(("WAIT", barrier.replicas, barrier.timeout_ms))
        self._degraded = trio.Event()
        self._is_confirmed = False
        _DEGRADED.set(0, name)

    @property
    def is_degraded(self) -> bool:
        """Whether the replicas are not there."""
        return self._degraded.is_set()

    @property
    def trouble(self) -> str:
        """Why commits are refused, or would be for all that is known; empty while they are not."""
        if not (self._barrier.is_required and self._partitions) or (
            self._is_confirmed and not self.is_degraded
        ):
            return ""
        missing = "are missing" if self.is_degraded else "have not answered yet"
        return f"replicas of {self._name} {missing}: requests for its accounts are refused"

    @property
    def is_asked(self) -> bool:
        """Whether commits wait for the replicas; not while answers go by the primary's fsync."""
        return self._barrier.is_required or not self.is_degraded

    @property
    def refusal(self) -> Unavailable | None:
        """What a commit is answered while it is refused without being sent."""
        if self.is_degraded and self._barrier.is_required:
            return Unavailable(f"replicas of {self._name} are missing", is_unsent=True)
        return None

    def set_partitions(self, partitions: tuple[int, ...]) -> None:
        """Which partitions the server holds: the small write goes to one of them."""
        self._partitions = partitions

    def guard(self, packed: list[bytes], callbacks: list[Callback], commits: list[int]) -> None:
        """End a batch with the barrier; the callbacks at ``commits`` are called when it has held, or has not."""
        guarded = _Guarded(self)
        for index in commits:
            callbacks[index] = guarded.hold(callbacks[index])
        # ROLE tells how far the server's history goes at this moment, which WAIT then says the replicas have.
        packed += (pack_command(self._small_write()), _ROLE, self._wait)
        callbacks += (guarded.wrote, guarded.told_role, guarded.waited)

    def close(self) -> None:
        """The server is none of the store's any more."""
        _DEGRADED.remove(self._name)

    async def watch(self, open_stream: Callable[[], Awaitable[trio.abc.Stream]]) -> None:
        """At the start, and while degraded, ask by a connection of its own whether the replicas follow."""
        while True:
            if self._is_confirmed:
                await self._degraded.wait()
                self._suspect()
            try:
                with trio.fail_after(limits.STORE_TIMEOUT_S + self._barrier.timeout_ms / 1000):
                    await self._ask(open_stream)
            except (OSError, trio.TooSlowError):
                pass  # the server is away: its connections tell
            await trio.sleep(limits.REPLICAS_ASKED_INTERVAL_S)

    async def _ask(self, open_stream: Callable[[], Awaitable[trio.abc.Stream]]) -> None:
        wait: Command = ("WAIT", self._barrier.replicas, self._barrier.timeout_ms)
        stream = await open_stream()
        try:
            # All writes of all connections until now are older than this one.
            _, having = await ask(stream, (self._small_write(), wait))
        finally:
            await trio.aclose_forcefully(stream)
        if having >= self._barrier.replicas:
            self._recover()
        else:
            self._degrade(f"{having} of {self._barrier.replicas} replicas follow")

    def _small_write(self) -> Command:
        # A cluster's server without partitions has nothing to commit; its write is refused, and the barrier fails.
        partition = self._partitions[self._turn % len(self._partitions)] if self._partitions else 0
        return ("SET", barrier_key(partition), "")

    def judge(self, *, is_written: bool, offset: int, reply: Reply) -> Unavailable | None:
        """Say what a batch's barrier has come to.

        Args:
            is_written: whether the small write was done.
            offset: how long the server's history was then.
            reply: what ``WAIT`` answered.

        Returns:
            None when commits may be told; else what they are told instead.
        """
        if isinstance(reply, Unavailable):
            return reply
        if not is_written or not isinstance(reply, int):
            self._turn += 1  # a partition that moves just now refuses: another one next time
            return Unavailable(f"the barrier's write was refused, or WAIT: {reply!r}")
        if reply >= self._barrier.replicas:
            self._note(offset)
            self._recover()
            return None
        reason = f"{reply} of {self._barrier.replicas} replicas have it after {self._barrier.timeout_ms} ms"
        self._degrade(reason)
        return Unavailable(reason) if self._barrier.is_required else None

    def _degrade(self, reason: str) -> None:
        self._is_confirmed = True
        if not self.is_degraded:
            self._degraded.set()
            _DEGRADED.set(1, self._name)
            remedy = _REMEDIES[self._barrier.is_required]
            log.error("store_degraded", server=self._name, reason=reason, remedy=remedy)

    def _recover(self) -> None:
        self._is_confirmed = True
        if self.is_degraded:
            self._degraded = trio.Event()
            _DEGRADED.set(0, self._name)
            log.info("store_recovered", server=self._name)


class _Guarded:
    """One batch: the replies to its commits, until its barrier has spoken."""

    __slots__ = ("_barrier", "_held", "_is_written", "_offset")

    def __init__(self, barrier: ReplicaBarrier) -> None:
        self._barrier = barrier
        self._held: list[tuple[Callback, Reply]] = []
        self._is_written = False
        self._offset = 0

    def hold(self, done: Callback) -> Callback:
        """Keep what a commit would be told."""
        return lambda reply: self._held.append((done, reply))

    def wrote(self, reply: Reply) -> None:
        """The small write was done, or refused."""
        self._is_written = reply == b"OK"

    def told_role(self, reply: Reply) -> None:
        """The server has told its role and its history's length."""
        if isinstance(reply, list) and reply[0] == b"master":
            self._offset = reply[1]

    def waited(self, reply: Reply) -> None:
        """So many replicas have it: hand out what was held."""
        unavailable = self._barrier.judge(is_written=self._is_written, offset=self._offset, reply=reply)
        for done, held in self._held:
            # An error was not executed: it goes elsewhere, whatever the barrier has come to.
            done(held if unavailable is None or isinstance(held, StoreError) else unavailable)
