"""The test operator's prices as plain figures, for tests and auditors that calculate by themselves."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Price:
    """``micro`` per ``per`` units, rounded to ``first`` and then ``step`` units; ``minimum`` units are granted or none.

    Attributes:
        counter: counts its units or money by the day; from ``above`` units on one costs ``later``, and from ``cap``
            micro-units on nothing costs anything.
        is_switched: another price applies in every other quarter of an hour. is_pooled: its grants share a pool.
    """

    micro: int
    per: int = 1
    first: int = 1
    step: int = 1
    fee: int = 0
    minimum: int = 1
    counter: str = ""
    above: int = 0
    later: int = 0
    cap: int = 0
    is_switched: bool = False
    is_pooled: bool = False

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

    def counted_cost(self, value: int, units: int) -> tuple[int, int]:
        """What units cost when the counter stands at a value, and where it stands afterwards."""
        if self.cap:
            cost = min(units * self.micro, max(0, self.cap - value))
            return cost, value + cost
        cheap = max(0, value + units - max(self.above, value))
        return (units - cheap) * self.micro + cheap * self.later, value + units


# What tests/support/catalogue.py says, by tariff.
PRICES = {
    "basic/data": Price(2000, 10, 10, 10, minimum=10),
    "basic/data#10": Price(2000, 10, 10, 10, minimum=10),
    "basic/data#11": Price(2000, 10, 10, 10, minimum=10),
    "basic/thirds": Price(1, 3, minimum=10),
    "basic/free": Price(0, minimum=10),
    "basic/redirected": Price(100, minimum=10),
    "basic/restricted": Price(100, minimum=10),
    "basic/home>home": Price(60_000, 60, 60, 1, 50_000),
    "basic/abroad>abroad": Price(600_000, 60, 60, 60),
    "basic/far>far": Price(20_000),
    "basic/sms": Price(90_000),
    # tests/simulation/story_catalogue.py
    "stories/by-turns": Price(100, minimum=10, is_switched=True),
    "stories/else": Price(500, 10, 10, 10, minimum=10, is_switched=True),
    "stories/tiered": Price(100, minimum=10, counter="octets-today", above=3000, later=40),
    "stories/capped": Price(100, minimum=10, counter="spent-today", cap=150_000),
    "stories/pool-a": Price(100, minimum=10, is_pooled=True),
    "stories/pool-b": Price(300, 10, 10, 10, minimum=10, is_pooled=True),
}
POOL_ID = 7


def price_at(path: str) -> Price:
    """The price of a tariff path, whatever periods stand in it."""
    name, _, rest = path.partition("@")
    _, mark, group = rest.partition("#")
    return PRICES[name + mark + group]
