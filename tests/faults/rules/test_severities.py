"""The codings of perceived severity as their standards have them."""

from ocs.faults.alarm import Severity
from ocs.faults.mibs.standard import standard_modules
from ocs.faults.rules.severities import CODINGS, severity_named


def test_ITU_coding_is_that_of_ITU_ALARM_TC_MIB() -> None:
    module = next(one for one in standard_modules() if one.name == "ITU-ALARM-TC-MIB")
    labels = next(one for one in module.conventions if one.name == "ItuPerceivedSeverity").labels
    assert {number: severity_named(label) for number, label in labels.items()} == CODINGS["itu"]


def test_each_coding_names_each_severity_once() -> None:
    for table in CODINGS.values():
        assert sorted(table.values()) == sorted(Severity)


def test_X721_coding_is_the_standard_s() -> None:
    # X.721 PerceivedSeverity: indeterminate 0, critical 1, major 2, minor 3, warning 4, cleared 5.
    assert [CODINGS["x721"][number].name for number in range(6)] == [
        "INDETERMINATE", "CRITICAL", "MAJOR", "MINOR", "WARNING", "CLEARED",
    ]  # fmt: skip
