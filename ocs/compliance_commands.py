"""``ocs config drift|comply|backup|history|restore|adopt``: what elements run against what they should.

Libraries of SSH and YANG are loaded for these commands only.
"""

import argparse
import getpass
import sys
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import trio
from rich.table import Table
from sqlalchemy import Connection

from ocs.alarm_terminal import Subcommands, add_json, moment_ms, print_json, print_table
from ocs.asyncio_bridge import asyncio_loop
from ocs.change_preview import preview, read_elements
from ocs.clock import SystemClock
from ocs.compliance_setup import read_compliance_rules
from ocs.inventory.elements import get_element, list_elements
from ocs.inventory.model import ElementRecord
from ocs.provision_commands import read_parameters
from ocs.provision_listing import print_lines, print_previews
from ocs.provisioning.compliance import record
from ocs.provisioning.compliance.adoption import AdoptionWork, missing
from ocs.provisioning.compliance.backups import (
    Backup,
    get_backup,
    list_backups,
    newest_backups,
    read_content,
)
from ocs.provisioning.compliance.drift import FOREIGN_SECRET, expected, repair
from ocs.provisioning.compliance.examiner import Compliance, Examiner, Look
from ocs.provisioning.compliance.golden import SEVERITIES, Judgement, Subject, Verdict, judge
from ocs.provisioning.compliance.path_pattern import path_pattern
from ocs.provisioning.compliance.record import Drift, LookRecord
from ocs.provisioning.configuration import PathError, canonical_path, diff_lines, difference, restricted
from ocs.provisioning.configuration_work import ConfigurationPlanner, ConfigurationWork
from ocs.provisioning.element import Element
from ocs.provisioning.errors import ElementError
from ocs.provisioning.services.planner import ServiceAction, ServiceOrder, encode_order
from ocs.provisioning.transactions.planner import WorkRefusedError
from ocs.provisioning.transactions.record import ElementPlan, Work
from ocs.provisioning_setup import MODELS, service_planner
from ocs.service_parameters import said_parameters
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

EXIT_FINDINGS: Final = 1


def add_commands(actions: Subcommands, common: argparse.ArgumentParser) -> None:
    """Add the actions to ``config``."""
    drift = actions.add_parser(
        "drift", parents=[common], help="where elements differ from what services want; what to do about it"
    )
    drift.add_argument("element", nargs="?", default="", help="default: all")
    drift.add_argument("--path", default="", metavar="PATTERN", help="only what lies there")
    drift.add_argument("--now", action="store_true", help="compare now; else what was found last")
    deeds = drift.add_mutually_exclusive_group()
    deeds.add_argument("--accept", action="store_true", help="have the record follow the element")
    deeds.add_argument("--revert", action="store_true", help="have the element follow the record")
    add_change_options(drift)
    drift.set_defaults(run=_drift)
    comply = actions.add_parser(
        "comply", parents=[common], help="how elements keep the rules of [provisioning] golden"
    )
    comply.add_argument("element", nargs="*", help="default: all")
    comply.add_argument("--rule", action="append", default=[], metavar="ID", help="only these rules")
    comply.add_argument(
        "--now", action="store_true", help="ask the elements; else the newest backups are judged"
    )
    comply.add_argument("--all", action="store_true", help="also what is kept")
    add_json(comply)
    comply.set_defaults(run=_comply)
    _add_backups(actions, common)
    adopt = actions.add_parser(
        "adopt", parents=[common], help="record a service that is in the network already; nothing is sent"
    )
    adopt.add_argument("service")
    adopt.add_argument("--model", choices=sorted(MODELS), required=True, help="its kind")
    adopt.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter")
    adopt.add_argument("--customer", default="", help="who pays")
    adopt.add_argument("--subscribers", type=int, default=1, help="how many use it (1)")
    add_change_options(adopt)
    adopt.set_defaults(run=_adopt)


def _add_backups(actions: Subcommands, common: argparse.ArgumentParser) -> None:
    backup = actions.add_parser("backup", parents=[common], help="keep what elements run now")
    backup.add_argument("element", nargs="*", help="default: all")
    backup.set_defaults(run=_backup)
    history = actions.add_parser("history", parents=[common], help="what an element ran when")
    history.add_argument("element")
    history.add_argument("--version", type=int, default=0, help="show this one")
    history.add_argument("--at", type=moment_ms, default=0, metavar="MOMENT", help="show what ran then")
    history.add_argument("--native", action="store_true", help="in the element's own language")
    history.add_argument("--diff", type=int, default=0, metavar="VERSION", help="what changed since this one")
    add_json(history)
    history.set_defaults(run=_history)
    restore = actions.add_parser(
        "restore", parents=[common], help="have an element run a backup again, by a transaction"
    )
    restore.add_argument("element")
    restore.add_argument("--version", type=int, default=0, help="default: the newest")
    restore.add_argument("--at", type=moment_ms, default=0, metavar="MOMENT", help="what ran then")
    restore.add_argument("--within", action="append", default=[], metavar="PATH", help="only what lies there")
    restore.add_argument("--force", action="store_true", help="also what services own")
    add_change_options(restore)
    restore.set_defaults(run=_restore)


# --- Drift ----------------------------------------------------------------------------------------------------------


def _drift(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    name: str = options.element
    if name:
        desk.element(name)
    if options.now:
        _look_at(desk, [name] if name else [], "asked for")
    drifts = desk.database.read_blocking(lambda connection: record.read_drift(connection, name))
    if options.path:
        pattern = path_pattern(_pattern(options.path))
        drifts = [one for one in drifts if pattern.matches(one.finding.path)]
    if options.accept or options.revert:
        if not name:
            raise SettingsError("expected the element whose drift is meant")
        (_accept if options.accept else _revert)(desk, options, drifts)
        return
    looks = desk.database.read_blocking(record.read_looks)
    if options.json:
        print_json(
            {"drift": drifts, "elements": [one for one in looks.values() if name in {"", one.element}]}
        )
    else:
        _print_drift(desk, drifts, [one for one in looks.values() if name in {"", one.element}])
    if drifts:
        sys.exit(EXIT_FINDINGS)


def _print_drift(desk: TransactionDesk, drifts: list[Drift], looks: list[LookRecord]) -> None:
    last = ""
    for one in drifts:
        if one.element != last:
            desk.console.print(one.element)
            last = one.element
        whose = ", ".join(one.finding.owners)
        who = f" by {one.who}" if one.who else ""
        desk.console.print(
            f"  {one.finding.kind} since {_moment(one.since_ms)}{who}, of {whose}: {one.action}"
        )
        print_lines([f"    {line}" for line in one.finding.lines])
    for look in looks:
        if look.trouble:
            desk.console.print(
                f"{look.element}: not compared since {_moment(look.looked_ms)}: {look.trouble}"
            )
    if not drifts:
        desk.console.print("nothing differs" if looks else "no element was compared yet")


def _accept(desk: TransactionDesk, options: argparse.Namespace, drifts: list[Drift]) -> None:
    name: str = options.element

    def work(connection: Connection) -> None:
        if record.read_standing(connection, name).is_held:
            raise OperationError(f"{name}: a transaction is under way there: try again when it has ended")
        if unknown := [one.finding.path for one in drifts if one.finding.found == FOREIGN_SECRET]:
            raise OperationError(
                f"{name}: {unknown[0]} holds a secret that is none of secrets_dir: it cannot be accepted, only reverted"
            )
        record.accept(connection, name, [one.finding for one in drifts])
        for one in drifts:
            record.forget_drift(connection, name, one.finding.path)

    if not options.dry_run:
        desk.database.write_blocking(work)
    for one in drifts:
        print_lines(one.finding.lines)
    desk.console.print(f"{name}: {len(drifts)} {'would be' if options.dry_run else 'are'} accepted")


def _revert(desk: TransactionDesk, options: argparse.Namespace, drifts: list[Drift]) -> None:
    name: str = options.element
    findings = [one.finding for one in drifts]
    if not findings:
        desk.console.print("nothing differs")
        return
    work = ConfigurationWork({name: repair(findings)}, {name: expected(findings)})
    _change(desk, options, work, f"revert drift of {name}")


def _change(
    desk: TransactionDesk, options: argparse.Namespace, work: ConfigurationWork, description: str
) -> None:
    """Show a change of elements, or make it."""
    planner = ConfigurationPlanner()
    try:
        plan = desk.database.read_blocking(lambda connection: planner.plan(connection, work.work().payload))
    except WorkRefusedError as error:
        raise OperationError(f"{error}; --force changes it all the same") from None
    if options.dry_run:
        sessions = desk.sessions()
        touched = {desk.element(one.element): one.forward.paths for one in plan.elements}
        running = read_elements(sessions, touched)
        print_previews(preview(plan.elements, sessions, desk.element, running), as_json=options.json)
        return
    transaction = new_transaction(options, work.work(), tuple(work.changes), description, desk.now_ms)
    ended = make_change(desk, options, transaction)
    if options.json:
        print_json(as_record(ended))
    else:
        desk.console.print(f"transaction {ended.transaction_id} is {standing(ended)}")


def _look_at(desk: TransactionDesk, names: list[str], cause: str) -> dict[str, Look | str]:
    """Compare and back up elements now; element -> what was found, or why it could not be."""
    elements = [one.management for one in _records(desk, names) if one.management is not None]
    sessions = desk.sessions()
    rules = read_compliance_rules(desk.settings)
    examiner = Examiner(Compliance(desk.database, sessions, SystemClock(), rules.drift))
    found: dict[str, Look | str] = {}

    async def look(element: Element) -> None:
        try:
            found[element.name] = await examiner.look(element, cause=f"{cause} by {getpass.getuser()}")
        except ElementError as error:
            found[element.name] = str(error)

    async def look_at_all() -> None:
        async with asyncio_loop(), trio.open_nursery() as nursery:
            for element in elements:
                nursery.start_soon(look, element)

    trio.run(look_at_all)
    return found


def _records(desk: TransactionDesk, names: list[str]) -> list[ElementRecord]:
    def work(connection: Connection) -> list[ElementRecord]:
        if names:
            return [get_element(connection, name) for name in names]
        return [one for one in list_elements(connection) if one.management is not None]

    return desk.database.read_blocking(work)


# --- Rules ----------------------------------------------------------------------------------------------------------


def _comply(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    rules = read_compliance_rules(desk.settings)
    chosen = [rule for rule in rules.rules if not options.rule or rule.id in options.rule]
    if unknown := set(options.rule).difference(rule.id for rule in chosen):
        raise SettingsError(f"--rule {min(unknown)}: there is no such rule in [provisioning] golden")
    records = _records(desk, options.element)
    if options.now:
        _look_at(desk, [one.name for one in records], "asked for")
    today = datetime.now(UTC).date()
    judgements: list[Judgement] = []
    unknown_elements: list[str] = []
    newest = desk.database.read_blocking(newest_backups)
    for one in records:
        backup = newest.get(one.name)
        if backup is None or one.management is None:
            unknown_elements.append(one.name)
            continue
        subject = Subject(element=one.name, type_name=one.management.type_name, role=one.role, site=one.site)
        content = desk.database.read_blocking(
            lambda connection, found=backup: read_content(connection, found)
        )
        judgements += judge(chosen, rules.exceptions, subject, content.configuration, today)
    if options.json:
        print_json({"judgements": judgements, "unknown": unknown_elements})
    else:
        _print_judgements(desk, options, judgements, unknown_elements)
    if any(one.verdict is Verdict.BROKEN for one in judgements):
        sys.exit(EXIT_FINDINGS)


def _print_judgements(
    desk: TransactionDesk, options: argparse.Namespace, judgements: list[Judgement], unknown: list[str]
) -> None:
    shown = [one for one in judgements if options.all or one.verdict is not Verdict.KEPT]
    if shown:
        table = Table("element", "rule", "severity", "", "problems", box=None)
        for one in sorted(shown, key=lambda one: (one.element, SEVERITIES.index(one.severity), one.rule)):
            problems = "\n".join([*one.problems, *([one.reason] if one.reason else [])])
            table.add_row(one.element, one.rule, one.severity, str(one.verdict), problems)
        print_table(table)
    for name in unknown:
        desk.console.print(f"{name}: there is no backup of it yet: `ocs config backup {name}`")
    counts = {verdict: sum(one.verdict is verdict for one in judgements) for verdict in Verdict}
    desk.console.print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


# --- Backups --------------------------------------------------------------------------------------------------------


def _backup(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    failed = False
    for name, look in sorted(_look_at(desk, options.element, "asked for").items()):
        if isinstance(look, str):
            failed = True
            desk.console.print(look)
        elif look.was_put_off:
            failed = True
            desk.console.print(f"{name}: a transaction is under way there: try again when it has ended")
        elif look.backup:
            desk.console.print(f"{name}: version {look.backup}")
        else:
            desk.console.print(f"{name}: as it was")
    if failed:
        sys.exit(EXIT_FINDINGS)


def _history(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    name: str = options.element
    if not (options.version or options.at or options.native or options.diff):
        kept = desk.database.read_blocking(lambda connection: list_backups(connection, name))
        if options.json:
            print_json(kept)
        else:
            _print_history(kept)
        return

    def read(connection: Connection) -> Any:
        backup = get_backup(connection, name, version=options.version, at_ms=options.at)
        before = get_backup(connection, name, version=options.diff) if options.diff else backup
        return read_content(connection, backup), read_content(connection, before)

    content, before = desk.database.read_blocking(read)
    if options.diff:
        diff = difference(before.configuration, content.configuration)
        if options.json:
            print_json(diff)
        else:
            print_lines(diff_lines(before.configuration, diff))
    elif options.native:
        sys.stdout.write(f"{content.native.rstrip()}\n")
    elif options.json:
        print_json(dict(sorted(content.configuration.items())))
    else:
        for path, value in sorted(content.configuration.items()):
            desk.console.print(path if value is None else f"{path} = {value}")


def _print_history(kept: list[Backup]) -> None:
    table = Table("version", "taken", "last seen", "why", box=None)
    for one in kept:
        table.add_row(str(one.version), _moment(one.taken_ms), _moment(one.seen_ms), one.cause)
    print_table(table)


def _restore(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    element = desk.element(options.element)
    within = [_path(path) for path in options.within]
    backup, content = desk.database.read_blocking(
        lambda connection: (
            found := get_backup(connection, element.name, version=options.version, at_ms=options.at),
            read_content(connection, found),
        )
    )
    running = read_elements(desk.sessions(), {element: within})[element.name]
    goal = restricted(content.configuration, within) if within else content.configuration
    diff = difference(running, goal)
    if not diff:
        desk.console.print(f"{element.name} runs what version {backup.version} has")
        return
    for path, value in sorted(diff.set.items()):
        if value == FOREIGN_SECRET:
            raise OperationError(
                f"{element.name}: {path} was a secret of somebody else, which no backup holds: leave it out by --within"
            )
    stands = {path: running[path] for path in diff.paths if path in running}
    work = ConfigurationWork({element.name: diff}, {element.name: stands}, is_forced=options.force)
    _change(desk, options, work, f"restore version {backup.version} of {element.name}")


# --- Adoption -------------------------------------------------------------------------------------------------------


class _PlannedError(Exception):
    """Leaves a unit of work without its effects."""

    def __init__(self, plans: tuple[ElementPlan, ...]) -> None:
        super().__init__()
        self.plans = plans


def _adopt(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    parameters = said_parameters(options.model, options.set)
    empty = new_transaction(options, Work("", b""), (), f"adopt {options.service}", desk.now_ms)
    order = ServiceOrder(
        reference=empty.transaction_id,
        service_id=options.service,
        action=ServiceAction.CREATE,
        model=options.model,
        parameters=read_parameters(options.model, parameters),
        customer=options.customer,
        subscribers=options.subscribers,
    )
    plans = _planned(desk, order)
    # What lies in the entries that it wants: whether they are its alone.
    running = read_elements(desk.sessions(), {desk.element(one.element): one.forward.paths for one in plans})
    lacking = {one.element: missing(one.forward, running[one.element]) for one in plans}
    if any(lacking.values()):
        for name, diff in lacking.items():
            print_lines([f"{name}: {line}" for line in diff_lines(running[name], diff)])
        raise OperationError(
            f"{options.service}: the network differs from what the service wants: nothing was recorded"
        )
    if options.dry_run:
        desk.console.print(f"{options.service} can be adopted on {', '.join(running)}")
        return
    transaction = msgspec.structs.replace(
        empty, work=AdoptionWork(order, running).work(), elements=tuple(running)
    )
    ended = make_change(desk, options, transaction)
    if options.json:
        print_json(as_record(ended))
    else:
        desk.console.print(f"{options.service} is adopted on {', '.join(running)}")


def _planned(desk: TransactionDesk, order: ServiceOrder) -> tuple[ElementPlan, ...]:
    """What the service would send; planned in a unit of work that is given up."""
    planner = service_planner()

    def work(connection: Connection) -> None:
        raise _PlannedError(planner.plan(connection, encode_order(order)).elements)

    try:
        desk.database.write_blocking(work)
    except _PlannedError as done:
        return done.plans
    except WorkRefusedError as error:
        raise OperationError(str(error)) from None
    return ()


# --- Words ----------------------------------------------------------------------------------------------------------


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S") if at_ms else "never"


def _path(text: str) -> str:
    try:
        return canonical_path(text)
    except PathError as error:
        raise SettingsError(str(error)) from None


def _pattern(text: str) -> str:
    try:
        path_pattern(text)
    except PathError as error:
        raise SettingsError(f"--path: {error}") from None
    return text
