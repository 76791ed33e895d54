"""``ocs config``: what elements run, how two differ, and a change by hand, which is a transaction as any other.

Libraries of SSH and YANG are loaded for these commands only.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.text import Text
from rich.tree import Tree

from ocs import compliance_commands
from ocs.alarm_terminal import Subcommands, add_json, print_json
from ocs.change_preview import preview, read_elements
from ocs.provision_listing import print_lines, print_previews
from ocs.provisioning.configuration import (
    Configuration,
    ConfigurationDiff,
    PathError,
    canonical_path,
    diff_lines,
    difference,
    format_path,
    parse_path,
    restricted,
)
from ocs.provisioning.configuration_work import ConfigurationPlanner, ConfigurationWork
from ocs.provisioning.element import Element
from ocs.provisioning.services.ownership import complete
from ocs.provisioning.sessions import Sessions
from ocs.provisioning.transactions.planner import WorkRefusedError
from ocs.provisioning.transactions.record import Plan
from ocs.settings_file import SettingsError
from ocs.subscribers.operations import OperationError
from ocs.transaction_desk import (
    TransactionDesk,
    add_change_options,
    as_record,
    make_change,
    new_transaction,
    standing,
)

EXIT_DIFFERENT: Final = 1


def add_commands(commands: Subcommands, common: argparse.ArgumentParser) -> None:
    """Add ``config`` to the command line."""
    actions = commands.add_parser("config", help="what network elements run").add_subparsers(
        required=True, metavar="ACTION"
    )
    show = actions.add_parser("show", parents=[common], help="what an element runs, asked now")
    show.add_argument("element")
    show.add_argument("path", nargs="*", help="only what lies there")
    show.add_argument("--tree", action="store_true", help="as a tree instead of a path a line")
    add_json(show)
    show.set_defaults(run=_show)
    diff = actions.add_parser(
        "diff", parents=[common], help="how an element differs from another, or from a file of `show --json`"
    )
    diff.add_argument("element")
    diff.add_argument("other", help="an element, or a file")
    diff.add_argument("--within", action="append", default=[], metavar="PATH", help="only what lies there")
    add_json(diff)
    diff.set_defaults(run=_diff)
    compliance_commands.add_commands(actions, common)
    change = actions.add_parser("set", parents=[common], help="change an element by hand, by a transaction")
    change.add_argument("element")
    change.add_argument(
        "change", nargs="+", metavar="PATH=VALUE", help="PATH alone: an entry that is to exist"
    )
    change.add_argument(
        "--remove", action="append", default=[], metavar="PATH", help="in the same transaction"
    )
    remove = actions.add_parser("remove", parents=[common], help="take something off an element by hand")
    remove.add_argument("element")
    remove.add_argument("remove", nargs="+", metavar="PATH", help="with everything below it")
    for parser in (change, remove):
        parser.add_argument("--force", action="store_true", help="also what services own")
        add_change_options(parser)
    change.set_defaults(run=_set)
    remove.set_defaults(run=_set, change=[])


# --- Reading --------------------------------------------------------------------------------------------------------


def _show(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    element = desk.element(options.element)
    paths = [_canonical(path) for path in options.path]
    running = read_elements(desk.sessions(), {element: paths})[element.name]
    if options.json:
        print_json(dict(sorted(running.items())))
    elif options.tree:
        desk.console.print(_tree(element.name, running))
    else:
        for path, value in sorted(running.items()):
            desk.console.print(path if value is None else f"{path} = {value}")


def _tree(name: str, configuration: Configuration) -> Tree:
    top = Tree(name, guide_style="")
    branches: dict[str, Tree] = {"": top}
    for path, value in sorted(configuration.items()):
        steps, above = parse_path(path), ""
        for end, step in enumerate(steps, 1):
            here = format_path(steps[:end])
            if here not in branches:
                keys = " ".join(key for _, key in step.keys)
                label = f"{step.local_name} {keys}".rstrip()
                branches[here] = branches[above].add(
                    Text(f"{label} = {value}" if end == len(steps) and value is not None else label)
                )
            above = here
    return top


def _diff(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    paths = [_canonical(path) for path in options.within]
    element, file = desk.element(options.element), Path(options.other)
    if file.is_file():
        wanted = _read_file(file)
        running = read_elements(desk.sessions(), {element: paths})[element.name]
        other = restricted(wanted, paths) if paths else wanted
    else:
        second = desk.element(options.other)
        both = read_elements(desk.sessions(), {element: paths, second: paths})
        running, other = both[element.name], both[second.name]
    diff = difference(running, other)
    if options.json:
        print_json(diff)
    else:
        print_lines(diff_lines(running, diff))
    if diff:
        sys.exit(EXIT_DIFFERENT)


def _read_file(path: Path) -> dict[str, str | None]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str | None])
    except msgspec.DecodeError as error:
        raise SettingsError(f"{path}: expected what `ocs config show --json` prints: {error}") from None


# --- Changing -------------------------------------------------------------------------------------------------------


def _set(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    element, sessions = desk.element(options.element), desk.sessions()
    diff = _wanted(sessions, element, options.change, options.remove)
    work = ConfigurationWork({element.name: diff}, is_forced=options.force)
    plan = _plan(desk, work)
    if options.dry_run:
        running = read_elements(sessions, {element: diff.paths}) if options.live else None
        print_previews(preview(plan.elements, sessions, desk.element, running), as_json=options.json)
        return
    described = f"{element.name}: {len(diff.set)} paths set, {len(diff.removed)} removed by hand"
    ended = make_change(
        desk, options, new_transaction(options, work.work(), [element.name], described, desk.now_ms)
    )
    if options.json:
        print_json(as_record(ended))
    else:
        desk.console.print(f"transaction {ended.transaction_id} is {standing(ended)}")


def _plan(desk: TransactionDesk, work: ConfigurationWork) -> Plan:
    """Whether it could be done as things stand, said at once and not by the queue."""
    planner = ConfigurationPlanner()
    try:
        return desk.database.read_blocking(lambda connection: planner.plan(connection, work.work().payload))
    except WorkRefusedError as error:
        raise OperationError(f"{error}; --force changes it all the same") from None


def _wanted(
    sessions: Sessions, element: Element, changes: Sequence[str], removed: Sequence[str]
) -> ConfigurationDiff:
    to_set: dict[str, str | None] = {}
    for text in changes:
        path, value = split_change(text)
        to_set[path] = value
    to_set = sessions.canonical(element, complete(to_set))
    gone = tuple(sorted({_canonical(path) for path in removed}))
    return ConfigurationDiff(to_set, tuple(path for path in gone if path not in to_set))


def split_change(text: str) -> tuple[str, str | None]:
    """``PATH=VALUE`` as path and value; a path alone has none. Equals signs in keys and in the value are theirs.

    Raises:
        SettingsError: the text begins with no path.
    """
    quote = ""
    depth = 0
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif depth and character in "'\"":
            quote = character
        elif character in "[]":
            depth += 1 if character == "[" else -1
        elif character == "=" and not depth:
            return _canonical(text[:at]), text[at + 1 :]
    return _canonical(text), None


def _canonical(path: str) -> str:
    try:
        return canonical_path(path)
    except PathError as error:
        raise SettingsError(str(error)) from None
