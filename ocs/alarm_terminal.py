"""What commands about alarms share: lengths of time, tables and records on standard output."""

import argparse
import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from ocs import event_listing
from ocs.faults.alarm import Severity

# So many letters of an alarm's id name it, if no other begins so.
ID_LETTERS_MIN: Final = 4
SEVERITIES: Final = {
    severity.name.lower(): severity
    for severity in sorted(Severity, reverse=True)
    if severity > Severity.CLEARED
}
_TABLE_COLUMNS_MAX: Final = 2_000
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

Subcommands = Any  # argparse has no public name for it


def duration_ms(text: str) -> int:
    """A length of time as an option of the command line: ``90s``, ``30m``, ``2h``, ``7d``."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError
    return int(match[1]) * _UNITS_MS[match[2]]


duration_ms.__name__ = "length of time (90s, 30m, 2h, 7d)"  # argparse says: invalid ... value


def moment_ms(text: str) -> int:
    """A moment as an option of the command line, ISO 8601, in ms since 1970; without an offset it is UTC."""
    when = datetime.fromisoformat(text)
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


moment_ms.__name__ = "moment (2026-11-22T22:00Z)"  # as above


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``: for programs."""
    parser.add_argument("--json", action="store_true")


def make_console() -> Console:
    """What prints for people. Literal: names come from the network, and a style in one of them is none of ours."""
    return Console(soft_wrap=True, markup=False, highlight=False, emoji=False)


def print_table(table: Table) -> None:
    """Print a table folded to the terminal; for a file or a program each row is a line, however long."""
    console = make_console()
    if not console.is_terminal:
        needed = console.measure(table, options=console.options.update(max_width=_TABLE_COLUMNS_MAX)).maximum
        console.width = max(console.width, needed)
    console.print(table)


def print_json(value: Any) -> None:
    """Write records to standard output."""
    event_listing.print_json(msgspec.to_builtins(value))
