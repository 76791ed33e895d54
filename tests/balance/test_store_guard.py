"""A server that is changed under us: what is switched off, replaced or lost is noticed, refused and told once."""

from pathlib import Path
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from ocs import limits
from ocs.balance.keys import META, home_key
from ocs.balance.redis_commands import commit_command
from ocs.balance.redis_store import RedisStore
from ocs.balance.store import COMMITTED, Unavailable
from ocs.balance.store_admin import LIBRARY_FIELD, StoreMeta, library_digest
from ocs.balance.store_guard import StoreGuard
from ocs.balance.store_identity import StoreIdentity
from ocs.metrics import REGISTRY
from tests.support.calls import LIBRARY, PARTITIONS, ask, commit, load, open_store, set_up, until, write_of
from tests.support.store_servers import Cluster, Server, cluster, single, slot_of

SAFE = [
    [
        b"maxmemory-policy",
        b"noeviction",
        b"appendonly",
        b"yes",
        b"appendfsync",
        b"always",
        b"no-appendfsync-on-rewrite",
        b"no",
    ],
    [[b"library_name", b"ocs", b"library_code", LIBRARY.encode()]],
    b"1",
]
OTHER_LIBRARY = LIBRARY + "\n-- of another release\n"


def guard(**more: Any) -> StoreGuard:
    made: dict[str, Any] = {"created_s": 1, "library": LIBRARY, "fsync": True, **more}
    return StoreGuard(**made)


def replies(configuration: tuple[bytes, bytes] | None = None, **more: Any) -> list[Any]:
    told = list(SAFE)
    if configuration is not None:
        name, value = configuration
        words: Any = list(SAFE[0])
        words[words.index(name) + 1] = value
        told[0] = words
    told[1] = more.get("functions", told[1])
    told[2] = more.get("home", told[2])
    return told


def unsafe() -> dict[tuple[str, ...], float]:
    families = {family.name: family for family in REGISTRY.snapshot().families}
    return {sample.labels: sample.value for sample in families["ocs_store_unsafe"].samples}


# --- What it makes of the answers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (replies(), ""),
        (replies()[:2], ""),  # a server without partitions
        (replies((b"appendfsync", b"everysec")), "appendfsync"),
        (replies((b"appendonly", b"no")), "appendonly"),
        (replies((b"maxmemory-policy", b"allkeys-lru")), "maxmemory-policy"),
        (replies((b"no-appendfsync-on-rewrite", b"yes")), "no-appendfsync-on-rewrite"),
        (replies(functions=[]), "functions are not ours"),
        (replies(functions=[[b"library_code", b"#!lua name=ocs\n"]]), "functions are not ours"),
        (replies(home=None), "has lost what it held"),
        (replies(home=b"2"), "has lost what it held"),
    ],
)
def test_server_is_judged_by_its_answers(told: list[Any], fault: str):
    found = guard().judge("host:1", told)
    assert fault in found and bool(found) is bool(fault)


def test_fsync_may_be_off_where_answers_do_not_wait_for_it():
    assert guard(fsync=False).judge("host:1", replies((b"appendfsync", b"no"))) == ""


def test_functions_that_another_release_has_loaded_and_announced_are_right():
    functions = [[b"library_code", OTHER_LIBRARY.encode()]]
    found = guard()
    assert found.judge("host:1", replies(functions=functions))
    found.other_library = library_digest(OTHER_LIBRARY.encode())
    assert found.judge("host:1", replies(functions=functions)) == ""


def owner_of(nodes: Cluster, key: str) -> Server:
    return nodes.owner(slot_of(key))


# --- On real servers --------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STORE_IDENTITY_INTERVAL_S", 0.02)


async def opened(url: str, nursery: trio.Nursery, **more: Any) -> RedisStore:
    set_up(url)
    known = StoreIdentity(StoreMeta(1, PARTITIONS, 1, 1), lambda _: None)
    store = open_store(url, identity=known, guard=guard(), **more)
    await nursery.start(store.run)
    return store


@pytest.mark.parametrize(
    ("name", "wrong", "right"), [("appendfsync", "everysec", "always"), ("appendonly", "no", "yes")]
)
async def test_what_is_switched_off_while_it_runs_refuses_commits_until_it_is_on_again(
    tmp_path: Path, name: str, wrong: str, right: str
):
    with single(tmp_path) as server, trio.fail_after(60), capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            store = await opened(server.url, nursery)
            change = write_of(3, b"one")
            assert await commit(store, change) == COMMITTED and store.trouble == ""
            server.admin.config_set(name, wrong)
            await until(lambda: store.trouble)
            assert name in store.trouble and unsafe()[(str(server.endpoint),)] == 1
            refused = await commit(store, write_of(4, b"two"))
            assert isinstance(refused, Unavailable) and refused.is_unsent and name in refused.reason
            assert (await load(store, 3)).token == change.token  # reading does no harm
            server.admin.config_set(name, right)
            await until(lambda: not store.trouble)
            assert await commit(store, write_of(4, b"two")) == COMMITTED
            nursery.cancel_scope.cancel()
    told = [line["event"] for line in lines if line["event"].startswith("store_")]
    assert told == ["store_unsafe", "store_safe_again"]
    assert (str(server.endpoint),) not in unsafe()  # the server is let go of: so is its series


@pytest.mark.parametrize(
    "replace",
    [
        lambda server: server.admin.function_load(LIBRARY + "\n-- not ours\n", replace=True),
        lambda server: server.admin.function_flush(),
    ],
    ids=["replaced", "deleted"],
)
async def test_functions_that_were_replaced_or_deleted_are_loaded_again(
    tmp_path: Path, nursery: trio.Nursery, replace: Any
):
    async def reload_library() -> None:
        loads.append(1)
        await trio.to_thread.run_sync(set_up, server.url)

    loads: list[int] = []
    with single(tmp_path) as server, trio.fail_after(60):
        store = await opened(server.url, nursery, reload_library=reload_library)
        replace(server)
        await until(lambda: loads)
        await until(lambda: not store.trouble)
        assert await commit(store, write_of(3, b"one")) == COMMITTED
        (library,) = server.admin.function_list(withcode=True)
        assert LIBRARY.encode() in library
        nursery.cancel_scope.cancel()


async def test_functions_of_another_release_beside_us_are_left_alone(tmp_path: Path, nursery: trio.Nursery):
    async def reload_library() -> None:
        raise AssertionError

    with single(tmp_path) as server, trio.fail_after(60):
        store = await opened(server.url, nursery, reload_library=reload_library)
        server.admin.hset(META, LIBRARY_FIELD, library_digest(OTHER_LIBRARY.encode()))
        server.admin.function_load(OTHER_LIBRARY, replace=True)
        looks = server.admin.info("commandstats")["cmdstat_function|list"]["calls"]
        await until(lambda: server.admin.info("commandstats")["cmdstat_function|list"]["calls"] >= looks + 3)
        assert store.trouble == "" and await commit(store, write_of(3, b"one")) == COMMITTED
        nursery.cancel_scope.cancel()


async def test_clusters_node_that_comes_back_empty_refuses_its_accounts_and_the_others_are_served(
    tmp_path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
):
    """The store's description lies on another node and says that all is well."""
    monkeypatch.setattr(
        limits, "STORE_IDENTITY_INTERVAL_S", 60.0
    )  # nobody has looked when the first call comes
    with cluster(tmp_path, primaries=2) as nodes, trio.fail_after(60):
        store = await opened(nodes.url, nursery)
        described = owner_of(nodes, META)
        partitions = {owner_of(nodes, home_key(partition)): partition for partition in range(PARTITIONS)}
        (lost,) = (server for server in partitions if server is not described)
        theirs, ours = partitions[lost], partitions[described]
        change = write_of(theirs, b"one")
        assert await commit(store, change) == COMMITTED
        lost.admin.flushall()
        stored = await ask(store.load, change.keys)
        assert isinstance(stored, Unavailable) and "has lost what it held" in stored.reason
        for name in ("a", "new"):
            assert isinstance(await commit(store, write_of(theirs, b"two", name=name)), Unavailable)
        assert await commit(store, write_of(ours, b"one")) == COMMITTED
        assert str(lost.endpoint) in store.trouble and str(described.endpoint) not in store.trouble
        nursery.cancel_scope.cancel()


async def test_directory_entry_on_a_server_that_lost_everything_is_not_absent(
    tmp_path: Path, nursery: trio.Nursery
):
    with cluster(tmp_path, primaries=2) as nodes, trio.fail_after(60):
        store = await opened(nodes.url, nursery)
        described = owner_of(nodes, META)
        (lost,) = (server for server in nodes.primaries if server is not described)
        name = next(f"d:e164:{n}" for n in range(99) if owner_of(nodes, f"d:e164:{n}") is lost)
        assert await ask(store.read_hint, name) is None
        lost.admin.flushall()
        assert isinstance(await ask(store.read_hint, name), Unavailable)
        nursery.cancel_scope.cancel()


def test_new_account_is_not_written_where_everything_was_lost(tmp_path: Path):
    """Whoever writes from outside looks at nothing else on that server first."""
    with single(tmp_path) as server:
        set_up(server.url)
        server.admin.delete(home_key(3))
        sent = server.admin.execute_command(*commit_command(write_of(3, b"one")))
        assert sent == 4 and not server.admin.exists(write_of(3, b"one").keys[0])
