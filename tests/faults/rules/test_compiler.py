"""Severities, kinds and causes that varbinds tell, by value, by the end of a value and by the end of an instance."""

import pytest

from ocs.faults.alarm import EventType, Severity
from ocs.faults.notification import Syntax, Varbind
from ocs.faults.rules import rules_of
from ocs.limits import ALARM_TEXT_CHARACTERS_MAX, DETAILS_UNASKED
from tests.support.notifications import standard_names, trap, with_varbinds

OID = "1.3.6.1.4.1.32473.1"


def signal_of(lines: str, *varbinds: Varbind):
    text = f'[[rules]]\nid = "a"\ntrap = "1.3.6.1.4.1.32473.0.1"\n[[rules.signals]]\nalarm = "a"\n{lines}'
    if "text =" not in lines:
        text += '\ntext = "x"'
    book = rules_of({"a.toml": text}, standard_names())
    (signal,) = book.signals(with_varbinds(trap("1.3.6.1.4.1.32473.0.1"), *varbinds), 0)
    return signal


@pytest.mark.parametrize(
    ("coding", "value", "expected"),
    [
        ("itu", 3, "CRITICAL"), ("itu", 1, "CLEARED"), ("x721", 1, "CRITICAL"), ("x721", 5, "CLEARED"),
        ("rfc8632", 6, "CRITICAL"), ("rfc8632", 1, "CLEARED"), ("itu", 99, "WARNING"), ("x721", b"1", "WARNING"),
        ("x721", None, "WARNING"),
    ],
)  # fmt: skip
def test_severity_is_read_by_its_coding(coding, value, expected) -> None:
    lines = f'severity = {{ varbind = "{OID}", coding = "{coding}", default = "warning" }}'
    assert signal_of(lines, Varbind(f"{OID}.0", Syntax.INTEGER, value)).severity is Severity[expected]


def test_severity_is_the_default_when_its_varbind_was_not_sent() -> None:
    lines = f'severity = {{ varbind = "{OID}", coding = "itu", default = "minor" }}'
    assert signal_of(lines).severity is Severity.MINOR


@pytest.mark.parametrize(
    ("value", "expected"), [(1, "CLEARED"), (b"1", "CLEARED"), (b"bad\0", "MAJOR"), (2, "MINOR")]
)
def test_severity_is_read_by_a_table_of_its_own(value, expected) -> None:
    lines = f'severity = {{ varbind = "{OID}", values = {{ "1" = "cleared", bad = "major" }}, default = "minor" }}'
    assert signal_of(lines, Varbind(f"{OID}.0", Syntax.INTEGER, value)).severity is Severity[expected]


def test_severity_is_read_from_the_end_of_a_value_or_of_an_instance() -> None:
    lines = (
        f'severity = {{ varbind = "{OID}", part = "end-of-value", coding = "rfc8632", default = "minor" }}'
    )
    assert (
        signal_of(lines, Varbind(f"{OID}.0", Syntax.OBJECT_IDENTIFIER, "1.3.6.5")).severity is Severity.MAJOR
    )
    assert signal_of(lines, Varbind(f"{OID}.0", Syntax.INTEGER, 5)).severity is Severity.MINOR
    lines = lines.replace("end-of-value", "end-of-index")
    assert signal_of(lines, Varbind(f"{OID}.9.6", Syntax.INTEGER, 0)).severity is Severity.CRITICAL


def test_first_bit_of_the_table_that_is_set_counts() -> None:
    lines = (
        'severity = { varbind = "ENTITY-STATE-MIB::entStateAlarm", '
        'values = { critical = "critical", warning = "warning" }, default = "minor" }'
    )
    oid = "1.3.6.1.2.1.131.1.1.1.5.7"
    for octets, expected in [(b"\x24", "CRITICAL"), (b"\x04", "WARNING"), (b"\x80", "MINOR"), (b"", "MINOR")]:
        assert signal_of(lines, Varbind(oid, Syntax.OCTET_STRING, octets)).severity is Severity[expected]


@pytest.mark.parametrize(
    ("value", "event_type", "cause"), [(5, 5, 5), (999, 1, 1024), (b"5", 1, 1024), (8, 8, 8)]
)
def test_kind_and_cause_are_read_from_varbinds_and_are_other_where_unknown(value, event_type, cause) -> None:
    lines = (
        f'severity = "minor"\nevent_type = {{ varbind = "{OID}" }}\nprobable_cause = {{ varbind = "{OID}" }}'
    )
    signal = signal_of(lines, Varbind(f"{OID}.0", Syntax.INTEGER, value))
    assert signal.event_type is EventType(event_type)
    assert signal.probable_cause == cause


@pytest.mark.parametrize("cause", ['"lossOfSignal"', "8"])
def test_cause_is_written_as_name_or_number(cause) -> None:
    signal = signal_of(
        f'severity = "minor"\nevent_type = "securityServiceOrMechanismViolation"\nprobable_cause = {cause}'
    )
    assert signal.probable_cause == 8
    assert signal.event_type is EventType.SECURITY_SERVICE_OR_MECHANISM_VIOLATION


def test_details_are_what_was_asked_for_else_the_first_few() -> None:
    many = [Varbind(f"{OID}.{number}.0", Syntax.INTEGER, number) for number in range(20)]
    assert len(signal_of('severity = "minor"', *many).details) == DETAILS_UNASKED
    asked = signal_of(f'severity = "minor"\ndetails = ["{OID}.7", "{OID}.99"]', *many)
    assert asked.details == ((f"{OID}.7", "7"),)
    assert signal_of('severity = "minor"\ndetails = []', *many).details == ()


def test_text_is_cut() -> None:
    signal = signal_of(
        f'severity = "minor"\ntext = "{"{#1} " * 9}"', Varbind(f"{OID}.0", Syntax.OCTET_STRING, b"x" * 999)
    )
    assert len(signal.text) == ALARM_TEXT_CHARACTERS_MAX
