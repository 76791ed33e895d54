"""Vouchers in a real store: redemptions happen once, whoever tries, however often, wherever a process dies."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ocs import limits
from ocs.balance.client import BalanceClient
from ocs.balance.purse import money_balance
from ocs.clock import ManualClock
from ocs.events import EventKind
from ocs.settings import VoucherSettings
from ocs.subscribers.agenda import UNDER_WAY_MS
from ocs.subscribers.guesses import LockedOutError
from ocs.subscribers.operations import NewAccount, OperationError
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.sweep import Sweeper
from ocs.subscribers.voucher_codes import draw_code
from ocs.subscribers.voucher_service import UnknownCodeError, VoucherService
from ocs.subscribers.vouchers import VoucherState, state_in_words
from ocs.units import CurrencyMismatchError, Money
from tests.subscribers.books import agenda, audited, balance
from tests.subscribers.conftest import NOW_MS
from tests.subscribers.crashes import crash_points, overtaken

TEN = Money(10_000_000, "EUR")


@pytest.fixture
def vouchers(service: SubscriberService) -> VoucherService:
    return VoucherService(service.office, "secret", VoucherSettings())


def open_account(service: SubscriberService, account_id: str, micro: int = 0) -> None:
    service.open_account(NewAccount(account_id, account_id, (), ("basic",), Money(micro, "EUR")))


def active_code(vouchers: VoucherService, batch: str = "b", amount: Money = TEN) -> tuple[str, str]:
    ((serial, code),) = vouchers.generate(batch, 1, amount)
    vouchers.activate(serial)
    return serial, code


def test_batch_has_as_many_vouchers_as_asked_each_with_its_own_code(vouchers: VoucherService):
    made = list(vouchers.generate("SPRING", 1_201, TEN, expires_ms=NOW_MS + 1))
    assert made[0][0] == "SPRING-0000001" and made[-1][0] == "SPRING-0001201"
    assert len({code for _, code in made}) == 1_201
    kept = list(vouchers.vouchers_of("SPRING"))
    assert [voucher.serial for voucher in kept] == [serial for serial, _ in made]
    assert {voucher.state for voucher in kept} == {VoucherState.GENERATED}
    assert vouchers.batch("SPRING").count == 1_201


def test_store_never_learns_a_code(vouchers: VoucherService, client: BalanceClient):
    _, code = active_code(vouchers)
    connection = client.connection
    names: list[Any] = list(connection.keys("*"))
    texts: list[Any] = [connection.get(name) for name in names if connection.type(name) == b"string"]
    held = b"".join(names + texts)
    assert code.encode() not in held and code[:15].encode() not in held


def test_batch_is_made_once_and_well(vouchers: VoucherService):
    list(vouchers.generate("b", 1, TEN))
    for batch, count, amount, reason in (
        ("b", 1, TEN, "exists already"),
        ("b-1", 1, TEN, "names no batch"),
        ("c", 0, TEN, "1 to"),
        ("c", 1, Money(0, "EUR"), "more than nothing"),
        ("c", 1, Money(1 << 64, "EUR"), "no more than"),
    ):
        with pytest.raises(OperationError, match=reason):
            list(vouchers.generate(batch, count, amount))


def test_voucher_with_an_end_before_all_time_is_not_good_for_ever(vouchers: VoucherService):
    with pytest.raises(OperationError, match="1970"):
        list(vouchers.generate("b", 1, TEN, expires_ms=-1))


def test_voucher_is_redeemed_once_and_its_repeat_gets_the_first_receipt(
    service: SubscriberService, vouchers: VoucherService, client: BalanceClient
):
    open_account(service, "a")
    open_account(service, "b")
    serial, code = active_code(vouchers)
    first = vouchers.redeem("a", f"{code[:4]} {code[4:8]}-{code[8:]}")
    assert (first.balance_micro, first.repeated) == (10_000_000, False)
    assert vouchers.redeem("a", code).repeated
    with pytest.raises(OperationError, match="has been redeemed"):
        vouchers.redeem("b", code)
    assert (balance(client, "a"), balance(client, "b")) == (10_000_000, 0)
    voucher = vouchers.voucher(serial)
    assert (voucher.state, voucher.account_id) == (VoucherState.REDEEMED, "a")
    event = list(client.events("a"))[-1]
    assert (event.kind, event.reason, event.amount_micro) == (EventKind.TOP_UP, "voucher", 10_000_000)
    assert agenda(client) == {}


def test_top_up_under_a_voucher_s_name_is_no_copy_of_it(
    service: SubscriberService, vouchers: VoucherService, client: BalanceClient
):
    open_account(service, "a")
    serial, code = active_code(vouchers)
    for reference in (f"{serial}.1", f"voucher:{serial}.1"):
        service.top_up("a", TEN, reference=reference)
    vouchers.redeem("a", code)
    assert money_balance(audited(client, "a")) == 30_000_000


def test_voucher_redeemed_before_receipts_were_forgotten_pays_no_second_time(
    service: SubscriberService, vouchers: VoucherService, client: BalanceClient
):
    open_account(service, "a")
    _, code = active_code(vouchers)
    vouchers.redeem("a", code)
    (receipt,) = client.connection.keys("*o:voucher:*")
    client.connection.delete(receipt)
    with pytest.raises(OperationError, match="has been redeemed"):
        vouchers.redeem("a", code)
    assert balance(client, "a") == 10_000_000


def test_fifty_clients_at_once_credit_one_account_once(
    service: SubscriberService, vouchers: VoucherService, client: BalanceClient
):
    for number in range(50):
        open_account(service, f"a{number}")
    serial, code = active_code(vouchers)
    together = threading.Barrier(50)

    def redeem(number: int) -> bool:
        own = SubscriberService(
            BalanceClient(client.connection, partitions=client.partitions),
            service.office.catalogue,
            service.office.clock,
        )
        desk = VoucherService(own.office, "secret", VoucherSettings())
        together.wait(30)
        try:
            return not desk.redeem(f"a{number}", code).repeated
        except OperationError:
            return False

    with ThreadPoolExecutor(50) as pool:
        credited = list(pool.map(redeem, range(50)))
    assert credited.count(True) == 1
    assert [balance(client, f"a{n}") for n in range(50)] == [10_000_000 if hit else 0 for hit in credited]
    assert vouchers.voucher(serial).account_id == f"a{credited.index(True)}"


def test_one_account_in_many_clients_is_credited_once(
    service: SubscriberService, vouchers: VoucherService, client: BalanceClient
):
    open_account(service, "a")
    _, code = active_code(vouchers)
    together = threading.Barrier(4)

    def redeem(_: int) -> bool:
        together.wait(30)
        return vouchers.redeem("a", code).repeated

    with ThreadPoolExecutor(4) as pool:
        repeated = list(pool.map(redeem, range(4)))
    assert repeated.count(False) == 1
    assert balance(client, "a") == 10_000_000


@pytest.mark.parametrize("is_full", [False, True])
def test_redemption_that_a_crash_cut_off_is_completed_by_the_sweep(
    service: SubscriberService,
    vouchers: VoucherService,
    client: BalanceClient,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    is_full: bool,
):
    crashes = 0
    for process in crash_points(monkeypatch):
        account = f"a{process.commits}"
        has = limits.BALANCE_MICRO_MAX if is_full else 0
        open_account(service, account, has)
        serial, code = active_code(vouchers, f"b{process.commits}")
        with process:
            try:
                vouchers.redeem(account, code)
            except OperationError:
                assert is_full
        if not process.has_died:
            break
        crashes += 1
        Sweeper(service.office).sweep()  # it may still be under way: nobody touches it
        clock.advance_ms(UNDER_WAY_MS)
        Sweeper(service.office).sweep()
        is_redeemed = process.commits > 0 and not is_full
        assert balance(client, account) == has + (10_000_000 if is_redeemed else 0)
        wanted = VoucherState.REDEEMED if is_redeemed else VoucherState.ACTIVE
        assert vouchers.voucher(serial).state is wanted
        assert agenda(client) == {}
    assert crashes == 3  # before each of the three commits


def test_voucher_that_an_account_refused_pays_another(
    service: SubscriberService, vouchers: VoucherService, client: BalanceClient
):
    open_account(service, "full", limits.BALANCE_MICRO_MAX)
    open_account(service, "b")
    _, code = active_code(vouchers)
    with pytest.raises(OperationError, match="a balance is"):
        vouchers.redeem("full", code)
    service.adjust("full", Money(-20_000_000, "EUR"), reason="test", reference="room")
    assert vouchers.redeem("b", code).balance_micro == 10_000_000
    assert balance(client, "full") == limits.BALANCE_MICRO_MAX - 20_000_000
    assert balance(client, "b") == 10_000_000


def test_what_cannot_be_redeemed_says_why(
    service: SubscriberService, vouchers: VoucherService, clock: ManualClock
):
    open_account(service, "a")
    made = list(vouchers.generate("b", 3, TEN, expires_ms=NOW_MS + 1_000))
    with pytest.raises(OperationError, match="not active yet"):
        vouchers.redeem("a", made[0][1])
    vouchers.block(made[0][0])
    with pytest.raises(OperationError, match="is blocked"):
        vouchers.redeem("a", made[0][1])
    vouchers.activate(made[1][0])
    with pytest.raises(OperationError, match="no account 'nobody'"):
        vouchers.redeem("nobody", made[1][1])
    clock.advance_ms(1_000)
    with pytest.raises(OperationError, match="is expired"):
        vouchers.redeem("a", made[1][1])
    assert state_in_words(vouchers.voucher(made[2][0]), clock.now_ms()) == "expired"


def test_voucher_of_another_currency_stays_active(service: SubscriberService, vouchers: VoucherService):
    open_account(service, "a")
    serial, code = active_code(vouchers, amount=Money(1, "USD"))
    with pytest.raises((OperationError, CurrencyMismatchError), match="USD"):
        vouchers.redeem("a", code)
    assert vouchers.voucher(serial).state is VoucherState.ACTIVE


def test_who_guesses_too_often_is_locked_out_for_a_while(
    service: SubscriberService, vouchers: VoucherService, client: BalanceClient
):
    open_account(service, "a")
    open_account(service, "b")
    _, code = active_code(vouchers)
    for number in range(5):
        with pytest.raises(UnknownCodeError):
            vouchers.redeem("a", draw_code(lambda _, n=number: n))
    with pytest.raises(LockedOutError):
        vouchers.redeem("a", code)  # the right one too
    assert 0 < client.connection.ttl("guesses:a") <= 3_600
    assert vouchers.redeem("b", code).balance_micro == 10_000_000


def test_slips_and_right_codes_are_no_guesses(service: SubscriberService, vouchers: VoucherService):
    open_account(service, "a")
    for number in range(8):
        _, code = active_code(vouchers, f"b{number}")
        with pytest.raises(UnknownCodeError, match="slip"):
            vouchers.redeem("a", str((int(code[0]) + 1) % 10) + code[1:])
        vouchers.redeem("a", code)


def test_attack_from_many_accounts_locks_everybody_out(service: SubscriberService):
    vouchers = VoucherService(service.office, "secret", VoucherSettings(guesses_total_max=2))
    for name in "abc":
        open_account(service, name)
    for name in "ab":
        with pytest.raises(UnknownCodeError):
            vouchers.redeem(name, draw_code(lambda _: 7))
    with pytest.raises(LockedOutError, match="are being tried"):
        vouchers.redeem("c", draw_code(lambda _: 7))


def test_code_under_another_secret_is_unknown(service: SubscriberService, vouchers: VoucherService):
    open_account(service, "a")
    _, code = active_code(vouchers)
    other = VoucherService(service.office, "other", VoucherSettings())
    with pytest.raises(UnknownCodeError):
        other.redeem("a", code)


@pytest.mark.parametrize("is_full", [False, True])
def test_slow_process_that_the_sweep_overtakes_credits_once(
    service: SubscriberService,
    vouchers: VoucherService,
    client: BalanceClient,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    is_full: bool,
):
    has = limits.BALANCE_MICRO_MAX if is_full else 0
    open_account(service, "a", has)
    serial, code = active_code(vouchers)

    def sweep() -> None:
        clock.advance_ms(UNDER_WAY_MS)
        Sweeper(service.office).sweep()

    with overtaken(monkeypatch, sweep):
        try:
            vouchers.redeem("a", code)
        except OperationError:
            assert is_full
    assert balance(client, "a") == has + (0 if is_full else 10_000_000)
    wanted = VoucherState.ACTIVE if is_full else VoucherState.REDEEMED
    assert vouchers.voucher(serial).state is wanted
    assert agenda(client) == {}
