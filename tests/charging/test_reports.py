"""Reports: why a gateway reports decides what it gets; buffered units are charged at the tariff of their time."""

import pytest
from msgspec.structs import replace

from ocs.messages import Outcome, ReportingReason, ServiceUnit
from tests.support.ledger import MORNING_S, Ledger, money, only
from tests.support.requests import initial, mscc, octets, seconds, termination, update
from tests.support.rich_catalogue import rich_catalogue

EUR = 1_000_000
NIGHT_S = MORNING_S - 6 * 3600
REASONS = tuple(ReportingReason)


def rich(**more) -> Ledger:
    return Ledger(money(EUR), catalogue=rich_catalogue(), offers=("rich",), **more)


def at(unit: ServiceUnit, used_s: int) -> ServiceUnit:
    return replace(unit, event_time_s=used_s)


@pytest.mark.parametrize("reason", REASONS)
def test_report_that_asks_gets_a_new_quota_unless_the_service_has_ended(reason: ReportingReason):
    ledger = rich()
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    report = mscc(1, requested=octets(500), used=octets(200), reasons=(reason,))
    answer = only(ledger.ask(update(1, report)))
    assert ledger.balance == EUR - 20_000
    is_over = reason == ReportingReason.FINAL
    assert answer.granted == (None if is_over else octets(500))
    assert ledger.reserved == (0 if is_over else 50_000)


@pytest.mark.parametrize("reason", REASONS)
def test_report_that_asks_for_nothing_gives_its_quota_back(reason: ReportingReason):
    ledger = rich()
    ledger.ask(initial(mscc(1, requested=octets(1000)), mscc(2, requested=octets(100))))
    answer = only(ledger.ask(update(1, mscc(1, used=octets(200), reasons=(reason,)))))
    assert answer.granted is None and answer.outcome == Outcome.SUCCESS
    assert ledger.balance == EUR - 20_000 and ledger.reserved == 5_000


def test_service_that_ended_may_begin_again_in_the_same_session():
    ledger = rich()
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    ledger.ask(update(1, mscc(1, used=octets(10), reasons=(ReportingReason.FINAL,))))
    assert only(ledger.ask(update(2, mscc(1, requested=octets(100))))).granted == octets(100)


def test_buffered_units_are_charged_at_the_tariff_of_their_time_beside_those_of_the_grant():
    ledger = rich()
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    ledger.ask(update(1, mscc(1, requested=octets(100), used=octets(7))))
    report = mscc(1, used=(at(octets(15), NIGHT_S), octets(30)))
    ledger.ask(termination(2, report))
    by_night, by_day = ledger.events[-2:]
    assert (by_night.units, by_night.amount_micro, by_night.event_time_ms) == (15, -20 * 50, NIGHT_S * 1000)
    assert (by_day.units, by_day.amount_micro) == (30, -3_000)
    # The meter of the grant's rate has gone on past what was buffered.
    assert by_day.trace is not None and by_day.trace.counted_before == 7


def test_buffered_units_of_the_grants_own_rate_are_one_meter_with_it():
    ledger = rich()
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    ledger.ask(termination(1, mscc(1, used=(at(octets(15), MORNING_S - 60), octets(30)))))
    assert EUR - ledger.balance == 45 * 100
    trace = ledger.events[-1].trace
    assert trace is not None and (trace.counted_before, trace.counted_after) == (15, 45)


def test_part_of_a_report_that_has_no_price_does_not_hide_the_rest():
    ledger = rich()
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    answer = ledger.ask(update(1, mscc(1, used=(at(seconds(5), NIGHT_S), octets(30))))).answer
    assert answer.services[0].outcome == Outcome.RATING_FAILED
    assert EUR - ledger.balance == 3_000 and not ledger.reserved


@pytest.mark.parametrize("place", [0, 1])
def test_report_split_over_two_msccs_keeps_its_reasons(place: int):
    ledger = rich()
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    reasons: list[tuple[ReportingReason, ...]] = [(), ()]
    reasons[place] = (ReportingReason.FINAL,)
    request = update(
        1,
        mscc(1, used=octets(10), reasons=reasons[0]),
        mscc(1, requested=octets(50), used=octets(10), reasons=reasons[1]),
    )
    assert only(ledger.ask(request)).granted is None
    assert EUR - ledger.balance == 2_000
