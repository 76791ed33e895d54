"""One charging worker: Diameter server, engine, supervision and store connection in one trio thread."""

import dataclasses
import gc
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
import trio

from ocs import limits
from ocs.balance.barrier import Barrier
from ocs.balance.redis_store import RedisStore
from ocs.balance.redis_stream import StoreServers
from ocs.balance.replica_watch import watched_by
from ocs.balance.store_address import StoreAddress
from ocs.balance.store_admin import StoreMeta, StoreRefusedError
from ocs.balance.store_identity import StoreIdentity
from ocs.charging.engine import Engine
from ocs.charging.supervisor import Supervisor
from ocs.charging.tariffs import Tariffs
from ocs.clock import SystemClock
from ocs.diameter_gy.base_commands import DisconnectCause
from ocs.diameter_gy.connection_shares import ConnectionShares
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.server import DiameterServer, Listener, ServerPolicy
from ocs.metrics import REGISTRY, add_process_metrics
from ocs.origin_state import OriginState
from ocs.peer_notices import DISCONNECT_PEER, ORIGIN_STATE, Notice, PeerNotices, notice_opener
from ocs.settings import Settings
from ocs.store_setup import PreparedStore, advance_origin_state, reload_library
from ocs.worker_channel import serve_worker_channel

log = structlog.get_logger()

# Young objects die young on the hot path and hold no cycles; a full collection walks the whole cache for nothing.
_GC_THRESHOLDS: Final = (50_000, 50, 100)


class Worker:
    """Everything one worker process runs.

    Args:
        channel: Unix socket on which it answers the HTTP process.
        shares: the file in which the workers on these listeners count their connections; None when it is alone.
    """

    def __init__(
        self,
        settings: Settings,
        prepared: PreparedStore,
        tariffs: Tariffs,
        listeners: Sequence[Listener],
        channel: Path,
        shares: Path | None = None,
    ) -> None:
        self._starting = trio.CancelScope()
        self._listeners = listeners
        self._channel = channel
        clock = SystemClock()
        partitions = prepared.meta.partitions
        address = prepared.address
        replicated = settings.store.durability == "replicated"
        self._replica_watch = watched_by(address, settings.store) if replicated else None
        self._store = RedisStore(
            StoreServers(address),
            partitions=partitions,
            barrier=Barrier.from_settings(settings.store),
            reload_library=partial(_reload_library, address, prepared.meta),
            identity=StoreIdentity(prepared.meta, self._adopt_origin_state),
            on_promotion=self._server_was_promoted,
            on_topology=None if self._replica_watch is None else self._replica_watch.look_now,
        )
        self._engine = Engine(self._store, tariffs, settings.charging, clock, partitions=partitions)
        self._supervisor = Supervisor(self._engine, self._store, clock, partitions=partitions)
        diameter = settings.diameter
        identity = NodeIdentity(
            diameter.origin_host,
            diameter.origin_realm,
            diameter.product_name,
            prepared.meta.origin_state_id,
            tuple(_host_of(listener) for listener in listeners),
        )
        policy = ServerPolicy.from_settings(settings, currency=tariffs.currency)
        self._server = DiameterServer(
            identity,
            policy,
            self._engine,
            clock=clock,
            shares=None if shares is None else ConnectionShares(shares),
        )
        self._notices = PeerNotices(
            notice_opener(address),
            channel.stem,
            {DISCONNECT_PEER: self._disconnect_peer, ORIGIN_STATE: self._hear_origin_state},
        )
        self._origin_state = OriginState(
            prepared.meta.origin_state_id,
            advance=partial(advance_origin_state, address, clock),
            use=self._use_origin_state,
            publish=self._notices.publish,
        )

    def request_stop(self) -> None:
        """Take leave of every peer, answer what is in flight, end; before it serves, just end."""
        self._starting.cancel()
        self._server.request_stop()

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until :meth:`request_stop`; ``ready`` is called when every listener accepts.

        Cancellation cuts connections; unanswered requests are repeated by their gateways.
        """
        async with trio.open_nursery() as nursery:
            with self._starting:
                await nursery.start(self._store.run)
                await nursery.start(self._notices.run)
            if self._starting.cancelled_caught:
                nursery.cancel_scope.cancel()
                return
            nursery.start_soon(self._engine.run)
            nursery.start_soon(self._supervisor.run)
            nursery.start_soon(self._origin_state.run)
            if self._replica_watch is not None:
                nursery.start_soon(self._replica_watch.run)
            add_process_metrics(self._channel.stem)
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_GC_THRESHOLDS)
            async with trio.open_nursery() as serving:
                await serving.start(self._server.serve, self._listeners)
                # From here on questions are ours: a worker that is replaced by this one answers them until now.
                await nursery.start(serve_worker_channel, self._channel, self._answers())
                ready()
            with trio.move_on_after(limits.DRAIN_TIMEOUT_S):
                while self._engine.in_flight:  # noqa: ASYNC110 - seconds at most, and only when stopping
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    def _answers(self) -> dict[str, Callable[[], Any]]:
        return {
            "metrics": REGISTRY.snapshot,
            "peers": self._server.peers,
            "health": self._health,
        }

    def _health(self) -> dict[str, Any]:
        return {
            "store": self._store.is_connected,
            "store_fault": self._store.fault,
            "requests": self._engine.in_flight,
        }

    def _server_was_promoted(self, history: str, is_lossy: bool) -> None:  # noqa: FBT001 - the store's callback
        self._supervisor.sweep()  # its idea of our outages may be another
        if self._replica_watch is not None:
            self._replica_watch.look_now()
        if is_lossy:
            self._origin_state.sessions_were_lost(history)

    # Both may be called only while the worker runs, when all its parts exist.

    def _adopt_origin_state(self, state_id: int) -> None:
        self._origin_state.adopt(state_id)

    def _hear_origin_state(self, notice: Notice) -> int:
        return self._origin_state.hear(notice)

    def _use_origin_state(self, state_id: int) -> None:
        self._server.identity = dataclasses.replace(self._server.identity, origin_state_id=state_id)

    def _disconnect_peer(self, notice: Notice) -> int:
        try:
            cause = msgspec.msgpack.decode(notice.body, type=DisconnectCause)
        except msgspec.DecodeError:
            return 0  # of a release with other causes
        return self._server.disconnect_peer(notice.origin_host, cause)


async def _reload_library(address: StoreAddress, known: StoreMeta) -> None:
    """Have the functions loaded where the store lacks them; raises OSError when that fails."""
    try:
        await trio.to_thread.run_sync(reload_library, address, known, abandon_on_cancel=True)
    except StoreRefusedError as error:
        raise ConnectionError(str(error)) from None


def _host_of(listener: Listener) -> str:
    return str(listener.socket.getsockname()[0])


async def stop_on_signal(request_stop: Callable[[], None]) -> None:
    """Call ``request_stop`` on SIGTERM or SIGINT."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("stopping", signal=signal.Signals(number).name)
            request_stop()
