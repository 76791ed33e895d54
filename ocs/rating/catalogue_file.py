"""Reads a folder of ``*.toml`` files as one catalogue; the only file of this package that touches a disk."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final, Protocol, cast

import msgspec
from msgspec import inspect

from ocs.rating.catalogue import Catalogue
from ocs.rating.catalogue_check import merged
from ocs.rating.errors import CatalogueError, ExpectationError
from ocs.rating.schema import CatalogueFile, CatalogueSource

_LOCATION: Final = re.compile(r"(.*?)(?: - at `\$(.*)`)?", re.DOTALL)
_UNKNOWN_KEY: Final = re.compile(r"Object contains unknown field `(.*)`")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


class _Entry(Protocol):
    @property
    def id(self) -> str: ...


def load_catalogue(folder: Path) -> Catalogue:
    """Read all ``*.toml`` files of a folder as one catalogue.

    Raises:
        CatalogueError: a file cannot be read or used; one line naming file, key and expectation.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError as error:
        raise CatalogueError(
            str(folder), "", f"expected a folder with catalogue files: {error.strerror}"
        ) from None
    if not paths:
        raise CatalogueError(str(folder), "", "expected at least one *.toml file with offers, found none")
    return _merge(folder, {path.name: _read(path) for path in paths})


def _merge(folder: Path, files: dict[str, CatalogueFile]) -> Catalogue:
    origins: dict[str, str] = {}
    for field in msgspec.structs.fields(CatalogueSource):
        if field.name != "catalogue":
            _note_entries(field.name, files, origins)
    _note_header(folder, files, origins)
    try:
        return Catalogue(merged(files))
    except ExpectationError as error:
        table, bracket, rest = error.key.partition("[")
        entry = f"{table}[{rest.partition(']')[0]}]" if bracket else table.partition(".")[0]
        raise CatalogueError(origins.get(entry, str(folder)), error.key, error.expectation) from None


def _note_header(folder: Path, files: dict[str, CatalogueFile], origins: dict[str, str]) -> None:
    """Note the file of the one ``[catalogue]`` table."""
    for name, file in files.items():
        if file.catalogue is None:
            continue
        other = origins.setdefault("catalogue", name)
        if other != name:
            raise CatalogueError(name, "catalogue", f"expected in one file only, {other} has it too")
    if "catalogue" not in origins:
        raise CatalogueError(str(folder), "catalogue", "expected a [catalogue] table in one of the files")


def _note_entries(table: str, files: dict[str, CatalogueFile], origins: dict[str, str]) -> None:
    """Note the file of each entry of one table."""
    for name, file in files.items():
        written: tuple[_Entry, ...] = getattr(file, table)
        for entry in written:
            key = f"{table}[{entry.id}]"
            other = origins.setdefault(key, name)
            if other != name:
                raise CatalogueError(
                    name, f"{key}.id", f"expected an id that no other entry has, {other} has it too"
                )


def _read(path: Path) -> CatalogueFile:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(path.name, "", f"expected a readable file: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(path.name, "", f"expected TOML: {error}") from None
    except RecursionError:
        raise CatalogueError(path.name, "", "expected TOML: nested too deeply") from None
    try:
        return msgspec.convert(raw, CatalogueFile)
    except msgspec.ValidationError as error:
        raise _shape_error(path.name, raw, str(error)) from None


def _shape_error(file: str, raw: dict[str, Any], message: str) -> CatalogueError:
    """Turn msgspec's message into file, key and expectation; entries are named by id, not by place."""
    match = _LOCATION.fullmatch(message)
    problem, location = (match[1], match[2] or "") if match else (message, "")
    steps = [step[1] or int(step[2]) for step in _STEP.finditer(location)]
    key = _readable_key(raw, steps)
    unknown = _UNKNOWN_KEY.fullmatch(problem)
    if unknown:
        key = f"{key}.{unknown[1]}" if key else unknown[1]
        problem = f"unknown key, expected one of {', '.join(_known_keys(steps))}"
    return CatalogueError(file, key, problem[:1].lower() + problem[1:].replace("`", ""))


def _readable_key(raw: dict[str, Any], steps: list[str | int]) -> str:
    """Write a path with the ids that the operator gave: ``offers[prepaid].prices[data].amount``."""
    key, value = "", cast("Any", raw)
    for step in steps:
        if isinstance(step, str):
            key += f".{step}" if key else step
            value = value.get(step)
        else:
            value = value[step]
            key += f"[{_id_of(value) or step}]"
    return key


def _id_of(value: object) -> str:
    """The id of a table as read, empty when it has none."""
    if not isinstance(value, dict):
        return ""
    name = cast("dict[str, object]", value).get("id")
    return name if isinstance(name, str) else ""


def _known_keys(steps: list[str | int]) -> list[str]:
    """The keys of the table at a path of the schema."""
    node = inspect.type_info(CatalogueFile)
    for step in steps:
        if isinstance(node, inspect.UnionType):
            node = next(member for member in node.types if isinstance(member, inspect.StructType))
        if isinstance(node, inspect.StructType) and isinstance(step, str):
            node = next(field.type for field in node.fields if field.encode_name == step)
        elif isinstance(node, inspect.VarTupleType):
            node = node.item_type
    if isinstance(node, inspect.UnionType):
        node = next(member for member in node.types if isinstance(member, inspect.StructType))
    return [field.encode_name for field in node.fields] if isinstance(node, inspect.StructType) else []
