"""Append-only files of Redis and Valkey as octets: where the last whole command ends, and which was the last second.

An incremental file is a sequence of commands in RESP, with a line ``#TS:seconds`` before the first command of each
second (``aof-timestamp-enabled``). What one command or function wrote stands between MULTI and EXEC and counts as one.
A base file is an RDB snapshot that says when it was made.
"""

from pathlib import Path
from typing import Final, Protocol

import msgspec

_TIMESTAMP: Final = b"#TS:"
_MAGIC: Final = (b"REDIS", b"VALKEY")
_HEADER_OCTETS: Final = 9
_AUXILIARY: Final = 0xFA
_LINE_OCTETS_MAX: Final = 1_024  # a length or an annotation


class AppendOnlyFileError(ValueError):
    """The file is none of these, or damaged; ``str()`` says where."""


class _Reader(Protocol):
    def read(self, count: int, /) -> bytes: ...
    def readline(self, limit: int, /) -> bytes: ...
    def tell(self) -> int: ...


class SoundPart(msgspec.Struct, frozen=True):
    """How far a file can be used.

    Attributes:
        octets: its length up to the end of a whole command that is outside of any MULTI.
        last_s: the last second of which it tells, 0 when it tells of none.
        is_cut: the file goes on after that second, or its last command is not whole.
    """

    octets: int
    last_s: int
    is_cut: bool


def find_sound_part(path: Path, *, until_s: int | None = None) -> SoundPart:
    """Read an incremental file up to its last whole command, or to the end of a second.

    Args:
        until_s: seconds since 1970 UTC; commands of later seconds are left out. None leaves none out.

    Raises:
        AppendOnlyFileError: there is something else than commands in it.
    """
    sound = last_s = 0
    in_transaction = False
    with path.open("rb") as file:
        while line := file.readline(_LINE_OCTETS_MAX):
            if not line.endswith(b"\n"):
                return SoundPart(sound, last_s, is_cut=True)
            if line.startswith(b"#"):
                second = _second_of(line)
                if until_s is not None and second > until_s:
                    return SoundPart(sound, last_s, is_cut=True)
                last_s = max(last_s, second)
            else:
                name = _read_command(file, line, path)
                if name is None:
                    return SoundPart(sound, last_s, is_cut=True)
                in_transaction = name == b"MULTI" or (in_transaction and name != b"EXEC")
            if not in_transaction:
                sound = file.tell()
    return SoundPart(sound, last_s, is_cut=in_transaction)


def _second_of(line: bytes) -> int:
    """The second that an annotation names; others say nothing of time."""
    text = line[len(_TIMESTAMP) :].strip()
    return int(text) if line.startswith(_TIMESTAMP) and text.isdigit() else 0


def _read_command(file: _Reader, line: bytes, path: Path) -> bytes | None:
    """Read a command after its first line; its name in upper case, None when the file ends in it."""
    name = b""
    for index in range(_number(line, b"*", file, path)):
        header = file.readline(_LINE_OCTETS_MAX)
        if not header.endswith(b"\n"):
            return None
        length = _number(header, b"$", file, path)
        argument = file.read(length + 2)
        if len(argument) < length + 2:
            return None
        if index == 0:
            name = argument[:-2].upper()
    return name


def _number(line: bytes, mark: bytes, file: _Reader, path: Path) -> int:
    text = line[1:].strip()
    if not line.startswith(mark) or not text.isdigit():
        raise AppendOnlyFileError(f"{path.name}: no command at octet {file.tell() - len(line)}")
    return int(text)


def read_base_second(path: Path) -> int:
    """When the snapshot in a base file was taken, in seconds since 1970 UTC.

    Raises:
        AppendOnlyFileError: it is no snapshot, or does not say.
    """
    with path.open("rb") as file:
        if not file.read(_HEADER_OCTETS).startswith(_MAGIC):
            raise AppendOnlyFileError(f"{path.name}: this is no snapshot")
        while file.read(1) == bytes((_AUXILIARY,)):
            name, value = _read_text(file, path), _read_text(file, path)
            if name == b"ctime":
                return int(value)
    raise AppendOnlyFileError(f"{path.name}: the snapshot does not say when it was taken")


def _read_text(file: _Reader, path: Path) -> bytes:
    """Read a string of a snapshot's head: its length in 6, 14 or 32 bits, or a small integer."""
    (first,) = file.read(1) or b"\xff"
    match first >> 6, first & 0x3F:
        case 0, length:
            return file.read(length)
        case 1, length:
            return file.read(length << 8 | file.read(1)[0])
        case 3, (0 | 1 | 2) as width:
            return b"%d" % int.from_bytes(file.read(1 << width), "little", signed=True)
        case _:
            raise AppendOnlyFileError(f"{path.name}: the snapshot's head cannot be read")


def as_command(*arguments: str) -> bytes:
    """A command as an incremental file holds it."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%b\r\n" % (len(text), text) for text in (argument.encode() for argument in arguments)]
    return b"".join(parts)
