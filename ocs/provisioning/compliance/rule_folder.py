"""The folder of rules: TOML files with ``[[drift]]``, ``[[rules]]`` and ``[[exceptions]]``, in the order of names."""

import tomllib
from pathlib import Path

import msgspec

from ocs.limits import COMPLIANCE_FILE_OCTETS_MAX, COMPLIANCE_RULES_MAX
from ocs.provisioning.compliance.drift_policy import DriftRule
from ocs.provisioning.compliance.golden import GoldenException, GoldenRule
from ocs.provisioning.compliance.path_pattern import path_pattern
from ocs.provisioning.configuration import PathError


class ComplianceRulesError(ValueError):
    """A file of rules cannot be used; ``str()`` names file, place and expectation."""


class ComplianceRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the files say together.

    Attributes:
        drift: the first that fits decides. rules: all count. exceptions: from the latter.
    """

    drift: tuple[DriftRule, ...] = ()
    rules: tuple[GoldenRule, ...] = ()
    exceptions: tuple[GoldenException, ...] = ()


def load_compliance_rules(folder: Path) -> ComplianceRules:
    """Read a folder; one that is not there has no rules.

    Raises:
        ComplianceRulesError: a file cannot be read, or says what it must not.
    """
    read = [(path, _read(path)) for path in sorted(folder.glob("*.toml"))]
    whole = ComplianceRules(
        drift=tuple(rule for _, one in read for rule in one.drift),
        rules=tuple(rule for _, one in read for rule in one.rules),
        exceptions=tuple(exception for _, one in read for exception in one.exceptions),
    )
    count = len(whole.drift) + len(whole.rules) + len(whole.exceptions)
    if count > COMPLIANCE_RULES_MAX:
        raise ComplianceRulesError(f"{folder}: expected at most {COMPLIANCE_RULES_MAX} rules, found {count}")
    first: dict[str, Path] = {}
    for path, one in read:
        for rule in one.rules:
            if first.setdefault(rule.id, path) is not path or sum(r.id == rule.id for r in one.rules) > 1:
                raise ComplianceRulesError(f"{path}: rule {rule.id!r}: there is another one of that id")
    return whole


def _read(path: Path) -> ComplianceRules:
    try:
        with path.open("rb") as file:
            content = file.read(COMPLIANCE_FILE_OCTETS_MAX + 1)
        if len(content) > COMPLIANCE_FILE_OCTETS_MAX:
            raise ComplianceRulesError(f"{path}: expected at most {COMPLIANCE_FILE_OCTETS_MAX} octets")
        document = msgspec.convert(tomllib.loads(content.decode()), ComplianceRules)
    except OSError as error:
        raise ComplianceRulesError(f"{path}: cannot read it: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ComplianceRulesError(f"{path}: not valid TOML: {' '.join(str(error).split())}") from None
    except msgspec.ValidationError as error:
        raise ComplianceRulesError(f"{path}: {error}") from None
    for number, rule in enumerate(document.drift, 1):
        try:
            if rule.path:
                path_pattern(rule.path)
        except PathError as error:
            raise ComplianceRulesError(f"{path}: drift {number}: path: {error}") from None
    for number, rule in enumerate(document.rules, 1):
        if problem := rule.check():
            raise ComplianceRulesError(f"{path}: rule {rule.id or number}: {problem}")
    for number, exception in enumerate(document.exceptions, 1):
        if not exception.reason.strip():
            raise ComplianceRulesError(f"{path}: exception {number}: reason: expected why")
    return document
