"""An account's buckets while a decision moves money: reserve, debit, release, credit, expire.

A move never asks what something costs; it is told an amount and says which buckets gave it. Buckets stand in
drawing order (lower priority number first, then the earlier expiry), so a move is one pass. The purse is the
working copy of one decision: the account it came from never changes, and :meth:`Purse.account` makes the new one.
"""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from ocs.balance.model import Account, AutoTopUp, Bucket, Hold, LedgerInvariantError, Total
from ocs.events import BucketMovement
from ocs.units import UnitType

_MONEY: Final = UnitType.MONEY
_FOR_EVER: Final = 1 << 62
_OCTETS: Final = (UnitType.TOTAL_OCTETS, UnitType.INPUT_OCTETS, UnitType.OUTPUT_OCTETS)
_NOTHING: Final[tuple[Hold, ...]] = ()


def in_drawing_order(buckets: Iterable[Bucket]) -> tuple[Bucket, ...]:
    """Sort buckets as they are to be drawn: priority, then the earlier expiry, then the id."""
    return tuple(sorted(buckets, key=lambda b: (b.priority, b.valid_until_ms or _FOR_EVER, b.bucket_id)))


def is_valid(bucket: Bucket, now_ms: int) -> bool:
    """Whether the bucket can pay at this moment."""
    return bucket.valid_from_ms <= now_ms and (not bucket.valid_until_ms or now_ms < bucket.valid_until_ms)


def pays_units(bucket: Bucket, unit_type: UnitType, allowances: Collection[str]) -> bool:
    """Whether the bucket is an allowance of this kind of unit that the rate admits."""
    if bucket.unit_type == _MONEY or bucket.allowance not in allowances:
        return False
    return bucket.unit_type == unit_type or (bucket.unit_type in _OCTETS and unit_type in _OCTETS)


def money_balance(account: Account) -> int:
    """All money of the account, held or not, in micro-units."""
    return sum([bucket.value for bucket in account.buckets if bucket.unit_type == _MONEY])


class _Place(msgspec.Struct, gc=False):
    """A bucket, and what it holds while the decision lasts.

    Attributes:
        can_pay: it is valid at the moment of the decision.
    """

    bucket: Bucket
    value: int
    reserved: int
    can_pay: bool


class Purse:
    """The buckets, totals and event counter of one account in one decision.

    Attributes:
        money_balance: all money, held or not, in micro-units. money_before: the same before all moves.
        has_allowances: something beside money can pay. has_expiring_buckets: some bucket pays for a time only.

    Args:
        account: as the store has it.
        now_ms: wall time of the decision, epoch milliseconds: what is expired is judged by it.
    """

    __slots__ = (
        "_has_invalid_buckets",
        "_is_changed",
        "_origin",
        "_places",
        "_sequence",
        "_totals",
        "has_allowances",
        "has_expiring_buckets",
        "money_balance",
        "money_before",
        "now_ms",
    )

    def __init__(self, account: Account, now_ms: int) -> None:
        self._origin = account
        self._totals = account.totals
        self._sequence = account.sequence
        self._is_changed = self._has_invalid_buckets = False
        self.now_ms = now_ms
        self.has_expiring_buckets = self.has_allowances = False
        self._places: list[_Place] = []
        balance = 0
        for bucket in account.buckets:
            value, can_pay = bucket.value, True
            if bucket.unit_type is _MONEY:
                balance += value
            else:
                self.has_allowances = True
            if bucket.valid_until_ms or bucket.valid_from_ms:
                self.has_expiring_buckets = True
                if not is_valid(bucket, now_ms):
                    can_pay, self._has_invalid_buckets = False, True
            self._places.append(_Place(bucket, value, bucket.reserved, can_pay))
        self.money_balance = self.money_before = balance

    @property
    def account_id(self) -> str:
        """Whose purse it is."""
        return self._origin.account_id

    @property
    def currency(self) -> str:
        """ISO 4217 code of its money."""
        return self._origin.currency

    @property
    def credit_limit_micro(self) -> int:
        """How far its money may go below zero."""
        return self._origin.credit_limit_micro

    @property
    def auto_top_up(self) -> AutoTopUp | None:
        """What the holder ordered for when money runs low."""
        return self._origin.auto_top_up

    def drawn_allowances(self) -> list[tuple[Bucket, int]]:
        """Allowances that lost units to use, as they were, each with what it holds now; those that count parts."""
        return [
            (place.bucket, place.value)
            for place in self._places
            if place.bucket.initial and place.can_pay and place.value < place.bucket.value
        ]

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """The buckets as they are now, in drawing order."""
        buckets: list[Bucket] = []
        for place in self._places:
            bucket, value, reserved = place.bucket, place.value, place.reserved
            if value != bucket.value or reserved != bucket.reserved:
                bucket = Bucket(
                    bucket.bucket_id,
                    bucket.unit_type,
                    value,
                    reserved,
                    bucket.allowance,
                    bucket.priority,
                    bucket.valid_from_ms,
                    bucket.valid_until_ms,
                    bucket.initial,
                    bucket.origins,
                )
            buckets.append(bucket)
        return tuple(buckets)

    def account(self) -> Account:
        """The account after all moves; the very account it started from when there was none."""
        a = self._origin
        if not self._is_changed:
            return a
        return Account(
            a.account_id,
            a.currency,
            a.state,
            self._sequence,
            self.buckets,
            self._totals,
            a.credit_limit_micro,
            a.since_ms,
            a.active_until_ms,
            a.auto_top_up,
        )

    def next_sequence(self) -> int:
        """Count one more charge event, and return its number."""
        self._is_changed = True
        self._sequence += 1
        return self._sequence

    # --- Looking ----------------------------------------------------------------------------------------

    def available_money(self) -> int:
        """Money that no session holds, plus the credit limit, in micro-units; negative after an overrun."""
        available = self._origin.credit_limit_micro
        for place in self._places:
            if place.can_pay and place.bucket.unit_type is _MONEY:
                available += place.value - place.reserved
        return available

    def plan_units(
        self, unit_type: UnitType, allowances: Collection[str], wanted: int, own: tuple[Hold, ...] = _NOTHING
    ) -> tuple[tuple[Hold, ...], int]:
        """Choose which allowances give ``wanted`` units.

        Args:
            own: what the caller's grant was made from: those buckets may still pay for it after they expired.

        Returns:
            What to take from which bucket, and the sum, which is less than ``wanted`` when they hold less.
        """
        if not allowances or wanted <= 0:
            return _NOTHING, 0
        parts: list[Hold] = []
        missing = wanted
        for place in self._places:
            bucket = place.bucket
            if not pays_units(bucket, unit_type, allowances):
                continue
            if not place.can_pay and not _is_held(bucket, own):
                continue
            amount = min(missing, place.value - place.reserved)
            if amount > 0:
                parts.append(Hold(bucket.bucket_id, amount))
                missing -= amount
                if not missing:
                    break
        return tuple(parts), wanted - missing

    def plan_money(self, amount_micro: int, own: tuple[Hold, ...] = _NOTHING) -> tuple[Hold, ...]:
        """Choose which money buckets give an amount; the last valid one takes what none covers.

        The caller has checked what can be afforded, or means to record an overrun (RFC 8506 section 8.19: used
        units may exceed the grant).

        Raises:
            LedgerInvariantError: the account has no money bucket at all.
        """
        if amount_micro <= 0:
            return _NOTHING
        parts = _NOTHING
        missing = amount_micro
        last = ""
        for place in self._places:
            bucket = place.bucket
            if bucket.unit_type is not _MONEY or not (place.can_pay or _is_held(bucket, own)):
                continue
            last = bucket.bucket_id
            free = place.value - place.reserved
            if free >= missing:
                return (*parts, Hold(last, missing))
            if free > 0:
                parts += (Hold(last, free),)
                missing -= free
        if not last:
            raise LedgerInvariantError(f"account {self.account_id} has no money bucket")
        if parts and parts[-1].bucket_id == last:
            return (*parts[:-1], Hold(last, parts[-1].amount + missing))
        return (*parts, Hold(last, missing))

    # --- Moving -----------------------------------------------------------------------------------------

    def reserve(self, holds: tuple[Hold, ...]) -> None:
        """Set amounts aside; nothing leaves the account."""
        for hold in holds:
            self._place_of(hold.bucket_id).reserved += hold.amount
            self._is_changed = True

    def release(self, holds: tuple[Hold, ...]) -> None:
        """Give back what a session had set aside.

        Raises:
            LedgerInvariantError: a bucket would hold less than nothing, or is gone while held.
        """
        for hold in holds:
            place = self._place_of(hold.bucket_id)
            place.reserved = reserved = place.reserved - hold.amount
            self._is_changed = True
            if reserved < 0:
                raise LedgerInvariantError(
                    f"bucket {hold.bucket_id} of {self.account_id}: reserved {reserved}"
                )

    def debit(self, parts: tuple[Hold, ...]) -> tuple[BucketMovement, ...]:
        """Take amounts out of buckets for good, and count them in the totals."""
        if not parts:
            return ()
        return tuple([self._move(part.bucket_id, -part.amount) for part in parts])

    def credit(self, parts: tuple[Hold, ...]) -> tuple[BucketMovement, ...]:
        """Put amounts into existing buckets, and count them in the totals."""
        return tuple([self._move(part.bucket_id, part.amount) for part in parts])

    def _move(self, bucket_id: str, amount: int) -> BucketMovement:
        place = self._place_of(bucket_id)
        unit_type = place.bucket.unit_type
        place.value = value = place.value + amount
        if unit_type is _MONEY:
            self.money_balance += amount
        elif value < 0:
            raise LedgerInvariantError(f"allowance {bucket_id} of {self.account_id} below zero: {value}")
        self._is_changed = True
        if amount < 0:
            self._count(unit_type, 0, -amount, 0)
        else:
            self._count(unit_type, amount, 0, 0)
        return BucketMovement(bucket_id, unit_type, amount, value)

    def add_bucket(self, bucket: Bucket) -> BucketMovement:
        """Give the account a new bucket with what it holds.

        Raises:
            LedgerInvariantError: the id is taken, or the bucket starts with a reservation.
        """
        places = {place.bucket.bucket_id: place for place in self._places}
        if bucket.reserved or bucket.bucket_id in places:
            raise LedgerInvariantError(f"bucket {bucket.bucket_id} of {self.account_id} cannot be added")
        self._count(bucket.unit_type, bucket.value, 0, 0)
        if bucket.unit_type is _MONEY:
            self.money_balance += bucket.value
        can_pay = is_valid(bucket, self.now_ms)
        self._has_invalid_buckets |= not can_pay
        places[bucket.bucket_id] = _Place(bucket, bucket.value, 0, can_pay)
        ordered = in_drawing_order(place.bucket for place in places.values())
        self._places = [places[each.bucket_id] for each in ordered]
        self._is_changed = True
        return BucketMovement(bucket.bucket_id, bucket.unit_type, bucket.value, bucket.value)

    def remove_bucket(self, bucket_id: str) -> None:
        """Take an empty bucket off the account.

        Raises:
            LedgerInvariantError: it is not empty.
        """
        place = self._place_of(bucket_id)
        if place.value or place.reserved:
            raise LedgerInvariantError(f"bucket {bucket_id} of {self.account_id} is not empty")
        self._places.remove(place)
        self._is_changed = True

    def expire(self) -> tuple[BucketMovement, ...]:
        """Take out what expired buckets still hold beyond open reservations, and drop those left empty.

        What a session holds in an expired bucket stays until that session reports or ends: it was granted in time.
        """
        if not self._has_invalid_buckets:
            return ()
        kept: list[_Place] = []
        movements: list[BucketMovement] = []
        for place in self._places:
            bucket = place.bucket
            if not bucket.valid_until_ms or bucket.valid_until_ms > self.now_ms:
                kept.append(place)
                continue
            lost = max(0, place.value - place.reserved)
            if lost:
                self._count(bucket.unit_type, 0, 0, lost)
                place.value -= lost
                if bucket.unit_type is _MONEY:
                    self.money_balance -= lost
                movements.append(BucketMovement(bucket.bucket_id, bucket.unit_type, -lost, place.value))
            if place.value or place.reserved:
                kept.append(place)
        if movements or len(kept) != len(self._places):
            self._is_changed = True
            self._places = kept
        return tuple(movements)

    def _count(self, unit_type: UnitType, credited: int, debited: int, expired: int) -> None:
        totals = self._totals
        for index, t in enumerate(totals):
            if t.unit_type is unit_type:
                total = Total(unit_type, t.credited + credited, t.debited + debited, t.expired + expired)
                self._totals = (*totals[:index], total, *totals[index + 1 :])
                return
        self._totals = (*totals, Total(unit_type, credited, debited, expired))

    def _place_of(self, bucket_id: str) -> _Place:
        for place in self._places:
            if place.bucket.bucket_id == bucket_id:
                return place
        raise LedgerInvariantError(f"account {self.account_id} has no bucket {bucket_id}")


def _is_held(bucket: Bucket, holds: tuple[Hold, ...]) -> bool:
    return any(hold.bucket_id == bucket.bucket_id for hold in holds)


def check_invariants(account: Account) -> None:
    """Check what must hold for ever: totals explain the values, nothing is reserved below zero.

    Raises:
        LedgerInvariantError: naming the account and the figures.
    """
    values: dict[UnitType, int] = {}
    for bucket in account.buckets:
        values[bucket.unit_type] = values.get(bucket.unit_type, 0) + bucket.value
        if bucket.reserved < 0 or (bucket.unit_type != _MONEY and bucket.value < bucket.reserved):
            raise LedgerInvariantError(f"bucket {bucket} of {account.account_id}")
    for t in account.totals:
        if values.pop(t.unit_type, 0) != t.credited - t.debited - t.expired:
            raise LedgerInvariantError(f"totals of {account.account_id} do not explain its balance: {t}")
    # What is left has no total at all, and money of opposite signs must not hide in a sum.
    if values and any(bucket.value for bucket in account.buckets if bucket.unit_type in values):
        raise LedgerInvariantError(f"balance of {account.account_id} without totals: {values}")
