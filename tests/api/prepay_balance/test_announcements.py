"""What listeners are told of charge events: movements from outside sessions, and every kind of notice."""

import msgspec
import pytest

from ocs.api.prepay_balance.announcements import announcement
from ocs.api.tmf.resources import encode_body
from ocs.events import BucketMovement, ChargeEvent, EventKind, Notice, NoticeKind
from ocs.subscribers.auto_top_up import payment_reference
from ocs.units import UnitType

EVENT = ChargeEvent(
    1, "topup:A1:R1", EventKind.TOP_UP, "A1", 7, "S1", "", 0, "", None, (), UnitType.MONEY, 0, 0, 2_500_000, "EUR", "",
    (BucketMovement("main", UnitType.MONEY, 2_500_000, 12_500_000),), 12_500_000, "", "", None, 1_800_000_000_000, "UTC",
)  # fmt: skip


def told(event: ChargeEvent) -> dict:
    """As a listener reads it."""
    return msgspec.json.decode(encode_body(announcement(event)))


def notice(kind: NoticeKind, subject: str = "", threshold: int = 0, value: int = 0) -> dict:
    event = msgspec.structs.replace(
        EVENT, kind=EventKind.NOTICE, movements=(), notice=Notice(kind, subject, threshold, value)
    )
    body = told(event)
    assert (body["eventType"], body["domain"]) == ("BalanceNoticeCreateEvent", "prepayBalance")
    shown = body["event"]["balanceNotice"]
    assert (shown["noticeType"], shown["partyAccount"]["id"], shown["logicalResource"]["id"]) == (
        str(kind), "A1", "S1",
    )  # fmt: skip
    return shown


@pytest.mark.parametrize(
    "kind", [kind for kind in EventKind if kind not in {EventKind.DEBIT, EventKind.NOTICE}]
)
def test_whatever_moved_a_balance_from_outside_its_sessions_is_told(kind: EventKind):
    body = told(msgspec.structs.replace(EVENT, kind=kind))
    assert (body["eventId"], body["eventType"]) == ("topup:A1:R1", "BalanceActionHistoryCreateEvent")
    entry = body["event"]["balanceActionHistory"]
    assert (entry["id"], entry["amount"]) == ("A1:7", {"amount": 2.5, "units": "EUR"})


def test_use_of_a_session_is_not_told_one_by_one():
    assert announcement(msgspec.structs.replace(EVENT, kind=EventKind.DEBIT)) is None


def test_same_event_is_told_alike_every_time():
    assert encode_body(announcement(EVENT)) == encode_body(announcement(EVENT))


def test_part_of_a_bundle_names_its_bucket():
    shown = notice(NoticeKind.BUNDLE, "data-1", 80, 1_000)
    assert (shown["bucket"]["id"], shown["usedPercent"], shown["remaining"]) == ("A1:data-1", 80, 1_000)


def test_low_balance_is_money_in_the_account_s_currency():
    shown = notice(NoticeKind.LOW_BALANCE, "", 2_000_000, 1_500_000)
    assert (shown["threshold"], shown["balance"]) == (
        {"amount": 2, "units": "EUR"}, {"amount": 1.5, "units": "EUR"},
    )  # fmt: skip


def test_limits_are_percentages():
    assert notice(NoticeKind.CREDIT_LIMIT, "", 80, -8_000_000)["usedPercent"] == 80
    shown = notice(NoticeKind.SPENDING_LIMIT, "limit.month", 100, 20_000_000)
    assert (shown["limit"], shown["usedPercent"], shown["used"]) == ("limit.month", 100, 20_000_000)


def test_order_to_top_up_says_what_to_pay_and_under_which_reference():
    shown = notice(NoticeKind.AUTO_TOP_UP, "card-1", 2_000_000, 20_000_000)
    assert shown["amount"] == {"amount": 20, "units": "EUR"}
    assert (shown["paymentMethod"], shown["reference"]) == ({"id": "card-1"}, payment_reference(EVENT))


@pytest.mark.parametrize("kind", [NoticeKind.ACCOUNT_STATE, NoticeKind.SUBSCRIBER_STATE])
def test_state_is_named(kind: NoticeKind):
    assert notice(kind, "suspended")["status"] == "suspended"


@pytest.mark.parametrize("kind", [NoticeKind.TERMS, NoticeKind.SUBSCRIPTION])
def test_other_changes_are_described(kind: NoticeKind):
    assert notice(kind, "packs bought")["description"] == "packs bought"
