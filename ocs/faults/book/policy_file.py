"""Reads ``config/topology/policy.toml``: how the operator wants notices, groups and age to be treated."""

from pathlib import Path
from typing import Literal

import msgspec

from ocs.faults.alarm import Severity
from ocs.faults.book.policy import CAUSE_TYPES, BookPolicy, EscalationStep, NotifyChanges
from ocs.faults.topology.schema import TopologyError
from ocs.faults.topology.toml_file import read_toml
from ocs.faults.topology.toml_topology import POLICY_FILE

_SeverityName = Literal["critical", "major", "minor", "warning", "indeterminate"]
_MS = 1_000


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class _Notices(_Section, frozen=True, kw_only=True):
    changes: NotifyChanges = NotifyChanges.ALL_STATE_CHANGES
    level: _SeverityName = "major"


class _Grouping(_Section, frozen=True, kw_only=True):
    settling_s: float = 2.0
    cause_types: tuple[str, ...] = CAUSE_TYPES


class _Flapping(_Section, frozen=True, kw_only=True):
    raises: int = 5
    half_life_s: float = 60.0
    ends_below: float = 1.5


class _Escalation(_Section, frozen=True, kw_only=True):
    severity: _SeverityName
    after_s: float


class _Keeping(_Section, frozen=True, kw_only=True):
    cleared_days: float = 7.0
    leaves_when_cleared_and_acknowledged: bool = False


class _PolicyFile(_Section, frozen=True, kw_only=True):
    notices: _Notices = _Notices()
    grouping: _Grouping = _Grouping()
    flapping: _Flapping = _Flapping()
    escalations: tuple[_Escalation, ...] | None = None
    keeping: _Keeping = _Keeping()


def load_policy(folder: Path) -> BookPolicy:
    """The policy of a folder of topology; the usual one where the file is missing.

    Raises:
        TopologyError: the file cannot be used; one line naming file, entry and expectation.
    """
    path = folder / POLICY_FILE
    if not path.exists():
        return BookPolicy()
    file = read_toml(path, _PolicyFile)
    _check(path, file)
    steps = BookPolicy().escalations
    if file.escalations is not None:
        steps = tuple(EscalationStep(_severity(s.severity), int(s.after_s * _MS)) for s in file.escalations)
    return BookPolicy(
        notify_changes=file.notices.changes,
        notify_level=_severity(file.notices.level),
        settling_ms=int(file.grouping.settling_s * _MS),
        cause_types=file.grouping.cause_types,
        flapping_raises=file.flapping.raises,
        flapping_half_life_ms=int(file.flapping.half_life_s * _MS),
        flapping_ends_below=file.flapping.ends_below,
        escalations=steps,
        leaves_when_cleared_and_acknowledged=file.keeping.leaves_when_cleared_and_acknowledged,
        cleared_kept_ms=int(file.keeping.cleared_days * 86_400 * _MS),
    )


def _check(path: Path, file: _PolicyFile) -> None:
    for entry, is_right, expectation in (
        ("grouping.settling_s", 0 <= file.grouping.settling_s <= 60, "expected 0 to 60"),
        ("flapping.raises", 2 <= file.flapping.raises <= 100, "expected 2 to 100"),
        ("flapping.half_life_s", 1 <= file.flapping.half_life_s <= 3_600, "expected 1 to 3600"),
        (
            "flapping.ends_below",
            0 < file.flapping.ends_below < file.flapping.raises,
            "expected more than 0 and less than raises",
        ),
        ("keeping.cleared_days", file.keeping.cleared_days >= 0, "expected 0 for ever, or more"),
        ("escalations", all(s.after_s > 0 for s in file.escalations or ()), "expected after_s above 0"),
    ):
        if not is_right:
            raise TopologyError(str(path), entry, expectation)


def _severity(name: str) -> Severity:
    return Severity[name.upper()]
