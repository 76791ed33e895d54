"""What a worker remembers of the store: values with their tokens, and hints. A stale copy is harmless.

Every answer is checked against current tokens in the commit, so that memory only saves reads.
"""

from collections import OrderedDict
from typing import Any

from ocs.balance import keys
from ocs.balance.model import (
    Account,
    Session,
    Subscriber,
    decode_account,
    decode_session,
    decode_subscriber,
)
from ocs.balance.store import ABSENT, Stored


class Entry:
    """One account as last seen, with the subscribers and sessions that were touched.

    Attributes:
        values: key -> (token, decoded value or None when the store has none).
        is_busy: a load or a commit is under way; one at a time per account and worker.
        waiting: work that came meanwhile.
        turn_key: where the store keeps whose turn it is. lost_races: in a row, until a commit succeeds.
        catalogues: versions under which sessions read from the store hold grants, to be learnt before deciding.
    """

    __slots__ = (
        "_subscriber_keys",
        "account_id",
        "account_key",
        "catalogues",
        "is_busy",
        "lost_races",
        "partition",
        "turn_key",
        "values",
        "waiting",
    )

    def __init__(self, account_id: str, partition: int) -> None:
        self.account_id = account_id
        self.partition = partition
        self.account_key = keys.account_key(partition, account_id)
        self.values: dict[str, tuple[bytes, Any]] = {}
        self._subscriber_keys: dict[str, str] = {}
        self.is_busy = False
        self.turn_key = keys.turn_key(partition, account_id)
        self.lost_races = 0
        self.waiting: list[Any] = []
        self.catalogues: set[str] = set()

    def subscriber_key(self, subscriber_id: str) -> str:
        """The key of a subscriber of this account; there is mostly one, asked for with every request."""
        key = self._subscriber_keys.get(subscriber_id)
        if key is None:
            key = self._subscriber_keys[subscriber_id] = keys.subscriber_key(self.partition, subscriber_id)
        return key

    def put(self, key: str, stored: Stored) -> None:
        """Remember what the store holds at a key."""
        if stored.token == ABSENT:
            self.values[key] = (ABSENT, None)
            return
        value = _decode(key, stored.content)
        self.values[key] = (stored.token, value)
        if isinstance(value, Session):
            self.catalogues.update(
                service.catalogue_version for service in value.services if service.tariff_path
            )

    def forget(self) -> None:
        """Drop everything: after an unknown outcome nothing cached may be trusted."""
        self.values.clear()
        self.catalogues.clear()
        self._subscriber_keys.clear()


def _decode(key: str, content: bytes) -> Account | Subscriber | Session:
    kind = key[key.index("}") + 1]
    if kind == "a":
        return decode_account(content)
    return decode_subscriber(content) if kind == "u" else decode_session(content)


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
