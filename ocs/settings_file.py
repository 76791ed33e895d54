"""Reads ``ocs.toml`` and the environment into :class:`~ocs.settings.Settings`, or says in one line what is wrong.

A key of the file is overridden by the variable ``OCS_SECTION__KEY`` (``OCS_DIAMETER__PORT=0``); lists and tables are
written there as TOML or JSON: ``OCS_DIAMETER__HOSTS='["::1"]'``, ``OCS_DIAMETER__PEERS='[{origin_host = "*"}]'``.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, cast
from urllib.parse import urlsplit

import msgspec

from ocs.settings import Settings
from ocs.settings_checks import (
    RANGES,
    BadKeyError,
    check_files,
    check_secrets,
    check_settings,
    one_line,
    shown,
)
from ocs.store_url import parse_store_url

PREFIX: Final = "OCS_"

_JSON_TYPES: Final = {
    "int": "an integer", "float": "a number", "str": "a text", "bool": "true or false", "array": "a list",
    "object": "a table",
}  # fmt: skip


class SettingsError(ValueError):
    """A configuration cannot be used; ``str()`` is one line: file or variable, key, what was expected."""


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the configuration.

    Args:
        path: the file; None uses the defaults alone, relative to the current folder.
        environ: the environment; its ``OCS_SECTION__KEY`` variables come before the file.

    Raises:
        SettingsError: with one clear line.
    """
    directory = Path.cwd() if path is None else path.resolve().parent
    return _settle(_read_document(path), environ, directory, str(path or "defaults"))


def snapshot_settings(settings: Settings) -> bytes:
    """Put settings that were loaded into octets for a child that is to run with them, whatever the file says by then.

    Addresses with passwords are left out: they come from the environment, and the child has it too.
    """
    store, sql = settings.store, settings.sql
    if store.url and parse_store_url(store.url).password:
        store = msgspec.structs.replace(store, url="")
    if urlsplit(sql.url).password:
        sql = msgspec.structs.replace(sql, url="")
    return msgspec.json.encode(msgspec.structs.replace(settings, store=store, sql=sql), enc_hook=str)


def restore_settings(snapshot: bytes, environ: Mapping[str, str]) -> Settings:
    """Read what :func:`snapshot_settings` made; the environment's variables come before it.

    Raises:
        SettingsError: with one clear line; also when it was made by another release.
    """
    where = "the settings of the process that started this one"
    try:
        document = msgspec.json.decode(snapshot, type=dict[str, Any])
        directory = Path(document.pop("directory"))
    except (msgspec.DecodeError, KeyError, TypeError):
        raise SettingsError(f"{where}: they are not readable") from None
    return _settle(document, environ, directory, where)


def _settle(document: dict[str, Any], environ: Mapping[str, str], directory: Path, where: str) -> Settings:
    """Settings of a document with the environment's overrides, checked."""
    origins = _apply_environment(document, environ)
    try:
        settings = _convert(document)
        check_settings(settings)
        check_secrets(
            settings,
            url_is_written="store.url" not in origins,
            sql_url_is_written="sql.url" not in origins,
        )
        settings = msgspec.structs.replace(settings, directory=directory)
        check_files(settings)
    except BadKeyError as error:
        variable = _origin_of(error.key, origins)
        place = variable if variable is not None else f"{where}: {error.key}"
        raise SettingsError(f"{place}: {error.expectation}") from None
    return settings


# --- File and environment ----------------------------------------------------------------------------------------


def _read_document(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the configuration: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: expected UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {one_line(str(error))}") from None
    if "directory" in document:  # a field of Settings, but no key of the file
        raise SettingsError(f"{path}: directory: unknown key")
    return document


def _apply_environment(document: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Put overrides into the document; returns which variable set which key."""
    origins: dict[str, str] = {}
    for variable, text in environ.items():
        section, separator, key = variable.removeprefix(PREFIX).lower().partition("__")
        if not variable.startswith(PREFIX) or not separator:
            continue  # names without "__" are not ours: OCS_HOME, OCS_VERSION
        fields = _fields_of(section)
        if fields is None:
            raise SettingsError(f"{variable}: unknown section {section!r}{_hint(section, _section_names())}")
        if key not in fields:
            raise SettingsError(f"{variable}: unknown key {section}.{key}{_hint(key, fields)}")
        table = document.setdefault(section, {})
        if not isinstance(table, dict):
            continue  # the file's own mistake; the conversion names it
        cast("dict[str, Any]", table)[key] = _parse_variable(variable, text, fields[key])
        origins[f"{section}.{key}"] = variable
    return origins


def _parse_variable(variable: str, text: str, wanted: Any) -> Any:
    """Read a variable's text: a text key takes it as it is, every other kind is a TOML or JSON value."""
    if wanted is str or isinstance(msgspec.inspect.type_info(wanted), msgspec.inspect.LiteralType):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        pass
    info = msgspec.inspect.type_info(wanted)
    if isinstance(info, msgspec.inspect.VarTupleType):
        raise SettingsError(f'{variable}: expected a list such as ["a", "b"], got {shown(text)}')
    return text  # the conversion says what was expected


def _section_names() -> list[str]:
    return [field.name for field in msgspec.structs.fields(Settings) if field.name != "directory"]


def _fields_of(section: str) -> dict[str, Any] | None:
    for field in msgspec.structs.fields(Settings):
        if field.name == section and section != "directory":
            return {inner.name: inner.type for inner in msgspec.structs.fields(field.type)}
    return None


def _origin_of(key: str, origins: Mapping[str, str]) -> str | None:
    """The variable that set a key, also when the fault lies inside its value (``diameter.peers[0].origin_host``)."""
    return next((origins[name] for name in origins if re.match(re.escape(name) + r"(\W|\Z)", key)), None)


# --- Types -------------------------------------------------------------------------------------------------------


def _convert(document: dict[str, Any]) -> Settings:
    try:
        return msgspec.convert(document, Settings, strict=True)
    except msgspec.ValidationError as error:
        _explain(document, str(error))


def _explain(document: dict[str, Any], message: str) -> NoReturn:
    """Turn msgspec's words into ours: ``Expected `int`, got `str` - at `$.diameter.port```."""
    problem, _, location = message.partition(" - at ")
    path = location.strip("`").removeprefix("$").removeprefix(".")
    if unknown := re.search(r"unknown field `(.*)`", problem):
        key = f"{path}.{unknown[1]}".removeprefix(".")
        raise BadKeyError(key, "unknown key" + _hint(unknown[1], _names_at(path)))
    if missing := re.search(r"missing required field `(.*)`", problem):
        raise BadKeyError(f"{path}.{missing[1]}".removeprefix("."), "this key is required here")
    expected = re.search(r"Expected `([^`]*)`", problem)
    wanted = (
        " or ".join(_JSON_TYPES.get(part, part) for part in expected[1].split(" | ")) if expected else problem
    )
    if "enum value" in problem:
        wanted = f"one of {', '.join(_choices_at(path))}"
    elif path in RANGES:
        wanted += " from {:g} to {:g}".format(*RANGES[path])
    raise BadKeyError(path, f"expected {wanted}, got {shown(_value_at(document, path))}")


def _names_at(path: str) -> list[str]:
    """Which keys exist in the table at this place."""
    return list(_fields_at(path)) if path else _section_names()


def _fields_at(path: str) -> dict[str, Any]:
    """Keys and types of a section, or of an entry of one of its lists: ``diameter.peers[0]``."""
    section, _, inner = path.partition(".")
    fields = _fields_of(section) or {}
    if not inner:
        return fields
    info = msgspec.inspect.type_info(fields.get(inner.partition("[")[0], str))
    if isinstance(info, msgspec.inspect.VarTupleType) and isinstance(
        info.item_type, msgspec.inspect.StructType
    ):
        return {field.name: field.type for field in msgspec.structs.fields(info.item_type.cls)}
    return {}


def _choices_at(path: str) -> list[str]:
    table, _, key = path.rpartition(".")
    name, _, index = key.partition("[")
    info = msgspec.inspect.type_info(_fields_at(table)[name])
    if index and isinstance(info, msgspec.inspect.VarTupleType):
        info = info.item_type
    return [str(value) for value in info.values] if isinstance(info, msgspec.inspect.LiteralType) else []


def _value_at(document: Any, path: str) -> Any:
    value: Any = document
    for step in re.findall(r"[^.\[\]]+", path):
        try:
            value = value[int(step) if step.isdigit() else step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value


def _hint(name: str, known: Mapping[str, Any] | list[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.55)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}" if known else ""
