"""The alarm list in numbers, counted when somebody looks."""

from typing import Final

from ocs.clock import Clock
from ocs.faults.alarm import Severity
from ocs.faults.operator_axis import OperatorState
from ocs.faults.view.follower import AlarmFollower
from ocs.metrics import Gauge, Registry

_SEVERITIES: Final = tuple(severity for severity in Severity if severity > Severity.CLEARED)
_SEEN_TO: Final = frozenset({OperatorState.ACK, OperatorState.CLOSED})


class AlarmGauges:
    """Sets gauges from the view before each snapshot. What is shelved is counted apart, and nowhere else."""

    def __init__(self, registry: Registry, follower: AlarmFollower, clock: Clock) -> None:
        self._follower = follower
        self._clock = clock
        # Every HTTP process follows the same list.
        self._active = Gauge(
            "ocs_alarms_active",
            "Alarms that stand, by severity.",
            ("severity",),
            merge="max",
            registry=registry,
        )
        self._untouched = Gauge(
            "ocs_alarms_unacknowledged",
            "Alarms that stand, are no symptoms, and of which nobody has taken care.",
            merge="max",
            registry=registry,
        )
        self._shelved = Gauge("ocs_alarms_shelved", "Alarms on the shelf.", merge="max", registry=registry)
        self._oldest = Gauge(
            "ocs_alarm_oldest_unacknowledged_seconds",
            "Age of the oldest alarm that stands and of which nobody has taken care.",
            merge="max",
            registry=registry,
        )
        self._current = Gauge(
            "ocs_alarm_view_current",
            "1 while the HTTP process follows the alarm list.",
            merge="max",
            registry=registry,
        )
        registry.before_snapshot(self._refresh)

    def _refresh(self) -> None:
        """Count: some milliseconds for a hundred thousand alarms."""
        now_ms = self._clock.now_ms()
        counts = dict.fromkeys(_SEVERITIES, 0)
        untouched = shelved = 0
        oldest_ms = now_ms
        for row in self._follower.view.standing():
            alarm = row.alarm
            if row.is_shelved(now_ms):
                shelved += 1
                continue
            counts[alarm.severity] += 1
            if not alarm.root_cause and row.state not in _SEEN_TO:
                untouched += 1
                oldest_ms = min(oldest_ms, alarm.last_raised_ms)
        for severity, count in counts.items():
            self._active.set(count, severity.name.lower())
        self._untouched.set(untouched)
        self._shelved.set(shelved)
        self._oldest.set(max(0, now_ms - oldest_ms) // 1000)
        self._current.set(int(self._follower.is_current))
