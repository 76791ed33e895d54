"""Accounts and charge events in TMF654's words, judged by its definitions."""

import json

import pytest

from ocs.api.prepay_balance.views import accumulated_views, bucket_views, history_views, split_bucket_id
from ocs.api.tmf.resources import encode_body
from ocs.balance.model import Account, Bucket, LifecycleState
from ocs.events import SCHEMA_VERSION, BucketMovement, ChargeEvent, EventKind
from ocs.units import UnitType
from tests.support.swagger import Definitions

TMF654 = Definitions("TMF654-PrepayBalance-v4.0.0.swagger.json")
NOW_MS = 1_800_000_000_000


def account(*buckets: Bucket, state: LifecycleState = LifecycleState.ACTIVE) -> Account:
    return Account("A1", "EUR", state, 5, buckets, ())


MAIN = Bucket("main", UnitType.MONEY, 9_910_000, reserved=1_000_000)
DATA = Bucket("basic.pack", UnitType.TOTAL_OCTETS, 5_000, 1_000, "pack", 10, 1_000, NOW_MS + 1)


def as_json(value: object):
    return json.loads(encode_body(value))


def test_bucket_shows_what_it_holds_and_what_of_that_is_reserved():
    main, data = as_json(bucket_views(account(MAIN, DATA), NOW_MS, "491710000001"))
    for view in (main, data):
        TMF654.check(view, "Bucket")
    assert (main["remainingValue"], main["reservedValue"]) == (
        {"amount": 9.91, "units": "EUR"}, {"amount": 1, "units": "EUR"},
    )  # fmt: skip
    assert (data["remainingValue"], data["remainingValueName"]) == ({"amount": 5_000, "units": "B"}, "4 kB")
    assert (data["name"], data["status"], data["validFor"]["endDateTime"][:4]) == ("pack", "active", "2027")
    assert main["logicalResource"][0]["id"] == "491710000001"


def test_money_that_is_set_aside_is_reserved_in_the_main_bucket():
    aside = Bucket("set-aside.r", UnitType.MONEY, 2_000_000, valid_from_ms=1 << 62)
    (main,) = as_json(bucket_views(account(MAIN, aside), NOW_MS))
    assert (main["remainingValue"]["amount"], main["reservedValue"]["amount"]) == (11.91, 3)
    (total,) = as_json(accumulated_views(account(MAIN, aside), NOW_MS))
    assert total["totalBalance"]["amount"] == 11.91


@pytest.mark.parametrize(
    ("state", "status"),
    [(LifecycleState.ACTIVE, "active"), (LifecycleState.SUSPENDED, "suspended"), (LifecycleState.CREATED, "suspended"),
     (LifecycleState.ONE_WAY_BARRED, "suspended"), (LifecycleState.EXPIRED, "expired"), (LifecycleState.CLOSED, "expired"),
     (LifecycleState.RECYCLED, "expired")],
)  # fmt: skip
def test_state_of_an_account_is_its_buckets_status(state: LifecycleState, status: str):
    assert bucket_views(account(MAIN, state=state), NOW_MS)[0]["status"] == status


def test_bucket_that_is_over_is_expired_and_counts_no_more():
    views = bucket_views(account(MAIN, DATA), NOW_MS + 1)
    assert [view["status"] for view in views] == ["active", "expired"]
    assert [view["name"] for view in accumulated_views(account(MAIN, DATA), NOW_MS + 1)] == ["money"]


def test_sum_names_its_buckets():
    second = Bucket("other.pack", UnitType.TOTAL_OCTETS, 700)
    views = as_json(accumulated_views(account(MAIN, DATA, second), NOW_MS))
    for view in views:
        TMF654.check(view, "AccumulatedBalance")
    (octets,) = [view for view in views if view["name"] == "total_octets"]
    assert octets["totalBalance"] == {"amount": 5_700, "units": "B"}
    assert [bucket["id"] for bucket in octets["bucket"]] == ["A1:basic.pack", "A1:other.pack"]


def event(kind: EventKind, *movements: BucketMovement, amount: int = 0) -> ChargeEvent:
    return ChargeEvent(
        SCHEMA_VERSION, f"{kind}:x", kind, "A1", 7, "", "", 0, "", None, (), UnitType.MONEY, 0, 0, amount, "EUR", "",
        movements, 0, "", "", None, NOW_MS, "UTC",
    )  # fmt: skip


def test_history_shows_what_was_done_from_outside_sessions():
    money = BucketMovement("main", UnitType.MONEY, 5_000_000, 9_000_000)
    octets = BucketMovement("basic.pack", UnitType.TOTAL_OCTETS, 700, 700)
    events = [
        event(EventKind.TOP_UP, money, amount=5_000_000),
        event(EventKind.DEBIT, money, amount=-1),
        event(EventKind.NOTICE),
        event(EventKind.ALLOWANCE, octets),
    ]
    views = as_json(history_views(events))
    for view in views:
        TMF654.check(view, "BalanceActionHistory")
    assert [(view["description"], view["amount"]) for view in views] == [
        ("top up", {"amount": 5, "units": "EUR"}), ("allowance", {"amount": 700, "units": "B"}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("identifier", "parts"),
    [("A1:main", ("A1", "main")), ("A1", ("A1", "")), (":x", ("", "x")), ("A1:b:c", ("A1", "b:c"))],
)
def test_id_of_a_bucket_is_account_and_bucket(identifier: str, parts: tuple[str, str]):
    assert split_bucket_id(identifier) == parts
