"""``ocs inventory trust|discover|reconcile``: what an element says itself, against what the inventory says of it."""

import argparse
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import trio
from sqlalchemy import Connection

from ocs.alarm_terminal import Subcommands, add_json, print_json
from ocs.asyncio_bridge import asyncio_loop
from ocs.clock import SystemClock
from ocs.faults.resync.agent import agents_of
from ocs.inventory.asking import discovered_by_snmp, presented_key
from ocs.inventory.elements import get_element, trust_host_key
from ocs.inventory.errors import InventoryError
from ocs.inventory.reconciliation import FindingKind, Source, accept, reconcile, record_discovery
from ocs.inventory.topology import element_entry
from ocs.inventory_listing import print_rows
from ocs.migrations import upgrade_schema
from ocs.sql import Database, database_url

_T = TypeVar("_T")
EXIT_FINDINGS = 1


def add_commands(actions: Subcommands, common: argparse.ArgumentParser) -> None:
    """Add them."""
    trust = actions.add_parser("trust", parents=[common], help="accept the host key that an element presents")
    trust.add_argument("element")
    trust.add_argument("--fingerprint", default="", help="accept this one only, and do not ask")
    trust.add_argument("--yes", action="store_true", help="do not ask")
    trust.set_defaults(run=_trust)
    discover = actions.add_parser(
        "discover", parents=[common], help="ask an element over SNMP what it consists of"
    )
    discover.add_argument("element")
    discover.set_defaults(run=_discover)
    compare = actions.add_parser(
        "reconcile", parents=[common], help="compare what is recorded of an element with what was found"
    )
    compare.add_argument("element")
    compare.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="RESOURCE",
        help="have the inventory say what was found; `all` accepts everything but cables",
    )
    add_json(compare)
    compare.set_defaults(run=_reconcile)


def _database(options: argparse.Namespace) -> Database:
    settings, launch = options.open(options)
    database = Database(database_url(settings, launch.data_dir))
    upgrade_schema(database)
    return database


def _ask(question: Callable[[], Awaitable[_T]]) -> _T:
    """Ask something of a library that speaks asyncio, from a command."""
    answers: list[_T | InventoryError] = []

    async def run() -> None:
        async with asyncio_loop():
            try:
                answers.append(await question())
            except InventoryError as error:
                answers.append(error)  # past the loop's nursery as itself, not in a group

    trio.run(run)
    answer = answers[0]
    if isinstance(answer, InventoryError):
        raise answer
    return answer


# --- Host keys ----------------------------------------------------------------------------------------------------


def _trust(options: argparse.Namespace) -> None:
    name: str = options.element
    database = _database(options)
    management = database.read_blocking(lambda connection: get_element(connection, name)).management
    if management is None:
        raise InventoryError(f"{name}: the inventory does not say how this element is managed")
    key = _ask(partial(presented_key, name, management.address, management.port))
    print(f"{name} at {management.address} port {management.port} presents {key.line.split()[0]}")
    print(key.fingerprint)
    if key.line == management.host_key:
        print("it is trusted already")
        return
    if management.host_key:
        print("ANOTHER KEY IS TRUSTED NOW: was the element replaced, or does somebody sit in between?")
    if options.fingerprint and options.fingerprint != key.fingerprint:
        raise InventoryError(
            f"{name}: it presents another key than {options.fingerprint}: nothing was changed"
        )
    if not (options.fingerprint or options.yes) and not _is_agreed():
        raise InventoryError(f"{name}: its key was not accepted: nothing was changed")
    database.write_blocking(lambda connection: trust_host_key(connection, name, key.line))
    print("trusted from now on")


def _is_agreed() -> bool:
    """Whether somebody who sits there says yes."""
    if not sys.stdin.isatty():
        return False
    return input("Compare it with the element's console. Trust it? [yes/no] ").strip().lower() == "yes"


# --- What there is ------------------------------------------------------------------------------------------------


def _discover(options: argparse.Namespace) -> None:
    name: str = options.element
    settings, _ = options.open(options)
    database = _database(options)
    entry = element_entry(database.read_blocking(lambda connection: get_element(connection, name)), ())
    if entry.agent is None:
        raise InventoryError(
            f"{name}: the inventory does not say how it is asked: set agent.community_file or agent.user"
        )
    agent = agents_of([entry], settings, entry.agent.walks)[name]
    found = _ask(partial(discovered_by_snmp, agent))
    seen_ms = SystemClock().now_ms()
    count = database.write_blocking(
        lambda connection: record_discovery(connection, name, Source.SNMP, found, seen_ms=seen_ms)
    )
    print(f"{name}: {count} interfaces and parts found; `ocs inventory reconcile {name}` compares")


def _reconcile(options: argparse.Namespace) -> None:
    name: str = options.element
    database = _database(options)
    findings = database.read_blocking(lambda connection: reconcile(connection, name))
    wanted = set(options.accept)
    unknown = wanted - {"all"} - {one.resource_id for one in findings}
    if unknown:
        raise InventoryError(f"{min(unknown)}: there is no such finding")

    def work(connection: Connection) -> None:
        for finding in findings:
            is_named = finding.resource_id in wanted
            if is_named or ("all" in wanted and finding.finding is not FindingKind.MISWIRED):
                accept(connection, finding)

    if wanted:
        database.write_blocking(work)
        findings = database.read_blocking(lambda connection: reconcile(connection, name))
    if options.json:
        print_json(findings)
    elif findings:
        print_rows(
            ("finding", "resource", "recorded", "found"),
            ((one.finding, one.resource_id, one.recorded, one.found) for one in findings),
        )
    else:
        print(f"{name}: the inventory says what the element says")
    if findings:
        sys.stdout.flush()
        sys.exit(EXIT_FINDINGS)
