"""Debits: rounding over the session, connection fee, overrun, held rates."""

from typing import Any

import pytest

from ocs import limits
from ocs.charging.tariffs import Tariffs
from ocs.messages import Outcome, Service, ServiceUnit
from tests.support.catalogue import dearer_catalogue, lab_catalogue
from tests.support.ledger import Ledger, money, only, pack
from tests.support.requests import ASK_US, initial, mscc, octets, seconds, termination, update


def call(ledger: Ledger, number: str, *reports: int) -> list[int]:
    """Charge a call reported in parts; returns what each part cost."""
    more: dict[str, Any] = {"service": Service.VOICE, "called_party": number, "session_id": f"call;{number}"}
    ledger.ask(initial(mscc(None, requested=seconds(600)), **more))
    costs: list[int] = []
    for index, used in enumerate(reports, start=1):
        before = ledger.balance
        last = index == len(reports)
        asked = mscc(None, requested=None if last else seconds(600), used=seconds(used))
        ledger.ask((termination if last else update)(index, asked, **more))
        costs.append(before - ledger.balance)
    return costs


@pytest.mark.parametrize(
    ("number", "reports", "costs"),
    [
        ("4930", [1], [60_000 + 50_000]),  # 60/1: the first minute is one block; connection fee
        ("4930", [60], [60_000 + 50_000]),
        ("4930", [61], [61_000 + 50_000]),
        ("4930", [10, 20, 31], [110_000, 0, 1_000]),
        ("4930", [0, 0, 5], [0, 0, 110_000]),
        ("331", [1], [600_000]),  # 60/60
        ("331", [59, 2, 59], [600_000, 600_000, 0]),
        ("1202", [1], [20_000]),  # 1/1
        ("1202", [7, 0, 3], [140_000, 0, 60_000]),
    ],
)
def test_blocks_are_rounded_over_the_session_however_it_is_cut(
    number: str, reports: list[int], costs: list[int]
):
    assert call(Ledger(money(50_000_000)), number, *reports) == costs


def test_part_of_a_micro_unit_is_rounded_up_once_over_the_session():
    ledger = Ledger(money(1_000_000))
    ledger.ask(initial(mscc(15, requested=octets(1000))))
    costs = []
    for number in range(1, 7):
        before = ledger.balance
        ledger.ask(update(number, mscc(15, requested=octets(1000), used=octets(1))))
        costs.append(before - ledger.balance)
    assert costs == [1, 0, 0, 1, 0, 0]


def test_connection_fee_is_not_due_while_nothing_is_used():
    ledger = Ledger(money(1_000_000))
    assert call(ledger, "4930", 0) == [0]
    assert ledger.balance == 1_000_000


def test_connection_fee_is_reserved_with_the_first_grant():
    ledger = Ledger(money(109_999))
    asked = initial(mscc(None, requested=seconds(60)), service=Service.VOICE, called_party="4930")
    assert ledger.ask(asked).answer.outcome == Outcome.CREDIT_LIMIT_REACHED
    ledger = Ledger(money(110_000))
    assert only(ledger.ask(asked)).granted == seconds(60)
    assert ledger.reserved == 110_000


def test_use_beyond_the_grant_is_debited_also_below_zero():
    ledger = Ledger(money(200_000))
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    ledger.ask(termination(1, mscc(1, used=octets(1500))))
    assert ledger.balance == -100_000
    assert ledger.ask(initial(mscc(1), session_id="n")).answer.outcome == Outcome.CREDIT_LIMIT_REACHED


def test_overrun_leaves_what_others_hold_and_still_is_owed():
    ledger = Ledger(money(400_000))
    ledger.ask(initial(mscc(1, requested=octets(1000)), session_id="x"))
    ledger.ask(initial(mscc(1, requested=octets(1000)), session_id="y"))
    ledger.ask(termination(1, mscc(1, used=octets(1500)), session_id="x"))
    assert ledger.balance == 100_000 and ledger.reserved == 200_000
    ledger.ask(termination(1, mscc(1, used=octets(1000)), session_id="y"))
    assert ledger.balance == -100_000


def test_overrun_of_an_allowance_is_paid_with_money():
    ledger = Ledger(money(1_000_000), pack(100))
    ledger.ask(initial(mscc(10, requested=octets(100))))
    ledger.ask(termination(1, mscc(10, used=octets(150))))
    assert ledger.bucket("pack").value == 0 and ledger.balance == 990_000


def test_several_used_service_units_of_one_service_are_one_sum():
    ledger = Ledger(money(1_000_000))
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    parts = (octets(100), ServiceUnit(input_octets=30, output_octets=20), octets(0))
    ledger.ask(termination(1, mscc(1, used=parts)))
    assert ledger.events[0].units == 150


def test_report_without_a_grant_is_charged_at_the_rate_of_now():
    ledger = Ledger(money(1_000_000))
    ledger.ask(initial())
    ledger.ask(update(1, mscc(1, used=octets(100))))
    assert ledger.balance == 980_000


@pytest.mark.parametrize("used", [seconds(10), octets(limits.REPORTED_UNITS_MAX + 1)])
def test_report_that_cannot_be_priced_is_rating_failed_and_releases_the_grant(used: ServiceUnit):
    ledger = Ledger(money(1_000_000))
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    decision = ledger.ask(update(1, mscc(1, requested=octets(10), used=used)))
    assert decision.answer.outcome == Outcome.RATING_FAILED
    assert ledger.balance == 1_000_000 and ledger.reserved == 0


def test_report_of_zero_of_anything_is_fine():
    ledger = Ledger(money(1_000_000))
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    asked = mscc(1, requested=octets(10), used=ServiceUnit(total_octets=0, time_s=0))
    assert ledger.ask(update(1, asked)).answer.outcome == Outcome.SUCCESS
    assert not ledger.events


def test_service_without_a_price_is_rating_failed():
    ledger = Ledger(money(1_000_000))
    asked = initial(mscc(None, requested=seconds(10)), service=Service.VOICE, called_party="8150")
    assert ledger.ask(asked).answer.outcome == Outcome.RATING_FAILED


def test_grant_of_an_earlier_catalogue_is_charged_by_it_and_the_next_by_the_new_one():
    ledger = Ledger(money(1_000_000))
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    ledger.tariffs = Tariffs(dearer_catalogue(), (lab_catalogue(),))
    ledger.ask(update(1, mscc(1, requested=octets(1000), used=octets(1000))))
    assert ledger.balance == 800_000 and ledger.reserved == 300_000
    ledger.ask(termination(2, mscc(1, used=octets(1000))))
    assert ledger.balance == 500_000
    assert [e.catalogue_version for e in ledger.events] == [
        lab_catalogue().version,
        dearer_catalogue().version,
    ]


def test_grant_of_a_catalogue_nobody_knows_is_charged_at_the_rate_of_now():
    ledger = Ledger(money(1_000_000))
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    ledger.tariffs = Tariffs(dearer_catalogue())
    ledger.ask(termination(1, mscc(1, used=octets(1000))))
    assert ledger.balance == 700_000 and ledger.reserved == 0


def test_cost_of_a_use_does_not_depend_on_how_it_is_reported():
    whole = Ledger(money(9_000_000), pack(77))
    parts = Ledger(money(9_000_000), pack(77))
    whole.ask(initial(mscc(10, requested=ASK_US)))
    whole.ask(termination(1, mscc(10, used=octets(3333))))
    parts.ask(initial(mscc(10, requested=ASK_US)))
    for number in range(1, 34):
        parts.ask(update(number, mscc(10, requested=ASK_US, used=octets(100))))
    parts.ask(termination(34, mscc(10, used=octets(33))))
    assert whole.balance == parts.balance
    assert parts.session().charged_micro == whole.session().charged_micro == 9_000_000 - whole.balance


def test_event_explains_its_price():
    ledger = Ledger(money(1_000_000))
    call(ledger, "4930", 75)
    (event,) = ledger.events
    trace = event.trace
    assert trace is not None
    assert (trace.counted_after, trace.billed_after, trace.money_units_after) == (75, 75, 75)
    assert (trace.connection_fee_micro, trace.price_micro, trace.price_units) == (50_000, 60_000, 60)
    assert (event.amount_micro, event.balance_after_micro) == (-125_000, 875_000)
    assert (event.tariff_path, event.subscriber_id, event.service) == ("basic/home>home", "anna", "voice")
