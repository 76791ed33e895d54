"""A member of a shared account takes no more than its limits; the others notice nothing."""

import pytest

from ocs.balance.model import Counter, MemberLimit
from ocs.balance.notices import NoticeRules
from ocs.charging.decision import Policy
from ocs.events import EventKind, NoticeKind
from ocs.messages import Outcome, RequestedAction
from ocs.units import UnitType
from tests.support.ledger import Ledger, money, only, pack
from tests.support.requests import event, events, initial, mscc, octets, termination, update

# Rating group 1: 2,000 micro-units per started ten octets; 10: the same, and a pack may pay; 20: free.
EUR = 1_000_000
SPENDING = MemberLimit("limit.spending", UnitType.MONEY, "month", 100_000)
VOLUME = MemberLimit("limit.volume", UnitType.TOTAL_OCTETS, "day", 1000)
DAY_S = 86_400


def member(*limits: MemberLimit, buckets=(), **more) -> Ledger:
    ledger = Ledger(*(buckets or (money(EUR),)), **more)
    ledger.change_subscriber(limits=limits)
    return ledger


def test_spending_limit_makes_the_last_grant_small_and_final_and_then_refuses():
    ledger = member(SPENDING)
    answer = only(ledger.ask(initial(mscc(1, requested=octets(1000)))))
    assert answer.granted == octets(500) and answer.final_unit is not None
    assert ledger.counter("limit.spending").reserved == 100_000
    refused = ledger.ask(update(1, mscc(1, requested=octets(10), used=octets(500)))).answer
    assert refused.outcome == Outcome.CREDIT_LIMIT_REACHED
    assert ledger.balance == EUR - 100_000
    assert (ledger.counter("limit.spending").value, ledger.counter("limit.spending").reserved) == (100_000, 0)


def test_other_members_of_the_account_are_not_touched():
    ledger = member(SPENDING)
    ledger.ask(initial(mscc(1, requested=octets(500)), session_id="limited"))
    limited = ledger.subscriber
    ledger.change_subscriber(limits=(), counters=())
    assert only(ledger.ask(initial(mscc(1, requested=octets(1000)), session_id="free"))).granted == octets(
        1000
    )
    ledger.sessions.pop("free")
    ledger.subscriber = limited


def test_sessions_of_one_member_share_its_limit():
    ledger = member(SPENDING)
    first = only(ledger.ask(initial(mscc(1, requested=octets(300)), session_id="a")))
    second = only(ledger.ask(initial(mscc(1, requested=octets(300)), session_id="b")))
    assert (first.granted, second.granted) == (octets(300), octets(200))
    assert first.final_unit is None and second.final_unit is not None


@pytest.mark.parametrize("group", [1, 10, 20])
def test_volume_limit_counts_billed_units_whoever_pays(group: int):
    ledger = member(VOLUME, buckets=(money(EUR), pack(5000)))
    answer = only(ledger.ask(initial(mscc(group, requested=octets(4000)))))
    assert answer.granted == octets(1000) and answer.final_unit is not None
    ledger.ask(termination(1, mscc(group, used=octets(1000))))
    assert ledger.counter("limit.volume").value == 1000
    refused = ledger.ask(initial(mscc(group), session_id="next")).answer
    assert refused.outcome == Outcome.CREDIT_LIMIT_REACHED
    ledger.now_s += DAY_S
    assert only(ledger.ask(initial(mscc(group), session_id="tomorrow"))).granted == octets(1000)


def test_use_beyond_the_limit_is_debited_and_counted():
    ledger = member(SPENDING)
    ledger.ask(initial(mscc(1, requested=octets(500))))
    ledger.ask(termination(1, mscc(1, used=octets(600))))
    assert ledger.balance == EUR - 120_000
    assert ledger.counter("limit.spending").value == 120_000


def test_messages_stop_at_the_spending_limit_and_refunds_count_back():
    ledger = member(SPENDING)
    assert ledger.ask(event(mscc(None, requested=events(1)))).answer.outcome == Outcome.SUCCESS
    second = ledger.ask(event(mscc(None, requested=events(1)), session_id="b")).answer
    assert second.outcome == Outcome.CREDIT_LIMIT_REACHED
    ledger.ask(event(mscc(None, requested=events(1)), session_id="c", action=RequestedAction.REFUND_ACCOUNT))
    assert ledger.counter("limit.spending").value == 0


def test_expiry_gives_the_member_back_what_its_session_held():
    ledger = member(SPENDING, VOLUME)
    ledger.ask(initial(mscc(1, requested=octets(100))))
    assert ledger.counter("limit.volume").reserved == 100
    ledger.expire()
    assert [c.reserved for c in (ledger.counter("limit.volume"), ledger.counter("limit.spending"))] == [0, 0]


def test_bill_shock_is_told_in_the_commit_that_crosses_it():
    policy = Policy(notices=NoticeRules((50, 100), (80, 100), 0))
    ledger = member(SPENDING, policy=policy)
    ledger.ask(initial(mscc(1, requested=octets(500))))
    ledger.ask(update(1, mscc(1, requested=octets(100), used=octets(390))))
    assert not [e for e in ledger.events if e.kind == EventKind.NOTICE]
    ledger.ask(termination(2, mscc(1, used=octets(10))))
    (notice,) = [e for e in ledger.events if e.kind == EventKind.NOTICE]
    assert notice.notice is not None and notice.notice.kind == NoticeKind.SPENDING_LIMIT
    assert (notice.notice.threshold, notice.notice.value) == (80, 80_000)
    assert notice.sequence == ledger.account.sequence and not notice.movements


def test_counters_of_an_unlimited_member_are_not_written():
    ledger = Ledger(money(EUR))
    before = ledger.subscriber
    ledger.ask(initial(mscc(1, requested=octets(500))))
    decision = ledger.ask(termination(1, mscc(1, used=octets(500))))
    assert decision.subscriber is before and ledger.counter("limit.spending") == Counter("limit.spending", 0)
