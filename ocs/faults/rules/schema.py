"""What a rule file may hold; ``docs/alarm-rules.md`` explains it with examples."""

from typing import Annotated, Literal

import msgspec

SeverityName = Literal["cleared", "indeterminate", "warning", "minor", "major", "critical"]
EventTypeName = Literal[
    "other",
    "communicationsAlarm",
    "qualityOfServiceAlarm",
    "processingErrorAlarm",
    "equipmentAlarm",
    "environmentalAlarm",
    "integrityViolation",
    "operationalViolation",
    "physicalViolation",
    "securityServiceOrMechanismViolation",
    "timeDomainViolation",
]
Written = int | str


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class ConditionSource(_Table, frozen=True, kw_only=True, rename={"is_": "is"}):
    """One entry of ``when``: something about one varbind.

    A varbind that was not sent meets only ``is_not``, and ``is_present = false``.

    Attributes:
        varbind: a name, an object identifier, or ``#3`` for the third one sent.
    """

    varbind: str
    is_: Written | tuple[Written, ...] | None = None
    is_not: Written | tuple[Written, ...] | None = None
    at_least: int | None = None
    below: int | None = None
    contains: str | None = None
    starts_with: str | None = None
    is_present: bool | None = None


class SeveritySource(_Table, frozen=True, kw_only=True):
    """A severity that a varbind tells, by one of the codings in use or by a table of its own.

    Attributes:
        part: what of the varbind: its value, the last number of the object identifier that is its value, or the last
            number of its instance.
        values: by number or label; of BITS the first label here whose bit is set.
        default: for values that the coding does not know, and when the varbind was not sent.
    """

    varbind: str
    part: Literal["value", "end-of-value", "end-of-index"] = "value"
    coding: Literal["itu", "x721", "rfc8632"] | None = None
    values: dict[str, SeverityName] = {}
    default: SeverityName


class NumberSource(_Table, frozen=True, kw_only=True):
    """An event type or a probable cause that a varbind tells in the numbers of IANA-ITU-ALARM-TC-MIB."""

    varbind: str


class SignalSource(_Table, frozen=True, kw_only=True):
    """One entry of ``signals``: what a notification says about one alarm."""

    alarm: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
    resource: str = "{element}"
    qualifier: str = ""
    severity: SeverityName | SeveritySource
    event_type: EventTypeName | NumberSource = "other"
    probable_cause: int | str | NumberSource = "other"
    text: Annotated[str, msgspec.Meta(min_length=1)]
    repair: str = ""
    will_clear: bool = True
    details: tuple[str, ...] | None = None


class RuleSource(_Table, frozen=True, kw_only=True):
    """One entry of ``rules``.

    Attributes:
        trap: name or object identifier of the notification; with ``.*`` at its end of all below it.
        resynchronise: the device lost its state with this: its alarms are to be looked up again.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    trap: str
    when: tuple[ConditionSource, ...] = ()
    signals: Annotated[tuple[SignalSource, ...], msgspec.Meta(min_length=1, max_length=16)]
    resynchronise: bool = False


class RuleFile(_Table, frozen=True, kw_only=True):
    """One file."""

    rules: tuple[RuleSource, ...] = ()
