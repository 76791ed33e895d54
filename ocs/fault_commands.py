"""``ocs faults``: check alarm rules, add MIBs, and ask what a trap would become.

Only ``resync`` needs a running system.
"""

import argparse
import json
import sys
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from ocs.clock import SystemClock
from ocs.faults.mibs import MibError, MibNames, open_mib_names
from ocs.faults.mibs.folder import own_modules, save_module
from ocs.faults.mibs.model import MibModule, NodeKind
from ocs.faults.resync.report import ResyncReport
from ocs.faults.rules import RulesError, load_rules
from ocs.faults.rules.described_trap import DescriptionError, described_trap
from ocs.faults.supervision.supervised import RESYNC_QUESTION
from ocs.faults.topology.schema import TopologyError
from ocs.faults.topology.toml_topology import TomlTopology
from ocs.launch import Launch
from ocs.limits import RESYNC_TIMEOUT_S
from ocs.near_names import meant_instead
from ocs.network_topology import open_topology
from ocs.process_commands import NotRunningError
from ocs.settings import Settings, resolve_path
from ocs.worker_channel import WorkerChannel, WorkerSilentError

EXIT_FINDINGS: Final = 1
_decode_report: Final = msgspec.msgpack.Decoder(ResyncReport).decode


def add_commands(
    commands: "argparse._SubParsersAction[Any]",  # pyright: ignore[reportPrivateUsage] - argparse has no public name
    common: argparse.ArgumentParser,
) -> None:
    """Add ``faults`` to the command line."""
    faults = commands.add_parser("faults", help="what traps mean: rules and MIBs").add_subparsers(
        required=True, metavar="ACTION"
    )
    _add_explain(faults, common)
    rules = faults.add_parser("rules", help="alarm rules").add_subparsers(required=True, metavar="ACTION")
    check = rules.add_parser("check", parents=[common], help="read the rules and tell the first mistake")
    check.add_argument("folder", type=Path, nargs="?", default=None, help="default: [faults] rules")
    check.set_defaults(run=_check)
    mib = faults.add_parser("mib", help="MIBs of vendors").add_subparsers(required=True, metavar="ACTION")
    add = mib.add_parser(
        "add",
        parents=[common],
        help="compile MIB files, and keep them; the network process reads them when it starts",
    )
    add.add_argument("file", type=Path, nargs="+", help="a module and, in any order, what it imports")
    add.set_defaults(run=_add)
    listing = mib.add_parser("list", parents=[common], help="the modules that were added")
    listing.set_defaults(run=_list)
    explain = mib.add_parser("explain", parents=[common], help="what a name or an object identifier is")
    explain.add_argument("name", help="IF-MIB::ifOperStatus, ifOperStatus.3 or 1.3.6.1.2.1.2.2.1.8.3")
    explain.set_defaults(run=_explain_name)
    resync = faults.add_parser(
        "resync", parents=[common], help="ask an element what stands there, and bring the alarm list to it"
    )
    resync.add_argument("element", help="its name in the topology")
    resync.add_argument("--json", action="store_true")
    resync.set_defaults(run=_resync)


def _add_explain(faults: "argparse._SubParsersAction[Any]", common: argparse.ArgumentParser) -> None:  # pyright: ignore[reportPrivateUsage]
    explain = faults.add_parser("explain", parents=[common], help="which alarms a trap becomes, and why")
    what = explain.add_mutually_exclusive_group(required=True)
    what.add_argument("--trap", help="its name or object identifier: IF-MIB::linkDown")
    what.add_argument(
        "--packet",
        type=Path,
        metavar="FILE",
        help="a recorded datagram of v1 or v2c, as octets or hexadecimal",
    )
    explain.add_argument(
        "--varbind",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="IF-MIB::ifIndex.3=3; may be repeated",
    )
    explain.add_argument(
        "--source",
        default="192.0.2.1",
        metavar="ADDRESS",
        help="where it comes from; the name of an element will do",
    )
    explain.add_argument("--rules", type=Path, default=None, metavar="FOLDER", help="default: [faults] rules")
    explain.add_argument("--json", action="store_true")
    explain.set_defaults(run=_explain)


def _open(options: argparse.Namespace) -> tuple[Settings, Launch]:
    return options.open(options)


def _mib_folder(settings: Settings, launch: Launch) -> Path:
    return launch.data_dir / settings.faults.mibs


def _names(options: argparse.Namespace) -> tuple[Settings, MibNames]:
    settings, launch = _open(options)
    return settings, open_mib_names(_mib_folder(settings, launch))


# --- Rules ------------------------------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> None:
    settings, names = _names(options)
    folder: Path = options.folder or resolve_path(settings, settings.faults.rules)
    try:
        book = load_rules(folder, names)
    except RulesError as error:
        print(error)
        print("NOT USABLE")
        sys.exit(EXIT_FINDINGS)
    traps = len({(rule.trap_oid, rule.is_prefix) for rule in book.rules})
    print(f"usable: {len(book.rules)} rules about {traps} traps")


def _explain(options: argparse.Namespace) -> None:
    settings, names = _names(options)
    _, launch = _open(options)
    topology = open_topology(settings, launch.data_dir)
    rules: Path = options.rules or resolve_path(settings, settings.faults.rules)
    book = load_rules(rules, names, element_of=topology.element_of)
    now_ms = SystemClock().now_ms()
    source = _address_of(options.source, topology)
    if options.packet is None:
        notification = described_trap(options.trap, options.varbind, names, source=source, received_ms=now_ms)
    elif options.varbind:
        raise DescriptionError("--varbind goes with --trap: a recorded datagram has its own")
    else:
        # The decoder knows of secured messages too, and loads all of cryptography for them.
        from ocs.faults.rules.recorded_trap import recorded_trap

        notification = recorded_trap(options.packet.read_bytes(), source=source, received_ms=now_ms)
    explanation = book.explain(notification)
    if options.json:
        json.dump(msgspec.to_builtins(explanation), sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    element = topology.element_of(source) or ("no element of the topology" if topology.elements else "")
    print(f"{explanation.trap} from {source}" + (f" ({element})" if element else ""))
    for name, value in explanation.varbinds:
        print(f"  {name} = {value}")
    for step in explanation.steps:
        print(f"- {step}")


def _address_of(source: str, topology: TomlTopology) -> str:
    """The address that notifications of an element come from, by either.

    Raises:
        DescriptionError: it is neither.
    """
    try:
        return str(ip_address(source))
    except ValueError:
        pass
    element = topology.elements.get(source)
    if element is None:
        near = meant_instead(source, topology.elements)
        raise DescriptionError(
            f"--source: expected an address or an element of the topology, not {source!r}{near}"
        )
    if not element.addresses:
        raise DescriptionError(f"--source: the topology knows no address of {source}: give one")
    return str(ip_address(element.addresses[0]))


# --- Elements ---------------------------------------------------------------------------------------------------


def _resync(options: argparse.Namespace) -> None:
    settings, launch = _open(options)
    element: str = options.element
    elements = open_topology(settings, launch.data_dir).elements
    known = elements.get(element)
    if known is None:
        near = meant_instead(element, elements)
        raise TopologyError("", element, f"expected the name of an element of the topology{near}")
    if known.agent is None:
        expectation = (
            'expected how it is asked, such as { community_file = "secrets/lookup" }: see docs/noc.md'
        )
        raise TopologyError(settings.faults.topology, f"elements[{element}].agent", expectation)
    channel = WorkerChannel("network", launch.data_dir / "run" / "network.sock")
    # Its turn may come after that of others.
    ask = partial(channel.ask, f"{RESYNC_QUESTION}{element}", timeout_s=3 * RESYNC_TIMEOUT_S)
    try:
        answer = trio.run(ask)
    except WorkerSilentError as error:
        raise NotRunningError(f"{error}: does `ocs up` run here, with this topology?") from None
    report = _decode_report(answer)
    if options.json:
        json.dump(msgspec.to_builtins(report), sys.stdout, indent=2)
        sys.stdout.write("\n")
    elif not report.failure:
        for table in report.tables:
            said = f"{table.rows} rows" if table.is_told else "the element has no such table"
            print(f"{table.name}: {said}")
        print(f"{report.raised} raised or changed, {report.cleared} cleared")
    if report.failure:
        print(f"{element}: {report.failure}", file=sys.stderr)
        sys.exit(EXIT_FINDINGS)


# --- MIBs -------------------------------------------------------------------------------------------------------


def _add(options: argparse.Namespace) -> None:
    # pysmi's grammar takes half a second to build: only for this command.
    from ocs.faults.mibs.compiler import compile_mibs, read_source

    settings, names = _names(options)
    _, launch = _open(options)
    sources = [read_source(path) for path in options.file]
    for module in compile_mibs(sources, {known.name: known for known in names.modules}):
        path = save_module(_mib_folder(settings, launch), module)
        print(f"{_summary(module)}: {path}")


def _list(options: argparse.Namespace) -> None:
    settings, launch = _open(options)
    modules = own_modules(_mib_folder(settings, launch))
    for module in modules:
        print(_summary(module))
    if not modules:
        print("none was added; standard MIBs are known without it")


def _summary(module: MibModule) -> str:
    traps = sum(one.kind is NodeKind.NOTIFICATION for one in module.objects)
    return f"{module.name}, {len(module.objects)} objects, {traps} of them notifications"


def _explain_name(options: argparse.Namespace) -> None:
    _, names = _names(options)
    oid = names.oid_of(options.name)
    place = names.place_of(oid)
    if place is None:
        raise MibError("", 0, f"no MIB module knows what is above {oid}")
    found, mib_type = place.object, place.mib_type
    print(f"{place} is {oid}")
    print(f"  {found.kind.name.lower()} {found.name} of {place.module}, {found.oid}")
    if mib_type is not None:
        hint = f", shown by {mib_type.hint}" if mib_type.hint else ""
        print(f"  type {mib_type.name} ({mib_type.base.name.lower()}{hint})")
        for number, label in mib_type.labels.items():
            print(f"    {number} {label}")
    if place.instance:
        parts = names.index_texts(oid)
        labels = names.index_names(oid)
        for number, part in enumerate(parts):
            print(f"  index {number + 1}: {part}{f' ({labels[number]})' if number < len(labels) else ''}")
    if found.related:
        print(f"  {'index' if found.kind is NodeKind.ROW else 'objects'}: {', '.join(found.related)}")
