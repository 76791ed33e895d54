"""Money sent between accounts: it arrives once or is given back, wherever a process dies."""

import pytest

from ocs import limits
from ocs.balance import keys
from ocs.balance.client import BalanceClient, Change
from ocs.balance.model import Bucket, LifecycleState, decode_account
from ocs.balance.purse import Purse
from ocs.balance.store import Stored
from ocs.clock import ManualClock
from ocs.events import EventKind
from ocs.subscribers.administration import Administration
from ocs.subscribers.agenda import UNDER_WAY_MS
from ocs.subscribers.operations import NewAccount, OperationError
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.sweep import Sweeper
from ocs.units import CurrencyMismatchError, Money, UnitType
from tests.subscribers.books import agenda, balance
from tests.subscribers.conftest import NOW_MS
from tests.subscribers.crashes import crash_points, overtaken


def open_account(
    service: SubscriberService, account_id: str, micro: int = 5_000_000, credit: int = 0
) -> None:
    service.open_account(NewAccount(account_id, account_id, (), ("basic",), Money(micro, "EUR"), credit))


def with_money(client: BalanceClient, account_id: str, bucket: Bucket) -> None:
    key = keys.account_key(client.partition_of(account_id), account_id)

    def act(values: tuple[Stored, ...]) -> Change:
        purse = Purse(decode_account(values[0].content), NOW_MS)
        purse.add_bucket(bucket)
        return Change({key: purse.account()})

    client.change(account_id, (key,), act)


def test_transfer_moves_money_once_per_reference(service: SubscriberService, client: BalanceClient):
    open_account(service, "a")
    open_account(service, "b")
    first = service.transfer("a", "b", Money(2_000_000, "EUR"), reference="t")
    again = service.transfer("a", "b", Money(2_000_000, "EUR"), reference="t")
    assert (first.balance_micro, first.repeated, again.repeated) == (3_000_000, False, True)
    assert (balance(client, "a"), balance(client, "b")) == (3_000_000, 7_000_000)
    assert [(e.kind, e.reason) for e in client.events("a")][1:] == [(EventKind.TRANSFER, "b")]
    assert [(e.kind, e.reason) for e in client.events("b")][1:] == [(EventKind.TRANSFER, "a")]
    assert agenda(client) == {}


def test_reference_of_a_transfer_names_one_receiver_and_amount(service: SubscriberService):
    for name in ("a", "b", "c"):
        open_account(service, name)
    service.transfer("a", "b", Money(1, "EUR"), reference="t")
    with pytest.raises(OperationError, match="was used for something else: b"):
        service.transfer("a", "c", Money(1, "EUR"), reference="t")
    with pytest.raises(OperationError, match="was used for"):
        service.transfer("a", "b", Money(2, "EUR"), reference="t")


def test_what_cannot_be_sent_is_refused(service: SubscriberService, client: BalanceClient):
    open_account(service, "a", 1_000_000, credit=9_000_000)
    open_account(service, "b")
    for to, amount, reason in (
        ("b", 0, "more than nothing"),
        ("a", 1, "to another account"),
        ("b", 1_000_001, r"can send 1\.00"),  # credit is not his to give
        ("nobody", 1, "no account 'nobody'"),
    ):
        with pytest.raises(OperationError, match=reason):
            service.transfer("a", to, Money(amount, "EUR"), reference="t")
    with pytest.raises(CurrencyMismatchError):
        service.transfer("a", "b", Money(1, "USD"), reference="t")
    Administration(service.office).set_account_state("a", LifecycleState.SUSPENDED, reference="bar")
    with pytest.raises(OperationError, match="is suspended"):
        service.transfer("a", "b", Money(1, "EUR"), reference="t")
    assert (balance(client, "a"), balance(client, "b")) == (1_000_000, 5_000_000)


def test_what_the_receiver_refuses_comes_back_once(service: SubscriberService, client: BalanceClient):
    open_account(service, "a")
    open_account(service, "b", limits.BALANCE_MICRO_MAX - 1)
    for _ in range(2):
        with pytest.raises(OperationError, match="a balance is"):
            service.transfer("a", "b", Money(2, "EUR"), reference="t")
    assert (balance(client, "a"), balance(client, "b")) == (5_000_000, limits.BALANCE_MICRO_MAX - 1)
    assert agenda(client) == {}


def test_refused_transfer_leaves_the_account_as_it_was(service: SubscriberService, client: BalanceClient):
    open_account(service, "a")
    open_account(service, "b", limits.BALANCE_MICRO_MAX)
    gift = Bucket("gift", UnitType.MONEY, 1_000_000, priority=500)
    with_money(client, "a", gift)
    before = client.account("a")
    assert before is not None
    with pytest.raises(OperationError, match="a balance is"):
        service.transfer("a", "b", Money(4_000_000, "EUR"), reference="t")
    after = client.account("a")
    assert after is not None
    assert after.buckets == before.buckets


def test_money_that_expires_cannot_be_sent(service: SubscriberService, client: BalanceClient):
    open_account(service, "a", 1_000_000)
    open_account(service, "b")
    with_money(
        client, "a", Bucket("bonus", UnitType.MONEY, 9_000_000, priority=500, valid_until_ms=NOW_MS + 1_000)
    )
    with pytest.raises(OperationError, match=r"can send 1\.00, not 1\.000001"):
        service.transfer("a", "b", Money(1_000_001, "EUR"), reference="t")
    service.transfer("a", "b", Money(1_000_000, "EUR"), reference="t")
    account = client.account("a")
    assert account is not None
    assert {bucket.bucket_id: bucket.value for bucket in account.buckets} == {"bonus": 9_000_000, "main": 0}


def test_refusal_stands_although_the_receiver_has_room_by_now(
    service: SubscriberService, client: BalanceClient
):
    open_account(service, "a")
    open_account(service, "b", limits.BALANCE_MICRO_MAX - 1)
    with pytest.raises(OperationError):
        service.transfer("a", "b", Money(2, "EUR"), reference="t")
    service.adjust("b", Money(-100, "EUR"), reason="test", reference="room")
    with pytest.raises(OperationError, match="a balance is"):
        service.transfer("a", "b", Money(2, "EUR"), reference="t")
    assert balance(client, "a") == 5_000_000


@pytest.mark.parametrize("is_full", [False, True])
def test_transfer_that_a_crash_cut_off_is_completed_by_the_sweep(
    service: SubscriberService,
    client: BalanceClient,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    is_full: bool,
):
    crashes = 0
    for process in crash_points(monkeypatch):
        a, b = f"a{process.commits}", f"b{process.commits}"
        has = limits.BALANCE_MICRO_MAX if is_full else 0
        open_account(service, a)
        open_account(service, b, has)
        with process:
            try:
                service.transfer(a, b, Money(2_000_000, "EUR"), reference="t")
            except OperationError:
                assert is_full
        if not process.has_died:
            break
        crashes += 1
        Sweeper(service.office).sweep()  # it may still be under way: nobody touches it
        clock.advance_ms(UNDER_WAY_MS)
        Sweeper(service.office).sweep()
        arrived = process.commits > 0 and not is_full  # before the first commit nothing had happened
        assert balance(client, a) == 5_000_000 - (2_000_000 if arrived else 0)
        assert balance(client, b) == has + (2_000_000 if arrived else 0)
        assert agenda(client) == {}
    assert crashes == 3  # before each of the three commits


def test_crashed_transfer_is_completed_by_its_repeat(
    service: SubscriberService, client: BalanceClient, monkeypatch: pytest.MonkeyPatch
):
    for process in crash_points(monkeypatch, 3):
        a, b = f"a{process.commits}", f"b{process.commits}"
        open_account(service, a)
        open_account(service, b)
        with process:
            service.transfer(a, b, Money(1, "EUR"), reference="t")
        service.transfer(a, b, Money(1, "EUR"), reference="t")
        assert (balance(client, a), balance(client, b)) == (4_999_999, 5_000_001)
    assert agenda(client) == {}


@pytest.mark.parametrize("is_full", [False, True])
def test_slow_process_that_the_sweep_overtakes_moves_money_once(
    service: SubscriberService,
    client: BalanceClient,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    is_full: bool,
):
    has = limits.BALANCE_MICRO_MAX if is_full else 0
    open_account(service, "a")
    open_account(service, "b", has)

    def sweep() -> None:
        clock.advance_ms(UNDER_WAY_MS)
        Sweeper(service.office).sweep()

    with overtaken(monkeypatch, sweep):
        try:
            service.transfer("a", "b", Money(2_000_000, "EUR"), reference="t")
        except OperationError:
            assert is_full
    moved = 0 if is_full else 2_000_000
    assert (balance(client, "a"), balance(client, "b")) == (5_000_000 - moved, has + moved)
    assert agenda(client) == {}
