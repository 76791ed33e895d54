"""What clients send about alarms, for the description of the API."""

from typing import Any, Final

from ocs.api.alarms.resources import (
    ACK_ALARMS,
    CLEAR_ALARMS,
    COMMENT_ALARMS,
    GROUP_ALARMS,
    UNACK_ALARMS,
    UNGROUP_ALARMS,
)

ALARM: Final = {
    "alarmType": "environmentalAlarm",
    "perceivedSeverity": "major",
    "probableCause": "highTemperature",
    "specificProblem": "high-temperature",
    "alarmedObject": {"id": "site-berlin-1"},
    "sourceSystemId": "building-control",
    "state": "raised",
    "alarmRaisedTime": "2026-01-31T12:00:00Z",
    "alarmDetails": "Room 2 is at 41 degrees",
}
PATCH: Final = {"ackState": "acknowledged", "ackUserId": "anna", "comment": [{"comment": "on my way"}]}
ACTION: Final = {"action": "shelve", "text": "works until noon", "until": "2026-01-31T12:00:00Z"}

_ACK: Final = {
    "ackUserId": "anna",
    "ackSystemId": "noc",
    "alarmPattern": [{"alarmedObject": {"id": "router7"}}],
}
_GROUP: Final = {
    "sourceSystemId": "noc",
    "alarmChangedTime": "2026-01-31T12:00:00Z",
    "parentAlarm": {"id": "abcdefghijklmnop"},
    "correlatedAlarm": [{"id": "qrstuvwxyz234567"}],
}
TASKS: Final[dict[str, Any]] = {
    ACK_ALARMS.path: _ACK,
    UNACK_ALARMS.path: _ACK,
    GROUP_ALARMS.path: _GROUP,
    UNGROUP_ALARMS.path: _GROUP,
    CLEAR_ALARMS.path: {
        "clearUserId": "anna",
        "clearSystemId": "noc",
        "alarmClearedTime": "2026-01-31T12:00:00Z",
        "alarmPattern": [{"id": "abcdefghijklmnop"}],
    },
    COMMENT_ALARMS.path: {
        "comment": {"comment": "the fibre is being spliced", "userId": "anna"},
        "alarmPattern": [{"probableCause": "lossOfSignal"}],
    },
}
