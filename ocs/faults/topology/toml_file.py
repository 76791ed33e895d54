"""One ``*.toml`` file as values of a shape, or one line that says what is wrong with it."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import msgspec

from ocs.faults.topology.schema import TopologyError
from ocs.limits import TOPOLOGY_FILE_OCTETS_MAX

_LOCATION: Final = re.compile(r"(.*?)(?: - at `\$(.*)`)?", re.DOTALL)
_UNKNOWN_KEY: Final = re.compile(r"Object contains unknown field `(.*)`")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")

_Shape = TypeVar("_Shape")


def read_toml(path: Path, shape: type[_Shape]) -> _Shape:
    """Read a file.

    Raises:
        TopologyError: it cannot be read, or holds something else; entries are named by their names.
    """
    try:
        with path.open("rb") as file:
            octets = file.read(TOPOLOGY_FILE_OCTETS_MAX + 1)
    except OSError as error:
        raise TopologyError(str(path), "", f"expected a readable file: {error.strerror}") from None
    if len(octets) > TOPOLOGY_FILE_OCTETS_MAX:
        raise TopologyError(str(path), "", f"expected at most {TOPOLOGY_FILE_OCTETS_MAX} octets")
    try:
        raw = tomllib.loads(octets.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TopologyError(str(path), "", f"expected TOML: {error}") from None
    except RecursionError:
        raise TopologyError(str(path), "", "expected TOML: nested too deeply") from None
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError as error:
        raise _shape_error(str(path), raw, str(error)) from None


def _shape_error(file: str, raw: dict[str, Any], message: str) -> TopologyError:
    """Turn msgspec's message into file, entry and expectation."""
    match = _LOCATION.fullmatch(message)
    problem, location = (match[1], match[2] or "") if match else (message, "")
    entry = ""
    value: Any = raw
    for step in _STEP.finditer(location):
        if step[1] is not None:
            entry += f".{step[1]}" if entry else step[1]
            value = value.get(step[1])
        else:
            value = value[int(step[2])]
            entry += f"[{_name_of(value) or step[2]}]"
    unknown = _UNKNOWN_KEY.fullmatch(problem)
    if unknown:
        return TopologyError(file, entry, f"expected no key {unknown[1]}")
    return TopologyError(file, entry, problem[:1].lower() + problem[1:].replace("`", ""))


def _name_of(value: Any) -> str:
    return str(cast("dict[str, Any]", value).get("name", "")) if isinstance(value, dict) else ""
