"""Payments that holders' orders to top up ask for: confirmed over HTTP by who takes payments. Blocking.

Until a payment provider is connected, the operator's own system learns of an order from its listener, takes the money
by the reference that it is told, and says here what came of it; the money is then put on the account under that
reference, once.
"""

from enum import StrEnum
from typing import Final, Literal

import msgspec

from ocs.api.backstage import Backstage
from ocs.api.tmf.resources import date_time
from ocs.api.views import MoneyView, money_view
from ocs.balance import keys
from ocs.balance.client import BalanceClient, Change
from ocs.balance.store import ABSENT, Stored
from ocs.clock import Clock
from ocs.events import ChargeEvent, NoticeKind
from ocs.limits import ACTION_RECORD_MEMORY_S
from ocs.log import get_logger
from ocs.subscribers.agenda import UNDER_WAY_MS, payment_member
from ocs.subscribers.auto_top_up import AutoTopUps
from ocs.subscribers.operations import OperationError, check_reference
from ocs.units import CurrencyMismatchError, Money

log = get_logger(__name__)


class PaymentState(StrEnum):
    """How far a payment has come."""

    ASKED = "asked"
    PAID = "paid"
    REFUSED = "refused"


class Payment(msgspec.Struct, frozen=True, array_like=True):
    """A payment that was asked for.

    Attributes:
        method: of the holder's order, in the words of the payment side.
        asked_ms, settled_ms: epoch milliseconds; 0 is not yet.
    """

    reference: str
    account_id: str
    amount: Money
    method: str
    state: PaymentState
    asked_ms: int
    settled_ms: int = 0


class PaymentBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What came of a payment that was asked for under a reference."""

    account_id: str
    reference: str
    state: Literal["paid", "refused"]


class PaymentView(msgspec.Struct, frozen=True):
    """A payment; times are ISO 8601, null is not yet.

    Attributes:
        parked: why the account refused the money, which now lies there as the reservation ``payment:REFERENCE``.
    """

    account_id: str
    reference: str
    amount: MoneyView
    method: str
    state: str
    asked: str
    settled: str | None
    parked: str | None = None


_decode_payment: Final = msgspec.msgpack.Decoder(Payment).decode


class Payments:
    """Asks for payments, and takes their outcomes: a :class:`~ocs.subscribers.auto_top_up.PaymentPort`."""

    def __init__(self, client: BalanceClient, clock: Clock, backstage: Backstage) -> None:
        self._client = client
        self._clock = clock
        self._backstage = backstage

    def pay(self, account_id: str, amount: Money, *, method: str, reference: str) -> bool:
        """Note that a payment is asked for, once per reference; whether it has been paid.

        Raises:
            StoreBusyError: it is not known whether it is noted; it may be asked for again.
        """
        asked = Payment(reference, account_id, amount, method, PaymentState.ASKED, self._clock.now_ms())
        return self._changed(account_id, reference, asked, None).state is PaymentState.PAID

    def carry_out(self, event: ChargeEvent) -> None:
        """Ask for the payment that a charge event is an order for, if it is one; it may be called again.

        Raises:
            StoreBusyError: it is not known whether it was asked for.
        """
        if event.notice is None or event.notice.kind is not NoticeKind.AUTO_TOP_UP:
            return
        try:
            AutoTopUps(self._backstage.service(), self).handle(event)
        except (OperationError, CurrencyMismatchError) as error:
            _tell_refused(event, str(error))

    def show(self, account_id: str, reference: str) -> PaymentView:
        """A payment.

        Raises:
            OperationError: none was asked for under this reference.
        """
        payment = self._changed(account_id, reference, None, None)
        receipt = self._backstage.service().office.receipt("topup", account_id, reference)
        return _payment_view(payment, "" if receipt is None else receipt.parked)

    def settle(self, body: PaymentBody) -> PaymentView:
        """Take the outcome of a payment; what is paid is put on the account under its reference, once.

        What the account refuses is parked there, and told.

        Raises:
            OperationError: none was asked for, it had another outcome, or the account is no more.
            StoreBusyError: it is not known whether it was done; it may be sent again.
        """
        settled = self._changed(body.account_id, body.reference, None, PaymentState(body.state))
        if settled.state is not PaymentState.PAID:
            return _payment_view(settled)
        service = self._backstage.service()
        receipt = service.take_payment(settled.account_id, settled.amount, reference=settled.reference)
        return _payment_view(settled, receipt.parked)

    def _changed(
        self, account_id: str, reference: str, asked: Payment | None, outcome: PaymentState | None
    ) -> Payment:
        """A payment as it stands, after it was asked for or came to its outcome."""
        check_reference(reference)
        key = keys.payment_key(self._client.partition_of(account_id), account_id, reference)
        found: list[Payment] = []

        def decide(values: tuple[Stored, ...]) -> Change | None:
            before = None if values[0].token == ABSENT else _decode_payment(values[0].content)
            after = before or asked
            if after is None:
                raise OperationError(f"no payment was asked for under {reference!r}")
            if outcome is not None and after.state is PaymentState.ASKED:
                after = msgspec.structs.replace(after, state=outcome, settled_ms=self._clock.now_ms())
            if outcome is not None and after.state is not outcome:
                raise OperationError(f"payment {reference!r} is {after.state}")
            found.append(after)
            if after is before:
                return None
            agenda: dict[str, int | None] = {}
            if after.state is PaymentState.PAID:  # from here on the money is the customer's, whatever fails
                line = payment_member(account_id, reference, after.amount)
                agenda = {line: self._clock.now_ms() + UNDER_WAY_MS}
            return Change({key: after}, ttl_ms={key: ACTION_RECORD_MEMORY_S * 1000}, agenda=agenda)

        self._client.change(account_id, (key,), decide)
        return found[-1]


def _tell_refused(event: ChargeEvent, reason: str) -> None:
    log.error(
        "auto_top_up_refused",
        account=event.account_id,
        reason=reason,
        remedy="it has been paid: give the money back, or put it on the account by hand",
    )


def _payment_view(payment: Payment, parked: str = "") -> PaymentView:
    return PaymentView(
        payment.account_id,
        payment.reference,
        money_view(payment.amount.micro, payment.amount.currency),
        payment.method,
        payment.state,
        date_time(payment.asked_ms),
        date_time(payment.settled_ms) if payment.settled_ms else None,
        parked or None,
    )
