"""Tiers and caps over sessions: what was used counts, what is granted is paid for, whatever else the subscriber does."""

from hypothesis import given
from hypothesis import strategies as st

from ocs.balance.model import MemberLimit, SessionState
from ocs.messages import Outcome, RequestedAction, Service
from ocs.rating import Catalogue
from ocs.units import UnitType
from tests.support.catalogue import HEADER, catalogue_from
from tests.support.ledger import Ledger, money, only
from tests.support.requests import ASK_US, event, events, initial, mscc, octets, termination, update
from tests.support.rich_catalogue import rich_catalogue

# Rating group 3: 100 an octet, after 2,000 octets of a month 50, after 5,000 nothing. 4: 100, at most 150,000 a day.
EUR = 1_000_000
DAY_S = 86_400


def rich(micro: int = EUR, **more) -> Ledger:
    return Ledger(money(micro), catalogue=rich_catalogue(), offers=("rich",), **more)


def test_what_was_used_counts_and_gives_the_next_units_their_price():
    ledger = rich()
    ledger.ask(initial(mscc(3, requested=octets(1500))))
    assert ledger.reserved == 150_000
    ledger.ask(update(1, mscc(3, requested=octets(1000), used=octets(1500))))
    assert ledger.balance == EUR - 150_000
    assert ledger.reserved == 500 * 100 + 500 * 50
    ledger.ask(termination(2, mscc(3, used=octets(800))))
    assert ledger.balance == EUR - 150_000 - 500 * 100 - 300 * 50
    assert ledger.counter("octets-this-month").value == 2300
    assert ledger.counter("octets-this-month").reserved == 0


def test_trace_tells_each_price_and_where_the_counter_went():
    ledger = rich()
    ledger.ask(initial(mscc(3, requested=octets(2500))))
    ledger.ask(termination(1, mscc(3, used=octets(2500))))
    trace = ledger.events[-1].trace
    assert trace is not None
    assert [(part.units, part.price_micro, part.amount_micro) for part in trace.parts] == [
        (2000, 100, 200_000),
        (500, 50, 25_000),
    ]
    (moved,) = trace.counters
    assert (moved.counter_id, moved.before, moved.after) == ("octets-this-month", 0, 2500)


def test_another_session_of_the_subscriber_goes_on_where_the_first_one_is():
    ledger = rich()
    ledger.ask(initial(mscc(3, requested=octets(2000)), session_id="a"))
    ledger.ask(termination(1, mscc(3, used=octets(2000)), session_id="a"))
    ledger.ask(initial(mscc(3, requested=octets(100)), session_id="b"))
    assert ledger.reserved == 100 * 50


def test_units_that_another_sessions_grant_may_make_cheaper_are_held_at_the_dearer_price():
    ledger = rich()
    ledger.ask(initial(mscc(3, requested=octets(2000)), session_id="a"))
    ledger.ask(initial(mscc(3, requested=octets(100)), session_id="b"))
    assert ledger.reserved >= 2100 * 100
    ledger.ask(termination(1, mscc(3, used=octets(100)), session_id="b"))
    assert ledger.balance == EUR - 100 * 100


def test_tier_that_is_denied_ends_the_last_grant_before_it_with_the_final_unit():
    ledger = rich()
    answer = only(ledger.ask(initial(mscc(3, requested=octets(9000)))))
    assert answer.granted == octets(5000) and answer.final_unit is not None
    refused = ledger.ask(update(1, mscc(3, requested=octets(10), used=octets(5000)))).answer
    assert refused.outcome == Outcome.CREDIT_LIMIT_REACHED


def test_sessions_together_do_not_pass_into_a_denied_tier():
    ledger = rich(10 * EUR)
    granted = 0
    for name in "abcd":
        for service in ledger.ask(initial(mscc(3, requested=octets(2000)), session_id=name)).answer.services:
            granted += (service.granted and service.granted.total_octets) or 0
    assert granted == 5000


def test_month_that_begins_counts_from_nothing_and_old_grants_leave_it_alone():
    ledger = rich()
    ledger.ask(initial(mscc(3, requested=octets(2000)), session_id="old"))
    ledger.ask(initial(mscc(3, requested=octets(1000)), session_id="a"))
    ledger.ask(termination(1, mscc(3, used=octets(1000)), session_id="a"))
    ledger.now_s += 20 * DAY_S
    ledger.ask(initial(mscc(3, requested=octets(100)), session_id="b"))
    assert ledger.counter("octets-this-month").value == 0
    assert ledger.counter("octets-this-month").reserved == 100
    ledger.ask(termination(1, mscc(3, used=octets(50)), session_id="old"))
    assert (ledger.counter("octets-this-month").value, ledger.counter("octets-this-month").reserved) == (
        0,
        100,
    )


def test_report_just_after_the_month_counts_and_costs_what_its_grant_was_held_for():
    ledger = rich()
    ledger.ask(initial(mscc(3, requested=octets(2000)), session_id="a"))
    ledger.ask(termination(1, mscc(3, used=octets(2000)), session_id="a"))
    ledger.ask(initial(mscc(3, requested=octets(1000)), session_id="old"))
    assert ledger.reserved == 1000 * 50
    ledger.now_s += 20 * DAY_S
    ledger.ask(initial(mscc(3, requested=octets(10)), session_id="b"))
    assert [counter.reserved for counter in ledger.counters] == [10, 1000]
    ledger.ask(update(1, mscc(3, requested=octets(10), used=octets(1000)), session_id="old"))
    assert ledger.balance == EUR - 2000 * 100 - 1000 * 50
    (counter,) = ledger.counters
    assert (counter.value, counter.reserved) == (0, 20)


def test_limit_of_a_day_counts_what_was_held_of_it_on_that_day():
    ledger = rich()
    ledger.change_subscriber(limits=(MemberLimit("limit.spending", UnitType.MONEY, "day", 200_000),))
    ledger.ask(initial(mscc(3, requested=octets(2000)), session_id="old"))
    ledger.now_s += DAY_S
    ledger.ask(initial(mscc(3, requested=octets(100)), session_id="b"))
    reserved = ledger.counter("limit.spending").reserved
    assert reserved >= 10_000
    ledger.ask(termination(1, mscc(3, used=octets(2000)), session_id="old"))
    assert (ledger.counter("limit.spending").value, ledger.counter("limit.spending").reserved) == (
        0,
        reserved,
    )


def test_grant_that_supervision_ends_takes_the_counter_of_its_month_with_it():
    ledger = rich()
    ledger.ask(initial(mscc(3, requested=octets(2000)), session_id="old"))
    ledger.now_s += 20 * DAY_S
    ledger.ask(initial(mscc(3, requested=octets(100)), session_id="b"))
    ledger.expire("old")
    assert [counter.reserved for counter in ledger.counters] == [100]


def test_supervision_gives_back_what_a_grant_holds_in_the_counter():
    ledger = rich()
    ledger.ask(initial(mscc(3, requested=octets(2000))))
    assert ledger.counter("octets-this-month").reserved == 2000
    ledger.expire()
    assert ledger.counter("octets-this-month").reserved == 0


def test_after_the_daily_cap_use_is_free_and_the_next_day_it_costs_again():
    ledger = rich(200_000)
    ledger.ask(initial(mscc(4, requested=octets(1000))))
    ledger.ask(update(1, mscc(4, requested=octets(9000), used=octets(1000))))
    answer = ledger.session().services[0]
    assert answer.granted_units == 9000 and ledger.reserved == 50_000
    ledger.ask(update(2, mscc(4, requested=octets(9000), used=octets(9000))))
    assert ledger.balance == 50_000 and ledger.reserved == 0
    ledger.ask(termination(3, mscc(4, used=octets(9000))))
    assert ledger.balance == 50_000
    ledger.now_s += DAY_S
    ledger.ask(initial(mscc(4, requested=octets(100)), session_id="next"))
    assert ledger.reserved == 10_000


def test_grant_that_reaches_the_cap_is_not_final_though_no_money_is_left():
    ledger = rich(150_000)
    assert only(ledger.ask(initial(mscc(4, requested=octets(1500))))).final_unit is None
    answer = only(ledger.ask(update(1, mscc(4, requested=ASK_US, used=octets(1500)))))
    assert answer.granted == octets(1000) and ledger.balance == 0


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.integers(0, 3000),
            st.integers(0, 2500),
            st.sampled_from([0, 0, 0, 1, 31]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([3, 4]),
    st.integers(0, 700_000),
)
def test_no_interleaving_of_sessions_overdraws_the_account_within_its_grants_whatever_month_it_is(
    steps: list[tuple[str, int, int, int]], group: int, micro: int
):
    ledger = rich(micro)
    open_as: dict[str, str] = {}
    number = 0
    for name, wanted, most, days in steps:
        number += 1
        ledger.now_s += days * DAY_S
        session = ledger.sessions.get(open_as.get(name, ""))
        if session is None or session.state != SessionState.OPEN:
            open_as[name] = f"{name}{number}"
            ledger.ask(initial(mscc(group, requested=octets(wanted)), session_id=open_as[name]))
            continue
        granted = session.services[0].granted_units if session.services else 0
        report = mscc(group, requested=octets(wanted), used=octets(min(most, granted)))
        ledger.ask(update(number, report, session_id=session.session_id))
        assert ledger.balance >= 0
    for session in list(ledger.sessions.values()):
        if session.state == SessionState.OPEN:
            granted = session.services[0].granted_units if session.services else 0
            ledger.ask(termination(99, mscc(group, used=octets(granted)), session_id=session.session_id))
            assert ledger.balance >= 0
    assert not ledger.reserved


def message_tiers() -> Catalogue:
    return catalogue_from(
        HEADER
        + """
[[counters]]
id = "texts-this-month"
unit = "events"
period = "month"

[[offers]]
id = "texts"

[[offers.prices]]
id = "sms"
service = "sms"
unit = "events"
amount = "0.1"
counter = "texts-this-month"
[[offers.prices.tiers]]
above = 2
amount = "0.05"
"""
    )


def test_messages_count_one_by_one_and_a_refund_takes_the_last_one_back():
    ledger = Ledger(money(EUR), catalogue=message_tiers(), offers=("texts",))
    for name in "abc":
        ledger.ask(event(mscc(None, requested=events(1)), session_id=name))
    assert ledger.balance == EUR - 250_000
    enquiry = event(mscc(None, requested=events(1)), action=RequestedAction.PRICE_ENQUIRY, session_id="d")
    cost = ledger.ask(enquiry).answer.cost
    assert cost is not None and cost.micro == 50_000
    back = event(mscc(None, requested=events(1)), action=RequestedAction.REFUND_ACCOUNT, session_id="e")
    ledger.ask(back)
    assert ledger.balance == EUR - 200_000
    assert ledger.counter("texts-this-month").value == 2


def test_balance_check_counts_nothing():
    ledger = Ledger(money(EUR), catalogue=message_tiers(), offers=("texts",))
    check = event(mscc(None, requested=events(3)), action=RequestedAction.CHECK_BALANCE, service=Service.SMS)
    assert ledger.ask(check).answer.enough_credit
    assert ledger.counter("texts-this-month").value == 0


def rising() -> Catalogue:
    return catalogue_from(
        HEADER
        + """
[[counters]]
id = "octets-this-month"
unit = "octets"
period = "month"

[[offers]]
id = "rising"

[[offers.prices]]
id = "data"
service = "data"
unit = "octets"
amount = "0.00005"
counter = "octets-this-month"
[[offers.prices.tiers]]
above = 1000
amount = "0.0001"
"""
    )


def test_units_that_another_sessions_grant_may_make_dearer_are_held_at_the_dearer_price():
    ledger = Ledger(money(EUR), catalogue=rising(), offers=("rising",))
    ledger.ask(initial(mscc(1, requested=octets(1000)), session_id="a"))
    ledger.ask(initial(mscc(1, requested=octets(500)), session_id="b"))
    assert ledger.reserved >= 1000 * 50 + 500 * 100
    ledger.ask(termination(1, mscc(1, used=octets(1000)), session_id="a"))
    ledger.ask(termination(1, mscc(1, used=octets(500)), session_id="b"))
    assert ledger.balance == EUR - 1000 * 50 - 500 * 100


def test_grant_is_no_larger_than_the_dearer_price_lets_it_be():
    ledger = Ledger(money(90_000), catalogue=rising(), offers=("rising",))
    ledger.ask(initial(mscc(1, requested=octets(1000)), session_id="a"))
    answer = only(ledger.ask(initial(mscc(1, requested=octets(800)), session_id="b")))
    # 40,000 are left; a bound over two tiers rounds each of them up.
    assert answer.granted == octets(399)
