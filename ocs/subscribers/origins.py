"""Money goes back to where it came from: what expires stays what expires. Pure.

What was drawn for a reservation, a transfer or a period's charge is kept with it, bucket by bucket in the order of
drawing. What was taken of it meanwhile was taken from the first; what comes back is the last, so a bonus is spent first
and never becomes money without an end.
"""

from msgspec.structs import replace

from ocs.balance.entries import record_movement
from ocs.balance.model import Bucket, Hold
from ocs.balance.purse import Purse
from ocs.events import BucketMovement, ChargeEvent, EventKind
from ocs.subscribers.grants import MAIN_BUCKET, free_id


def origins_of(purse: Purse, parts: tuple[Hold, ...]) -> tuple[Bucket, ...]:
    """Where money that is about to be debited comes from; nothing when it is the main bucket alone."""
    if all(part.bucket_id == MAIN_BUCKET for part in parts):
        return ()
    buckets = {bucket.bucket_id: bucket for bucket in purse.buckets}
    return tuple([replace(buckets[part.bucket_id], value=part.amount, reserved=0) for part in parts])


def put_back(purse: Purse, origins: tuple[Bucket, ...], amount_micro: int) -> tuple[BucketMovement, ...]:
    """Put the last ``amount_micro`` of what was drawn back into its buckets, also into those that have expired.

    The caller records the movements, and then what :func:`expired_again` says.

    Args:
        origins: as :func:`origins_of` told them; what is beyond them goes to the main bucket.
    """
    parts: list[tuple[Bucket, int]] = []
    for origin in reversed(origins):
        part = min(origin.value, amount_micro)
        amount_micro -= part
        if part:
            parts.append((origin, part))
    movements = purse.credit((Hold(MAIN_BUCKET, amount_micro),)) if amount_micro else ()
    for origin, part in reversed(parts):
        movements += _put(purse, origin, part)
    return movements


def expired_again(purse: Purse, *, after: str, time_zone: str = "UTC") -> tuple[ChargeEvent, ...]:
    """Take out what has come back too late to pay for anything.

    Args:
        after: id of the event by which it came back.
    """
    movements = purse.expire()
    if not movements:
        return ()
    event_id = f"expiry:{after}"
    return (record_movement(purse, EventKind.EXPIRY, movements, event_id=event_id, time_zone=time_zone),)


def _put(purse: Purse, origin: Bucket, amount_micro: int) -> tuple[BucketMovement, ...]:
    """Into the bucket that gave it, if that is still there; one of its name may have come later, with another end."""
    buckets = purse.buckets
    for bucket in buckets:
        if bucket.bucket_id == origin.bucket_id and bucket.valid_until_ms == origin.valid_until_ms:
            return purse.credit((Hold(bucket.bucket_id, amount_micro),))
    name = free_id(origin.bucket_id, buckets)
    return (purse.add_bucket(replace(origin, bucket_id=name, value=amount_micro)),)
