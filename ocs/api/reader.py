"""What the HTTP side may know of balances: a port that only reads, and its adapter to the store."""

from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from ocs.api.threads import read_in_thread
from ocs.balance import keys
from ocs.balance.client import BalanceClient
from ocs.balance.model import Account, Session, SessionState, Subscriber, decode_session
from ocs.balance.scan import ScanInterruptedError
from ocs.balance.store import ABSENT
from ocs.balance.store_client import StoreClient
from ocs.events import ChargeEvent
from ocs.subscribers.history import HistoryPage, read_history
from ocs.subscribers.operations import OperationError

T = TypeVar("T")

# Looks into the store for one page: other keys lie between the accounts, and a page is better short than late.
_SCANS_PER_PAGE_MAX: Final = 64


class CursorError(ValueError):
    """A cursor is none that we gave out, or the store's servers have changed since."""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a long list.

    Attributes:
        next_cursor: asks for the part after this one; empty at the end.
    """

    items: tuple[T, ...]
    next_cursor: str = ""


class BalanceReader(Protocol):
    """Reads accounts and sessions.

    Every method raises :class:`ReaderUnavailableError` when the store does not answer, and the listing ones
    :class:`CursorError` for a cursor that is not theirs. An empty cursor starts at the beginning. Cancellation
    leaves nothing behind.
    """

    async def list_accounts(self, cursor: str, limit: int) -> Page[Account]:
        """Some accounts, in no order; about ``limit`` of them, each at least once over a whole pass."""
        ...

    async def get_account(self, account_id: str) -> Account | None:
        """One account; None when there is none."""
        ...

    async def locate(self, identity: str) -> tuple[str, str] | None:
        """Account and subscriber id of an identity such as ``e164:491710000001``; None when nobody has it."""
        ...

    async def get_subscriber(self, account_id: str, subscriber_id: str) -> Subscriber | None:
        """One subscriber of an account; None when there is none."""
        ...

    async def list_events(self, account_id: str, cursor: str, limit: int) -> Page[ChargeEvent]:
        """At most ``limit`` charge events of an account, newest first; a page may be empty and not the last."""
        ...

    async def list_sessions(self, cursor: str, limit: int) -> Page[Session]:
        """At most ``limit`` open sessions; in a partition those come first whose supervision ends first."""
        ...

    async def get_session(self, session_id: str) -> Session | None:
        """One session, open or closed and still remembered; None when there is none."""
        ...

    async def count_open_sessions(self) -> int:
        """How many sessions are open now."""
        ...


class StoreBalanceReader:
    """A :class:`BalanceReader` on a store, by redis-py in trio's threads.

    Args:
        connection: shared by the threads; redis-py lends each its own socket.
        partitions: of the store, as its meta says.
    """

    def __init__(self, connection: StoreClient, *, partitions: int) -> None:
        self._store = connection
        self._redis: Any = connection  # redis-py's commands are partly untyped
        self._partitions = partitions
        self._client = BalanceClient(connection, partitions=partitions)

    async def list_accounts(self, cursor: str, limit: int) -> Page[Account]:
        """Some accounts, in no order."""
        return await read_in_thread(self._list_accounts, _parse_number(cursor or "0"), limit)

    async def get_account(self, account_id: str) -> Account | None:
        """One account; None when there is none."""
        return await read_in_thread(self._client.account, account_id)

    async def locate(self, identity: str) -> tuple[str, str] | None:
        """Account and subscriber id of an identity."""
        return await read_in_thread(self._client.locate, identity)

    async def get_subscriber(self, account_id: str, subscriber_id: str) -> Subscriber | None:
        """One subscriber; None when there is none."""
        subscriber = await read_in_thread(self._client.subscriber, account_id, subscriber_id)
        return None if subscriber is None or subscriber.account_id != account_id else subscriber

    async def list_events(self, account_id: str, cursor: str, limit: int) -> Page[ChargeEvent]:
        """At most ``limit`` charge events, newest first."""
        page = await read_in_thread(self._list_events, account_id, cursor, limit)
        return Page(page.events, page.cursor)

    async def list_sessions(self, cursor: str, limit: int) -> Page[Session]:
        """At most ``limit`` open sessions."""
        partition, _, rank = (cursor or "0.0").partition(".")
        return await read_in_thread(self._list_sessions, _parse_number(partition), _parse_number(rank), limit)

    async def get_session(self, session_id: str) -> Session | None:
        """One session; None when there is none."""
        return await read_in_thread(self._client.session, session_id)

    async def count_open_sessions(self) -> int:
        """How many sessions are open now."""
        return await read_in_thread(self._count_open_sessions)

    # --- Blocking -------------------------------------------------------------------------------------------

    def _list_accounts(self, cursor: int, limit: int) -> Page[Account]:
        found: list[Account] = []
        for _ in range(_SCANS_PER_PAGE_MAX):
            try:
                cursor, accounts = self._client.scan_accounts(cursor, max(limit, 100))
            except ScanInterruptedError as error:
                raise CursorError(str(error)) from None
            found += accounts
            if cursor == 0 or len(found) >= limit:
                break
        return Page(tuple(found), str(cursor) if cursor else "")

    def _list_events(self, account_id: str, cursor: str, limit: int) -> HistoryPage:
        try:
            return read_history(self._client, account_id, limit=limit, cursor=cursor)
        except OperationError as error:
            raise CursorError(str(error)) from None

    def _list_sessions(self, partition: int, rank: int, limit: int) -> Page[Session]:
        """Walk the partitions' deadlines: every open session has one."""
        found: list[Session] = []
        while partition < self._partitions:
            wanted = limit - len(found)
            if wanted == 0:
                return Page(tuple(found), f"{partition}.{rank}")
            members = self._redis.zrange(keys.deadlines_key(partition), rank, rank + wanted - 1)
            named = [keys.parse_deadline_member(member.decode()) for member in members]
            names = [keys.session_key(partition, account_id, session_id) for account_id, session_id in named]
            # What is gone by now is left out.
            stored = [value for value in self._client.read(names) if value.token != ABSENT]
            sessions = [decode_session(value.content) for value in stored]
            found += [session for session in sessions if session.state is SessionState.OPEN]
            if len(members) < wanted:
                partition, rank = partition + 1, 0
            else:
                rank += len(members)
        return Page(tuple(found))

    def _count_open_sessions(self) -> int:
        return sum(
            self._store.ask(
                [("ZCARD", keys.deadlines_key(partition)) for partition in range(self._partitions)]
            )
        )


def _parse_number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 40:
        raise CursorError(text)
    return int(text)
