"""The test operator's prices as plain figures, for tests and auditors that calculate by themselves."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Price:
    """``micro`` per ``per`` units, rounded to ``first`` and then ``step`` units; ``minimum`` units are granted or none."""

    micro: int
    per: int = 1
    first: int = 1
    step: int = 1
    fee: int = 0
    minimum: int = 1

    def billed(self, counted: int) -> int:
        if counted == 0:
            return 0
        blocks = 0
        while self.first + blocks * self.step < counted:
            blocks += 1 + (counted - self.first - blocks * self.step - 1) // self.step
        return self.first + blocks * self.step

    def cost(self, units: int) -> int:
        whole, rest = divmod(units * self.micro, self.per)
        return whole + (rest > 0)


# What tests/support/catalogue.py says, by tariff.
PRICES = {
    "basic/data": Price(2000, 10, 10, 10, minimum=10),
    "basic/data#10": Price(2000, 10, 10, 10, minimum=10),
    "basic/data#11": Price(2000, 10, 10, 10, minimum=10),
    "basic/thirds": Price(1, 3, minimum=10),
    "basic/free": Price(0, minimum=10),
    "basic/home>home": Price(60_000, 60, 60, 1, 50_000),
    "basic/abroad>abroad": Price(600_000, 60, 60, 60),
    "basic/far>far": Price(20_000),
    "basic/sms": Price(90_000),
}
