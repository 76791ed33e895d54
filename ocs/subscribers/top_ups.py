"""Money paid in: a top-up that the account may refuse, and a payment that was taken already and must not be lost.

A payment is two commits, of which the sweep completes what a crash left:

    1. paid     whoever takes payments notes it; the agenda says that it is to be credited
    2. credit   the account gains it by its reference, once, or keeps it set aside; the agenda's line goes
"""

from typing import Final

import structlog
from msgspec.structs import replace

from ocs.balance import keys
from ocs.balance.client import Change
from ocs.balance.model import Account
from ocs.metrics import Counter
from ocs.subscribers.adjustments import park
from ocs.subscribers.agenda import payment_member
from ocs.subscribers.grants import bonus_buckets
from ocs.subscribers.office import Office, Order, Receipt
from ocs.subscribers.operations import Done, OperationError, check_reference, top_up
from ocs.subscribers.plans import Plans
from ocs.units import Money

log = structlog.get_logger()

_PARKED: Final = Counter(
    "ocs_payments_parked_total",
    "Payments that their account refused, and that lie there for somebody to decide.",
)


class TopUps:
    """Puts money on accounts, with what the catalogue's bonuses bring."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def top_up(self, account_id: str, amount: Money, *, reference: str) -> Receipt:
        """Put money on an account, once per reference; offers that rest unpaid are tried again.

        Raises:
            OperationError: no such account, it refuses the money, or the reference was used for something else.
            CurrencyMismatchError: another currency than the account's.
            StoreBusyError: it is not known whether it was done; the same reference may be tried again.
        """
        return self._put(account_id, amount, reference, is_paid=False)

    def take_payment(self, account_id: str, amount: Money, *, reference: str) -> Receipt:
        """Put money on an account that has been paid already; what the account refuses is parked there.

        ``Receipt.parked`` says why, if so (:func:`~ocs.subscribers.adjustments.park`).

        Raises:
            OperationError: no such account, nothing to put, or the reference was used for something else.
            CurrencyMismatchError, StoreBusyError: as for :meth:`top_up`.
        """
        receipt = self._put(account_id, amount, reference, is_paid=True)
        if receipt.parked and not receipt.repeated:
            _PARKED.inc()
            log.error(
                "payment_parked",
                account=account_id,
                reference=reference,
                amount=str(amount),
                reason=receipt.parked,
                remedy="pay it back and take the reservation, or release the reservation to the account",
            )
        return receipt

    def complete(self, account_id: str, amount: Money, *, reference: str) -> None:
        """Credit a payment that a crash cut off; what the sweep does.

        Raises:
            OperationError: there is no such account. StoreBusyError: not now.
        """
        if not self.take_payment(account_id, amount, reference=reference).repeated:
            return
        client = self._office.client
        key = keys.account_key(client.partition_of(account_id), account_id)
        line: dict[str, int | None] = {payment_member(account_id, reference, amount): None}
        client.change(account_id, (key,), lambda _: Change({}, agenda=line))

    def _put(self, account_id: str, amount: Money, reference: str, *, is_paid: bool) -> Receipt:
        check_reference(reference)
        office = self._office
        now_ms = office.clock.now_ms()
        holder = office.client.subscriber(account_id, account_id)
        offers = () if holder is None else holder.offers
        bonus = bonus_buckets(office.catalogue.bonus_for(amount, now_ms // 1000, offers), now_ms)

        def act(account: Account, _: object) -> Done:
            try:
                done = top_up(
                    account, amount, reference=reference, now_ms=now_ms, rules=office.rules, bonus=bonus
                )
            except OperationError as error:
                if not is_paid or amount.micro <= 0:
                    raise
                done = park(account, amount, reference=reference, now_ms=now_ms, why=str(error))
            if not is_paid:
                return done
            return replace(done, agenda={payment_member(account_id, reference, amount): None})

        receipt = office.once(Order("topup", account_id, reference, amount), act)
        if not receipt.repeated:
            Plans(office).money_came(account_id)
        return receipt
