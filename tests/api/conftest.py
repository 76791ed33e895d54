"""A reader and workers as the HTTP side sees them, without a store."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from ocs.api.reader import CursorError, Page, ReaderUnavailableError
from ocs.balance.model import (
    Account,
    Bucket,
    LifecycleState,
    RememberedAnswer,
    Session,
    SessionService,
    SessionState,
)
from ocs.messages import NO_CONTEXT, Service
from ocs.metrics import Counter, Histogram, Registry
from ocs.units import UnitType
from ocs.worker_channel import WorkerChannel, serve_worker_channel


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
