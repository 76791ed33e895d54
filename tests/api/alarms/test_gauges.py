"""The alarm list in numbers, as they are when somebody looks."""

from ocs.api.alarms.gauges import AlarmGauges
from ocs.clock import ManualClock
from ocs.faults.alarm import Severity
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from ocs.faults.view.alarm_view import AlarmView
from ocs.faults.view.follower import AlarmFollower
from ocs.metrics import Registry
from tests.support.alarms import NOW_MS, acknowledged_by, alarm_of


def values(registry: Registry) -> dict[str, float]:
    return {
        f"{family.name}{''.join(sample.labels)}": sample.value
        for family in registry.snapshot().families
        for sample in family.samples
    }


def test_gauges_count_what_stands_and_what_nobody_has_taken_care_of():
    root = alarm_of("router1", severity=Severity.CRITICAL, last_raised_ms=NOW_MS - 60_000)
    symptom = alarm_of("router1/if/1", root_cause=root.alarm_id, last_raised_ms=NOW_MS - 90_000)
    seen, over, shelved = alarm_of("router2"), alarm_of("router3", is_cleared=True), alarm_of("router4")
    follower = AlarmFollower(None)  # type: ignore[arg-type] - it is not run
    registry = Registry()
    AlarmGauges(registry, follower, ManualClock(NOW_MS))
    assert values(registry)["ocs_alarms_unacknowledged"] == 0
    records = [
        acknowledged_by(seen, "anna"),
        OperatorRecord(shelved.alarm_id, OperatorState.SHELVED, shelved_until_ms=NOW_MS + 1),
    ]
    follower.view = AlarmView([root, symptom, seen, over, shelved], records)
    follower.is_current = True
    found = values(registry)
    assert (found["ocs_alarms_activecritical"], found["ocs_alarms_activemajor"]) == (1, 2)
    assert (found["ocs_alarms_unacknowledged"], found["ocs_alarms_shelved"]) == (1, 1)
    assert found["ocs_alarm_oldest_unacknowledged_seconds"] == 60
    assert found["ocs_alarm_view_current"] == 1
