"""``ocs alarms``: what a network operations centre does with alarms, from a terminal."""

import argparse
import getpass
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from ocs import alarm_report_commands
from ocs.alarm_listing import (
    alarm_lines,
    alarm_table,
    change_text,
    explanation_lines,
    plain_table,
    summary_table,
    time_text,
)
from ocs.alarm_terminal import Subcommands, add_json, duration_ms, make_console, print_json, print_table
from ocs.api.alarms.views import change_record, native_alarm, summary_view
from ocs.balance.barrier import Barrier
from ocs.balance.redis_stream import StoreServers
from ocs.clock import SystemClock
from ocs.event_listing import shown
from ocs.faults.alarm import Severity
from ocs.faults.book.administration import PurgeFilter
from ocs.faults.book.operator_rules import OperatorRuleError
from ocs.faults.notices.outbox import Outbox
from ocs.faults.operator_axis import OperatorState
from ocs.faults.store.desk import AlarmDesk, NoSuchAlarmError
from ocs.faults.store.desk_door import RedisDeskDoor
from ocs.faults.store.reader import AlarmReader
from ocs.faults.view.alarm_view import AlarmView
from ocs.faults.view.follower import AlarmFollower
from ocs.faults.view.selection import AlarmFilter, AlarmRow, Order, PageRequest
from ocs.limits import ALARM_ROWS_PER_PAGE_MAX
from ocs.log import configure_logging
from ocs.settings import Settings
from ocs.store_setup import open_store, store_address, store_url

_ID_CHARACTERS: Final = 16
_ID_PREFIX_CHARACTERS_MIN: Final = 4
_SEVERITIES: Final = {
    severity.name.lower(): severity
    for severity in sorted(Severity, reverse=True)
    if severity > Severity.CLEARED
}
_STATES: Final = {state.name.lower().replace("_", "-"): state for state in OperatorState}


class Desk:
    """What every command here needs: the settings, a store, a console."""

    def __init__(self, options: argparse.Namespace) -> None:
        settings, launch = options.open(options)
        # To stderr: what is printed may be read by a program.
        configure_logging(settings.log, style="console")
        self.settings: Settings = settings
        self.data_dir: Path = launch.data_dir
        self.now_ms = SystemClock().now_ms()
        self.console = make_console()
        connection, _ = open_store(settings, launch.data_dir)
        self.outbox = Outbox(connection)
        self.alarms = AlarmDesk(RedisDeskDoor(connection, Barrier.from_settings(settings.store)))

    def reader(self) -> AlarmReader:
        """A reader of the list."""
        address = store_address(self.settings, store_url(self.settings, self.data_dir))
        return AlarmReader(StoreServers(address))

    def view(self) -> AlarmView:
        """The list as it is now."""

        async def load() -> AlarmView:
            reader = self.reader()
            try:
                snapshot = await reader.load()
            finally:
                await reader.aclose()
            return AlarmView(snapshot.alarms, snapshot.operators)

        return trio.run(load)

    def full_ids(self, texts: Iterable[str]) -> list[str]:
        """Ids that somebody typed, whole or by their first letters.

        Raises:
            NoSuchAlarmError: no alarm begins so, or several do.
        """
        found: list[str] = []
        view: AlarmView | None = None
        for text in texts:
            if len(text) == _ID_CHARACTERS:
                found.append(text)
                continue
            view = self.view() if view is None else view
            ids = [name for name in view.ids(AlarmFilter(), self.now_ms) if name.startswith(text)]
            if len(text) < _ID_PREFIX_CHARACTERS_MIN:
                raise NoSuchAlarmError(
                    f"{text!r} is too short: give {_ID_PREFIX_CHARACTERS_MIN} letters or more of the alarm's id"
                )
            if not ids:
                raise NoSuchAlarmError(
                    f"no alarm's id begins with {text!r}: `ocs alarms list --all` shows the ids"
                )
            if len(ids) > 1:
                raise NoSuchAlarmError(f"{len(ids)} alarms' ids begin with {text!r}: give more letters")
            found += ids
        return found

    def print_lines(self, lines: Iterable[str]) -> None:
        """Print lines as they are."""
        for line in lines:
            self.console.print(line)


def add_commands(commands: Subcommands, common: argparse.ArgumentParser) -> None:
    """Add ``alarms`` to the command line."""
    alarms = commands.add_parser("alarms", help="the alarm list: look, act, report").add_subparsers(
        required=True, metavar="ACTION"
    )
    _add_looking(alarms, common)
    _add_acting(alarms, common)
    _add_administration(alarms, common)
    alarm_report_commands.add_commands(alarms, common)


# --- Looking ------------------------------------------------------------------------------------------------------


def _add_looking(alarms: Subcommands, common: argparse.ArgumentParser) -> None:
    listing = alarms.add_parser("list", parents=[common], help="alarms that stand, the worst first")
    _add_conditions(listing)
    listing.add_argument("--all", action="store_true", help="also those that are over")
    listing.add_argument("--cleared", action="store_true", help="only those that are over")
    listing.add_argument("--sort", choices=list(Order), default=Order.SEVERITY)
    listing.add_argument("--limit", type=int, default=100, help="rows (default 100)")
    add_json(listing)
    listing.set_defaults(run=_list)
    show = alarms.add_parser("show", parents=[common], help="everything about one alarm")
    show.add_argument("alarm_id")
    add_json(show)
    show.set_defaults(run=_show)
    explain = alarms.add_parser("explain", parents=[common], help="why an alarm is as it is")
    explain.add_argument("alarm_id")
    explain.set_defaults(run=_explain)
    watch = alarms.add_parser("watch", parents=[common], help="changes as they happen, until interrupted")
    _add_conditions(watch)
    watch.add_argument("--count", type=int, default=0, help="end after so many changes (default: never)")
    add_json(watch)
    watch.set_defaults(run=_watch)
    summary = alarms.add_parser("summary", parents=[common], help="how many alarms of each severity")
    add_json(summary)
    summary.set_defaults(run=_summary)


def _add_conditions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--severity", action="append", choices=list(_SEVERITIES), help="may be repeated")
    parser.add_argument(
        "--open", action="store_true", dest="is_open", help="only those of which nobody has taken care"
    )
    parser.add_argument("--shelved", action="store_true", help="only those on the shelf")
    parser.add_argument("--assigned-to", default=None, metavar="WHO")
    parser.add_argument("--resource", default="", help="and everything within it")
    parser.add_argument("--type", default="", dest="alarm_type")
    parser.add_argument("--service", default="", help="that it affects")
    parser.add_argument(
        "--roots", action="store_true", help="count no symptoms: they only stand under their cause"
    )
    parser.add_argument("--root-cause", default="", metavar="ID", help="the symptoms of this alarm")
    parser.add_argument("--changed-within", type=duration_ms, default=0, metavar="TIME", help="such as 2h")
    parser.add_argument("--text", default="", help="a part of resource, type or text")


def _filter(options: argparse.Namespace, now_ms: int, *, is_cleared: bool | None) -> AlarmFilter:
    return AlarmFilter(
        severities=frozenset(_SEVERITIES[name] for name in options.severity or ()),
        is_cleared=is_cleared,
        is_seen_to=False if options.is_open else None,
        is_shelved=True if options.shelved else None,
        assigned_to=options.assigned_to,
        resource=options.resource,
        alarm_type=options.alarm_type,
        service=options.service,
        is_symptom=False if options.roots else None,
        root_cause=options.root_cause,
        changed_since_ms=now_ms - options.changed_within if options.changed_within else None,
        text=options.text,
    )


def _list(options: argparse.Namespace) -> None:
    desk = Desk(options)
    view = desk.view()
    wanted = _filter(
        options, desk.now_ms, is_cleared=True if options.cleared else None if options.all else False
    )
    limit = max(1, min(options.limit, ALARM_ROWS_PER_PAGE_MAX))
    by_name = options.sort in {Order.RESOURCE, Order.ALARM_TYPE}
    page = view.find(
        wanted, PageRequest(order=options.sort, is_descending=not by_name, limit=limit), desk.now_ms
    )
    if options.json:
        print_json([native_alarm(row) for row in page.rows])
        return
    if page.rows:
        print_table(alarm_table(page.rows, view, desk.now_ms))
    if page.total > len(page.rows):
        desk.console.print(f"{len(page.rows)} of {page.total}")
    elif not page.rows:
        desk.console.print("no alarms")


def _row(desk: Desk, alarm_id: str) -> AlarmRow:
    (whole,) = desk.full_ids((alarm_id,))
    return AlarmRow(*desk.alarms.look(whole))


def _show(options: argparse.Namespace) -> None:
    desk = Desk(options)
    row = _row(desk, options.alarm_id)
    if options.json:
        print_json(native_alarm(row))
    else:
        desk.print_lines(alarm_lines(row, desk.now_ms))


def _explain(options: argparse.Namespace) -> None:
    desk = Desk(options)
    desk.print_lines(explanation_lines(_row(desk, options.alarm_id), desk.view(), desk.now_ms))


def _summary(options: argparse.Namespace) -> None:
    desk = Desk(options)
    summary = desk.view().summary(desk.now_ms)
    if options.json:
        print_json(summary_view(summary, is_current=True))
        return
    print_table(summary_table(summary))
    desk.console.print(f"{summary.shelves_active} on the shelf")


def _watch(options: argparse.Namespace) -> None:
    desk = Desk(options)
    wanted = _filter(options, desk.now_ms, is_cleared=None)
    trio.run(_watch_changes, desk, wanted, options)


async def _watch_changes(desk: Desk, wanted: AlarmFilter, options: argparse.Namespace) -> None:
    follower = AlarmFollower(desk.reader())
    left: int = options.count
    async with trio.open_nursery() as nursery:
        await nursery.start(follower.run)
        with follower.watch() as watch:
            while True:
                for followed in await watch.receive() or ():
                    change = followed.change
                    if change.alarm is not None and not wanted.matches(
                        change.alarm, change.operator, desk.now_ms
                    ):
                        continue
                    if options.json:
                        sys.stdout.buffer.write(msgspec.json.encode(change_record(change)) + b"\n")
                        sys.stdout.flush()
                    else:
                        desk.console.print(change_text(change))
                    left -= 1
                    if not left:
                        nursery.cancel_scope.cancel()
                        return


# --- Acting -------------------------------------------------------------------------------------------------------


def _add_acting(alarms: Subcommands, common: argparse.ArgumentParser) -> None:
    def verb(name: str, about: str, run: Callable[..., None]) -> argparse.ArgumentParser:
        parser = alarms.add_parser(name, parents=[common], help=about)
        parser.add_argument("alarm_id", nargs="+", help="whole, or its first letters")
        parser.add_argument("--operator", default=None, help="who does it (default: who is logged in)")
        parser.set_defaults(run=run)
        return parser

    for name, about, method in (
        ("ack", "take care of alarms", AlarmDesk.acknowledge),
        ("unack", "hand alarms back to everybody", AlarmDesk.unacknowledge),
        ("close", "the work is done, whatever the device says", AlarmDesk.close),
        ("unshelve", "tell of alarms again", AlarmDesk.unshelve),
        ("clear", "it is over, where the device never says so", AlarmDesk.clear),
    ):
        verb(name, about, partial(_act, method)).add_argument("--text", default="")
    comment = verb("comment", "put a remark to alarms", partial(_act, AlarmDesk.comment))
    comment.add_argument("--text", required=True)
    assign = verb("assign", "give alarms to a person or a group", _assign)
    assign.add_argument("--to", required=True, help='whom; "" for nobody')
    assign.add_argument("--text", default="")
    shelve = verb("shelve", "tell nobody of alarms for a while", _shelve)
    shelve.add_argument(
        "--for", type=duration_ms, required=True, dest="time_ms", metavar="TIME", help="such as 2h"
    )
    shelve.add_argument("--text", default="")


Doing = Callable[..., object]


def _act(method: Doing, options: argparse.Namespace, **more: Any) -> None:
    """Do one thing to all alarms that are named; the first that does not allow it ends it, and is told."""
    desk = Desk(options)
    operator = options.operator or getpass.getuser()
    alarm_ids = desk.full_ids(options.alarm_id)
    for done, alarm_id in enumerate(alarm_ids):
        try:
            method(desk.alarms, alarm_id, operator, options.text, desk.now_ms, **more)
        except OperatorRuleError as error:
            left = f" ({done} of {len(alarm_ids)} are done)" if len(alarm_ids) > 1 else ""
            raise OperatorRuleError(f"{alarm_id}: {error}{left}") from None


def _assign(options: argparse.Namespace) -> None:
    _act(AlarmDesk.assign, options, to=options.to)


def _shelve(options: argparse.Namespace) -> None:
    _act(AlarmDesk.shelve, options, until_ms=SystemClock().now_ms() + options.time_ms)


# --- Administration -----------------------------------------------------------------------------------------------


def _add_administration(alarms: Subcommands, common: argparse.ArgumentParser) -> None:
    purge = alarms.add_parser(
        "purge", parents=[common], help="take alarms off the list (RFC 8632 purge-alarms)"
    )
    purge.add_argument(
        "--clearance", choices=("any", "cleared", "not-cleared"), default="cleared", help="default: cleared"
    )
    purge.add_argument(
        "--older-than", type=duration_ms, default=0, metavar="TIME", help="since its last change"
    )
    purge.add_argument("--severity", choices=list(_SEVERITIES), default=None)
    purge.add_argument("--severity-is", choices=("below", "is", "above"), default="is", help="default: is")
    purge.add_argument("--state", choices=list(_STATES), default=None, help="what operators said last")
    purge.add_argument("--said-by", default="", metavar="OPERATOR", help="who said it")
    purge.add_argument("--resource", default="", help="and everything within it")
    purge.add_argument("--operator", default=None, help="who does it (default: who is logged in)")
    purge.add_argument("--dry-run", action="store_true", help="only say how many")
    purge.set_defaults(run=_purge)
    notices = alarms.add_parser(
        "notices", parents=[common], help="who is told of alarms: what waits, and what was given up"
    )
    add_json(notices)
    notices.set_defaults(run=_notices)


def _purge(options: argparse.Namespace) -> None:
    desk = Desk(options)
    meant = PurgeFilter(
        clearance=options.clearance,
        older_than_ms=options.older_than,
        severity=_SEVERITIES.get(options.severity),
        severity_is=options.severity_is,
        operator_state=_STATES.get(options.state),
        operator=options.said_by,
        resource=options.resource,
    )
    view = desk.view()
    rows = filter(None, map(view.get, view.ids(AlarmFilter(resource=options.resource), desk.now_ms)))
    ids = [row.alarm.alarm_id for row in rows if meant.matches(row.alarm, row.operator, desk.now_ms)]
    if options.dry_run:
        print(f"{len(ids)} alarms would be purged")
        return
    operator = options.operator or getpass.getuser()
    gone = desk.alarms.purge(
        ids, lambda alarm, record: meant.matches(alarm, record, desk.now_ms), operator, desk.now_ms
    )
    print(f"{len(gone)} alarms purged")


def _notices(options: argparse.Namespace) -> None:
    desk = Desk(options)
    names = [one.name for one in desk.settings.notices.recipients]
    dead = {name: desk.outbox.dead(name) for name in names}
    waiting = {name: desk.outbox.length(name) for name in names}
    if options.json:
        print_json(
            [
                {
                    "recipient": name,
                    "waiting": waiting[name],
                    "given_up": [
                        {"at": time_text(one.at_ms), "reason": one.reason, **change_record(one.change)}
                        for one in dead[name]
                    ],
                }
                for name in names
            ]
        )
        return
    print_table(
        plain_table(
            ("recipient", "waiting", "given up"), [(name, waiting[name], len(dead[name])) for name in names]
        )
    )
    lost = [
        (time_text(one.at_ms), name, one.change.alarm_id, str(one.change.kind), shown(one.reason))
        for name in names
        for one in dead[name]
    ]
    if lost:
        print_table(plain_table(("given up (UTC)", "recipient", "alarm", "what", "why"), lost))
