"""A subscriber's counters: values by period, what grants hold in them, and nothing written where nothing moved."""

import pytest

from ocs.balance.model import Counter, CounterHold, LedgerInvariantError, LifecycleState, Subscriber
from ocs.charging.counting import CounterBook

DAY = 86_400_000


def book(*counters: Counter) -> CounterBook:
    return CounterBook(Subscriber("anna", "a", LifecycleState.ACTIVE, (), (), counters=counters))


def test_counter_of_an_earlier_period_stands_at_nothing():
    assert book(Counter("c", DAY, 7, 3)).at("c", 2 * DAY) == Counter("c", 2 * DAY)
    assert book(Counter("c", DAY, 7, 3)).at("c", DAY) == Counter("c", DAY, 7, 3)


def test_clock_that_was_set_back_goes_on_in_the_later_period():
    assert book(Counter("c", 2 * DAY, 7)).at("c", DAY) == Counter("c", 2 * DAY, 7)


def test_counter_of_an_earlier_period_is_kept_for_as_long_as_a_grant_holds_something_in_it():
    made = book(Counter("c", DAY, 7))
    hold = made.reserve("c", DAY, 5)
    made.reserve("c", 2 * DAY, 3)
    between = made.subscriber()
    assert between is not None
    assert between.counters == (Counter("c", 2 * DAY, 0, 3), Counter("c", DAY, 7, 5))
    made = CounterBook(between)
    made.release((hold,))
    earlier = made.under(hold)
    assert earlier is not None and earlier == Counter("c", DAY, 7)
    made.add(earlier, 4)
    assert made.under(hold) == Counter("c", DAY, 11)
    after = made.subscriber()
    assert after is not None and after.counters == (Counter("c", 2 * DAY, 0, 3),)


def test_grant_that_held_nothing_of_a_counter_has_no_period_of_its_own():
    made = book(Counter("c", DAY, 7))
    assert made.under(CounterHold("c", DAY, 0)) is None
    assert made.under(CounterHold("c", 2 * DAY, 1)) is None
    assert made.under(CounterHold("other", DAY, 1)) is None


def test_hold_is_given_back_in_its_period_and_not_in_the_next():
    made = book()
    hold = made.reserve("c", DAY, 5)
    assert hold == CounterHold("c", DAY, 5) and made.at("c", DAY).reserved == 5
    made.add(made.at("c", 2 * DAY), 1)
    made.release((hold,))
    assert made.at("c", 2 * DAY) == Counter("c", 2 * DAY, 1, 0)


def test_giving_back_twice_is_a_fault():
    made = book()
    hold = made.reserve("c", DAY, 5)
    made.release((hold,))
    with pytest.raises(LedgerInvariantError, match="counter c"):
        made.release((hold,))


def test_subscriber_whose_counters_did_not_move_is_the_very_same():
    subscriber = Subscriber("anna", "a", LifecycleState.ACTIVE, (), (), counters=(Counter("c", DAY, 7),))
    made = CounterBook(subscriber)
    made.add(made.at("c", DAY), 0)
    assert made.subscriber() is subscriber
    made.add(made.at("c", DAY), 1)
    after = made.subscriber()
    assert after is not None and after.counters == (Counter("c", DAY, 8),)


def test_without_a_subscriber_nothing_is_kept():
    made = CounterBook(None)
    made.add(made.at("c", DAY), 1)
    assert made.subscriber() is None
