"""What becomes of drift: the first ``[[drift]]`` that fits. Pure."""

import enum
from collections.abc import Iterable

import msgspec

from ocs.provisioning.compliance.path_pattern import path_pattern, text_pattern


class DriftAction(enum.StrEnum):
    """What is done about a finding."""

    ACCEPT = "accept"  # the record follows the element
    ALARM = "alarm"  # people decide
    REVERT = "revert"  # the element follows the record


class DriftRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[drift]]``; what is unsaid fits everything.

    Attributes:
        path: a pattern (:mod:`~ocs.provisioning.compliance.path_pattern`). element, service: name patterns with ``*``
            and ``?``; of a path with several owners one that fits is enough.
    """

    action: DriftAction
    path: str = ""
    element: str = ""
    service: str = ""

    def fits(self, element: str, path: str, owners: tuple[str, ...]) -> bool:
        """Whether it decides on a finding."""
        if self.element and not text_pattern(self.element).fullmatch(element):
            return False
        if self.service and not any(text_pattern(self.service).fullmatch(owner) for owner in owners):
            return False
        return not self.path or path_pattern(self.path).matches(path)


def decide(rules: Iterable[DriftRule], element: str, path: str, owners: tuple[str, ...]) -> DriftAction:
    """What is done about a finding; where no rule fits there is an alarm."""
    return next((rule.action for rule in rules if rule.fits(element, path, owners)), DriftAction.ALARM)
