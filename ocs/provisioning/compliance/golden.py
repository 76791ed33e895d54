"""Golden rules: what operators demand of every element's configuration, whatever services want. Pure."""

import enum
import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Final, Literal

import msgspec

from ocs.limits import GOLDEN_PROBLEMS_MAX
from ocs.provisioning.compliance.path_pattern import path_pattern, text_pattern
from ocs.provisioning.configuration import Configuration, PathError, paths_above

RuleSeverity = Literal["warning", "minor", "major", "critical"]
SEVERITIES: Final[tuple[RuleSeverity, ...]] = ("critical", "major", "minor", "warning")


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Whose configuration is judged.

    Attributes:
        role, site: as in the inventory; empty: nobody said.
    """

    element: str
    type_name: str
    role: str = ""
    site: str = ""


class GoldenRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[rules]]``. What is demanded adds up.

    Attributes:
        id: for reports and exceptions. description: why, for people.
        element, type, role, site: whom it is for, with ``*`` and ``?``; what is unsaid is anybody.
        each: a pattern: what follows is demanded of every path that fits it, and ``path`` goes on from there.
        path: a pattern (:mod:`~ocs.provisioning.compliance.path_pattern`).
        is_absent: there is none such. at_least, at_most: so many are there, and have the value.
        one_of: each has one of these values. matches: each has a value that this regular expression fits as a whole.
    """

    id: str
    path: str
    severity: RuleSeverity = "major"
    description: str = ""
    element: str = ""
    type: str = ""
    role: str = ""
    site: str = ""
    each: str = ""
    is_absent: bool = False
    at_least: int = 0
    at_most: int | None = None
    one_of: tuple[str, ...] = ()
    matches: str = ""

    def concerns(self, subject: Subject) -> bool:
        """Whether it is about an element."""
        pairs = (
            (self.element, subject.element),
            (self.type, subject.type_name),
            (self.role, subject.role),
            (self.site, subject.site),
        )
        return all(not pattern or text_pattern(pattern).fullmatch(value) for pattern, value in pairs)

    def check(self) -> str:
        """What is wrong with the rule itself; empty: nothing."""
        try:
            if self.each:
                path_pattern(self.each)
            path_pattern(self.whole_path)
            re.compile(self.matches)
        except PathError as error:
            return f"path: {error}"
        except re.error as error:
            return f"matches: {error}"
        if not self.id:
            return "id: expected a name"
        if self.is_absent and (self.at_least or self.at_most is not None):
            return "is_absent: what is absent has no number: leave at_least and at_most out"
        if not (self.is_absent or self.at_least or self.at_most is not None or self.one_of or self.matches):
            return "expected one of is_absent, at_least, at_most, one_of, matches"
        if self.at_most is not None and self.at_most < self.at_least:
            return "at_most: expected at_least or more"
        return ""

    @property
    def whole_path(self) -> str:
        """The pattern of what is demanded, from the root."""
        return f"{self.each}/{self.path.lstrip('/')}" if self.each else self.path


class GoldenException(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[exceptions]]``: a rule is not kept here, for a while, and somebody knows why.

    Attributes:
        element: a pattern. until: the last day on which it holds.
    """

    rule: str
    element: str
    until: date
    reason: str


class Verdict(enum.StrEnum):
    """How an element stands to a rule."""

    KEPT = "kept"
    BROKEN = "broken"
    EXCEPTED = "excepted"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One element and one rule that concerns it.

    Attributes:
        problems: one line each, bounded; of what is EXCEPTED too. reason: of the exception.
    """

    element: str
    rule: str
    severity: RuleSeverity
    verdict: Verdict
    problems: tuple[str, ...] = ()
    reason: str = ""


def judge(
    rules: Iterable[GoldenRule],
    exceptions: Iterable[GoldenException],
    subject: Subject,
    configuration: Configuration,
    today: date,
) -> list[Judgement]:
    """Judge an element's configuration by every rule that concerns it, in the order of the rules."""
    valid = [
        one
        for one in exceptions
        if today <= one.until and text_pattern(one.element).fullmatch(subject.element)
    ]
    judgements: list[Judgement] = []
    for rule in rules:
        if not rule.concerns(subject):
            continue
        problems = _problems(rule, configuration)
        excuse = next((one for one in valid if text_pattern(one.rule).fullmatch(rule.id)), None)
        verdict = Verdict.KEPT
        if problems:
            verdict = Verdict.BROKEN if excuse is None else Verdict.EXCEPTED
        judgements.append(
            Judgement(
                element=subject.element,
                rule=rule.id,
                severity=rule.severity,
                verdict=verdict,
                problems=tuple(problems),
                reason=f"until {excuse.until}: {excuse.reason}" if problems and excuse is not None else "",
            )
        )
    return judgements


def _problems(rule: GoldenRule, configuration: Configuration) -> list[str]:
    pattern = path_pattern(rule.whole_path)
    groups: dict[str, dict[str, str | None]] = {}
    if rule.each:
        each = path_pattern(rule.each)
        for path in configuration:
            groups.update({above: {} for above in (*paths_above(path), path) if each.matches(above)})
    else:
        groups[""] = {}
    for path, value in configuration.items():
        if pattern.matches(path):
            for above in ("",) if not rule.each else paths_above(path):
                if above in groups:
                    groups[above][path] = value
    problems = [line for where, found in sorted(groups.items()) for line in _of_group(rule, where, found)]
    if len(problems) > GOLDEN_PROBLEMS_MAX:
        problems[GOLDEN_PROBLEMS_MAX:] = [f"and {len(problems) - GOLDEN_PROBLEMS_MAX} more"]
    return problems


def _of_group(rule: GoldenRule, where: str, found: Mapping[str, str | None]) -> list[str]:
    what = f"{rule.path} in {where}" if where else rule.path
    if rule.is_absent:
        return [f"{path} should not be there" for path in sorted(found)]
    problems: list[str] = []
    good = 0
    for path, value in sorted(found.items()):
        said = "an entry" if value is None else value
        if rule.one_of and value not in rule.one_of:
            problems.append(f"{path} is {said}; expected {' or '.join(rule.one_of)}")
        elif rule.matches and (value is None or not _expression(rule.matches).fullmatch(value)):
            problems.append(f"{path} is {said}; expected what fits {rule.matches}")
        else:
            good += 1
    if good < rule.at_least:
        problems.append(f"{what}: expected at least {rule.at_least}, found {good}")
    if rule.at_most is not None and good > rule.at_most:
        problems.append(f"{what}: expected at most {rule.at_most}, found {good}")
    return problems


@lru_cache(maxsize=1_024)
def _expression(text: str) -> re.Pattern[str]:
    return re.compile(text)
