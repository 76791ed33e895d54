"""What the journal holds of a transaction."""

import msgspec

from ocs.provisioning.configuration import Configuration, ConfigurationDiff
from ocs.provisioning.transactions.states import TransactionState


class Work(msgspec.Struct, frozen=True):
    """What is wanted, as data: the plan for the elements is made when its turn comes, from what stands by then.

    Attributes:
        kind: who plans and records it: a :class:`~ocs.provisioning.transactions.planner.Planner`. payload: for it.
    """

    kind: str
    payload: bytes


class ElementPlan(msgspec.Struct, frozen=True):
    """What one element is to become.

    Attributes:
        forward: the change; empty: the element is only kept from other transactions meanwhile.
        expected: values that must stand there beforehand; another one is drift, and refused.
    """

    element: str
    forward: ConfigurationDiff
    expected: dict[str, str | None] = {}


class Plan(msgspec.Struct, frozen=True):
    """What a piece of work means.

    Attributes:
        elements: those that it changes, by name, each once. effects: what is recorded in the very transaction of the
            database that decides; for the planner that made it.
    """

    elements: tuple[ElementPlan, ...]
    effects: bytes = b""


class Participant(msgspec.Struct, frozen=True, kw_only=True):
    """One element's part in a transaction.

    Attributes:
        before: what stood at the touched paths when the change was prepared; None until then. is_settled: it has what
            was decided, for good. reason: why it has not.
    """

    element: str
    forward: ConfigurationDiff
    before: Configuration | None = None
    is_settled: bool = False
    reason: str = ""


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction as the journal has it.

    Attributes:
        transaction_id: at most 32 of a-z 0-9 -; it is the persist-id of confirmed commits too.
        priority: higher first. not_before_ms, not_after_ms: the change window; 0: none. batch: the batch's id and
            its place there. attempts: how often it was begun. reason: of its last failure.
    """

    transaction_id: str
    state: TransactionState
    work: Work
    description: str
    requested_by: str
    elements: tuple[str, ...]
    priority: int = 0
    not_before_ms: int = 0
    not_after_ms: int = 0
    batch_id: str = ""
    batch_place: int = 0
    attempts: int = 0
    created_ms: int = 0
    changed_ms: int = 0
    reason: str = ""
    effects: bytes = b""
    participants: tuple[Participant, ...] = ()
