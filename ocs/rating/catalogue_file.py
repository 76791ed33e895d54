"""Reads a folder of ``*.toml`` files as one catalogue; the only file of this package that touches a disk."""

import tomllib
from pathlib import Path
from typing import Protocol

import msgspec

from ocs.rating.catalogue import Catalogue
from ocs.rating.catalogue_check import merged
from ocs.rating.errors import CatalogueError, ExpectationError
from ocs.rating.places import readable_key
from ocs.rating.schema import CatalogueFile, CatalogueSource
from ocs.rating.shapes import shape_errors, told_at


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
    except msgspec.ValidationError:
        where, text = next(shape_errors(raw, CatalogueFile, ()))
        raise CatalogueError(path.name, readable_key(raw, told_at(where, text)), text) from None
