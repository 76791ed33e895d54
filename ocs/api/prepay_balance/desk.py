"""Finds the accounts that a TMF654 query is about, and shows what they have."""

from collections.abc import Callable

from ocs.api.prepay_balance.actions import Actions
from ocs.api.prepay_balance.views import (
    accumulated_views,
    action_view,
    bucket_views,
    history_views,
    split_bucket_id,
)
from ocs.api.reader import BalanceReader
from ocs.api.threads import read_in_thread
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.query import Query
from ocs.api.tmf.records import ActionRecord, RecordsTooManyError
from ocs.api.tmf.resources import Attributes
from ocs.balance.model import Account
from ocs.clock import Clock
from ocs.limits import ACCOUNTS_LISTED_MAX, HTTP_PAGE_ITEMS_MAX

ShowAccount = Callable[[Account, int, str], list[Attributes]]

# How a number is looked up in the directory: as it is where it names its kind, else as one of these.
_IDENTITY_KINDS = ("e164", "imsi", "sip", "nai", "private")
_NARROW = "name an account: partyAccount.id=, or a number: logicalResource.id="


class PrepayBalanceDesk:
    """What the routes of TMF654 ask for.

    Args:
        reader: where accounts and their history are read. actions: what was and is done.
    """

    def __init__(self, reader: BalanceReader, actions: Actions, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self.actions = actions

    # --- What accounts have -----------------------------------------------------------------------------

    async def buckets(self, query: Query) -> list[Attributes]:
        """Buckets of the accounts that a query is about."""
        return await self._shown(query, bucket_views)

    async def accumulated_balances(self, query: Query) -> list[Attributes]:
        """Sums of the accounts that a query is about."""
        return await self._shown(query, accumulated_views)

    async def bucket(self, identifier: str) -> Attributes:
        """One bucket."""
        return await self._one(identifier, bucket_views)

    async def accumulated_balance(self, identifier: str) -> Attributes:
        """One sum."""
        return await self._one(identifier, accumulated_views)

    async def history(self, query: Query) -> list[Attributes]:
        """What was done to the accounts that a query names, newest first.

        Raises:
            TmfError: 400, it names none.
        """
        accounts = await self._named_accounts(query)
        if accounts is None:
            raise TmfError(400, _NARROW)
        views: list[Attributes] = []
        for account, _ in accounts:
            views += await self._latest(account.account_id)
        return views

    async def history_entry(self, identifier: str) -> Attributes:
        """One entry of the history."""
        account_id, sequence = split_bucket_id(identifier)
        if account_id and sequence.isascii() and sequence.isdigit():
            for view in await self._latest(account_id):
                if view["id"] == identifier:
                    return view
        raise TmfError(404, "there is no such entry among the latest")

    async def _latest(self, account_id: str) -> list[Attributes]:
        """The latest entries of an account's history, so many as a look through its stream brings."""
        page = await self._reader.list_events(account_id, "", HTTP_PAGE_ITEMS_MAX)
        return history_views(page.items)

    async def _shown(self, query: Query, show: ShowAccount) -> list[Attributes]:
        accounts = await self._named_accounts(query)
        if accounts is None:
            accounts = [(account, "") for account in await self._all_accounts()]
        now_ms = self._clock.now_ms()
        return [view for account, number in accounts for view in show(account, now_ms, number)]

    async def _one(self, identifier: str, show: ShowAccount) -> Attributes:
        account_id, _ = split_bucket_id(identifier)
        account = await self._reader.get_account(account_id) if account_id else None
        for view in [] if account is None else show(account, self._clock.now_ms(), ""):
            if view["id"] == identifier:
                return view
        raise TmfError(404, "there is no such resource")

    async def _named_accounts(self, query: Query) -> list[tuple[Account, str]] | None:
        """Accounts that conditions name, each with the number that led to it; None when no condition does."""
        numbers = query.only_values("logicalResource", "id")
        named = [
            split_bucket_id(text)[0]
            for path in (("bucket", "id"), ("id",))
            for text in query.only_values(*path)
        ]
        wanted = [(account_id, "") for account_id in (*query.only_values("partyAccount", "id"), *named)]
        if numbers:
            wanted = [
                (account_id, number) for number in numbers for account_id in await self._located(number)
            ]
        elif not wanted:
            return None
        found = {
            account_id: (await self._reader.get_account(account_id), number) for account_id, number in wanted
        }
        return [(account, number) for account, number in found.values() if account is not None]

    async def _located(self, number: str) -> list[str]:
        kinds = (
            [""] if number.partition(":")[0] in _IDENTITY_KINDS else [f"{kind}:" for kind in _IDENTITY_KINDS]
        )
        for kind in kinds:
            location = await self._reader.locate(f"{kind}{number.removeprefix('+')}")
            if location is not None:
                return [location[0]]
        return []

    async def _all_accounts(self) -> list[Account]:
        """Every account, sorted so that pages agree with each other.

        Raises:
            TmfError: 400, there are too many to look through.
        """
        found: dict[str, Account] = {}
        cursor, is_first = "", True
        while cursor or is_first:
            page = await self._reader.list_accounts(cursor, HTTP_PAGE_ITEMS_MAX)
            found |= {account.account_id: account for account in page.items}
            cursor, is_first = page.next_cursor, False
            if len(found) > ACCOUNTS_LISTED_MAX:
                raise TmfError(400, f"there are too many to list: {_NARROW}")
        return [found[account_id] for account_id in sorted(found)]

    # --- What was done ----------------------------------------------------------------------------------

    async def listed(self, kind: str, query: Query) -> list[Attributes]:
        """Actions of one kind, newest first.

        Raises:
            TmfError: 400, there are too many to look through.
        """
        accounts = (
            *query.only_values("partyAccount", "id"),
            *[split_bucket_id(text)[0] for text in query.only_values("bucket", "id")],
        )
        try:
            records = await read_in_thread(self.actions.records.listed, kind, accounts)
        except RecordsTooManyError:
            raise TmfError(400, f"there are too many to list: {_NARROW}") from None
        return [action_view(record) for record in records]

    async def record(self, kind: str, identifier: str) -> ActionRecord:
        """One action.

        Raises:
            TmfError: 404, there is none (any more).
        """
        record: ActionRecord | None = await read_in_thread(self.actions.records.get, identifier)
        if record is None or record.kind != kind:
            raise TmfError(404, f"there is no such {kind}")
        return record
