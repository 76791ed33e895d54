"""Books kept for events that are gone: credited, debited and expired, as the account's own totals count."""

from ocs.balance.checkpoints import (
    NOTHING_TRIMMED,
    Checkpoint,
    decode_checkpoint,
    encode_checkpoint,
)
from ocs.balance.entries import record_movement
from ocs.balance.model import Account, Bucket, Hold, LifecycleState, Total
from ocs.balance.purse import Purse
from ocs.events import BucketMovement, ChargeEvent, EventKind
from ocs.units import UnitType

MONEY, OCTETS = UnitType.MONEY, UnitType.TOTAL_OCTETS


def event(kind: EventKind, sequence: int, *movements: tuple[UnitType, int]) -> ChargeEvent:
    purse = Purse(Account("a", "EUR", LifecycleState.ACTIVE, sequence - 1, (), ()), 0)
    moved = tuple(BucketMovement("b", unit_type, amount, 0) for unit_type, amount in movements)
    return record_movement(purse, kind, moved, event_id=f"e{sequence}")


def test_credits_debits_and_expiries_are_counted_apart() -> None:
    books = (
        NOTHING_TRIMMED.after(event(EventKind.OPENING, 1, (MONEY, 100), (OCTETS, 50)))
        .after(event(EventKind.DEBIT, 2, (OCTETS, -20), (MONEY, -30)))
        .after(event(EventKind.TOP_UP, 3, (MONEY, 7)))
        .after(event(EventKind.EXPIRY, 4, (OCTETS, -30)))
    )
    assert books == Checkpoint(4, (Total(MONEY, 107, 30, 0), Total(OCTETS, 50, 20, 30)))


def test_unit_type_that_never_moved_has_totals_of_nothing() -> None:
    assert NOTHING_TRIMMED.total(MONEY) == Total(MONEY, 0, 0, 0)


def test_books_agree_with_the_totals_that_the_purse_keeps() -> None:
    """The purse counts while it moves, the checkpoint from the events: neither knows the other."""
    account = Account("a", "EUR", LifecycleState.ACTIVE, 0, (), ())
    purse = Purse(account, 0)
    movements = (
        purse.add_bucket(Bucket("main", MONEY, 100)),
        purse.add_bucket(Bucket("pack", OCTETS, 500, valid_until_ms=10)),
    )
    books = NOTHING_TRIMMED.after(record_movement(purse, EventKind.OPENING, movements, event_id="1"))
    debited = purse.debit((Hold("main", 130), Hold("pack", 100)))
    books = books.after(record_movement(purse, EventKind.DEBIT, debited, event_id="2"))
    later = Purse(purse.account(), 20)
    books = books.after(record_movement(later, EventKind.EXPIRY, later.expire(), event_id="3"))
    after = later.account()
    assert books == Checkpoint(after.sequence, after.totals)


def test_checkpoint_comes_back_from_the_store_as_it_was() -> None:
    books = Checkpoint(4, (Total(MONEY, 107, 30, 0),))
    assert decode_checkpoint(encode_checkpoint(books)) == books
