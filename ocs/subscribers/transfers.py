"""Money sent from one account to another: three commits, of which a sweep completes what a crash left.

    1. claim    the sender's account loses the amount; the agenda notes that it is under way
    2. credit   the receiver's account gains it, or refuses for good: once, whoever tries
    3. finish   the agenda's line goes; after a refusal the sender has it back in the same commit

The amount is never in two accounts; between 1 and 2 it is in neither, and the line says so.
"""

from typing import Final

from msgspec.structs import replace

from ocs.balance import keys
from ocs.balance.client import Change
from ocs.balance.model import Account
from ocs.subscribers.adjustments import receive, send
from ocs.subscribers.agenda import UNDER_WAY_MS, transfer_member
from ocs.subscribers.office import Office, Order, Receipt, RefusedForGoodError
from ocs.subscribers.operations import Done, OperationError, check_reference
from ocs.units import Money

_OUT: Final = "transfer"


class Transfers:
    """Sends money between accounts, and completes what was left half done."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def transfer(self, account_id: str, to_account_id: str, amount: Money, *, reference: str) -> Receipt:
        """Send money, once per reference of the sender; a repeat completes what was left and gets the first receipt.

        Raises:
            OperationError: refused by the sender's account, or by the receiver's, and then the sender has it back.
            CurrencyMismatchError: the accounts are in different currencies.
            StoreBusyError: it is not known how far it came; the sweep completes it, and so does a repeat.
        """
        check_reference(reference)
        if self._office.client.account(to_account_id) is None:
            raise OperationError(f"there is no account {to_account_id!r}")
        receipt = self._claim(account_id, to_account_id, amount, reference)
        self._complete(receipt)
        return receipt

    def complete(self, account_id: str, reference: str) -> None:
        """Bring a transfer that is under way to its end; what the sweep does.

        Raises:
            StoreBusyError: not now.
        """
        claimed = self._office.receipt(_OUT, account_id, reference)
        if claimed is None:
            self._finish(account_id, reference)
            return
        try:
            self._complete(claimed)
        except OperationError:
            return  # refused: the sender has it back

    def _claim(self, account_id: str, to: str, amount: Money, reference: str) -> Receipt:
        office = self._office
        member = transfer_member(account_id, reference)

        def act(account: Account, _: object) -> Done:
            now_ms = office.clock.now_ms()
            done = send(account, amount, to=to, reference=reference, now_ms=now_ms, rules=office.rules)
            return replace(done, agenda={member: now_ms + UNDER_WAY_MS})

        return office.once(Order(_OUT, account_id, reference, amount, asked=to), act)

    def _complete(self, claimed: Receipt) -> None:
        office = self._office
        account_id, to, amount, reference = (
            claimed.account_id,
            claimed.asked,
            claimed.amount,
            claimed.reference,
        )
        incoming = f"{account_id}:{reference}"
        try:
            office.once(
                Order("transfer-in", to, incoming, amount, keeps_refusal=True),
                lambda account, _: receive(
                    account,
                    amount,
                    sender=account_id,
                    event_id=f"transfer-in:{to}:{incoming}",
                    now_ms=office.clock.now_ms(),
                ),
            )
        except RefusedForGoodError:
            self._give_back(claimed)
            raise
        self._finish(account_id, reference)

    def _give_back(self, claimed: Receipt) -> None:
        office = self._office
        account_id, amount, reference = claimed.account_id, claimed.amount, claimed.reference
        member = transfer_member(account_id, reference)

        def act(account: Account, _: object) -> Done:
            event_id = f"transfer-back:{account_id}:{reference}"
            done = receive(
                account,
                amount,
                sender=account_id,
                event_id=event_id,
                now_ms=office.clock.now_ms(),
                origins=claimed.origins,
            )
            return replace(done, agenda={member: None})

        office.once(Order("transfer-back", account_id, reference, amount), act)

    def _finish(self, account_id: str, reference: str) -> None:
        """Take the line off the agenda; harmless when it is gone."""
        client = self._office.client
        key = keys.operation_key(client.partition_of(account_id), f"{_OUT}:{account_id}:{reference}")
        line: dict[str, int | None] = {transfer_member(account_id, reference): None}
        client.change(account_id, (key,), lambda _: Change({}, agenda=line))
