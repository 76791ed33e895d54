"""``ocs alarms history|reports``: what happened to alarms, from the SQL database."""

import argparse
from collections.abc import Callable
from typing import Any

from ocs.alarm_listing import age_in_words, plain_table, time_text
from ocs.alarm_names import topology_to_look_by
from ocs.alarm_terminal import ID_LETTERS_MIN, Subcommands, add_json, duration_ms, print_json, print_table
from ocs.clock import SystemClock
from ocs.event_listing import shown
from ocs.faults.alarm import Severity
from ocs.faults.history.question import HistoryQuery
from ocs.faults.store.desk import NoSuchAlarmError


def add_commands(alarms: Subcommands, common: argparse.ArgumentParser) -> None:
    """Add ``history`` and ``reports`` to ``ocs alarms``."""
    history = alarms.add_parser("history", parents=[common], help="what happened to alarms, newest first")
    history.add_argument(
        "alarm_id", nargs="?", default="", help="one alarm, also one that is gone; its first letters will do"
    )
    history.add_argument("--resource", default="", help="and everything within it")
    history.add_argument("--type", default="", dest="alarm_type")
    history.add_argument("--within", type=duration_ms, default=0, metavar="TIME", help="such as 7d")
    history.add_argument("--limit", type=int, default=100)
    add_json(history)
    history.set_defaults(run=_history)
    reports = alarms.add_parser("reports", parents=[common], help="times to repair, availability")
    reports.add_argument("what", choices=("repair", "elements", "services"))
    reports.add_argument(
        "--within", type=duration_ms, default=30 * 86_400_000, metavar="TIME", help="default 30d"
    )
    reports.add_argument(
        "--by",
        choices=("severity", "alarm_type", "resource"),
        default="severity",
        help="groups of repair times",
    )
    reports.add_argument("--resource", default="", help="and everything within it")
    add_json(reports)
    reports.set_defaults(run=_reports)


def _history(options: argparse.Namespace) -> None:
    # SQLAlchemy takes a while to load: only for the commands that need it.
    from ocs.faults.history.queries import find_changes

    now_ms = SystemClock().now_ms()
    query = HistoryQuery(
        alarm_id=_whole_id(options) if options.alarm_id else "",
        resource=options.resource,
        alarm_type=options.alarm_type,
        since_ms=now_ms - options.within if options.within else None,
        limit=options.limit,
    )
    rows = _from_history(options, lambda connection: find_changes(connection, query))
    if options.json:
        print_json(rows)
        return
    if not rows:
        print_table(plain_table(("nothing is known of it",), ()))
        return
    topology = topology_to_look_by(options.open(options)[0])
    lines = [
        (
            time_text(row.at_ms),
            row.alarm_id,
            row.kind,
            "cleared" if row.is_cleared else Severity(row.severity).name.lower() if row.severity else "",
            shown(topology.canonical(row.resource)),
            shown(f"{row.operator}: {row.operator_text}" if row.operator else row.text),
        )
        for row in rows
    ]
    print_table(plain_table(("at (UTC)", "id", "what", "severity", "resource", "text"), lines))


def _whole_id(options: argparse.Namespace) -> str:
    """The id that begins with what was typed.

    Raises:
        NoSuchAlarmError: none does, or several.
    """
    from ocs.faults.history.queries import find_ids

    typed: str = options.alarm_id.lower()
    if len(typed) < ID_LETTERS_MIN:
        raise NoSuchAlarmError(
            f"{typed!r} is too short: give {ID_LETTERS_MIN} letters or more of the alarm's id"
        )
    found = _from_history(options, lambda connection: find_ids(connection, typed, 2))
    if not found:
        raise NoSuchAlarmError(
            f"nothing is known of an alarm whose id begins with {typed!r}: `ocs alarms history` shows ids"
        )
    if len(found) > 1:
        raise NoSuchAlarmError(f"several alarms' ids begin with {typed!r}: give more letters")
    return found[0]


def _reports(options: argparse.Namespace) -> None:
    from ocs.faults.history.reports import PARTS_PER_MILLION, availability, repair_times

    now_ms = SystemClock().now_ms()
    since_ms = now_ms - options.within
    if options.what == "repair":
        times = _from_history(
            options,
            lambda connection: repair_times(
                connection, since_ms=since_ms, until_ms=now_ms, by=options.by, resource=options.resource
            ),
        )
        if options.json:
            print_json(times)
            return
        lines = [
            (
                Severity(int(one.group)).name.lower() if options.by == "severity" else shown(one.group),
                one.episodes,
                one.acknowledged,
                "" if one.time_to_acknowledge_ms is None else age_in_words(one.time_to_acknowledge_ms),
                one.repaired,
                "" if one.time_to_repair_ms is None else age_in_words(one.time_to_repair_ms),
            )
            for one in times
        ]
        headings = (options.by, "raised", "acknowledged", "mean time to it", "repaired", "mean time to it")
        print_table(plain_table(headings, lines))
        return
    down = _from_history(
        options,
        lambda connection: availability(
            connection, since_ms=since_ms, until_ms=now_ms, of=options.what, resource=options.resource
        ),
    )
    if options.json:
        print_json(down)
        return
    shares = [
        (
            shown(one.name),
            one.outages,
            age_in_words(one.down_ms),
            f"{one.available_ppm * 100 / PARTS_PER_MILLION:.4f} %",
        )
        for one in down
    ]
    print_table(plain_table((options.what, "outages", "down", "available"), shares))


def _from_history(options: argparse.Namespace, work: Callable[[Any], Any]) -> Any:
    """Ask the history's database, whose schema may be made by this."""
    from ocs.migrations import upgrade_schema
    from ocs.sql import Database, database_url

    settings, launch = options.open(options)
    database = Database(database_url(settings, launch.data_dir))
    try:
        upgrade_schema(database)
        return database.read_blocking(work)
    finally:
        database.close()
