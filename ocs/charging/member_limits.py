"""What one member may still take from the account that it shares: its limits, each with a counter of its own.

A limit bounds what is granted, never what is charged: use is debited and counted also beyond it (RFC 8506 section
8.19). A member at its limit gets CREDIT_LIMIT_REACHED; the account's other members notice nothing.
"""

from typing import TYPE_CHECKING, Final

from ocs.balance.model import CounterHold, MemberLimit
from ocs.units import UnitType

if TYPE_CHECKING:
    from ocs.charging.draft import Draft

_MONEY: Final = UnitType.MONEY
_OCTETS: Final = frozenset({UnitType.TOTAL_OCTETS, UnitType.INPUT_OCTETS, UnitType.OUTPUT_OCTETS})
_UNLIMITED: Final = 1 << 62


def units_left(draft: "Draft", unit_type: UnitType) -> int:
    """How many billed units of a kind its limits leave, other grants counted as used."""
    left = _UNLIMITED
    for limit in draft.limits:
        if limit.unit_type is not _MONEY and _counts(limit, unit_type):
            left = min(left, _left(draft, limit))
    return left


def money_left(draft: "Draft") -> int:
    """How much money its limits leave, in micro-units."""
    return min(
        [_left(draft, limit) for limit in draft.limits if limit.unit_type is _MONEY], default=_UNLIMITED
    )


def hold_limits(
    draft: "Draft", unit_type: UnitType, billed_units: int, amount_micro: int
) -> tuple[CounterHold, ...]:
    """Set aside what a grant may take of each limit."""
    return tuple(
        [
            draft.hold_counter(
                limit.counter_id, limit.period, amount_micro if limit.unit_type is _MONEY else billed_units
            )
            for limit in draft.limits
            if limit.unit_type is _MONEY or _counts(limit, unit_type)
        ]
    )


def count_use(
    draft: "Draft",
    unit_type: UnitType,
    billed_units: int,
    amount_micro: int,
    held: tuple[CounterHold, ...] = (),
) -> None:
    """Count a use against each limit that looks at it; ``held`` is what the used grant had set aside of them."""
    for limit in draft.limits:
        if limit.unit_type is _MONEY:
            draft.count(limit.counter_id, limit.period, amount_micro, held)
        elif _counts(limit, unit_type):
            draft.count(limit.counter_id, limit.period, billed_units, held)


def _counts(limit: MemberLimit, unit_type: UnitType) -> bool:
    return limit.unit_type is unit_type or (limit.unit_type in _OCTETS and unit_type in _OCTETS)


def _left(draft: "Draft", limit: MemberLimit) -> int:
    counter = draft.counter(limit.counter_id, limit.period)
    return max(0, limit.amount - counter.value - counter.reserved)
