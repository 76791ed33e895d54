"""What the native API changes beside money: states, credit, members' limits, offers. Blocking."""

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from ocs.api.backstage import Backstage
from ocs.api.bodies import MoneyBody
from ocs.api.views import (
    AccountView,
    ReceiptView,
    SubscriberView,
    account_view,
    receipt_view,
    subscriber_view,
)
from ocs.balance.model import AutoTopUp, LifecycleState, MemberLimit
from ocs.messages import Profile
from ocs.subscribers.administration import Administration, SubscriberChanges
from ocs.subscribers.operations import OperationError, check_currency
from ocs.subscribers.plans import Plans
from ocs.units import AmountError, UnitType, parse_micro

State = Literal["active", "one_way_barred", "suspended", "closed"]
CountedUnit = Literal["money", "total_octets", "time", "service_specific_units"]

_EXPONENT_MAX: Final = 30


class AutoTopUpBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A holder's order: when money falls below ``below``, have ``amount`` paid by ``method`` and topped up.

    Attributes:
        method: in the words of the payment side; never card data.
    """

    below: MoneyBody
    amount: MoneyBody
    method: str = ""


class AccountChangeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One change of an account: its state, its credit limit or its order to top up (``null`` ends that)."""

    reference: str
    state: State | msgspec.UnsetType = msgspec.UNSET
    credit_limit: MoneyBody | msgspec.UnsetType = msgspec.UNSET
    auto_top_up: AutoTopUpBody | msgspec.UnsetType | None = msgspec.UNSET

    def is_one_change(self) -> bool:
        """Whether exactly one thing shall change."""
        changes = (self.state, self.credit_limit, self.auto_top_up)
        return sum(change is not msgspec.UNSET for change in changes) == 1


class MemberLimitBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much one subscriber may take in a period.

    Attributes:
        limit_id: begins with ``limit.``. unit: money counts what its use cost, else units are counted.
        amount: decimal of the account's currency for money, else a whole number of octets, seconds or messages.
    """

    limit_id: str
    unit: CountedUnit
    period: Literal["day", "week", "month", "billing"]
    amount: Decimal

    def limit(self) -> MemberLimit:
        """The same as the store keeps it.

        Raises:
            AmountError: no plain amount, or no whole number of units.
        """
        if not self.amount.is_finite() or abs(self.amount.adjusted()) > _EXPONENT_MAX:
            raise AmountError(f"{self.limit_id}: a plain decimal number is expected")
        unit_type = UnitType[self.unit.upper()]
        if unit_type is UnitType.MONEY:
            return MemberLimit(self.limit_id, unit_type, self.period, parse_micro(f"{self.amount:f}"))
        if self.amount != int(self.amount):
            raise AmountError(f"{self.limit_id}: a whole number of units is expected")
        return MemberLimit(self.limit_id, unit_type, self.period, int(self.amount))


class SubscriberChangeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Changes of a subscriber: its state alone, or any of the others; what is missing stays as it is.

    Attributes:
        favourites: friends & family numbers, digits with country code. groups: closed user groups.
        limits: all that it shall have.
    """

    account_id: str
    reference: str
    state: State | None = None
    identities: tuple[str, ...] | None = None
    favourites: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    limits: tuple[MemberLimitBody, ...] | None = None

    def is_one_change(self) -> bool:
        """Whether either the state shall change, or something else."""
        others = (self.identities, self.favourites, self.groups, self.limits)
        return (self.state is not None) != any(each is not None for each in others)


class PurchaseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An offer to be bought.

    Attributes:
        replaces: the offer in whose place it comes, in one step; empty for none.
        until: when it ends by itself, with its zone; missing is open-ended.
    """

    account_id: str
    subscriber_id: str
    offer_id: str
    reference: str
    replaces: str = ""
    until: datetime | None = None


class CancellationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An offer to be ended: now, or when the period that is paid ends."""

    account_id: str
    subscriber_id: str
    offer_id: str
    reference: str
    at_period_end: bool = False


class OrderBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something that an offer sells by the piece: the charge of its catalogue entry that shall be paid."""

    account_id: str
    subscriber_id: str
    offer_id: str
    charge_id: str
    reference: str


class Terms:
    """Changes what accounts and subscribers may do and have, each time once per reference.

    Raises (all methods):
        OperationError, CurrencyMismatchError: the state of an account does not allow it.
        AmountError: an amount that cannot be held.
        StoreBusyError: it is not known whether it was done; the same reference may be sent again.
    """

    def __init__(self, backstage: Backstage) -> None:
        self._backstage = backstage

    def change_account(self, account_id: str, body: AccountChangeBody) -> AccountView:
        """Change one thing of an account."""
        office = self._backstage.service().office
        administration, reference = Administration(office), body.reference
        if body.state is not msgspec.UNSET:
            state = LifecycleState[body.state.upper()]
            administration.set_account_state(account_id, state, reference=reference)
        elif body.credit_limit is not msgspec.UNSET:
            administration.set_credit_limit(account_id, body.credit_limit.money(), reference=reference)
        else:
            order = None
            if isinstance(body.auto_top_up, AutoTopUpBody):
                account, wanted = office.account(account_id), body.auto_top_up
                below, amount = wanted.below.money(), wanted.amount.money()
                check_currency(account, below)
                check_currency(account, amount)
                order = AutoTopUp(below.micro, amount.micro, wanted.method)
            administration.set_auto_top_up(account_id, order, reference=reference)
        return account_view(office.account(account_id))

    def change_subscriber(self, subscriber_id: str, body: SubscriberChangeBody) -> SubscriberView:
        """Change a subscriber's state, or its identities, numbers, groups and limits."""
        office = self._backstage.service().office
        administration, account_id = Administration(office), body.account_id
        if body.state is not None:
            state = LifecycleState[body.state.upper()]
            administration.set_subscriber_state(account_id, subscriber_id, state, reference=body.reference)
        else:
            limits = None if body.limits is None else tuple(each.limit() for each in body.limits)
            changes = SubscriberChanges(body.identities, self._profile(subscriber_id, body), limits)
            administration.change_subscriber(account_id, subscriber_id, changes, reference=body.reference)
        found = office.client.subscriber(account_id, subscriber_id)
        if found is None:
            raise OperationError(f"account {account_id!r} has no subscriber {subscriber_id!r}")
        return subscriber_view(found)

    def _profile(self, subscriber_id: str, body: SubscriberChangeBody) -> Profile | None:
        """The profile as it shall stand; None when nothing of it changes. Its currency is the account's, for good."""
        if body.favourites is None and body.groups is None:
            return None
        found = self._backstage.service().office.client.subscriber(body.account_id, subscriber_id)
        if found is None:
            raise OperationError(f"account {body.account_id!r} has no subscriber {subscriber_id!r}")
        before = found.profile
        return Profile(
            before.currency,
            before.favourites if body.favourites is None else body.favourites,
            before.groups if body.groups is None else body.groups,
        )

    # --- Offers -------------------------------------------------------------------------------------------

    def buy(self, body: PurchaseBody) -> ReceiptView:
        """Put an offer in effect, or in another's place."""
        plans = Plans(self._backstage.service().office)
        names = body.account_id, body.subscriber_id
        if body.replaces:
            if body.until is not None:
                raise OperationError("until: an offer that replaces another is open-ended")
            receipt = plans.change(*names, body.replaces, body.offer_id, reference=body.reference)
            return receipt_view(receipt)
        if body.until is not None and body.until.tzinfo is None:
            raise OperationError("until: a time with its zone is expected, such as 2027-01-31T00:00:00Z")
        until_ms = 0 if body.until is None else int(body.until.timestamp() * 1000)
        return receipt_view(plans.buy(*names, body.offer_id, reference=body.reference, until_ms=until_ms))

    def cancel(self, body: CancellationBody) -> ReceiptView:
        """End an offer."""
        receipt = Plans(self._backstage.service().office).cancel(
            body.account_id,
            body.subscriber_id,
            body.offer_id,
            reference=body.reference,
            at_period_end=body.at_period_end,
        )
        return receipt_view(receipt)

    def order(self, body: OrderBody) -> ReceiptView:
        """Charge what is ordered."""
        receipt = Plans(self._backstage.service().office).order(
            body.account_id, body.subscriber_id, body.offer_id, body.charge_id, reference=body.reference
        )
        return receipt_view(receipt)
