"""Every state with every event."""

import pytest

from ocs.provisioning.transactions.states import (
    FINAL,
    HOLDS_ELEMENTS,
    TRANSITIONS,
    TransactionEvent,
    TransactionState,
    next_state,
)


@pytest.mark.parametrize("event", TransactionEvent)
@pytest.mark.parametrize("state", TransactionState)
def test_event_leads_where_the_table_says_or_is_a_fault_of_ours(
    state: TransactionState, event: TransactionEvent
) -> None:
    if (state, event) in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[state, event]
        return
    with pytest.raises(KeyError):
        next_state(state, event)


def test_nothing_leads_out_of_a_final_state_and_every_other_state_leads_to_one() -> None:
    leaving = {state for state, _ in TRANSITIONS}
    assert leaving == set(TransactionState) - FINAL
    for state in leaving:
        reached = {state}
        while new := {to for (since, _), to in TRANSITIONS.items() if since in reached} - reached:
            reached |= new
        assert reached & FINAL


def test_nothing_is_undone_after_the_decision_and_nothing_decided_after_undoing_began() -> None:
    assert {to for (since, _), to in TRANSITIONS.items() if since is TransactionState.DECIDED} == {
        TransactionState.DONE
    }
    assert {to for (since, _), to in TRANSITIONS.items() if since is TransactionState.ROLLING_BACK} == {
        TransactionState.ROLLED_BACK
    }


def test_elements_are_held_exactly_between_the_queue_and_the_end() -> None:
    assert set(TransactionState) == FINAL | HOLDS_ELEMENTS | {TransactionState.QUEUED}
