"""Actions done once whatever fails between their steps; vouchers; what listeners are told."""

import hashlib
from decimal import Decimal

import msgspec
import pytest
import redis

from ocs.api.prepay_balance.actions import Actions, masked, reason_code
from ocs.api.prepay_balance.quantities import UsageType
from ocs.api.prepay_balance.resources import BASE, AdjustBody, TopupBody
from ocs.api.tmf.hubs import Hub, HubStore
from ocs.api.tmf.records import ActionStatus, RecordStore
from ocs.api.tmf.resources import Quantity, Reference
from ocs.balance.client import StoreBusyError
from ocs.balance.purse import money_balance
from ocs.clock import ManualClock
from ocs.limits import ACTION_PENDING_S
from ocs.settings import VoucherSettings
from ocs.subscribers.operations import NewAccount, OperationError
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.voucher_service import VoucherService
from ocs.units import Money
from tests.support.catalogue import lab_catalogue
from tests.support.charged_store import NOW_MS
from tests.support.swagger import Definitions

TMF654 = Definitions("TMF654-PrepayBalance-v4.0.0.swagger.json")
KIND = "topupBalance"


class Story:
    """Actions on a store, with steps that can be made to fail."""

    def __init__(self, balance, store) -> None:
        self.clock = ManualClock(NOW_MS)
        self.balance = balance
        self.service = SubscriberService(balance, lab_catalogue(), self.clock)
        self.vouchers = VoucherService(self.service.office, "secret", VoucherSettings())
        self.hubs = HubStore(store)
        self.records = RecordStore(balance, store)
        self.actions = Actions(
            self.records, self.hubs, self.clock, service=lambda: self.service, vouchers=lambda: self.vouchers
        )
        self.service.open_account(NewAccount("A1", "S1", (), ("basic",), Money(10_000_000, "EUR")))

    def create(self, key: str = "k", **more):
        return self.actions.create(KIND, body(**more), caller="c", key=key)

    @property
    def money(self) -> int:
        account = self.balance.account("A1")
        assert account is not None
        return money_balance(account)

    def listen(self, query: str = "") -> None:
        self.hubs.add(Hub("h", BASE, "https://x", query))

    def told(self) -> list[dict]:
        events = []
        while (event := self.hubs.first("h")) is not None:
            events.append(msgspec.json.decode(event))
            self.hubs.taken("h", event)
        return events


@pytest.fixture
def story(balance, store) -> Story:
    return Story(balance, store)


def body(amount: str = "2.50", **more) -> TopupBody:
    return TopupBody(
        amount=Quantity(Decimal(amount), "EUR"), usage_type=UsageType.MONETARY, bucket=Reference("A1:main"),
        party_account=Reference("A1"), **more,
    )  # fmt: skip


def fail_once(owner: object, name: str, error: Exception, *, after: bool) -> None:
    """Have a method fail the next time, before or after it has done its work."""
    real = getattr(owner, name)

    def failing(*arguments, **named):
        setattr(owner, name, real)
        if after:
            real(*arguments, **named)
        raise error

    setattr(owner, name, failing)


STEPS = [
    (step, after) for step in ("records.claim", "service.top_up", "records.finish", "hubs.enqueue", "records.settled")
    for after in (False, True)
]  # fmt: skip


@pytest.mark.parametrize(("step", "after"), STEPS)
@pytest.mark.parametrize("completion", ["repeat", "sweep"])
def test_crash_between_any_two_steps_moves_money_once_and_is_completed(
    story: Story, step: str, after: bool, completion: str
):
    story.listen()
    part, _, name = step.partition(".")
    fail_once(getattr(story, part), name, redis.ConnectionError("gone"), after=after)
    with pytest.raises(redis.ConnectionError):
        story.create()
    story.clock.advance_ms(int(ACTION_PENDING_S * 1000))
    if completion == "sweep":
        story.actions.complete_pending()
    was_claimed = (step, after) != ("records.claim", False)
    if completion == "repeat" or not was_claimed:
        story.create()
    assert story.money == 12_500_000
    (record,) = story.records.listed(KIND)
    assert record.status is ActionStatus.COMPLETED
    assert story.records.pending(story.clock.now_ms(), 10) == []
    assert {event["eventId"] for event in story.told()} == {f"{record.record_id}:completed"}


def test_unclear_outcome_stays_created_until_it_is_known(story: Story):
    fail_once(story.service, "top_up", StoreBusyError("no answer"), after=True)
    with pytest.raises(StoreBusyError):
        story.create()
    (record,) = story.records.listed(KIND)
    assert record.status is ActionStatus.CREATED
    assert story.create().status is ActionStatus.COMPLETED
    assert story.money == 12_500_000


def test_refused_action_stays_refused_whatever_the_account_has_later(story: Story):
    assert story.create(amount="999999999999").status is ActionStatus.FAILED
    spend = body(amount="-20")
    adjust = AdjustBody(amount=spend.amount, usage_type=spend.usage_type, bucket=spend.bucket)
    refused = story.actions.create("adjustBalance", adjust, caller="c", key="k")
    assert refused.status is ActionStatus.FAILED
    story.service.top_up("A1", Money(50_000_000, "EUR"), reference="r")
    assert story.actions.create("adjustBalance", adjust, caller="c", key="k") == refused
    assert story.money == 60_000_000


def test_sweep_leaves_what_is_under_way(story: Story):
    fail_once(story.service, "top_up", StoreBusyError("no answer"), after=False)
    with pytest.raises(StoreBusyError):
        story.create()
    assert story.actions.complete_pending() == 0
    story.clock.advance_ms(int(ACTION_PENDING_S * 1000))
    fail_once(story.service, "top_up", StoreBusyError("still none"), after=False)
    assert story.actions.complete_pending() == 0
    assert story.actions.complete_pending() == 1
    assert story.money == 12_500_000


def test_listener_is_told_of_each_outcome_as_the_standard_says(story: Story):
    story.listen()
    made = story.create()
    failed = story.create(key="f", amount="999999999999")
    story.actions.cancel(made)
    events = story.told()
    names = ["TopupBalanceCreateEvent", "TopupBalanceFailureEvent", "TopupBalanceCancelEvent"]
    assert [event["eventType"] for event in events] == names
    for event, name in zip(events, names, strict=True):
        TMF654.check(event, name)
    assert failed.status is ActionStatus.FAILED
    assert len({event["eventId"] for event in events}) == 3


def test_listener_is_told_what_it_asked_for(story: Story):
    story.listen("eventType=TopupBalanceFailureEvent")
    story.create()
    assert story.told() == []


# --- Vouchers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def code(story: Story) -> str:
    ((serial, code),) = story.vouchers.generate("B1", 1, Money(5_000_000, "EUR"))
    story.vouchers.activate(serial)
    return code


def test_voucher_tops_up_by_its_own_amount_once(story: Story, code: str):
    record = story.create(voucher=code)
    assert record.status is ActionStatus.COMPLETED
    assert story.money == 15_000_000
    assert msgspec.json.decode(record.body)["amount"] == {"amount": 5, "units": "EUR"}
    assert story.create(voucher=code) == record
    assert story.create(key="other", voucher=code).status is ActionStatus.COMPLETED  # the first receipt again
    assert story.money == 15_000_000


def test_code_of_a_voucher_is_kept_nowhere(story: Story, store, code: str):
    store.config_set("rdbcompression", "no")  # a dump then holds every text as it is
    story.create(voucher=code)
    digest = hashlib.sha256(code.encode()).digest()
    for key in store.keys("*"):
        octets = store.dump(key) or b""
        assert code.encode() not in octets and digest not in octets, key


def test_unknown_voucher_is_a_failed_action(story: Story):
    record = story.create(voucher="1234-5678-9012-3456")
    assert record.status is ActionStatus.FAILED and "voucher" in record.reason
    assert story.money == 10_000_000


def test_unclear_redemption_is_left_to_its_bearer(story: Story, code: str):
    fail_once(story.vouchers, "redeem", StoreBusyError("no answer"), after=True)
    with pytest.raises(StoreBusyError):
        story.create(voucher=code)
    story.clock.advance_ms(int(ACTION_PENDING_S * 1000))
    story.actions.complete_pending()
    assert story.records.listed(KIND)[0].status is ActionStatus.CREATED
    assert story.create(voucher=code).status is ActionStatus.COMPLETED
    assert story.money == 15_000_000


def test_missing_voucher_key_is_a_failed_action(story: Story):
    def none() -> VoucherService:
        raise OperationError("vouchers are not set up here")

    story.actions._vouchers = none
    assert story.create(voucher="1234567890123456").reason == "vouchers are not set up here"


@pytest.mark.parametrize(
    ("text", "code"), [("Goodwill: late answer", "goodwill-late-answer"), ("", "unspecified"), ("ÄÖ!", "unspecified"), ("x" * 99, "x" * 64)]
)  # fmt: skip
def test_reason_becomes_a_code(text: str, code: str):
    assert reason_code(text) == code


def test_short_codes_are_hidden_whole():
    assert (masked("1234567890123456"), masked("123456")) == ("...3456", "...")
