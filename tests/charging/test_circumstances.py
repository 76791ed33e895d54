"""The circumstances of a use may change on the way, and its time may lie in the past."""

import pytest

from ocs.charging.circumstances import is_believed, time_of_use_s, updated_context
from ocs.limits import EVENT_TIME_PAST_MAX_S
from ocs.messages import NO_CONTEXT, Service, UsageContext
from tests.support.ledger import MORNING_S, Ledger, money, only
from tests.support.requests import event, events, initial, mscc, octets, termination, update
from tests.support.rich_catalogue import rich_catalogue

EUR = 1_000_000
HOME = UsageContext(serving_network="26201", rat_type="eutran")
ABROAD = UsageContext(serving_network="20801")
NIGHT_S = MORNING_S - 6 * 3600  # three o'clock


def rich(micro: int = EUR) -> Ledger:
    return Ledger(money(micro), catalogue=rich_catalogue(), offers=("rich",))


def test_what_a_request_says_replaces_and_what_it_leaves_empty_stays():
    known = UsageContext("49", access_point_name="internet", serving_network="26201", rat_type="eutran")
    told = UsageContext(serving_network="20801", recipients=3)
    assert updated_context(known, told) == UsageContext(
        "49", access_point_name="internet", serving_network="20801", rat_type="eutran", recipients=3
    )


@pytest.mark.parametrize("told", [NO_CONTEXT, HOME, UsageContext(serving_network="26201", rat_type="eutran")])
def test_nothing_new_leaves_the_very_same_context(told: UsageContext):
    assert updated_context(HOME, told) is HOME


def test_roaming_on_the_way_is_charged_at_the_old_rate_up_to_the_report_and_at_the_new_one_after_it():
    ledger = rich()
    assert only(ledger.ask(initial(mscc(7, requested=octets(500)), context=HOME))).granted == octets(500)
    crossed = update(1, mscc(7, requested=octets(500), used=octets(200)), context=ABROAD)
    assert only(ledger.ask(crossed)).granted == octets(500)
    assert ledger.balance == EUR - 200 * 100
    assert ledger.reserved == 500 * 1000
    ledger.ask(update(2, mscc(7, requested=octets(500), used=octets(100))))  # says nothing: still abroad
    assert ledger.balance == EUR - 200 * 100 - 100 * 1000
    assert ledger.session().context == UsageContext(serving_network="20801", rat_type="eutran")
    ledger.ask(termination(3, mscc(7, used=octets(1)), context=HOME))
    assert ledger.balance == EUR - 200 * 100 - 101 * 1000


@pytest.mark.parametrize(
    ("told_s", "booked_s"),
    [
        (None, 1_000_000_000),
        (999_999_000, 999_999_000),
        (1_000_000_500, 1_000_000_000),  # a clock that is fast
        (1_000_000_000 - EVENT_TIME_PAST_MAX_S, 1_000_000_000 - EVENT_TIME_PAST_MAX_S),
        (1_000_000_000 - EVENT_TIME_PAST_MAX_S - 1, 1_000_000_000),  # a clock that was never set
        (0, 1_000_000_000),
    ],
)
def test_time_of_use_is_believed_within_its_bound(told_s: int | None, booked_s: int):
    assert time_of_use_s(told_s, 1_000_000_000) == booked_s
    if told_s is not None:
        assert is_believed(told_s, 1_000_000_000) == (booked_s == min(told_s, 1_000_000_000))


@pytest.mark.parametrize(("told_s", "cost"), [(NIGHT_S, 100_000), (MORNING_S, 200_000), (0, 200_000)])
def test_buffered_event_costs_what_it_did_when_it_happened(told_s: int, cost: int):
    ledger = rich()
    ledger.ask(event(mscc(None, requested=events(1)), service=Service.MMS, event_time_s=told_s))
    assert ledger.balance == EUR - cost
    (debit,) = ledger.events
    assert debit.event_time_ms == (told_s or MORNING_S) * 1000


def test_late_report_of_a_session_without_a_grant_is_charged_at_the_tariff_of_its_time():
    ledger = rich()
    ledger.ask(initial(mscc(2, requested=octets(100))))
    ledger.ask(update(1, mscc(7, used=octets(100)), mscc(2, used=octets(0))))
    balance = ledger.balance
    ledger.ask(update(2, mscc(5, used=octets(10)), event_time_s=NIGHT_S))
    assert ledger.balance == balance - 1000
    ledger.ask(update(3, mscc(1, used=octets(100)), event_time_s=NIGHT_S))
    assert ledger.events[-1].tariff_path.startswith("rich/night@night")
