"""In which state a directory number is, and what may be done with it. Pure."""

import enum
from typing import Final

from ocs.inventory.errors import InUseError


class NumberState(enum.StrEnum):
    """Where a number is between two subscribers."""

    AVAILABLE = "available"
    RESERVED = "reserved"  # for somebody, until a moment
    ASSIGNED = "assigned"
    QUARANTINED = "quarantined"  # whoever had it may still be called, until a moment
    PORTED_OUT = "ported-out"  # another network serves it


class NumberDeed(enum.StrEnum):
    """What may be done with a number."""

    RESERVE = "reserve"
    RELEASE = "release"  # what was reserved
    ASSIGN = "assign"
    WITHDRAW = "withdraw"  # from its subscriber
    PORT_OUT = "port out"
    PORT_BACK = "port back"
    RECOVER = "recover"  # when its time is over


_STATE = NumberState
TRANSITIONS: Final = {
    (_STATE.AVAILABLE, NumberDeed.RESERVE): _STATE.RESERVED,
    (_STATE.AVAILABLE, NumberDeed.ASSIGN): _STATE.ASSIGNED,
    (_STATE.RESERVED, NumberDeed.RELEASE): _STATE.AVAILABLE,
    (_STATE.RESERVED, NumberDeed.ASSIGN): _STATE.ASSIGNED,
    (_STATE.RESERVED, NumberDeed.RECOVER): _STATE.AVAILABLE,
    (_STATE.ASSIGNED, NumberDeed.WITHDRAW): _STATE.QUARANTINED,
    (_STATE.ASSIGNED, NumberDeed.PORT_OUT): _STATE.PORTED_OUT,
    # Whoever had it may take it along for some time after the contract's end.
    (_STATE.QUARANTINED, NumberDeed.PORT_OUT): _STATE.PORTED_OUT,
    (_STATE.QUARANTINED, NumberDeed.ASSIGN): _STATE.ASSIGNED,
    (_STATE.QUARANTINED, NumberDeed.RECOVER): _STATE.AVAILABLE,
    # The subscriber came back, or gave it up there: it returns to whom its range belongs, and rests.
    (_STATE.PORTED_OUT, NumberDeed.PORT_BACK): _STATE.QUARANTINED,
}


def after(number: str, state: NumberState, deed: NumberDeed) -> NumberState:
    """The state of a number after a deed.

    Raises:
        InUseError: in its state that cannot be done.
    """
    reached = TRANSITIONS.get((state, deed))
    if reached is None:
        raise InUseError(f"{number}: a number that is {state} cannot be {_PAST[deed]}")
    return reached


_PAST: Final = {
    NumberDeed.RESERVE: "reserved",
    NumberDeed.RELEASE: "released",
    NumberDeed.ASSIGN: "assigned",
    NumberDeed.WITHDRAW: "withdrawn",
    NumberDeed.PORT_OUT: "ported out",
    NumberDeed.PORT_BACK: "ported back",
    NumberDeed.RECOVER: "recovered",
}
