"""An audit of what operations keep beside accounts: clean while they work, and each kind of damage found and named."""

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ocs.balance import keys
from ocs.balance.client import BalanceClient
from ocs.balance.findings import FindingKind
from ocs.balance.model import Bucket, decode_account, encode_value
from ocs.balance.store import TOKEN_OCTETS
from ocs.balance.store_client import StoreClient
from ocs.balance.verify import Report, verify_store
from ocs.clock import ManualClock
from ocs.limits import BALANCE_MICRO_MAX
from ocs.settings import VoucherSettings
from ocs.subscribers import transfers as transfers_module
from ocs.subscribers.agenda import (
    account_member,
    payment_member,
    subscriber_member,
    transfer_member,
    voucher_member,
)
from ocs.subscribers.audit import OperationsAudit
from ocs.subscribers.operations import NewAccount, NewSubscriber
from ocs.subscribers.plans import Plans
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.sweep import Sweeper
from ocs.subscribers.voucher_service import VoucherService
from ocs.units import Money, UnitType
from tests.subscribers.conftest import PARTITIONS
from tests.subscribers.crashes import CrashAfter
from tests.subscribers.prices import charged_catalogue

HAND = b"by hand 0123"[:TOKEN_OCTETS]
EUR = 1_000_000


def eur(amount: int) -> Money:
    return Money(amount * EUR, "EUR")


class Shop:
    """Two accounts, an offer that renews, a voucher; and whoever breaks something."""

    def __init__(self, connection: StoreClient, client: BalanceClient, clock: ManualClock) -> None:
        self.redis: Any = connection
        self.client = client
        self.clock = clock
        self.service = SubscriberService(client, charged_catalogue(), clock)
        self.vouchers = VoucherService(self.service.office, "secret", VoucherSettings())
        for name in "ab":
            self.service.open_account(NewAccount(name, name, (), ("basic",), eur(50)))
        self.service.add_subscriber(NewSubscriber("a", "a2", (), ("monthly",)))
        self.serial, self.code = next(iter(self.vouchers.generate("b1", 1, eur(3))))
        self.vouchers.activate(self.serial)
        self.service.set_aside("a", eur(4), reference="r1")
        self.service.transfer("a", "b", eur(1), reference="t1")

    def audit(self) -> Report:
        operations = OperationsAudit(self.redis, partitions=PARTITIONS, now_ms=self.clock.now_ms())
        self.redis.sadd(keys.CATALOGUES, charged_catalogue().version)
        return verify_store(self.redis, partitions=PARTITIONS, other=operations)

    def agenda(self, name: str) -> str:
        return keys.agenda_key(self.client.partition_of(name))

    def drop(self, name: str, member: str) -> None:
        assert self.redis.zrem(self.agenda(name), member) == 1

    def change_account(self, account_id: str, change: Callable[[Any], Any]) -> None:
        key = keys.account_key(self.client.partition_of(account_id), account_id)
        account = decode_account(self.redis.get(key)[TOKEN_OCTETS:])
        self.redis.set(key, HAND + encode_value(change(account)))

    def send_and_die(self, monkeypatch: pytest.MonkeyPatch, commits: int = 1) -> None:
        crash = CrashAfter(monkeypatch, commits)
        with crash:
            self.service.transfer("a", "b", eur(2), reference="t2")
        assert crash.has_died


@pytest.fixture
def shop(connection: StoreClient, client: BalanceClient, clock: ManualClock) -> Shop:
    return Shop(connection, client, clock)


def test_store_on_which_operations_came_to_their_end_is_clean(shop: Shop) -> None:
    shop.vouchers.redeem("b", shop.code)
    report = shop.audit()
    assert (report.is_clean, report.findings) == (True, [])


def test_transfer_under_way_is_told_with_its_amount_and_is_no_fault(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.send_and_die(monkeypatch)
    shop.clock.advance_ms(90_000)
    report = shop.audit()
    assert report.is_clean
    (found,) = report.findings
    assert (found.kind, found.subject) == (FindingKind.TRANSFER_UNDER_WAY, "a t2")
    assert "2.00 EUR to account 'b'" in found.detail and "60 s" in found.detail
    Sweeper(shop.service.office).sweep()
    assert shop.audit().findings == []


def test_transfer_that_was_credited_and_not_finished_is_told_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.send_and_die(monkeypatch, commits=2)
    assert [finding.kind for finding in shop.audit().findings] == [FindingKind.TRANSFER_UNDER_WAY]


def test_claimed_voucher_is_told_with_its_age_and_is_no_fault(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CrashAfter(monkeypatch, 1):
        shop.vouchers.redeem("b", shop.code)
    shop.clock.advance_ms(90_000)
    report = shop.audit()
    (found,) = report.findings
    assert (report.is_clean, found.kind, found.subject) == (True, FindingKind.VOUCHER_CLAIMED, shop.serial)
    assert "3.00 EUR for account 'b', 90 s ago" in found.detail


def test_refused_transfer_that_went_back_is_clean(shop: Shop) -> None:
    full = Money(BALANCE_MICRO_MAX, "EUR")
    shop.service.open_account(NewAccount("full", "full", (), ("basic",), full))
    with pytest.raises(Exception, match="balance is"):
        shop.service.transfer("a", "full", eur(4), reference="t3")
    assert shop.audit().findings == []


def test_store_in_use_tells_no_false_story(shop: Shop, connection: StoreClient) -> None:
    """Whatever is between two commits while the audit looks is under way, and no fault."""
    stop = threading.Event()
    rounds: list[int] = []

    def work() -> None:
        while not stop.is_set():
            number = len(rounds)
            sender, receiver = "ab" if number % 2 else "ba"
            shop.service.transfer(sender, receiver, eur(1), reference=f"busy{number}")
            plans = Plans(shop.service.office)
            plans.buy("b", "b", "graceful", reference=f"buy{number}")
            plans.cancel("b", "b", "graceful", reference=f"cancel{number}")
            rounds.append(number)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        reports = [shop.audit() for _ in range(5)]
    finally:
        stop.set()
        worker.join(20)
    assert rounds
    for report in reports:
        assert report.by_kind.keys() <= {FindingKind.TRANSFER_UNDER_WAY}, report.findings
    assert shop.audit().findings == []


# --- Damage ---------------------------------------------------------------------------------------------------


def forgotten_renewal(shop: Shop, _: pytest.MonkeyPatch) -> None:
    shop.drop("a", subscriber_member("a", "a2"))


def late_renewal(shop: Shop, _: pytest.MonkeyPatch) -> None:
    member = subscriber_member("a", "a2")
    shop.redis.zincrby(shop.agenda("a"), 60 * 86_400_000, member)


def forgotten_account(shop: Shop, _: pytest.MonkeyPatch) -> None:
    shop.drop("a", account_member("a"))


def forgotten_voucher(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with CrashAfter(monkeypatch, 1):
        shop.vouchers.redeem("b", shop.code)
    shop.drop(shop.serial, voucher_member(shop.serial))


def line_to_nobody(shop: Shop, _: pytest.MonkeyPatch) -> None:
    shop.redis.zadd(shop.agenda("x"), {account_member("x"): 1})


def transfer_line_without_transfer(shop: Shop, _: pytest.MonkeyPatch) -> None:
    shop.redis.zadd(shop.agenda("a"), {transfer_member("a", "never"): 1})


def line_of_an_unclaimed_voucher(shop: Shop, _: pytest.MonkeyPatch) -> None:
    shop.redis.zadd(shop.agenda(shop.serial), {voucher_member(shop.serial): 1})


def line_of_a_payment_that_nobody_noted(shop: Shop, _: pytest.MonkeyPatch) -> None:
    shop.redis.zadd(shop.agenda("a"), {payment_member("a", "p", eur(1)): 1})


def line_of_another_release(shop: Shop, _: pytest.MonkeyPatch) -> None:
    shop.redis.zadd(shop.agenda("x"), {"z\nx": 1})


def line_of_half_a_name(shop: Shop, _: pytest.MonkeyPatch) -> None:
    shop.redis.zadd(shop.agenda("x"), {"u\nx": 1})


def transfer_finished_without_its_credit(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.send_and_die(monkeypatch)
    shop.drop("a", transfer_member("a", "t2"))


def transfer_given_back_though_it_came(shop: Shop, _: pytest.MonkeyPatch) -> None:
    claimed = shop.service.office.receipt("transfer", "a", "t1")
    assert claimed is not None
    transfers_module.Transfers(shop.service.office)._give_back(claimed)


def transfer_given_back_after_its_events_were_trimmed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    transfer_given_back_though_it_came(shop, monkeypatch)
    events = keys.events_key(shop.client.partition_of("a"))
    for entry, fields in shop.redis.xrange(events):
        if b"transfer:a:t1" in fields[b"e"]:
            shop.redis.xdel(events, entry)


def reservation_that_expires(shop: Shop, _: pytest.MonkeyPatch) -> None:
    shop.change_account("a", lambda account: _with_reservation(account, valid_until_ms=1 << 62))


def reservation_of_nothing(shop: Shop, _: pytest.MonkeyPatch) -> None:
    shop.change_account("a", lambda account: _with_reservation(account, value=0))


def reservation_of_more_than_was_drawn(shop: Shop, _: pytest.MonkeyPatch) -> None:
    gift = Bucket("gift", UnitType.MONEY, 1)
    shop.change_account("a", lambda account: _with_reservation(account, origins=(gift,)))


def _with_reservation(account: Any, **changes: Any) -> Any:
    buckets = tuple(
        msgspec.structs.replace(bucket, **changes) if bucket.bucket_id.startswith("set-aside.") else bucket
        for bucket in account.buckets
    )
    return msgspec.structs.replace(account, buckets=buckets)


Plant = Callable[[Shop, pytest.MonkeyPatch], None]
PLANTS: list[tuple[FindingKind, Plant]] = [
    (FindingKind.AGENDA_MISSING, forgotten_renewal),
    (FindingKind.AGENDA_MISSING, late_renewal),
    (FindingKind.AGENDA_MISSING, forgotten_account),
    (FindingKind.AGENDA_MISSING, forgotten_voucher),
    (FindingKind.AGENDA_ASTRAY, line_to_nobody),
    (FindingKind.AGENDA_ASTRAY, transfer_line_without_transfer),
    (FindingKind.AGENDA_ASTRAY, line_of_an_unclaimed_voucher),
    (FindingKind.AGENDA_ASTRAY, line_of_a_payment_that_nobody_noted),
    (FindingKind.AGENDA_ASTRAY, line_of_another_release),
    (FindingKind.AGENDA_ASTRAY, line_of_half_a_name),
    (FindingKind.TRANSFER_LOST, transfer_finished_without_its_credit),
    (FindingKind.TRANSFER_TWICE, transfer_given_back_though_it_came),
    (FindingKind.TRANSFER_TWICE, transfer_given_back_after_its_events_were_trimmed),
    (FindingKind.SET_ASIDE, reservation_that_expires),
    (FindingKind.SET_ASIDE, reservation_of_nothing),
    (FindingKind.SET_ASIDE, reservation_of_more_than_was_drawn),
]


@pytest.mark.parametrize(("kind", "plant"), PLANTS)
def test_planted_damage_is_found_and_named(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, kind: FindingKind, plant: Plant
) -> None:
    plant(shop, monkeypatch)
    report = shop.audit()
    assert report.by_kind[kind] >= 1, report.findings
    found = next(finding for finding in report.findings if finding.kind is kind)
    assert found.detail and found.remedy
    if found.is_warning:
        assert report.is_clean
