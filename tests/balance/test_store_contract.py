"""One suite for every store: in memory, Valkey, Debian's Redis, a cluster."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from ocs import limits
from ocs.balance.client import BalanceClient
from ocs.balance.keys import (
    CLOCK,
    account_key,
    agenda_key,
    deadline_member,
    deadlines_key,
    events_key,
    open_sessions_key,
    session_key,
)
from ocs.balance.memory_store import MemoryStore
from ocs.balance.redis_store import RedisStore
from ocs.balance.redis_stream import StoreServers
from ocs.balance.store import (
    ABSENT,
    COMMITTED,
    NOTHING,
    TOO_EARLY,
    BalanceStore,
    Commit,
    CommitResult,
    Conflict,
    DeadlineChange,
    Heartbeat,
    Stored,
    TokenSource,
    Unavailable,
    Write,
)
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import connect
from ocs.clock import ManualClock
from ocs.store_url import Endpoint
from tests.support.calls import PARTITIONS, ask, open_store, set_up, until
from tests.support.store_servers import Cluster, Server, cluster, debian_redis, single, slot_of

PARTITION = 3
A, B, S = account_key(PARTITION, "a"), account_key(PARTITION, "b"), session_key(PARTITION, "a", "s")


class Place:
    """A store that is set up: one server, or the nodes of a cluster."""

    def __init__(self, url: str, servers: Sequence[Server], cluster: Cluster | None = None) -> None:
        self.url = url
        self.servers = servers
        self._cluster = cluster
        set_up(url)

    @property
    def server(self) -> Server:
        (server,) = self.servers
        return server

    def holder(self, key: str) -> Any:
        """A client of the server that holds a key."""
        return (self.servers[0] if self._cluster is None else self._cluster.owner(slot_of(key))).admin

    def empty(self) -> None:
        for server in self.servers:
            server.admin.flushall()
        set_up(self.url)


@pytest.fixture(scope="session")
def place_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Place]]:
    """The session's one store of a kind, started when it is first wanted."""
    places: dict[str, Place] = {}
    with contextlib.ExitStack() as stack:

        def start(kind: str) -> Place:
            folder = tmp_path_factory.mktemp(kind)
            if kind == "cluster":
                nodes = stack.enter_context(cluster(folder, primaries=3))
                return Place(nodes.url, nodes.nodes, nodes)
            binary = debian_redis() if kind == "redis" else None
            if kind == "redis" and binary is None:
                pytest.skip("redis-server is not installed")
            server = stack.enter_context(single(folder, binary=binary))
            return Place(server.url, [server])

        def get(kind: str) -> Place:
            if kind not in places:
                places[kind] = start(kind)
            places[kind].empty()
            return places[kind]

        yield get


@pytest.fixture(params=["valkey", "redis"])
def place(request: pytest.FixtureRequest, place_of: Callable[[str], Place]) -> Place:
    return place_of(request.param)


@pytest.fixture
def server(place: Place) -> Server:
    return place.server


class Asker:
    """Turns the store's callbacks into awaits."""

    def __init__(self, store: BalanceStore, step: Callable[[], Any], sees: "Sees") -> None:
        self.store = store
        self._step = step
        self.sees = sees
        self.tokens = TokenSource()

    async def ask(self, call: Callable[..., None], *arguments: Any) -> Any:
        return await ask(call, *arguments, step=self._step)

    async def commit(self, keys: tuple[str, ...], expected: tuple[bytes, ...], **more: Any) -> CommitResult:
        commit = Commit(PARTITION, keys, expected, more.pop("token", None) or self.tokens.next(), **more)
        return await self.ask(self.store.commit, commit)

    async def load(self, *keys: str) -> tuple[Stored, ...]:
        return await self.ask(self.store.load, keys)

    async def heartbeat(self) -> Heartbeat:
        return await self.ask(self.store.heartbeat)


class Sees:
    """What stands in a store, seen past its port."""

    def __init__(
        self,
        events: Callable[[], list[bytes]],
        ttl_ms: Callable[[str], int],
        set_last_beat: Callable[[int], None],
        open_sessions: Callable[[], list[str]],
        agenda: Callable[[], dict[str, int]],
    ) -> None:
        self.events, self.ttl_ms, self.set_last_beat = events, ttl_ms, set_last_beat
        self.open_sessions, self.agenda = open_sessions, agenda


def _memory() -> Asker:
    clock = ManualClock(int(time.time() * 1000))
    store = MemoryStore(clock)

    def ttl_ms(key: str) -> int:
        return store.expires_ms[key] - clock.now_ms() if key in store.expires_ms else -1

    def set_last_beat(ago_ms: int) -> None:
        store._last_beat_ms = clock.now_ms() - ago_ms

    def open_sessions() -> list[str]:
        return sorted(store.deadlines.get(PARTITION, {}))

    def agenda() -> dict[str, int]:
        return dict(store.agenda.get(PARTITION, {}))

    sees = Sees(lambda: store.events.get(PARTITION, []), ttl_ms, set_last_beat, open_sessions, agenda)
    return Asker(store, store.step, sees)


def _sees_redis(place: Place) -> Sees:
    def set_last_beat(ago_ms: int) -> None:
        admin = place.holder(CLOCK)
        seconds, micros = admin.time()
        admin.hset(CLOCK, "last", seconds * 1000 + micros // 1000 - ago_ms)

    def events() -> list[bytes]:
        key = events_key(PARTITION)
        return [fields[b"e"] for _, fields in place.holder(key).xrange(key)]

    def open_sessions() -> list[str]:
        key = open_sessions_key(PARTITION)
        return [member.decode() for member in place.holder(key).zrange(key, 0, -1)]

    def agenda() -> dict[str, int]:
        key = agenda_key(PARTITION)
        return {m.decode(): int(s) for m, s in place.holder(key).zrange(key, 0, -1, withscores=True)}

    return Sees(events, lambda key: place.holder(key).pttl(key), set_last_beat, open_sessions, agenda)


@pytest.fixture(params=["memory", "valkey", "redis", "cluster"])
async def asker(
    request: pytest.FixtureRequest, place_of: Callable[[str], Place], nursery: trio.Nursery
) -> AsyncIterator[Asker]:
    if request.param == "memory":
        yield _memory()
        return
    place = place_of(request.param)
    store = open_store(place.url)
    await nursery.start(store.run)
    yield Asker(store, lambda: None, _sees_redis(place))
    nursery.cancel_scope.cancel()


# --- Commits ----------------------------------------------------------------------------------------------


async def test_value_is_written_under_the_commits_token(asker: Asker):
    token = asker.tokens.next()
    assert await asker.commit((A,), (ABSENT,), token=token, writes=(Write(0, b"one"),)) == COMMITTED
    assert await asker.load(A, B) == (Stored(token, b"one"), NOTHING)


async def test_values_are_any_octets(asker: Asker):
    token = b"\x00\r\n\xff" * 3
    content = bytes(range(256)) * 5
    assert await asker.commit((A,), (ABSENT,), token=token, writes=(Write(0, content),)) == COMMITTED
    assert await asker.load(A) == (Stored(token, content),)
    assert await asker.commit((A,), (token,), writes=(Write(0, b""),)) == COMMITTED
    assert (await asker.load(A))[0].content == b""


@pytest.mark.parametrize("expected", [ABSENT, b"x" * 12])
async def test_conflict_returns_what_stands_and_writes_nothing(asker: Asker, expected: bytes):
    token = asker.tokens.next()
    await asker.commit((A,), (ABSENT,), token=token, writes=(Write(0, b"one"),), events=(b"e1",))
    result = await asker.commit(
        (A, S),
        (expected, ABSENT),
        writes=(Write(0, b"two"), Write(1, b"session")),
        events=(b"e2",),
        deadlines=(DeadlineChange("m", 5),),
    )
    assert result == Conflict((Stored(token, b"one"), NOTHING))
    assert await asker.load(A, S) == (Stored(token, b"one"), NOTHING)
    assert asker.sees.events() == [b"e1"]
    assert await asker.ask(asker.store.due, PARTITION, 10, 10) == ()


async def test_every_value_that_was_read_counts_also_those_that_are_not_written(asker: Asker):
    first, second = asker.tokens.next(), asker.tokens.next()
    await asker.commit((A, B), (ABSENT, ABSENT), token=first, writes=(Write(0, b"a"), Write(1, b"b")))
    await asker.commit((B,), (first,), token=second, writes=(Write(0, b"b2"),))
    result = await asker.commit((A, B), (first, first), writes=(Write(0, b"a2"),))
    assert result == Conflict((Stored(first, b"a"), Stored(second, b"b2")))


async def test_commit_without_writes_checks_that_all_still_stands(asker: Asker):
    token = asker.tokens.next()
    await asker.commit((A,), (ABSENT,), token=token, writes=(Write(0, b"a"),))
    assert await asker.commit((A, S), (token, ABSENT)) == COMMITTED
    assert await asker.commit((A, S), (ABSENT, ABSENT)) == Conflict((Stored(token, b"a"), NOTHING))


async def test_events_keep_the_order_of_their_commits(asker: Asker):
    token, expected = b"", ABSENT
    for number in range(3):
        token = asker.tokens.next()
        events = (f"{number}.0".encode(), f"{number}.1".encode())
        await asker.commit((A,), (expected,), token=token, writes=(Write(0, b"a"),), events=events)
        expected = token
    assert asker.sees.events() == [b"0.0", b"0.1", b"1.0", b"1.1", b"2.0", b"2.1"]


async def test_memory_of_a_closed_session_lives_for_its_time_and_an_open_one_for_ever(asker: Asker):
    token = asker.tokens.next()
    await asker.commit(
        (A, S), (ABSENT, ABSENT), token=token, writes=(Write(0, b"a"), Write(1, b"closed", 60_000))
    )
    assert asker.sees.ttl_ms(A) == -1
    assert 0 < asker.sees.ttl_ms(S) <= 60_000
    await asker.commit((S,), (token,), writes=(Write(0, b"open"),))
    assert asker.sees.ttl_ms(S) == -1


async def test_value_whose_time_has_come_is_absent(asker: Asker):
    await asker.commit((S,), (ABSENT,), writes=(Write(0, b"closed", 1),))
    if isinstance(asker.store, MemoryStore):
        asker.store._clock.advance_ms(1)  # type: ignore[attr-defined]
    while (await asker.load(S)) != (NOTHING,):
        await trio.sleep(0.001)
    assert await asker.commit((S,), (ABSENT,), writes=(Write(0, b"new"),)) == COMMITTED


async def test_commit_that_is_too_early_writes_nothing(asker: Asker):
    now_ms = (await asker.heartbeat()).store_ms
    more: dict[str, Any] = {
        "writes": (Write(0, b"a"),),
        "events": (b"e",),
        "deadlines": (DeadlineChange("m", 1),),
    }
    assert await asker.commit((A,), (ABSENT,), not_before_ms=now_ms + 60_000, **more) == TOO_EARLY
    assert await asker.load(A) == (NOTHING,) and asker.sees.events() == []
    assert await asker.ask(asker.store.due, PARTITION, 10, 10) == ()
    assert await asker.commit((A,), (ABSENT,), not_before_ms=now_ms - 60_000, **more) == COMMITTED


async def test_large_commit_is_one_commit(asker: Asker):
    keys = (A, *(session_key(PARTITION, "a", str(index)) for index in range(limits.REQUESTS_PER_COMMIT_MAX)))
    writes = tuple(Write(index, b"x" * 300, index % 2 * 1000) for index in range(len(keys)))
    events = tuple(b"%d" % index for index in range(500))
    deadlines = tuple(DeadlineChange(f"m{index}", index) for index in range(200))
    result = await asker.commit(
        keys, (ABSENT,) * len(keys), writes=writes, events=events, deadlines=deadlines
    )
    assert result == COMMITTED
    assert len(asker.sees.events()) == 500
    assert all(stored.content for stored in await asker.load(*keys[:3]))


# --- Deadlines --------------------------------------------------------------------------------------------


async def test_due_lists_members_whose_time_has_come_oldest_first(asker: Asker):
    changes = tuple(
        DeadlineChange(deadline_member("a", f"s;{score}"), score)
        for score in (1_800_000_000_300, 100, 200, 9)
    )
    await asker.commit((A,), (ABSENT,), deadlines=changes)
    due = partial(asker.ask, asker.store.due, PARTITION)
    assert await due(200, 10) == tuple(deadline_member("a", f"s;{score}") for score in (9, 100, 200))
    assert len(await due(200, 2)) == 2
    assert len(await due(1_800_000_000_300, 10)) == 4
    assert await asker.ask(asker.store.due, PARTITION + 1, 10**15, 10) == ()


async def test_deadline_can_be_moved_and_removed(asker: Asker):
    await asker.commit((A,), (ABSENT,), deadlines=(DeadlineChange("m", 100), DeadlineChange("n", 100)))
    await asker.commit((A,), (ABSENT,), deadlines=(DeadlineChange("m", 500), DeadlineChange("n", None)))
    due = partial(asker.ask, asker.store.due, PARTITION)
    assert await due(100, 10) == ()
    assert await due(500, 10) == ("m",)


async def test_sessions_with_a_deadline_are_listed_by_account_and_ended_ones_are_not(asker: Asker):
    members = [deadline_member(account, session) for account in ("a", "a2", "b") for session in ("s1", "s2")]
    opened = tuple(DeadlineChange(member, 5) for member in members)
    await asker.commit((A,), (ABSENT,), deadlines=opened)
    assert asker.sees.open_sessions() == sorted(members)
    await asker.commit(
        (A,), (ABSENT,), deadlines=(DeadlineChange(members[1], None), DeadlineChange(members[0], 9))
    )
    assert asker.sees.open_sessions() == sorted({*members} - {members[1]})


async def test_agenda_changes_with_its_commit_and_not_without_it(asker: Asker):
    token = asker.tokens.next()
    lines = (DeadlineChange("a\nx", 1_800_000_000_300), DeadlineChange("t\nx\nr", 5))
    deadlines = (DeadlineChange("m", 7), DeadlineChange("n", 8))
    await asker.commit(
        (A,), (ABSENT,), token=token, writes=(Write(0, b"a"),), deadlines=deadlines, agenda=lines
    )
    assert asker.sees.agenda() == {"a\nx": 1_800_000_000_300, "t\nx\nr": 5}
    assert await asker.ask(asker.store.due, PARTITION, 100, 10) == ("m", "n")
    change = (DeadlineChange("a\nx", 9), DeadlineChange("t\nx\nr", None))
    assert isinstance(await asker.commit((A,), (ABSENT,), agenda=change), Conflict)
    assert len(asker.sees.agenda()) == 2
    await asker.commit((A,), (token,), agenda=change)
    assert asker.sees.agenda() == {"a\nx": 9}


# --- Hints and heartbeats ---------------------------------------------------------------------------------


async def test_hint_is_read_back(asker: Asker):
    assert await asker.ask(asker.store.read_hint, "d:e164:1") is None
    asker.store.write_hint("d:e164:1", b"a\nanna", 60_000)
    asker._step()
    assert await asker.ask(asker.store.read_hint, "d:e164:1") == b"a\nanna"
    asker.store.write_hint("d:e164:1", b"b\nanna", 0)
    asker._step()
    assert await asker.ask(asker.store.read_hint, "d:e164:1") == b"b\nanna"


async def test_first_heartbeat_knows_of_no_outage(asker: Asker):
    assert (await asker.heartbeat()).outage_ms == 0
    assert (await asker.heartbeat()).outage_ms == 0


async def test_silence_of_all_workers_is_an_outage_of_its_length(asker: Asker):
    await asker.heartbeat()
    asker.sees.set_last_beat(limits.OUTAGE_THRESHOLD_MS - 2000)
    assert (await asker.heartbeat()).outage_ms == 0
    asker.sees.set_last_beat(3_600_000)
    outage_ms = (await asker.heartbeat()).outage_ms
    assert 3_600_000 <= outage_ms < 3_620_000
    asker.sees.set_last_beat(60_000)
    assert outage_ms + 60_000 <= (await asker.heartbeat()).outage_ms < outage_ms + 80_000


async def test_heartbeat_never_moves_the_stores_clock_back(asker: Asker):
    await asker.heartbeat()
    asker.sees.set_last_beat(-60_000)  # another worker's beat, told by a clock that was set back since
    assert (await asker.heartbeat()).outage_ms == 0
    assert (await asker.heartbeat()).outage_ms == 0


async def test_calls_of_one_partition_are_answered_in_their_order(asker: Asker):
    order: list[int] = []
    finished = trio.Event()
    for number in range(50):
        if number % 2:
            asker.store.load((A,), lambda _, n=number: order.append(n))
        else:
            asker.store.due(PARTITION, 1, 1, lambda _, n=number: order.append(n))
    asker.store.load((A,), lambda _: finished.set())
    for _ in range(51):
        asker._step()
    await finished.wait()
    assert order == list(range(50))


# --- A server that fails ----------------------------------------------------------------------------------


class Failing(Asker):
    """An asker whose connections are counted."""

    connections = 0

    async def lose_connection(self, server: Server) -> None:
        before = self.connections
        await trio.to_thread.run_sync(partial(server.admin.client_kill_filter, _type="normal", skipme=True))
        await until(lambda: self.connections > before and self.is_connected)

    @property
    def is_connected(self) -> bool:
        assert isinstance(self.store, RedisStore)
        return self.store.is_connected


@pytest.fixture
async def failing(place: Place, nursery: trio.Nursery) -> AsyncIterator[Failing]:
    class Counted(StoreServers):
        async def connect(self, endpoint: Endpoint) -> trio.abc.Stream:
            stream = await super().connect(endpoint)
            asker.connections += 1
            return stream

    store = RedisStore(Counted(plain_address(place.url)), partitions=PARTITIONS)
    asker = Failing(store, lambda: None, _sees_redis(place))
    await nursery.start(store.run)
    yield asker
    nursery.cancel_scope.cancel()


async def test_killed_store_leaves_calls_unknown_and_acknowledged_commits_in_place(
    failing: Failing, server: Server
):
    store = failing.store
    assert isinstance(store, RedisStore)
    token = failing.tokens.next()
    assert (
        await failing.commit((A,), (ABSENT,), token=token, writes=(Write(0, b"a"),), events=(b"e",))
        == COMMITTED
    )
    server.pause()  # so that the next call is sent and never answered
    results: list[Any] = []
    store.commit(Commit(PARTITION, (A,), (token,), failing.tokens.next(), (Write(0, b"b"),)), results.append)
    await trio.testing.wait_all_tasks_blocked()
    server.kill()
    await until(lambda: results)
    assert isinstance(results[0], Unavailable)
    assert isinstance((await failing.load(A)), Unavailable)  # not connected: answered at once
    assert isinstance(await failing.ask(store.read_hint, "d:x"), Unavailable)
    assert isinstance(await failing.ask(store.due, PARTITION, 1, 1), Unavailable)
    assert isinstance(await failing.heartbeat(), Unavailable)
    await trio.to_thread.run_sync(server.start)
    await until(lambda: failing.is_connected)
    assert await failing.load(A) == (Stored(token, b"a"),)
    assert failing.sees.events() == [b"e"]


async def test_lost_connection_is_made_again(failing: Failing, server: Server):
    await failing.lose_connection(server)
    assert await failing.load(A) == (NOTHING,)


async def test_error_reply_is_an_unknown_outcome(failing: Failing, server: Server):
    server.admin.set(A, "x" * 20)
    server.admin.lpush(events_key(PARTITION), "not a stream")
    result = await failing.commit((B,), (ABSENT,), writes=(Write(0, b"b"),), events=(b"e",))
    assert isinstance(result, Unavailable) and "WRONGTYPE" in result.reason
    assert await failing.load(B) == (NOTHING,)  # no money moves without its event


async def test_deadline_that_cannot_be_written_leaves_the_commit_undone(failing: Failing, server: Server):
    server.admin.set(deadlines_key(PARTITION), "no sorted set")
    deadlines = (DeadlineChange("A\nS", 5),)
    result = await failing.commit(
        (B,), (ABSENT,), writes=(Write(0, b"b"),), events=(b"e",), deadlines=deadlines
    )
    assert isinstance(result, Unavailable)
    assert await failing.load(B) == (NOTHING,)
    assert server.admin.xlen(events_key(PARTITION)) == 0


async def test_store_that_stops_answering_is_given_up_after_its_time(
    failing: Failing, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "STORE_TIMEOUT_S", 0.1)
    await failing.lose_connection(server)  # the next connection goes by the new limit
    server.pause()
    try:
        assert isinstance(await failing.load(A), Unavailable)
    finally:
        server.resume()
    await until(lambda: failing.is_connected)


async def test_two_workers_race_and_one_of_them_wins(failing: Failing, server: Server):
    """The public client and a worker's connection go through the same door."""
    connection = connect(server.url)
    client = BalanceClient(connection, partitions=PARTITIONS)
    token = failing.tokens.next()
    await failing.commit((A,), (ABSENT,), token=token, writes=(Write(0, b"a"),))
    (seen,) = await trio.to_thread.run_sync(client.load, (A,))
    assert await failing.commit((A,), (token,), writes=(Write(0, b"b"),)) == COMMITTED
    assert isinstance(await failing.commit((A,), (seen.token,), writes=(Write(0, b"c"),)), Conflict)
    connection.close()
