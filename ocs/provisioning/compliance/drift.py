"""What services own against what an element runs: findings, and what undoes them. Pure."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from ocs.provisioning.configuration import (
    Configuration,
    ConfigurationDiff,
    entries_above,
    outermost,
    restricted,
)
from ocs.provisioning.credentials import SECRET_PREFIX

# What stands for a secret that is none of ours: whatever it is, it is not told, and cannot be sent.
FOREIGN_SECRET: Final = f"{SECRET_PREFIX}?"


class FindingKind(enum.StrEnum):
    """How what runs differs."""

    CHANGED = "changed"
    MISSING = "missing"
    EXTRA = "extra"  # in a list entry that a service made, and nobody's


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One path that is not as services want it.

    Attributes:
        place: the owned path that it is about: the path itself, or the entry that holds what is EXTRA.
        wanted: the owners' value, of what is CHANGED or MISSING. found: the element's, of what is CHANGED or EXTRA.
            None: an entry, which has no value.
        owners: the first services that own the place, by id.
    """

    path: str
    kind: FindingKind
    place: str
    wanted: str | None = None
    found: str | None = None
    owners: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """As a difference for people: ``-`` what is wanted, ``+`` what was found."""
        lines: list[str] = []
        if self.kind is not FindingKind.EXTRA:
            lines.append(_line("-", self.path, self.wanted))
        if self.kind is not FindingKind.MISSING:
            lines.append(_line("+", self.path, self.found))
        return tuple(lines)


def _line(sign: str, path: str, value: str | None) -> str:
    return f"{sign} {path}" if value is None else f"{sign} {path} = {value}"


class OwnedConfiguration(msgspec.Struct, frozen=True):
    """What services own of one element, or of a part of it.

    Attributes:
        values: path -> what its owners want, who all want the same. Entries above an owned path are owned too.
        originals: paths of which something stood there before the first owner. An entry among them is not a service's
            alone, and what else is in it is nobody's business here.
    """

    values: Mapping[str, str | None] = {}
    originals: frozenset[str] = frozenset()

    def maker_of(self, path: str) -> str:
        """The innermost list entry above a path, if a service made it; empty otherwise."""
        for entry in reversed(entries_above(path)):
            if entry in self.values:
                return "" if entry in self.originals else entry
        return ""


def compare(
    owned: OwnedConfiguration, running: Configuration, scope: Sequence[str] | None = None
) -> list[Finding]:
    """Find what is not as services want it, by path; who owns it is for somebody else to say.

    Args:
        owned: with the entries above the scope. running: what the element runs.
        scope: both were read at or below these paths only; None: as a whole.
    """
    inside = owned.values if scope is None else restricted(owned.values, scope)
    findings: list[Finding] = []
    for path, wanted in inside.items():
        if path not in running:
            findings.append(Finding(path, FindingKind.MISSING, path, wanted))
        elif running[path] != wanted:
            findings.append(Finding(path, FindingKind.CHANGED, path, wanted, running[path]))
    for path, value in running.items():
        if path not in owned.values and (maker := owned.maker_of(path)):
            findings.append(Finding(path, FindingKind.EXTRA, maker, None, value))
    return sorted(findings, key=lambda finding: finding.path)


def is_readable(scope: Sequence[str], owned: OwnedConfiguration) -> bool:
    """Whether some paths can be read one by one: not when one is a whole list, named without the keys of an entry."""
    lists = tuple(f"{path}[" for path in scope)
    return not any(path.startswith(lists) for path in owned.values)


def concealed(running: Configuration, owned: OwnedConfiguration) -> dict[str, str | None]:
    """A configuration without secrets that are none of ours, wherever a service wants one of ours."""
    result = dict(running)
    for path, value in running.items():
        wanted = owned.values.get(path)
        if wanted is not None and wanted.startswith(SECRET_PREFIX) and value != wanted:
            result[path] = FOREIGN_SECRET
    return result


def repair(findings: Iterable[Finding]) -> ConfigurationDiff:
    """What has an element run again what services want."""
    to_set: dict[str, str | None] = {}
    extra: list[str] = []
    for finding in findings:
        if finding.kind is FindingKind.EXTRA:
            extra.append(finding.path)
        else:
            to_set[finding.path] = finding.wanted
    return ConfigurationDiff(to_set, outermost(extra))


def expected(findings: Iterable[Finding]) -> dict[str, str | None]:
    """What must still stand there when findings are repaired; another value is a change that nobody has judged yet."""
    return {
        finding.path: finding.found
        for finding in findings
        if finding.kind is not FindingKind.MISSING and finding.found != FOREIGN_SECRET
    }
