"""What holds the notices of an alarm back, and when it must be looked at next. Pure questions about one entry."""

from collections.abc import Iterable
from typing import Final

from ocs.faults.alarm import Severity
from ocs.faults.book import flapping, operator_rules
from ocs.faults.book.entry import Entry
from ocs.faults.book.maintenance import Maintenance
from ocs.faults.book.policy import BookPolicy
from ocs.faults.operator_axis import OperatorState
from ocs.faults.topology.port import Topology

_TAKEN_CARE_OF: Final = frozenset({OperatorState.ACK, OperatorState.CLOSED})


class Outlook:
    """The questions, with what they depend on beside the entry."""

    def __init__(self, topology: Topology, policy: BookPolicy, maintenance: Maintenance) -> None:
        self._topology = topology
        self._policy = policy
        self._maintenance = maintenance
        self._ladders = {severity: policy.ladder(severity) for severity in Severity}

    def suppression(self, entry: Entry, now_ms: int) -> str:
        """Why notices are held back now; empty when they are not."""
        if operator_rules.is_shelved(entry.record, now_ms):
            return "shelved"
        if self._maintenance.covers(self._holders(entry.place), now_ms):
            return "maintenance"
        if entry.root_cause:
            return "symptom"
        if entry.is_flapping:
            return "flapping"
        return "settling" if entry.settle_ms > now_ms else ""

    def escalation(self, entry: Entry, now_ms: int) -> int:
        """How many steps of age an alarm that stands has passed; those it had when somebody takes care of it."""
        if entry.suppression or _is_taken_care_of(entry):
            return entry.escalation
        age_ms = now_ms - entry.last_raised_ms
        return sum(1 for after_ms in self._ladders[entry.severity] if after_ms <= age_ms)

    def has_to_leave(self, entry: Entry, now_ms: int) -> bool:
        """Whether a cleared alarm is to be purged by policy."""
        if entry.is_flapping or entry.released_ms:
            return False
        if self._policy.leaves_when_cleared_and_acknowledged and _is_taken_care_of(entry):
            return True
        kept_ms = self._policy.cleared_kept_ms
        return bool(kept_ms) and entry.last_changed_ms + kept_ms <= now_ms

    def next_ms(self, entry: Entry) -> int:
        """When an alarm must be looked at; 0: never, as things are."""
        record = entry.record
        is_shelved = record is not None and record.state is OperatorState.SHELVED
        due_ms = 0
        for moment in (
            entry.settle_ms,
            entry.spread_ms,
            entry.released_ms,
            record.shelved_until_ms if is_shelved and record is not None else 0,
            self._later_ms(entry),
        ):
            if moment and (not due_ms or moment < due_ms):
                due_ms = moment
        return due_ms

    def _later_ms(self, entry: Entry) -> int:
        """When flapping, the age before the next escalation, or the time in the list ends; 0: nothing of that."""
        if entry.is_flapping:
            return flapping.ends_ms(entry, self._policy)
        if entry.is_cleared:
            kept_ms = self._policy.cleared_kept_ms
            return entry.last_changed_ms + kept_ms if kept_ms else 0
        if entry.suppression or _is_taken_care_of(entry):
            return 0
        ladder = self._ladders[entry.severity]
        return entry.last_raised_ms + ladder[entry.escalation] if entry.escalation < len(ladder) else 0

    def _holders(self, place: str) -> Iterable[str]:
        """A resource and what directly holds its element: a site's window covers what stands in it."""
        yield place
        yield from self._topology.parents(place.partition("/")[0])


def _is_taken_care_of(entry: Entry) -> bool:
    return entry.record is not None and entry.record.state in _TAKEN_CARE_OF
