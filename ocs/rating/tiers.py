"""The arithmetic of a rate with counters: graduated prices, and caps on what is used or spent in a period.

The price of a unit depends on how much the subscriber has used or spent before it, in all its sessions. Everything is
again worked out on cumulative counts, so that a use costs the same however it is cut into reports:

- within a tier the cumulative price of the tier's units is rounded up to a whole micro-unit;
- beyond a cap on units likewise, from the cap on;
- a cap on money cuts the price of the unit that reaches it to what was left below the cap. Nothing beyond it costs
  anything (FREE), or it costs the cap's price (PRICE). A cap that denies does not cut: what was used beyond it all the
  same is charged as before it.

Of several caps that are reached, a FREE one decides before PRICE ones, these in the order in which they are written,
and any of them before the tiers. Discounts and tax are in the prices already; limits are what the customer pays.
"""

from fractions import Fraction
from typing import Final

import msgspec

from ocs.events import CounterMovement, PricePart
from ocs.rating.meter import UNLIMITED_UNITS
from ocs.rating.rate import AfterCap, Cap, Rate
from ocs.units import UnitType, divide_up

_MONEY: Final = UnitType.MONEY


class Meter(msgspec.Struct, frozen=True):
    """Where a service of a session stands when its next units are priced.

    Attributes:
        counted_units: everything reported under the rate in this session.
        money_units: billed units of the session that no allowance paid.
        fee_paid: the connection fee was charged.
        counters: value of each of the rate's counters in its present period, in the order of ``rate.counters``.
    """

    counted_units: int
    money_units: int
    fee_paid: bool
    counters: tuple[int, ...]


class PricedUse(msgspec.Struct, frozen=True):
    """What some billed units cost, and where the meter stands afterwards.

    Attributes:
        amount_micro: all of it, the fee included.
        fee_micro: the connection fee, if it was due, as far as caps left it.
        parts: the units by price, in the order of use.
        counters: the counters' values afterwards.
    """

    amount_micro: int
    fee_micro: int
    parts: tuple[PricePart, ...]
    counters: tuple[int, ...]


class _Terms(msgspec.Struct, frozen=True):
    """One price per unit, and from where on its units are counted for rounding."""

    price_micro: int
    price_units: int
    offset: int
    counter_id: str = ""
    above: int = 0
    is_capped: bool = False

    def cost(self, units: int) -> int:
        """Price of the next units: the difference of two cumulative prices, each rounded up."""
        price, per = self.price_micro, self.price_units
        return divide_up((self.offset + units) * price, per) - divide_up(self.offset * price, per)

    def units_for(self, budget_micro: int) -> int:
        """The most units that cost no more than a budget, which is not negative."""
        price, per = self.price_micro, self.price_units
        if not price:
            return UNLIMITED_UNITS
        units = (budget_micro + divide_up(self.offset * price, per)) * per // price - self.offset
        return min(units, UNLIMITED_UNITS)


def price_of(rate: Rate, meter: Meter, units: int) -> int:
    """Price the next billed units that no allowance pays, in micro-units of the rate's currency.

    The connection fee is in it where it is due. Never negative; the same however the units are cut, the meter moved
    on in between.
    """
    return price_in_parts(rate, meter, units).amount_micro


def price_in_parts(rate: Rate, meter: Meter, units: int) -> PricedUse:
    """Price the next billed units as :func:`price_of` does, and tell what each part of them costs."""
    walk = _Walk(rate, meter)
    if units <= 0:
        return PricedUse(0, 0, (), meter.counters)
    fee = walk.pay_fee(meter)
    parts: list[PricePart] = []
    left, amount = units, fee
    while left:
        terms, room, _ = walk.terms()
        money_room = walk.money_room()
        taken = min(room, left)
        cost = terms.cost(taken)
        if money_room is not None and cost >= money_room:
            # The first unit with which the cap is reached costs what was left below it.
            taken, cost = terms.units_for(money_room - 1) + 1, money_room
        _append(parts, terms, taken, cost)
        walk.move(taken, cost)
        left -= taken
        amount += cost
    return PricedUse(amount, fee, tuple(parts), tuple(walk.values))


def affordable(rate: Rate, meter: Meter, available_micro: int) -> int:
    """Count the billed units that money can still pay and caps admit, rounded down.

    The result is the largest n (at most ``UNLIMITED_UNITS``) before a count denies more, for which :func:`price_of` is
    neither above ``available_micro`` nor above what denying caps on money leave. What costs nothing is open to an
    account in debt too, but not beyond a cap that denies.
    """
    if rate.allowance_only:
        return 0
    walk = _Walk(rate, meter)
    budget = walk.budget(available_micro)
    fee = walk.pay_fee(meter)
    if fee > budget:
        return 0
    budget -= fee
    units = 0
    while units < UNLIMITED_UNITS:
        terms, room, is_denied = walk.terms()
        if is_denied:
            break
        money_room = walk.money_room()
        taken = terms.units_for(budget)
        cost = 0
        if money_room is not None and terms.price_micro and money_room <= budget:
            reaching = terms.units_for(money_room - 1) + 1
            if reaching <= room:
                taken, cost = reaching, money_room
        if not cost:
            if taken < room:
                return min(units + taken, UNLIMITED_UNITS)
            taken = room
            cost = terms.cost(taken)
        walk.move(taken, cost)
        units += taken
        budget -= cost
    return min(units, UNLIMITED_UNITS)


def dearest_price_of(rate: Rate, meter: Meter, reserved: tuple[int, ...], units: int) -> int:
    """Bound the price of the next billed units from above while other sessions may move the counters.

    Args:
        rate: the price.
        meter: with the counters as they stand now.
        reserved: by how much each counter may grow before these units are priced: what other open grants hold.
        units: billed units that no allowance pays.

    Returns:
        Micro-units, the connection fee included where it is due: never less than what these units, or fewer, cost in
        one report after any such growth within the counters' present periods, and exactly :func:`price_of` where no
        growth can make it dearer.
    """
    if units <= 0:
        return 0
    if not _can_grow_dearer(rate, reserved):
        return price_of(rate, meter, units)
    stretches = _reachable_stretches(rate, meter, reserved, units)
    # The units all lie in these stretches: they never cost more than if the dearest of them were used first.
    stretches.sort(key=lambda stretch: Fraction(stretch[0], stretch[1]), reverse=True)
    bound = 0 if meter.fee_paid else rate.connection_fee_micro
    left = units
    for price_micro, price_units, length in stretches:
        taken = min(left, length)
        bound += divide_up(taken * price_micro, price_units)
        left -= taken
    # Each stretch is rounded up by itself, wherever its units begin.
    bound += len(stretches) if len(stretches) > 1 else 0
    for cap in rate.caps:
        if cap.after is AfterCap.FREE and rate.counters[cap.counter].unit_type is _MONEY:
            bound = min(bound, max(0, cap.limit - meter.counters[cap.counter]))
    return bound


def moved(rate: Rate, before: tuple[int, ...], after: tuple[int, ...]) -> tuple[CounterMovement, ...]:
    """The counters' movements as the price trace has them."""
    return tuple(
        CounterMovement(rule.counter_id, was, now, rule.unit_type)
        for rule, was, now in zip(rate.counters, before, after, strict=True)
    )


class _Walk:
    """The counters' values while a use is followed from threshold to threshold."""

    def __init__(self, rate: Rate, meter: Meter) -> None:
        self._rate = rate
        self.values = list(meter.counters)
        self._position = meter.money_units
        self._is_money = [rule.unit_type is _MONEY for rule in rate.counters]

    def budget(self, available_micro: int) -> int:
        """What may be spent: what is there, within the caps on money that deny."""
        budget = max(available_micro, 0)
        for cap in self._rate.caps:
            if cap.after is AfterCap.DENY and self._is_money[cap.counter]:
                budget = min(budget, max(0, cap.limit - self.values[cap.counter]))
        return budget

    def pay_fee(self, meter: Meter) -> int:
        """Move on by the connection fee where it is due, and tell how much of it caps leave."""
        if meter.fee_paid or not self._rate.connection_fee_micro:
            return 0
        fee = self._rate.connection_fee_micro
        for cap in self._rate.caps:
            if cap.after is not AfterCap.DENY and self._is_money[cap.counter]:
                fee = min(fee, max(0, cap.limit - self.values[cap.counter]))
        self.move(0, fee)
        return fee

    def move(self, units: int, cost_micro: int) -> None:
        """Count units and what they cost."""
        self._position += units
        for index, is_money in enumerate(self._is_money):
            self.values[index] += cost_micro if is_money else units

    def money_room(self) -> int | None:
        """What may be spent before the next cap cuts the price, None when none does."""
        rooms = [
            cap.limit - self.values[cap.counter]
            for cap in self._rate.caps
            if cap.after is not AfterCap.DENY
            and self._is_money[cap.counter]
            and cap.limit > self.values[cap.counter]
        ]
        return min(rooms, default=None)

    def terms(self) -> tuple[_Terms, int, bool]:
        """What the next unit costs, for how many units a count leaves it so, and whether it is denied."""
        deciding: Cap | None = None
        room = UNLIMITED_UNITS
        is_denied = False
        for cap in self._rate.caps:
            distance = cap.limit - self.values[cap.counter]
            if distance > 0:
                if not self._is_money[cap.counter]:
                    room = min(room, distance)
            elif cap.after is AfterCap.DENY:
                is_denied = True
            elif deciding is None or (cap.after is AfterCap.FREE and deciding.after is AfterCap.PRICE):
                deciding = cap
        if deciding is not None:
            return self._cap_terms(deciding), room, is_denied
        if not self._rate.tiers:
            return _Terms(self._rate.price_micro, self._rate.price_units, self._position), room, is_denied
        terms, tier_room, tier_denies = self._tier_terms()
        return terms, min(room, tier_room), is_denied or tier_denies

    def _cap_terms(self, cap: Cap) -> _Terms:
        counter_id = self._rate.counters[cap.counter].counter_id
        offset = self._position if self._is_money[cap.counter] else self.values[cap.counter] - cap.limit
        if cap.after is AfterCap.FREE:
            return _Terms(0, 1, offset, counter_id, cap.limit, is_capped=True)
        return _Terms(cap.price_micro, cap.price_units, offset, counter_id, cap.limit, is_capped=True)

    def _tier_terms(self) -> tuple[_Terms, int, bool]:
        value = self.values[0]
        tiers = self._rate.tiers
        index = max(i for i, tier in enumerate(tiers) if tier.from_units <= max(value, 0))
        tier = tiers[index]
        room = tiers[index + 1].from_units - value if index + 1 < len(tiers) else UNLIMITED_UNITS
        counter_id = self._rate.counters[0].counter_id if index else ""
        terms = _Terms(
            tier.price_micro, tier.price_units, value - tier.from_units, counter_id, tier.from_units
        )
        return terms, room, tier.is_denied


def _append(parts: list[PricePart], terms: _Terms, units: int, cost: int) -> None:
    """Add units to the last part when they have the same price for the same reason."""
    part = PricePart(
        units, terms.price_micro, terms.price_units, cost, terms.counter_id, terms.above, terms.is_capped
    )
    if parts:
        last = parts[-1]
        if msgspec.structs.replace(last, units=units, amount_micro=cost) == part:
            parts[-1] = msgspec.structs.replace(
                last, units=last.units + units, amount_micro=last.amount_micro + cost
            )
            return
    parts.append(part)


def _can_grow_dearer(rate: Rate, reserved: tuple[int, ...]) -> bool:
    """Whether a price can rise when counters grow: by tiers and by caps with a price, never by free ones or denials."""
    if rate.tiers and reserved[0]:
        return True
    if any(cap.after is AfterCap.PRICE for cap in rate.caps):
        return any(reserved)
    return False


def _reachable_stretches(
    rate: Rate, meter: Meter, reserved: tuple[int, ...], units: int
) -> list[tuple[int, int, int]]:
    """Prices in which some of the units may fall, as (price, per units, at most so many units)."""
    stretches: list[tuple[int, int, int]] = []
    if rate.tiers:
        low = meter.counters[0]
        high = low + reserved[0] + units
        ends = [tier.from_units for tier in rate.tiers[1:]] + [UNLIMITED_UNITS + high]
        for tier, end in zip(rate.tiers, ends, strict=True):
            length = min(high, end) - max(low, tier.from_units or low)
            if length > 0:
                stretches.append((tier.price_micro, tier.price_units, length))
    else:
        stretches.append((rate.price_micro, rate.price_units, units))
    stretches += [
        (cap.price_micro, cap.price_units, units) for cap in rate.caps if cap.after is AfterCap.PRICE
    ]
    return stretches
