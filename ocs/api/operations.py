"""What the native API changes: bodies as they are read, and the calls that carry them out. Blocking."""

import msgspec
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from ocs.api.backstage import Backstage
from ocs.api.bodies import MoneyBody
from ocs.api.movements import Movements
from ocs.api.terms import Terms
from ocs.api.views import (
    AccountView,
    CatalogueView,
    ReceiptView,
    SubscriberView,
    account_view,
    receipt_view,
    subscriber_view,
)
from ocs.api.voucher_batches import VoucherBatches
from ocs.subscribers.operations import NewAccount, NewSubscriber, OperationError
from ocs.units import Money


class AccountBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account to be opened, with its first subscriber.

    Attributes:
        subscriber_id: empty for the account's own id.
        opening_balance: missing for what the first offer brings.
    """

    account_id: str
    subscriber_id: str = ""
    identities: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    opening_balance: MoneyBody | None = None
    credit_limit: MoneyBody | None = None


class SubscriberBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A subscriber to be added to an account."""

    account_id: str
    subscriber_id: str
    identities: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()


class TopUpBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A top-up; ``reference`` is the payment's own, and a repeat changes nothing."""

    account_id: str
    amount: MoneyBody
    reference: str


class ReauthorisationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose gateway shall report and ask again: one session, or all of an account."""

    session_id: str = ""
    account_id: str = ""


class ReauthorisationView(msgspec.Struct, frozen=True):
    """For how many sessions a gateway was asked."""

    sessions: int


class Operations:
    """Carries the native API's writes out.

    Attributes:
        movements: of money by hand. terms: states, limits, offers. vouchers: made, changed and redeemed.

    Raises (all methods):
        OperationError, CurrencyMismatchError: the state of an account does not allow it.
        StoreBusyError: it is not known whether it was done.
    """

    def __init__(self, backstage: Backstage) -> None:
        self._backstage = backstage
        self.movements = Movements(backstage)
        self.terms = Terms(backstage)
        self.vouchers = VoucherBatches(backstage)

    def open_account(self, body: AccountBody) -> AccountView:
        """Open an account."""
        catalogue = self._backstage.catalogue()
        first = catalogue.offer(body.offers[0]) if body.offers else None
        opening = Money(first.opening_micro if first is not None else 0, catalogue.currency)
        limit = Money(first.credit_limit_micro if first is not None else 0, catalogue.currency)
        if body.credit_limit is not None:
            limit = body.credit_limit.money()
            if limit.currency != catalogue.currency:
                raise OperationError(
                    f"{limit.currency} is not the catalogue's currency, {catalogue.currency}"
                )
        new = NewAccount(
            body.account_id,
            body.subscriber_id or body.account_id,
            body.identities,
            body.offers,
            opening if body.opening_balance is None else body.opening_balance.money(),
            limit.micro,
        )
        return account_view(self._backstage.service().open_account(new))

    def add_subscriber(self, body: SubscriberBody) -> AccountView:
        """Add a subscriber to an account."""
        new = NewSubscriber(body.account_id, body.subscriber_id, body.identities, body.offers)
        return account_view(self._backstage.service().add_subscriber(new))

    def top_up(self, body: TopUpBody) -> ReceiptView:
        """Put money on an account."""
        service = self._backstage.service()
        return receipt_view(service.top_up(body.account_id, body.amount.money(), reference=body.reference))

    def subscribers(self, account_id: str, after: str, limit: int) -> tuple[SubscriberView, ...]:
        """Subscribers of an account by id, those after one."""
        found = self._backstage.service().members(account_id, after=after, limit=limit)
        return tuple(map(subscriber_view, found))

    def reauthorise(self, body: ReauthorisationBody) -> ReauthorisationView:
        """Have gateways report what was used and ask for a new quota."""
        asked = self._backstage.reauthorise(session_id=body.session_id, account_id=body.account_id)
        return ReauthorisationView(asked)

    def catalogues(self) -> tuple[CatalogueView, ...]:
        """Which catalogues are, were and will be in force."""
        return self._backstage.publications()


# Given to routes by the application; not part of any request.
Operating = NamedDependency[SkipValidation[Operations]]
