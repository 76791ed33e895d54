"""What the alarm list is told of drift."""

from ocs.faults.alarm import AlarmKey, Severity
from ocs.limits import DRIFT_ALARM_LINE_CHARACTERS_MAX, DRIFT_ALARM_LINES_MAX
from ocs.provisioning.compliance.drift import Finding, FindingKind
from ocs.provisioning.compliance.drift_alarm import DriftStory, drift_signal


def finding(path: str, found: str = "theirs") -> Finding:
    return Finding(path, FindingKind.CHANGED, path, "mine", found, ("vpn-1",))


def test_an_alarm_says_what_differs_and_whose_it_is() -> None:
    story = DriftStory([finding("/a:b"), finding("/a:c")], "changed by mallory")
    signal = drift_signal("pe1", "192.0.2.1", story, 17)
    assert signal.key == AlarmKey("pe1", "configuration-drift")
    assert signal.severity is Severity.WARNING
    assert signal.text == (
        "2 paths differ from what services want (vpn-1): - /a:b = mine; + /a:b = theirs and 1 more; changed by mallory"
    )
    assert signal.details[:2] == (("difference.1", "- /a:b = mine"), ("difference.2", "+ /a:b = theirs"))
    assert (signal.at_ms, signal.source, signal.will_clear) == (17, "192.0.2.1", True)
    assert signal.repair


def test_the_alarm_clears_when_nothing_differs() -> None:
    assert DriftStory().text == ""
    assert drift_signal("pe1", "192.0.2.1", DriftStory(), 17).severity is Severity.CLEARED


def test_an_alarm_holds_no_more_than_people_read() -> None:
    story = DriftStory([finding(f"/a:b{number}", "x" * 10_000) for number in range(500)])
    signal = drift_signal("pe1", "192.0.2.1", story, 17)
    assert len(signal.details) == DRIFT_ALARM_LINES_MAX + 1
    assert signal.details[-1] == ("more", f"{1_000 - DRIFT_ALARM_LINES_MAX} lines")
    assert all(len(value) <= DRIFT_ALARM_LINE_CHARACTERS_MAX for _, value in signal.details)
    assert len(signal.text) < 1_000
