"""``ocs inventory numbers`` and ``ocs inventory sims``: what subscribers are given."""

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from ocs.alarm_terminal import Subcommands, add_json, print_json
from ocs.clock import SystemClock
from ocs.inventory.errors import InventoryError
from ocs.inventory.number_states import NumberState
from ocs.inventory.numbers import (
    DirectoryNumber,
    NumberRange,
    add_range,
    assign_number,
    list_numbers,
    list_ranges,
    port_back,
    port_in,
    port_out,
    recover_numbers,
    release_number,
    reserve_number,
    withdraw_number,
)
from ocs.inventory.sim_keys import load_sim_keys
from ocs.inventory.sims import (
    NewSim,
    Sim,
    SimState,
    add_sims,
    assign_sim,
    block_sim,
    list_sims,
    retire_sim,
)
from ocs.inventory_listing import print_rows
from ocs.migrations import upgrade_schema
from ocs.sql import Database, database_url

_T = TypeVar("_T")
_DAY_MS = 86_400_000


def add_commands(actions: Subcommands, common: argparse.ArgumentParser) -> None:
    """Add ``numbers`` and ``sims``."""
    numbers = actions.add_parser("numbers", help="MSISDNs: ranges, who has which").add_subparsers(
        required=True, metavar="ACTION"
    )
    ranges = numbers.add_parser("ranges", parents=[common], help="the ranges, and how many are free")
    add_json(ranges)
    ranges.set_defaults(run=_ranges)
    add = numbers.add_parser("add-range", parents=[common], help="put a range in")
    for name in ("name", "first", "last"):
        add.add_argument(name)
    add.set_defaults(run=_add_range)
    listing = numbers.add_parser("list", parents=[common], help="numbers, a page at a time")
    for name in ("range", "holder", "after"):
        listing.add_argument(f"--{name}", default="")
    listing.add_argument("--state", choices=[str(state) for state in NumberState], default=None)
    listing.add_argument("--limit", type=int, default=100)
    add_json(listing)
    listing.set_defaults(run=_list_numbers)
    recover = numbers.add_parser(
        "recover", parents=[common], help="free what rested or was reserved long enough"
    )
    recover.set_defaults(run=_recover)
    _add_deeds(numbers, common)
    _add_sims(actions, common)


def _add_deeds(numbers: Subcommands, common: argparse.ArgumentParser) -> None:
    reserve = numbers.add_parser("reserve", parents=[common], help="reserve a number")
    reserve.add_argument("--range", default="")
    reserve.add_argument("--number", default="")
    reserve.add_argument("--holder", required=True)
    reserve.set_defaults(run=_reserve)
    for name, run, wants, said in (
        ("release", _release, ("holder",), "give a reserved number back"),
        ("assign", _assign, ("holder",), "give a number to a service"),
        ("withdraw", _withdraw, ("holder",), "take a number from a service; it rests"),
        ("port-out", _port_out, ("network",), "another network serves it"),
        ("port-back", _port_back, (), "it came back; it rests"),
        ("port-in", _port_in, ("network", "holder"), "we serve a number of another network"),
    ):
        parser = numbers.add_parser(name, parents=[common], help=said)
        parser.add_argument("number")
        for option in wants:
            parser.add_argument(f"--{option}", required=True)
        parser.set_defaults(run=run)


def _add_sims(actions: Subcommands, common: argparse.ArgumentParser) -> None:
    sims = actions.add_parser("sims", help="SIMs; their keys are shown to nobody").add_subparsers(
        required=True, metavar="ACTION"
    )
    bring = sims.add_parser("import", parents=[common], help="take in a delivery: CSV with iccid,imsi,ki")
    bring.add_argument("file", type=Path)
    bring.set_defaults(run=_import_sims)
    listing = sims.add_parser("list", parents=[common], help="SIMs, a page at a time")
    listing.add_argument("--state", choices=[str(state) for state in SimState], default=None)
    for name in ("holder", "after"):
        listing.add_argument(f"--{name}", default="")
    listing.add_argument("--limit", type=int, default=100)
    add_json(listing)
    listing.set_defaults(run=_list_sims)
    assign = sims.add_parser("assign", parents=[common], help="give a SIM to a service")
    assign.add_argument("sim", metavar="ICCID|IMSI")
    assign.add_argument("--holder", required=True)
    assign.set_defaults(run=_assign_sim)
    for name, deed, said in (
        ("block", block_sim, "it is lost or stolen"),
        ("retire", retire_sim, "it is never used again"),
    ):
        parser = sims.add_parser(name, parents=[common], help=said)
        parser.add_argument("sim", metavar="ICCID|IMSI")
        parser.set_defaults(run=_sim_deed(deed))


def _database(options: argparse.Namespace) -> Database:
    settings, launch = options.open(options)
    database = Database(database_url(settings, launch.data_dir))
    upgrade_schema(database)
    return database


def _write(options: argparse.Namespace, work: Callable[[Connection], _T]) -> _T:
    return _database(options).write_blocking(work)


# --- Numbers ------------------------------------------------------------------------------------------------------


def _ranges(options: argparse.Namespace) -> None:
    found = _database(options).read_blocking(list_ranges)
    if options.json:
        print_json(found)
        return
    states = list(NumberState)
    print_rows(
        ("range", "first", "last", *states),
        (
            (one.range.name, one.range.first, one.range.last, *(f"{one.states.get(s, 0):,}" for s in states))
            for one in found
        ),
    )


def _add_range(options: argparse.Namespace) -> None:
    wanted = NumberRange(name=options.name, first=options.first, last=options.last)
    _write(options, lambda connection: add_range(connection, wanted))
    print(f"{options.name}: {int(wanted.last) - int(wanted.first) + 1:,} numbers added")


def _list_numbers(options: argparse.Namespace) -> None:
    found = _database(options).read_blocking(
        lambda connection: list_numbers(
            connection,
            range_name=options.range,
            state=None if options.state is None else NumberState(options.state),
            holder=options.holder,
            after_msisdn=options.after,
            limit=options.limit,
        )
    )
    if options.json:
        print_json(found)
        return
    print_rows(
        ("number", "range", "state", "holder", "network"),
        ((one.msisdn, one.range_name, one.state, one.holder, one.network) for one in found),
    )


def _recover(options: argparse.Namespace) -> None:
    count = _write(options, lambda connection: recover_numbers(connection, SystemClock().now_ms()))
    print(f"{count:,} numbers are available again")


def _reserve(options: argparse.Namespace) -> None:
    settings, _ = options.open(options)
    until_ms = SystemClock().now_ms() + settings.inventory.reservation_s * 1_000
    _deed(
        options,
        lambda connection: reserve_number(
            connection,
            holder=options.holder,
            until_ms=until_ms,
            range_name=options.range,
            msisdn=options.number,
        ),
    )


def _release(options: argparse.Namespace) -> None:
    _deed(options, lambda connection: release_number(connection, options.number, options.holder))


def _assign(options: argparse.Namespace) -> None:
    _deed(options, lambda connection: assign_number(connection, options.number, options.holder))


def _withdraw(options: argparse.Namespace) -> None:
    until_ms = _rests_until_ms(options)
    _deed(
        options,
        lambda connection: withdraw_number(connection, options.number, options.holder, until_ms=until_ms),
    )


def _port_out(options: argparse.Namespace) -> None:
    _deed(options, lambda connection: port_out(connection, options.number, network=options.network))


def _port_back(options: argparse.Namespace) -> None:
    until_ms = _rests_until_ms(options)
    _deed(options, lambda connection: port_back(connection, options.number, until_ms=until_ms))


def _port_in(options: argparse.Namespace) -> None:
    _deed(
        options,
        lambda connection: port_in(
            connection, options.number, network=options.network, holder=options.holder
        ),
    )


def _rests_until_ms(options: argparse.Namespace) -> int:
    settings, _ = options.open(options)
    return SystemClock().now_ms() + settings.inventory.quarantine_days * _DAY_MS


def _deed(options: argparse.Namespace, deed: Callable[[Connection], DirectoryNumber | None]) -> None:
    number = _write(options, deed)
    if number is None:
        print(f"{options.number}: back with the network that it came from")
    else:
        print(" ".join((number.msisdn, number.state, number.holder or number.network)).rstrip())


# --- SIMs ---------------------------------------------------------------------------------------------------------


def _import_sims(options: argparse.Namespace) -> None:
    settings, launch = options.open(options)
    keys = load_sim_keys(settings, launch.data_dir)
    count = _write(options, lambda connection: add_sims(connection, _delivery(options.file), keys))
    print(f"{options.file}: {count:,} SIMs added; destroy the file, it holds their keys")


def _delivery(path: Path) -> Iterator[NewSim]:
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            told: dict[str, Any] = {str(name).strip().lower(): value for name, value in row.items()}
            if not {"iccid", "imsi", "ki"} <= told.keys():
                raise InventoryError(f"{path}: expected CSV whose first line names iccid, imsi and ki")
            yield NewSim(iccid=told["iccid"] or "", imsi=told["imsi"] or "", ki=told["ki"] or "")


def _list_sims(options: argparse.Namespace) -> None:
    found = _database(options).read_blocking(
        lambda connection: list_sims(
            connection,
            state=None if options.state is None else SimState(options.state),
            holder=options.holder,
            after=options.after,
            limit=options.limit,
        )
    )
    if options.json:
        print_json(found)
    else:
        print_rows(
            ("iccid", "imsi", "state", "holder"),
            ((one.iccid, one.imsi, one.state, one.holder) for one in found),
        )


def _assign_sim(options: argparse.Namespace) -> None:
    _sim(options, lambda connection: assign_sim(connection, options.sim, options.holder))


def _sim_deed(deed: Callable[[Connection, str], Sim]) -> Callable[[argparse.Namespace], None]:
    return lambda options: _sim(options, lambda connection: deed(connection, options.sim))


def _sim(options: argparse.Namespace, deed: Callable[[Connection], Sim]) -> None:
    sim = _write(options, deed)
    print(f"{sim.iccid} {sim.state} {sim.holder}".rstrip())
