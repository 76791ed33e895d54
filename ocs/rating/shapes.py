"""Whether tables as read are of the schema's shape: every key that is not, where msgspec tells the first."""

import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, Final, Literal, Union, cast, get_args, get_origin

import msgspec

from ocs.rating.positions import Path

UNKNOWN_KEY: Final = "unknown key"
MISSING_KEY: Final = "object missing required field"
_CONVERSION_PLACE: Final = re.compile(r" - at `\$(.*)`$")


def shape_errors(value: Any, kind: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Tell everything about a value that is not of its kind, table by table and key by key.

    Args:
        value: as :mod:`tomllib` reads it.
        kind: a type of the schema.
        path: of the value.
    """
    struct = _struct_of(kind)
    item = _item_of(kind)
    if struct is not None and isinstance(value, dict):
        yield from _table_errors(cast("dict[str, Any]", value), struct, path)
    elif item is not None and isinstance(value, list):
        for index, inner in enumerate(cast("list[Any]", value)):
            yield from shape_errors(inner, item, (*path, index))
    else:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            text = _CONVERSION_PLACE.sub("", str(error)).replace("`", "")
            if choices := choices_of(kind):
                text = f"expected one of {', '.join(choices)}: {text}"
            elif isinstance(value, int | float) and not isinstance(value, bool) and takes_text(kind):
                text = f'expected a text in quotes, such as "{value}", got the number {value}'
            yield path, text[:1].lower() + text[1:]


def told_at(path: Path, text: str) -> Path:
    """Where a mistake is told: what is missing, at what misses it."""
    return path[:-1] if text.startswith(MISSING_KEY) else path


def _table_errors(
    table: dict[str, Any], struct: type[msgspec.Struct], path: Path
) -> Iterator[tuple[Path, str]]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for key in table:
        if key not in fields:
            yield (*path, key), f"{UNKNOWN_KEY}, expected one of {', '.join(fields)}"
    for key, field in fields.items():
        if key in table:
            yield from shape_errors(table[key], field.type, (*path, key))
        elif field.required:
            yield (*path, key), f"{MISSING_KEY} {key}"


def _struct_of(kind: Any) -> type[msgspec.Struct] | None:
    """The table that a type is, also where it may be left out."""
    choices = get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)
    return next((c for c in choices if isinstance(c, type) and issubclass(c, msgspec.Struct)), None)


def _item_of(kind: Any) -> type[msgspec.Struct] | None:
    """The table that a type is a list of."""
    arguments = get_args(kind)
    if get_origin(kind) is not tuple or len(arguments) != 2:
        return None
    return _struct_of(arguments[0])


def table_at(kind: Any, path: Path) -> type[msgspec.Struct] | None:
    """The table of the schema at a path from a type; None where there is none."""
    struct = _struct_of(kind)
    for step in path:
        if isinstance(step, int):
            kind = _item_of(kind)
        else:
            fields = {} if struct is None else {f.encode_name: f for f in msgspec.structs.fields(struct)}
            kind = fields[step].type if step in fields else None
        struct = _struct_of(kind)
    return struct


def takes_text(kind: Any) -> bool:
    """Whether a value may be a text of any kind."""
    return kind is str or str in get_args(kind)


def choices_of(kind: Any) -> tuple[str, ...]:
    """The words that a value may be, where the schema names them."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return next((found for part in get_args(kind) if (found := choices_of(part))), ())
