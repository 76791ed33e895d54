"""What a decision starts from and what it leads to."""

import msgspec

from ocs import limits
from ocs.balance.lifecycle import FOR_EVER, LifecycleRules
from ocs.balance.model import Account, Session, Subscriber
from ocs.balance.notices import NO_NOTICES, NoticeRules
from ocs.events import ChargeEvent
from ocs.messages import ChargingAnswer


class Moment(msgspec.Struct, frozen=True, gc=False):
    """When a decision is made.

    Attributes:
        now_ms: wall time, epoch milliseconds.
        supervision_ms: the store's time less our own outages: what session deadlines are counted in.
    """

    now_ms: int
    supervision_ms: int


class Policy(msgspec.Struct, frozen=True, gc=False):
    """The operator's credit-control policy (``[charging]`` and ``[accounts]`` of the settings).

    Attributes:
        grant_share_percent: the part of what can be paid that one grant may take, so that there is something left for
            the account's other sessions; 100 lets one take all.
        refund_max_micro: what one refund may be worth, whether it goes to money or to an allowance.
    """

    supervision_time_s: int = 3600
    show_remaining_balance: bool = False
    grant_share_percent: int = 100
    notices: NoticeRules = NO_NOTICES
    lifecycle: LifecycleRules = FOR_EVER
    refund_max_micro: int = limits.BALANCE_MICRO_MAX


class State(msgspec.Struct, frozen=True, gc=False):
    """Everything stored that a decision reads.

    Attributes:
        session: None when the store has none under this Session-Id.
    """

    account: Account
    subscriber: Subscriber | None
    session: Session | None


class Decision(msgspec.Struct, frozen=True, gc=False):
    """New state, answer and charge events of one request.

    What is the same object as in the :class:`State` was not changed and is not written.

    Attributes:
        subscriber: with its counters; None where nothing looked at them.
    """

    account: Account
    session: Session | None
    answer: ChargingAnswer
    events: tuple[ChargeEvent, ...] = ()
    is_repeat: bool = False
    subscriber: Subscriber | None = None
