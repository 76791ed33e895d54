"""Money moved by hand: for a reason, and never more than there is."""

import msgspec
import pytest

from ocs.balance.model import Account, LifecycleState
from ocs.balance.notices import NoticeRules
from ocs.balance.purse import Purse, check_invariants, money_balance
from ocs.events import EventKind, NoticeKind
from ocs.subscribers.adjustments import adjust, amount_set_aside, give_back, set_aside, take_set_aside
from ocs.subscribers.openings import open_account
from ocs.subscribers.operations import AccountRules, NewAccount, OperationError
from ocs.units import CurrencyMismatchError, Money
from tests.support.catalogue import lab_catalogue

NOW_MS = 1_000


def eur(micro: int) -> Money:
    return Money(micro, "EUR")


@pytest.fixture
def account() -> Account:
    return open_account(NewAccount("a", "a", (), ("basic",), eur(10_000_000)), lab_catalogue(), 0).account


def held(account: Account, micro: int) -> Account:
    purse = Purse(account, NOW_MS)
    purse.reserve(purse.plan_money(micro))
    return purse.account()


@pytest.mark.parametrize("micro", [3_000_000, -10_000_000])
def test_adjustment_moves_money_and_says_why(account: Account, micro: int):
    done = adjust(account, eur(micro), reason="goodwill", reference="r", now_ms=NOW_MS)
    check_invariants(done.account)
    assert money_balance(done.account) == 10_000_000 + micro
    (event,) = done.events
    assert (event.kind, event.event_id, event.reason) == (EventKind.ADJUSTMENT, "adjustment:a:r", "goodwill")
    assert (event.amount_micro, event.sequence) == (micro, 2)


def test_adjustment_takes_nothing_that_a_session_holds(account: Account):
    with pytest.raises(OperationError, match=r"has 4\.00 available, not 4\.000001"):
        adjust(held(account, 6_000_000), eur(-4_000_001), reason="x", reference="r", now_ms=NOW_MS)


def test_adjustment_may_use_the_credit_limit(account: Account):
    postpaid = msgspec.structs.replace(account, credit_limit_micro=5_000_000)
    done = adjust(postpaid, eur(-15_000_000), reason="x", reference="r", now_ms=NOW_MS)
    assert money_balance(done.account) == -5_000_000


def test_what_is_left_on_a_closed_account_can_be_paid_out(account: Account):
    closed = msgspec.structs.replace(account, state=LifecycleState.CLOSED)
    done = adjust(closed, eur(-10_000_000), reason="payout", reference="r", now_ms=NOW_MS)
    assert money_balance(done.account) == 0


def test_adjustment_that_makes_no_sense_is_refused(account: Account):
    closed = msgspec.structs.replace(account, state=LifecycleState.CLOSED)
    for where, micro, reason, told in (
        (account, 0, "x", "changes nothing"),
        (account, 1, "Not A Code", "no reason code"),
        (account, 1, "", "no reason code"),
        (account, 10**17, "x", "a balance is"),
        (closed, 1, "x", "is closed"),
    ):
        with pytest.raises(OperationError, match=told):
            adjust(where, eur(micro), reason=reason, reference="r", now_ms=NOW_MS)
    with pytest.raises(CurrencyMismatchError):
        adjust(account, Money(1, "USD"), reason="x", reference="r", now_ms=NOW_MS)


def test_adjustment_below_the_threshold_tells_it(account: Account):
    rules = AccountRules(notices=NoticeRules(low_balance_micro=2_000_000))
    done = adjust(account, eur(-9_000_000), reason="x", reference="r", now_ms=NOW_MS, rules=rules)
    assert [event.notice.kind for event in done.events if event.notice] == [NoticeKind.LOW_BALANCE]
    assert done.account.sequence == done.events[-1].sequence == 3


def test_money_set_aside_pays_for_nothing_and_is_still_there(account: Account):
    done = set_aside(account, eur(4_000_000), reference="r", now_ms=NOW_MS)
    check_invariants(done.account)
    assert money_balance(done.account) == 10_000_000
    assert Purse(done.account, NOW_MS).available_money() == 6_000_000
    assert amount_set_aside(done.account, "r") == 4_000_000
    assert done.events[0].amount_micro == 0
    with pytest.raises(OperationError, match="available"):
        set_aside(done.account, eur(6_000_001), reference="s", now_ms=NOW_MS)
    with pytest.raises(OperationError, match="that there is"):
        set_aside(done.account, eur(1), reference="r", now_ms=NOW_MS)


def test_reservation_is_taken_in_parts_and_the_rest_given_back(account: Account):
    account = set_aside(account, eur(4_000_000), reference="r", now_ms=NOW_MS).account
    taken = take_set_aside(account, eur(1_000_000), reservation="r", reference="d", now_ms=NOW_MS)
    assert money_balance(taken.account) == 9_000_000
    back = give_back(taken.account, reservation="r", reference="g", now_ms=NOW_MS)
    check_invariants(back.account)
    assert money_balance(back.account) == Purse(back.account, NOW_MS).available_money() == 9_000_000
    assert len(back.account.buckets) == 1
    with pytest.raises(OperationError, match="no reservation 'r'"):
        give_back(back.account, reservation="r", reference="g", now_ms=NOW_MS)


def test_reservation_taken_whole_is_gone(account: Account):
    account = set_aside(account, eur(4_000_000), reference="r", now_ms=NOW_MS).account
    with pytest.raises(OperationError, match=r"holds 4\.00, not 4\.000001"):
        take_set_aside(account, eur(4_000_001), reservation="r", reference="d", now_ms=NOW_MS)
    done = take_set_aside(account, eur(4_000_000), reservation="r", reference="d", now_ms=NOW_MS)
    check_invariants(done.account)
    assert [bucket.bucket_id for bucket in done.account.buckets] == ["main"]
