"""The alarm list in Redis or Valkey, as its owner writes it: one call a batch, behind the same barrier as charging."""

import secrets
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

import structlog
import trio

from ocs import limits
from ocs.balance.redis_connection import Reply, StoreError
from ocs.balance.store import Unavailable
from ocs.faults.alarm import AlarmSignal
from ocs.faults.store import keys
from ocs.faults.store.batch import (
    AlarmBatch,
    Command,
    Engine,
    FollowedChange,
    LeaseLostError,
    Snapshot,
    StoreUnavailableError,
    check_batch,
    commit_command,
    decode_read,
    decode_signal,
    read_command,
)
from ocs.faults.store.loading import load_hash, load_snapshot
from ocs.faults.store.owner_identity import is_gone, node_of
from ocs.metrics import Counter

log = structlog.get_logger()

_COMMITS: Final = Counter(
    "ocs_alarm_commits_total", "Batches of alarms sent to the store, by what came of it.", ("outcome",)
)

# RFC 3411 section 5, SnmpEngineID: five octets say how it is made, the rest is ours. The number is the one that
# net-snmp uses for engines without an enterprise of their own (8072), and 128 a format of its enterprise's choice.
_ENGINE_PREFIX: Final = (0x80000000 | 8072).to_bytes(4, "big") + b"\x80"

# The commit function's own answers.
_STANDS, _EARLY = 1, 3


class StoreCalls(Protocol):
    """A store that is connected (:class:`~ocs.balance.redis_store.RedisStore`)."""

    def call(
        self, key: str, command: Command, done: Callable[[Reply], None], *, is_commit: bool = False
    ) -> None:
        """Send a command to the server of ``key``; as a commit, its reply waits for the barrier."""
        ...


class AlarmStore:
    """An :class:`~ocs.faults.store.port.AlarmListStore` over the servers of one address.

    Attributes:
        holder: the identity of another that has the list, while we wait for it; else empty.

    Args:
        calls: the connected store, which finds the list's server, follows its moves and loads our functions.
        identity: who we are (:mod:`ocs.faults.store.owner_identity`).
    """

    def __init__(self, calls: StoreCalls, identity: str) -> None:
        self._calls = calls
        self._identity = identity
        self.holder = ""
        self._lease = ""
        # The numbers of batches that are not known to stand, by their tokens; in the order in which they began.
        self._numbers: dict[bytes, int] = {}
        self._next_number = 1
        self._settled = trio.Event()

    # --- Owning -----------------------------------------------------------------------------------------

    async def open_as_owner(self, *, engine_id: bytes = b"") -> Snapshot:
        """Wait until the list is ours, and load it (:class:`~ocs.faults.store.port.AlarmListStore`)."""
        lease = secrets.token_hex(8)
        self._lease, self._numbers, self._next_number = "", {}, 1
        gone = ""
        while True:
            held, *holder = cast("list[Any]", await self._ask_lease(lease, "take", gone))
            if held:
                break
            identity = holder[0].decode(errors="replace")
            gone = identity if is_gone(identity) else ""
            if not gone:
                self._stand_by(identity)
                await trio.sleep(limits.ALARM_LEASE_ASKED_S)
        self._lease, self.holder = lease, ""
        engine = await self._start_engine(engine_id)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_lease)
                snapshot = await load_snapshot(self._ask, keys.DESK, engine)
                nursery.cancel_scope.cancel()
                return snapshot
        except* StoreUnavailableError as group:
            reason = str(group.exceptions[0])
        raise StoreUnavailableError(reason)

    def _stand_by(self, identity: str) -> None:
        """Say, once for each, who has the list."""
        if identity == self.holder:
            return
        self.holder = identity
        node = node_of(identity)
        if node == node_of(self._identity):
            log.warning(
                "alarm_list_owned_by_a_namesake",
                node=node,
                remedy="two network processes run under one diameter.origin_host: end one, or name them differently",
            )
        else:
            log.info("alarm_list_owned_by_another", node=node)

    async def _keep_lease(self) -> None:
        """Say that we are here while a long list is loaded; whether it held shows with the first commit."""
        while True:
            await trio.sleep(limits.ALARM_LEASE_RENEWED_S)
            await self._ask_lease(self._lease, "renew")

    async def _start_engine(self, engine_id: bytes) -> Engine:
        """Count a start of our engine, durably: informs of before it are out of its time window."""
        if engine_id:
            (known,) = cast("list[Any]", await self._ask(("HMGET", keys.ENGINE, "id")))
            if known != engine_id:
                await self._ask(("HSET", keys.ENGINE, "id", engine_id, "boots", 0), is_commit=True)
        else:
            made = _ENGINE_PREFIX + secrets.token_bytes(8)
            await self._ask(("HSETNX", keys.ENGINE, "id", made), is_commit=True)
        boots = await self._ask(("HINCRBY", keys.ENGINE, "boots", 1), is_commit=True)
        (found,) = cast("list[Any]", await self._ask(("HMGET", keys.ENGINE, "id")))
        return Engine(found, cast("int", boots))

    async def renew(self) -> None:
        """Say that we are still here (:class:`~ocs.faults.store.port.AlarmListStore`)."""
        lease = self._lease
        held, *_ = cast("list[Any]", await self._ask_lease(lease, "renew"))
        if not held:
            raise self._lost()

    async def release(self) -> None:
        """Let another node have the list at once (:class:`~ocs.faults.store.port.AlarmListStore`)."""
        lease, self._lease = self._lease, ""
        if lease:
            await self._ask_lease(lease, "release")

    # --- Writing ----------------------------------------------------------------------------------------

    async def commit(self, batch: AlarmBatch) -> None:
        """Write a batch; it is durable when this returns (:class:`~ocs.faults.store.port.AlarmListStore`)."""
        lease = self._lease
        if not lease:
            raise LeaseLostError("the alarm list is not ours")
        check_batch(batch)
        number = self._numbers.get(batch.token)
        if number is None:
            number, self._next_number = self._next_number, self._next_number + 1
            self._numbers[batch.token] = number
        command = commit_command(batch, lease=lease, number=number, lease_ms=limits.ALARM_LEASE_MS)
        while True:
            follows_others = self._has_earlier(number)
            try:
                reply = await self._ask(command, is_commit=True)
            except StoreUnavailableError:
                _COMMITS.inc("unknown")
                self._wake()
                raise
            if lease != self._lease:
                raise LeaseLostError("the alarm list was opened again meanwhile")
            if reply == _STANDS:
                _COMMITS.inc("stands")
                self._numbers.pop(batch.token, None)
                self._wake()
                return
            # Early: without one before it that is under way, the store has lost what it had told us stands.
            if reply != _EARLY or not follows_others:
                raise self._lost()
            await self._wait_for_earlier(number)

    def _has_earlier(self, number: int) -> bool:
        return any(earlier < number for earlier in self._numbers.values())

    async def _wait_for_earlier(self, number: int) -> None:
        """Wait until a batch that was sent before this one is settled, whose connection was slower or broke.

        Raises:
            StoreUnavailableError: it was not in time.
        """
        with trio.move_on_after(limits.STORE_TIMEOUT_S):
            while self._has_earlier(number):
                await self._settled.wait()
            return
        raise StoreUnavailableError("an earlier batch of alarms is not known to stand")

    def _wake(self) -> None:
        self._settled.set()
        self._settled = trio.Event()

    def _lost(self) -> LeaseLostError:
        _COMMITS.inc("lost")
        self._lease = ""
        self._numbers.clear()
        self._wake()
        return LeaseLostError("the alarm list has another owner, or the store lost what it held")

    # --- Following --------------------------------------------------------------------------------------

    async def read_desk(self, after_id: str) -> list[FollowedChange]:
        """What operators did to the list (:class:`~ocs.faults.store.port.AlarmListStore`)."""
        while True:
            reply = await self._ask(read_command(keys.DESK, after_id, limits.ALARM_CHANGES_PER_READ))
            found = decode_read(reply, after_id)
            if found is None:
                raise LeaseLostError("more was done to the alarm list than its owner has followed")
            if found:
                return found
            await trio.sleep(limits.ALARM_DESK_INTERVAL_S)

    async def orders(self) -> dict[str, AlarmSignal]:
        """What operators ask the owner to take (:class:`~ocs.faults.store.port.AlarmListStore`)."""
        return {
            name.decode(): signal
            for name, signal in (await load_hash(self._ask, keys.ORDERS, decode_signal)).items()
        }

    async def windows(self) -> dict[str, bytes]:
        """Maintenance windows (:class:`~ocs.faults.store.port.AlarmListStore`)."""
        found = await load_hash(self._ask, keys.WINDOWS, bytes)
        return {name.decode(errors="replace"): value for name, value in found.items()}

    # --- Asking -----------------------------------------------------------------------------------------

    async def _ask_lease(self, lease: str, verb: str, gone: str = "") -> Reply:
        command: Command = (
            "FCALL", "ocs_alarms_lease", 1, keys.OWNER, self._identity, lease, limits.ALARM_LEASE_MS, verb, gone,
        )  # fmt: skip
        return await self._ask(command, is_commit=True)

    async def _ask(self, command: Command, *, is_commit: bool = False) -> Reply:
        """Send one command and wait for its reply; cancelled, it may have been executed.

        Raises:
            StoreUnavailableError: no answer, or an error.
        """
        replied = trio.Event()
        replies: list[Reply] = []

        def done(reply: Reply) -> None:
            replies.append(reply)
            replied.set()

        self._calls.call(keys.LIST, command, done, is_commit=is_commit)
        await replied.wait()
        (reply,) = replies
        if isinstance(reply, Unavailable):
            raise StoreUnavailableError(reply.reason)
        if isinstance(reply, StoreError):
            raise StoreUnavailableError(f"the store answered {reply}")
        return reply
