"""Configuration of an element as a flat mapping, and what to do with two of them: difference, reverse, merge. Pure.

A configuration maps paths to values. A path is an instance identifier in the notation of RFC 7951 section 6.11, the
module's name where it differs from the parent's::

    /ietf-interfaces:interfaces/interface[name='ge-0/0/1']/description

Leaves have their lexical value. A list entry, a leaf-list entry (``[.='v']``) and a container with presence exist:
their value is None. Key leaves and containers without presence are implied by what lies below them. Elements that
speak a command line are described in the same terms by their element type, so that everything above the drivers
knows one form: what a service owns is a set of paths, a difference is a difference of mappings.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import msgspec

# Values are lexical, as in RFC 7950; None: the entry exists.
Configuration: TypeAlias = Mapping[str, str | None]

_STEP: Final = re.compile(
    r"/(?P<name>(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*)(?P<predicates>(?:\[[^\]='\"]+=(?:'[^']*'|\"[^\"]*\")\])*)"
)
_PREDICATE: Final = re.compile(r"\[(?P<key>[^\]='\"]+)=(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\")\]")
_PATHS_REMEMBERED: Final = 65_536
# The key of a leaf-list's entry.
SELF: Final = "."


class PathError(ValueError):
    """A text is no path; says where it stops being one."""


class Step(NamedTuple):
    """One node of a path.

    Attributes:
        name: with its module's name, always: ``ietf-interfaces:interface``.
        keys: of a list's entry, names without module, in the order of the path; ``((".", value),)`` of a leaf-list's.
    """

    name: str
    keys: tuple[tuple[str, str], ...] = ()

    @property
    def module(self) -> str:
        """The module that defines the node."""
        return self.name.partition(":")[0]

    @property
    def local_name(self) -> str:
        """The name without its module."""
        return self.name.partition(":")[2]


@lru_cache(_PATHS_REMEMBERED)
def parse_path(path: str) -> tuple[Step, ...]:
    """Cut a path into its steps.

    Raises:
        PathError: the text is no path, or its first node lacks the module's name.
    """
    steps: list[Step] = []
    module = ""
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise PathError(f"{path!r}: no path from character {at} on: expected /module:name[key='value']")
        own_module, _, name = match["name"].rpartition(":")
        module = own_module or module
        if not module:
            raise PathError(f"{path!r}: the first node needs its module: /module:{name}")
        keys = tuple(
            (found["key"], found["single"] if found["single"] is not None else found["double"])
            for found in _PREDICATE.finditer(match["predicates"])
        )
        steps.append(Step(f"{module}:{name}", keys))
        at = match.end()
    if not steps:
        raise PathError("an empty text is no path")
    return tuple(steps)


@lru_cache(_PATHS_REMEMBERED)
def format_path(steps: tuple[Step, ...]) -> str:
    """Write steps as a path, in the one form that every path in this program has.

    Raises:
        PathError: a key holds both kinds of quotes, for which the notation has no form.
    """
    parts: list[str] = []
    module = ""
    for step in steps:
        parts.append("/")
        parts.append(step.local_name if step.module == module else step.name)
        parts.extend(f"[{name}={_quoted(value)}]" for name, value in step.keys)
        module = step.module
    return "".join(parts)


def _quoted(value: str) -> str:
    if "'" not in value:
        return f"'{value}'"
    if '"' in value:
        raise PathError(f"the key {value!r} holds both kinds of quotes")
    return f'"{value}"'


def canonical_path(path: str) -> str:
    """The one form of a path.

    Raises:
        PathError: as :func:`parse_path`.
    """
    return format_path(parse_path(path))


def entries_above(path: str) -> tuple[str, ...]:
    """The list entries and leaf-list entries that a path lies in, outermost first, itself not among them."""
    steps = parse_path(path)
    return tuple(format_path(steps[:end]) for end in range(1, len(steps)) if steps[end - 1].keys)


def paths_above(path: str) -> tuple[str, ...]:
    """Every path that a path lies below, outermost first: entries and containers, with or without presence."""
    steps = parse_path(path)
    return tuple(format_path(steps[:end]) for end in range(1, len(steps)))


def is_within(path: str, ancestor: str) -> bool:
    """Whether a path is another or lies below it."""
    return path == ancestor or (path.startswith(ancestor) and path[len(ancestor)] in "/[")


class ConfigurationDiff(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to change. Order does not matter; to do it twice is to do it once.

    Invariants: no path is both set and removed, nor removed below one that is removed.

    Attributes:
        set: paths to have these values, whatever stands there.
        removed: paths to be absent, with everything below them.
    """

    set: dict[str, str | None] = {}
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to change."""
        return bool(self.set or self.removed)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that it touches."""
        return (*self.set, *self.removed)


def difference(before: Configuration, after: Configuration) -> ConfigurationDiff:
    """What leads from one configuration to another; with an entry goes what lies below it."""
    changed = {path: value for path, value in after.items() if path not in before or before[path] != value}
    return ConfigurationDiff(changed, outermost(path for path in before if path not in after))


def outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Paths without those that lie below another of them, sorted."""
    wanted = set(paths)
    return tuple(sorted(path for path in wanted if wanted.isdisjoint(paths_above(path))))


def changed(configuration: Configuration, diff: ConfigurationDiff) -> dict[str, str | None]:
    """A configuration after a difference."""
    removed = set(diff.removed)
    after = {
        path: value
        for path, value in configuration.items()
        if path not in removed and removed.isdisjoint(paths_above(path))
    }
    after.update(diff.set)
    return after


def reverse(diff: ConfigurationDiff, before: Configuration) -> ConfigurationDiff:
    """What undoes a difference, given what stood there before it."""
    return difference(changed(before, diff), before)


def restricted(configuration: Configuration, paths: Iterable[str]) -> dict[str, str | None]:
    """The part of a configuration that is one of some paths or lies below one."""
    wanted = set(paths)
    return {
        path: value
        for path, value in configuration.items()
        if path in wanted or not wanted.isdisjoint(paths_above(path))
    }


def diff_lines(before: Configuration, diff: ConfigurationDiff) -> list[str]:
    """A difference for people: ``+ path = value``, ``- path = value``, sorted by path."""
    after = changed(before, diff)
    lines: list[tuple[str, str]] = []
    for path in before.keys() | after.keys():
        old, new = before.get(path, _ABSENT), after.get(path, _ABSENT)
        if old == new:
            continue
        if old is not _ABSENT:
            lines.append((path, _line("-", path, old)))
        if new is not _ABSENT:
            lines.append((path, _line("+", path, new)))
    return [line for _, line in sorted(lines, key=lambda item: item[0])]


_ABSENT: Final = "\0absent"


def _line(sign: str, path: str, value: str | None) -> str:
    return f"{sign} {path}" if value is None else f"{sign} {path} = {value}"
