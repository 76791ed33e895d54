"""``ocs alarms purge|compress|notices``: what keeps the list short, and who is told of it."""

import argparse
import getpass
from collections.abc import Callable, Iterable
from typing import Final

from ocs.alarm_desk import Desk
from ocs.alarm_listing import plain_table, time_text
from ocs.alarm_terminal import (
    SEVERITIES,
    Subcommands,
    add_json,
    duration_ms,
    print_json,
    print_table,
)
from ocs.api.alarms.views import change_record
from ocs.event_listing import shown
from ocs.faults.book.administration import PurgeFilter
from ocs.faults.operator_axis import OperatorState
from ocs.faults.store.desk import Choice
from ocs.faults.view.selection import AlarmFilter

Work = Callable[[Iterable[str], Choice, str, int], list[str]]
_STATES: Final = {state.name.lower().replace("_", "-"): state for state in OperatorState}


def add_commands(alarms: Subcommands, common: argparse.ArgumentParser) -> None:
    """Add ``purge``, ``compress`` and ``notices`` to ``ocs alarms``."""
    purge = alarms.add_parser(
        "purge", parents=[common], help="take alarms off the list (RFC 8632 purge-alarms)"
    )
    _add_choice(purge, clearance="cleared")
    purge.set_defaults(run=_purge)
    compress = alarms.add_parser(
        "compress",
        parents=[common],
        help="have alarms forget all but their last change (RFC 8632 compress-alarms); the history keeps them",
    )
    _add_choice(compress, clearance="any")
    compress.set_defaults(run=_compress)
    notices = alarms.add_parser(
        "notices", parents=[common], help="who is told of alarms: what waits, and what was given up"
    )
    add_json(notices)
    notices.set_defaults(run=_notices)


def _add_choice(parser: argparse.ArgumentParser, *, clearance: str) -> None:
    parser.add_argument(
        "--clearance",
        choices=("any", "cleared", "not-cleared"),
        default=clearance,
        help=f"default: {clearance}",
    )
    parser.add_argument(
        "--older-than", type=duration_ms, default=0, metavar="TIME", help="since its last change"
    )
    parser.add_argument("--severity", choices=list(SEVERITIES), default=None)
    parser.add_argument("--severity-is", choices=("below", "is", "above"), default="is", help="default: is")
    parser.add_argument("--state", choices=list(_STATES), default=None, help="what operators said last")
    parser.add_argument("--said-by", default="", metavar="OPERATOR", help="who said it")
    parser.add_argument("--resource", default="", help="and everything within it")
    parser.add_argument("--type", default="", dest="alarm_type")
    parser.add_argument("--qualifier", default="", help="of the type")
    parser.add_argument("--operator", default=None, help="who does it (default: who is logged in)")
    parser.add_argument("--dry-run", action="store_true", help="only say how many")


def _purge(options: argparse.Namespace) -> None:
    desk = Desk(options)
    _administer(desk, options, desk.alarms.purge, "purged")


def _compress(options: argparse.Namespace) -> None:
    desk = Desk(options)
    _administer(desk, options, desk.alarms.compress, "compressed")


def _administer(desk: Desk, options: argparse.Namespace, work: Work, done: str) -> None:
    """Do something to all alarms that are chosen, and say to how many."""
    meant = PurgeFilter(
        clearance=options.clearance,
        older_than_ms=options.older_than,
        severity=SEVERITIES.get(options.severity),
        severity_is=options.severity_is,
        operator_state=_STATES.get(options.state),
        operator=options.said_by,
        resource=options.resource,
        alarm_type=options.alarm_type,
        qualifier=options.qualifier,
    )
    rows = desk.view().rows(AlarmFilter(resource=options.resource), desk.now_ms)
    ids = [row.alarm.alarm_id for row in rows if meant.matches(row.alarm, row.operator, desk.now_ms)]
    if options.dry_run:
        print(f"{len(ids)} alarms would be {done}")
        return
    operator = options.operator or getpass.getuser()
    changed = work(
        ids, lambda alarm, record: meant.matches(alarm, record, desk.now_ms), operator, desk.now_ms
    )
    print(f"{len(changed)} alarms {done}")


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
