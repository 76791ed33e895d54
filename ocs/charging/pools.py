"""Credit pools: quotas of several services that a gateway may use for any of them (RFC 8506 section 5.1.2).

A pool unit is a micro-unit of money: the multiplier of a service is the price of one of its units, rounded up. A
pooled service reserves its quota in pool units and one billing block, so whatever mix the gateway makes of the pool, it
has been paid for. While other services of a pool stay open, what one of them reports is taken out of the pool and
nothing else: the rest of its quota may be used by the others, and what it used of theirs is gone for them.

When all of them have reported, the pool has ended, and what it had left is given back. A gateway may read the section
so that this rest stays ("the value that needs to be removed is the consumed one"): the next grants make a pool with
another identifier, so that no quota can draw on it. A service that is still alone in its session when it reports gets
quotas of its own from then on.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from ocs import limits
from ocs.balance.model import Hold, SessionService
from ocs.charging.draft import Draft
from ocs.charging.quota import granted_unit
from ocs.charging.usage import amount_of
from ocs.messages import PoolReference, ServiceAnswer, ServiceUnit
from ocs.rating import Rate, wanted_units
from ocs.units import divide_down, divide_up

# Multipliers have so many decimals at most: a price per octet is far below a micro-unit.
_DECIMALS_MAX: Final = 9
# A G-S-U-Pool-Identifier is the catalogue's number, and above it how many pools of the session had ended before.
_NUMBERS: Final = limits.POOL_NUMBER_MAX + 1
_IDENTIFIERS: Final = 1 << 32
_with = msgspec.structs.replace


def multiplier(rate: Rate) -> tuple[int, int]:
    """Pool units for one unit of a rate, as Unit-Value: digits and exponent; rounded up where decimals do not end."""
    for decimals in range(_DECIMALS_MAX):
        digits, rest = divmod(rate.price_micro * 10**decimals, rate.price_units)
        if not rest:
            return digits, -decimals
    return divide_up(rate.price_micro * 10**_DECIMALS_MAX, rate.price_units), -_DECIMALS_MAX


def pool_to_join(services: Iterable[SessionService], number: int, pools_ended: int) -> tuple[int, int]:
    """Find the pool that a new grant joins: the one that other grants of the session share, or a new one.

    Args:
        services: of the session; none that reports has a grant any more.
        number: of the pool in the catalogue.

    Returns:
        Its identifier, and the money that it has of services that have reported, in micro-units.
    """
    pool_id, carried = (number + pools_ended * _NUMBERS) % _IDENTIFIERS, 0
    for other in services:
        if other.pool_id is not None and other.pool_id % _NUMBERS == number:
            pool_id = other.pool_id
            carried += other.pool_carried_micro
    return pool_id, carried


def join_pool(
    draft: Draft, service: SessionService, rate: Rate, answer: ServiceAnswer, pool_id: int
) -> tuple[SessionService, ServiceAnswer]:
    """Make a grant that has just been reserved a part of a pool.

    Returns:
        The same as it was given where the grant cannot be shared: it is the last one, an allowance pays for it, it
        costs nothing, its price depends on counters, or what a pool needs beyond it cannot be paid.
    """
    if (
        not rate.price_micro
        or rate.counters
        or draft.limits
        or (rate.allowances and draft.has_allowances)
        or answer.final_unit is not None
    ):
        return service, answer
    digits, exponent = multiplier(rate)
    credit = divide_up(service.granted_units * digits, 10**-exponent)
    block = divide_up(max(rate.first_units, rate.step_units) * rate.price_micro, rate.price_units)
    fee = 0 if service.fee_paid else rate.connection_fee_micro
    missing = credit + block + fee - _sum(service.holds)
    if missing > draft.available_money():
        return service, answer
    extra = draft.plan_money(missing)
    draft.reserve(extra)
    reference = PoolReference(pool_id, rate.unit_type, digits, exponent)
    return _with(service, holds=_joined(service.holds, extra), pool_id=pool_id), _with(
        answer, pools=(reference,)
    )


def settle_in_pool(
    draft: Draft, before: SessionService, charged_micro: int, others: list[SessionService]
) -> list[SessionService]:
    """Take what a pooled service has used out of its pool, not more and not less.

    Args:
        before: the service with its grant; it has been released and its use debited since.
        charged_micro: what the use cost.
        others: the services with open grants in the same pool that the gateway goes on with; not empty.

    Returns:
        The others, with what the pool still has.
    """
    rest = _sum(before.holds) - charged_micro
    if rest > 0:
        first = others[0]
        extra = draft.plan_money(rest)
        draft.reserve(extra)
        carried = first.pool_carried_micro + rest
        return [_with(first, holds=_joined(first.holds, extra), pool_carried_micro=carried), *others[1:]]
    settled: list[SessionService] = []
    for other in others:
        kept, taken = _split(other.holds, -rest)
        draft.release(taken)
        rest += _sum(taken)
        carried = max(0, other.pool_carried_micro - _sum(taken))
        settled.append(_with(other, holds=kept, pool_carried_micro=carried))
    return settled


def reduced_request(rate: Rate, requested: ServiceUnit, carried_micro: int) -> ServiceUnit:
    """Ask for less where a pool still has units of earlier quotas: it would grow with every report of one service."""
    wanted = wanted_units(rate, amount_of(rate.unit_type, requested))
    left = wanted - divide_down(carried_micro * rate.price_units, rate.price_micro)
    return granted_unit(rate, max(1, left))


def _sum(holds: tuple[Hold, ...]) -> int:
    return sum([hold.amount for hold in holds])


def _joined(holds: tuple[Hold, ...], more: tuple[Hold, ...]) -> tuple[Hold, ...]:
    """Holds of one bucket are one hold."""
    amounts: dict[str, int] = {}
    for hold in (*holds, *more):
        amounts[hold.bucket_id] = amounts.get(hold.bucket_id, 0) + hold.amount
    return tuple([Hold(bucket_id, amount) for bucket_id, amount in amounts.items()])


def _split(holds: tuple[Hold, ...], amount: int) -> tuple[tuple[Hold, ...], tuple[Hold, ...]]:
    """Part holds into what stays and what is taken: ``amount``, or all of it."""
    kept: list[Hold] = []
    taken: list[Hold] = []
    for hold in holds:
        part = min(hold.amount, amount)
        amount -= part
        if part:
            taken.append(Hold(hold.bucket_id, part))
        if hold.amount > part:
            kept.append(Hold(hold.bucket_id, hold.amount - part))
    return tuple(kept), tuple(taken)
