"""Steps are kept for those who watch, and not for ever."""

from ocs.limits import PROGRESS_TRANSACTIONS_MAX
from ocs.provisioning.progress import Progress
from ocs.provisioning.transactions.steps import Step


def test_last_step_of_each_element_is_told() -> None:
    progress = Progress()
    progress.note("t1", "pe1", Step.STAGE)
    progress.note("t1", "pe2", Step.STAGE)
    progress.note("t1", "pe1", Step.VALIDATE)
    assert progress.snapshot() == {"t1": {"pe1": "validate", "pe2": "stage"}}


def test_transaction_of_which_nothing_was_heard_for_longest_is_forgotten_first() -> None:
    progress = Progress()
    for number in range(PROGRESS_TRANSACTIONS_MAX):
        progress.note(f"t{number}", "pe1", Step.STAGE)
    progress.note("t0", "pe1", Step.VALIDATE)
    progress.note("new", "pe1", Step.STAGE)
    kept = progress.snapshot()
    assert len(kept) == PROGRESS_TRANSACTIONS_MAX
    assert "t0" in kept
    assert "t1" not in kept
