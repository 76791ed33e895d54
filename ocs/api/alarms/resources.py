"""The resources of TMF642 v4.0.0 and what a client may write into them: attributes as in the standard's swagger file.

``shelvedUntil``, ``assignedTo`` and ``operatorState`` are ours: TMF642 knows no shelving, assigning and closing.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from ocs.api.tmf.resources import ResourceType

BASE: Final = "/tmf-api/alarmManagement/v4"
DOMAIN: Final = "alarm"


class AlarmRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pointer to an alarm."""

    id: str
    href: str = ""


class AlarmedObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """The resource that has the alarm; the id is its name."""

    id: str
    href: str = ""


class CommentBody(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A remark; who says it is the bearer of the token where ``userId`` is not said."""

    comment: str
    user_id: str = ""
    system_id: str = ""
    time: datetime | None = None


class AlarmBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``Alarm_Create``: a partner or a probe says what a device would say by a trap.

    ``alarmedObject.id`` and ``specificProblem`` make the key: the same again is the same alarm. ``state`` or severity
    ``cleared`` clears.
    """

    alarm_type: str
    perceived_severity: str
    probable_cause: str
    alarmed_object: AlarmedObject
    source_system_id: str
    state: str
    alarm_raised_time: datetime
    alarm_changed_time: datetime | None = None
    alarm_cleared_time: datetime | None = None
    specific_problem: str = ""
    alarm_details: str = ""
    external_alarm_id: str = ""
    proposed_repaired_actions: str = ""


class AlarmPatch(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """``Alarm_Update``: what operators say. What devices say cannot be patched.

    Attributes:
        state: ``cleared`` clears an alarm that its device never clears.
        comment: those to be added; the ones that are there already are stepped over.
        shelved_until: null ends the shelf.
        operator_state: ``closed`` closes.
    """

    ack_state: str = ""
    ack_user_id: str = ""
    ack_system_id: str = ""
    state: str = ""
    clear_user_id: str = ""
    clear_system_id: str = ""
    comment: tuple[CommentBody, ...] = ()
    assigned_to: str | None = None
    shelved_until: datetime | msgspec.UnsetType | None = msgspec.UNSET
    operator_state: str = ""
    type_: str = msgspec.field(name="@type", default="")


Pattern = dict[str, Any]


class AckBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``AckAlarms_Create`` and ``UnAckAlarms_Create``: an alarm is meant that has all attributes of any pattern."""

    ack_system_id: str
    ack_user_id: str
    alarm_pattern: tuple[Pattern, ...]


class ClearBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``ClearAlarms_Create``; the time is when it was over."""

    clear_system_id: str
    clear_user_id: str
    alarm_cleared_time: datetime
    alarm_pattern: tuple[Pattern, ...]


class CommentAlarmsBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``CommentAlarms_Create``."""

    comment: CommentBody
    alarm_pattern: tuple[Pattern, ...]


class AlarmRefBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alarm that a client means, by its id or by its address."""

    id: str = ""
    href: str = ""

    @property
    def alarm_id(self) -> str:
        """Its id; empty when nothing was said."""
        return self.id or self.href.rpartition("/")[2]


class GroupBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``GroupAlarms_Create`` and ``UnGroupAlarms_Create``: which alarms belong under a parent, or do not any more."""

    source_system_id: str
    alarm_changed_time: datetime
    parent_alarm: AlarmRefBody
    correlated_alarm: tuple[AlarmRefBody, ...]


_COMMON: Final = ("id", "href", "@type", "@baseType", "@schemaLocation")
_ALARM: Final = (
    *_COMMON, "ackState", "ackSystemId", "ackUserId", "alarmChangedTime", "alarmClearedTime", "alarmDetails",
    "alarmEscalation", "alarmRaisedTime", "alarmReportingTime", "alarmType", "alarmedObjectType", "clearSystemId",
    "clearUserId", "externalAlarmId", "isRootCause", "perceivedSeverity", "plannedOutageIndicator", "probableCause",
    "proposedRepairedActions", "reportingSystemId", "serviceAffecting", "sourceSystemId", "specificProblem", "state",
    "affectedService", "alarmedObject", "comment", "correlatedAlarm", "crossedThresholdInformation", "parentAlarm",
    "place",
    # Ours:
    "assignedTo", "operatorState", "shelvedUntil", "affectedSubscribers", "occurrences", "suppression",
)  # fmt: skip
_TASK: Final = (*_COMMON, "state", "alarmPattern")
_GROUP: Final = (*_COMMON, "state", "alarmChangedTime", "sourceSystemId", "parentAlarm", "correlatedAlarm")


def _kind(name: str, *attributes: str, written: type[msgspec.Struct]) -> ResourceType:
    return ResourceType(name, name[0].lower() + name[1:], BASE, DOMAIN, frozenset(attributes), written)


ALARM: Final = _kind("Alarm", *_ALARM, written=AlarmBody)
ACK_ALARMS: Final = _kind(
    "AckAlarms", *_TASK, "ackSystemId", "ackTime", "ackUserId", "ackedAlarm", written=AckBody
)
UNACK_ALARMS: Final = _kind(
    "UnAckAlarms", *_TASK, "ackSystemId", "ackTime", "ackUserId", "unAckedAlarm", written=AckBody
)
CLEAR_ALARMS: Final = _kind(
    "ClearAlarms",
    *_TASK,
    "alarmClearedTime",
    "clearSystemId",
    "clearUserId",
    "clearedAlarm",
    written=ClearBody,
)
COMMENT_ALARMS: Final = _kind("CommentAlarms", *_TASK, "comment", "commentedAlarm", written=CommentAlarmsBody)
GROUP_ALARMS: Final = _kind("GroupAlarms", *_GROUP, "groupedAlarm", written=GroupBody)
UNGROUP_ALARMS: Final = _kind("UnGroupAlarms", *_GROUP, "unGroupedAlarm", written=GroupBody)
TASKS: Final = (ACK_ALARMS, UNACK_ALARMS, CLEAR_ALARMS, COMMENT_ALARMS, GROUP_ALARMS, UNGROUP_ALARMS)
