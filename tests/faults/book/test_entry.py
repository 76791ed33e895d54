from ocs.faults.alarm import Alarm, StatusChange
from ocs.faults.book.entry import Entry, first_entry, thaw
from tests.support.signals import Office, raised


def test_the_fields_of_an_alarm_are_the_first_of_an_entry_in_their_order() -> None:
    fields = Alarm.__struct_fields__
    assert Entry.__struct_fields__[: len(fields)] == fields


def test_an_alarm_is_the_same_after_being_worked_on() -> None:
    office = Office()
    office.take(raised(at_ms=100))
    alarm = office.alarm()
    assert thaw(alarm).freeze() == alarm


def test_a_first_raise_makes_an_entry_that_stands() -> None:
    signal = raised(at_ms=100)
    entry = first_entry(signal, signal.key.alarm_id, 90)
    assert (entry.created_ms, entry.last_raised_ms, entry.last_signal_ms, entry.occurrences) == (
        90,
        90,
        90,
        1,
    )
    assert entry.changes == (StatusChange(90, signal.severity, signal.text),)
    assert entry.stands
    entry.is_cleared = True
    assert not entry.stands
    entry.is_flapping = True
    assert entry.stands
