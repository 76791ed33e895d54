"""``ocs verify|backup|restore``: what an operator does to the store as a whole."""

import argparse
import sys
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import redis
import trio

from ocs.balance.backup import FOLDER, Backup, BackupError, back_up, restore
from ocs.balance.embedded import EmbeddedStore, find_store
from ocs.balance.store_admin import StoreMeta, explain
from ocs.balance.store_client import StoreClient
from ocs.balance.verify import Report, verify_store
from ocs.clock import SystemClock
from ocs.limits import FINDINGS_TOLD_MAX
from ocs.settings import Settings
from ocs.store_setup import open_store, store_address
from ocs.subscribers.audit import OperationsAudit
from ocs.subscribers.operations import account_rules

EXIT_FINDINGS: Final = 1


def add_commands(
    commands: "argparse._SubParsersAction[Any]",  # pyright: ignore[reportPrivateUsage] - argparse has no public name
    common: argparse.ArgumentParser,
) -> None:
    """Add ``verify``, ``backup`` and ``restore`` to the command line."""
    verify = commands.add_parser(
        "verify",
        parents=[common],
        help="audit the store, in use or at rest; status 0: clean, 1: findings, 2: cannot",
    )
    verify.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the report to a file")
    verify.set_defaults(run=_verify)
    backup = commands.add_parser("backup", parents=[common], help="copy the embedded store while it runs")
    backup.add_argument("target", type=Path, metavar="DIR", help="a new folder")
    backup.set_defaults(run=_back_up)
    restoring = commands.add_parser(
        "restore", parents=[common], help="make the folder named by --data-dir from a backup, and verify it"
    )
    restoring.add_argument("source", type=Path, metavar="DIR", help="the backup")
    restoring.add_argument(
        "--until",
        type=_seconds,
        default=None,
        metavar="TIME",
        help="leave out what came after this second, such as 2027-01-15T09:00:00Z (UTC where no zone is said)",
    )
    restoring.set_defaults(run=_restore)


def _seconds(text: str) -> int:
    when = datetime.fromisoformat(text)
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


_seconds.__name__ = "time"  # argparse says: invalid time value: 'yesterday'


# --- Verify -------------------------------------------------------------------------------------------------


def _verify(options: argparse.Namespace) -> None:
    settings, launch = options.open(options)
    with _store(settings, launch.data_dir) as (client, meta):
        report = _audited(client, meta, settings)
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(_record(report))) + b"\n")
    _print(report)
    if not report.is_clean:
        sys.exit(EXIT_FINDINGS)


def _audited(client: StoreClient, meta: StoreMeta, settings: Settings) -> Report:
    """Look at everything in a store."""
    operations = OperationsAudit(
        client,
        partitions=meta.partitions,
        now_ms=SystemClock().now_ms(),
        rules=account_rules(settings.accounts),
    )
    return verify_store(client, partitions=meta.partitions, progress=_show_progress, other=operations)


@contextmanager
def _store(settings: Settings, data_dir: Path) -> Generator[tuple[StoreClient, StoreMeta]]:
    """The store that runs; an embedded one at rest is started for the time."""
    at_rest = not settings.store.url and find_store(data_dir) is None and (data_dir / FOLDER).is_dir()
    with _started(data_dir) if at_rest else nullcontext():
        client, meta = open_store(settings, data_dir)
        try:
            yield client, meta
        except redis.RedisError as error:
            raise explain(client.address, error) from None
        finally:
            client.close()


@contextmanager
def _started(data_dir: Path) -> Generator[None]:
    """Run the embedded store of a data folder that is at rest."""
    store = EmbeddedStore(data_dir)
    trio.run(store.start)
    try:
        yield
    finally:
        trio.run(store.stop)


def _show_progress(done: int, count: int) -> None:
    if sys.stderr.isatty():
        print(f"\rpartition {done} of {count}", end="\n" if done == count else "", file=sys.stderr)


def _record(report: Report) -> dict[str, Any]:
    """The report for programs."""
    return {
        "clean": report.is_clean,
        "counted": dict(report.counted),
        "findings": {kind.value: count for kind, count in sorted(report.by_kind.items())},
        "told": [
            {
                "kind": finding.kind.value,
                "subject": finding.subject,
                "detail": finding.detail,
                "remedy": finding.remedy,
                "warning": finding.is_warning,
            }
            for finding in report.findings
        ],
    }


def _print(report: Report) -> None:
    for finding in report.findings:
        print(_shown(f"{'warning' if finding.is_warning else 'FINDING'} {finding.kind}: {finding.subject}"))
        print(_shown(f"    {finding.detail}"))
        print(f"    what to do: {finding.remedy}")
    untold = report.by_kind.total() - len(report.findings)
    if untold:
        print(f"and {untold} more: only the first {FINDINGS_TOLD_MAX} are told")
    seen = ", ".join(f"{count} {noun}" for noun, count in sorted(report.counted.items()))
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(report.by_kind.items())) or "no findings"
    print(f"{'clean' if report.is_clean else 'NOT CLEAN'}: {kinds}; looked at {seen or 'an empty store'}")


def _shown(text: str) -> str:
    """Names from the network, for a terminal: what would move its cursor is escaped."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


# --- Backup and restore -------------------------------------------------------------------------------------


def _back_up(options: argparse.Namespace) -> None:
    settings, launch = options.open(options)
    if settings.store.url:
        raise BackupError(
            f"[store] url is {store_address(settings, settings.store.url)}: a store of your own is backed up with its"
            " own tools; docs/runbook.md says how"
        )
    with _store(settings, launch.data_dir) as (client, meta):
        backup = back_up(client, launch.data_dir, options.target, meta)
    size = sum(file.octets for file in backup.files)
    print(
        f"{options.target}: {size} octets; can be restored to any second from {_time(backup.earliest_s)}"
        f" to {_time(backup.latest_s)}"
    )
    print(
        "not in it: the SQL database (inventory, journal, history of alarms) and inventory.key: docs/runbook.md"
    )


def _restore(options: argparse.Namespace) -> None:
    settings, launch = options.open(options)
    until_s: int | None = options.until
    backup = restore(options.source, launch.data_dir, now_s=SystemClock().now_ms() // 1000, until_s=until_s)
    print(f"{launch.data_dir}: restored as of {_time(_restored_s(backup, until_s))}")
    embedded = msgspec.structs.replace(settings, store=msgspec.structs.replace(settings.store, url=""))
    with _store(embedded, launch.data_dir) as (client, meta):
        report = _audited(client, meta, settings)
    _print(report)
    if not report.is_clean:
        sys.exit(EXIT_FINDINGS)


def _restored_s(backup: Backup, until_s: int | None) -> int:
    return backup.latest_s if until_s is None else min(until_s, backup.latest_s)


def _time(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
