"""Opening and topping up accounts, as pure operations, with the events that ocs.balance.entries makes of them."""

import msgspec
import pytest

from ocs import limits
from ocs.balance.model import LifecycleState
from ocs.balance.purse import check_invariants
from ocs.events import EventKind
from ocs.subscribers.openings import add_subscriber, open_account
from ocs.subscribers.operations import (
    NewAccount,
    NewSubscriber,
    OperationError,
    top_up,
)
from ocs.units import CurrencyMismatchError, Money, UnitType
from tests.support.catalogue import lab_catalogue

NEW = NewAccount("a", "anna", ("e164:49171",), ("packs", "basic"), Money(5_000_000, "EUR"))


def test_account_opens_with_its_money_and_its_offers_allowances():
    opened = open_account(NEW, lab_catalogue(), 1000)
    check_invariants(opened.account)
    values = {b.bucket_id: (b.unit_type, b.value, b.valid_until_ms) for b in opened.account.buckets}
    assert values == {
        "main": (UnitType.MONEY, 5_000_000, 0),
        "packs.pack": (UnitType.TOTAL_OCTETS, 5000, 86_401_000),
        "packs.texts": (UnitType.SERVICE_SPECIFIC_UNITS, 3, 0),
    }
    (event,) = opened.events
    assert (event.event_id, event.kind, event.sequence) == ("opening:a", EventKind.OPENING, 1)
    assert event.amount_micro == event.balance_after_micro == 5_000_000
    assert opened.account.sequence == 1 and opened.subscriber.identities == ("e164:49171",)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"account_id": ""}, "is not an id"),
        ({"subscriber_id": "x" * 65}, "is not an id"),
        ({"account_id": "a{b"}, "is not an id"),
        ({"identities": ("e164:0171555",)}, "with the country code, as 49171"),
        ({"account_id": "a/b"}, "is not an id"),
        ({"account_id": ".."}, "is not an id"),
        ({"account_id": "Zoë"}, "is not an id"),
        ({"offers": ("gone",)}, "is not in catalogue"),
        ({"identities": ("49171",)}, "is not an identity"),
        ({"identities": ("e164:",)}, "is not an identity"),
        ({"identities": ("e164:+49171",)}, "digits alone"),
        ({"opening": Money(1, "USD")}, "neither the catalogue's currency"),
        ({"opening": Money(-1, "EUR")}, "not negative"),
        ({"credit_limit_micro": -1}, "not negative"),
    ],
)
def test_account_that_is_not_well_formed_is_refused_with_the_reason(change, reason: str):
    with pytest.raises(OperationError, match=reason):
        open_account(msgspec.structs.replace(NEW, **change), lab_catalogue(), 1000)


SISTER = NewSubscriber("a", "berta", ("e164:49172",), ("packs", "basic"))


def test_subscriber_added_to_an_account_brings_its_offers_allowances_and_one_event():
    opened = open_account(NEW, lab_catalogue(), 1000)
    added = add_subscriber(opened.account, SISTER, lab_catalogue(), 2000)
    check_invariants(added.account)
    assert {b.bucket_id for b in added.account.buckets} == {
        "main", "packs.pack", "packs.texts", "berta.packs.pack", "berta.packs.texts",
    }  # fmt: skip
    (event,) = added.events
    assert (event.event_id, event.sequence, event.amount_micro) == ("opening:a:berta", 2, 0)
    assert added.subscriber.account_id == "a"


def test_subscriber_whose_offers_bring_nothing_leaves_the_account_as_it_is():
    account = open_account(NEW, lab_catalogue(), 1000).account
    added = add_subscriber(account, msgspec.structs.replace(SISTER, offers=("basic",)), lab_catalogue(), 2000)
    assert added.account is account
    assert added.events == ()


def test_subscribers_with_allowances_of_their_own_are_bounded():
    account = open_account(NEW, lab_catalogue(), 1000).account
    with pytest.raises(OperationError, match=f"more than {limits.BUCKETS_PER_ACCOUNT_MAX} buckets"):
        for number in range(limits.BUCKETS_PER_ACCOUNT_MAX):
            new = msgspec.structs.replace(SISTER, subscriber_id=f"s{number}")
            account = add_subscriber(account, new, lab_catalogue(), 2000).account


def test_subscriber_is_not_added_to_a_closed_account():
    account = open_account(NEW, lab_catalogue(), 1000).account
    closed = msgspec.structs.replace(account, state=LifecycleState.CLOSED)
    with pytest.raises(OperationError, match="is closed"):
        add_subscriber(closed, SISTER, lab_catalogue(), 2000)


def test_top_up_adds_money_and_one_event():
    account = open_account(NEW, lab_catalogue(), 1000).account
    done = top_up(account, Money(1_000_000, "EUR"), reference="r1", now_ms=2000)
    after, (event,) = done.account, done.events
    check_invariants(after)
    assert (event.event_id, event.kind, event.sequence) == ("topup:a:r1", EventKind.TOP_UP, 2)
    assert (event.amount_micro, event.balance_after_micro) == (1_000_000, 6_000_000)


def test_top_up_that_cannot_be_is_refused():
    account = open_account(NEW, lab_catalogue(), 1000).account
    for amount in (0, -1):
        with pytest.raises(OperationError, match="more than nothing"):
            top_up(account, Money(amount, "EUR"), reference="r", now_ms=2000)
    with pytest.raises(CurrencyMismatchError):
        top_up(account, Money(1, "USD"), reference="r", now_ms=2000)
    with pytest.raises(OperationError, match="is closed"):
        closed = msgspec.structs.replace(account, state=LifecycleState.CLOSED)
        top_up(closed, Money(1, "EUR"), reference="r", now_ms=2000)
