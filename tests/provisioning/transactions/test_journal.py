"""The journal in both kinds of database.

Covers ``tables`` too.
"""

import pytest

from ocs.provisioning.configuration import ConfigurationDiff
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.batches import Batch, add_batch, progress_of
from ocs.provisioning.transactions.journal import LeaseLostError, UnknownTransactionError
from ocs.provisioning.transactions.queue import BatchProgress
from ocs.provisioning.transactions.record import ElementPlan, Plan, Transaction, Work
from ocs.provisioning.transactions.states import TransactionEvent, TransactionState
from ocs.sql import Database


def transaction(transaction_id: str, **fields: object) -> Transaction:
    return Transaction(
        **{  # type: ignore[arg-type]
            "transaction_id": transaction_id,
            "state": TransactionState.QUEUED,
            "work": Work("lab", b"\x00\xff"),
            "description": "a change",
            "requested_by": "somebody",
            "elements": ("pe1", "pe2"),
            "created_ms": 5,
            "changed_ms": 5,
            **fields,
        }
    )


def add(database: Database, *transactions: Transaction) -> None:
    for one in transactions:
        database.write_blocking(lambda connection, one=one: journal.add_transaction(connection, one))


def move(
    database: Database, transaction_id: str, *events: TransactionEvent, fence: int | None = None
) -> None:
    for event in events:
        database.write_blocking(
            lambda connection, event=event: journal.move(
                connection, transaction_id, event, now_ms=9, fence=fence, reason="because"
            )
        )


def take_lease(database: Database, owner: str, now_ms: int) -> int | None:
    return database.write_blocking(
        lambda connection: journal.take_lease(connection, owner, now_ms=now_ms, until_ms=now_ms + 10)
    )


def test_what_is_queued_is_read_again(database: Database) -> None:
    one = transaction("t1", priority=3, not_before_ms=7, not_after_ms=8, batch_id="b", batch_place=2)
    add(database, one)
    assert database.read_blocking(lambda connection: journal.read_transaction(connection, "t1")) == one


def test_request_that_is_repeated_is_queued_once(database: Database) -> None:
    add(database, transaction("t1"))
    move(database, "t1", TransactionEvent.STARTED)
    add(database, transaction("t1", description="another"))
    found = database.read_blocking(lambda connection: journal.read_transaction(connection, "t1"))
    assert (found.state, found.description, found.attempts) == (TransactionState.PREPARING, "a change", 1)


def test_queue_is_in_order_of_priority_then_age_then_place(database: Database) -> None:
    add(
        database,
        transaction("late", created_ms=9),
        transaction("early", created_ms=2),
        transaction("second", created_ms=2, batch_place=1),
        transaction("urgent", created_ms=9, priority=1),
    )
    found = database.read_blocking(lambda connection: journal.queued(connection, now_ms=10**15, limit=10))
    assert [one.transaction_id for one in found] == ["urgent", "early", "second", "late"]


def test_what_a_crash_leaves_is_found_with_its_participants(database: Database) -> None:
    add(database, transaction("t1"), transaction("t2"))
    diff = ConfigurationDiff({"/m:x": None, "/m:y": "2"}, ("/m:z",))
    move(database, "t2", TransactionEvent.STARTED)
    plan = Plan(
        (ElementPlan("pe9", diff), ElementPlan("pe8", diff), ElementPlan("pe7", ConfigurationDiff())),
        b"effects",
    )
    database.write_blocking(lambda connection: journal.write_plan(connection, "t2", plan))
    database.write_blocking(
        lambda connection: journal.write_before(connection, "t2", {"pe9": {"/m:y": "1", "/m:e": None}})
    )
    database.write_blocking(lambda connection: journal.note_trouble(connection, "t2", "pe8", "away"))
    database.write_blocking(lambda connection: journal.note_settled(connection, "t2", "pe9"))
    (left,) = database.read_blocking(journal.unfinished)
    assert (left.transaction_id, left.elements, left.effects) == ("t2", ("pe7", "pe8", "pe9"), b"effects")
    pe7, pe8, pe9 = left.participants
    assert pe7.is_settled  # it need not be told of anything
    assert (pe8.element, pe8.before, pe8.is_settled, pe8.reason) == ("pe8", None, False, "away")
    assert (pe9.forward, pe9.before, pe9.is_settled) == (diff, {"/m:y": "1", "/m:e": None}, True)


def test_unknown_transaction_is_an_error(database: Database) -> None:
    with pytest.raises(UnknownTransactionError):
        database.read_blocking(lambda connection: journal.read_transaction(connection, "none"))
    with pytest.raises(UnknownTransactionError):
        move(database, "none", TransactionEvent.STARTED)


def test_one_owner_works_off_the_queue_until_its_lease_is_over(database: Database) -> None:
    assert take_lease(database, "a", 0) == 1
    assert take_lease(database, "b", 5) is None
    assert take_lease(database, "a", 5) == 1
    assert take_lease(database, "b", 16) == 2
    assert take_lease(database, "a", 17) is None
    database.write_blocking(lambda connection: journal.give_lease_back(connection, "b"))
    assert take_lease(database, "a", 18) == 3


def test_former_owner_writes_nothing_more(database: Database) -> None:
    add(database, transaction("t1"))
    take_lease(database, "a", 0)
    take_lease(database, "b", 16)
    with pytest.raises(LeaseLostError):
        move(database, "t1", TransactionEvent.STARTED, fence=1)
    move(database, "t1", TransactionEvent.STARTED, fence=2)


def test_progress_of_a_batch_counts_canaries_and_failures(database: Database) -> None:
    batch = Batch(batch_id="b", description="", requested_by="", canaries=2, failures_max=1, created_ms=1)
    database.write_blocking(lambda connection: add_batch(connection, batch))
    database.write_blocking(lambda connection: add_batch(connection, batch))
    add(database, *(transaction(f"t{place}", batch_id="b", batch_place=place) for place in range(4)))
    done = [
        TransactionEvent.STARTED,
        TransactionEvent.PREPARED,
        TransactionEvent.VERIFIED,
        TransactionEvent.CONFIRMED,
    ]
    move(database, "t0", *done)
    move(database, "t3", *done)
    move(database, "t2", TransactionEvent.STARTED, TransactionEvent.REFUSED)
    found = database.read_blocking(lambda connection: progress_of(connection, ["b", "", "none"]))
    assert found == {"b": BatchProgress(2, 1, 1, 1)}


def test_list_is_the_youngest_first_and_by_state(database: Database) -> None:
    add(database, transaction("old", created_ms=1), transaction("new", created_ms=2))
    move(database, "old", TransactionEvent.CANCELLED)

    def ids(**filters: object) -> list[str]:
        found = database.read_blocking(
            lambda connection: journal.list_transactions(connection, limit=5, **filters)  # type: ignore[arg-type]
        )
        return [one.transaction_id for one in found]

    assert ids() == ["new", "old"]
    assert ids(states=[TransactionState.CANCELLED]) == ["old"]
    assert ids(batch_id="b") == []


def test_lease_from_before_the_clock_was_set_back_keeps_nobody_out(database: Database) -> None:
    assert take_lease(database, "a", 1_000) == 1
    assert take_lease(database, "b", 995) is None  # two clocks that differ a little
    assert take_lease(database, "b", 500) == 2
