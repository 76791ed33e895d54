"""How far transactions have come, for those who watch: the last step of each element. In memory, bounded."""

from collections import OrderedDict

from ocs.limits import PROGRESS_TRANSACTIONS_MAX
from ocs.provisioning.transactions.steps import Step


class Progress:
    """Collects the steps that transactions note."""

    def __init__(self) -> None:
        self._steps: OrderedDict[str, dict[str, str]] = OrderedDict()

    def note(self, transaction_id: str, element: str, step: Step) -> None:
        """See :data:`~ocs.provisioning.transactions.steps.NoteStep`."""
        steps = self._steps.setdefault(transaction_id, {})
        steps[element] = step.value
        self._steps.move_to_end(transaction_id)
        while len(self._steps) > PROGRESS_TRANSACTIONS_MAX:
            self._steps.popitem(last=False)

    def snapshot(self) -> dict[str, dict[str, str]]:
        """Transaction -> element -> its last step; the journal's own steps stand under an empty name."""
        return {transaction_id: dict(steps) for transaction_id, steps in self._steps.items()}
