"""Backup of the embedded store while it runs, and restore to a point in time.

The store's state is a snapshot (base file) and what was written since (incremental files); a manifest names them. With
rewriting held off these files only grow at the end of the last one, so copies of them are the store at one moment. A
backup reaches back to the time of its snapshot.

Source: the server's own manual, "Backing up AOF data".
"""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from ocs.balance import keys
from ocs.balance.aof_file import AppendOnlyFileError, as_command, find_sound_part, read_base_second
from ocs.balance.store_admin import StoreMeta
from ocs.balance.store_client import StoreClient
from ocs.limits import BACKUP_ATTEMPTS_MAX, BACKUP_REWRITE_WAIT_S, STORE_REWRITE_GROWTH_PERCENT

FORMAT: Final = 1
FOLDER: Final = "appendonlydir"
_MANIFEST: Final = "appendonly.aof.manifest"
_DESCRIPTION: Final = "backup.json"
_POLL_S: Final = 0.05

FileKind = Literal["b", "i"]


class BackupError(Exception):
    """A backup cannot be made or used; ``str()`` is one line with the remedy."""


class BackupFile(msgspec.Struct, frozen=True):
    """One file of a backup.

    Attributes:
        kind: ``b`` for the snapshot, ``i`` for what was written after it; sequence: its place among them.
    """

    name: str
    kind: FileKind
    sequence: int
    octets: int
    sha256: str


class Backup(msgspec.Struct, frozen=True):
    """What a backup says about itself: the content of ``backup.json``.

    Attributes:
        earliest_s: from when on the store can be restored to a point in time; latest_s: up to when.
        last_events: the stream id of the last charge event of each partition that had one: all up to it are here.
    """

    format: int
    created: str
    server: str
    meta: StoreMeta
    earliest_s: int
    latest_s: int
    last_events: dict[int, str]
    files: tuple[BackupFile, ...]


class _ListedFile(msgspec.Struct, frozen=True):
    """One line of the server's manifest."""

    name: str
    sequence: int
    kind: FileKind


# --- Backing up ---------------------------------------------------------------------------------------------


def back_up(client: StoreClient, data_dir: Path, target: Path, meta: StoreMeta) -> Backup:
    """Copy the running embedded store of a data folder; all that it has acknowledged before is in the copy.

    Args:
        target: a folder that does not exist yet, or is empty.
        meta: what the store says about itself.

    Raises:
        BackupError: the target is used, or the files do not come to rest.
    """
    _claim(target)
    source = data_dir / FOLDER
    with _rewriting_held_off(client):
        last_events = _last_events(client, meta.partitions)
        for _ in range(BACKUP_ATTEMPTS_MAX):
            listed = _read_manifest(source)
            if _copy_all(source, target / FOLDER, listed):
                break
            shutil.rmtree(target / FOLDER)
        else:
            raise BackupError(f"{source}: rewritten again and again: let nobody call BGREWRITEAOF meanwhile")
    try:
        backup = _describe(client, target / FOLDER, listed, meta, last_events)
    except AppendOnlyFileError as error:
        raise BackupError(f"{source}: {error}: the store's file is damaged") from None
    _write_durably(target / _DESCRIPTION, msgspec.json.format(msgspec.json.encode(backup)))
    return backup


def _claim(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BackupError(f"{folder}: not empty: name a new folder")


@contextlib.contextmanager
def _rewriting_held_off(client: StoreClient) -> Generator[None]:
    """Have the server leave its files alone, from the end of a rewrite that is under way."""
    server: Any = client
    server.config_set("auto-aof-rewrite-percentage", 0)
    try:
        give_up_at = time.monotonic() + BACKUP_REWRITE_WAIT_S
        while True:
            state: dict[str, int] = server.info("persistence")
            if not state["aof_rewrite_in_progress"] and not state["aof_rewrite_scheduled"]:
                break
            if time.monotonic() > give_up_at:
                raise BackupError("the store has been rewriting its file for too long: try again later")
            time.sleep(_POLL_S)
        yield
    finally:
        server.config_set("auto-aof-rewrite-percentage", STORE_REWRITE_GROWTH_PERCENT)


def _last_events(client: StoreClient, partitions: int) -> dict[int, str]:
    server: Any = client
    last: dict[int, str] = {}
    for partition in range(partitions):
        stream = keys.events_key(partition)
        if server.exists(stream):
            last[partition] = server.xinfo_stream(stream)["last-generated-id"].decode()
    return last


def _read_manifest(folder: Path) -> tuple[_ListedFile, ...]:
    """Files in use, in their order; what a rewrite has replaced is left out."""
    try:
        text = (folder / _MANIFEST).read_text(encoding="utf-8")
    except OSError as error:
        raise BackupError(
            f"{folder / _MANIFEST}: {error.strerror}: this is no embedded store's data"
        ) from None
    found: list[_ListedFile] = []
    for line in text.splitlines():
        words = line.split()
        fields = dict(zip(words[::2], words[1::2], strict=False))
        if fields.get("type") in {"b", "i"}:
            found.append(
                msgspec.convert(
                    {"name": fields.get("file"), "sequence": fields.get("seq"), "kind": fields["type"]},
                    _ListedFile,
                    strict=False,
                )
            )
    return tuple(sorted(found, key=lambda file: (file.kind, file.sequence)))


def _copy_all(source: Path, target: Path, listed: tuple[_ListedFile, ...]) -> bool:
    """Copy the files; False when one of them was gone: a rewrite by hand has replaced it."""
    target.mkdir(mode=0o700)
    try:
        for file in listed:
            shutil.copyfile(source / file.name, target / file.name)
    except FileNotFoundError:
        return False
    return True


def _describe(
    client: StoreClient,
    folder: Path,
    listed: tuple[_ListedFile, ...],
    meta: StoreMeta,
    last_events: dict[int, str],
) -> Backup:
    """Cut the last file after its last whole command, and take down what is there."""
    earliest_s = latest_s = 0
    files: list[BackupFile] = []
    for index, file in enumerate(listed):
        path = folder / file.name
        if file.kind == "b":
            earliest_s = latest_s = read_base_second(path)
        else:
            part = find_sound_part(path)
            if part.is_cut and index < len(listed) - 1:
                raise AppendOnlyFileError(f"{file.name}: not whole, although another file follows it")
            latest_s = max(latest_s, part.last_s)
            os.truncate(path, part.octets)
        _sync(path)
        files.append(BackupFile(file.name, file.kind, file.sequence, path.stat().st_size, _digest(path)))
    _sync(folder)
    server: Any = client
    information: dict[str, Any] = server.info("server")
    name = "valkey" if "valkey_version" in information else "redis"
    created = datetime.now(UTC).isoformat(timespec="seconds")
    version = f"{name} {information.get(f'{name}_version', '')}"
    return Backup(FORMAT, created, version, meta, earliest_s, latest_s, last_events, tuple(files))


# --- Restoring ----------------------------------------------------------------------------------------------


def read_backup(source: Path) -> Backup:
    """Read a backup's description and check every file of it.

    Raises:
        BackupError: it is no backup, not a whole one, or damaged.
    """
    try:
        backup = msgspec.json.decode((source / _DESCRIPTION).read_bytes(), type=Backup)
    except FileNotFoundError:
        raise BackupError(
            f"{source}: no {_DESCRIPTION} in it: this is no backup, or an unfinished one"
        ) from None
    except msgspec.MsgspecError as error:
        raise BackupError(f"{source / _DESCRIPTION}: {error}: the backup is damaged, take another") from None
    if backup.format != FORMAT:
        raise BackupError(
            f"{source}: a backup of format {backup.format}: restore it with the release that made it"
        )
    for file in backup.files:
        path = source / FOLDER / file.name
        if Path(file.name).name != file.name or not path.is_file():
            raise BackupError(f"{path}: missing: the backup is damaged, take another")
        if path.stat().st_size != file.octets or _digest(path) != file.sha256:
            raise BackupError(f"{path}: not as it was backed up: the backup is damaged, take another")
    return backup


def restore(source: Path, data_dir: Path, *, now_s: int, until_s: int | None = None) -> Backup:
    """Make a data folder from a backup; the store is started on it afterwards.

    Origin-State-Id advances, so that gateways learn that sessions were lost (RFC 6733 section 8.16).

    Args:
        data_dir: does not exist yet, or is empty.
        now_s: seconds since 1970 UTC; becomes Origin-State-Id.
        until_s: leave out what was written after this second.

    Raises:
        BackupError: the backup or the folder cannot be used, or the backup does not reach back so far.
    """
    backup = read_backup(source)
    if until_s is not None and until_s > max(now_s, backup.latest_s):
        raise BackupError(
            "--until lies in the future: leave it out to restore everything that the backup has"
        )
    if until_s is not None and until_s < backup.earliest_s:
        raise BackupError(
            f"{source}: reaches back to {_time(backup.earliest_s)} and no further: take an earlier backup"
        )
    _claim(data_dir)
    unfinished = data_dir / f"{FOLDER}.new"
    unfinished.mkdir(mode=0o700)
    kept = _copy_until(backup, source / FOLDER, unfinished, until_s)
    if kept[-1].kind == "b":
        kept.append(BackupFile("appendonly.aof.1.incr.aof", "i", 1, 0, ""))
    state_id = max(now_s, backup.meta.origin_state_id + 1)
    with (unfinished / kept[-1].name).open("ab") as file:
        file.write(
            as_command("SELECT", "0") + as_command("HSET", keys.META, "origin_state_id", str(state_id))
        )
    for file in kept:
        _sync(unfinished / file.name)
    manifest = "".join(f"file {file.name} seq {file.sequence} type {file.kind}\n" for file in kept)
    _write_durably(unfinished / _MANIFEST, manifest.encode())
    unfinished.rename(data_dir / FOLDER)
    _sync(data_dir)
    return backup


def _copy_until(backup: Backup, source: Path, target: Path, until_s: int | None) -> list[BackupFile]:
    """Copy files up to the end of a second; returns those that are needed."""
    kept: list[BackupFile] = []
    for file in backup.files:
        shutil.copyfile(source / file.name, target / file.name)
        kept.append(file)
        if file.kind == "b" or until_s is None:
            continue
        part = find_sound_part(target / file.name, until_s=until_s)
        if part.is_cut:
            os.truncate(target / file.name, part.octets)
            break
    return kept


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_durably(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_bytes(content)
    _sync(unfinished)
    unfinished.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Have the disk keep a file, or a folder's list of files."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _time(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
