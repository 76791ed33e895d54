"""``ocs alarms``: what a network operations centre does with alarms, from a terminal."""

import argparse
import getpass
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec
import trio

from ocs import alarm_administration_commands, alarm_report_commands
from ocs.alarm_desk import Desk
from ocs.alarm_listing import (
    ID_CHARACTERS,
    alarm_lines,
    alarm_table,
    change_text,
    explanation_lines,
    id_letters_of,
    record_text,
    summary_table,
)
from ocs.alarm_terminal import (
    SEVERITIES,
    Subcommands,
    add_json,
    duration_ms,
    print_json,
    print_table,
)
from ocs.api.alarms.views import change_record, native_alarm, summary_view
from ocs.clock import SystemClock
from ocs.faults.book.operator_rules import OperatorRuleError
from ocs.faults.operator_axis import OperatorRecord
from ocs.faults.store.desk import AlarmDesk
from ocs.faults.view.follower import AlarmFollower
from ocs.faults.view.selection import AlarmFilter, AlarmRow, Order, PageRequest
from ocs.limits import ALARM_ROWS_PER_PAGE_MAX

_NEXT_STEPS: Final = (
    "`ocs alarms show ID` tells more, `ocs alarms ack ID` takes care of it; ids may be shortened"
)


def add_commands(commands: Subcommands, common: argparse.ArgumentParser) -> None:
    """Add ``alarms`` to the command line."""
    alarms = commands.add_parser("alarms", help="the alarm list: look, act, report").add_subparsers(
        required=True, metavar="ACTION"
    )
    _add_looking(alarms, common)
    _add_acting(alarms, common)
    alarm_administration_commands.add_commands(alarms, common)
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
    parser.add_argument("--severity", action="append", choices=list(SEVERITIES), help="may be repeated")
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
        severities=frozenset(SEVERITIES[name] for name in options.severity or ()),
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
    if options.root_cause:
        (options.root_cause,) = desk.full_ids((options.root_cause,))
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
        is_seen = desk.console.is_terminal
        letters = id_letters_of(view) if is_seen else ID_CHARACTERS
        print_table(alarm_table(page.rows, view, desk.now_ms, id_letters=letters))
        if is_seen:
            desk.console.print(_NEXT_STEPS)
    if page.total > len(page.rows):
        desk.console.print(f"{len(page.rows)} of {page.total}")
    elif not page.rows:
        desk.console.print("no alarms")


def _row(desk: Desk, alarm_id: str) -> AlarmRow:
    (whole,) = desk.full_ids((alarm_id,))
    alarm, record = desk.alarms.look(whole)
    return AlarmRow(alarm, record, desk.names.name_of(alarm))


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
    follower = AlarmFollower(desk.reader(), desk.names)
    left: int = options.count
    async with trio.open_nursery() as nursery:
        await nursery.start(follower.run)
        with follower.watch() as watch:
            while True:
                for followed in await watch.receive() or ():
                    change = followed.change
                    alarm = change.alarm
                    row = None if alarm is None else follower.view.row_of(alarm, change.operator)
                    if row is not None and not wanted.matches(row, SystemClock().now_ms()):
                        continue
                    if options.json:
                        sys.stdout.buffer.write(msgspec.json.encode(change_record(change, row)) + b"\n")
                        sys.stdout.flush()
                    else:
                        desk.console.print(change_text(change, row))
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
    for name, about, done in (
        ("group", "put alarms under another one by hand", AlarmDesk.group),
        ("ungroup", "take alarms from under the one where operators had put them", AlarmDesk.ungroup),
    ):
        grouping = verb(name, about, partial(_group, done))
        grouping.add_argument("--under", required=True, metavar="ID", help="the other alarm")
        grouping.add_argument("--text", default="")
    shelve = verb("shelve", "tell nobody of alarms for a while", _shelve)
    shelve.add_argument(
        "--for", type=duration_ms, required=True, dest="time_ms", metavar="TIME", help="such as 2h"
    )
    shelve.add_argument("--text", default="")


Doing = Callable[..., OperatorRecord | None]


def _act(method: Doing, options: argparse.Namespace, **more: Any) -> None:
    """Do one thing to all alarms that are named; the first that does not allow it ends it, and is told."""
    desk = Desk(options)
    operator = options.operator or getpass.getuser()
    alarm_ids = desk.full_ids(options.alarm_id)
    for done, alarm_id in enumerate(alarm_ids):
        try:
            record = method(desk.alarms, alarm_id, operator, options.text, desk.now_ms, **more)
        except OperatorRuleError as error:
            left = f" ({done} of {len(alarm_ids)} are done)" if len(alarm_ids) > 1 else ""
            raise OperatorRuleError(f"{alarm_id}: {error}{left}") from None
        print(f"{alarm_id}: {'will be cleared' if record is None else record_text(record)}")


def _assign(options: argparse.Namespace) -> None:
    _act(AlarmDesk.assign, options, to=options.to)


def _group(method: Doing, options: argparse.Namespace) -> None:
    (parent,) = Desk(options).full_ids((options.under,))
    _act(method, options, parent=parent)


def _shelve(options: argparse.Namespace) -> None:
    _act(AlarmDesk.shelve, options, until_ms=SystemClock().now_ms() + options.time_ms)
