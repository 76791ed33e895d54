"""Patterns of configuration paths, for policies and rules that people write. Pure.

A pattern is written like a path, with less in it::

    /ietf-interfaces:interfaces/interface/description                 of every interface
    /ietf-interfaces:interfaces/interface[name='ge-*']/enabled        of those whose name begins so
    /ietf-system:system/**                                            the container and everything below it
    /ietf-snmp:snmp/*/target                                          one step of any name

A key that is not named may have any value; in a key's value ``*`` is any text and ``?`` any character.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from ocs.provisioning.configuration import PathError, Step, parse_path

_STEP: Final = re.compile(
    r"/(?P<name>\*\*|\*|(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*)"
    r"(?P<predicates>(?:\[[^\]='\"]+=(?:'[^']*'|\"[^\"]*\")\])*)"
)
_PREDICATE: Final = re.compile(r"\[(?P<key>[^\]='\"]+)=(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\")\]")
_ANY: Final = "*"
_REST: Final = "**"
_PATTERNS_REMEMBERED: Final = 4_096


class _StepPattern(NamedTuple):
    """One step; its name is ``*`` for any."""

    name: str
    keys: tuple[tuple[str, re.Pattern[str]], ...]

    def matches(self, step: Step) -> bool:
        if self.name not in {_ANY, step.name}:
            return False
        values = dict(step.keys)
        return all(name in values and pattern.fullmatch(values[name]) for name, pattern in self.keys)


class PathPattern:
    """A pattern, read once.

    Raises:
        PathError: the text is no pattern; says where it stops being one.
    """

    def __init__(self, text: str) -> None:
        self.text: Final = text
        steps = _read(text)
        self._is_open = steps[-1].name == _REST
        self._steps = steps[:-1] if self._is_open else steps
        if any(step.name == _REST for step in self._steps):
            raise PathError(f"{text!r}: expected ** at the end only")

    def matches(self, path: str) -> bool:
        """Whether a path is meant. With ``**`` at its end: that far, or below."""
        steps = parse_path(path)
        if len(steps) < len(self._steps) or (len(steps) > len(self._steps) and not self._is_open):
            return False
        return all(pattern.matches(step) for pattern, step in zip(self._steps, steps, strict=False))


@lru_cache(_PATTERNS_REMEMBERED)
def path_pattern(text: str) -> PathPattern:
    """A pattern from its text.

    Raises:
        PathError: as :class:`PathPattern`.
    """
    return PathPattern(text)


@lru_cache(_PATTERNS_REMEMBERED)
def text_pattern(text: str) -> re.Pattern[str]:
    """A pattern of a name or a value: ``*`` is any text, ``?`` any character, everything else itself."""
    return re.compile(re.escape(text).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _read(text: str) -> tuple[_StepPattern, ...]:
    steps: list[_StepPattern] = []
    module = ""
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise PathError(
                f"{text!r}: no pattern from character {at} on: expected /module:name[key='value']"
            )
        name = match["name"]
        if name not in {_ANY, _REST}:
            own_module, _, local = name.rpartition(":")
            module = own_module or module
            if not module:
                raise PathError(f"{text!r}: the first node needs its module: /module:{local}")
            name = f"{module}:{local}"
        keys = tuple(
            (found["key"], text_pattern(found["single"] if found["single"] is not None else found["double"]))
            for found in _PREDICATE.finditer(match["predicates"])
        )
        steps.append(_StepPattern(name, keys))
        at = match.end()
    if not steps:
        raise PathError("an empty text is no pattern")
    return tuple(steps)
