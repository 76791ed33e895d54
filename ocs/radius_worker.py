"""RADIUS in one charging worker: the server, and what it needs of the store and of other processes."""

from collections import OrderedDict
from collections.abc import Iterable
from functools import partial
from typing import Any, Final, NamedTuple, Self

import redis
import structlog
import trio

from ocs.balance import keys
from ocs.balance.client import BalanceClient
from ocs.balance.model import SessionState, decode_session
from ocs.balance.store_admin import connect
from ocs.charging.engine import Engine
from ocs.clock import Clock
from ocs.diameter_gy.session_demand import DemandKind, SessionDemand
from ocs.limits import EXPIRIES_PER_SWEEP, RADIUS_RESTARTS_WAITING_MAX, SWEEP_INTERVAL_S
from ocs.radius.server import RadiusServer, RadiusSockets
from ocs.radius.session_name import ORIGIN_PREFIX, sessions_pattern
from ocs.settings import Settings, resolve_path
from ocs.store_setup import PreparedStore

log = structlog.get_logger()

_PAGE: Final = 1_000


class RadiusWorker:
    """Serves RADIUS and ends the sessions of access servers that began anew.

    Args:
        sockets: bound; shared with the other workers.
    """

    def __init__(
        self,
        sockets: RadiusSockets,
        settings: Settings,
        prepared: PreparedStore,
        engine: Engine,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._prepared = prepared
        self._restarts: OrderedDict[str, int] = OrderedDict()
        self._wake = trio.Event()
        self._server = RadiusServer(
            sockets,
            settings.radius,
            engine,
            clock,
            resolve=partial(resolve_path, settings),
            on_nas_restarted=self._nas_restarted,
        )
        self.request_stop = self._server.request_stop
        self.serve = self._server.serve
        self.close = self._server.close

    async def run(self) -> None:
        """End sessions of servers that began anew, for ever. Cancelled, those left end with their supervision."""
        while True:
            while self._restarts:
                origin_host, before_ms = self._restarts.popitem(last=False)
                await self._end_sessions(origin_host, before_ms)
            await self._wake.wait()
            self._wake = trio.Event()

    # --- Demands ----------------------------------------------------------------------------------------

    def rank(self, origin_host: str) -> int:
        """How well this worker reaches a gateway: every worker reaches each RADIUS server, and nobody else does."""
        return int(is_radius(origin_host))

    def submit(self, demands: Iterable[SessionDemand]) -> int:
        """Take demands on; returns how many are followed.

        A session that is to be re-authorised waits for its next report, which brings it a new quota: access servers
        cannot be asked for one (RFC 5176 section 3.2, Authorize-Only, is hardly implemented).
        """
        return sum(
            demand.kind is DemandKind.REAUTHORISE or self._server.end_session(demand.session_id)
            for demand in demands
        )

    # --- Servers that began anew ------------------------------------------------------------------------

    def _nas_restarted(self, origin_host: str, before_ms: int) -> None:
        if len(self._restarts) < RADIUS_RESTARTS_WAITING_MAX:
            self._restarts[origin_host] = before_ms
            self._wake.set()

    async def _end_sessions(self, origin_host: str, before_ms: int) -> None:
        read = partial(self._read_sessions, origin_host, before_ms)
        try:
            sessions = await trio.to_thread.run_sync(read, abandon_on_cancel=True)
        except redis.RedisError as error:
            log.warning(
                "radius_sessions_not_read",
                origin_host=origin_host,
                reason=str(error),
                remedy="none: they end with their supervision",
            )
            return
        log.info("radius_server_restarted", origin_host=origin_host, sessions=len(sessions))
        for first in range(0, len(sessions), EXPIRIES_PER_SWEEP):
            for session in sessions[first : first + EXPIRIES_PER_SWEEP]:
                self._engine.expire(session.account_id, session.session_id, is_gone=True)
            await trio.sleep(SWEEP_INTERVAL_S)

    def _read_sessions(self, origin_host: str, before_ms: int) -> list["_Ended"]:
        """Open sessions of a server that are older than its restart; blocks."""
        meta = self._prepared.meta
        connection = connect(self._prepared.address)
        try:
            client = BalanceClient(connection, partitions=meta.partitions)
            found: list[_Ended] = []
            for partition in range(meta.partitions):
                found += _Ended.of_partition(client, partition, origin_host, before_ms)
            return found
        finally:
            connection.close()


class _Ended(NamedTuple):
    account_id: str
    session_id: str

    @classmethod
    def of_partition(
        cls, client: BalanceClient, partition: int, origin_host: str, before_ms: int
    ) -> list[Self]:
        store: Any = client.connection
        pattern = f"*\n{sessions_pattern(origin_host)}"
        listed = store.zscan_iter(keys.open_sessions_key(partition), match=pattern, count=_PAGE)
        names = [keys.parse_deadline_member(member.decode(errors="replace")) for member, _ in listed]
        found: list[Self] = []
        for first in range(0, len(names), _PAGE):
            page = names[first : first + _PAGE]
            values = client.load(tuple(keys.session_key(partition, *name) for name in page))
            for name, stored in zip(page, values, strict=True):
                if stored.content:
                    session = decode_session(stored.content)
                    if session.state is SessionState.OPEN and session.opened_ms < before_ms:
                        found.append(cls(*name))
        return found


def is_radius(origin_host: str) -> bool:
    """Whether a gateway is an access server that speaks RADIUS."""
    return origin_host.startswith(ORIGIN_PREFIX)
