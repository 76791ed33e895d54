"""Checks JSON against the definitions of a Swagger 2.0 file: an independent judge of what an API answers."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parent.parent / "data" / "tmf"
# RFC 3339 section 5.6: a date-time has an offset.
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list,), "object": (dict,),
}  # fmt: skip


class SwaggerMismatchError(AssertionError):
    """A value is not what the definition says; ``str()`` names the place."""


@cache
def swagger(name: str) -> dict[str, Any]:
    """A file of ``tests/data/tmf``."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


class Definitions:
    """The definitions of one file."""

    def __init__(self, name: str) -> None:
        self._document = swagger(name)

    def check(self, value: Any, definition: str, *, partly: bool = False) -> None:
        """Check a value; ``partly`` asks for no mandatory attributes, as after attribute selection."""
        self._check(value, self._document["definitions"][definition], definition, partly=partly)

    def attributes(self, definition: str) -> set[str]:
        """Names at a definition's first level."""
        return set(self._document["definitions"][definition]["properties"])

    def required(self, definition: str) -> set[str]:
        """Names that must be there."""
        return set(self._document["definitions"][definition].get("required", ()))

    def paths(self) -> dict[str, set[str]]:
        """Methods by path."""
        return {
            path: {name.upper() for name in operations}
            for path, operations in self._document["paths"].items()
        }

    def _check(self, value: Any, schema: dict[str, Any], place: str, *, partly: bool = False) -> None:
        if "$ref" in schema:
            schema = self._document["definitions"][schema["$ref"].rpartition("/")[2]]
        if not schema:  # `Any`
            return
        kind = schema.get("type", "object")
        if not _is_kind(value, kind):
            raise SwaggerMismatchError(f"{place}: {kind} expected, got {value!r}")
        if "enum" in schema and value not in schema["enum"]:
            raise SwaggerMismatchError(f"{place}: one of {schema['enum']} expected, got {value!r}")
        if schema.get("format") == "date-time" and _DATE_TIME.fullmatch(value) is None:
            raise SwaggerMismatchError(f"{place}: a date-time expected, got {value!r}")
        if kind == "array":
            for index, element in enumerate(value):
                self._check(element, schema["items"], f"{place}[{index}]")
        if kind == "object":
            missing = set() if partly else set(schema.get("required", ())) - value.keys()
            if missing:
                raise SwaggerMismatchError(f"{place}: {sorted(missing)} are missing")
            for name, inner in schema.get("properties", {}).items():
                if name in value:
                    self._check(value[name], inner, f"{place}.{name}")


def _is_kind(value: object, kind: str) -> bool:
    """Whether a value is of a JSON type; Python's bool is an int, JSON's is not."""
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
