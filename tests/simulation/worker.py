"""A charging worker: its clock, its connection to a store, its engine and its Diameter side; killed and started again."""

from collections.abc import Callable
from functools import partial
from itertools import count
from random import Random
from typing import Protocol

from ocs.balance.store import Commit, CommitResult, TokenSource
from ocs.charging.engine import Engine
from ocs.charging.supervisor import Supervisor
from ocs.charging.tariffs import Tariffs
from ocs.clock import ManualClock
from ocs.diameter_gy.request_service import CreditControlHandler
from ocs.log import RepeatLimiter
from ocs.messages import ChargingAnswer, ChargingRequest
from ocs.radius.clients import Clients
from ocs.radius.codes import Code
from ocs.radius.known_sessions import KnownSessions, Place
from ocs.radius.service import RadiusService
from ocs.settings import ChargingSettings
from tests.simulation.access_servers import SERVERS
from tests.simulation.operators import PARTITIONS
from tests.simulation.peers import Link, Node
from tests.simulation.replicated_store import StoreConnection
from tests.simulation.sites import Sites
from tests.simulation.story_catalogue import story_catalogue

Reply = Callable[[ChargingAnswer], None]


class RadiusSide(Protocol):
    """What is outside of a worker's RADIUS."""

    def submit(self, worker: "Worker", decoded: ChargingRequest, reply: Reply) -> None:
        """Charging is asked."""
        ...

    def hear_order(self, code: Code, session_id: str, attributes: bytes) -> bool:
        """An access server is ordered something."""
        ...

    def end_sessions(self, worker: "Worker", origin_host: str, before_ms: int) -> None:
        """An access server has begun anew."""
        ...


class GatewaySide(Protocol):
    """What is outside of a worker's Diameter."""

    def submit(self, worker: "Worker", decoded: ChargingRequest, reply: Reply) -> None:
        """Charging is asked."""
        ...

    def hear(self, host: str, octets: bytes) -> None:
        """An answer leaves for a gateway."""
        ...

    def hear_demand(self, link: Link, octets: bytes) -> None:
        """A gateway is asked something."""
        ...

    def is_gone(self, worker: "Worker", account_id: str, session_id: str) -> None:
        """A gateway has no such session."""
        ...


class WorkerClock:
    """A machine's wall clock: off by some time, which may change at any moment."""

    def __init__(self, true: ManualClock) -> None:
        self._true = true
        self.off_ms = 0

    def now_ms(self) -> int:
        return self._true.now_ms() + self.off_ms

    def steady_ms(self) -> int:
        return self._true.steady_ms()


class Worker:
    """One worker."""

    def __init__(
        self,
        random: Random,
        name: int,
        true: ManualClock,
        sites: Sites,
        settings: ChargingSettings,
        gateways: GatewaySide,
        radius: RadiusSide,
    ) -> None:
        self._random = random
        self.name = name
        self._settings = settings
        self._sites = sites
        self._gateways = gateways
        self._radius_side = radius
        self._lives = count(1)
        self.clock = WorkerClock(true)
        self.start()

    def start(self) -> None:
        self.connection = _Excusing(self._random, self._sites, self)
        self.engine = Engine(
            self.connection,
            Tariffs(story_catalogue()),
            self._settings,
            self.clock,
            partitions=PARTITIONS,
            tokens=self.new_tokens(),
        )
        self.node = Node(self._random, _Handler(self, self._gateways.submit), _Outside(self, self._gateways))
        self.radius = self._radius_service(self._radius_side)
        self.supervisor = Supervisor(self.engine, self.connection, self.clock, partitions=PARTITIONS)
        self.supervisor.sweep()  # as the real worker does: supervision time is known before anything is loaded

    def _radius_service(self, side: RadiusSide) -> RadiusService:
        clients = Clients(server.client for server in SERVERS)
        return RadiusService(
            clients,
            _Handler(self, side.submit),
            _Orders(side),
            KnownSessions(clients),
            self.clock,
            RepeatLimiter(ManualClock(0)),
            on_nas_restarted=partial(side.end_sessions, self),
            interim_interval_s=600,
        )

    def new_tokens(self) -> TokenSource:
        """Tokens that no other life of this worker makes."""
        return TokenSource(bytes([self.name]) + next(self._lives).to_bytes(6, "big"))

    def kill(self) -> None:
        self.connection.die()
        self.node.close()
        late, site = self.connection.late, self.connection.site
        self.start()
        self.connection.late = late
        self.connection.site = site if site.is_serving else self._sites.primary

    def behind_ms(self) -> int:
        """How far its idea of supervision time is behind the store's; deadlines that it sets are early by that."""
        site = self.connection.site
        store_ms = site.clock.now_ms() - site.data._outage_ms
        return max(0, store_ms - self.engine.supervision.at(self.clock.steady_ms()))

    def come_to_rest_without_store(self) -> None:
        """The store is out of reach for longer than anything waits for it."""
        self.connection.lose()
        while self.engine._pending:
            self.engine.run_group()
            self.connection.lose()


class _Handler(CreditControlHandler):
    def __init__(self, worker: Worker, submit: Callable[[Worker, ChargingRequest, Reply], None]) -> None:
        self._worker = worker
        self._submit = submit

    def submit(self, request: ChargingRequest, reply: Reply) -> None:
        self._submit(self._worker, request, reply)


class _Outside:
    """What a worker's Diameter side sees of the world."""

    def __init__(self, worker: Worker, gateways: GatewaySide) -> None:
        self.hear = gateways.hear
        self.hear_demand = gateways.hear_demand
        self.is_gone = partial(gateways.is_gone, worker)


class _Orders:
    """Orders to access servers, without datagrams."""

    def __init__(self, side: RadiusSide) -> None:
        self._side = side

    def submit(self, code: Code, session_id: str, place: Place, attributes: tuple[bytes, ...] = ()) -> bool:
        del place
        return self._side.hear_order(code, session_id, b"".join(attributes))


class _Excusing(StoreConnection):
    """Notes with each commit what its worker thought the time was."""

    def __init__(self, random: Random, sites: Sites, worker: Worker) -> None:
        super().__init__(random, sites)
        self._worker = worker

    def commit(self, commit: Commit, done: Callable[[CommitResult], None]) -> None:
        behind_ms = self._worker.behind_ms()
        if behind_ms:
            self._sites.excused_ms[commit.token] = behind_ms
        super().commit(commit, done)
