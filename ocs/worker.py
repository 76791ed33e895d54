"""One charging worker: Diameter server, engine, supervision and store connection in one trio thread."""

import dataclasses
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
from ocs.balance.store_admin import StoreMeta
from ocs.balance.store_identity import StoreIdentity
from ocs.catalogue_watch import CatalogueWatch, look
from ocs.charging.engine import Engine
from ocs.charging.supervisor import Supervisor
from ocs.charging.tariffs import Tariffs
from ocs.clock import SystemClock
from ocs.diameter_gy.base_commands import DisconnectCause
from ocs.diameter_gy.connection_shares import ConnectionShares
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.server import DiameterServer, Listener, ServerPolicy
from ocs.diameter_gy.session_demand import SessionDemand
from ocs.garbage import collect_seldom
from ocs.metrics import REGISTRY, add_process_metrics
from ocs.origin_state import OriginState
from ocs.peer_notices import (
    CATALOGUE_PUBLISHED,
    DISCONNECT_PEER,
    FIND_ROUTE,
    ORIGIN_STATE,
    SESSION_DEMANDS,
    Notice,
    PeerNotices,
    notice_opener,
)
from ocs.radius.server import RadiusSockets
from ocs.radius_worker import RadiusWorker, is_radius
from ocs.rating import Catalogue
from ocs.settings import Settings
from ocs.store_setup import PreparedStore, advance_origin_state, guard_of, reload_functions
from ocs.worker_channel import serve_worker_channel

log = structlog.get_logger()

_decode_demands: Final = msgspec.msgpack.Decoder(list[SessionDemand]).decode


class Worker:
    """Everything one worker process runs.

    Args:
        channel: Unix socket on which it answers the HTTP process.
        shares: the file in which the workers on these listeners count their connections; None when it is alone.
        radius: bound sockets; None when RADIUS is not served.
    """

    def __init__(
        self,
        settings: Settings,
        prepared: PreparedStore,
        tariffs: Tariffs,
        listeners: Sequence[Listener],
        channel: Path,
        shares: Path | None = None,
        radius: RadiusSockets | None = None,
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
            reload_library=partial(reload_functions, prepared),
            identity=StoreIdentity(prepared.meta, self._adopt_origin_state),
            guard=guard_of(prepared, settings),
            on_promotion=self._server_was_promoted,
            on_topology=None if self._replica_watch is None else self._replica_watch.look_now,
        )
        charging, accounts = settings.charging, settings.accounts
        self._engine = Engine(self._store, tariffs, charging, clock, partitions=partitions, accounts=accounts)
        self._supervisor = Supervisor(self._engine, self._store, clock, partitions=partitions)
        identity = _identity(settings, prepared.meta, listeners)
        policy = ServerPolicy.from_settings(settings, currency=tariffs.currency)
        self._server = DiameterServer(
            identity,
            policy,
            self._engine,
            clock=clock,
            shares=None if shares is None else ConnectionShares(shares),
            on_gone=partial(self._engine.expire, is_gone=True),
        )
        self._radius = (
            None if radius is None else RadiusWorker(radius, settings, prepared, self._engine, clock)
        )
        self._notices = PeerNotices(
            notice_opener(address),
            channel.stem,
            self._notice_handlers(),
        )
        self._origin_state = OriginState(
            prepared.meta.origin_state_id,
            advance=partial(advance_origin_state, address, clock),
            use=self._use_origin_state,
            publish=self._notices.publish,
        )
        read = partial(look, address, clock)
        self._catalogue_watch = CatalogueWatch(tariffs.current, clock, read=read, use=self._use_catalogue)

    def request_stop(self) -> None:
        """Take leave of every peer, answer what is in flight, end; before it serves, just end."""
        self._starting.cancel()
        self._server.request_stop()
        if self._radius is not None:
            self._radius.request_stop()

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
            nursery.start_soon(self._catalogue_watch.run)
            if self._replica_watch is not None:
                nursery.start_soon(self._replica_watch.run)
            add_process_metrics(self._channel.stem)
            collect_seldom()
            async with trio.open_nursery() as serving:
                await serving.start(self._server.serve, self._listeners)
                if self._radius is not None:
                    nursery.start_soon(self._radius.run)
                    await serving.start(self._radius.serve)
                # From here on questions are ours: a worker that is replaced by this one answers them until now.
                await nursery.start(serve_worker_channel, self._channel, self._answers())
                ready()
            with trio.move_on_after(limits.DRAIN_TIMEOUT_S):
                while self._engine.in_flight:  # noqa: ASYNC110 - seconds at most, and only when stopping
                    await trio.sleep(0.01)
            if self._radius is not None:
                self._radius.close()
            nursery.cancel_scope.cancel()

    def _notice_handlers(self) -> dict[str, Callable[[Notice], int]]:
        return {
            DISCONNECT_PEER: self._disconnect_peer,
            ORIGIN_STATE: self._hear_origin_state,
            CATALOGUE_PUBLISHED: self._hear_catalogue,
            FIND_ROUTE: self._rank_route,
            SESSION_DEMANDS: self._take_demands,
        }

    def _answers(self) -> dict[str, Callable[[], Any]]:
        return {
            "metrics": REGISTRY.snapshot,
            "peers": self._server.peers,
            "health": self._health,
        }

    def _health(self) -> dict[str, Any]:
        return {
            "store": not self._store.trouble,
            "store_fault": self._store.trouble,
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

    def _hear_catalogue(self, notice: Notice) -> int:
        return self._catalogue_watch.hear(notice)

    def _use_catalogue(self, catalogue: Catalogue) -> None:
        # Between two groups of requests: a group is decided without a pause.
        self._engine.tariffs = self._engine.tariffs.switched_to(catalogue)

    def _rank_route(self, notice: Notice) -> int:
        if self._radius is not None and is_radius(notice.origin_host):
            return self._radius.rank(notice.origin_host)
        return self._server.demands.rank(notice.origin_host)

    def _take_demands(self, notice: Notice) -> int:
        try:
            demands = _decode_demands(notice.body)
        except msgspec.DecodeError:
            return 0  # of a release with other demands
        if self._radius is not None and is_radius(notice.origin_host):
            return self._radius.submit(demands)
        return self._server.demands.submit(demands)

    def _disconnect_peer(self, notice: Notice) -> int:
        try:
            cause = msgspec.msgpack.decode(notice.body, type=DisconnectCause)
        except msgspec.DecodeError:
            return 0  # of a release with other causes
        return self._server.disconnect_peer(notice.origin_host, cause)


def _identity(settings: Settings, meta: StoreMeta, listeners: Sequence[Listener]) -> NodeIdentity:
    """What all messages of this worker say of it."""
    diameter = settings.diameter
    return NodeIdentity(
        diameter.origin_host,
        diameter.origin_realm,
        diameter.product_name,
        meta.origin_state_id,
        tuple(_host_of(listener) for listener in listeners),
    )


def _host_of(listener: Listener) -> str:
    return str(listener.socket.getsockname()[0])
