"""The embedded store with real processes: start, stop, crash of the store, crash of us, two on one folder."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import redis
import trio

from ocs.balance import embedded
from ocs.balance.embedded import DataFolderInUseError, EmbeddedStore, EmbeddedStoreError, find_store


def client(store: EmbeddedStore) -> redis.Redis:
    return redis.Redis.from_url(store.address.url)


async def in_thread(function, *arguments):
    return await trio.to_thread.run_sync(function, *arguments)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


pytestmark = pytest.mark.bounded(60)

OWNER = """
import sys, trio
from pathlib import Path
from ocs.balance.embedded import EmbeddedStore
async def main():
    async with EmbeddedStore(Path(sys.argv[1])) as store:
        print(store.address.pid, flush=True)
        await trio.sleep_forever()
trio.run(main)
"""


@pytest.fixture
def start_owner(tmp_path: Path):
    """Runs another `ocs` that owns the store of a folder; what is left of both is killed at the end."""
    started: list[tuple[subprocess.Popen[str], int]] = []

    def _start(data_dir: Path) -> tuple[subprocess.Popen[str], int]:
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(data_dir)], stdout=subprocess.PIPE, text=True
        )
        assert owner.stdout is not None
        started.append((owner, int(owner.stdout.readline())))
        return started[-1]

    yield _start
    for owner, store_pid in started:
        owner.kill()
        owner.communicate()
        if _is_valkey(store_pid):
            os.kill(store_pid, signal.SIGKILL)


def _is_valkey(pid: int) -> bool:
    try:
        return b"valkey-server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


async def test_store_is_configured_so_that_nothing_acknowledged_is_lost(tmp_path: Path):
    async with EmbeddedStore(tmp_path / "data") as store:
        with client(store) as c:
            for key, value in (
                ("appendonly", "yes"),
                ("appendfsync", "always"),
                ("no-appendfsync-on-rewrite", "no"),
                ("maxmemory-policy", "noeviction"),
                ("save", ""),
                ("port", "0"),
            ):
                assert c.config_get(key) == {key: value}
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
        assert stat.S_IMODE(Path(store.address.socket_path).stat().st_mode) == 0o700


async def test_store_s_file_can_be_cut_at_a_second_and_is_written_anew_when_it_has_doubled(tmp_path: Path):
    async with EmbeddedStore(tmp_path) as store:
        with client(store) as c:
            for key, value in (
                ("aof-timestamp-enabled", "yes"),
                ("auto-aof-rewrite-percentage", "100"),
                ("auto-aof-rewrite-min-size", str(64 << 20)),
            ):
                assert c.config_get(key) == {key: value}


async def test_store_that_a_killed_backup_left_without_rewriting_is_rewritten_again_when_adopted(
    tmp_path: Path, start_owner
):
    owner, _ = start_owner(tmp_path)
    address = find_store(tmp_path)
    assert address is not None
    with redis.Redis.from_url(address.url) as c:
        c.config_set("auto-aof-rewrite-percentage", 0)
        owner.kill()
        owner.wait()
        async with EmbeddedStore(tmp_path) as store:
            assert store.was_adopted
            assert c.config_get("auto-aof-rewrite-percentage") == {"auto-aof-rewrite-percentage": "100"}


async def test_memory_durability_does_not_wait_for_the_disk(tmp_path: Path):
    async with EmbeddedStore(tmp_path, durability="memory") as store:
        with client(store) as c:
            assert c.config_get("appendfsync") == {"appendfsync": "everysec"}


async def test_store_json_tells_where_it_listens_and_goes_with_it(tmp_path: Path):
    assert find_store(tmp_path) is None
    async with EmbeddedStore(tmp_path) as store:
        found = find_store(tmp_path)
        assert found == store.address
        assert json.loads((tmp_path / "store.json").read_bytes())["pid"] == store.address.pid
        assert is_alive(store.address.pid)
    assert find_store(tmp_path) is None
    assert not (tmp_path / "store.json").exists()


async def test_data_survive_a_clean_stop(tmp_path: Path):
    async with EmbeddedStore(tmp_path) as store:
        pid = store.address.pid
        with client(store) as c:
            c.set("k", "v")
    assert not is_alive(pid)
    async with EmbeddedStore(tmp_path) as store:
        assert not store.was_adopted
        with client(store) as c:
            assert c.get("k") == b"v"


async def test_killed_store_is_reported_and_restarted_with_all_that_it_acknowledged(tmp_path: Path):
    async with EmbeddedStore(tmp_path) as store:
        before = store.address
        with client(store) as c:
            c.set("k", "v")
        os.kill(before.pid, signal.SIGKILL)
        assert await store.wait() == "killed by signal 9"
        after = await store.restart()
        assert (after.url, after.pid == before.pid) == (before.url, False)
        with client(store) as c:
            assert c.get("k") == b"v"


async def test_store_is_kept_running_by_itself(tmp_path: Path):
    async with EmbeddedStore(tmp_path) as store, trio.open_nursery() as nursery:
        nursery.start_soon(store.keep_running)
        pid = store.address.pid
        os.kill(pid, signal.SIGKILL)
        while store.address.pid in {pid, 0}:
            await trio.sleep(0.01)
        with client(store) as c:
            assert c.ping()
        nursery.cancel_scope.cancel()


async def test_write_cut_short_by_a_crash_is_dropped_and_the_rest_stands(tmp_path: Path):
    async with EmbeddedStore(tmp_path) as store:
        with client(store) as c:
            c.set("k", "v")
        os.kill(store.address.pid, signal.SIGKILL)
        await store.wait()
        tail = next(tmp_path.glob("appendonlydir/*.incr.aof"))
        with tail.open("ab") as file:
            file.write(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\nhalf")
        await store.restart()
        with client(store) as c:
            assert c.get("k") == b"v"


async def test_second_server_on_one_folder_is_refused_in_one_line(tmp_path: Path):
    async with EmbeddedStore(tmp_path) as store:
        with pytest.raises(DataFolderInUseError) as caught:
            await EmbeddedStore(tmp_path).start()
        assert f"process {os.getpid()}" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert is_alive(store.address.pid)
        with client(store) as c:
            assert c.ping()


async def test_store_that_survived_our_kill_is_adopted_with_its_data(tmp_path: Path, start_owner):
    owner, store_pid = await in_thread(start_owner, tmp_path)
    found = find_store(tmp_path)
    assert found is not None
    with redis.Redis.from_url(found.url) as c:
        c.set("k", "v")
    owner.kill()
    await in_thread(owner.wait)
    assert is_alive(store_pid)
    async with EmbeddedStore(tmp_path, durability="memory") as store:
        assert store.was_adopted
        assert store.address.pid == store_pid
        with client(store) as c:
            assert c.get("k") == b"v"
            assert c.config_get("appendfsync") == {"appendfsync": "everysec"}
    assert not find_store(tmp_path)
    with trio.fail_after(10):
        while is_alive(store_pid) and not _is_zombie(store_pid):
            await trio.sleep(0.01)


def _is_zombie(pid: int) -> bool:
    """Nobody may be there to reap an orphan in a container."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


async def test_adopted_store_that_dies_is_reported_and_restarted_as_our_own(tmp_path: Path, start_owner):
    owner, store_pid = await in_thread(start_owner, tmp_path)
    owner.kill()
    await in_thread(owner.wait)
    async with EmbeddedStore(tmp_path) as store:
        with client(store) as c:
            c.set("k", "v")
        os.kill(store_pid, signal.SIGKILL)
        assert await store.wait() == "ended"
        await store.restart()
        assert not store.was_adopted
        with client(store) as c:
            assert c.get("k") == b"v"


async def test_both_killed_and_started_again_keep_what_was_acknowledged(tmp_path: Path, start_owner):
    owner, store_pid = await in_thread(start_owner, tmp_path)
    found = find_store(tmp_path)
    assert found is not None
    with redis.Redis.from_url(found.url) as c:
        c.set("k", "v")
    owner.kill()
    os.kill(store_pid, signal.SIGKILL)
    await in_thread(owner.wait)
    async with EmbeddedStore(tmp_path) as store:
        assert not store.was_adopted
        with client(store) as c:
            assert c.get("k") == b"v"


async def test_folder_too_deep_for_a_socket_address_works_all_the_same(tmp_path: Path):
    deep = tmp_path / ("d" * 60) / ('e "q" ' * 10) / "data"
    async with EmbeddedStore(deep) as store:
        folder = Path(store.address.socket_path).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        os.kill(store.address.pid, signal.SIGKILL)
        await store.wait()
        assert (await store.restart()).url == f"unix://{folder}/store.sock"
        with client(store) as c:
            assert c.ping()
        assert find_store(deep) == store.address
    assert not folder.exists()


async def test_damaged_data_are_refused_in_one_line_and_the_folder_stays_free(tmp_path: Path):
    async with EmbeddedStore(tmp_path) as store:
        with client(store) as c:
            c.set("k", "v")
    tail = next(tmp_path.glob("appendonlydir/*.incr.aof"))
    tail.write_bytes(b"nonsense" + tail.read_bytes())
    for _ in range(2):
        with pytest.raises(EmbeddedStoreError) as caught:
            await EmbeddedStore(tmp_path).start()
        assert "the store ended with status 1 while starting" in str(caught.value)
        assert "\n" not in str(caught.value)


async def test_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedStoreError, match="cannot create the data folder"):
        await EmbeddedStore(tmp_path / "file" / "data").start()


async def test_lock_held_by_something_that_is_no_store_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(embedded, "_LOCK_PATIENCE_S", 0.05)
    lock = embedded._try_lock(tmp_path / "lock")
    assert lock is not None
    try:
        with pytest.raises(EmbeddedStoreError, match="does not answer"):
            await EmbeddedStore(tmp_path).start()
    finally:
        os.close(lock)


async def test_cancelled_start_leaves_no_process_and_a_free_folder(tmp_path: Path):
    with trio.CancelScope() as scope:
        scope.cancel()
        await EmbeddedStore(tmp_path).start()
    async with EmbeddedStore(tmp_path):
        pass


async def test_long_log_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedded, "STORE_LOG_OCTETS_MAX", 10)
    (tmp_path / "store.log").write_text("a line of before\n")
    async with EmbeddedStore(tmp_path):
        assert (tmp_path / "store.log.1").read_text() == "a line of before\n"


async def test_another_folder_s_store_is_not_adopted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedded, "_LOCK_PATIENCE_S", 0.05)
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    async with EmbeddedStore(first):
        (second / "store.json").write_bytes((first / "store.json").read_bytes())
        lock = embedded._try_lock(second / "lock")
        assert lock is not None
        with pytest.raises(EmbeddedStoreError, match="does not answer"):
            await EmbeddedStore(second).start()
        os.close(lock)
