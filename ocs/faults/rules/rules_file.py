"""Reads a folder of ``*.toml`` files as one book of rules; the only file of this package that touches a disk."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import msgspec

from ocs.faults.mibs import MibNames
from ocs.faults.rules.compiler import CompiledRule
from ocs.faults.rules.conditions import exclude_each_other
from ocs.faults.rules.errors import EntryError, RulesError
from ocs.faults.rules.rulebook import RuleBook
from ocs.faults.rules.schema import RuleFile, RuleSource
from ocs.limits import ALARM_RULE_FILE_OCTETS_MAX, ALARM_RULES_MAX
from ocs.rating.positions import positions_of

_LOCATION: Final = re.compile(r"(.*?)(?: - at `\$(.*)`)?", re.DOTALL)
_UNKNOWN_KEY: Final = re.compile(r"Object contains unknown field `(.*)`")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")

_Path = tuple[str | int, ...]


class _File(NamedTuple):
    """One file: its path, its text for line numbers, its tables as they were read."""

    name: str
    text: str
    raw: dict[str, Any]

    def error(self, path: _Path, expectation: str) -> RulesError:
        """The error at a key, with its line and the rule's own id."""
        positions = positions_of(self.text)
        at = path
        while at and at not in positions:
            at = at[:-1]
        return RulesError(self.name, positions.get(at, 0), self._key(path), expectation)

    def _key(self, path: _Path) -> str:
        key, value = "", cast("Any", self.raw)
        for step in path:
            inner: Any = None
            if isinstance(value, dict):
                inner = cast("dict[str, Any]", value).get(str(step))
            elif isinstance(value, list) and isinstance(step, int):
                inner = dict(enumerate(cast("list[Any]", value))).get(step)
            if isinstance(step, int):
                named = cast("dict[str, Any]", inner).get("id") if isinstance(inner, dict) else None
                key += f"[{named if isinstance(named, str) else step + 1}]"
            else:
                key += f".{step}" if key else step
            value = cast("Any", inner)
        return key


class _Found(NamedTuple):
    file: _File
    place: int
    rule: CompiledRule


def load_rules(
    folder: Path, mibs: MibNames, *, element_of: Callable[[str], str | None] | None = None
) -> RuleBook:
    """Read all ``*.toml`` files of a folder as one book.

    Args:
        element_of: the name of an element by its address; None calls elements by their addresses.

    Raises:
        RulesError: a file cannot be used; one line naming file, line, entry and expectation.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError as error:
        raise RulesError(
            str(folder), 0, "", f"expected a folder with alarm rules: {error.strerror}"
        ) from None
    return rules_of({str(path): _read(path) for path in paths}, mibs, element_of=element_of)


def rules_of(
    texts: Mapping[str, str], mibs: MibNames, *, element_of: Callable[[str], str | None] | None = None
) -> RuleBook:
    """Make a book of files that were read, by their paths.

    Raises:
        RulesError: as :func:`load_rules`.
    """
    found: list[_Found] = []
    for name, text in texts.items():
        file, rules = _parsed(name, text)
        for place, source in enumerate(rules):
            if len(found) >= ALARM_RULES_MAX:
                raise RulesError(name, 0, "rules", f"expected at most {ALARM_RULES_MAX} rules in all files")
            try:
                found.append(_Found(file, place, CompiledRule(source, mibs)))
            except EntryError as error:
                raise file.error(("rules", place, *error.path), error.expectation) from None
    _check_ids(found)
    _check_order(found)
    return RuleBook([one.rule for one in found], mibs, element_of=element_of)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(ALARM_RULE_FILE_OCTETS_MAX + 1)
        if len(content) > ALARM_RULE_FILE_OCTETS_MAX:
            raise RulesError(str(path), 0, "", f"expected at most {ALARM_RULE_FILE_OCTETS_MAX} octets")
        return content.decode("utf-8")
    except OSError as error:
        raise RulesError(str(path), 0, "", f"expected a readable file: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RulesError(str(path), 0, "", f"expected UTF-8: {error.reason}") from None


def _parsed(name: str, text: str) -> tuple[_File, tuple[RuleSource, ...]]:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesError(name, 0, "", f"expected TOML: {error}") from None
    except RecursionError:
        raise RulesError(name, 0, "", "expected TOML: nested too deeply") from None
    file = _File(name, text, raw)
    try:
        return file, msgspec.convert(raw, RuleFile).rules
    except msgspec.ValidationError as error:
        raise _shape_error(file, str(error)) from None


def _shape_error(file: _File, message: str) -> RulesError:
    match = _LOCATION.fullmatch(message)
    problem, location = (match[1], match[2] or "") if match else (message, "")
    path: _Path = tuple(step[1] or int(step[2]) for step in _STEP.finditer(location))
    unknown = _UNKNOWN_KEY.fullmatch(problem)
    if unknown:
        path, problem = (*path, unknown[1]), "unknown key"
    return file.error(path, problem[:1].lower() + problem[1:].replace("`", ""))


def _check_ids(found: Iterable[_Found]) -> None:
    seen: dict[str, _Found] = {}
    for one in found:
        other = seen.setdefault(one.rule.rule_id, one)
        if other is not one:
            raise one.file.error(
                ("rules", one.place, "id"),
                f"expected an id that no other rule has, {other.file.name} has it too",
            )


def _check_order(found: Iterable[_Found]) -> None:
    """Refuse rules of which nobody could say which comes first."""
    groups: dict[tuple[str, bool, int], list[_Found]] = {}
    for one in found:
        rule = one.rule
        groups.setdefault((rule.trap_oid, rule.is_prefix, len(rule.conditions)), []).append(one)
    for group in groups.values():
        for place, one in enumerate(group):
            for other in group[:place]:
                if not exclude_each_other(one.rule.conditions, other.rule.conditions):
                    raise one.file.error(
                        ("rules", one.place),
                        f"a notification can meet this rule and {other.rule.rule_id} ({other.file.name}), which has as "
                        "many conditions on the same trap: give one of them a further condition",
                    )
