"""Grants over a tariff switch are paid for on either side, and reports are charged on the side of their use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ocs.balance.model import Session, SessionState
from ocs.charging.draft import Draft
from ocs.charging.tariff_switch import crosses_switch
from ocs.messages import NO_CONTEXT, Outcome, Service, ServiceAnswer, ServiceUnit, TariffChangeUsage
from ocs.units import UnitType
from tests.support.ledger import MORNING_S, Ledger, money, only, pack
from tests.support.requests import initial, mscc, octets, termination, update
from tests.support.rich_catalogue import rich_catalogue

# Rating group 1: by day 100 an octet, from 20:00 on 50 in blocks of ten. Group 2: by day 50, by night 100.
EUR = 1_000_000
SWITCH_S = MORNING_S + 11 * 3600
BEFORE, AFTER, INDETERMINATE = TariffChangeUsage
SESSION = Session("s", "a", "anna", SessionState.OPEN, Service.DATA, NO_CONTEXT, "h", "r", 0, 0)
EITHER = pytest.mark.parametrize("group", [1, 2])


def used(amount: int, side: TariffChangeUsage) -> ServiceUnit:
    return replace(octets(amount), tariff_change_usage=side)


def in_the_evening(micro: int = EUR, *buckets, **more) -> Ledger:
    ledger = Ledger(money(micro), *buckets, catalogue=rich_catalogue(), offers=("rich",), **more)
    ledger.now_s = SWITCH_S - 600
    return ledger


def opened(group: int, micro: int = EUR) -> tuple[Ledger, ServiceAnswer]:
    ledger = in_the_evening(micro)
    return ledger, only(ledger.ask(initial(mscc(group, requested=octets(1000)))))


@EITHER
def test_grant_that_crosses_a_switch_names_its_moment_and_outlives_it(group: int):
    _, answer = opened(group)
    assert answer.granted == octets(1000)
    assert answer.tariff_time_change_s == SWITCH_S
    assert answer.validity_time_s == 3600 and answer.final_unit is None


def test_grant_that_ends_before_the_switch_names_none():
    ledger = in_the_evening()
    ledger.now_s = SWITCH_S - 3600
    answer = only(ledger.ask(initial(mscc(1, requested=octets(1000)))))
    assert answer.tariff_time_change_s is None and answer.validity_time_s == 3600


@EITHER
@given(before=st.integers(0, 1000), data=st.data())
def test_whatever_is_used_on_either_side_was_reserved(group: int, before: int, data: st.DataObject):
    ledger, _ = opened(group)
    reserved = ledger.reserved
    after = data.draw(st.integers(0, 1000 - before))
    ledger.now_s = SWITCH_S + 60
    ledger.ask(termination(1, mscc(group, used=(used(before, BEFORE), used(after, AFTER)))))
    by_day, by_night = (100, 50) if group == 1 else (50, 100)
    night = -(-after // 10) * 10 if group == 1 else after
    cost = before * by_day + night * by_night
    assert EUR - ledger.balance == cost <= reserved


def test_each_side_is_an_event_at_its_rate():
    ledger, _ = opened(1)
    ledger.ask(termination(1, mscc(1, used=(used(25, AFTER), used(300, BEFORE)))))
    day, night = ledger.events
    assert (day.units, day.amount_micro, day.tariff_path.startswith("rich/day")) == (300, -30_000, True)
    assert (night.units, night.billed_units, night.amount_micro) == (25, 30, -1_500)


def test_indeterminate_units_are_charged_as_before_the_switch():
    ledger, _ = opened(1)
    ledger.ask(termination(1, mscc(1, used=(used(10, INDETERMINATE), used(20, AFTER)))))
    assert EUR - ledger.balance == 10 * 100 + 20 * 50


def test_report_without_sides_is_charged_as_before_the_switch():
    ledger, _ = opened(1)
    ledger.now_s = SWITCH_S + 60
    ledger.ask(termination(1, mscc(1, used=octets(10))))
    assert EUR - ledger.balance == 10 * 100


def test_session_goes_on_under_the_rate_after_the_switch_with_the_meter_of_its_use():
    ledger, _ = opened(1)
    ledger.now_s = SWITCH_S + 60
    report = update(1, mscc(1, requested=octets(100), used=(used(10, BEFORE), used(5, AFTER))))
    answer = only(ledger.ask(report))
    assert answer.tariff_time_change_s is None
    ledger.ask(termination(2, mscc(1, used=octets(5))))  # the rest of the started block of ten
    assert EUR - ledger.balance == 10 * 100 + 10 * 50


def test_switch_is_kept_to_by_validity_where_the_dearer_side_cannot_be_paid_in_full():
    ledger = in_the_evening(60_000)
    answer = only(ledger.ask(initial(mscc(2, requested=octets(1000)))))
    assert answer.granted == octets(1000)
    assert answer.tariff_time_change_s is None and answer.validity_time_s == 600
    assert ledger.reserved == 50_000


def test_last_units_before_a_switch_are_told_as_final():
    ledger = in_the_evening(30_000)
    answer = only(ledger.ask(initial(mscc(1, requested=octets(1000)))))
    assert answer.granted == octets(300) and answer.final_unit is not None
    assert answer.tariff_time_change_s is None


def test_after_units_of_a_grant_that_named_no_switch_are_charged_at_the_rate_of_now():
    ledger = in_the_evening(60_000)
    ledger.ask(initial(mscc(2, requested=octets(100))))
    ledger.now_s = SWITCH_S + 1
    ledger.ask(termination(1, mscc(2, used=(used(30, BEFORE), used(10, AFTER)))))
    assert 60_000 - ledger.balance == 30 * 50 + 10 * 100


def test_supervision_releases_a_grant_over_a_switch():
    ledger, _ = opened(2)
    ledger.expire()
    assert not ledger.reserved
    late = termination(1, mscc(2, used=(used(30, BEFORE), used(10, AFTER))))
    ledger.now_s = SWITCH_S + 1
    ledger.ask(late)
    assert EUR - ledger.balance == 30 * 50 + 10 * 100


def test_time_is_never_granted_over_a_switch():
    ledger = in_the_evening()
    rate = rich_catalogue().rate(("rich",), Service.DATA, 1, (), NO_CONTEXT, ledger.now_s)
    assert rate is not None
    assert ledger.subscriber is not None
    draft = Draft(ledger.account, ledger.now_s * 1000, SESSION, "i0", rich_catalogue(), ledger.subscriber)
    assert crosses_switch(draft, rate)
    assert not crosses_switch(draft, replace(rate, unit_type=UnitType.TIME))


@EITHER
def test_no_allowance_is_taken_that_only_one_side_may_use(group: int):
    ledger = in_the_evening(EUR, pack(5000))
    answer = only(ledger.ask(initial(mscc(group, requested=octets(1000)))))
    assert answer.outcome == Outcome.SUCCESS
    assert "pack" not in ledger.held()


def test_grant_that_would_leave_nothing_for_the_other_side_does_not_cross():
    # The dearer side with all roundings is 100,902; what would be left is no block of the night.
    ledger = in_the_evening(100_950)
    answer = only(ledger.ask(initial(mscc(1, requested=octets(1000)))))
    assert answer.granted == octets(1000) and answer.tariff_time_change_s is None
    richer = in_the_evening(100_902 + 500)
    assert only(richer.ask(initial(mscc(1, requested=octets(1000))))).tariff_time_change_s == SWITCH_S
