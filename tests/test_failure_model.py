"""docs/failure-model.md keeps its promise: every row names a test, and that test exists."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 6
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[list[str]]:
    """The cells of every row of every table, headings left out."""
    lines = (ROOT / "docs" / "failure-model.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in cells if row[0] != "Fault" and not row[0].startswith("---")]


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def test_each_row_says_all_and_names_a_test_that_exists() -> None:
    found = rows()
    assert len(found) > 30
    for row in found:
        assert len(row) == COLUMNS and all(row), row
        named = _NAMED.fullmatch(row[-1])
        assert named is not None, f"{row[0]}: {row[-1]} names no test"
        path, name = named.groups()
        assert (ROOT / path).is_file(), f"{row[0]}: there is no {path}"
        assert name in names_in(path), f"{row[0]}: {path} has no {name}"


def test_each_level_is_treated() -> None:
    assert {row[1] for row in rows()} == {"all", "memory", "fsync", "replicated"}
