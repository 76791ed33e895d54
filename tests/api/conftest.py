"""A reader and workers as the HTTP side sees them, without a store."""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from ocs.api.access import AccessGuard
from ocs.api.alarms.office import AlarmSide
from ocs.api.gate import Gate
from ocs.api.parts import Parts, build_parts
from ocs.api.reader import CursorError, Page, StoreBalanceReader
from ocs.api.server import create_app
from ocs.api.threads import ReaderUnavailableError
from ocs.api.tmf.resources import date_time
from ocs.api.tmf.sql_side import SqlSide
from ocs.api.tokens import Scope, TokenStore, make_token
from ocs.api.views import CatalogueView
from ocs.balance.client import BalanceClient
from ocs.balance.model import (
    Account,
    Bucket,
    LifecycleState,
    RememberedAnswer,
    Session,
    SessionService,
    SessionState,
    Subscriber,
)
from ocs.balance.redis_stream import StoreServers
from ocs.balance.store_admin import connect, set_up_store
from ocs.balance.store_client import StoreClient
from ocs.clock import Clock, ManualClock
from ocs.events import ChargeEvent
from ocs.faults.history.question import HistoryQuery, HistoryRow
from ocs.faults.store.desk import AlarmDesk
from ocs.faults.store.desk_door import RedisDeskDoor
from ocs.faults.store.reader import AlarmReader
from ocs.faults.view.follower import AlarmFollower
from ocs.messages import NO_CONTEXT, Service
from ocs.metrics import Counter, Histogram, Registry
from ocs.provisioning.services.mobile_data import MobileData
from ocs.provisioning.services.planner import ServicePlanner
from ocs.rating import Catalogue
from ocs.settings import HttpSettings, VoucherSettings
from ocs.settings_checks import is_loopback
from ocs.sql import Database
from ocs.sql_error import SqlError
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.voucher_service import VoucherService
from ocs.units import UnitType
from ocs.worker_channel import WorkerChannel, serve_worker_channel
from tests.support.catalogue import lab_catalogue
from tests.support.charged_store import LIBRARY, NOW_MS, started_server
from tests.support.databases import database, empty_database, postgres_server
from tests.support.inventory import add_chain

PARTITIONS = 4

__all__ = ["database", "empty_database", "postgres_server"]


def account(account_id: str) -> Account:
    money = Bucket("money", UnitType.MONEY, 9_910_000, reserved=1_000_000)
    data = Bucket("data", UnitType.TOTAL_OCTETS, 5_000, 1_000, "data-5", 10, 1_000, 2_000)
    return Account(account_id, "EUR", LifecycleState.ACTIVE, 7, (money, data), (), 2_000_000)


def session(session_id: str) -> Session:
    return Session(
        session_id, "a1", "s1", SessionState.OPEN, Service.DATA, NO_CONTEXT, "pgw.example", "example", 1_000, 5_000,
        (SessionService(10, (), "v1", "offer/data", 100, 100, False, 2_000),), 90_000,
        (RememberedAnswer(1, 0, b"fingerprint", b"\x90"),),  # type: ignore[arg-type]
    )  # fmt: skip


class FakeReader:
    """Reads from two dictionaries, in order of their keys; a cursor is a position."""

    def __init__(self) -> None:
        self.accounts = {name: account(name) for name in ("a1", "a2", "a3")}
        self.sessions = {name: session(name) for name in ("gw;1;1", "gw;1;2;x/y")}
        self.error: Exception | None = None
        self.hangs = False

    async def _page(self, items: dict[str, Any], cursor: str, limit: int) -> Page[Any]:
        await self._fail()
        if cursor and not cursor.isdigit():
            raise CursorError(cursor)
        start = int(cursor or 0)
        end = start + limit
        return Page(tuple(items.values())[start:end], str(end) if end < len(items) else "")

    async def _fail(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.hangs:
            await trio.sleep_forever()
        if self.error is not None:
            raise self.error

    async def list_accounts(self, cursor: str, limit: int) -> Page[Account]:
        return await self._page(self.accounts, cursor, limit)

    async def list_sessions(self, cursor: str, limit: int) -> Page[Session]:
        return await self._page(self.sessions, cursor, limit)

    async def get_account(self, account_id: str) -> Account | None:
        await self._fail()
        return self.accounts.get(account_id)

    async def get_session(self, session_id: str) -> Session | None:
        await self._fail()
        return self.sessions.get(session_id)

    async def locate(self, identity: str) -> tuple[str, str] | None:
        await self._fail()
        return ("a1", "s1") if identity == "e164:491710000001" else None

    async def get_subscriber(self, account_id: str, subscriber_id: str) -> Subscriber | None:
        await self._fail()
        return Subscriber(
            subscriber_id, account_id, LifecycleState.ACTIVE, ("e164:491710000001",), ("basic",)
        )

    async def list_events(self, account_id: str, cursor: str, limit: int) -> Page[ChargeEvent]:
        await self._fail()
        return Page(())

    async def count_open_sessions(self) -> int:
        await self._fail()
        return len(self.sessions)

    def break_down(self) -> None:
        self.error = ReaderUnavailableError("redis://:hunter2@h refused")


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader()


def worker_answers(requests: int) -> dict[str, Callable[[], Any]]:
    """What a worker that has answered so many requests says of itself."""
    registry = Registry()
    counted = Counter("ocs_diameter_requests_total", "Requests.", ("request_type",), registry=registry)
    counted.inc("update", by=requests)
    outcomes = Counter("ocs_diameter_answers_total", "Answers.", ("outcome",), registry=registry)
    outcomes.inc("success", by=requests)
    latency = Histogram("ocs_diameter_answer_seconds", "Latency.", (0.001, 0.01), registry=registry)
    for _ in range(requests):
        latency.observe(0.005)
    connection = {"origin_host": "pgw.example", "product_name": "gw", "state": "open", "requests": requests}
    return {
        "metrics": registry.snapshot,
        "peers": lambda: [connection],
        "health": lambda: {"store": True, "requests": 0},
    }


@pytest.fixture
async def channels(tmp_path: Path, nursery: trio.Nursery) -> list[WorkerChannel]:
    """Two workers that answer on real sockets."""
    made = [WorkerChannel(f"worker-{number}", tmp_path / f"worker-{number}.sock") for number in range(2)]
    for number, channel in enumerate(made):
        await nursery.start(partial(serve_worker_channel, channel.path, worker_answers(number + 1)))
    return made


def found(*channels: WorkerChannel) -> Callable[[], Awaitable[Sequence[WorkerChannel]]]:
    """Finds these processes, as the HTTP process finds them in the data folder."""

    async def find_channels() -> Sequence[WorkerChannel]:
        await trio.lowlevel.checkpoint()
        return channels

    return find_channels


@pytest.fixture
def find():
    """Makes what finds processes."""
    return found


@pytest.fixture
def dead_worker(tmp_path: Path) -> WorkerChannel:
    return WorkerChannel("worker-9", tmp_path / "worker-9.sock")


# --- The application ---------------------------------------------------------------------------------------------

EVERYTHING = tuple(str(scope) for scope in Scope)


class FakeHash:
    """What tokens need of redis-py."""

    def __init__(self) -> None:
        self.fields: dict[str, bytes] = {}
        self.readings: list[tuple[str, ...]] = []

    def hlen(self, key: str) -> int:
        return len(self.fields)

    def hset(self, key: str, field: str, value: bytes) -> None:
        self.fields[field] = value

    def hmget(self, key: str, fields: list[str]) -> list[bytes | None]:
        self.readings.append(tuple(fields))
        return [self.fields.get(field) for field in fields]

    def hvals(self, key: str) -> list[bytes]:
        return list(self.fields.values())

    def hdel(self, key: str, field: str) -> int:
        return 0 if self.fields.pop(field, None) is None else 1


class FakeBackstage:
    """Services on a store, with the lab's catalogue or another."""

    def __init__(
        self,
        client: BalanceClient,
        clock: Clock,
        catalogue: Catalogue | None,
        alarms: AlarmSide,
        database: Any = None,
    ) -> None:
        self.alarms = alarms
        self.sql = SqlSide(lambda: database)
        self._client = client
        self._clock = clock
        self._catalogue = lab_catalogue() if catalogue is None else catalogue
        self.reauthorised: list[tuple[str, str]] = []

    def catalogue(self) -> Catalogue:
        return self._catalogue

    def service_planner(self) -> ServicePlanner:
        return ServicePlanner((MobileData(),), self._clock)

    def service(self) -> SubscriberService:
        return SubscriberService(self._client, self._catalogue, self._clock)

    def vouchers(self, *, may_create: bool = False) -> VoucherService:
        return VoucherService(self.service().office, "secret", VoucherSettings())

    def publications(self) -> tuple[CatalogueView, ...]:
        return (CatalogueView("v1", date_time(0), date_time(0), from_folder=True, in_force=True),)

    def reauthorise(self, *, session_id: str, account_id: str) -> int:
        self.reauthorised.append((session_id, account_id))
        return 1


@pytest.fixture
def token_hash() -> FakeHash:
    return FakeHash()


@pytest.fixture
def tokens(token_hash: FakeHash) -> TokenStore:
    return TokenStore(token_hash)


@pytest.fixture
def token(tokens: TokenStore) -> str:
    """The text of a token that may do everything."""
    made, text = make_token("tests", EVERYTHING, now_ms=0)
    tokens.add(made)
    return text


class NoHistory:
    """A history that was never written."""

    def find(self, query: HistoryQuery) -> list[HistoryRow]:
        raise SqlError("there is none")


def alarm_side(store: Any) -> AlarmSide:
    """The alarm list of a store; without one it is never loaded."""
    source: Any = None if store is None else AlarmReader(StoreServers(store.address))
    client: Any = store
    return AlarmSide(AlarmFollower(source), AlarmDesk(RedisDeskDoor(client)), NoHistory())


@pytest.fixture
def make_parts(tokens: TokenStore) -> Callable[..., Parts]:
    """Makes the application's parts, on a store where the test needs one."""

    def make(
        reader: Any,
        workers: Any,
        *,
        store: Any = None,
        client: Any = None,
        catalogue: Catalogue | None = None,
        database: Any = None,
        **settings: Any,
    ) -> Parts:
        clock = ManualClock(NOW_MS)
        built = build_parts(
            HttpSettings(**settings),
            reader,
            found(),
            store=store,
            client=client,
            backstage=FakeBackstage(client, clock, catalogue, alarm_side(store), database),
            clock=clock,
            registry=Registry(),
        )
        is_open = is_loopback(settings.get("host", "127.0.0.1")) and not settings.get("reads_need_token")
        guard = AccessGuard(tokens, clock, reads_are_open=is_open)
        background = () if store is None else built.background
        workers = built.workers if workers is None else workers
        return replace(built, workers=workers, guard=guard, background=background)

    return make


@pytest.fixture(scope="module")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A server for a file of tests."""
    with started_server(tmp_path_factory.mktemp("store")) as url:
        yield url


@pytest.fixture
def store(store_url: str) -> Generator[StoreClient]:
    """That server, emptied and set up."""
    with connect(store_url) as connection:
        connection.flushall()
        set_up_store(connection, partitions=PARTITIONS, now_s=1, library=LIBRARY)
        yield connection


@pytest.fixture
def balance(store: StoreClient) -> BalanceClient:
    return BalanceClient(store, partitions=PARTITIONS)


@pytest.fixture
async def api(make_parts, store: StoreClient, balance: BalanceClient, token: str):
    """A client with a token, of an application on a real store."""
    reader = StoreBalanceReader(store, partitions=PARTITIONS)
    parts = make_parts(reader, None, store=store, client=balance)
    async with connected(parts, token) as client:
        yield client


@pytest.fixture
async def network_api(make_parts, store: StoreClient, balance: BalanceClient, database: Database, token: str):
    """As ``api``, with an inventory that has a small network in it."""
    database.write_blocking(add_chain)
    reader = StoreBalanceReader(store, partitions=PARTITIONS)
    parts = make_parts(reader, None, store=store, client=balance, database=database)
    async with connected(parts, token) as client:
        yield client


@contextlib.asynccontextmanager
async def connected(parts: Parts, token: str = "") -> AsyncGenerator[httpx.AsyncClient]:
    """A client of an application, without a socket between."""
    app: Any = Gate(create_app(parts), parts.clock)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
        yield client


@pytest.fixture
def connect_to():
    """Makes a client of an application."""
    return connected
