from ocs.faults.book.entry import Entry, first_entry
from ocs.faults.book.timetable import Timetable
from tests.support.signals import raised


def entry(resource: str) -> Entry:
    return first_entry(raised(resource), resource, 1)


def test_entries_come_in_the_order_of_their_moments() -> None:
    table, one, two = Timetable(), entry("one"), entry("two")
    table.plan(one, 200)
    table.plan(two, 100)
    assert table.due_ms() == 100
    assert [table.pop(150), table.pop(150), table.pop(200), table.pop(900)] == [two, None, one, None]
    assert table.due_ms() is None


def test_an_earlier_plan_wins_and_the_later_one_is_not_kept_twice() -> None:
    table, one = Timetable(), entry("one")
    table.plan(one, 200)
    table.plan(one, 100)
    table.plan(one, 300)
    assert [table.pop(100), table.pop(1_000)] == [one, None]


def test_a_plan_that_is_out_of_date_does_not_hide_the_next() -> None:
    table, one = Timetable(), entry("one")
    table.plan(one, 200)
    table.plan(one, 100)
    assert table.pop(100) is one
    table.plan(one, 400)
    assert table.pop(300) is None
    assert table.pop(400) is one
