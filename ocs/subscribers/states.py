"""Accounts and subscribers barred, let in again and closed by hand. Pure."""

from typing import Final

import msgspec

from ocs.balance.lifecycle import first_used
from ocs.balance.model import Account, LifecycleState, Subscriber
from ocs.balance.notices import record_notices
from ocs.balance.purse import Purse
from ocs.events import ChargeEvent, Notice, NoticeKind
from ocs.subscribers.operations import AccountRules, Done, OperationError, state_notice

_replace = msgspec.structs.replace
# What may be set by hand; the other states come by dates alone.
BY_HAND: Final = (
    LifecycleState.ACTIVE,
    LifecycleState.ONE_WAY_BARRED,
    LifecycleState.SUSPENDED,
    LifecycleState.CLOSED,
)
_FOR_GOOD: Final = (LifecycleState.CLOSED, LifecycleState.RECYCLED)


def _check(name: str, before: LifecycleState, state: LifecycleState) -> None:
    if state not in BY_HAND:
        raise OperationError(f"{name} becomes {state.name.lower()} by its dates, not by hand")
    if before in _FOR_GOOD and state != before:
        raise OperationError(f"{name} is {before.name.lower()}, for good")


def set_account_state(
    account: Account, state: LifecycleState, *, reference: str, now_ms: int, rules: AccountRules
) -> Done:
    """Bar an account, let it in again, or close it; what it holds stays.

    One that is let in goes on by its dates: a created one begins its life.

    Raises:
        OperationError: not a state that is set by hand, or the account is closed.
    """
    _check(f"account {account.account_id}", account.state, state)
    if account.state is state:
        return Done(account, ())
    if state is LifecycleState.ACTIVE:
        changed = first_used(account, now_ms, rules.lifecycle)
        changed = _replace(changed, state=state, since_ms=now_ms)
    else:
        changed = _replace(account, state=state, since_ms=now_ms)
    purse = Purse(changed, now_ms)
    event_id = f"state:{account.account_id}:{reference}"
    events = tuple(record_notices(purse, [state_notice(changed)], event_id=event_id))
    return Done(purse.account(), events)


def set_subscriber_state(
    account: Account, subscriber: Subscriber, state: LifecycleState, *, reference: str, now_ms: int
) -> Done:
    """Bar one subscriber of an account, let it in again, or close it: then it gives its identities back.

    Raises:
        OperationError: not a state that is set by hand, or the subscriber is closed.
    """
    _check(f"subscriber {subscriber.subscriber_id}", subscriber.state, state)
    if subscriber.state is state:
        return Done(account, ())
    changed = closed(subscriber) if state is LifecycleState.CLOSED else _replace(subscriber, state=state)
    notice = Notice(NoticeKind.SUBSCRIBER_STATE, state.name.lower())
    return _told(
        account, changed, notice, event_id=f"subscriber-state:{account.account_id}:{reference}", now_ms=now_ms
    )


def closed(subscriber: Subscriber) -> Subscriber:
    """The subscriber closed for good: it has no identities any more, and buys nothing."""
    return _replace(subscriber, state=LifecycleState.CLOSED, identities=(), offers=(), subscriptions=())


def change_subscriber(
    account: Account, changed: Subscriber, *, what: str, reference: str, now_ms: int
) -> Done:
    """Take over what was changed of a subscriber beside its state and offers, and tell what it was."""
    notice = Notice(NoticeKind.TERMS, what)
    return _told(
        account, changed, notice, event_id=f"subscriber:{account.account_id}:{reference}", now_ms=now_ms
    )


def change_account(account: Account, changed: Account, *, what: str, reference: str, now_ms: int) -> Done:
    """Take over what was changed of an account's terms, and tell what it was."""
    purse = Purse(changed, now_ms)
    notice = Notice(NoticeKind.TERMS, what)
    event_id = f"terms:{account.account_id}:{reference}"
    events = tuple(record_notices(purse, [notice], event_id=event_id))
    return Done(purse.account(), events)


def _told(account: Account, subscriber: Subscriber, notice: Notice, *, event_id: str, now_ms: int) -> Done:
    purse = Purse(account, now_ms)
    events: tuple[ChargeEvent, ...] = tuple(
        record_notices(
            purse,
            [notice],
            event_id=event_id,
            subscriber_id=subscriber.subscriber_id,
        )
    )
    return Done(purse.account(), events, subscriber)
