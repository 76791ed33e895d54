"""The responder's half of the peer state machine as a table (RFC 6733 section 5.6)."""

from enum import Enum, auto
from typing import Final


class State(Enum):
    """States of a connection; the RFC's Closing is told apart by who leaves and what is still owed."""

    WAIT_CER = auto()  # section 5.6.1
    OPEN = auto()  # R-Open
    CLOSING = auto()  # our DPR is out, its DPA is awaited
    FINISHING = auto()  # DPA came, answers in flight are still owed
    PEER_LEAVING = auto()  # the peer's DPR came, answers in flight and then DPA are owed
    PEER_LEFT = auto()  # DPA is sent: the peer hangs up (section 5.4)
    CLOSED = auto()


class Event(Enum):
    """What happens to a connection (RFC 6733 section 5.6.2)."""

    CER_ACCEPTED = auto()
    CER_REFUSED = auto()
    RECEIVED_DWR = auto()
    RECEIVED_DWA = auto()
    RECEIVED_DPR = auto()
    RECEIVED_DPA = auto()
    RECEIVED_REQUEST = auto()
    RECEIVED_ANSWER = auto()
    DRAINED = auto()  # no answer is owed
    STOP = auto()
    TIMEOUT = auto()
    PEER_DISCONNECTED = auto()


class Action(Enum):
    """What the machine asks for (RFC 6733 section 5.6.3)."""

    SEND_CEA = auto()
    SEND_DWA = auto()
    SEND_DPR = auto()
    SEND_DPA = auto()
    PROCESS = auto()
    PROCESS_DWA = auto()
    IGNORE = auto()
    DISCONNECT = auto()


_Event, _Action = Event, Action
_WAIT, _OPEN, _CLOSING, _FINISHING = State.WAIT_CER, State.OPEN, State.CLOSING, State.FINISHING
_LEAVING, _LEFT, _CLOSED = State.PEER_LEAVING, State.PEER_LEFT, State.CLOSED

# RFC 6733 section 5.6, the rows of R-Conn, R-Open and Closing: (state, event) -> (actions, next state).
TRANSITIONS: Final[dict[tuple[State, Event], tuple[tuple[Action, ...], State]]] = {
    # Section 5.6.1: discard the connection if anything but a CER arrives first.
    (_WAIT, _Event.CER_ACCEPTED): ((_Action.SEND_CEA,), _OPEN),
    (_WAIT, _Event.CER_REFUSED): ((_Action.SEND_CEA, _Action.DISCONNECT), _CLOSED),
    (_WAIT, _Event.RECEIVED_DWR): ((_Action.DISCONNECT,), _CLOSED),
    (_WAIT, _Event.RECEIVED_DWA): ((_Action.DISCONNECT,), _CLOSED),
    (_WAIT, _Event.RECEIVED_DPR): ((_Action.DISCONNECT,), _CLOSED),
    (_WAIT, _Event.RECEIVED_DPA): ((_Action.DISCONNECT,), _CLOSED),
    (_WAIT, _Event.RECEIVED_REQUEST): ((_Action.DISCONNECT,), _CLOSED),
    (_WAIT, _Event.RECEIVED_ANSWER): ((_Action.DISCONNECT,), _CLOSED),
    (_WAIT, _Event.DRAINED): ((), _WAIT),
    (_WAIT, _Event.STOP): ((_Action.DISCONNECT,), _CLOSED),
    (_WAIT, _Event.TIMEOUT): ((_Action.DISCONNECT,), _CLOSED),
    (_WAIT, _Event.PEER_DISCONNECTED): ((), _CLOSED),
    # R-Open. A second CER is answered, not rejected: some peers announce changed capabilities that way.
    (_OPEN, _Event.CER_ACCEPTED): ((_Action.SEND_CEA,), _OPEN),
    (_OPEN, _Event.CER_REFUSED): ((_Action.SEND_CEA, _Action.DISCONNECT), _CLOSED),
    (_OPEN, _Event.RECEIVED_DWR): ((_Action.SEND_DWA,), _OPEN),
    (_OPEN, _Event.RECEIVED_DWA): ((_Action.PROCESS_DWA,), _OPEN),
    (_OPEN, _Event.RECEIVED_DPR): ((), _LEAVING),
    (_OPEN, _Event.RECEIVED_DPA): ((_Action.IGNORE,), _OPEN),
    (_OPEN, _Event.RECEIVED_REQUEST): ((_Action.PROCESS,), _OPEN),
    (_OPEN, _Event.RECEIVED_ANSWER): ((_Action.IGNORE,), _OPEN),
    (_OPEN, _Event.DRAINED): ((), _OPEN),
    (_OPEN, _Event.STOP): ((_Action.SEND_DPR,), _CLOSING),
    (_OPEN, _Event.TIMEOUT): ((_Action.DISCONNECT,), _CLOSED),
    (_OPEN, _Event.PEER_DISCONNECTED): ((), _CLOSED),
    # Closing, begun by us. What the peer sent before it saw our DPR is still served.
    (_CLOSING, _Event.CER_ACCEPTED): ((_Action.IGNORE,), _CLOSING),
    (_CLOSING, _Event.CER_REFUSED): ((_Action.IGNORE,), _CLOSING),
    (_CLOSING, _Event.RECEIVED_DWR): ((_Action.SEND_DWA,), _CLOSING),
    (_CLOSING, _Event.RECEIVED_DWA): ((_Action.PROCESS_DWA,), _CLOSING),
    (_CLOSING, _Event.RECEIVED_DPR): ((), _LEAVING),
    (_CLOSING, _Event.RECEIVED_DPA): ((), _FINISHING),
    (_CLOSING, _Event.RECEIVED_REQUEST): ((_Action.PROCESS,), _CLOSING),
    (_CLOSING, _Event.RECEIVED_ANSWER): ((_Action.IGNORE,), _CLOSING),
    (_CLOSING, _Event.DRAINED): ((), _CLOSING),
    (_CLOSING, _Event.STOP): ((), _CLOSING),
    (_CLOSING, _Event.TIMEOUT): ((), _FINISHING),
    (_CLOSING, _Event.PEER_DISCONNECTED): ((), _CLOSED),
    (_FINISHING, _Event.CER_ACCEPTED): ((_Action.IGNORE,), _FINISHING),
    (_FINISHING, _Event.CER_REFUSED): ((_Action.IGNORE,), _FINISHING),
    (_FINISHING, _Event.RECEIVED_DWR): ((_Action.SEND_DWA,), _FINISHING),
    (_FINISHING, _Event.RECEIVED_DWA): ((_Action.IGNORE,), _FINISHING),
    (_FINISHING, _Event.RECEIVED_DPR): ((), _LEAVING),
    (_FINISHING, _Event.RECEIVED_DPA): ((_Action.IGNORE,), _FINISHING),
    (_FINISHING, _Event.RECEIVED_REQUEST): ((_Action.IGNORE,), _FINISHING),
    (_FINISHING, _Event.RECEIVED_ANSWER): ((_Action.IGNORE,), _FINISHING),
    (_FINISHING, _Event.DRAINED): ((_Action.DISCONNECT,), _CLOSED),
    (_FINISHING, _Event.STOP): ((), _FINISHING),
    (_FINISHING, _Event.TIMEOUT): ((_Action.DISCONNECT,), _CLOSED),
    (_FINISHING, _Event.PEER_DISCONNECTED): ((), _CLOSED),
    # Closing, begun by the peer. It hangs up on DPA, so DPA goes out behind the answers that it waits for.
    (_LEAVING, _Event.CER_ACCEPTED): ((_Action.IGNORE,), _LEAVING),
    (_LEAVING, _Event.CER_REFUSED): ((_Action.IGNORE,), _LEAVING),
    (_LEAVING, _Event.RECEIVED_DWR): ((_Action.SEND_DWA,), _LEAVING),
    (_LEAVING, _Event.RECEIVED_DWA): ((_Action.PROCESS_DWA,), _LEAVING),
    (_LEAVING, _Event.RECEIVED_DPR): ((_Action.IGNORE,), _LEAVING),
    (_LEAVING, _Event.RECEIVED_DPA): ((), _LEAVING),
    (_LEAVING, _Event.RECEIVED_REQUEST): ((_Action.PROCESS,), _LEAVING),
    (_LEAVING, _Event.RECEIVED_ANSWER): ((_Action.IGNORE,), _LEAVING),
    (_LEAVING, _Event.DRAINED): ((_Action.SEND_DPA,), _LEFT),
    (_LEAVING, _Event.STOP): ((), _LEAVING),
    (_LEAVING, _Event.TIMEOUT): ((_Action.SEND_DPA,), _LEFT),
    (_LEAVING, _Event.PEER_DISCONNECTED): ((), _CLOSED),
    (_LEFT, _Event.CER_ACCEPTED): ((_Action.IGNORE,), _LEFT),
    (_LEFT, _Event.CER_REFUSED): ((_Action.IGNORE,), _LEFT),
    (_LEFT, _Event.RECEIVED_DWR): ((_Action.SEND_DWA,), _LEFT),
    (_LEFT, _Event.RECEIVED_DWA): ((_Action.IGNORE,), _LEFT),
    (_LEFT, _Event.RECEIVED_DPR): ((_Action.IGNORE,), _LEFT),
    (_LEFT, _Event.RECEIVED_DPA): ((_Action.IGNORE,), _LEFT),
    (_LEFT, _Event.RECEIVED_REQUEST): ((_Action.IGNORE,), _LEFT),
    (_LEFT, _Event.RECEIVED_ANSWER): ((_Action.IGNORE,), _LEFT),
    (_LEFT, _Event.DRAINED): ((), _LEFT),
    (_LEFT, _Event.STOP): ((), _LEFT),
    (_LEFT, _Event.TIMEOUT): ((_Action.DISCONNECT,), _CLOSED),
    (_LEFT, _Event.PEER_DISCONNECTED): ((), _CLOSED),
    # Closed: nothing happens any more.
    **{(_CLOSED, event): ((), _CLOSED) for event in Event},
}
