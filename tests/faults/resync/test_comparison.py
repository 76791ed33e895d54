"""The list is brought to what the element says, and nothing newer is overtaken."""

from ocs.faults.alarm import Alarm, AlarmSignal, Severity
from ocs.faults.resync.comparison import RESYNC_FAILED, failure_signals, missing_signals
from tests.support.signals import Office, cleared, raised

ASKED_MS = 50_000
COVERS = frozenset({"link-down"})


def office(*signals: AlarmSignal) -> Office:
    office = Office()
    if signals:
        office.take(*signals)
    return office


def missing(office: Office, *said: AlarmSignal, covers: frozenset[str] = COVERS) -> list[AlarmSignal]:
    return missing_signals(office.book.active_of("router7"), said, covers, at_ms=ASKED_MS)


def standing(office: Office) -> set[str]:
    return {alarm.key.resource for alarm in office.book.active_of("router7")}


def test_what_is_gone_is_cleared_and_what_is_missing_is_raised() -> None:
    list_ = office(raised("router7/if/1"), raised("router7/if/2"))
    signals = missing(list_, raised("router7/if/2", at_ms=ASKED_MS), raised("router7/if/3", at_ms=ASKED_MS))
    list_.take(*signals)
    assert standing(list_) == {"router7/if/2", "router7/if/3"}
    assert len(signals) == 2, "what stands already is not said again"


def test_change_of_severity_is_taken_and_change_of_words_is_not() -> None:
    list_ = office(raised("router7/if/1"), raised("router7/if/2"))
    worse = raised("router7/if/1", at_ms=ASKED_MS, severity=Severity.CRITICAL)
    other_words = raised("router7/if/2", at_ms=ASKED_MS, text="in the words of the table")
    assert missing(list_, worse, other_words) == [worse]


def test_alarms_of_which_the_table_does_not_tell_all_are_left_alone() -> None:
    list_ = office(raised("router7", "power-lost"), raised("router7/fan/1", "link-down", will_clear=False))
    assert missing(list_) == []


def test_table_that_is_not_complete_clears_nothing() -> None:
    assert missing(office(raised("router7/if/1")), covers=frozenset()) == []


def test_newer_trap_is_not_overtaken() -> None:
    since = office(raised("router7/if/1", at_ms=ASKED_MS + 1), raised("router7/if/2", at_ms=ASKED_MS))
    assert missing(since) == []
    worse = raised("router7/if/1", at_ms=ASKED_MS, severity=Severity.CRITICAL)
    assert missing(since, worse) == []


def test_clear_that_is_already_on_its_way_wins_over_the_raise_of_the_table() -> None:
    list_ = office()
    signals = missing(list_, raised("router7/if/1", at_ms=ASKED_MS))
    list_.take(*signals, cleared("router7/if/1", at_ms=ASKED_MS + 10))
    assert standing(list_) == set()


def test_clear_of_what_is_not_in_the_list_is_not_said() -> None:
    assert missing(office(), cleared("router7/if/1", at_ms=ASKED_MS)) == []


def test_device_says_itself_that_an_alarm_is_over() -> None:
    over = cleared("router7/if/1", at_ms=ASKED_MS, text="Interface ge-0 is up")
    assert missing(office(raised("router7/if/1")), over) == [over]


def test_of_two_rows_about_one_alarm_the_worse_counts() -> None:
    rows = (
        cleared("router7/if/1", at_ms=ASKED_MS),
        raised("router7/if/1", at_ms=ASKED_MS, severity=Severity.MINOR),
        raised("router7/if/1", at_ms=ASKED_MS, severity=Severity.CRITICAL),
    )
    assert missing(office(), *rows) == [rows[2]]
    assert missing(office(), *reversed(rows)) == [rows[2]]


def failed(office: Office, failure: str) -> list[AlarmSignal]:
    known: Alarm | None = next(
        (alarm for alarm in office.book.alarms() if alarm.key.alarm_type == RESYNC_FAILED), None
    )
    signals = failure_signals("router7", failure, known, ASKED_MS)
    if signals:
        office.take(*signals)
    return signals


def test_element_that_cannot_be_asked_is_told_once_and_again_when_the_reason_changes() -> None:
    list_ = office()
    assert failed(list_, "") == []
    assert [signal.severity for signal in failed(list_, "it does not answer")] == [Severity.MINOR]
    assert failed(list_, "it does not answer") == []
    assert [signal.severity for signal in failed(list_, "an empty answer")] == [Severity.MINOR]
    assert [signal.severity for signal in failed(list_, "")] == [Severity.CLEARED]
    assert failed(list_, "") == []
