"""Which life-cycle state lets a subscriber use what: a table, read for the account and for the subscriber."""

from typing import Final

from ocs.balance.model import Account, LifecycleState, Subscriber
from ocs.messages import RoleOfNode, UsageContext

_ACTIVE: Final = LifecycleState.ACTIVE

# State -> (may originate: calls, messages, data, forwarded calls; may be reached). A request that does not say
# Role-Of-Node originates: data has no such role, and whom a bar should stop must not pass by leaving it out.
PERMISSIONS: Final[dict[LifecycleState, tuple[bool, bool]]] = {
    LifecycleState.CREATED: (True, True),  # the first use activates
    LifecycleState.ACTIVE: (True, True),
    LifecycleState.ONE_WAY_BARRED: (False, True),
    LifecycleState.SUSPENDED: (False, False),
    LifecycleState.EXPIRED: (False, False),
    LifecycleState.RECYCLED: (False, False),
    LifecycleState.CLOSED: (False, False),
}


def is_barred(account: Account, subscriber: Subscriber | None, context: UsageContext) -> bool:
    """Whether a use is refused with END_USER_SERVICE_DENIED whatever the balance (RFC 8506 section 9.1).

    Args:
        subscriber: None when the session's has gone: the account alone decides.
        context: its Role-Of-Node tells who is reached from who originates or forwards.
    """
    if account.state is _ACTIVE and (subscriber is None or subscriber.state is _ACTIVE):
        return False
    way = 1 if context.role_of_node is RoleOfNode.TERMINATING else 0
    states = (account.state,) if subscriber is None else (account.state, subscriber.state)
    return not all(PERMISSIONS[state][way] for state in states)
