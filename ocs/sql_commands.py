"""``ocs sql``: the schema of the SQL database. SQLAlchemy is loaded for these commands only."""

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocs.sql import Database


def add_commands(
    commands: "argparse._SubParsersAction[Any]",  # pyright: ignore[reportPrivateUsage] - argparse has no public name
    common: argparse.ArgumentParser,
) -> None:
    """Add ``sql`` to the command line."""
    sql = commands.add_parser("sql", help="the SQL database of history and the business side").add_subparsers(
        required=True, metavar="ACTION"
    )
    status = sql.add_parser("status", parents=[common], help="say where the database's schema stands")
    status.set_defaults(run=_status)
    upgrade = sql.add_parser(
        "upgrade", parents=[common], help="bring the schema up to date, as every process that uses it does"
    )
    upgrade.set_defaults(run=_upgrade)


def _database(options: argparse.Namespace) -> "Database":
    from ocs.sql import Database, database_url

    settings, launch = options.open(options)
    return Database(database_url(settings, launch.data_dir))


def _status(options: argparse.Namespace) -> None:
    from ocs.migrations import read_status

    database = _database(options)
    status = read_status(database)
    print(database)
    if status.current is None:
        print(f"no schema; `ocs sql upgrade` makes step {status.newest}")
    elif status.is_current:
        print(f"step {status.current}: up to date")
    else:
        print(f"step {status.current}; this release knows {status.newest}: `ocs sql upgrade`")


def _upgrade(options: argparse.Namespace) -> None:
    from ocs.migrations import upgrade_schema

    database = _database(options)
    before = upgrade_schema(database)
    print(database)
    print(
        f"step {before.newest}: "
        + ("up to date" if before.is_current else f"upgraded from {before.current or 'nothing'}")
    )
