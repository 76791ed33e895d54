"""AVPs by the names of the `diameter` package's dictionary: made from plain values, and read into them.

A group is a table of its members; a list stands for an AVP that comes several times. Enumerated values may be written by
the package's names for them.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from diameter.message import constants
from diameter.message.avp import Avp
from diameter.message.avp.avp import (
    AvpAddress,
    AvpGrouped,
    AvpInteger32,
    AvpOctetString,
    AvpTime,
    AvpUnsigned32,
)
from diameter.message.avp.dictionary import AVP_DICTIONARY, AVP_VENDOR_DICTIONARY
from diameter.message.avp.errors import AvpEncodeError

# What a message or group has: each name with all its values, in their order.
Found = dict[str, list[Any]]


class ScenarioError(ValueError):
    """The scenario is not written as scenarios are; the text says where and why."""


class _Definition(NamedTuple):
    code: int
    vendor_id: int
    type: type[Avp]


_DEFINITIONS: Final[dict[str, _Definition]] = {
    # RFC names come last: some vendors use them again.
    **{
        entry["name"]: _Definition(code, constants.VENDOR_TGPP, entry["type"])
        for code, entry in AVP_VENDOR_DICTIONARY[constants.VENDOR_TGPP].items()
    },
    **{entry["name"]: _Definition(code, 0, entry["type"]) for code, entry in AVP_DICTIONARY.items()},
}


def make(members: Mapping[str, Any], where: str = "") -> list[Avp]:
    """Encode a table of AVPs.

    Raises:
        ScenarioError: a name or value that the package does not know.
    """
    made: list[Avp] = []
    for name, value in members.items():
        definition, path = definition_of(name, where), f"{where}{name}"
        for one in value if isinstance(value, list) else [value]:
            try:
                made.append(
                    Avp.new(definition.code, definition.vendor_id, _written(name, definition, one, path))
                )
            except (AvpEncodeError, TypeError, ValueError) as error:
                raise ScenarioError(f"{path}: {error}") from None
    return made


def definition_of(name: str, where: str = "") -> _Definition:
    """The package's definition of an AVP.

    Raises:
        ScenarioError: it has none.
    """
    try:
        return _DEFINITIONS[name]
    except KeyError:
        raise ScenarioError(f"{where}{name} is no AVP of the dictionary") from None


def _written(name: str, definition: _Definition, value: Any, path: str) -> Any:
    if issubclass(definition.type, AvpGrouped):
        if not isinstance(value, Mapping):
            raise ScenarioError(f"{path} is a group: write a table")
        return make(value, f"{path}.")
    if isinstance(value, Mapping):
        if definition.type is AvpTime and set(value) == {"seconds_ago"}:
            return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=value["seconds_ago"])
        raise ScenarioError(f"{path} is no group")
    if isinstance(value, str) and issubclass(definition.type, AvpInteger32 | AvpUnsigned32):
        return number_of(name, value, path)
    if isinstance(value, str) and definition.type is AvpOctetString:
        return bytes.fromhex(value[2:]) if value.startswith("0x") else value.encode()
    return value


def number_of(name: str, word: str, path: str) -> int:
    """The number of an enumerated value.

    Raises:
        ScenarioError: the package has no such word for this AVP.
    """
    found = getattr(constants, _prefix(name) + word, None)
    if not isinstance(found, int):
        raise ScenarioError(f"{path} has no value {word}")
    return found


def word_of(name: str, number: int) -> str:
    """The number with the package's word for it, where it has one."""
    prefix = _prefix(name)
    for constant, value in vars(constants).items():
        if constant.startswith(prefix) and value == number and isinstance(value, int):
            return f"{number} ({constant.removeprefix(prefix)})"
    return str(number)


def _prefix(name: str) -> str:
    return f"E_{name.upper().replace('-', '_')}_"


def read(avps: list[Avp]) -> Found:
    """The values of AVPs, by name; of groups, tables of their members."""
    found: Found = {}
    for avp in avps:
        found.setdefault(avp.name, []).append(_value(avp))
    return found


def _value(avp: Avp) -> Any:
    value = avp.value
    if isinstance(avp, AvpGrouped):
        return read(value)
    if isinstance(avp, AvpAddress):
        return value[1]
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = ""
        return text if text.isprintable() and (text or not value) else f"0x{value.hex()}"
    return value


def tell(found: Found, indent: str = "  ") -> list[str]:
    """What was found, a line for each value."""
    lines: list[str] = []
    for name, values in found.items():
        for value in values:
            if isinstance(value, dict):
                lines += [f"{indent}{name}", *tell(value, indent + "  ")]
            elif isinstance(value, int):
                lines.append(f"{indent}{name} = {word_of(name, value)}")
            else:
                lines.append(f"{indent}{name} = {value}")
    return lines
