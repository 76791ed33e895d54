"""What was asked for over HTTP and what became of it: records of actions, in the partition of their account.

A record is claimed before its action moves anything, the action is done under the record's id as its reference, and
the record is finished after it. What a crash leaves between is found among the pending and done again under the same
reference, which moves nothing twice. Records go after :data:`~ocs.limits.ACTION_RECORD_MEMORY_S`; that an action was
done is remembered for longer, by its reference and by the charge events.
"""

import hashlib
import secrets
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import msgspec

from ocs.balance import keys
from ocs.balance.client import BalanceClient, Change
from ocs.balance.store import ABSENT, Stored
from ocs.balance.store_client import Command, StoreClient
from ocs.limits import ACTION_RECORD_MEMORY_S, ACTION_RECORDS_LISTED_MAX

_ID_OCTETS: Final = 15


class ActionStatus(StrEnum):
    """ActionStatusType of TMF654: created until it is known what became of it."""

    CREATED = "created"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ActionRecord(msgspec.Struct, frozen=True, array_like=True):
    """One action.

    Attributes:
        record_id: begins with the partition, so that it is found without a directory.
        kind: path of its resource type: ``topupBalance``.
        account_id: in whose partition it lies. caller: id of the token that asked.
        fingerprint: of the body, to tell a repeat from another request under the same key.
        body: the resource's attributes as JSON, without what the server sets.
        requested_ms, confirmed_ms: epoch milliseconds; 0 is not yet.
        reason: why it failed.
    """

    record_id: str
    kind: str
    account_id: str
    caller: str
    fingerprint: bytes
    body: bytes
    status: ActionStatus
    requested_ms: int
    confirmed_ms: int = 0
    reason: str = ""


class RecordsTooManyError(Exception):
    """More records than one answer looks through: an account must be named."""


_decode_record: Final = msgspec.msgpack.Decoder(ActionRecord).decode


class RecordStore:
    """Action records of a store; blocking.

    Args:
        client: commits. connection: for the indexes, which may be written twice.
    """

    def __init__(self, client: BalanceClient, connection: StoreClient) -> None:
        self._client = client
        self._store = connection
        self._redis: Any = connection  # redis-py's commands are partly untyped

    def new_id(self, kind: str, account_id: str, *, caller: str, key: str = "") -> str:
        """An id in an account's partition; with an idempotency key the same again for the same caller and key."""
        if key:
            octets = hashlib.sha256(f"{kind}\n{caller}\n{account_id}\n{key}".encode()).digest()[:_ID_OCTETS]
        else:
            octets = secrets.token_bytes(_ID_OCTETS)
        return f"{self._client.partition_of(account_id)}-{octets.hex()}"

    def claim(self, record: ActionRecord) -> ActionRecord:
        """Enter a record, or get what is there under its id already."""
        partition = _partition_of(record.record_id)
        score = record.requested_ms
        too_old = score - ACTION_RECORD_MEMORY_S * 1000
        indexes = [
            keys.record_index_key(partition, record.kind),
            keys.record_index_key(partition, record.kind, record.account_id),
        ]
        commands: list[Command] = [("ZADD", index, "NX", score, record.record_id) for index in indexes]
        commands += [("ZREMRANGEBYSCORE", index, "-inf", too_old) for index in indexes]
        commands.append(("PEXPIRE", indexes[1], ACTION_RECORD_MEMORY_S * 1000))
        commands.append(("ZADD", keys.pending_records_key(partition), "NX", score, record.record_id))
        self._store.ask(commands)
        return self._change(record.record_id, record.account_id, lambda stored: stored or record)

    def finish(self, record: ActionRecord) -> ActionRecord:
        """Enter what became of a record, unless another has entered it already; what stands is returned."""

        def settle(stored: ActionRecord | None) -> ActionRecord:
            is_open = stored is None or stored.status is ActionStatus.CREATED
            return record if is_open or stored is None else stored

        return self._change(record.record_id, record.account_id, settle)

    def replace(self, record: ActionRecord, was: ActionStatus) -> ActionRecord:
        """Enter a later state of a finished record, if its status is still what it was; what stands is returned."""

        def settle(stored: ActionRecord | None) -> ActionRecord:
            return record if stored is None or stored.status is was else stored

        return self._change(record.record_id, record.account_id, settle)

    def settled(self, record: ActionRecord) -> None:
        """Take a record off the pending: it is finished, and whoever listens will be told."""
        self._redis.zrem(keys.pending_records_key(_partition_of(record.record_id)), record.record_id)

    def get(self, record_id: str) -> ActionRecord | None:
        """One record; None when there is none."""
        try:
            partition = _partition_of(record_id)
        except ValueError:
            return None
        if partition >= self._client.partitions:
            return None
        return self._read([keys.record_key(partition, record_id)])[0]

    def delete(self, record: ActionRecord) -> None:
        """Forget a record; what it moved stays in the charge events, and its reference stays used."""
        partition = _partition_of(record.record_id)
        self._store.ask(
            [
                ("DEL", keys.record_key(partition, record.record_id)),
                ("ZREM", keys.record_index_key(partition, record.kind), record.record_id),
                ("ZREM", keys.record_index_key(partition, record.kind, record.account_id), record.record_id),
            ]
        )

    def listed(self, kind: str, account_ids: tuple[str, ...] = ()) -> list[ActionRecord]:
        """Records of one kind, of some accounts or of all, newest first.

        Raises:
            RecordsTooManyError: there are more than an answer looks through.
        """
        if account_ids:
            places = [(self._client.partition_of(account_id), account_id) for account_id in account_ids]
        else:
            places = [(partition, "") for partition in range(self._client.partitions)]
        indexes = [keys.record_index_key(partition, kind, account_id) for partition, account_id in places]
        if sum(self._store.ask([("ZCARD", index) for index in indexes])) > ACTION_RECORDS_LISTED_MAX:
            raise RecordsTooManyError
        replies = self._store.ask([("ZRANGE", index, 0, -1) for index in indexes])
        names = [
            keys.record_key(partition, record_id.decode())
            for (partition, _), reply in zip(places, replies, strict=True)
            for record_id in reply
        ]
        found = [record for record in self._read(names) if record is not None]
        return sorted(found, key=lambda record: (-record.requested_ms, record.record_id))

    def pending(self, before_ms: int, limit: int) -> list[tuple[str, ActionRecord | None]]:
        """Ids of records claimed before a moment and not settled, with what they hold; None when nothing."""
        replies = self._store.ask(
            [
                (
                    "ZRANGE",
                    keys.pending_records_key(partition),
                    "-inf",
                    before_ms,
                    "BYSCORE",
                    "LIMIT",
                    0,
                    limit,
                )
                for partition in range(self._client.partitions)
            ]
        )
        ids = [record_id.decode() for reply in replies for record_id in reply][:limit]
        names = [keys.record_key(_partition_of(record_id), record_id) for record_id in ids]
        return list(zip(ids, self._read(names), strict=True))

    def drop_pending(self, record_id: str) -> None:
        """Take an id off the pending behind which nothing stands: a crash came before the claim."""
        self._redis.zrem(keys.pending_records_key(_partition_of(record_id)), record_id)

    def _read(self, names: list[str]) -> list[ActionRecord | None]:
        values = self._client.read(list(names)) if names else []
        return [None if stored.token == ABSENT else _decode_record(stored.content) for stored in values]

    def _change(
        self, record_id: str, account_id: str, settle: Callable[[ActionRecord | None], ActionRecord]
    ) -> ActionRecord:
        key = keys.record_key(_partition_of(record_id), record_id)
        settled: list[ActionRecord] = []

        def decide(values: tuple[Stored, ...]) -> Change | None:
            stored = None if values[0].token == ABSENT else _decode_record(values[0].content)
            settled.append(settle(stored))
            if settled[-1] is stored:
                return None
            return Change({key: settled[-1]}, ttl_ms={key: ACTION_RECORD_MEMORY_S * 1000})

        self._client.change(account_id, (key,), decide)
        return settled[-1]


def _partition_of(record_id: str) -> int:
    partition, dash, rest = record_id.partition("-")
    if (
        not dash
        or not partition.isascii()
        or not partition.isdigit()
        or len(partition) > 4
        or not rest.isalnum()
    ):
        raise ValueError(record_id)
    return int(partition)
