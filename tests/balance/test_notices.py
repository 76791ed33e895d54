"""Thresholds: told once, when a movement crosses them, by what moved."""

import msgspec
import pytest

from ocs.balance.model import (
    Account,
    AutoTopUp,
    Bucket,
    Counter,
    Hold,
    LifecycleState,
    MemberLimit,
    Subscriber,
)
from ocs.balance.notices import NO_NOTICES, NoticeRules, crossed, limits_crossed, notice_rules, record_notices
from ocs.balance.purse import Purse
from ocs.events import EventKind, Notice, NoticeKind
from ocs.settings import AccountsSettings
from ocs.units import UnitType

RULES = NoticeRules(low_balance_micro=2_000_000)
OCTETS = UnitType.TOTAL_OCTETS


def account(money: int = 10_000_000, pack: int = 0, initial: int = 0, **changes: object) -> Account:
    buckets = (Bucket("pack", OCTETS, pack, 0, "pack", 10, 0, 0, initial),) if initial else ()
    base = Account(
        "a", "EUR", LifecycleState.ACTIVE, 0, (*buckets, Bucket("main", UnitType.MONEY, money)), ()
    )
    return msgspec.structs.replace(base, **changes)


def after(account: Account, *debits: tuple[str, int], rules: NoticeRules = RULES) -> list[Notice]:
    purse = Purse(account, 0)
    purse.debit(tuple(Hold(bucket, amount) for bucket, amount in debits))
    return crossed(purse, rules)


@pytest.mark.parametrize(
    ("has", "takes", "tells"),
    [
        (1000, 499, 0),
        (1000, 500, 50),
        (500, 299, 0),
        (500, 300, 80),
        (200, 200, 100),
        (1000, 1000, 100),  # the highest alone, when one use passes them all
        (400, 1, 0),
    ],
)
def test_parts_of_a_bundle_are_told_as_they_are_used(has: int, takes: int, tells: int):
    found = after(account(pack=has, initial=1000), ("pack", takes))
    assert found == ([Notice(NoticeKind.BUNDLE, "pack", tells, has - takes)] if tells else [])


def test_bundle_that_expires_is_not_told_as_used():
    expired = Bucket("pack", OCTETS, 1000, 0, "pack", 10, 0, 5, 1000)
    purse = Purse(account(buckets=(expired, Bucket("main", UnitType.MONEY, 0))), 10)
    purse.expire()
    assert crossed(purse, RULES) == []


@pytest.mark.parametrize(
    ("has", "takes", "is_told"), [(2_000_000, 1, True), (2_000_001, 1, False), (1_999_999, 1, False)]
)
def test_low_balance_is_told_when_it_is_crossed(has: int, takes: int, is_told: bool):
    found = after(account(has), ("main", takes))
    assert found == ([Notice(NoticeKind.LOW_BALANCE, "", 2_000_000, has - takes)] if is_told else [])


def test_money_that_comes_in_is_not_told():
    purse = Purse(account(0), 0)
    purse.credit((Hold("main", 5_000_000),))
    assert crossed(purse, RULES) == []


def test_postpaid_is_told_of_its_credit_limit_and_not_of_a_low_balance():
    postpaid = account(-7_000_000, credit_limit_micro=10_000_000)
    assert after(postpaid, ("main", 999_999)) == []
    assert after(postpaid, ("main", 1_000_000)) == [Notice(NoticeKind.CREDIT_LIMIT, "", 80, -8_000_000)]
    assert after(postpaid, ("main", 5_000_000)) == [Notice(NoticeKind.CREDIT_LIMIT, "", 100, -12_000_000)]
    fresh = account(5_000_000, credit_limit_micro=10_000_000)
    assert after(fresh, ("main", 6_000_000)) == []


def test_order_to_top_up_is_due_when_money_falls_below_it():
    order = AutoTopUp(5_000_000, 20_000_000, "card-1")
    assert after(account(5_000_000, auto_top_up=order), ("main", 1), rules=NO_NOTICES) == [
        Notice(NoticeKind.AUTO_TOP_UP, "card-1", 5_000_000, 20_000_000)
    ]
    assert after(account(4_999_999, auto_top_up=order), ("main", 1)) == []


def test_without_rules_nothing_is_told():
    assert after(account(10, pack=10, initial=10), ("main", 10), ("pack", 10), rules=NO_NOTICES) == []


def subscriber(value: int, period_start_ms: int = 1, amount: int = 100) -> Subscriber:
    return Subscriber(
        "s",
        "a",
        LifecycleState.ACTIVE,
        (),
        (),
        counters=(Counter("limit.money.month", period_start_ms, value),),
        limits=(MemberLimit("limit.money.month", UnitType.MONEY, "month", amount),),
    )


def test_bill_shock_is_told_at_parts_of_a_member_s_limit():
    assert limits_crossed(subscriber(79), subscriber(80), RULES) == [
        Notice(NoticeKind.SPENDING_LIMIT, "limit.money.month", 80, 80)
    ]
    assert limits_crossed(subscriber(80), subscriber(99), RULES) == []
    assert limits_crossed(subscriber(99), subscriber(120), RULES)[0].threshold == 100


def test_new_period_is_told_anew():
    assert limits_crossed(subscriber(100), subscriber(80, period_start_ms=2), RULES)[0].threshold == 80


def test_subscriber_without_limits_or_counters_is_told_nothing():
    bare = Subscriber("s", "a", LifecycleState.ACTIVE, (), ())
    assert limits_crossed(None, None, RULES) == limits_crossed(bare, bare, RULES) == []
    uncounted = msgspec.structs.replace(subscriber(1), counters=())
    assert limits_crossed(uncounted, msgspec.structs.replace(uncounted, offers=("x",)), RULES) == []


def test_notices_are_events_that_move_nothing_and_have_ids_of_their_own():
    purse = Purse(account(2_000_000, pack=10, initial=10), 7)
    purse.debit((Hold("main", 1), Hold("pack", 10)))
    events = list(record_notices(purse, crossed(purse, RULES), event_id="s;1", subscriber_id="s"))
    assert [event.event_id for event in events] == ["s;1;low_balance:", "s;1;bundle:pack"]
    assert [event.sequence for event in events] == [1, 2]
    assert all((e.kind, e.movements, e.amount_micro) == (EventKind.NOTICE, (), 0) for e in events)
    assert all(event.balance_after_micro == 1_999_999 for event in events)


def test_rules_are_what_the_operator_set():
    settings = AccountsSettings(bundle_notice_percents=(90,), limit_notice_percents=(), low_balance="1.50")
    assert notice_rules(settings) == NoticeRules((90,), (), 1_500_000)
