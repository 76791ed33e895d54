"""Open accounts, move their money, look at them: the pure operations through the balance room's one door."""

from collections.abc import Iterable, Iterator

import msgspec

from ocs.balance import keys
from ocs.balance.client import BalanceClient, Change
from ocs.balance.model import Account, Subscriber, decode_account
from ocs.balance.store import ABSENT, Stored
from ocs.clock import Clock
from ocs.rating import Catalogue
from ocs.subscribers.adjustments import adjust, give_back, set_aside, take_back, take_set_aside
from ocs.subscribers.history import Balances, HistoryPage, balances_of, read_history
from ocs.subscribers.office import Office, OnChange, Order, Receipt, tell_nobody
from ocs.subscribers.openings import add_subscriber, open_account
from ocs.subscribers.operations import (
    NO_RULES,
    AccountRules,
    NewAccount,
    NewSubscriber,
    Opened,
    OperationError,
    check_reference,
)
from ocs.subscribers.plans import Plans
from ocs.subscribers.top_ups import TopUps
from ocs.subscribers.transfers import Transfers
from ocs.units import Money


class SubscriberService:
    """What operators and portals do to accounts.

    Attributes:
        office: what the other services of this room need (vouchers, plans, administration, the sweep).

    Args:
        client: the store. catalogue: offers and currency of today. rules: the operator's for accounts.
        on_change: told after a commit that changed what a session may get; it must not raise.
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
        self.office = Office(client, catalogue, clock, rules=rules, on_change=on_change)
        self._client = client
        self._catalogue = catalogue
        self._clock = clock

    # --- Accounts and subscribers -----------------------------------------------------------------------

    def open_account(self, new: NewAccount) -> Account:
        """Open an account: identities are claimed first, then account and subscriber come to be in one commit.

        A crash in between leaves hints that lead nowhere; opening the account again completes it.

        Raises:
            OperationError: the id or an identity is taken, or the account is not well formed.
        """
        opened = open_account(new, self._catalogue, self._clock.now_ms(), self.office.rules)
        taken = self._client.claim_identities(new.account_id, new.subscriber_id, new.identities)
        if taken is not None:
            raise OperationError(f"identity {taken!r} belongs to another account")
        names = self._names(new)
        self.office.enter_members([(new.account_id, new.subscriber_id)])

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
            for new in self.office.entering(accounts):
                opened = open_account(new, self._catalogue, self._clock.now_ms(), self.office.rules)
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
            opened.append(
                add_subscriber(account, new, self._catalogue, self._clock.now_ms(), self.office.rules)
            )
            # An account that gets no allowance is not written: it may be busy, and has room for any number of SIMs.
            changed = {} if opened[-1].account is account else {account_key: opened[-1].account}
            agenda = self.office.agenda_of(opened[-1].account, opened[-1].subscriber)
            return Change(
                {**changed, subscriber_key: opened[-1].subscriber}, opened[-1].events, agenda=agenda
            )

        add(self._client.load(names))  # what is refused claims no identity
        taken = self._client.claim_identities(new.account_id, new.subscriber_id, new.identities)
        if taken is not None:
            raise OperationError(f"identity {taken!r} belongs to another subscriber")
        self.office.enter_members([(new.account_id, new.subscriber_id)])
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
            for new in self.office.entering(subscribers):
                opened = add_subscriber(
                    account, new, self._catalogue, self._clock.now_ms(), self.office.rules
                )
                if opened.account is not account:
                    raise OperationError(
                        f"{new.subscriber_id}: its offers bring allowances or charges: add it by itself"
                    )
                location = keys.encode_location(account_id, new.subscriber_id)
                directory = {keys.identity_key(identity): location for identity in new.identities}
                yield account_id, directory, Change({self._names(new)[1]: opened.subscriber})

        return self._client.create_pipelined(changes())

    # --- Money ------------------------------------------------------------------------------------------

    def top_up(self, account_id: str, amount: Money, *, reference: str) -> Receipt:
        """Put money on an account, once per reference: a repeat gets the first receipt, marked as such.

        With it comes what the catalogue's bonuses bring; offers that rest unpaid are tried again.

        Raises:
            OperationError: no such account, nothing to put, or the reference was used for something else.
            CurrencyMismatchError: another currency than the account's.
            StoreBusyError: it is not known whether it was done; the same reference may be tried again.
        """
        return TopUps(self.office).top_up(account_id, amount, reference=reference)

    def take_payment(self, account_id: str, amount: Money, *, reference: str) -> Receipt:
        """Put money on an account that has been paid already, see :meth:`TopUps.take_payment`."""
        return TopUps(self.office).take_payment(account_id, amount, reference=reference)

    def adjust(self, account_id: str, amount: Money, *, reason: str, reference: str) -> Receipt:
        """Correct a balance, upwards or (negative) downwards, once per reference.

        Args:
            reason: the operator's code for why, such as ``goodwill``; it stands in the event.

        Raises:
            OperationError, CurrencyMismatchError, StoreBusyError: as for :meth:`top_up`; more than is available.
        """
        check_reference(reference)
        receipt = self.office.once(
            Order("adjustment", account_id, reference, amount, asked=reason),
            lambda account, _: adjust(
                account,
                amount,
                reason=reason,
                reference=reference,
                now_ms=self._clock.now_ms(),
                rules=self.office.rules,
            ),
        )
        if amount.micro > 0 and not receipt.repeated:
            Plans(self.office).money_came(account_id)
        return receipt

    def take_back(self, account_id: str, amount: Money, *, top_up: str, reference: str) -> Receipt:
        """Undo a top-up with what it brought, once per reference.

        Args:
            top_up: its reference.

        Raises:
            OperationError, CurrencyMismatchError, StoreBusyError: as for :meth:`top_up`; some of it is used.
        """
        check_reference(reference)
        first = self.office.receipt("topup", account_id, top_up)
        return self.office.once(
            Order(
                "adjustment", account_id, reference, Money(-amount.micro, amount.currency), asked="cancelled"
            ),
            lambda account, _: take_back(
                account,
                amount,
                () if first is None else first.bonus,
                reference=reference,
                now_ms=self._clock.now_ms(),
                rules=self.office.rules,
            ),
        )

    def transfer(self, account_id: str, to_account_id: str, amount: Money, *, reference: str) -> Receipt:
        """Send money from an account to another, once per reference of the sender; see :class:`Transfers`.

        Returns:
            The sender's receipt.

        Raises:
            OperationError, CurrencyMismatchError, StoreBusyError: as for :meth:`top_up`; refused by either account,
                and then nothing is lost.
        """
        receipt = Transfers(self.office).transfer(account_id, to_account_id, amount, reference=reference)
        Plans(self.office).money_came(to_account_id)
        return receipt

    def set_aside(self, account_id: str, amount: Money, *, reference: str) -> Receipt:
        """Set money aside until it is taken or given back, once per reference, which names the reservation.

        Raises:
            OperationError, CurrencyMismatchError, StoreBusyError: as for :meth:`top_up`; more than is available.
        """
        check_reference(reference)
        return self.office.once(
            Order("reservation", account_id, reference, amount),
            lambda account, _: set_aside(account, amount, reference=reference, now_ms=self._clock.now_ms()),
        )

    def take_set_aside(self, account_id: str, amount: Money, *, reservation: str, reference: str) -> Receipt:
        """Charge a part or all of a reservation, once per reference.

        Raises:
            OperationError, CurrencyMismatchError, StoreBusyError: as for :meth:`top_up`; less is set aside.
        """
        check_reference(reference)
        return self.office.once(
            Order("deduction", account_id, reference, amount, asked=reservation),
            lambda account, _: take_set_aside(
                account,
                amount,
                reservation=reservation,
                reference=reference,
                now_ms=self._clock.now_ms(),
            ),
            None,
        )

    def give_back(self, account_id: str, *, reservation: str, reference: str) -> Receipt:
        """End a reservation: what is left of it pays again. Once per reference.

        Raises:
            OperationError, StoreBusyError: as for :meth:`top_up`; there is no such reservation.
        """
        check_reference(reference)
        currency = self.office.account(account_id).currency
        return self.office.once(
            Order("release", account_id, reference, Money(0, currency), asked=reservation),
            lambda account, _: give_back(
                account, reservation=reservation, reference=reference, now_ms=self._clock.now_ms()
            ),
        )

    # --- Reading ----------------------------------------------------------------------------------------

    def balances(self, account_id: str) -> Balances:
        """What an account holds, with what is reserved of it.

        Raises:
            OperationError: no such account.
        """
        return balances_of(self.office.account(account_id), self._clock.now_ms())

    def history(self, account_id: str, *, limit: int = 50, cursor: str = "") -> HistoryPage:
        """What moved an account's balance, newest first, as far as the stream still holds it.

        Args:
            cursor: of the page before; empty for the newest.

        Raises:
            OperationError: no such account, or a cursor that no page gave.
        """
        self.office.account(account_id)
        return read_history(self._client, account_id, limit=limit, cursor=cursor)

    def members(self, account_id: str, *, after: str = "", limit: int = 100) -> tuple[Subscriber, ...]:
        """Subscribers of an account by id, those after one, so many at most."""
        return self.office.members(account_id, after=after, limit=limit)

    def _names(self, new: NewAccount | NewSubscriber) -> tuple[str, str]:
        partition = self._client.partition_of(new.account_id)
        return keys.account_key(partition, new.account_id), keys.subscriber_key(partition, new.subscriber_id)

    def _change(self, new: NewAccount, opened: Opened) -> Change:
        account_key, subscriber_key = self._names(new)
        agenda = self.office.agenda_of(opened.account, opened.subscriber)
        values: dict[str, msgspec.Struct] = {account_key: opened.account, subscriber_key: opened.subscriber}
        return Change(values, opened.events, agenda=agenda)
