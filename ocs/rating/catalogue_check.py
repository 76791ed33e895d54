"""Everything that is wrong with a catalogue as written, each with file and line, not only the first thing.

A catalogue is used whole or not at all (:mod:`ocs.rating.catalogue_file`); for whoever writes one, this goes on after
a mistake: the entry that has it is set aside, the rest is looked at again. What is wrong only because of an entry that
was set aside is not told.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import msgspec

from ocs.limits import CATALOGUE_FINDINGS_MAX
from ocs.rating.catalogue import Catalogue
from ocs.rating.errors import ExpectationError
from ocs.rating.places import Finding, Places, name_of, path_of, readable_key, steps_of
from ocs.rating.positions import Path
from ocs.rating.schema import CatalogueFile, CatalogueSource, CatalogueTable
from ocs.rating.shapes import shape_errors, told_at
from ocs.rating.stand_ins import mend, stand_in_quota

_HEADER: Final = "catalogue"
# Times that a key's value is put right before its entry is set aside.
_ATTEMPTS: Final = 2
_TOML_PLACE: Final = re.compile(r" \(at line ([0-9]+), column [0-9]+\)$")
# In place of a header that cannot be used, so that the rest can be looked at.
_ANY_HEADER: Final = {"name": "-", "currency": "EUR", "time_zone": "UTC", "effective": "1970-01-01"}


class Check(msgspec.Struct, frozen=True):
    """What a look at a catalogue's files found.

    Attributes:
        errors: in the order of files and lines.
        catalogue: the catalogue, None when there are errors.
        source: its tables, None likewise.
        places: finds the line of a key, for those who have more to say.
    """

    errors: tuple[Finding, ...]
    catalogue: Catalogue | None
    source: CatalogueSource | None
    places: Places


def check_catalogue(files: Mapping[str, str]) -> Check:
    """Read a catalogue's files and tell all that is wrong with them.

    Args:
        files: text by file name.
    """
    return _Checker(files).check()


class _Checker:
    """One look at the files; ``_raw`` shrinks as entries with mistakes are set aside."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._findings: list[Finding] = []
        self._raw: dict[str, dict[str, Any]] = {}
        for name, text in sorted(texts.items()):
            try:
                self._raw[name] = tomllib.loads(text)
            except tomllib.TOMLDecodeError as error:
                self._findings.append(_not_toml(name, str(error)))
            except RecursionError:
                self._findings.append(_not_toml(name, "nested too deeply"))
        self._places = Places(texts, {name: tomllib.loads(texts[name]) for name in self._raw})
        # Ids of what was set aside, by table: "zones" -> {"europe"}; and keys of entries that lost a part.
        self._set_aside: dict[str, set[str]] = {}
        self._diminished: set[str] = set()
        # How many mistakes were taken out, and how often for each key: what is wrong there again is our doing.
        self._mended = 0
        self._seen: dict[str, int] = {}
        # What each place in the shrunken lists was in the files.
        self._origin: dict[int, Path] = {}
        for content in self._raw.values():
            self._note_origins(content, ())

    def _note_origins(self, value: Any, path: Path) -> None:
        if isinstance(value, dict):
            for key, inner in cast("dict[str, Any]", value).items():
                self._note_origins(inner, (*path, key))
        elif isinstance(value, list):
            for index, inner in enumerate(cast("list[Any]", value)):
                if isinstance(inner, dict):
                    self._origin[id(cast("dict[str, Any]", inner))] = (*path, index)
                self._note_origins(inner, (*path, index))

    def check(self) -> Check:
        """Tell everything."""
        self._check_headers()
        for file in self._raw:
            self._check_shapes(file)
        self._check_ids()
        source = self._check_meaning()
        errors = tuple(sorted(self._findings))
        if errors or source is None:
            return Check(errors, None, None, self._places)
        return Check((), Catalogue(source), source, self._places)

    def _tell(self, file: str, path: Path, key: str, text: str) -> None:
        self._findings.append(Finding(file, self._places.line(file, path), key, text))

    def _check_headers(self) -> None:
        files = [file for file, content in self._raw.items() if _HEADER in content]
        if not files and not self._findings:
            self._findings.append(Finding("", 0, _HEADER, "expected a [catalogue] table in one of the files"))
        for file in files[1:]:
            self._tell(file, (_HEADER,), _HEADER, f"expected in one file only, {files[0]} has it too")
            del self._raw[file][_HEADER]
        if not files and self._raw:
            next(iter(self._raw.values()))[_HEADER] = dict(_ANY_HEADER)

    # --- Shapes -----------------------------------------------------------------------------------------

    def _check_shapes(self, file: str) -> None:
        content = self._raw[file]
        found = list(shape_errors(content, CatalogueFile, ()))
        for path, text in found:
            key = readable_key(content, told_at(path, text))
            self._tell(file, path, key, text)
            self._seen[key] = 1
        for path, text in found:
            self._mend(content, path, text)
        # What is still none is set aside, from the last to the first, so that the places of those before stay.
        left = {_entry_of(content, told_at(*each)) for each in shape_errors(content, CatalogueFile, ())}
        for path in sorted(left, reverse=True):
            self._drop(content, path)

    def _mend(self, content: dict[str, Any], path: Path, text: str) -> bool:
        """Take a mistake out of its table; whether that could be done."""
        if not path or len(path) == 1 or path[0] == _HEADER:
            return False
        table = _value_at(content, path[:-1])
        self._mended += 1
        return isinstance(table, dict) and mend(cast("dict[str, Any]", table), path, text, self._mended)

    def _origin_of(self, content: dict[str, Any], path: Path) -> Path:
        """The path that something had before entries were set aside."""
        value: Any = content
        origin: Path = ()
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return (*origin, step)
            origin = (
                self._origin.get(id(value), (*origin, step)) if isinstance(step, int) else (*origin, step)
            )
        return origin

    def _drop(self, content: dict[str, Any], path: Path) -> None:
        """Set aside what a path leads to: an entry of a list, or a key."""
        *table, last = path
        if isinstance(last, str) and (len(path) == 1 or path[0] == _HEADER):
            self._drop_outer(content, path)
            return
        entries = _value_at(content, tuple(table))
        if isinstance(last, int):
            name = name_of(entries[last])
            if name is not None:
                self._set_aside.setdefault(str(table[-1]), set()).add(name)
            if len(table) > 1:
                self._diminished.add(readable_key(content, tuple(table[:-1])))
        del entries[last]

    def _drop_outer(self, content: dict[str, Any], path: Path) -> None:
        """A key of the header, or a whole table that is not one."""
        top, key = str(path[0]), str(path[-1])
        header = content.get(_HEADER)
        if top == _HEADER and isinstance(header, dict) and len(path) > 1:
            header = cast("dict[str, Any]", header)
            header.pop(key, None)
            if key in _ANY_HEADER:
                header[key] = _ANY_HEADER[key]
            return
        content.pop(top, None)
        self._set_aside.setdefault(top, set())
        if top == _HEADER:
            content[_HEADER] = dict(_ANY_HEADER)

    # --- Ids and meaning --------------------------------------------------------------------------------

    def _check_ids(self) -> None:
        """Ids that two entries have; the second of them is set aside."""
        seen: dict[tuple[str, str], str] = {}
        for file, content in self._raw.items():
            for table, entries in content.items():
                if table == _HEADER:
                    continue
                doubles: list[int] = []
                before: set[str] = set()
                for index, entry in enumerate(entries):
                    other = seen.setdefault((table, str(name_of(entry))), file)
                    if "id" in entry and (other != file or str(entry["id"]) in before):
                        path = self._origin_of(content, (table, index))
                        text = "expected an id that no other entry has" + (
                            f", {other} has it too" if other != file else ""
                        )
                        self._tell(file, (*path, "id"), f"{table}[{entry['id']}].id", text)
                        doubles.append(index)
                    before.add(str(entry.get("id", "")))
                for index in reversed(doubles):
                    del entries[index]

    def _check_meaning(self) -> CatalogueSource | None:
        """Compile again and again, each time without the entry that was wrong."""
        while len(self._findings) < CATALOGUE_FINDINGS_MAX:
            try:
                source = merged(
                    {name: msgspec.convert(content, CatalogueFile) for name, content in self._raw.items()}
                )
                Catalogue(source)
            except ExpectationError as error:
                if not self._deal_with(error):
                    return None
            except (msgspec.ValidationError, StopIteration):
                return None  # nothing is left that could be looked at
            else:
                return source
        return None

    def _deal_with(self, error: ExpectationError) -> bool:
        """Tell an error, and take it out; whether that could be done."""
        steps = steps_of(error.key)
        file, path = max(
            ((file, path_of(content, steps)) for file, content in self._raw.items()),
            key=lambda found: len(found[1]),
            default=("", ()),
        )
        # Of a list each wrong item is told.
        seen = (
            0 if path and isinstance(_value_at(self._raw[file], path), list) else self._seen.get(error.key, 0)
        )
        if not seen and not self._is_consequence(error.key, file, path):
            origin = self._origin_of(self._raw[file], path) if path else ()
            self._tell(file if path else "", origin, error.key, error.expectation)
        self._seen[error.key] = seen + 1
        if not path or (path[0] != _HEADER and not any(isinstance(step, int) for step in path)):
            return False
        self._amend(self._raw[file], path, error, seen)
        return True

    def _amend(self, content: dict[str, Any], path: Path, error: ExpectationError, seen: int) -> None:
        """Take a mistake out, since its entry may have more of them; where that does not help, the entry."""
        entry = _entry_of(content, path)
        if not seen and path == entry and error.key.endswith(".quota"):
            self._mended += 1
            unit = str(_value_at(content, path).get("unit"))
            content.setdefault("quotas", []).append(stand_in_quota(unit, self._mended))
            return
        if seen < _ATTEMPTS and len(path) > len(entry) and isinstance(path[-1], str):
            table: dict[str, Any] = _value_at(content, path[:-1])
            before = dict(table)
            if self._mend(content, path, error.expectation) and not any(
                shape_errors(content, CatalogueFile, ())
            ):
                return
            table.clear()
            table.update(before)
        self._drop(content, entry)

    def _is_consequence(self, key: str, file: str, path: Path) -> bool:
        """Whether something is wrong only because of what was set aside before."""
        if key in self._diminished or (not path and self._set_aside):
            return True
        name = key.rpartition(".")[2]
        for table, ids in self._set_aside.items():
            if name not in {table, table.removesuffix("s")}:
                continue
            value = _value_at(self._raw[file], path)
            named = {value} if isinstance(value, str) else _names_in(value)
            if not named or named & ids or isinstance(value, dict):
                return True
        return False


def _value_at(content: dict[str, Any], path: Path) -> Any:
    """What stands at a path that there is."""
    value: Any = content
    for step in path:
        value = value[step]
    return value


def _names_in(value: Any) -> set[str]:
    if not isinstance(value, list):
        return set()
    return {item if isinstance(item, str) else str(name_of(item)) for item in cast("list[Any]", value)}


def _entry_of(content: dict[str, Any], path: Path) -> Path:
    """The innermost entry of a list of tables that a path leads into; of the header, and outside of lists, the key."""
    entry: Path = ()
    for index, step in enumerate(path):
        if isinstance(step, int) and isinstance(_value_at(content, path[: index + 1]), dict):
            entry = path[: index + 1]
    return entry or path[:2] if path[0] == _HEADER else entry or path[:1]


def _not_toml(file: str, message: str) -> Finding:
    place = _TOML_PLACE.search(message)
    if place is None:
        return Finding(file, 0, "", f"expected TOML: {message}")
    return Finding(file, int(place[1]), "", f"expected TOML: {message[: place.start()]}")


def merged(files: Mapping[str, CatalogueFile]) -> CatalogueSource:
    """Bring several files together, each list in the order of its ids."""
    tables: dict[str, Any] = {}
    for field in msgspec.structs.fields(CatalogueSource):
        if field.name != _HEADER:
            entries: Iterable[Any] = [e for file in files.values() for e in getattr(file, field.name)]
            tables[field.name] = tuple(sorted(entries, key=lambda entry: entry.id))
    header: CatalogueTable = next(file.catalogue for file in files.values() if file.catalogue is not None)
    return CatalogueSource(catalogue=header, **tables)
