"""Lines of keys in TOML: every key that tomllib reads has one, and it is the right one."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ocs.rating.positions import positions_of

CATALOGUE = Path(__file__).resolve().parents[2] / "config" / "catalogue"

ODD = '''# nothing yet
top = 1
"quoted key".'with dots.'.plain = [ 1, # one
  2,
  { a = "}", b = { c = 'x' } },
]   # end
text = """
[[offers]]
id = "not here"\\
"""
literal = \'\'\'
[zones]
\'\'\'
date = 2026-10-01 10:00:00
"esc\\u0041\\"" = true

[a.b]
c.d = """one""""

[[offers]]   # first
id = "one"
empty = []
none = {}

[[offers.prices]]
id = "p"

[offers.prices.final_unit]
action = "terminate"

[[offers.prices]]
id = "q"

[ [offers] ]
id = "two"
prices = [
  { id = "r" },
  { id = "s", amount = "1" },
]
'''.replace("[ [offers] ]", "[[ offers ]]")


def paths_in(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_in(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths_in(inner, (*path, index))


@pytest.mark.parametrize("text", [ODD, ODD.replace("\n", "\r\n"), "", "# only a remark", "a=1"])
def test_every_path_that_tomllib_reads_has_a_line_and_no_other(text: str) -> None:
    assert set(positions_of(text)) == set(paths_in(tomllib.loads(text)))


@pytest.mark.parametrize("file", sorted(CATALOGUE.glob("*.toml")), ids=lambda path: path.name)
def test_every_key_of_the_delivered_catalogue_stands_on_its_line(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = positions_of(text)
    assert set(found) == set(paths_in(tomllib.loads(text)))
    for path, line in found.items():
        key = next(step for step in reversed(path) if isinstance(step, str))
        if isinstance(path[-1], str):
            assert key in lines[line - 1]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("quoted key", "with dots.", "plain", 1), 4),
        (("quoted key", "with dots.", "plain", 2, "b", "c"), 5),
        (("date",), 14),
        (('escA"',), 15),
        (("a", "b", "c", "d"), 18),
        (("offers", 0), 20),
        (("offers", 0, "id"), 21),
        (("offers", 0, "prices", 0, "final_unit", "action"), 29),
        (("offers", 0, "prices", 1, "id"), 32),
        (("offers", 1, "id"), 35),
        (("offers", 1, "prices", 1, "amount"), 38),
    ],
)
def test_key_stands_where_it_was_written(path: tuple[str | int, ...], line: int) -> None:
    assert positions_of(ODD)[path] == line
