"""The states of a transaction as a table, and what each promises after a crash.

Presumed abort: without the decision in the database everything is undone; with it everything is carried forward, from
whatever session, for as long as it takes.
"""

import enum
from typing import Final


class TransactionState(enum.Enum):
    """Each is written durably before anything of the next one begins."""

    QUEUED = "queued"
    PREPARING = "preparing"  # locked, staged, validated: nothing that runs has changed
    ACTIVATING = "activating"  # elements may run the change; a crash undoes it
    DECIDED = "decided"  # it lasts; elements may lack its confirmation
    DONE = "done"
    ROLLING_BACK = "rolling-back"  # it does not last; elements may still run it
    ROLLED_BACK = "rolled-back"
    REFUSED = "refused"  # nothing was changed
    CANCELLED = "cancelled"  # by an operator, or with its batch, before it began


class TransactionEvent(enum.Enum):
    """What moves a transaction."""

    STARTED = "started"
    POSTPONED = "postponed"  # somebody else holds an element, or it cannot be reached: later again
    REFUSED = "refused"
    CANCELLED = "cancelled"
    PREPARED = "prepared"
    FAILED = "failed"
    VERIFIED = "verified"
    CONFIRMED = "confirmed"  # on every element
    RESTORED = "restored"  # every element


_S: Final = TransactionState
_E: Final = TransactionEvent

TRANSITIONS: Final = {
    (_S.QUEUED, _E.STARTED): _S.PREPARING,
    (_S.QUEUED, _E.CANCELLED): _S.CANCELLED,
    (_S.PREPARING, _E.POSTPONED): _S.QUEUED,
    (_S.PREPARING, _E.REFUSED): _S.REFUSED,
    (_S.PREPARING, _E.PREPARED): _S.ACTIVATING,
    (_S.ACTIVATING, _E.VERIFIED): _S.DECIDED,
    (_S.ACTIVATING, _E.FAILED): _S.ROLLING_BACK,
    (_S.DECIDED, _E.CONFIRMED): _S.DONE,
    (_S.ROLLING_BACK, _E.RESTORED): _S.ROLLED_BACK,
}

# After these nothing more happens, and the elements are free for others.
FINAL: Final = frozenset({_S.DONE, _S.ROLLED_BACK, _S.REFUSED, _S.CANCELLED})
# In these a transaction holds its elements: no other may touch them.
HOLDS_ELEMENTS: Final = frozenset({_S.PREPARING, _S.ACTIVATING, _S.DECIDED, _S.ROLLING_BACK})


def next_state(state: TransactionState, event: TransactionEvent) -> TransactionState:
    """Where an event leads.

    Raises:
        KeyError: the event does not happen in that state: a fault of ours.
    """
    return TRANSITIONS[state, event]
