"""Days on which processes die, replies are lost and sweeps come at any moment: every operation counts once.

Whoever asks asks again with the same reference until he hears; a plain sum of what he was told is what accounts hold.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from ocs.balance.client import BalanceClient, StoreBusyError
from ocs.clock import ManualClock
from ocs.settings import VoucherSettings
from ocs.subscribers.agenda import UNDER_WAY_MS
from ocs.subscribers.operations import NewAccount, OperationError
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.sweep import Sweeper
from ocs.subscribers.voucher_service import VoucherService
from ocs.units import Money
from tests.subscribers.books import agenda, balance
from tests.subscribers.crashes import Died

ACCOUNTS = ("a", "b", "c")
OPERATIONS = 30


def eur(micro: int) -> Money:
    return Money(micro, "EUR")


class Day:
    """One day, from a seed."""

    def __init__(self, seed: int, service: SubscriberService, clock: ManualClock) -> None:
        self.random = Random(seed)
        self.service = service
        self.clock = clock
        self.vouchers = VoucherService(service.office, "secret", VoucherSettings())
        self.codes: list[str] = []
        self.redeemed: dict[str, str] = {}
        self.holds: dict[str, int] = dict.fromkeys(ACCOUNTS, 10_000_000)
        self.set_aside: dict[str, tuple[str, int]] = {}
        self.failures = 0

    def open(self) -> None:
        for name in ACCOUNTS:
            self.service.open_account(NewAccount(name, name, (), ("basic",), eur(self.holds[name])))
        made = list(self.vouchers.generate("b", 4, eur(3_000_000)))
        for serial, code in made[:3]:  # one is never activated
            self.vouchers.activate(serial)
            self.codes.append(code)
        self.codes.append(made[3][1])

    def play(self) -> None:
        for number in range(OPERATIONS):
            act = self.random.choice(
                (self.top_up, self.adjust, self.send, self.send, self.redeem, self.put_aside, self.take)
            )
            act(f"r{number}")
            if self.random.random() < 0.2:
                self.until_told(Sweeper(self.service.office).sweep)

    def until_told(self, ask: Callable[[], Any]) -> bool:
        """Ask until there is an answer; whether it was done."""
        while True:
            try:
                ask()
            except OperationError:
                return False
            except (Died, StoreBusyError):
                self.failures += 1
                self.clock.advance_ms(self.random.choice((0, UNDER_WAY_MS)))
                continue
            return True

    def top_up(self, reference: str) -> None:
        name, micro = self.random.choice(ACCOUNTS), self.random.randrange(1, 5_000_000)
        assert self.until_told(lambda: self.service.top_up(name, eur(micro), reference=reference))
        self.holds[name] += micro

    def adjust(self, reference: str) -> None:
        name, micro = self.random.choice(ACCOUNTS), self.random.randrange(-9_000_000, 3_000_000)
        if self.until_told(lambda: self.service.adjust(name, eur(micro), reason="test", reference=reference)):
            self.holds[name] += micro

    def send(self, reference: str) -> None:
        sender, receiver = self.random.sample(ACCOUNTS, 2)
        micro = self.random.randrange(1, 9_000_000)
        if self.until_told(lambda: self.service.transfer(sender, receiver, eur(micro), reference=reference)):
            self.holds[sender] -= micro
            self.holds[receiver] += micro

    def redeem(self, reference: str) -> None:
        del reference
        name, code = self.random.choice(ACCOUNTS), self.random.choice(self.codes)
        if self.until_told(lambda: self.vouchers.redeem(name, code)):
            assert self.redeemed.get(code, name) == name
            if code not in self.redeemed:
                self.redeemed[code] = name
                self.holds[name] += 3_000_000

    def put_aside(self, reference: str) -> None:
        name, micro = self.random.choice(ACCOUNTS), self.random.randrange(1, 5_000_000)
        if self.until_told(lambda: self.service.set_aside(name, eur(micro), reference=reference)):
            self.set_aside[reference] = name, micro

    def take(self, reference: str) -> None:
        if not self.set_aside:
            return
        reservation = self.random.choice(list(self.set_aside))
        name, micro = self.set_aside.pop(reservation)
        if self.random.random() < 0.5:
            assert self.until_told(
                lambda: self.service.give_back(name, reservation=reservation, reference=reference)
            )
        else:
            assert self.until_told(
                lambda: self.service.take_set_aside(
                    name, eur(micro), reservation=reservation, reference=reference
                )
            )
            self.holds[name] -= micro


@pytest.mark.parametrize("seed", range(20))
def test_each_operation_counts_once_whatever_fails(
    service: SubscriberService,
    client: BalanceClient,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
):
    day = Day(seed, service, clock)
    day.open()
    change = BalanceClient.change

    def unsteady(store: BalanceClient, *args: Any) -> None:
        fate = day.random.random()
        if fate < 0.15:
            raise Died
        change(store, *args)
        if fate < 0.3:
            raise StoreBusyError("it was done, and nobody hears of it")

    with monkeypatch.context() as patched:
        patched.setattr(BalanceClient, "change", unsteady)
        day.play()
    clock.advance_ms(UNDER_WAY_MS)
    Sweeper(service.office).sweep()
    assert day.failures
    assert {name: balance(client, name) for name in ACCOUNTS} == day.holds
    assert agenda(client) == {}
