"""What can be done to accounts from outside a session: pure, so every rule is tried without a store.

Their events are made by :mod:`ocs.balance.entries`.
"""

from pathlib import Path

import pytest

from ocs import limits
from ocs.balance.model import Account, LifecycleState
from ocs.balance.purse import check_invariants, money_balance
from ocs.events import EventKind
from ocs.rating import load_catalogue
from ocs.subscribers.openings import open_account
from ocs.subscribers.operations import NewAccount, OperationError, top_up
from ocs.units import CurrencyMismatchError, Money, UnitType

CATALOGUE = load_catalogue(Path(__file__).resolve().parents[2] / "config" / "catalogue")
NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000


def new(**changes: object) -> NewAccount:
    fields = {
        "account_id": "A1",
        "subscriber_id": "A1",
        "identities": ("e164:491710000001", "imsi:262010000000001"),
        "offers": ("prepaid-basic",),
        "opening": Money(10_000_000, "EUR"),
    } | changes
    return NewAccount(**fields)  # type: ignore[arg-type]


def opened(**changes: object) -> Account:
    return open_account(new(**changes), CATALOGUE, NOW_MS).account


def test_account_opens_with_its_money_and_one_event() -> None:
    result = open_account(new(), CATALOGUE, NOW_MS)
    check_invariants(result.account)
    assert money_balance(result.account) == 10_000_000
    (event,) = result.events
    assert (event.kind, event.event_id, event.sequence) == (EventKind.OPENING, "opening:A1", 1)
    assert (event.amount_micro, event.balance_after_micro) == (10_000_000, 10_000_000)
    assert result.subscriber.identities == ("e164:491710000001", "imsi:262010000000001")
    assert result.subscriber.offers == ("prepaid-basic",)


def test_allowances_of_the_offers_are_buckets_that_expire() -> None:
    account = opened(offers=("prepaid-basic", "prepaid-data-5g"))
    check_invariants(account)
    octets = [bucket for bucket in account.buckets if bucket.unit_type == UnitType.TOTAL_OCTETS]
    assert octets
    assert all(bucket.value > 0 for bucket in octets)
    assert all((bucket.valid_until_ms - NOW_MS) % DAY_MS == 0 for bucket in octets if bucket.valid_until_ms)


def test_account_may_start_empty_and_below_zero_by_its_limit() -> None:
    account = opened(opening=Money(0, "EUR"), credit_limit_micro=50_000_000)
    assert (money_balance(account), account.credit_limit_micro) == (0, 50_000_000)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"offers": ("gold",)}, "offer 'gold' is not in catalogue"),
        ({"account_id": ""}, "is not an id"),
        ({"account_id": "a:b"}, "is not an id"),
        ({"subscriber_id": "a}b"}, "is not an id"),
        ({"account_id": "a\nb"}, "is not an id"),
        ({"account_id": "x" * 65}, "is not an id"),
        ({"identities": ("e164:0171555",)}, "with the country code, as 49171"),
        ({"account_id": "a/b"}, "is not an id"),
        ({"account_id": "Zoë"}, "is not an id"),
        ({"identities": ("491710000001",)}, "is not an identity"),
        ({"identities": ("phone:1",)}, "is not an identity"),
        ({"identities": ("e164:",)}, "is not an identity"),
        ({"identities": ("e164:+49",)}, "digits alone"),
        ({"opening": Money(1, "USD")}, "USD is neither the catalogue's currency"),
        ({"opening": Money(-1, "EUR")}, "not negative"),
        ({"credit_limit_micro": -1}, "not negative"),
        ({"opening": Money(limits.BALANCE_MICRO_MAX + 1, "EUR")}, "at most"),
        ({"credit_limit_micro": limits.BALANCE_MICRO_MAX + 1}, "at most"),
    ],
)
def test_account_that_is_not_well_formed_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(OperationError, match=says):
        opened(**changes)


def test_topup_credits_and_tells_it() -> None:
    done = top_up(opened(), Money(5_000_000, "EUR"), reference="R1", now_ms=NOW_MS)
    account, (event,) = done.account, done.events
    check_invariants(account)
    assert money_balance(account) == 15_000_000
    assert (event.kind, event.event_id, event.sequence) == (EventKind.TOP_UP, "topup:A1:R1", 2)
    assert (event.amount_micro, event.balance_after_micro) == (5_000_000, 15_000_000)


def test_event_ids_of_two_accounts_never_meet() -> None:
    with pytest.raises(OperationError):  # else topup:a:b:c could be of account a, and of account a:b
        opened(account_id="a:b", subscriber_id="a:b")


@pytest.mark.parametrize("micro", [0, -1])
def test_topup_of_nothing_is_refused(micro: int) -> None:
    with pytest.raises(OperationError, match="more than nothing"):
        top_up(opened(), Money(micro, "EUR"), reference="R1", now_ms=NOW_MS)


@pytest.mark.parametrize("reference", ["", "a\tb", "x" * 129])
def test_topup_needs_a_reference(reference: str) -> None:
    with pytest.raises(OperationError, match="is not a reference"):
        top_up(opened(), Money(1, "EUR"), reference=reference, now_ms=NOW_MS)


def test_topup_in_another_currency_is_refused() -> None:
    with pytest.raises(CurrencyMismatchError, match="A1 is in EUR, not USD"):
        top_up(opened(), Money(1, "USD"), reference="R1", now_ms=NOW_MS)


def test_balance_has_an_end_that_the_store_can_hold() -> None:
    full = top_up(
        opened(), Money(limits.BALANCE_MICRO_MAX - 10_000_000, "EUR"), reference="R1", now_ms=NOW_MS
    )
    with pytest.raises(OperationError, match=r"a balance is 100000000000\.00 at most"):
        top_up(full.account, Money(1, "EUR"), reference="R2", now_ms=NOW_MS)


def test_closed_account_takes_no_money() -> None:
    account = opened()
    closed = Account(
        account.account_id,
        account.currency,
        LifecycleState.CLOSED,
        account.sequence,
        account.buckets,
        account.totals,
    )
    with pytest.raises(OperationError, match="account A1 is closed"):
        top_up(closed, Money(1, "EUR"), reference="R1", now_ms=NOW_MS)
