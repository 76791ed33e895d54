"""On which line of a TOML file each key and each table stands, which :mod:`tomllib` does not tell.

The text has been read by :mod:`tomllib` before, so it is known to be TOML: here it is only walked through, and what
does not matter for a position is stepped over.
"""

import re
from typing import Final

Path = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_LITERAL_STRING: Final = re.compile(r"'([^'\n]*)'")
_BASIC_STRING: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_MULTILINE_LITERAL: Final = re.compile(r"'''.*?'''(?!')", re.DOTALL)
_MULTILINE_BASIC: Final = re.compile(r'"""(?:[^\\]|\\.)*?"""(?!")', re.DOTALL)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")
_ESCAPE: Final = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([btnfr"\\]))')
_ESCAPED: Final = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


def positions_of(text: str) -> dict[Path, int]:
    """Tell the line, from 1, of every key, table and array entry.

    Args:
        text: what :mod:`tomllib` accepts.

    Returns:
        Lines by path: keys as text, places in an array as numbers from 0. Of a table that is written in several
        places it is the first.
    """
    return _Walk(text).positions


class _Walk:
    """One pass over a text."""

    def __init__(self, text: str) -> None:
        self.positions: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._counted_to = 0
        self._line = 1
        # How many entries each array of tables has so far.
        self._entries: dict[Path, int] = {}
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(text):
            table = self._header() if text[self._at] == "[" else self._key_and_value(table)
            self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _note(self, path: Path) -> None:
        # A second walk over the text would be quadratic in a long file.
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        self.positions.setdefault(path, self._line)

    def _header(self) -> Path:
        """``[a.b]`` or ``[[a.b]]``; returns the table that the keys after it are in."""
        is_array = self._text.startswith("[[", self._at)
        start = self._at
        self._at += 2 if is_array else 1
        keys = self._keys()
        end = self._at + (2 if is_array else 1)
        self._at = start
        path: Path = ()
        for index, key in enumerate(keys):
            path = (*path, key)
            is_last = index == len(keys) - 1
            self._note(path)
            if is_array and is_last:
                self._entries[path] = self._entries.get(path, 0) + 1
            if path in self._entries:
                path = (*path, self._entries[path] - 1)
                self._note(path)
        self._at = end
        return path

    def _keys(self) -> list[str]:
        """``a . "b".c``, up to what follows it."""
        keys = [self._key()]
        while self._text.startswith(".", self._at):
            self._at += 1
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        self._skip(_SPACE)
        if (quoted := _BASIC_STRING.match(self._text, self._at)) is not None:
            key = _ESCAPE.sub(_unescaped, quoted[1])
            self._at = quoted.end()
        elif (literal := _LITERAL_STRING.match(self._text, self._at)) is not None:
            key = literal[1]
            self._at = literal.end()
        else:
            key = self._skip(_BARE_KEY)
        self._skip(_SPACE)
        return key

    def _key_and_value(self, table: Path) -> Path:
        start = self._at
        keys = self._keys()
        end, self._at = self._at, start
        path = table
        for key in keys:
            path = (*path, key)
            self._note(path)
        self._at = end + 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)
        return table

    def _value(self, path: Path) -> None:
        first = self._text[self._at : self._at + 1]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        elif first in {'"', "'"}:
            for pattern in (_MULTILINE_BASIC, _MULTILINE_LITERAL, _BASIC_STRING, _LITERAL_STRING):
                if self._skip(pattern):
                    break
        else:
            self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        self._skip(_BLANK)
        while not self._text.startswith("]", self._at):
            self._note((*path, index))
            self._value((*path, index))
            index += 1
            self._next_item()
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        self._skip(_BLANK)
        while not self._text.startswith("}", self._at):
            self._key_and_value(path)
            self._next_item()
        self._at += 1

    def _next_item(self) -> None:
        self._skip(_BLANK)
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip(_BLANK)


def _unescaped(match: re.Match[str]) -> str:
    digits = match[1] or match[2]
    return chr(int(digits, 16)) if digits else _ESCAPED[match[3]]
