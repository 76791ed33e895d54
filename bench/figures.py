"""Figures: what a benchmark says, how it is saved and shown."""

import math
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table


class Figure(msgspec.Struct, frozen=True):
    """One measured value. Its name is stable, so that runs can be compared."""

    name: str
    value: float
    unit: str
    goal: str
    note: str


def write_figures(path: Path, figures: list[Figure]) -> None:
    """Save as a JSON list of objects with name, value, unit, goal and note.

    Figures of other groups that the file already holds stay there.
    """
    new = {figure.name for figure in figures}
    kept: list[Figure] = []
    if path.exists():
        kept = [
            old for old in msgspec.json.decode(path.read_bytes(), type=list[Figure]) if old.name not in new
        ]
    path.write_bytes(msgspec.json.format(msgspec.json.encode(kept + figures), indent=2) + b"\n")


def print_figures(figures: list[Figure], console: Console) -> None:
    """Show as a table."""
    table = Table(title="bench", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("goal")
    table.add_column("note")
    for figure in figures:
        table.add_row(figure.name, format_value(figure.value), figure.unit, figure.goal, figure.note)
    console.print(table)


def format_value(value: float) -> str:
    """Three significant digits, whole numbers from a hundred on."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
