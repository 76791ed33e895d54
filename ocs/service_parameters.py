"""What kinds of services are told: read from the words of a command line, and described for who writes them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import inspect

from ocs.provisioning_setup import MODELS
from ocs.settings_file import SettingsError

_ATTRIBUTES: Final = "Attributes:"
_LISTS: Final = (inspect.VarTupleType, inspect.ListType)


class ParameterDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of a kind of service, for people.

    Attributes:
        form: what is written, such as ``number, 1 to 254``. about: what it means. example: a value that does.
        default: empty when it is needed, or when nothing is what is left unsaid.
    """

    name: str
    form: str
    about: str
    example: str
    is_needed: bool
    default: str


# --- Reading ----------------------------------------------------------------------------------------------------------


def said_parameters(model: str, texts: Sequence[str]) -> dict[str, object]:
    """Parameters from ``NAME=VALUE``; not in the types of the model yet.

    A list may be said as JSON, as one word, or word by word: ``a=x a=y``.

    Raises:
        SettingsError: one has another form, or was said twice and is no list.
    """
    lists = _names_of_lists(model)
    said: dict[str, object] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not name or not separator:
            raise SettingsError(f"--set {text}: expected NAME=VALUE")
        read = _value(value)
        if name in lists:
            before = said.get(name, [])
            more = cast("list[object]", read) if isinstance(read, list) else [read] if read else []
            said[name] = [*before, *more] if isinstance(before, list) else more
        elif name in said:
            raise SettingsError(f"--set {text}: {name} was said before, and has one value")
        else:
            said[name] = read
    return said


def _names_of_lists(model: str) -> set[str]:
    if model not in MODELS:
        return set()  # the planner refuses it, and names those that there are
    return {field.encode_name for field in _fields(MODELS[model].parameters_type) if _is_list(field.type)}


def _is_list(kind: inspect.Type) -> bool:
    return isinstance(_bare(kind)[0], _LISTS)


def _value(text: str) -> object:
    """A list or a record as JSON; everything else is text, and becomes what the model wants."""
    if text[:1] not in {"[", "{"}:
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


# --- Describing -------------------------------------------------------------------------------------------------------


def described(parameters_type: type[msgspec.Struct]) -> Iterator[ParameterDescription]:
    """All parameters of a kind of service, in their order."""
    fields = _fields(parameters_type)
    about = _told(parameters_type.__doc__ or "", [field.name for field in fields])
    for field in fields:
        kind, example = _bare(field.type)
        default = "" if field.required or not field.default else str(field.default)
        if isinstance(field.default, bool):
            default = "true" if field.default else "false"
        yield ParameterDescription(
            name=field.encode_name,
            form=_form(kind),
            about=about.get(field.name, ""),
            example=_as_said(example),
            is_needed=field.required,
            default=default,
        )


def _fields(parameters_type: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    found = inspect.type_info(parameters_type)
    return found.fields if isinstance(found, inspect.StructType) else ()


def _bare(kind: inspect.Type) -> tuple[inspect.Type, Any]:
    """A type without what is said about it, and without the possibility of there being nothing; its example."""
    example: Any = ""
    while True:
        if isinstance(kind, inspect.Metadata):
            schema = cast("Mapping[str, Any]", kind.extra_json_schema or {})
            example = example or next(iter(schema.get("examples", ())), "")
            kind = kind.type
        elif isinstance(kind, inspect.UnionType):
            (kind,) = (one for one in kind.types if not isinstance(one, inspect.NoneType))
        else:
            return kind, example


def _form(kind: inspect.Type) -> str:
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"number, {kind.ge} to {kind.le}"
        case inspect.VarTupleType() | inspect.ListType():
            return f"list of {_form(_bare(kind.item_type)[0])}"
        case inspect.StructType():
            return f"JSON with {', '.join(field.encode_name for field in kind.fields)}"
        case _:
            return "text"


def _as_said(example: Any) -> str:
    return example if isinstance(example, str) else msgspec.json.encode(example).decode()


def _told(docstring: str, names: Sequence[str]) -> dict[str, str]:
    """What a docstring's section of attributes tells of each; several may share their words."""
    text = " ".join(docstring.partition(_ATTRIBUTES)[2].split())
    name = "(?:" + "|".join(sorted(map(re.escape, names), key=len, reverse=True)) + ")"
    # Names begin a sentence: `a: is this. b, c: are that.`
    parts = re.split(rf"(?:^|(?<=\. ))({name}(?:, {name})*): ", text)
    told: dict[str, str] = {}
    for heading, words in zip(parts[1::2], parts[2::2], strict=True):
        told |= dict.fromkeys(heading.split(", "), words.strip())
    return told
