"""Money moved by hand over the native API: adjusted, sent, set aside, taken, given back. Blocking."""

import msgspec

from ocs.api.backstage import Backstage
from ocs.api.bodies import MoneyBody
from ocs.api.views import ReceiptView, receipt_view


class AdjustmentBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A correction; a negative amount takes away. ``reason`` is the operator's code, such as ``goodwill``."""

    account_id: str
    amount: MoneyBody
    reason: str
    reference: str


class TransferBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Money from one account to another; ``reference`` is the sender's own."""

    account_id: str
    to_account_id: str
    amount: MoneyBody
    reference: str


class ReservationBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Money to be set aside; ``reference`` names the reservation from then on."""

    account_id: str
    amount: MoneyBody
    reference: str


class DeductionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What of a reservation shall be charged."""

    account_id: str
    reservation: str
    amount: MoneyBody
    reference: str


class ReleaseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The reservation that shall end; what is left of it pays again."""

    account_id: str
    reservation: str
    reference: str


class Movements:
    """Moves money, each time once per reference.

    Raises (all methods):
        OperationError, CurrencyMismatchError: the state of an account does not allow it.
        StoreBusyError: it is not known whether it was done; the same reference may be sent again.
    """

    def __init__(self, backstage: Backstage) -> None:
        self._backstage = backstage

    def adjust(self, body: AdjustmentBody) -> ReceiptView:
        """Correct a balance."""
        service = self._backstage.service()
        receipt = service.adjust(
            body.account_id, body.amount.money(), reason=body.reason, reference=body.reference
        )
        return receipt_view(receipt)

    def transfer(self, body: TransferBody) -> ReceiptView:
        """Send money; the receipt is the sender's."""
        service = self._backstage.service()
        receipt = service.transfer(
            body.account_id, body.to_account_id, body.amount.money(), reference=body.reference
        )
        return receipt_view(receipt)

    def set_aside(self, body: ReservationBody) -> ReceiptView:
        """Set money aside."""
        service = self._backstage.service()
        return receipt_view(service.set_aside(body.account_id, body.amount.money(), reference=body.reference))

    def take_set_aside(self, body: DeductionBody) -> ReceiptView:
        """Charge a part or all of a reservation."""
        receipt = self._backstage.service().take_set_aside(
            body.account_id, body.amount.money(), reservation=body.reservation, reference=body.reference
        )
        return receipt_view(receipt)

    def give_back(self, body: ReleaseBody) -> ReceiptView:
        """End a reservation."""
        receipt = self._backstage.service().give_back(
            body.account_id, reservation=body.reservation, reference=body.reference
        )
        return receipt_view(receipt)
