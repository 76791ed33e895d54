"""What is to be put right in a catalogue's files, and where it stands: keys with ids, paths with places, lines."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from ocs.rating.positions import Path, positions_of

_STEP: Final = re.compile(r"([^.\[\]]+)(?:\[([^\]]*)\])?")


class Finding(msgspec.Struct, frozen=True, order=True):
    """One thing to put right.

    Attributes:
        file: its name, empty when it is none of one file.
        line: from 1; 0 when it is no one line's.
        key: path of the key, list entries by their id.
        text: what was expected, or what is odd.
        is_warning: the catalogue can be used all the same.
    """

    file: str
    line: int
    key: str
    text: str
    is_warning: bool = False

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.key, self.text) if part)


class Places:
    """Where the keys of several files stand."""

    def __init__(self, texts: Mapping[str, str], raw: Mapping[str, dict[str, Any]]) -> None:
        self._raw = raw
        self._positions = {name: positions_of(texts[name]) for name in raw}

    def finding(self, key: str, text: str, *, is_warning: bool = False) -> Finding:
        """A finding at a key such as ``offers[prepaid].prices[data].per``."""
        file, path = self.find(key)
        return Finding(file, self.line(file, path), key, text, is_warning)

    def find(self, key: str) -> tuple[str, Path]:
        """The file of a key, and its path in it as far as it is written; no file when no entry is so called."""
        steps = steps_of(key)
        best: tuple[str, Path] = ("", ())
        for file, content in self._raw.items():
            path = path_of(content, steps)
            if len(path) > len(best[1]):
                best = file, path
        return best

    def line(self, file: str, path: Path) -> int:
        """The line of a path, or of what contains it."""
        positions = self._positions.get(file, {})
        while path:
            if path in positions:
                return positions[path]
            path = path[:-1]
        return 0


def path_of(content: dict[str, Any], steps: list[tuple[str, str | None]]) -> Path:
    """Follow a key into a file: how far it leads, entries by their place; nowhere when its first entry is not here."""
    path: Path = ()
    value: Any = content
    for name, entry in steps:
        if not isinstance(value, dict) or name not in value:
            break
        inner: Any = cast("dict[str, Any]", value)[name]
        if entry is None:
            path, value = (*path, name), inner
            continue
        index = _index_of(inner, entry)
        if index is None:
            return path
        path, value = (*path, name, index), inner[index]
    return path


def _index_of(entries: Any, name: str) -> int | None:
    """The place of an entry in a list of tables; of two with one id the later, which is the one in the way."""
    if not isinstance(entries, list):
        return None
    found = [index for index, entry in enumerate(cast("list[Any]", entries)) if name_of(entry) == name]
    if found:
        return found[-1]
    is_place = name.isdigit() and int(name) < len(cast("list[Any]", entries))
    return int(name) if is_place else None


def name_of(entry: object) -> str | None:
    """What a list's entry is called in keys: its id, or the id that it refers to."""
    if not isinstance(entry, dict):
        return None
    fields = cast("dict[str, Any]", entry)
    return next((fields[key] for key in ("id", "allowance") if isinstance(fields.get(key), str)), None)


def steps_of(key: str) -> list[tuple[str, str | None]]:
    """Take a key such as ``offers[prepaid].prices[data].per`` apart: names, each with an entry's id or without."""
    return [(match[1], match[2]) for match in _STEP.finditer(key)]


def readable_key(content: dict[str, Any], path: Path) -> str:
    """Write a path with the ids that the operator gave: ``offers[prepaid].prices[data].amount``."""
    key = ""
    value: Any = content
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            value = None
        if isinstance(step, int):
            key += f"[{name_of(value) or step}]"
        else:
            key += f".{step}" if key else step
    return key
