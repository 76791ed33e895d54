"""Which transactions may begin."""

from ocs.provisioning.transactions.queue import BatchProgress, Choice, choose
from ocs.provisioning.transactions.record import Transaction, Work
from ocs.provisioning.transactions.states import TransactionState

NOW_MS = 1_000_000


def waiting(transaction_id: str, elements: str, **fields: int | str) -> Transaction:
    return Transaction(
        transaction_id=transaction_id,
        state=TransactionState.QUEUED,
        work=Work("lab", b""),
        description="",
        requested_by="",
        elements=tuple(elements.split()),
        **fields,  # type: ignore[arg-type]
    )


def chosen(
    *transactions: Transaction,
    busy: str = "",
    batches: dict[str, BatchProgress] | None = None,
    free_places: int = 10,
) -> Choice:
    return choose(
        transactions, busy=busy.split(), batches=batches or {}, now_ms=NOW_MS, free_places=free_places
    )


def ids(transactions: list[Transaction]) -> list[str]:
    return [one.transaction_id for one in transactions]


def test_transactions_over_other_elements_begin_together() -> None:
    assert ids(chosen(waiting("a", "pe1 pe2"), waiting("b", "pe3")).begin) == ["a", "b"]


def test_two_over_one_element_are_never_under_way_together() -> None:
    assert ids(chosen(waiting("a", "pe1 pe2"), waiting("b", "pe2 pe3")).begin) == ["a"]
    assert not chosen(waiting("a", "pe1"), busy="pe1").begin


def test_one_that_waits_is_not_overtaken_at_any_of_its_elements() -> None:
    found = chosen(waiting("a", "pe1 pe2"), waiting("b", "pe2"), waiting("c", "pe3"), busy="pe1")
    assert ids(found.begin) == ["c"]


def test_change_window_is_waited_for_and_holds_up_nobody() -> None:
    found = chosen(waiting("a", "pe1", not_before_ms=NOW_MS + 500), waiting("b", "pe1"))
    assert ids(found.begin) == ["b"]
    assert found.look_again_ms == NOW_MS + 500


def test_change_window_that_has_passed_is_told() -> None:
    found = chosen(waiting("a", "pe1", not_after_ms=NOW_MS - 1), waiting("b", "pe1"))
    assert (ids(found.late), ids(found.begin)) == (["a"], ["b"])


def test_places_are_bounded() -> None:
    found = chosen(waiting("a", "pe1"), waiting("b", "pe2"), waiting("c", "pe3"), free_places=2)
    assert ids(found.begin) == ["a", "b"]


def test_batch_waits_for_its_canaries() -> None:
    members = [waiting(f"m{place}", f"pe{place}", batch_id="roll", batch_place=place) for place in range(3)]
    first = chosen(*members, batches={"roll": BatchProgress(1, 0, 0, 0)})
    assert ids(first.begin) == ["m0"]
    rest = chosen(*members[1:], batches={"roll": BatchProgress(1, 0, 1, 0)})
    assert ids(rest.begin) == ["m1", "m2"]


def test_batch_stops_when_more_have_failed_than_it_allows() -> None:
    member = waiting("m5", "pe5", batch_id="roll", batch_place=5)
    assert ids(chosen(member, batches={"roll": BatchProgress(1, 1, 1, 1)}).begin) == ["m5"]
    assert ids(chosen(member, batches={"roll": BatchProgress(1, 1, 1, 2)}).stopped) == ["m5"]


def test_canary_that_failed_within_the_bound_still_holds_back_the_rest() -> None:
    member = waiting("m5", "pe5", batch_id="roll", batch_place=5)
    found = chosen(member, batches={"roll": BatchProgress(2, 3, 1, 1)})
    assert not found.begin
    assert not found.stopped
