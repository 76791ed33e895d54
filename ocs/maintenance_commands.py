"""``ocs maintenance``: planned windows, in which alarms are kept as ever and told to nobody."""

import argparse
import getpass
import json
import secrets
import sys
from typing import Any, Final

import msgspec
from rich.table import Table

from ocs.alarm_desk import Desk
from ocs.alarm_listing import time_text
from ocs.alarm_terminal import duration_ms, moment_ms
from ocs.api.tmf.resources import date_time
from ocs.event_listing import shown
from ocs.faults.book.maintenance import MaintenanceWindow
from ocs.faults.store.batch import AlarmStoreError
from ocs.faults.topology.dependencies import element_name
from ocs.faults.view.selection import AlarmFilter
from ocs.limits import MAINTENANCE_WINDOWS_MAX
from ocs.near_names import meant_instead

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(MaintenanceWindow).decode
_ID_OCTETS: Final = 4


class MaintenanceError(AlarmStoreError):
    """A window cannot be planned or ended; ``str()`` is one line."""


def add_commands(
    commands: "argparse._SubParsersAction[Any]",  # pyright: ignore[reportPrivateUsage] - argparse has no public name
    common: argparse.ArgumentParser,
) -> None:
    """Add ``maintenance`` to the command line."""
    maintenance = commands.add_parser(
        "maintenance", help="planned windows in which nobody is told of alarms"
    ).add_subparsers(required=True, metavar="ACTION")
    add = maintenance.add_parser("add", parents=[common], help="plan a window; its id is printed")
    add.add_argument("resource", help="this one and everything below it: router7, router7/card/3")
    add.add_argument(
        "--from", type=moment_ms, default=None, dest="from_ms", metavar="TIME", help="default: now"
    )
    add.add_argument(
        "--for", type=duration_ms, required=True, dest="time_ms", metavar="LENGTH", help="2h, 30m"
    )
    add.add_argument("--text", default="", help="why, for whoever looks at the list")
    add.add_argument("--operator", default=None, help="who plans it (default: you)")
    add.set_defaults(run=_add)
    listing = maintenance.add_parser("list", parents=[common], help="windows that are not over")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list)
    remove = maintenance.add_parser("remove", parents=[common], help="end a window, or do not begin it")
    remove.add_argument("window_id", help="as `ocs maintenance list` shows it")
    remove.set_defaults(run=_remove)


def _add(options: argparse.Namespace) -> None:
    desk = Desk(options)
    kept = _current(desk)
    if len(kept) >= MAINTENANCE_WINDOWS_MAX:
        raise MaintenanceError(f"{len(kept)} windows are planned, and there is room for no more: remove some")
    from_ms = desk.now_ms if options.from_ms is None else options.from_ms
    resource, note = _resource(desk, options.resource)
    window = MaintenanceWindow(
        window_id=secrets.token_hex(_ID_OCTETS),
        resource=resource,
        from_ms=from_ms,
        until_ms=from_ms + options.time_ms,
        operator=options.operator or getpass.getuser(),
        text=options.text,
    )
    if window.until_ms <= desk.now_ms:
        raise MaintenanceError("this window would be over already")
    desk.alarms.set_window(window.window_id, _encode(window))
    print(window.window_id)
    if note:
        print(note, file=sys.stderr)


def _resource(desk: Desk, typed: str) -> tuple[str, str]:
    """The one name of a resource by which windows are kept, and what there is to say of it.

    One that nobody knows may be planned: it may be built in this very window.
    """
    topology = desk.topology
    resource = topology.canonical(typed)
    known = topology.resources()
    if resource in known or element_name(resource) in known:
        return resource, ""
    rows = desk.view().rows(AlarmFilter(resource=typed), desk.now_ms)
    for row in rows:
        if row.name == typed:  # as its device calls it
            return topology.canonical(row.alarm.key.resource), ""
    if rows:
        return resource, ""
    near = meant_instead(typed, known)
    return resource, f"note: neither the topology nor the alarm list knows {shown(typed)}{near}"


def _current(desk: Desk) -> list[MaintenanceWindow]:
    """Windows that are not over; the others are thrown away by the way."""
    windows = [_decode(value) for value in desk.alarms.windows().values()]
    for window in windows:
        if window.until_ms <= desk.now_ms:
            desk.alarms.remove_window(window.window_id)
    kept = [window for window in windows if window.until_ms > desk.now_ms]
    return sorted(kept, key=lambda window: (window.from_ms, window.window_id))


def _list(options: argparse.Namespace) -> None:
    desk = Desk(options)
    windows = _current(desk)
    if options.json:
        print(json.dumps([_as_json(window) for window in windows], indent=2))
        return
    if not windows:
        print("no maintenance is planned")
        return
    table = Table("id", "resource", "from (UTC)", "until (UTC)", "operator", "why", box=None)
    for window in windows:
        table.add_row(
            window.window_id,
            window.resource,
            time_text(window.from_ms),
            time_text(window.until_ms),
            window.operator,
            window.text,
        )
    desk.console.print(table)


def _as_json(window: MaintenanceWindow) -> dict[str, Any]:
    return {
        "id": window.window_id,
        "resource": window.resource,
        "from": date_time(window.from_ms),
        "until": date_time(window.until_ms),
        "operator": window.operator,
        "text": window.text,
    }


def _remove(options: argparse.Namespace) -> None:
    desk = Desk(options)
    if options.window_id not in desk.alarms.windows():
        raise MaintenanceError(f"no window {options.window_id!r}: `ocs maintenance list` shows them")
    desk.alarms.remove_window(options.window_id)
