"""Buckets that offers and bonuses bring. Pure."""

from collections.abc import Iterable
from typing import Final

from ocs.balance.lifecycle import DAY_MS
from ocs.balance.model import Bucket
from ocs.rating import AllowanceGrant, Bonus, Catalogue
from ocs.units import UnitType

# Where paid money goes, and that of a bonus without an end.
MAIN_BUCKET: Final = "main"
# A bonus is spent before what was paid, and after the bundles.
_BONUS_PRIORITY = 500


def bucket_of(grant: AllowanceGrant, bucket_id: str, until_ms: int) -> Bucket:
    """The bucket of an allowance, full."""
    return Bucket(
        bucket_id,
        grant.unit_type,
        grant.units,
        0,
        grant.allowance,
        grant.priority,
        0,
        until_ms,
        grant.units,
    )


def until_of(validity_days: int, from_ms: int) -> int:
    """Until when something is valid for some days, 0 for ever."""
    return from_ms + validity_days * DAY_MS if validity_days else 0


def free_id(bucket_id: str, buckets: Iterable[Bucket]) -> str:
    """An id that no bucket has: this one, or it with a number behind it."""
    taken = {bucket.bucket_id for bucket in buckets}
    number, name = 1, bucket_id
    while name in taken:
        number += 1
        name = f"{bucket_id}#{number}"
    return name


def granted(
    offers: Iterable[str],
    catalogue: Catalogue,
    now_ms: int,
    prefix: str = "",
    others: Iterable[Bucket] = (),
) -> list[Bucket]:
    """What offers bring in beside money when a subscriber begins.

    Args:
        prefix: keeps several subscribers' allowances apart. others: what the account has: of an allowance that is
            granted once for all, another subscriber may have brought it.
    """
    present = {bucket.bucket_id.partition("#")[0] for bucket in others}
    buckets: list[Bucket] = []
    for offer_id in offers:
        offer = catalogue.offer(offer_id)
        for grant in offer.allowances if offer is not None else ():
            name = f"{offer_id}.{grant.allowance}"
            if not grant.is_once:
                name = prefix + name
            elif name in present:
                continue
            buckets.append(bucket_of(grant, name, until_of(grant.validity_days, now_ms)))
    return buckets


def bonus_buckets(bonuses: Iterable[Bonus], now_ms: int) -> tuple[Bucket, ...]:
    """What bonuses bring to an account; what is valid for ever goes to what is there already."""
    buckets: list[Bucket] = []
    for bonus in bonuses:
        until_ms = until_of(bonus.validity_days, now_ms)
        if bonus.money_micro:
            name, priority = (f"bonus.{bonus.bonus_id}", _BONUS_PRIORITY) if until_ms else (MAIN_BUCKET, 1000)
            buckets.append(
                Bucket(name, UnitType.MONEY, bonus.money_micro, priority=priority, valid_until_ms=until_ms)
            )
        if bonus.allowance is not None:
            grant = bonus.allowance
            until_ms = until_of(grant.validity_days, now_ms)
            buckets.append(bucket_of(grant, f"bonus.{bonus.bonus_id}", until_ms))
    return tuple(buckets)
