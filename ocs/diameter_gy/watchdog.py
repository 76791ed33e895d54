"""Is the peer still there: the transport failure algorithm of RFC 3539 section 3.4.1, without a clock or I/O.

We only answer connections, so the rows for opening one (INITIAL; AttemptOpen in DOWN) belong to the peer, and
there is nothing to fail over: what remains is to notice a dead connection, close it, and to trust its successor
only after it has answered three times.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final


class WatchdogState(Enum):
    """States of RFC 3539 section 3.4.1."""

    OKAY = auto()
    SUSPECT = auto()
    DOWN = auto()
    REOPEN = auto()


class WatchdogEvent(Enum):
    """Events of RFC 3539 section 3.4.1; those with a condition have a row for each answer to it."""

    RECEIVED_DWA = auto()
    RECEIVED_LAST_DWA_OF_THREE = auto()
    RECEIVED_OTHER = auto()
    TIMER_EXPIRED = auto()
    TIMER_EXPIRED_WHILE_PENDING = auto()
    CONNECTION_DOWN = auto()


class WatchdogAction(Enum):
    """What the connection must do."""

    NOTHING = auto()
    SEND_DWR = auto()
    CLOSE = auto()


_OKAY, _SUSPECT = WatchdogState.OKAY, WatchdogState.SUSPECT
_DOWN, _REOPEN = WatchdogState.DOWN, WatchdogState.REOPEN
_NOTHING, _SEND_DWR, _CLOSE = WatchdogAction.NOTHING, WatchdogAction.SEND_DWR, WatchdogAction.CLOSE
_Event = WatchdogEvent

# RFC 3539 section 3.4.1, the rows of a responder. Departure: in REOPEN the algorithm throws other traffic away, since
# it could fail over elsewhere; a gateway that sends us a request has chosen us, so REOPEN only keeps our own
# requests back. An unanswered probe in REOPEN closes at once (there NumDWA = -1 gives one more interval).
TRANSITIONS: Final = {
    (_OKAY, _Event.RECEIVED_DWA): (_NOTHING, _OKAY),
    (_OKAY, _Event.RECEIVED_LAST_DWA_OF_THREE): (_NOTHING, _OKAY),
    (_OKAY, _Event.RECEIVED_OTHER): (_NOTHING, _OKAY),
    (_OKAY, _Event.TIMER_EXPIRED): (_SEND_DWR, _OKAY),
    (_OKAY, _Event.TIMER_EXPIRED_WHILE_PENDING): (_NOTHING, _SUSPECT),
    (_OKAY, _Event.CONNECTION_DOWN): (_NOTHING, _DOWN),
    (_SUSPECT, _Event.RECEIVED_DWA): (_NOTHING, _OKAY),
    (_SUSPECT, _Event.RECEIVED_LAST_DWA_OF_THREE): (_NOTHING, _OKAY),
    (_SUSPECT, _Event.RECEIVED_OTHER): (_NOTHING, _OKAY),
    (_SUSPECT, _Event.TIMER_EXPIRED): (_CLOSE, _DOWN),
    (_SUSPECT, _Event.TIMER_EXPIRED_WHILE_PENDING): (_CLOSE, _DOWN),
    (_SUSPECT, _Event.CONNECTION_DOWN): (_NOTHING, _DOWN),
    (_REOPEN, _Event.RECEIVED_DWA): (_NOTHING, _REOPEN),
    (_REOPEN, _Event.RECEIVED_LAST_DWA_OF_THREE): (_NOTHING, _OKAY),
    (_REOPEN, _Event.RECEIVED_OTHER): (_NOTHING, _REOPEN),
    (_REOPEN, _Event.TIMER_EXPIRED): (_SEND_DWR, _REOPEN),
    (_REOPEN, _Event.TIMER_EXPIRED_WHILE_PENDING): (_CLOSE, _DOWN),
    (_REOPEN, _Event.CONNECTION_DOWN): (_NOTHING, _DOWN),
    (_DOWN, _Event.RECEIVED_DWA): (_NOTHING, _DOWN),
    (_DOWN, _Event.RECEIVED_LAST_DWA_OF_THREE): (_NOTHING, _DOWN),
    (_DOWN, _Event.RECEIVED_OTHER): (_NOTHING, _DOWN),
    (_DOWN, _Event.TIMER_EXPIRED): (_NOTHING, _DOWN),
    (_DOWN, _Event.TIMER_EXPIRED_WHILE_PENDING): (_NOTHING, _DOWN),
    (_DOWN, _Event.CONNECTION_DOWN): (_NOTHING, _DOWN),
}

# RFC 3539 section 3.4.1: failback when NumDWA, which counts from 0, would pass 2.
ANSWERS_BEFORE_OKAY: Final = 3


class Watchdog:
    """Watches one connection.

    Invariant: between two expiries of the timer there is at most one unanswered DWR.

    Attributes:
        state: OKAY, or REOPEN when the peer's last connection fell silent.
        due_s: when :meth:`expire` wants to be called next, in the caller's clock.
    """

    def __init__(
        self, interval_s: float, draw_jitter_s: Callable[[], float], *, now_s: float, reopened: bool = False
    ) -> None:
        self.state = WatchdogState.REOPEN if reopened else WatchdogState.OKAY
        self._interval_s = interval_s
        self._draw_jitter_s = draw_jitter_s
        self._pending = False
        self._answers = 0
        self._wait_s = interval_s + draw_jitter_s()
        # A reopened connection is probed at once (section 3.4.1: Connection up in DOWN sends a watchdog).
        self.due_s = now_s if reopened else now_s + self._wait_s

    def hear(self, now_s: float) -> None:
        """Anything but a DWA arrived: the peer lives."""
        if self.state is WatchdogState.OKAY:  # the row taken for every chunk of traffic
            self.due_s = now_s + self._wait_s
            return
        self._apply(WatchdogEvent.RECEIVED_OTHER)
        if self.state is not WatchdogState.REOPEN:  # there only a DWA resets the timer
            self.due_s = now_s + self._wait_s

    def hear_answer(self, now_s: float) -> None:
        """A DWA arrived."""
        self._pending = False
        self._answers += 1
        last = self._answers >= ANSWERS_BEFORE_OKAY
        self._apply(WatchdogEvent.RECEIVED_LAST_DWA_OF_THREE if last else WatchdogEvent.RECEIVED_DWA)
        self.due_s = now_s + self._wait_s

    def expire(self, now_s: float) -> WatchdogAction:
        """The caller's clock has reached ``due_s``, or not yet, which is no harm."""
        if now_s < self.due_s:
            return WatchdogAction.NOTHING
        event = WatchdogEvent.TIMER_EXPIRED_WHILE_PENDING if self._pending else WatchdogEvent.TIMER_EXPIRED
        action = self._apply(event)
        self._pending = self._pending or action is WatchdogAction.SEND_DWR
        # Tw: the interval with a new jitter, which keeps many peers' watchdogs from falling together.
        self._wait_s = self._interval_s + self._draw_jitter_s()
        self.due_s = now_s + self._wait_s
        return action

    def disconnect(self) -> None:
        """The transport went away."""
        self._apply(WatchdogEvent.CONNECTION_DOWN)

    def _apply(self, event: WatchdogEvent) -> WatchdogAction:
        action, self.state = TRANSITIONS[self.state, event]
        return action
