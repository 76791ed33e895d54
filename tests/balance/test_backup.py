"""Backup of a store that is charged against, restore to any second, and what is refused."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ocs.balance import backup as backup_module
from ocs.balance import keys
from ocs.balance.backup import Backup, BackupError, back_up, read_backup, restore
from ocs.balance.client import BalanceClient
from ocs.balance.purse import money_balance
from ocs.balance.store_admin import StoreMeta, read_meta
from ocs.balance.verify import verify_store
from ocs.events import decode_event
from ocs.units import Money
from tests.support.charged_store import PARTITIONS, ChargedStore, started_server

OPTIONS = ("--aof-timestamp-enabled", "yes", "--appendfsync", "always")
ACCOUNTS = 6
LATER_S = 2_000_000_000


@contextmanager
def opened(folder: Path) -> Generator[ChargedStore]:
    with started_server(folder, *OPTIONS) as url:
        store = ChargedStore(url)
        try:
            yield store
        finally:
            store.close()


@pytest.fixture
def store(tmp_path: Path) -> Generator[ChargedStore]:
    (tmp_path / "data").mkdir()
    with opened(tmp_path / "data") as store:
        store.set_up()
        store.fill(ACCOUNTS)
        yield store


@pytest.fixture
def make(store: ChargedStore, tmp_path: Path) -> Callable[[], Backup]:
    """Backs up to ``backup``."""

    def _make() -> Backup:
        meta = read_meta(store.admin)
        assert meta is not None
        return back_up(store.admin, tmp_path / "data", tmp_path / "backup", meta)

    return _make


def balances(store: ChargedStore) -> dict[str, int]:
    cursor, accounts = store.client.scan_accounts()
    assert not cursor or accounts
    return {account.account_id: money_balance(account) for account in accounts}


def told_by_events(store: ChargedStore) -> dict[str, int]:
    """Every balance once more, from the stream alone."""
    sums: dict[str, int] = {}
    for partition in range(PARTITIONS):
        for _, fields in store.admin.xrange(keys.events_key(partition)):
            event = decode_event(fields[b"e"])
            sums[event.account_id] = sums.get(event.account_id, 0) + event.amount_micro
    return sums


def assert_clean(store: ChargedStore) -> None:
    report = verify_store(store.admin, partitions=PARTITIONS)
    assert report.findings == []
    assert report.counted["accounts"] == ACCOUNTS


def wait_for_another_second(store: ChargedStore) -> int:
    """The store's own seconds mark the file; returns the one that has begun."""
    before = store.admin.time()[0]
    while (now := store.admin.time()[0]) <= before:
        time.sleep(0.01)
    return now


# --- Whole ----------------------------------------------------------------------------------------------------


def test_restored_store_is_the_store_as_it_was(
    store: ChargedStore, make: Callable[[], Backup], tmp_path: Path
) -> None:
    before = balances(store)
    make()
    store.service.top_up("a1", Money(5_000_000, "EUR"), reference="after the backup")
    restore(tmp_path / "backup", tmp_path / "new", now_s=LATER_S)
    with opened(tmp_path / "new") as restored:
        assert balances(restored) == told_by_events(restored) == before
        assert_clean(restored)


def test_restored_store_goes_on(make: Callable[[], Backup], tmp_path: Path) -> None:
    make()
    restore(tmp_path / "backup", tmp_path / "new", now_s=LATER_S)
    with opened(tmp_path / "new") as restored:
        restored.use("a1", "open;1", 2)
        restored.end_session("a1", "open;1", 3)
        assert_clean(restored)


def test_restored_store_tells_gateways_that_sessions_were_lost(
    make: Callable[[], Backup], tmp_path: Path
) -> None:
    """RFC 6733 section 8.16."""
    made = make()
    restore(tmp_path / "backup", tmp_path / "new", now_s=LATER_S)
    with opened(tmp_path / "new") as restored:
        meta = read_meta(restored.admin)
        assert meta is not None
        assert meta.origin_state_id == LATER_S > made.meta.origin_state_id
        assert meta.partitions == PARTITIONS


def test_origin_state_id_advances_even_when_the_clock_stands_behind(
    make: Callable[[], Backup], tmp_path: Path
) -> None:
    made = make()
    restore(tmp_path / "backup", tmp_path / "new", now_s=0)
    with opened(tmp_path / "new") as restored:
        meta = read_meta(restored.admin)
        assert meta is not None
        assert meta.origin_state_id == made.meta.origin_state_id + 1


def test_backup_describes_itself(store: ChargedStore, make: Callable[[], Backup], tmp_path: Path) -> None:
    made = make()
    assert read_backup(tmp_path / "backup") == made
    assert made.meta == StoreMeta(1, PARTITIONS, 1, 1)
    assert made.earliest_s <= made.latest_s
    assert made.server.startswith("valkey ")
    last = {
        p: store.admin.xinfo_stream(keys.events_key(p))["last-generated-id"].decode()
        for p in made.last_events
    }
    assert made.last_events == last
    assert sum(file.octets for file in made.files) > 0


def test_store_that_was_rewritten_is_backed_up_with_its_snapshot(
    store: ChargedStore, make: Callable[[], Backup], tmp_path: Path
) -> None:
    store.admin.bgrewriteaof()
    before = balances(store)
    made = make()  # waits for the end of the rewrite
    assert made.files[0].kind == "b"
    assert made.files[0].octets > 1_000
    restore(tmp_path / "backup", tmp_path / "new", now_s=LATER_S)
    with opened(tmp_path / "new") as restored:
        assert balances(restored) == before
        assert_clean(restored)


def test_rewriting_is_held_off_meanwhile_and_allowed_again(
    store: ChargedStore, make: Callable[[], Backup], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    copy = shutil.copyfile

    def copyfile(*arguments: Any) -> Any:
        seen.append(store.admin.config_get("auto-aof-rewrite-percentage")["auto-aof-rewrite-percentage"])
        return copy(*arguments)

    monkeypatch.setattr(backup_module.shutil, "copyfile", copyfile)
    make()
    assert set(seen) == {"0"}
    assert store.admin.config_get("auto-aof-rewrite-percentage") == {"auto-aof-rewrite-percentage": "100"}


def test_rewriting_is_allowed_again_when_the_backup_failed(
    store: ChargedStore, make: Callable[[], Backup], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup_module.shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        make()
    assert store.admin.config_get("auto-aof-rewrite-percentage") == {"auto-aof-rewrite-percentage": "100"}


def test_rewrite_by_hand_has_the_copy_begun_again(
    store: ChargedStore, make: Callable[[], Backup], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = shutil.copyfile
    rewrites: list[int] = []

    def copyfile(*arguments: Any) -> Any:
        if not rewrites:
            rewrites.append(1)
            store.admin.bgrewriteaof()
            while store.admin.info("persistence")["aof_rewrite_in_progress"]:
                time.sleep(0.01)
        return copy(*arguments)

    monkeypatch.setattr(backup_module.shutil, "copyfile", copyfile)
    make()
    restore(tmp_path / "backup", tmp_path / "new", now_s=LATER_S)
    with opened(tmp_path / "new") as restored:
        assert_clean(restored)


def test_write_that_the_copy_caught_half_done_is_left_out(
    store: ChargedStore, make: Callable[[], Backup], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = balances(store)
    copy = shutil.copyfile

    def copyfile(source: Path, target: Path) -> None:
        copy(source, target)
        if target.suffix == ".aof":
            with target.open("ab") as file:
                file.write(b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$4\r\nme")

    monkeypatch.setattr(backup_module.shutil, "copyfile", copyfile)
    make()
    monkeypatch.undo()
    restore(tmp_path / "backup", tmp_path / "new", now_s=LATER_S)
    with opened(tmp_path / "new") as restored:
        assert balances(restored) == before
        meta = read_meta(restored.admin)
        assert meta is not None
        assert meta.origin_state_id == LATER_S


def test_backup_under_traffic_is_the_store_at_one_moment(
    store: ChargedStore, make: Callable[[], Backup], tmp_path: Path
) -> None:
    is_over = threading.Event()
    begun = threading.Event()
    acknowledged: list[int] = []

    def charge() -> None:
        charger = ChargedStore(store.url)
        number = 2
        while not is_over.is_set():
            charger.use("a1", "open;1", number, 10)
            acknowledged.append(number)
            if number == 20:
                begun.set()
            number += 1
        charger.close()

    thread = threading.Thread(target=charge)
    thread.start()
    assert begun.wait(60)
    known = len(acknowledged)
    made = make()
    is_over.set()
    thread.join()
    restore(tmp_path / "backup", tmp_path / "new", now_s=LATER_S)
    with opened(tmp_path / "new") as restored:
        assert_clean(restored)
        assert balances(restored) == told_by_events(restored)
        events = list(BalanceClient(restored.admin, partitions=PARTITIONS).events("a1"))
        numbers = [event.request_number for event in events if event.session_id == "open;1"]
        # All that was answered before is there, and nothing that was not asked for.
        assert len(numbers) >= known
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) <= len(acknowledged) + 1
    assert made.latest_s > 0


# --- To a point in time ---------------------------------------------------------------------------------------


def test_store_is_restored_to_a_second(
    store: ChargedStore, make: Callable[[], Backup], tmp_path: Path
) -> None:
    before = balances(store)
    second = wait_for_another_second(store)
    store.service.top_up("a1", Money(5_000_000, "EUR"), reference="a mistake")
    made = make()
    assert made.earliest_s < second <= made.latest_s
    restore(tmp_path / "backup", tmp_path / "new", now_s=LATER_S, until_s=second - 1)
    with opened(tmp_path / "new") as restored:
        assert balances(restored) == told_by_events(restored) == before
        assert_clean(restored)
    restore(tmp_path / "backup", tmp_path / "all", now_s=LATER_S, until_s=made.latest_s)
    with opened(tmp_path / "all") as restored:
        assert balances(restored)["a1"] == before["a1"] + 5_000_000


def test_time_before_the_snapshot_is_refused(make: Callable[[], Backup], tmp_path: Path) -> None:
    made = make()
    with pytest.raises(BackupError, match=r"reaches back to .* and no further: take an earlier backup"):
        restore(tmp_path / "backup", tmp_path / "new", now_s=LATER_S, until_s=made.earliest_s - 1)
    future_s = max(LATER_S, made.latest_s) + 1
    with pytest.raises(BackupError, match="lies in the future"):
        restore(tmp_path / "backup", tmp_path / "new", now_s=LATER_S, until_s=future_s)
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "new").exists()


def test_files_after_that_second_are_left_out(make: Callable[[], Backup], tmp_path: Path) -> None:
    """A server that was started again may go on in another incremental file: two more of them here."""
    made = make()
    folder = tmp_path / "backup" / backup_module.FOLDER
    files = json.loads((tmp_path / "backup" / "backup.json").read_text())["files"]
    for sequence in (8, 9):
        path = folder / f"appendonly.aof.{sequence}.incr.aof"
        path.write_bytes(b"#TS:%d\r\n" % (made.latest_s + sequence))
        described = backup_module.BackupFile(
            path.name, "i", sequence, path.stat().st_size, backup_module._digest(path)
        )
        files.append({name: getattr(described, name) for name in described.__struct_fields__})
    changed_description(files=files)(tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "new", now_s=LATER_S, until_s=made.latest_s)
    restored = tmp_path / "new" / backup_module.FOLDER
    assert {path.name for path in restored.iterdir()} == {
        "appendonly.aof.manifest", "appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof",
        "appendonly.aof.8.incr.aof",
    }  # fmt: skip
    assert "appendonly.aof.9" not in (restored / "appendonly.aof.manifest").read_text()
    assert (restored / "appendonly.aof.8.incr.aof").read_bytes().startswith(b"*2\r\n$6\r\nSELECT")


# --- Refused --------------------------------------------------------------------------------------------------


def damaged_file(folder: Path) -> None:
    path = folder / backup_module.FOLDER / "appendonly.aof.1.incr.aof"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_file(folder: Path) -> None:
    path = folder / backup_module.FOLDER / "appendonly.aof.1.incr.aof"
    path.write_bytes(path.read_bytes()[:-1])


def changed_description(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        description = json.loads((folder / "backup.json").read_text())
        (folder / "backup.json").write_text(json.dumps(description | changes))

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damaged_file, "not as it was backed up: the backup is damaged, take another"),
        (cut_file, "not as it was backed up: the backup is damaged, take another"),
        (
            lambda f: (f / backup_module.FOLDER / "appendonly.aof.1.base.rdb").unlink(),
            "missing: the backup is damaged",
        ),
        (
            lambda f: (f / "backup.json").unlink(),
            "no backup.json in it: this is no backup, or an unfinished one",
        ),
        (lambda f: (f / "backup.json").write_text("{"), "the backup is damaged, take another"),
        (changed_description(format=9), "format 9: restore it with the release that made it"),
        (changed_description(files=3), "the backup is damaged, take another"),
        (
            changed_description(
                files=[{"name": "../x", "kind": "b", "sequence": 1, "octets": 0, "sha256": ""}]
            ),
            "missing: the backup is damaged",
        ),
    ],
)
def test_damaged_backup_is_refused_with_one_line(
    make: Callable[[], Backup], tmp_path: Path, damage: Callable[[Path], Any], message: str
) -> None:
    make()
    damage(tmp_path / "backup")
    with pytest.raises(BackupError, match=message) as refused:
        restore(tmp_path / "backup", tmp_path / "new", now_s=LATER_S)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "new").exists()


def test_folder_with_anything_in_it_is_no_target(make: Callable[[], Backup], tmp_path: Path) -> None:
    make()
    with pytest.raises(BackupError, match="not empty: name a new folder"):
        make()
    with pytest.raises(BackupError, match="not empty: name a new folder"):
        restore(tmp_path / "backup", tmp_path / "data", now_s=LATER_S)


def test_backup_that_was_cut_off_is_none(
    make: Callable[[], Backup], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backup_module, "_write_durably", killed)
    with pytest.raises(KeyboardInterrupt):
        make()
    with pytest.raises(BackupError, match="an unfinished one"):
        read_backup(tmp_path / "backup")


def test_folder_without_a_store_s_files_is_named(store: ChargedStore, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(BackupError, match="this is no embedded store's data"):
        back_up(store.admin, tmp_path / "other", tmp_path / "backup", StoreMeta(1, PARTITIONS, 1, 1))


def test_store_whose_files_change_for_ever_is_not_backed_up(
    make: Callable[[], Backup], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_module, "_copy_all", lambda _source, target, _listed: bool(target.mkdir()))
    with pytest.raises(BackupError, match="rewritten again and again"):
        make()


def test_rewrite_that_never_ends_is_not_waited_for_for_ever(
    make: Callable[[], Backup], store: ChargedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_module, "BACKUP_REWRITE_WAIT_S", -1)
    busy = {"aof_rewrite_in_progress": 1, "aof_rewrite_scheduled": 0}
    monkeypatch.setattr(store.admin, "info", lambda _section: busy)
    with pytest.raises(BackupError, match="try again later"):
        make()
