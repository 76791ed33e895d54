"""A store that was emptied or replaced: nothing it says of what is absent is believed; against real servers."""

from pathlib import Path
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from ocs import limits
from ocs.balance.keys import META, account_key
from ocs.balance.redis_connection import StoreError
from ocs.balance.redis_store import RedisStore
from ocs.balance.store import ABSENT, COMMITTED, NOTHING, Unavailable
from ocs.balance.store_admin import StoreMeta, connect, read_meta
from ocs.balance.store_identity import _LOST, StoreIdentity
from tests.support.calls import ask, commit, load, look_of, open_store, set_up, until, write_of
from tests.support.store_servers import Server, single

META_OF_TESTS = StoreMeta(schema_version=1, partitions=64, origin_state_id=1, created_s=1)


def lost() -> float:
    return next(sample.value for sample in _LOST.family().samples)


# --- What it makes of a reply -----------------------------------------------------------------------------


def test_store_that_we_know_tells_its_origin_state_id():
    told: list[int] = []
    identity = StoreIdentity(META_OF_TESTS, told.append)
    assert identity.take([b"1", b"7", None]) is None
    assert told == [7] and identity.fault == ""


@pytest.mark.parametrize(
    ("reply", "event"), [([None, None, None], "store_is_empty"), ([b"2", b"7", None], "store_is_another")]
)
def test_other_store_is_told_once_and_so_is_its_end(reply: list[bytes | None], event: str):
    told: list[int] = []
    identity = StoreIdentity(META_OF_TESTS, told.append)
    with capture_logs() as lines:
        for _ in range(3):
            assert identity.take(reply) == Unavailable(identity.fault)
        assert identity.fault and told == []
        assert identity.take([b"1", b"7", None]) is None
    assert identity.fault == "" and told == [7]
    assert [line["event"] for line in lines] == [event, "store_identity_found"]
    assert lines[0]["reason"] and lines[0]["remedy"]


@pytest.mark.parametrize("reply", [Unavailable("away"), StoreError("LOADING")])
def test_answer_that_did_not_come_proves_nothing(reply: Any):
    identity = StoreIdentity(META_OF_TESTS, lambda _: None)
    refusal = identity.take(reply)
    assert isinstance(refusal, Unavailable) and identity.fault == ""


# --- What charging hears ----------------------------------------------------------------------------------


async def opened(server: Server, nursery: trio.Nursery, states: list[int] | None = None) -> RedisStore:
    set_up(server.url)
    adopt = (lambda _: None) if states is None else states.append
    store = open_store(server.url, identity=StoreIdentity(META_OF_TESTS, adopt))
    await nursery.start(store.run)
    return store


async def test_what_is_absent_from_our_own_store_is_absent(tmp_path: Path, nursery: trio.Nursery):
    with single(tmp_path) as server, trio.fail_after(60):
        store = await opened(server, nursery)
        assert await ask(store.read_hint, "d:e164:1") is None
        assert await load(store, 3) == NOTHING
        assert await ask(store.due, 3, 1, 1) == ()
        assert await commit(store, write_of(3, b"one")) == COMMITTED
        assert store.is_connected and store.fault == ""
        nursery.cancel_scope.cancel()


async def test_emptied_store_says_of_nobody_that_he_is_unknown(tmp_path: Path, nursery: trio.Nursery):
    with single(tmp_path) as server, trio.fail_after(60), capture_logs() as lines:
        store = await opened(server, nursery)
        change = write_of(3, b"one")
        assert await commit(store, change) == COMMITTED
        server.admin.flushall()
        # Nobody has looked since: the first who finds nothing must be told so already.
        for answer in (
            await ask(store.read_hint, "d:e164:1"),
            await ask(store.load, (account_key(3, "a"),)),
            await ask(store.load, (account_key(3, "a"), account_key(3, "b"))),
        ):
            assert answer == Unavailable("the store is empty")
        assert isinstance(await commit(store, look_of(3, change.token)), Unavailable)
        assert not store.is_connected and lost() == 1
        store.write_hint("l:session", b"x", 1_000)
        assert isinstance(await ask(store.heartbeat), Unavailable)
        assert server.admin.dbsize() == 0
        set_up(server.url)  # as a restored backup has it
        await until(lambda: store.is_connected)
        assert lost() == 0 and await load(store, 3) == NOTHING
        nursery.cancel_scope.cancel()
    assert [line["event"] for line in lines if "empty" in line["event"]] == ["store_is_empty"]


async def test_emptied_store_is_noticed_without_a_call(
    tmp_path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "STORE_IDENTITY_INTERVAL_S", 0.01)
    with single(tmp_path) as server, trio.fail_after(60):
        store = await opened(server, nursery)
        server.admin.flushall()
        await until(lambda: store.fault)
        nursery.cancel_scope.cancel()


async def test_server_that_comes_back_empty_gets_no_functions_and_no_writes(
    tmp_path: Path, nursery: trio.Nursery
):
    with single(tmp_path) as server, trio.fail_after(60):
        store = await opened(server, nursery)
        assert await commit(store, write_of(3, b"one")) == COMMITTED
        server.kill()
        for file in (server.folder / "appendonlydir").iterdir():
            file.unlink()
        server.start()
        await until(lambda: store.fault)
        assert isinstance(await commit(store, write_of(4, b"two", ABSENT)), Unavailable)
        assert server.admin.dbsize() == 0
        nursery.cancel_scope.cancel()


async def test_origin_state_id_that_rose_in_the_store_is_heard(
    tmp_path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "STORE_IDENTITY_INTERVAL_S", 0.01)
    states: list[int] = []
    with single(tmp_path) as server, trio.fail_after(60):
        await opened(server, nursery, states)
        await until(lambda: states)
        server.admin.hset(META, "origin_state_id", 9)
        await until(lambda: states[-1] == 9)
        client = connect(server.url)
        assert read_meta(client) == StoreMeta(1, 64, 9, 1)
        client.close()
        nursery.cancel_scope.cancel()
