"""What an operator changes of accounts and subscribers beside money: states, identities, terms."""

import msgspec

from ocs import limits
from ocs.balance import keys
from ocs.balance.client import Change
from ocs.balance.model import (
    Account,
    AutoTopUp,
    LifecycleState,
    MemberLimit,
    Subscriber,
    decode_subscriber,
)
from ocs.balance.store import ABSENT, Stored
from ocs.messages import Profile
from ocs.subscribers.office import AccountChange, Office, Order, Receipt
from ocs.subscribers.operations import Done, OperationError, check_identities, check_reference
from ocs.subscribers.plans import Plans
from ocs.subscribers.states import (
    change_account,
    change_subscriber,
    closed,
    set_account_state,
    set_subscriber_state,
)
from ocs.units import Money

_replace = msgspec.structs.replace
_PERIODS = ("day", "week", "month", "billing")
ENDS_SERVICE = (LifecycleState.SUSPENDED, LifecycleState.CLOSED)


class SubscriberChanges(msgspec.Struct, frozen=True):
    """What shall be other than it is; None stays as it is."""

    identities: tuple[str, ...] | None = None
    profile: Profile | None = None
    limits: tuple[MemberLimit, ...] | None = None


class Administration:
    """Bars, lets in and closes; changes terms. Each once per reference."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def set_account_state(self, account_id: str, state: LifecycleState, *, reference: str) -> Receipt:
        """Bar an account, let it in again, or close it; a closed one's subscribers give their identities back.

        Raises:
            OperationError: no such account, not a state that is set by hand, or it is closed for good.
            StoreBusyError: it is not known whether it was done; the same reference may be tried again.
        """
        office = self._office
        receipt = office.once(
            self._order("state", account_id, reference, asked=state.name),
            lambda account, _: set_account_state(
                account, state, reference=reference, now_ms=office.clock.now_ms(), rules=office.rules
            ),
            _told_as(state),
        )
        if state is LifecycleState.CLOSED:
            self.give_numbers_back(account_id)
        elif state not in ENDS_SERVICE:
            Plans(office).money_came(account_id)
        return receipt

    def set_subscriber_state(
        self, account_id: str, subscriber_id: str, state: LifecycleState, *, reference: str
    ) -> Receipt:
        """Bar one subscriber, let it in again, or close it.

        Raises:
            OperationError, StoreBusyError: as for :meth:`set_account_state`.
        """

        def act(account: Account, subscriber: Subscriber | None) -> Done:
            assert subscriber is not None  # noqa: S101 - the order names one
            now_ms = self._office.clock.now_ms()
            return set_subscriber_state(account, subscriber, state, reference=reference, now_ms=now_ms)

        order = self._order("subscriber-state", account_id, reference, state.name, subscriber_id)
        receipt = self._office.once(order, act, _told_as(state))
        if state not in ENDS_SERVICE:
            Plans(self._office).money_came(account_id)
        return receipt

    def give_numbers_back(self, account_id: str) -> None:
        """Close every subscriber of an account that is closed or recycled; repeating it changes nothing.

        The account's own notice tells it. The directory's entries stay until somebody claims them: a hint that leads
        nowhere is no harm.
        """
        after = ""
        while members := self._office.members(account_id, after=after):
            for member in members:
                if member.state is not LifecycleState.CLOSED:
                    self._close(account_id, member.subscriber_id)
            after = members[-1].subscriber_id

    def _close(self, account_id: str, subscriber_id: str) -> None:
        office = self._office
        key = keys.subscriber_key(office.client.partition_of(account_id), subscriber_id)

        def decide(values: tuple[Stored, ...]) -> Change | None:
            if values[0].token == ABSENT:
                return None
            subscriber = decode_subscriber(values[0].content)
            if subscriber.account_id != account_id or subscriber.state is LifecycleState.CLOSED:
                return None
            after = closed(subscriber)
            return Change({key: after}, agenda=office.agenda_of(None, after))

        office.client.change(account_id, (key,), decide)

    def set_credit_limit(self, account_id: str, limit: Money, *, reference: str) -> Receipt:
        """Say how far an account's money may go below zero.

        Raises:
            OperationError: no such account, or a limit that is negative or too high.
            CurrencyMismatchError: another currency than the account's. StoreBusyError: as above.
        """
        if not 0 <= limit.micro <= limits.BALANCE_MICRO_MAX:
            raise OperationError("a credit limit is not negative, and no more than a balance can be")
        what = f"credit limit {limit}"

        def act(account: Account, _: object) -> Done:
            changed = _replace(account, credit_limit_micro=limit.micro)
            return change_account(
                account, changed, what=what, reference=reference, now_ms=self._office.clock.now_ms()
            )

        check_reference(reference)
        return self._office.once(Order("terms", account_id, reference, limit, asked=what), act)

    def set_auto_top_up(self, account_id: str, order: AutoTopUp | None, *, reference: str) -> Receipt:
        """Take a holder's order to top up when money runs low, or end it.

        Raises:
            OperationError: no such account, or nothing to pay. StoreBusyError: as above.
        """
        if order is not None and not 0 < order.amount_micro <= limits.BALANCE_MICRO_MAX:
            raise OperationError(
                "an automatic top-up pays more than nothing, and no more than a balance can be"
            )
        if order is not None and abs(order.below_micro) > limits.BALANCE_MICRO_MAX:
            raise OperationError("an automatic top-up is for when money falls below what a balance can be")
        what = f"automatic top-up {'ended' if order is None else 'ordered'}"

        def act(account: Account, _: object) -> Done:
            changed = _replace(account, auto_top_up=order)
            return change_account(
                account, changed, what=what, reference=reference, now_ms=self._office.clock.now_ms()
            )

        asked = what if order is None else f"{what}: {order.amount_micro} below {order.below_micro}"
        return self._office.once(self._order("terms", account_id, reference, asked), act, None)

    def change_subscriber(
        self, account_id: str, subscriber_id: str, changes: SubscriberChanges, *, reference: str
    ) -> Receipt:
        """Change a subscriber's identities, profile or limits.

        Identities are claimed first; a crash in between leaves hints that lead nowhere, and the repeat completes it.

        Raises:
            OperationError: no such subscriber, an identity is taken or malformed, a limit makes no sense.
            StoreBusyError: as above.
        """
        if changes.identities is not None:
            check_identities(changes.identities)
        _check_limits(changes.limits or ())
        if changes.identities is not None:
            taken = self._office.client.claim_identities(account_id, subscriber_id, changes.identities)
            if taken is not None:
                raise OperationError(f"identity {taken!r} belongs to another subscriber")

        def act(account: Account, subscriber: Subscriber | None) -> Done:
            assert subscriber is not None  # noqa: S101 - the order names one
            if subscriber.state is LifecycleState.CLOSED:
                raise OperationError(f"subscriber {subscriber_id} is closed, for good")
            given = {
                name: value for name, value in msgspec.structs.asdict(changes).items() if value is not None
            }
            return change_subscriber(
                account,
                _replace(subscriber, **given),
                what=", ".join(given) or "nothing",
                reference=reference,
                now_ms=self._office.clock.now_ms(),
            )

        asked = msgspec.json.encode(changes).decode()
        order = self._order("subscriber", account_id, reference, asked, subscriber_id)
        return self._office.once(order, act, AccountChange.OFFERS)

    def _order(
        self, operation: str, account_id: str, reference: str, asked: str, subscriber_id: str = ""
    ) -> Order:
        """An order that moves no money."""
        check_reference(reference)
        currency = self._office.account(account_id).currency
        if subscriber_id:
            asked = f"{subscriber_id}: {asked}"
        return Order(operation, account_id, reference, Money(0, currency), asked, subscriber_id)


def _check_limits(members: tuple[MemberLimit, ...]) -> None:
    if len(members) > limits.LIMITS_PER_MEMBER_MAX:
        raise OperationError(f"a member has {limits.LIMITS_PER_MEMBER_MAX} limits at most")
    if len({limit.counter_id for limit in members}) < len(members):
        raise OperationError("each limit has an id, and so a counter, of its own")
    for limit in members:
        if (
            limit.period not in _PERIODS
            or not 0 <= limit.amount <= limits.BALANCE_MICRO_MAX
            or not limit.counter_id.startswith("limit.")
        ):
            raise OperationError(
                f"{limit.counter_id}: a limit's id begins with 'limit.', its amount is not negative (and no more than"
                f" a balance can be) and its period one of {', '.join(_PERIODS)}"
            )


def _told_as(state: LifecycleState) -> AccountChange:
    return AccountChange.BARRED if state in ENDS_SERVICE else AccountChange.STATE
