"""What a worker remembers of the store: values with their tokens, and hints. A stale copy is harmless.

Every answer is checked against current tokens in the commit, so that memory only saves reads.
"""

from collections import OrderedDict
from typing import Any

from ocs.balance import keys
from ocs.balance.model import Session, decode_account, decode_session, decode_subscriber
from ocs.balance.store import ABSENT, Stored


class Copy:
    """One value of the store as last seen.

    Attributes:
        token: ``ABSENT`` when the store has none. is_seen: somebody has looked.
        place: where a group that is being decided has put it among what it read; -1 when it did not.
        value: decoded; None when the store has none. decided: what that group has made of it so far.
    """

    __slots__ = ("decided", "is_seen", "key", "name", "place", "token", "value")

    def __init__(self, name: str, key: str) -> None:
        self.name = name
        self.key = key
        self.is_seen = False
        self.token = ABSENT
        self.place = -1
        self.value: Any = None
        self.decided: Any = None


class Entry:
    """One account as last seen, with the subscribers and sessions that were touched.

    Attributes:
        account: its own value. sessions: by Session-Id. subscribers: by subscriber id.
        is_busy: a load or a commit is under way; one at a time per account and worker.
        waiting: work that came meanwhile.
        turn_key: where the store keeps whose turn it is. lost_races: in a row, until a commit succeeds.
        catalogues: versions under which sessions read from the store hold grants, to be learnt before deciding.
    """

    __slots__ = (
        "account",
        "account_id",
        "catalogues",
        "is_busy",
        "lost_races",
        "partition",
        "sessions",
        "subscribers",
        "turn_key",
        "waiting",
    )

    def __init__(self, account_id: str, partition: int) -> None:
        self.account_id = account_id
        self.partition = partition
        self.account = Copy(account_id, keys.account_key(partition, account_id))
        self.sessions: dict[str, Copy] = {}
        self.subscribers: dict[str, Copy] = {}
        self.is_busy = False
        self.turn_key = keys.turn_key(partition, account_id)
        self.lost_races = 0
        self.waiting: list[Any] = []
        self.catalogues: set[str] = set()

    def session(self, session_id: str) -> Copy:
        """The copy of a session, to be loaded when it is new here."""
        copy = self.sessions.get(session_id)
        if copy is None:
            key = keys.session_key(self.partition, self.account_id, session_id)
            copy = self.sessions[session_id] = Copy(session_id, key)
        return copy

    def subscriber(self, subscriber_id: str) -> Copy:
        """The copy of a subscriber, to be loaded when it is new here."""
        copy = self.subscribers.get(subscriber_id)
        if copy is None:
            copy = Copy(subscriber_id, keys.subscriber_key(self.partition, subscriber_id))
            self.subscribers[subscriber_id] = copy
        return copy

    def put(self, copy: Copy, stored: Stored) -> None:
        """Remember what the store holds."""
        copy.is_seen = True
        copy.token = stored.token
        if stored.token == ABSENT:
            copy.value = None
        elif copy is self.account:
            copy.value = decode_account(stored.content)
        elif copy is self.subscribers.get(copy.name):
            copy.value = decode_subscriber(stored.content)
        else:
            session: Session = decode_session(stored.content)
            copy.value = session
            self.catalogues.update(
                service.catalogue_version for service in session.services if service.tariff_path
            )

    def forget(self) -> None:
        """Drop everything: after an unknown outcome nothing cached may be trusted."""
        self.account = Copy(self.account_id, self.account.key)
        self.sessions.clear()
        self.subscribers.clear()
        self.catalogues.clear()


class AccountCache:
    """The accounts used last, with their open sessions: bounded in accounts, since an account has few of those."""

    def __init__(self, accounts_max: int, partitions: int) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._accounts_max = accounts_max
        self._partitions = partitions

    def __len__(self) -> int:
        return len(self._entries)

    def entry(self, account_id: str) -> Entry:
        """The account's entry, made if need be, now the one used last."""
        entry = self._entries.get(account_id)
        if entry is not None:
            self._entries.move_to_end(account_id)
            return entry
        if len(self._entries) >= self._accounts_max:
            self._evict()
        entry = Entry(account_id, keys.partition_of(account_id, self._partitions))
        self._entries[account_id] = entry
        return entry

    def discard(self, entry: Entry) -> None:
        """Forget an account that does not exist."""
        if not entry.is_busy and not entry.waiting:
            self._entries.pop(entry.account_id, None)

    def _evict(self) -> None:
        """Drop the account that was not used for longest and has nothing under way."""
        for account_id, entry in self._entries.items():
            if not entry.is_busy and not entry.waiting:
                del self._entries[account_id]
                return


class HintCache:
    """A request's identities -> (account id, subscriber id), bounded, the one used last kept longest.

    The key is all of a request's identities in their order: which of them pays must not depend on what else was seen.
    """

    def __init__(self, size_max: int) -> None:
        self._hints: OrderedDict[tuple[str, ...], tuple[str, str]] = OrderedDict()
        self._size_max = size_max

    def get(self, identities: tuple[str, ...]) -> tuple[str, str] | None:
        """Who was last found to pay for these identities."""
        hint = self._hints.get(identities)
        if hint is not None:
            self._hints.move_to_end(identities)
        return hint

    def put(self, identities: tuple[str, ...], account_id: str, subscriber_id: str) -> None:
        """Remember who pays for these identities."""
        self._hints[identities] = (account_id, subscriber_id)
        if len(self._hints) > self._size_max:
            self._hints.popitem(last=False)

    def forget(self, identities: tuple[str, ...]) -> None:
        """Drop a hint that proved wrong."""
        self._hints.pop(identities, None)
