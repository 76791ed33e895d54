"""Asks the workers over their local sockets and makes one picture of what they say."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
import trio

from ocs.api.reader import BalanceReader
from ocs.api.threads import ReaderUnavailableError
from ocs.api.views import CheckView, PeersView, ReadyView, StatusView, peers_view, status_view
from ocs.clock import Clock
from ocs.limits import CHANNEL_TIMEOUT_S
from ocs.metrics import REGISTRY, Gauge, MetricError, Registry, Snapshot, decode_snapshot, merge
from ocs.worker_channel import WorkerChannel, WorkerSilentError, ask_all

FindChannels = Callable[[], Awaitable[Sequence[WorkerChannel]]]

# PeerSnapshot of diameter_gy, shown as it comes: this side need not know its fields.
_decode_connections: Final = msgspec.msgpack.Decoder(list[dict[str, Any]]).decode
_decode_health: Final = msgspec.msgpack.Decoder(dict[str, Any]).decode


class WorkerOverview:
    """All workers of this machine and the store, seen from the HTTP process.

    A worker that does not answer is part of the picture, not a failure of it. Cancellation of any method leaves
    nothing behind.

    Args:
        find_channels: gives one per process that counts something; workers come and go.
        reader: tells whether the store answers.
        clock: for the time of a look.
        registry: what the HTTP process itself counts.
    """

    def __init__(
        self,
        find_channels: FindChannels,
        reader: BalanceReader,
        clock: Clock,
        *,
        registry: Registry = REGISTRY,
    ) -> None:
        self._find_channels = find_channels
        self._reader = reader
        self._clock = clock
        self._registry = registry

    async def metrics(self) -> Snapshot:
        """Merge what all processes counted, with ``ocs_worker_up`` for each."""
        own = Registry()
        up = Gauge("ocs_worker_up", "Whether the worker answered this time.", ("worker",), registry=own)
        snapshots = [self._registry.snapshot()]
        for name, answer in (await self._ask("metrics")).items():
            merged = None if isinstance(answer, WorkerSilentError) else _merged(snapshots, answer)
            snapshots = snapshots if merged is None else [merged]
            up.set(merged is not None, name)
        return merge((*snapshots, own.snapshot()))

    async def peers(self) -> PeersView:
        """Collect the connections of all workers."""
        by_worker: dict[str, list[dict[str, Any]]] = {}
        silent: dict[str, str] = {}
        for name, answer in (await self._ask("peers")).items():
            if isinstance(answer, WorkerSilentError):
                silent[name] = str(answer)
                continue
            try:
                by_worker[name] = _decode_connections(answer)
            except msgspec.DecodeError:
                silent[name] = f"{name}: it speaks another release's language"
        return peers_view(by_worker, silent)

    async def readiness(self) -> ReadyView:
        """Look at the store and at every worker; ready only if all of them answer and have the store."""
        store, _ = await self._look_at_store()
        return await self._readiness(store)

    async def status(self) -> StatusView:
        """Take one look at everything."""
        store, open_sessions = await self._look_at_store()
        readiness = await self._readiness(store)
        return status_view(self._clock.now_ms(), readiness, await self.metrics(), open_sessions)

    async def _ask(self, question: str) -> dict[str, bytes | WorkerSilentError]:
        return await ask_all(await self._find_channels(), question)

    async def _readiness(self, store: CheckView) -> ReadyView:
        health = await self._ask("health")
        checks = (store, *(_worker_check(name, answer) for name, answer in health.items()))
        return ReadyView(all(check.ok for check in checks), checks)

    async def _look_at_store(self) -> tuple[CheckView, int | None]:
        """Whether the store answers in time, and how many sessions it knows open."""
        with trio.move_on_after(CHANNEL_TIMEOUT_S):
            try:
                return CheckView("store", ok=True), await self._reader.count_open_sessions()
            except ReaderUnavailableError:
                # Of a cluster it may be one server: the workers' checks name it.
                return CheckView("store", ok=False, detail="not all of the store answers"), None
        return CheckView("store", ok=False, detail=f"no answer within {CHANNEL_TIMEOUT_S:g} s"), None


def _merged(snapshots: Sequence[Snapshot], answer: bytes) -> Snapshot | None:
    """Add one worker's metrics; None when it counts in another release's way."""
    try:
        return merge((*snapshots, decode_snapshot(answer)))
    except (msgspec.DecodeError, MetricError):
        return None


def _worker_check(name: str, answer: bytes | WorkerSilentError) -> CheckView:
    if isinstance(answer, WorkerSilentError):
        return CheckView(name, ok=False, detail=str(answer))
    try:
        health = _decode_health(answer)
    except msgspec.DecodeError:
        return CheckView(name, ok=False, detail=f"{name}: it speaks another release's language")
    if not health.get("store", True):
        fault = health.get("store_fault") or "it has no connection to the store"
        return CheckView(name, ok=False, detail=f"{name}: {fault}")
    return CheckView(name, ok=True, detail=health.get("note", ""))
