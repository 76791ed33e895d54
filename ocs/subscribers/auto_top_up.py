"""A holder's order to top up when money runs low: the notice in the stream, the payment, the top-up by reference.

Charging puts the notice into the stream when money falls below the holder's threshold. Whoever takes payments reads it
there, after the stream's barrier, and hands it to :class:`AutoTopUps`; a notice that is read twice is paid once,
because both the payment and the top-up carry the reference that is made from it.
"""

from hashlib import blake2b
from typing import Protocol

from ocs.events import ChargeEvent, NoticeKind
from ocs.subscribers.office import Receipt
from ocs.subscribers.service import SubscriberService
from ocs.units import Money


def payment_reference(event: ChargeEvent) -> str:
    """The reference of the payment that a notice asks for; event ids may be longer than references are."""
    return f"auto:{blake2b(event.event_id.encode(), digest_size=16).hexdigest()}"


class PaymentPort(Protocol):
    """Who takes payments."""

    def pay(self, account_id: str, amount: Money, *, method: str, reference: str) -> bool:
        """Take a payment once per reference; False when it is refused.

        Args:
            method: of the holder's order, in the words of the payment side.
        """
        ...


class AutoTopUps:
    """Carries out what holders have ordered for when their money runs low."""

    def __init__(self, service: SubscriberService, payments: PaymentPort) -> None:
        self._service = service
        self._payments = payments

    def handle(self, event: ChargeEvent) -> Receipt | None:
        """Pay and top up for one event of the stream; None when it asks for nothing or the payment is refused.

        Raises:
            OperationError: there is no such account any more: what has been paid must be given back.
            StoreBusyError: it is not known whether it was done; the event may be handled again.
        """
        notice = event.notice
        if notice is None or notice.kind is not NoticeKind.AUTO_TOP_UP:
            return None
        amount = Money(notice.value, event.currency)
        reference = payment_reference(event)
        if not self._payments.pay(event.account_id, amount, method=notice.subject, reference=reference):
            return None
        return self._service.take_payment(event.account_id, amount, reference=reference)
