"""Types of elements: what one speaks and has, read from ``config/network/types/NAME.toml``."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from ocs.limits import (
    ELEMENT_OPERATION_TIMEOUT_S,
    ELEMENT_TYPE_FILE_OCTETS_MAX,
    ELEMENT_TYPES_MAX,
)
from ocs.provisioning.cli.command_line import CommandLine, CommandLineError
from ocs.provisioning.cli.description import CliDescription

# What a hello may promise and a type of element is known not to keep. Each stands for a group of capabilities of RFC
# 6241 section 8 and RFC 5277, whatever their version.
Distrusted = Literal[
    "candidate", "confirmed-commit", "validate", "rollback-on-error", "startup", "notification"
]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class ElementTypeError(ValueError):
    """A description of an element type cannot be used; ``str()`` names file, key and expectation."""


class NetconfDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[netconf]``: how elements of the type speak NETCONF.

    Attributes:
        modules: YANG modules that it has, as far as we write them; without their imports.
        distrusted: capabilities that it announces and that are not used all the same.
        locks: which datastores are locked before a change: candidate and running where the type allows both.
        timeout_s: for its answer to one operation. commit_timeout_s: for its answer to a commit or an edit.
        keepalive_s: an idle connection is tried so often; 0: never.
    """

    modules: tuple[str, ...]
    distrusted: tuple[Distrusted, ...] = ()
    locks: tuple[Literal["running", "candidate"], ...] = ("running", "candidate")
    timeout_s: float = ELEMENT_OPERATION_TIMEOUT_S
    commit_timeout_s: float = 2 * ELEMENT_OPERATION_TIMEOUT_S
    keepalive_s: float = 15.0


class ElementType(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of network element.

    Attributes:
        name: what elements refer to. description: for people.
        sessions_max: sessions that one element of the type bears at a time; others wait.
        netconf: set when it speaks NETCONF. cli: set when it has a command line instead.
    """

    name: str
    description: str = ""
    sessions_max: int = 4
    netconf: NetconfDescription | None = None
    cli: CommandLine | None = None

    @property
    def modules(self) -> tuple[str, ...]:
        """YANG modules that describe what is written to it."""
        if self.netconf is not None:
            return self.netconf.modules
        return () if self.cli is None else self.cli.description.modules


class _TypeSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[type]``."""

    description: str = ""
    sessions_max: int = 4


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file."""

    type: _TypeSection = _TypeSection()
    netconf: NetconfDescription | None = None
    cli: CliDescription | None = None


def read_element_type(name: str, document: Mapping[str, Any]) -> ElementType:
    """Make a type of what its file says.

    Raises:
        ElementTypeError: names the key and what was expected there.
    """
    if not _NAME.fullmatch(name):
        raise ElementTypeError(f"{name!r}: expected a name of 1 to 32 of a-z 0-9 -")
    try:
        read = msgspec.convert(document, _Document)
    except msgspec.ValidationError as error:
        raise ElementTypeError(f"{name}: {error}") from None
    if (read.netconf is None) == (read.cli is None):
        raise ElementTypeError(f"{name}: expected a section [netconf] or a section [cli], and not both")
    if not 1 <= read.type.sessions_max <= 64:
        raise ElementTypeError(f"{name}: type.sessions_max: expected 1 to 64")
    if read.netconf is not None:
        _check_netconf(name, read.netconf)
    try:
        cli = None if read.cli is None else CommandLine(read.cli)
    except CommandLineError as error:
        raise ElementTypeError(f"{name}: cli.{error}") from None
    return ElementType(
        name=name,
        description=read.type.description,
        sessions_max=read.type.sessions_max,
        netconf=read.netconf,
        cli=cli,
    )


def _check_netconf(name: str, netconf: NetconfDescription) -> None:
    if not netconf.modules:
        raise ElementTypeError(f"{name}: netconf.modules: expected at least one YANG module")
    for key in ("timeout_s", "commit_timeout_s"):
        if not 0.1 <= getattr(netconf, key) <= 3_600:
            raise ElementTypeError(f"{name}: netconf.{key}: expected 0.1 to 3600 seconds")
    if not 0 <= netconf.keepalive_s <= 3_600:
        raise ElementTypeError(f"{name}: netconf.keepalive_s: expected 0 to 3600 seconds")


def load_element_types(folder: Path) -> Mapping[str, ElementType]:
    """Read all types of a folder, by name.

    Raises:
        ElementTypeError: the folder or a file cannot be read, or one of them says what it must not.
    """
    try:
        paths = sorted(folder.glob("*.toml"))
        if not folder.is_dir():
            raise ElementTypeError(f"{folder}: no such folder of element types")
        if len(paths) > ELEMENT_TYPES_MAX:
            raise ElementTypeError(
                f"{folder}: expected at most {ELEMENT_TYPES_MAX} types, found {len(paths)}"
            )
        return MappingProxyType({path.stem: read_element_type(path.stem, _document(path)) for path in paths})
    except OSError as error:
        raise ElementTypeError(f"{error.filename}: cannot read it: {error.strerror}") from None


def _document(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        content = file.read(ELEMENT_TYPE_FILE_OCTETS_MAX + 1)
    if len(content) > ELEMENT_TYPE_FILE_OCTETS_MAX:
        raise ElementTypeError(f"{path}: expected at most {ELEMENT_TYPE_FILE_OCTETS_MAX} octets")
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ElementTypeError(f"{path}: not valid TOML: {' '.join(str(error).split())}") from None
