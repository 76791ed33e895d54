"""Money with an end, audited: it is spent or it expires, and never becomes money without one.

What was drawn for a reservation or a paid week is kept here bucket by bucket; what comes back of it is the last that was
drawn, and goes back to what ended when it did. What comes back too late expires in the same commit.
"""

from collections import Counter
from collections.abc import Iterable

from ocs.balance.model import Account, Bucket
from ocs.events import BucketMovement, ChargeEvent, EventKind
from ocs.units import UnitType
from tests.support.books import check

# What tests/simulation/story_catalogue.py says: what a top-up of so much brings, and for how long.
BONUS, BONUS_AT_LEAST, BONUS_MICRO, BONUS_MS = "bonus.short", 100_000, 50_000, 86_400_000
SET_ASIDE = "set-aside."
# Clerks look at the clock some calls before their commit.
_SLACK_MS = 15_000
# A worker's clock may be so much ahead or behind.
WORKER_SLACK_MS = 920_000

# End in epoch milliseconds (0 is none) and amount, in the order of drawing.
Drawn = list[tuple[int, int]]


def is_money(bucket_id: str) -> bool:
    """Whether a bucket pays for anything in money."""
    return bucket_id == "main" or bucket_id.partition("#")[0] == BONUS


class Expiring:
    """The buckets with an end of one line of commits."""

    def __init__(self, tally: Counter[str]) -> None:
        self._tally = tally
        self._accounts: dict[str, Account] = {}
        self._reservations: dict[tuple[str, str], Drawn] = {}
        self._after: dict[str, dict[str, Bucket]] = {}

    def before(self, account_id: str) -> dict[str, Bucket]:
        """An account's buckets as they stood before the commit that is looked at."""
        account = self._accounts.get(account_id)
        return {} if account is None else {bucket.bucket_id: bucket for bucket in account.buckets}

    def committed(self, accounts: Iterable[Account], events: list[ChargeEvent], at_ms: int) -> None:
        """Accounts were written: whatever moved in them kept its end."""
        accounts = list(accounts)
        self._after = {a.account_id: {b.bucket_id: b for b in a.buckets} for a in accounts}
        for event in events:
            if event.kind is EventKind.TRANSFER and event.event_id.startswith("transfer:"):
                ends = self.drawn(event)
                check(all(not end_ms for end_ms, _ in ends), "sent, and it would have expired:", event, ends)
            elif event.kind is EventKind.TOP_UP:
                self._check_bonus(event, at_ms)
            self._check_in_time(event, at_ms)
            self._check_reservation(event, events, at_ms)

    def settled(self, accounts: Iterable[Account]) -> None:
        """The commit that was looked at has become what stands."""
        self._accounts |= {account.account_id: account for account in accounts}

    def drawn(self, event: ChargeEvent) -> Drawn:
        """What money an event took, with its ends."""
        buckets = self.before(event.account_id)
        return [
            (buckets[m.bucket_id].valid_until_ms, -m.amount)
            for m in event.movements
            if m.amount < 0 and is_money(m.bucket_id)
        ]

    def check_back(
        self, event: ChargeEvent, drawn: Drawn, amount: int, events: list[ChargeEvent], at_ms: int
    ) -> None:
        """So much of what was drawn has come back: the last of it, each part to what ends when it did."""
        due: Counter[int] = Counter()
        for end_ms, part in reversed(drawn):
            back = min(part, amount)
            amount -= back
            due[end_ms] += back
        due[0] += amount
        came: Counter[int] = Counter()
        for movement in event.movements:
            if movement.amount > 0 and is_money(movement.bucket_id):
                came[self._end_of(event.account_id, movement, events)] += movement.amount
        late = {end_ms for end_ms in due | came if end_ms and end_ms <= at_ms + _SLACK_MS}
        for end_ms in (due | came).keys() - late:
            check(came[end_ms] == due[end_ms], "came back with another end:", event, "due", due, "came", came)
        lost = sum(due[end_ms] for end_ms in late)
        check(sum(came[end_ms] for end_ms in late) == lost, "came back, and not as late:", event, due, came)
        self._tally["came back with its end"] += any(end_ms for end_ms, _ in drawn)
        self._tally["came back too late"] += bool(lost)

    def _end_of(self, account_id: str, movement: BucketMovement, events: list[ChargeEvent]) -> int:
        """When what came into a bucket ends; -1 of one that is gone again with the same commit."""
        for buckets in (self._after.get(account_id, {}), self.before(account_id)):
            if movement.bucket_id in buckets:
                return buckets[movement.bucket_id].valid_until_ms
        taken = [
            m for event in events if event.kind is EventKind.EXPIRY for m in event.movements
            if event.account_id == account_id and m.bucket_id == movement.bucket_id and not m.balance_after
        ]  # fmt: skip
        check(len(taken) == 1, "came into a bucket that there is not:", movement)
        return -1

    # --- What brings and takes it ---------------------------------------------------------------------------

    def _check_bonus(self, event: ChargeEvent, at_ms: int) -> None:
        """A top-up at a clerk's desk brings its bonus, which ends a day later."""
        came = {m.bucket_id: m.amount for m in event.movements}
        paid = came.pop("main", 0)
        # Vouchers, and what an operator puts on an account past the desk, bring none; nor does what is refused.
        is_plain = event.event_id.startswith("voucher:") or ":card-" in event.event_id or bool(event.reason)
        brings = paid >= BONUS_AT_LEAST and not is_plain
        money = {bucket_id: amount for bucket_id, amount in came.items() if is_money(bucket_id)}
        check(sum(money.values()) == (BONUS_MICRO if brings else 0), "bonus of", event)
        for bucket_id in money:
            end_ms = self._after[event.account_id][bucket_id].valid_until_ms
            check(abs(end_ms - at_ms - BONUS_MS) <= _SLACK_MS, "a bonus ends", end_ms, event)
            self._tally["bonuses with an end"] += 1

    def _check_in_time(self, event: ChargeEvent, at_ms: int) -> None:
        """What has expired pays for nothing but what was granted before."""
        if event.kind is EventKind.EXPIRY:
            return
        slack_ms = WORKER_SLACK_MS if event.session_id else _SLACK_MS
        buckets = self.before(event.account_id)
        for movement in event.movements:
            bucket = buckets.get(movement.bucket_id)
            if bucket is None or movement.amount >= 0 or not bucket.valid_until_ms:
                continue
            is_over = bucket.valid_until_ms <= at_ms - slack_ms
            if is_over and is_money(movement.bucket_id):
                check(
                    bool(event.session_id and bucket.reserved), "paid with what has expired:", event, bucket
                )

    def _check_reservation(self, event: ChargeEvent, events: list[ChargeEvent], at_ms: int) -> None:
        for movement in event.movements:
            if not movement.bucket_id.startswith(SET_ASIDE):
                continue
            place = event.account_id, movement.bucket_id
            if event.kind is EventKind.TOP_UP:
                self._reservations[place] = [(0, movement.amount)]
            elif event.kind is EventKind.ADJUSTMENT:
                self._reservations[place] = _less(self._reservations.pop(place, []), -movement.amount)
            elif movement.amount > 0:
                self._reservations[place] = self.drawn(event)
            else:
                drawn = self._reservations.pop(place, [])
                self.check_back(event, drawn, -movement.amount, events, at_ms)

    # --- What stands ------------------------------------------------------------------------------------------

    def check_gone(self, events: list[ChargeEvent], at_ms: int) -> None:
        """What has come back into what is over does not lie there."""
        for event in events:
            if event.kind not in {EventKind.RESERVATION, EventKind.FEE, EventKind.TRANSFER}:
                continue
            for movement in event.movements:
                bucket = self._after.get(event.account_id, {}).get(movement.bucket_id)
                if bucket is None or movement.amount <= 0 or bucket.unit_type is not UnitType.MONEY:
                    continue
                is_over = 0 < bucket.valid_until_ms <= at_ms - _SLACK_MS
                check(not is_over or bucket.value <= bucket.reserved, "expired, and lives again:", bucket)


def _less(drawn: Drawn, amount: int) -> Drawn:
    """What is left when so much was taken: what was drawn first goes first."""
    left: Drawn = []
    for end_ms, part in drawn:
        taken = min(part, amount)
        amount -= taken
        if part > taken:
            left.append((end_ms, part - taken))
    return left
