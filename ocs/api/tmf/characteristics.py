"""Characteristics (TMF: names with values of any form) from and into mappings. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from ocs.api.tmf.errors import TmfError

_TYPES: Final[dict[Any, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
}


class CharacteristicBody(msgspec.Struct, frozen=True):
    """``Characteristic``."""

    name: str
    value: Any


def shown_characteristics(values: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """A mapping as characteristics; None when it is empty."""
    return [
        {"name": name, "value": value, "valueType": _TYPES.get(type(value), "object")}
        for name, value in values.items()
    ] or None


def read_characteristics(bodies: Iterable[CharacteristicBody], attribute: str) -> dict[str, Any]:
    """Characteristics as a mapping.

    Raises:
        TmfError: 400, one is named twice.
    """
    values: dict[str, Any] = {}
    for body in bodies:
        if body.name in values:
            raise TmfError(400, f"{attribute}: {body.name:.80} stands there twice")
        values[body.name] = body.value
    return values
