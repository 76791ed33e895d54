"""Where operations on accounts are carried out: once per reference, in one commit, and told to those it concerns."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec

from ocs import limits
from ocs.balance import keys
from ocs.balance.client import BalanceClient, Change
from ocs.balance.model import Account, Bucket, Hold, Subscriber, decode_account, decode_subscriber
from ocs.balance.purse import money_balance
from ocs.balance.store import ABSENT, Stored
from ocs.clock import Clock
from ocs.rating import Catalogue
from ocs.subscribers.agenda import account_due_ms, account_member, subscriber_due_ms, subscriber_member
from ocs.subscribers.operations import (
    NO_RULES,
    AccountRules,
    Done,
    NewAccount,
    NewSubscriber,
    OperationError,
    check_currency,
)
from ocs.units import CurrencyMismatchError, Money


class AccountChange(StrEnum):
    """What has changed in an account, for those who must ask its gateways to come again (RFC 8506 section 5.5)."""

    BALANCE = "balance"
    OFFERS = "offers"
    STATE = "state"
    BARRED = "barred"  # services end now


OnChange = Callable[[str, AccountChange], None]


class Receipt(msgspec.Struct, frozen=True, array_like=True):
    """The first answer to an operation, kept for its repeats.

    Attributes:
        balance_micro: money of the account right after, in micro-units.
        repeated: this operation had been done before, and nothing changed; never set in what is kept.
        asked: what was asked for beside the amount. refusal: why it was refused for good; empty when it was done.
        bonus: what came with a top-up, by which it is taken back.
        origins: where money that was sent was drawn from, by which it comes back.
        parked: why the account refused money that had been paid and was set aside; empty when it did not.
    """

    account_id: str
    reference: str
    amount: Money
    balance_micro: int
    sequence: int
    repeated: bool = False
    asked: str = ""
    refusal: str = ""
    bonus: tuple[Hold, ...] = ()
    origins: tuple[Bucket, ...] = ()
    parked: str = ""


class Order(msgspec.Struct, frozen=True):
    """An operation that is asked for, done once per account and reference.

    Attributes:
        operation: its kind: references of different kinds do not meet.
        asked: in words what is asked for beside the amount; a repeat must ask the same.
        subscriber_id: whose value the operation reads; empty for none.
        keeps_refusal: a refusal is as final as a success, so that two who carry one order out agree.
    """

    operation: str
    account_id: str
    reference: str
    amount: Money
    asked: str = ""
    subscriber_id: str = ""
    keeps_refusal: bool = False


class RefusedForGoodError(OperationError):
    """The order was refused, and this reference will always be: the refusal is kept."""


Act = Callable[[Account, Subscriber | None], Done]
_New = TypeVar("_New", NewAccount, NewSubscriber)
_MEMBERS_PER_BATCH: Final = 500
decode_receipt: Final = msgspec.msgpack.Decoder(Receipt).decode


def tell_nobody(account_id: str, change: AccountChange) -> None:
    """Where no gateway is asked to come again."""
    del account_id, change


class Office:
    """What operations share: the store, the offers of today, the operator's rules, and whom to tell.

    Args:
        on_change: called after a commit that changed what a session may get; it must not raise.
    """

    def __init__(
        self,
        client: BalanceClient,
        catalogue: Catalogue,
        clock: Clock,
        *,
        rules: AccountRules = NO_RULES,
        on_change: OnChange = tell_nobody,
    ) -> None:
        self.client = client
        self.catalogue = catalogue
        self.clock = clock
        self.rules = rules
        self.on_change = on_change

    def once(self, order: Order, act: Act, change: AccountChange | None = AccountChange.BALANCE) -> Receipt:
        """Carry an order out, once: a repeat gets the first receipt, marked as such.

        Args:
            act: pure; may be called again when the account changed meanwhile.
            change: whom it concerns; None nobody but the account.

        Raises:
            OperationError: refused, no such account or subscriber, or the reference was used for something else.
            StoreBusyError: it is not known whether it was done; the same reference may be tried again.
        """
        names = self._names(order)
        receipts: list[Receipt] = []

        def decide(values: tuple[Stored, ...]) -> Change | None:
            receipt, written = self._decided(order, act, names, values)
            receipts.append(receipt)
            return written

        self.client.change(order.account_id, names, decide)
        receipt = receipts[-1]
        if receipt.refusal:
            raise RefusedForGoodError(receipt.refusal)
        if change is not None and not receipt.repeated:
            self.on_change(order.account_id, change)
        return receipt

    def agenda_of(
        self, account: Account | None, subscriber: Subscriber | None = None
    ) -> dict[str, int | None]:
        """The lines of the agenda for values as they will stand."""
        lines: dict[str, int | None] = {}
        if account is not None:
            lines[account_member(account.account_id)] = account_due_ms(
                account, self.rules.lifecycle, self.clock.now_ms()
            )
        if subscriber is not None:
            member = subscriber_member(subscriber.account_id, subscriber.subscriber_id)
            lines[member] = subscriber_due_ms(subscriber)
        return lines

    def account(self, account_id: str) -> Account:
        """An account as it stands.

        Raises:
            OperationError: there is none.
        """
        account = self.client.account(account_id)
        if account is None:
            raise OperationError(f"there is no account {account_id!r}")
        return account

    # --- Which subscribers an account has -----------------------------------------------------------------

    def enter_members(self, names: list[tuple[str, str]]) -> None:
        """Note subscribers of accounts, before they come to be: a name that leads nowhere is passed over."""
        self.client.connection.ask(
            [
                (
                    "ZADD",
                    keys.members_key(self.client.partition_of(account_id)),
                    0,
                    f"{account_id}\n{subscriber_id}",
                )
                for account_id, subscriber_id in names
            ]
        )

    def entering(self, new: Iterable[_New]) -> Iterator[_New]:
        """Pass on what is to be created, each noted as a member before, by the batch."""
        for batch in _batched(new, _MEMBERS_PER_BATCH):
            self.enter_members([(each.account_id, each.subscriber_id) for each in batch])
            yield from batch

    def members(self, account_id: str, *, after: str = "", limit: int = 100) -> tuple[Subscriber, ...]:
        """Subscribers of an account by id, those after one, so many at most."""
        partition = self.client.partition_of(account_id)
        connection: Any = self.client.connection
        names: list[bytes] = connection.zrangebylex(
            keys.members_key(partition),
            f"({account_id}\n{after}" if after else f"[{account_id}\n",
            f"({account_id}\v",  # the character after a newline
            start=0,
            num=limit,
        )
        subscriber_ids = [name.decode().partition("\n")[2] for name in names]
        found = self.client.read([keys.subscriber_key(partition, each) for each in subscriber_ids])
        subscribers = [decode_subscriber(stored.content) for stored in found if stored.token != ABSENT]
        return tuple(each for each in subscribers if each.account_id == account_id)

    # --- Once ---------------------------------------------------------------------------------------------

    def receipt(self, operation: str, account_id: str, reference: str) -> Receipt | None:
        """The receipt of an order that was carried out or refused for good, None when there is none (any more)."""
        (stored,) = self.client.load((self._receipt_key(operation, account_id, reference),))
        if stored.token == ABSENT:
            return None
        return msgspec.structs.replace(decode_receipt(stored.content), repeated=True)

    def _receipt_key(self, operation: str, account_id: str, reference: str) -> str:
        return keys.operation_key(
            self.client.partition_of(account_id), f"{operation}:{account_id}:{reference}"
        )

    def _names(self, order: Order) -> tuple[str, ...]:
        partition = self.client.partition_of(order.account_id)
        receipt_key = self._receipt_key(order.operation, order.account_id, order.reference)
        names = keys.account_key(partition, order.account_id), receipt_key
        if not order.subscriber_id:
            return names
        return (*names, keys.subscriber_key(partition, order.subscriber_id))

    def _decided(
        self, order: Order, act: Act, names: tuple[str, ...], values: tuple[Stored, ...]
    ) -> tuple[Receipt, Change | None]:
        account_key, receipt_key = names[:2]
        kept = {receipt_key: limits.OPERATION_MEMORY_S * 1000}
        if values[1].token != ABSENT:
            return _repeated(order, decode_receipt(values[1].content)), None
        try:
            account, subscriber = self._found(order, values)
            done = act(account, subscriber)
        except (OperationError, CurrencyMismatchError) as error:
            if not order.keeps_refusal:
                raise
            refused = Receipt(
                order.account_id, order.reference, order.amount, 0, 0, asked=order.asked, refusal=str(error)
            )
            return refused, Change({receipt_key: refused}, (), kept)
        receipt = Receipt(
            order.account_id,
            order.reference,
            order.amount,
            money_balance(done.account),
            done.account.sequence,
            asked=order.asked,
            bonus=done.bonus,
            origins=done.origins,
            parked=done.parked,
        )
        writes: dict[str, msgspec.Struct] = {receipt_key: receipt}
        agenda = dict(done.agenda)
        if done.account is not account:
            writes[account_key] = done.account
            agenda |= self.agenda_of(done.account)
        if done.subscriber is not None and done.subscriber is not subscriber:
            writes[names[2]] = done.subscriber
            agenda |= self.agenda_of(None, done.subscriber)
        return receipt, Change(writes, done.events, kept, agenda)

    def _found(self, order: Order, values: tuple[Stored, ...]) -> tuple[Account, Subscriber | None]:
        if values[0].token == ABSENT:
            raise OperationError(f"there is no account {order.account_id!r}")
        account = decode_account(values[0].content)
        check_currency(account, order.amount)
        if not order.subscriber_id:
            return account, None
        if values[2].token == ABSENT:
            raise OperationError(f"account {order.account_id!r} has no subscriber {order.subscriber_id!r}")
        subscriber = decode_subscriber(values[2].content)
        if subscriber.account_id != order.account_id:
            raise OperationError(f"account {order.account_id!r} has no subscriber {order.subscriber_id!r}")
        return account, subscriber


def _batched(items: Iterable[_New], size: int) -> Iterator[list[_New]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _repeated(order: Order, first: Receipt) -> Receipt:
    if first.amount != order.amount:
        raise OperationError(f"reference {order.reference!r} was used for {first.amount}")
    if first.asked != order.asked:
        raise OperationError(f"reference {order.reference!r} was used for something else: {first.asked}")
    return msgspec.structs.replace(first, repeated=True)
