"""What an operator's deed asks of the store: look, write one record, purge, compress. By redis-py, blocking."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol, cast

import redis

from ocs.balance.barrier import Barrier
from ocs.balance.store_client import Command, StoreClient
from ocs.faults.alarm import Alarm, AlarmSignal
from ocs.faults.operator_axis import OperatorRecord
from ocs.faults.store import keys
from ocs.faults.store.batch import (
    TOKEN_OCTETS,
    StoreUnavailableError,
    decode_alarm,
    decode_record,
    encode_signal,
)
from ocs.limits import ALARM_DESK_CHANGES_MAX

_WRITTEN, _CHANGED = 1, 2


class Held(NamedTuple):
    """An alarm and its operator record as they stand, each with its token; empty tokens for what is not there."""

    alarm: Alarm | None
    alarm_token: bytes
    record: OperatorRecord | None
    record_token: bytes


class Deed(NamedTuple):
    """A new operator record for one alarm: written if the record that was read still stands.

    Attributes:
        head, tail: of the encoded change, around the alarm as it stands and the record.
    """

    alarm_id: str
    expected: bytes
    token: bytes
    record: bytes
    head: bytes
    tail: bytes


class Removal(NamedTuple):
    """One alarm that leaves the list if it and its record still stand as they were read."""

    alarm_id: str
    alarm_token: bytes
    record_token: bytes
    head: bytes
    tail: bytes


class Compression(NamedTuple):
    """One alarm as it is without most of its status changes: written if it still stands as it was read.

    Attributes:
        head, tail: of the encoded change, around the alarm and its operator record.
    """

    alarm_id: str
    expected: bytes
    token: bytes
    alarm: bytes
    head: bytes
    tail: bytes


class DeskDoor(Protocol):
    """The store as operators' deeds use it; every method blocks.

    Raises:
        StoreUnavailableError: no answer; a deed may have been done, and the same one may be sent again.
    """

    def look(self, alarm_ids: Sequence[str]) -> list[Held]:
        """Alarms with their records."""
        ...

    def do(self, deed: Deed) -> bool | None:
        """Write a record; False when it is another by now, None when there is no such alarm."""
        ...

    def remove(self, removals: Sequence[Removal]) -> list[str]:
        """Take alarms off the list; returns the ids of those that had not changed meanwhile."""
        ...

    def compress(self, compressions: Sequence[Compression]) -> list[str]:
        """Write shorter alarms; returns the ids of those that had not changed meanwhile."""
        ...

    def order(self, order_id: str, signal: AlarmSignal) -> None:
        """Ask the owner of the list to take a signal."""
        ...

    def windows(self) -> dict[str, bytes]:
        """Maintenance windows by id."""
        ...

    def set_window(self, window_id: str, value: bytes | None) -> None:
        """Write or remove a maintenance window."""
        ...


class RedisDeskDoor:
    """A :class:`DeskDoor` over redis-py; threads may share it.

    Args:
        barrier: what replicas must have before a deed counts as done; None asks nothing of them.
    """

    def __init__(self, client: StoreClient, barrier: Barrier | None = None) -> None:
        self._client = client
        self._barrier = barrier

    def look(self, alarm_ids: Sequence[str]) -> list[Held]:
        """Alarms with their records."""
        if not alarm_ids:
            return []
        alarms, records = self._send(("HMGET", keys.LIST, *alarm_ids), ("HMGET", keys.OPERATORS, *alarm_ids))
        return [held_of(alarm, record) for alarm, record in zip(alarms, records, strict=True)]

    def do(self, deed: Deed) -> bool | None:
        """Write a record; False when it is another by now, None when there is no such alarm."""
        reply = self._write(
            (
                "FCALL", "ocs_alarms_operate", 4, keys.LIST, keys.OPERATORS, keys.CHANGES, keys.DESK,
                deed.alarm_id, deed.expected, deed.token, deed.record, deed.head, deed.tail, ALARM_DESK_CHANGES_MAX,
            )
        )  # fmt: skip
        return {_WRITTEN: True, _CHANGED: False}.get(reply)

    def remove(self, removals: Sequence[Removal]) -> list[str]:
        """Take alarms off the list; returns the ids of those that had not changed meanwhile."""
        return self._administer("ocs_alarms_purge", removals)

    def compress(self, compressions: Sequence[Compression]) -> list[str]:
        """Write shorter alarms; returns the ids of those that had not changed meanwhile."""
        return self._administer("ocs_alarms_compress", compressions)

    def _administer(self, function: str, items: Sequence[Removal | Compression]) -> list[str]:
        command: list[str | bytes | int] = [
            "FCALL", function, 4, keys.LIST, keys.OPERATORS, keys.CHANGES, keys.DESK, ALARM_DESK_CHANGES_MAX,
        ]  # fmt: skip
        for item in items:
            command += item
        return [alarm_id.decode() for alarm_id in self._write(tuple(command))]

    def order(self, order_id: str, signal: AlarmSignal) -> None:
        """Ask the owner of the list to take a signal."""
        self._write(("HSET", keys.ORDERS, order_id, encode_signal(signal)))

    def windows(self) -> dict[str, bytes]:
        """Maintenance windows by id."""
        (fields,) = self._send(("HGETALL", keys.WINDOWS))
        found = cast("dict[bytes, bytes]", fields)
        return {name.decode(errors="replace"): value for name, value in found.items()}

    def set_window(self, window_id: str, value: bytes | None) -> None:
        """Write or remove a maintenance window."""
        if value is None:
            self._write(("HDEL", keys.WINDOWS, window_id))
        else:
            self._write(("HSET", keys.WINDOWS, window_id, value))

    def _write(self, command: Command) -> Any:
        """Send a write and wait for the barrier on the same connection."""
        if self._barrier is None:
            return self._send(command)[0]
        reply, written, having = self._send(
            command, ("SET", keys.BARRIER, "", "PX", 1), ("WAIT", self._barrier.replicas, self._barrier.timeout_ms)
        )  # fmt: skip
        if self._barrier.is_required and (not written or having < self._barrier.replicas):
            raise StoreUnavailableError(f"{having} of {self._barrier.replicas} replicas have it")
        return reply

    def _send(self, *commands: Command) -> list[Any]:
        try:
            replies = self._client.send(keys.LIST, commands)
        except (redis.RedisError, OSError) as error:  # redis-py lets some of the socket's through
            raise StoreUnavailableError(str(error)) from error
        for reply in replies:
            if isinstance(reply, Exception):
                raise StoreUnavailableError(str(reply)) from reply
        return replies


def held_of(alarm: bytes | None, record: bytes | None) -> Held:
    """An alarm and its record from their values in the store."""
    return Held(
        None if alarm is None else decode_alarm(alarm),
        _token_of(alarm),
        None if record is None else decode_record(record),
        _token_of(record),
    )


_NO_TOKEN: Final = b""


def _token_of(value: bytes | None) -> bytes:
    return _NO_TOKEN if value is None else value[:TOKEN_OCTETS]
