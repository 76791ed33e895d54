"""Grants: their size, their reservation, the last one, and how long they are valid."""

import pytest

from ocs.charging.decision import Policy
from ocs.messages import FinalUnitAction, Outcome, Service, ServiceUnit
from ocs.units import Money
from tests.support.ledger import Ledger, money, only, pack
from tests.support.requests import ASK_US, initial, mscc, octets, seconds, termination, update
from tests.support.rich_catalogue import rich_catalogue

# Rating group 1: 2,000 micro-units per started 10 octets; 10: the same, and a pack may pay; 50 and 60: 100 an octet.


@pytest.mark.parametrize(
    ("requested", "granted"),
    [
        (None, 1000),  # an INITIAL without Requested-Service-Unit leaves the size to us
        (ASK_US, 1000),
        (octets(0), 1000),
        (octets(3), 10),  # the operator's minimum
        (octets(4321), 4321),
        (octets(99_999), 10_000),  # the operator's ceiling
        (ServiceUnit(input_octets=300, output_octets=400), 700),
        (seconds(60), 1000),  # a wish in a unit that the price does not count is no size
    ],
)
def test_grant_is_what_was_asked_within_the_operators_bounds(requested: ServiceUnit | None, granted: int):
    ledger = Ledger(money(100_000_000))
    answer = only(ledger.ask(initial(mscc(1, requested=requested))))
    assert answer.granted == octets(granted)
    assert ledger.reserved == -(-granted // 10) * 2_000


def test_update_without_requested_service_unit_gets_no_quota():
    ledger = Ledger(money(1_000_000))
    ledger.ask(initial(mscc(1, requested=octets(100))))
    answer = only(ledger.ask(update(1, mscc(1, used=octets(50)))))
    assert answer.outcome == Outcome.SUCCESS and answer.granted is None
    assert ledger.reserved == 0 and ledger.balance == 990_000


def test_last_grant_is_what_can_be_paid_and_carries_the_final_unit():
    ledger = Ledger(money(199_999))
    answer = only(ledger.ask(initial(mscc(1, requested=octets(5000)))))
    assert answer.granted == octets(990)  # 99 blocks
    assert answer.final_unit is not None and answer.final_unit.action == FinalUnitAction.TERMINATE
    assert ledger.reserved == 198_000


def test_grant_that_leaves_less_than_one_block_is_final_even_if_it_was_given_in_full():
    ledger = Ledger(money(200_000))
    assert only(ledger.ask(initial(mscc(1, requested=octets(1000))))).final_unit is not None
    ledger = Ledger(money(202_000))
    assert only(ledger.ask(initial(mscc(1, requested=octets(1000))))).final_unit is None


def test_last_grants_of_two_services_share_what_is_left():
    ledger = Ledger(money(30_000))
    first, second = ledger.ask(
        initial(mscc(50, requested=octets(200)), mscc(60, requested=octets(200)))
    ).answer.services
    assert (first.granted, second.granted) == (octets(200), octets(100))
    assert first.final_unit is None and second.final_unit is not None


def test_final_unit_redirects_or_restricts_as_the_offer_says():
    ledger = Ledger(money(100_000))
    redirected = only(ledger.ask(initial(mscc(50, requested=octets(5000)), session_id="r"))).final_unit
    assert redirected is not None and redirected.action == FinalUnitAction.REDIRECT
    assert redirected.redirect_address == "http://topup.example/"
    ledger.ask(termination(1, session_id="r"))
    restricted = only(ledger.ask(initial(mscc(60, requested=octets(5000)), session_id="s"))).final_unit
    assert restricted is not None and restricted.action == FinalUnitAction.RESTRICT_ACCESS
    assert restricted.filter_ids == ("walled-garden",)


def test_started_block_is_paid_so_its_rest_is_granted_when_nothing_is_left():
    ledger = Ledger(money(2_000))
    ledger.ask(initial(mscc(1, requested=octets(10))))
    answer = only(ledger.ask(update(1, mscc(1, requested=octets(100), used=octets(4)))))
    assert answer.granted == octets(6)
    assert ledger.balance == 0 and ledger.reserved == 0
    assert answer.final_unit is not None


def test_allowance_pays_before_money_and_a_grant_may_take_from_both():
    ledger = Ledger(money(1_000_000), pack(300))
    answer = only(ledger.ask(initial(mscc(10, requested=octets(500)))))
    assert answer.granted == octets(500)
    assert ledger.held() == {"pack": 300, "main": 40_000}
    ledger.ask(termination(1, mscc(10, used=octets(400))))
    assert ledger.bucket("pack").value == 0 and ledger.balance == 980_000
    assert ledger.events[-1].amount_micro == -20_000 and ledger.events[-1].billed_units == 400


def test_allowance_that_covers_the_grant_leaves_money_alone():
    ledger = Ledger(money(0), pack(300))
    assert only(ledger.ask(initial(mscc(10, requested=octets(200))))).granted == octets(200)
    assert ledger.held() == {"pack": 200}


def test_allowance_of_another_rating_group_does_not_pay():
    ledger = Ledger(money(0), pack(300))
    assert ledger.ask(initial(mscc(1, requested=octets(200)))).answer.outcome == Outcome.CREDIT_LIMIT_REACHED


def test_price_for_allowances_only_is_never_paid_with_money():
    ledger = Ledger(money(9_000_000), pack(300))
    answer = only(ledger.ask(initial(mscc(40, requested=octets(500)))))
    assert answer.granted == octets(300) and answer.final_unit is not None
    assert ledger.reserved == 0
    ledger.ask(update(1, mscc(40, requested=octets(500), used=octets(300))))
    assert ledger.session().services[0].granted_units == 0 and ledger.balance == 9_000_000


def test_grants_of_one_account_never_exceed_it_together():
    ledger = Ledger(money(500_000))
    granted = []
    for index in range(4):
        decision = ledger.ask(initial(mscc(1, requested=octets(1000)), session_id=f"s{index}"))
        granted.append([a.granted for a in decision.answer.services])
    assert granted == [[octets(1000)], [octets(1000)], [octets(500)], [None]]
    assert ledger.reserved == 500_000


def test_free_service_is_granted_to_an_empty_account_and_to_one_in_debt():
    for balance in (0, -5_000):
        ledger = Ledger(money(balance))
        answer = only(ledger.ask(initial(mscc(20, requested=octets(5000)))))
        assert answer.granted == octets(5000) and answer.final_unit is None
        ledger.ask(termination(1, mscc(20, used=octets(5000))))
        assert ledger.balance == balance
        assert ledger.events[-1].units == 5000  # also what costs nothing is told


def test_service_that_needs_no_credit_control_is_told_so():
    ledger = Ledger(money(0))
    answer = ledger.ask(initial(mscc(30, requested=octets(5000)))).answer
    assert answer.outcome == Outcome.CREDIT_CONTROL_NOT_APPLICABLE
    assert ledger.reserved == 0


def test_credit_limit_lets_money_go_below_zero_by_so_much_and_no_further():
    ledger = Ledger(money(10_000), credit_limit_micro=100_000)
    assert only(ledger.ask(initial(mscc(50, requested=octets(5000))))).granted == octets(1100)
    ledger.ask(update(1, mscc(50, requested=octets(5000), used=octets(1100))))
    assert ledger.balance == -100_000 and ledger.reserved == 0
    assert only(ledger.ask(initial(mscc(50), session_id="n"))).granted is None


def test_money_can_be_asked_for_by_amount():
    ledger = Ledger(money(50_000))
    asked = ServiceUnit(money=Money(80_000, "EUR"))
    answer = only(ledger.ask(initial(mscc(None, requested=asked), multiple_services=False)))
    assert answer.granted == ServiceUnit(money=Money(50_000, "EUR")) and answer.final_unit is not None
    ledger.ask(termination(1, mscc(None, used=ServiceUnit(money=Money(12_345, "EUR")))))
    assert ledger.balance == 37_655


def test_money_of_another_currency_is_not_rated():
    ledger = Ledger(money(50_000))
    asked = ServiceUnit(money=Money(80_000, "USD"))
    assert ledger.ask(initial(mscc(None, requested=asked))).answer.outcome == Outcome.RATING_FAILED


# --- Validity and thresholds ------------------------------------------------------------------------------


def test_grant_carries_the_quotas_validity_and_a_threshold_smaller_than_itself():
    ledger = Ledger(money(100_000_000))
    answer = only(ledger.ask(initial(mscc(1, requested=octets(1000)))))
    assert (answer.validity_time_s, answer.volume_quota_threshold_octets) == (600, 100)
    answer = only(ledger.ask(update(1, mscc(1, requested=octets(100), used=octets(1)))))
    assert answer.volume_quota_threshold_octets is None
    voice = initial(
        mscc(None, requested=seconds(60)), session_id="v", service=Service.VOICE, called_party="4930"
    )
    answer = only(ledger.ask(voice))
    assert (answer.validity_time_s, answer.time_quota_threshold_s) == (300, 10)


def test_validity_ends_where_the_tariff_changes_and_use_is_charged_as_granted():
    ledger = Ledger(money(1_000_000))
    ledger.now_s += 11 * 3600 - 200  # 19:56:40 in Berlin, 1,800,000,000 being 09:00
    answer = only(ledger.ask(initial(mscc(70, requested=octets(1000)))))
    assert answer.validity_time_s == 200 and ledger.reserved == 100_000
    ledger.now_s += 300
    only(ledger.ask(update(1, mscc(70, requested=octets(1000), used=octets(600)))))
    assert ledger.balance == 940_000  # by day
    assert ledger.reserved == 50_000  # by night
    ledger.ask(termination(2, mscc(70, used=octets(400))))
    assert ledger.balance == 920_000
    assert [e.tariff_path for e in ledger.events] == ["basic/by-day", "basic/by-night@night"]


def test_validity_ends_where_a_bucket_that_pays_for_it_expires():
    ledger = Ledger(money(1_000_000))
    ledger = Ledger(money(1_000_000), pack(5000, until_ms=(ledger.now_s + 45) * 1000))
    assert only(ledger.ask(initial(mscc(10, requested=octets(1000))))).validity_time_s == 45


def test_bucket_that_expires_while_held_still_pays_for_its_grant_and_for_no_other():
    start = Ledger().now_s
    ledger = Ledger(money(1_000_000), pack(5000, until_ms=(start + 45) * 1000))
    ledger.ask(initial(mscc(10, requested=octets(1000))))
    ledger.now_s += 60
    only(ledger.ask(update(1, mscc(10, requested=octets(1000), used=octets(700)))))
    assert ledger.balance == 1_000_000  # the pack paid what it was reserved for
    assert ledger.held() == {"main": 200_000}  # the next grant is money's
    ledger.ask(termination(2, mscc(10, used=octets(10))))
    assert ledger.balance == 998_000
    assert {b.bucket_id for b in ledger.account.buckets} == {"main"}
    lost = [m.amount for e in ledger.events if e.trace is None for m in e.movements]
    assert lost == [-4000, -300]


# --- Shares -----------------------------------------------------------------------------------------------


def shared(micro: int, percent: int = 50) -> Ledger:
    return Ledger(money(micro), policy=Policy(grant_share_percent=percent))


def test_parallel_sessions_of_a_poor_account_all_get_something():
    # Rating group 50: 100 an octet.
    ledger = shared(100_000)
    answers = [
        only(ledger.ask(initial(mscc(50, requested=octets(1000)), session_id=f"s{n}"))) for n in range(4)
    ]
    assert [a.granted for a in answers] == [octets(500), octets(250), octets(125), octets(125)]
    assert [a.final_unit is not None for a in answers] == [False, False, False, True]


def test_grant_that_was_made_smaller_is_valid_for_less():
    answer = only(shared(100_000).ask(initial(mscc(50, requested=octets(1000)))))
    assert answer.validity_time_s == 300
    answer = only(shared(30_000).ask(initial(mscc(50, requested=octets(1000)))))
    assert answer.validity_time_s == 90
    answer = only(shared(7_000).ask(initial(mscc(50, requested=octets(1000)))))
    assert answer.granted == octets(70) and answer.validity_time_s == 60


def test_account_with_enough_is_granted_in_full():
    answer = only(shared(200_000).ask(initial(mscc(50, requested=octets(1000)))))
    assert answer.granted == octets(1000) and answer.validity_time_s == 600


def test_small_grants_leave_nothing_behind():
    ledger, number = shared(100_000), 0
    answer = only(ledger.ask(initial(mscc(50, requested=octets(1000)))))
    for number in range(1, 20):
        if answer.final_unit is not None:
            break
        answer = only(ledger.ask(update(number, mscc(50, requested=octets(1000), used=answer.granted or ()))))
    assert answer.granted is not None
    ledger.ask(termination(30, mscc(50, used=answer.granted)))
    assert ledger.balance == 0 and number <= 5


def test_allowance_is_shared_likewise():
    ledger = Ledger(money(0), pack(1000), policy=Policy(grant_share_percent=50))
    first = only(ledger.ask(initial(mscc(10, requested=octets(1000)), session_id="a")))
    second = only(ledger.ask(initial(mscc(10, requested=octets(1000)), session_id="b")))
    assert (first.granted, second.granted) == (octets(500), octets(250))
    assert first.final_unit is None


# --- What else a grant says -------------------------------------------------------------------------------


def test_grant_tells_the_holding_time_and_triggers_of_its_quota_rule():
    ledger = Ledger(money(1_000_000), catalogue=rich_catalogue(), offers=("rich",))
    answer = only(ledger.ask(initial(mscc(3, requested=octets(100)))))
    assert answer.quota_holding_time_s == 30 and answer.triggers
    assert only(ledger.ask(initial(mscc(1), session_id="plain"))).quota_holding_time_s is None


def test_price_in_another_currency_than_the_accounts_is_no_price():
    ledger = Ledger(money(1_000_000))
    ledger.change_account(currency="USD")
    assert ledger.ask(initial(mscc(1))).answer.services[0].outcome == Outcome.RATING_FAILED
