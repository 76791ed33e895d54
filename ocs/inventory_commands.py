"""``ocs inventory``: what the network consists of, who uses what of it, and who suffers when something fails.

SQLAlchemy is loaded for these commands only.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection

from ocs import inventory_element_commands, inventory_number_commands
from ocs.alarm_terminal import Subcommands, add_json, duration_ms, print_json
from ocs.clock import SystemClock
from ocs.faults.topology.schema import TopologyError, TopologyFile
from ocs.faults.topology.toml_file import read_toml
from ocs.faults.topology.toml_topology import POLICY_FILE
from ocs.inventory.elements import add_elements, find_element, get_element, update_element
from ocs.inventory.errors import InventoryError
from ocs.inventory.impact import impact
from ocs.inventory.importing import InventoryDocument, bring_in, described, export
from ocs.inventory.model import (
    AdministrativeState,
    Attribute,
    ElementRecord,
    Kind,
    Lifecycle,
    OperationalState,
    Resource,
)
from ocs.inventory.registry import add_resource, remove_resource, update_resource
from ocs.inventory.reservations import (
    find_reservation,
    keep,
    release,
    reserve_prefix,
    reserve_vlan,
    take_back_expired,
)
from ocs.inventory.resources import ResourceQuery, get_resource, list_resources
from ocs.inventory.services import ServiceQuery, find_service, list_services, uses_of
from ocs.inventory_listing import (
    print_impact,
    print_resource,
    print_resources,
    print_service,
    print_services,
    print_tree,
)
from ocs.limits import INVENTORY_PAGE_MAX
from ocs.migrations import upgrade_schema
from ocs.provisioning.element import Element
from ocs.settings import resolve_path
from ocs.sql import Database, database_url

_T = TypeVar("_T")
_SERVICES_SHOWN: Final = 20


def add_commands(commands: Subcommands, common: argparse.ArgumentParser) -> None:
    """Add ``inventory`` to the command line."""
    actions = commands.add_parser(
        "inventory", help="what the network consists of, and who uses what of it"
    ).add_subparsers(required=True, metavar="ACTION")
    _add_reading(actions, common)
    _add_writing(actions, common)
    _add_reservations(actions, common)
    bring = actions.add_parser(
        "import", parents=[common], help="bring a description in: a folder of topology, or an export"
    )
    bring.add_argument("path", type=Path)
    bring.set_defaults(run=_import)
    out = actions.add_parser("export", parents=[common], help="write everything but SIMs and numbers as JSON")
    out.add_argument("file", type=Path, nargs="?", default=None, help="default: standard output")
    out.set_defaults(run=_export)
    inventory_element_commands.add_commands(actions, common)
    inventory_number_commands.add_commands(actions, common)


def _add_reading(actions: Subcommands, common: argparse.ArgumentParser) -> None:
    show = actions.add_parser("show", parents=[common], help="all that is known of a resource or a service")
    show.add_argument("name")
    add_json(show)
    show.set_defaults(run=_show)
    listing = actions.add_parser("list", parents=[common], help="resources, a page at a time")
    listing.add_argument("--kind", choices=[str(kind) for kind in Kind], action="append", default=[])
    listing.add_argument("--lifecycle", choices=[str(one) for one in Lifecycle], default=None)
    listing.add_argument("--within", default="", metavar="RESOURCE", help="that one and everything narrower")
    listing.add_argument("--after", default="", metavar="RESOURCE", help="where the page begins")
    listing.add_argument("--limit", type=int, default=100)
    add_json(listing)
    listing.set_defaults(run=_list)
    services = actions.add_parser("services", parents=[common], help="services, a page at a time")
    for name in ("model", "customer", "uses", "after"):
        services.add_argument(f"--{name}", default="")
    services.add_argument("--limit", type=int, default=100)
    add_json(services)
    services.set_defaults(run=_services)
    tree = actions.add_parser("tree", parents=[common], help="what lies in what")
    tree.add_argument("name", nargs="?", default="")
    tree.set_defaults(run=_tree)
    hit = actions.add_parser("impact", parents=[common], help="what and who suffers when a resource fails")
    hit.add_argument("name")
    add_json(hit)
    hit.set_defaults(run=_impact)


def _add_writing(actions: Subcommands, common: argparse.ArgumentParser) -> None:
    add = actions.add_parser("add", parents=[common], help="put a resource in")
    add.add_argument("name")
    add.add_argument("--kind", choices=[str(kind) for kind in Kind], required=True)
    update = actions.add_parser("update", parents=[common], help="change what is said of a resource")
    update.add_argument("name")
    update.add_argument(
        "--version", type=int, default=None, help="that was looked at; another one is refused"
    )
    for parser in (add, update):
        parser.add_argument("--in", dest="parent", default=None, metavar="RESOURCE", help="what holds it")
        parser.add_argument("--lifecycle", choices=[str(one) for one in Lifecycle], default=None)
        parser.add_argument(
            "--administrative", choices=[str(one) for one in AdministrativeState], default=None
        )
        parser.add_argument("--operational", choices=[str(one) for one in OperationalState], default=None)
        parser.add_argument("--depends-on", action="append", default=None, metavar="RESOURCE")
        parser.add_argument("--end", action="append", default=None, metavar="INTERFACE", help="of a link")
        parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an attribute")
        parser.add_argument("--unset", action="append", default=[], metavar="NAME")
        element = parser.add_argument_group("elements")
        element.add_argument("--role", default=None)
        element.add_argument("--notifies-from", action="append", default=None, metavar="ADDRESS")
        element.add_argument("--type", default=None, help="of config/network/types")
        element.add_argument("--address", default=None, help="where it is managed")
        element.add_argument("--port", type=int, default=None)
        element.add_argument("--credential", default=None, help="name of one of [[provisioning.credentials]]")
    add.set_defaults(run=_add)
    update.set_defaults(run=_update)
    remove = actions.add_parser("remove", parents=[common], help="take a resource out")
    remove.add_argument("name")
    remove.set_defaults(run=_remove)


def _add_reservations(actions: Subcommands, common: argparse.ArgumentParser) -> None:
    reserve = actions.add_parser("reserve", parents=[common], help="take a free VLAN or prefix")
    reserve.add_argument(
        "what", metavar="SITE|PREFIX", help="vlans are taken from sites, prefixes from prefixes"
    )
    reserve.add_argument("--length", type=int, default=None, help="of the prefix; default: one address")
    reserve.add_argument("--first", type=int, default=1, help="of the VLAN-IDs that may be taken")
    reserve.add_argument("--last", type=int, default=4_094)
    reserve.add_argument("--holder", required=True, help="the service that is to have it")
    reserve.add_argument("--purpose", default=None, help="tells several of one holder apart")
    reserve.add_argument("--keep", action="store_true", help="until it is released")
    reserve.add_argument("--for", dest="length_ms", type=duration_ms, default=None, metavar="TIME")
    add_json(reserve)
    reserve.set_defaults(run=_reserve)
    give_back = actions.add_parser("release", parents=[common], help="give back what was reserved")
    give_back.add_argument("name", nargs="?", default="")
    give_back.add_argument("--holder", default="")
    give_back.add_argument("--expired", action="store_true", help="everything whose time is over")
    give_back.set_defaults(run=_release)


# --- The database -------------------------------------------------------------------------------------------------


def _database(options: argparse.Namespace) -> Database:
    settings, launch = options.open(options)
    database = Database(database_url(settings, launch.data_dir))
    upgrade_schema(database)
    return database


def _read(options: argparse.Namespace, work: Callable[[Connection], _T]) -> _T:
    return _database(options).read_blocking(work)


def _write(options: argparse.Namespace, work: Callable[[Connection], _T]) -> _T:
    return _database(options).write_blocking(work)


# --- Reading ------------------------------------------------------------------------------------------------------


def _show(options: argparse.Namespace) -> None:
    def work(connection: Connection) -> None:
        service = find_service(connection, options.name)
        if service is not None:
            uses = uses_of(connection, service.service_id)
            if options.json:
                print_json({"service": service, "uses": uses})
            else:
                print_service(service, uses)
            return
        resource = get_resource(connection, options.name)
        name = resource.resource_id
        element = find_element(connection, name)
        held = find_reservation(connection, name)
        users = list_services(connection, ServiceQuery(uses=name, limit=_SERVICES_SHOWN))
        if options.json:
            print_json({"resource": resource, "element": element, "reservation": held, "services": users})
        else:
            print_resource(resource, element, held, users)

    _read(options, work)


def _list(options: argparse.Namespace) -> None:
    query = ResourceQuery(
        kinds=tuple(Kind(kind) for kind in options.kind),
        lifecycle=None if options.lifecycle is None else Lifecycle(options.lifecycle),
        within=options.within,
        after=options.after,
        limit=options.limit,
    )
    found = _read(options, lambda connection: list_resources(connection, query))
    (print_json if options.json else print_resources)(found)


def _services(options: argparse.Namespace) -> None:
    query = ServiceQuery(
        model=options.model,
        customer=options.customer,
        uses=options.uses,
        after=options.after,
        limit=options.limit,
    )
    found = _read(options, lambda connection: list_services(connection, query))
    (print_json if options.json else print_services)(found)


def _tree(options: argparse.Namespace) -> None:
    def work(connection: Connection) -> None:
        top = get_resource(connection, options.name).resource_id if options.name else ""
        found: list[Resource] = []
        waiting = [top]
        if not top:
            found = _every(connection)
        while top and waiting:
            inner = list_resources(connection, ResourceQuery(parent=waiting.pop(), limit=INVENTORY_PAGE_MAX))
            found += inner
            waiting += [one.resource_id for one in inner]
        print_tree(top, found)

    _read(options, work)


def _every(connection: Connection) -> list[Resource]:
    found: list[Resource] = []
    after = ""
    while page := list_resources(connection, ResourceQuery(after=after, limit=INVENTORY_PAGE_MAX)):
        found += page
        after = page[-1].resource_id
    return found


def _impact(options: argparse.Namespace) -> None:
    found = _read(options, lambda connection: impact(connection, options.name))
    (print_json if options.json else print_impact)(found)


# --- Writing ------------------------------------------------------------------------------------------------------


def _add(options: argparse.Namespace) -> None:
    resource = _said(options, Resource(resource_id=options.name, kind=Kind(options.kind)))
    _check_management(options)

    def work(connection: Connection) -> None:
        if resource.kind is Kind.ELEMENT:
            add_elements(connection, [_said_of_element(options, ElementRecord(resource=resource))])
        else:
            add_resource(connection, resource)

    _write(options, work)
    print(f"{options.name}: added")


def _update(options: argparse.Namespace) -> None:
    _check_management(options)

    def work(connection: Connection) -> None:
        before = get_resource(connection, options.name)
        wanted = _said(options, before)
        if options.version is not None:
            wanted = msgspec.structs.replace(wanted, version=options.version)
        if wanted.kind is Kind.ELEMENT:
            record = msgspec.structs.replace(get_element(connection, wanted.resource_id), resource=wanted)
            update_element(connection, _said_of_element(options, record))
        else:
            update_resource(connection, wanted)

    _write(options, work)
    print(f"{options.name}: changed")


def _said(options: argparse.Namespace, resource: Resource) -> Resource:
    """A resource with what the options say of it."""
    attributes = {name: value for name, value in resource.attributes.items() if name not in options.unset}
    for text in options.set:
        name, separator, value = text.partition("=")
        if not name or not separator:
            raise InventoryError(f"{text}: expected NAME=VALUE")
        attributes[name] = _value(value)
    said: dict[str, Any] = {
        "parent": options.parent,
        "lifecycle": None if options.lifecycle is None else Lifecycle(options.lifecycle),
        "administrative_state": (
            None if options.administrative is None else AdministrativeState(options.administrative)
        ),
        "operational_state": None if options.operational is None else OperationalState(options.operational),
        "depends_on": None if options.depends_on is None else tuple(options.depends_on),
        "ends": None if options.end is None else tuple(options.end),
    }
    given = {name: value for name, value in said.items() if value is not None}
    return msgspec.structs.replace(resource, attributes=attributes, **given)


def _check_management(options: argparse.Namespace) -> None:
    """Refuse a type of elements that there is not; a credential may come later, and is warned about.

    Raises:
        InventoryError: there is no such type; names those that there are.
    """
    settings, _ = options.open(options)
    folder = resolve_path(settings, settings.provisioning.types)
    if options.type and not folder.is_dir():
        sys.stderr.write(f"warning: {folder}: no such folder: type {options.type} is not known\n")
    elif options.type:
        known = {path.stem for path in folder.glob("*.toml")}
        if options.type not in known:
            raise InventoryError(f"--type {options.type}: no such type; there are {', '.join(sorted(known))}")
    if options.credential and options.credential not in {
        one.name for one in settings.provisioning.credentials
    }:
        sys.stderr.write(
            f"warning: the configuration has no [[provisioning.credentials]] with name = {options.credential!r}\n"
        )


def _said_of_element(options: argparse.Namespace, record: ElementRecord) -> ElementRecord:
    known = record.management
    given = {
        "type_name": options.type,
        "address": options.address,
        "port": options.port,
        "credential": options.credential,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if given:
        empty = Element(name=record.name, type_name="", address="", port=830, credential="")
        known = msgspec.structs.replace(known or empty, **given)
    return msgspec.structs.replace(
        record,
        management=known,
        role=record.role if options.role is None else options.role,
        addresses=record.addresses if options.notifies_from is None else tuple(options.notifies_from),
    )


def _value(text: str) -> Attribute:
    """A number or true and false as what they are; everything else is text."""
    try:
        return msgspec.json.decode(text.encode(), type=bool | int | float)
    except msgspec.DecodeError:
        return text


def _remove(options: argparse.Namespace) -> None:
    _write(options, lambda connection: remove_resource(connection, options.name))
    print(f"{options.name}: removed")


# --- Reservations -------------------------------------------------------------------------------------------------


def _reserve(options: argparse.Namespace) -> None:
    settings, _ = options.open(options)
    length_ms: int = options.length_ms or settings.inventory.reservation_s * 1_000
    expires_ms = SystemClock().now_ms() + length_ms

    def work(connection: Connection) -> Any:
        pool = get_resource(connection, options.what)
        name = pool.resource_id
        match pool.kind:
            case Kind.SITE:
                taken = reserve_vlan(
                    connection,
                    name,
                    holder=options.holder,
                    expires_ms=expires_ms,
                    purpose=options.purpose or "vlan",
                    first=options.first,
                    last=options.last,
                )
            case Kind.PREFIX:
                length: int = options.length or (128 if ":" in name else 32)
                taken = reserve_prefix(
                    connection,
                    name,
                    length,
                    holder=options.holder,
                    expires_ms=expires_ms,
                    purpose=options.purpose or "prefix",
                )
            case _:
                raise InventoryError(f"{name}: expected a site or a prefix")
        return keep(connection, taken.resource_id, options.holder) if options.keep else taken

    taken = _write(options, work)
    if options.json:
        print_json(taken)
    else:
        print(taken.resource_id)


def _release(options: argparse.Namespace) -> None:
    if bool(options.name) == options.expired or (options.name and not options.holder):
        raise InventoryError("expected a resource and its --holder, or --expired")
    if options.name:
        _write(options, lambda connection: release(connection, options.name, options.holder))
        print(f"{options.name}: released")
        return
    now_ms = SystemClock().now_ms()
    while taken := _write(options, lambda connection: take_back_expired(connection, now_ms)):
        for one in taken:
            print(f"{one.resource_id}: {one.holder} did not need it in time")


# --- Import and export --------------------------------------------------------------------------------------------


def _import(options: argparse.Namespace) -> None:
    path: Path = options.path
    document = _folder(path) if path.is_dir() else _file(path)
    done = _write(options, lambda connection: bring_in(connection, document))
    print(f"{path}: {done.added} added, {done.changed} changed, {done.unchanged} as they were")


def _folder(path: Path) -> InventoryDocument:
    files = {
        one.name: read_toml(one, TopologyFile)
        for one in sorted(path.iterdir())
        if one.suffix == ".toml" and one.name != POLICY_FILE
    }
    if not files:
        raise TopologyError(str(path), "", "expected a folder with topology files (*.toml)")
    return described(files)


def _file(path: Path) -> InventoryDocument:
    try:
        return msgspec.json.decode(path.read_bytes(), type=InventoryDocument)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InventoryError(f"{path}: expected what `ocs inventory export` writes: {error}") from None


def _export(options: argparse.Namespace) -> None:
    octets = msgspec.json.format(msgspec.json.encode(_read(options, export)), indent=2) + b"\n"
    if options.file is None:
        sys.stdout.write(octets.decode())
    else:
        options.file.write_bytes(octets)
        print(f"{options.file}: written")
