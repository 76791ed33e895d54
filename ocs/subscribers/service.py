"""Open accounts and top them up in a store: the pure operations through the balance room's one door."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from ocs import limits
from ocs.balance import keys
from ocs.balance.client import BalanceClient, Change
from ocs.balance.model import Account, decode_account
from ocs.balance.purse import money_balance
from ocs.balance.store import ABSENT, Stored
from ocs.clock import Clock
from ocs.rating import Catalogue
from ocs.subscribers.operations import (
    NewAccount,
    NewSubscriber,
    Opened,
    OperationError,
    add_subscriber,
    open_account,
    top_up,
)
from ocs.units import Money


class Receipt(msgspec.Struct, frozen=True, array_like=True):
    """The first answer to a top-up, kept for its repeats.

    Attributes:
        balance_micro: money of the account right after, in micro-units.
        repeated: this top-up had been done before, and nothing changed; never set in what is kept.
    """

    account_id: str
    reference: str
    amount: Money
    balance_micro: int
    sequence: int
    repeated: bool = False


_decode_receipt: Final = msgspec.msgpack.Decoder(Receipt).decode


class SubscriberService:
    """What operators and portals do to accounts.

    Args:
        client: the store. catalogue: offers and currency of today.
    """

    def __init__(self, client: BalanceClient, catalogue: Catalogue, clock: Clock) -> None:
        self._client = client
        self._catalogue = catalogue
        self._clock = clock

    def open_account(self, new: NewAccount) -> Account:
        """Open an account: identities are claimed first, then account and subscriber come to be in one commit.

        A crash in between leaves hints that lead nowhere; opening the account again completes it.

        Raises:
            OperationError: the id or an identity is taken, or the account is not well formed.
        """
        opened = open_account(new, self._catalogue, self._clock.now_ms())
        taken = self._client.claim_identities(new.account_id, new.subscriber_id, new.identities)
        if taken is not None:
            raise OperationError(f"identity {taken!r} belongs to another account")
        names = self._names(new)

        def create(values: tuple[Stored, ...]) -> Change:
            if any(stored.token != ABSENT for stored in values):
                raise OperationError(f"account {new.account_id!r} exists already")
            return self._change(new, opened)

        self._client.change(new.account_id, names, create)
        return opened.account

    def open_accounts(self, accounts: Iterable[NewAccount]) -> Iterator[str]:
        """Open many accounts in batches; yields the ids of those that existed already.

        For migrations: identities are entered without looking whose they were.
        """

        def changes() -> Iterator[tuple[str, dict[str, bytes], Change]]:
            for new in accounts:
                opened = open_account(new, self._catalogue, self._clock.now_ms())
                location = keys.encode_location(new.account_id, new.subscriber_id)
                directory = {keys.identity_key(identity): location for identity in new.identities}
                yield new.account_id, directory, self._change(new, opened)

        return self._client.create_pipelined(changes())

    def add_subscriber(self, new: NewSubscriber) -> Account:
        """Add a subscriber to an account; it pays with the account's balance.

        Raises:
            OperationError: no such account, the subscriber or an identity is taken, or it is not well formed.
        """
        account_key, subscriber_key = names = self._names(new)
        opened: list[Opened] = []

        def add(values: tuple[Stored, ...]) -> Change:
            if values[0].token == ABSENT:
                raise OperationError(f"there is no account {new.account_id!r}")
            if values[1].token != ABSENT:
                raise OperationError(f"subscriber {new.subscriber_id!r} exists already")
            account = decode_account(values[0].content)
            opened.append(add_subscriber(account, new, self._catalogue, self._clock.now_ms()))
            # An account that gets no allowance is not written: it may be busy, and has room for any number of SIMs.
            changed = {} if opened[-1].account is account else {account_key: opened[-1].account}
            return Change({**changed, subscriber_key: opened[-1].subscriber}, opened[-1].events)

        add(self._client.load(names))  # what is refused claims no identity
        taken = self._client.claim_identities(new.account_id, new.subscriber_id, new.identities)
        if taken is not None:
            raise OperationError(f"identity {taken!r} belongs to another subscriber")
        self._client.change(new.account_id, names, add)
        return opened[-1].account

    def add_subscribers(self, account_id: str, subscribers: Iterable[NewSubscriber]) -> Iterator[str]:
        """Add many subscribers to one account in batches; yields the account id once for each that existed already.

        For migrations: identities are entered without looking whose they were, and offers bring no allowances.

        Raises:
            OperationError: no such account, or a subscriber that :meth:`add_subscriber` is needed for.
        """
        account = self._client.account(account_id)
        if account is None:
            raise OperationError(f"there is no account {account_id!r}")

        def changes() -> Iterator[tuple[str, dict[str, bytes], Change]]:
            for new in subscribers:
                opened = add_subscriber(account, new, self._catalogue, self._clock.now_ms())
                if opened.account is not account:
                    raise OperationError(
                        f"{new.subscriber_id}: its offers bring allowances: add it by itself"
                    )
                location = keys.encode_location(account_id, new.subscriber_id)
                directory = {keys.identity_key(identity): location for identity in new.identities}
                yield account_id, directory, Change({self._names(new)[1]: opened.subscriber})

        return self._client.create_pipelined(changes())

    def top_up(self, account_id: str, amount: Money, *, reference: str) -> Receipt:
        """Put money on an account, once per reference: a repeat gets the first receipt, marked as such.

        Raises:
            OperationError: no such account, nothing to put, or the reference was used for something else.
            CurrencyMismatchError: another currency than the account's.
            StoreBusyError: it is not known whether it was done; the same reference may be tried again.
        """
        partition = self._client.partition_of(account_id)
        account_key = keys.account_key(partition, account_id)
        receipt_key = keys.operation_key(partition, f"topup:{account_id}:{reference}")
        receipts: list[Receipt] = []

        def decide(values: tuple[Stored, ...]) -> Change | None:
            stored_account, stored_receipt = values
            if stored_receipt.token != ABSENT:
                first = _decode_receipt(stored_receipt.content)
                if first.amount != amount:
                    raise OperationError(f"reference {reference!r} was used for {first.amount}")
                receipts.append(msgspec.structs.replace(first, repeated=True))
                return None
            if stored_account.token == ABSENT:
                raise OperationError(f"there is no account {account_id!r}")
            account, event = top_up(
                decode_account(stored_account.content),
                amount,
                reference=reference,
                now_ms=self._clock.now_ms(),
            )
            receipt = Receipt(account_id, reference, amount, money_balance(account), account.sequence)
            receipts.append(receipt)
            return Change(
                {account_key: account, receipt_key: receipt},
                (event,),
                {receipt_key: limits.OPERATION_MEMORY_S * 1000},
            )

        self._client.change(account_id, (account_key, receipt_key), decide)
        return receipts[-1]

    def _names(self, new: NewAccount | NewSubscriber) -> tuple[str, str]:
        partition = self._client.partition_of(new.account_id)
        return keys.account_key(partition, new.account_id), keys.subscriber_key(partition, new.subscriber_id)

    def _change(self, new: NewAccount, opened: Opened) -> Change:
        account_key, subscriber_key = self._names(new)
        return Change({account_key: opened.account, subscriber_key: opened.subscriber}, opened.events)
