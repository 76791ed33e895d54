"""The steps of a transaction as they are told: for progress, for logs, and for tests that break it at each of them."""

import enum
from collections.abc import Callable
from typing import TypeAlias


class Step(enum.Enum):
    """One thing that is about to happen, to one element or (without one) to the journal."""

    START = "start"  # journal
    CONNECT = "connect"
    BEGIN = "begin"
    READ = "read"
    STAGE = "stage"
    VALIDATE = "validate"
    JOURNAL = "journal"  # what stood there, and that activation begins
    ACTIVATE = "activate"
    VERIFY = "verify"
    DECIDE = "decide"  # journal
    CONFIRM = "confirm"
    RELEASE = "release"
    UNDO = "undo"
    SETTLE = "settle"
    FINISH = "finish"  # journal


# Called just before a step, with the transaction's id and the element's name, which is empty for the journal's steps.
NoteStep: TypeAlias = Callable[[str, str, Step], None]


def note_nothing(transaction_id: str, element: str, step: Step) -> None:
    """Nobody wants to know."""
    del transaction_id, element, step
