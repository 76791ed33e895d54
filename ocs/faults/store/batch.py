"""What the owner of the alarm list writes and reads, as values and as commands of the store; pure.

Changes are composed in the store: the owner says what happened and what the devices' axis is now, and the store puts
the operators' axis beside it as it stands. Neither side can therefore tell readers a stale value of the other.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, cast

import msgspec

from ocs.faults.alarm import Alarm, AlarmSignal
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.book.tombstones import Tombstone, encode_tombstone
from ocs.faults.operator_axis import OperatorRecord
from ocs.faults.store import keys
from ocs.limits import ALARM_ITEMS_PER_COMMIT_MAX

TOKEN_OCTETS: Final = 12

Command = tuple[str | bytes | int, ...]

_encode: Final = msgspec.msgpack.Encoder().encode
_ALARM: Final = msgspec.msgpack.Decoder(Alarm)
_RECORD: Final = msgspec.msgpack.Decoder(OperatorRecord)
_CHANGE: Final = msgspec.msgpack.Decoder(AlarmChange)
_SIGNAL: Final = msgspec.msgpack.Decoder(AlarmSignal)
# An array of seven, as AlarmChange is written; of four, as its first fields are.
_SEVEN: Final = b"\x97"
_FALSE_TRUE: Final = (b"\xc2", b"\xc3")


class AlarmStoreError(Exception):
    """The alarm list cannot be used now; ``str()`` is one line."""


class StoreUnavailableError(AlarmStoreError):
    """The outcome is unknown: it may have been written. Send the same again."""


class LeaseLostError(AlarmStoreError):
    """Another node has the list, or the store is not what it was: nothing more is written under this lease."""


class ChangeFacts(Protocol):
    """What the book says of a change; the store adds the values (:class:`~ocs.faults.alarm_change.AlarmChange`)."""

    @property
    def kind(self) -> ChangeKind:
        """What happened."""
        ...

    @property
    def alarm_id(self) -> str:
        """To which alarm."""
        ...

    @property
    def at_ms(self) -> int:
        """When we took it."""
        ...

    @property
    def is_notified(self) -> bool:
        """Whether people and partners are to be told."""
        ...


class AlarmBatch(msgspec.Struct):
    """What is written in one step.

    Attributes:
        token: twelve octets that no other batch has; a batch whose outcome is unknown is sent again with it.
        alarms: each changed alarm once, as it is now.
        changes: in their order. Their ids follow from the token, their values from ``alarms``, from the list where it
            has none, and from the operators' axis as it stands.
        operators: what the system made of operator records (a shelf that ended): each with the record that it follows
            from. One that an operator has changed meanwhile stays as the operator made it, and comes with the desk's
            changes.
        sources: what is known of sources, by name. purged: alarms that leave the list, with their operators' axis.
        orders: ids of orders that this batch carries out.
        tombstones: what is remembered of alarms that are not in the list. forgotten: ids of those that may go.
    """

    token: bytes
    alarms: Sequence[Alarm] = ()
    changes: Sequence[ChangeFacts] = ()
    sources: dict[str, bytes] = {}
    purged: Sequence[str] = ()
    operators: Sequence[tuple[OperatorRecord | None, OperatorRecord]] = ()
    orders: Sequence[str] = ()
    tombstones: Sequence[Tombstone] = ()
    forgotten: Sequence[str] = ()


class Engine(msgspec.Struct, frozen=True):
    """Our SNMP engine (RFC 3411 section 5, RFC 3414 section 2.2): its id, and how often it was started."""

    engine_id: bytes
    boots: int


class Snapshot(msgspec.Struct, frozen=True):
    """The list as it was loaded.

    Attributes:
        windows: maintenance windows, encoded, by id.
        last_id: of the stream that is followed from here on: the owner follows the desk's, a view all changes.
        engine: only for the owner.
    """

    alarms: list[Alarm]
    operators: list[OperatorRecord]
    sources: dict[str, bytes]
    tombstones: list[Tombstone]
    windows: dict[str, bytes]
    last_id: str
    engine: Engine = Engine(b"", 0)


class FollowedChange(msgspec.Struct, frozen=True):
    """A change, and the id of its entry in the stream: where one who follows goes on."""

    entry_id: str
    change: AlarmChange


# --- Writing ------------------------------------------------------------------------------------------------------


def commit_command(batch: AlarmBatch, *, lease: str, number: int, lease_ms: int) -> Command:
    """A batch as one call (see alarms.lua for the order of its arguments).

    Args:
        number: its place among the batches of the lease.
    """
    alarms, changes, sources = batch.alarms, batch.changes, batch.sources
    command: list[str | bytes | int] = [
        "FCALL", "ocs_alarms_commit", 7,
        keys.OWNER, keys.LIST, keys.OPERATORS, keys.CHANGES, keys.SOURCES, keys.TOMBSTONES, keys.ORDERS,
        lease, number, lease_ms, batch.token,
        len(alarms), len(batch.operators), len(changes), len(sources), len(batch.tombstones),
        len(batch.purged), len(batch.orders),
    ]  # fmt: skip
    index: dict[str, int] = {}
    for position, alarm in enumerate(alarms, 1):
        index[alarm.alarm_id] = position
        command += (alarm.alarm_id, _encode(alarm))
    for before, record in batch.operators:
        command += (record.alarm_id, b"" if before is None else _encode(before), _encode(record))
    for ordinal, change in enumerate(changes):
        head, tail = frame_change(change, batch.token, ordinal)
        command += (index.get(change.alarm_id, 0), change.alarm_id, head, tail)
    for name, value in sources.items():
        command += (name, value)
    for stone in batch.tombstones:
        command += (stone.alarm_id, encode_tombstone(stone))
    command += batch.purged
    command += batch.orders
    command += batch.forgotten
    return tuple(command)


def check_batch(batch: AlarmBatch) -> None:
    """See that one step may write a batch.

    Raises:
        ValueError: it holds too much, or its token has another length.
    """
    items = (
        batch.alarms,
        batch.changes,
        batch.sources,
        batch.purged,
        batch.operators,
        batch.orders,
        batch.tombstones,
        batch.forgotten,
    )
    if sum(map(len, items)) > ALARM_ITEMS_PER_COMMIT_MAX:
        raise ValueError(
            f"a batch holds at most {ALARM_ITEMS_PER_COMMIT_MAX} alarms, changes and other items"
        )
    if len(batch.token) != TOKEN_OCTETS:
        raise ValueError(f"a batch's token has {TOKEN_OCTETS} octets")


def frame_change(change: ChangeFacts, token: bytes, ordinal: int) -> tuple[bytes, bytes]:
    """An encoded change up to its alarm, and from behind its operator record: the store puts both between.

    Args:
        token: of the batch or deed that it is a part of. ordinal: its place in it; both make the change's id.
    """
    alarm_id = change.alarm_id
    head = _encode((f"{alarm_id}-{token.hex()}-{ordinal}", change.kind, alarm_id, change.at_ms))
    return _SEVEN + head[1:], _FALSE_TRUE[change.is_notified]


def encode_alarm(alarm: Alarm) -> bytes:
    """An alarm as the store keeps it, without its token."""
    return _encode(alarm)


def encode_record(record: OperatorRecord) -> bytes:
    """An operator record as the store keeps it, without its token."""
    return _encode(record)


# --- Reading ------------------------------------------------------------------------------------------------------


def decode_alarm(value: bytes) -> Alarm:
    """An alarm from its value in the list.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _ALARM.decode(memoryview(value)[TOKEN_OCTETS:])


def decode_record(value: bytes) -> OperatorRecord:
    """An operator record from its value.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _RECORD.decode(memoryview(value)[TOKEN_OCTETS:])


def decode_change(data: bytes) -> AlarmChange:
    """A change from an entry of the stream.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _CHANGE.decode(data)


def encode_signal(signal: AlarmSignal) -> bytes:
    """An order as the store keeps it."""
    return _encode(signal)


def decode_signal(value: bytes) -> AlarmSignal:
    """An order.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _SIGNAL.decode(value)


def read_command(stream: str, after_id: str, count: int) -> Command:
    """Asks for what follows an entry of a stream; :func:`decode_read` reads the reply."""
    return ("FCALL", "ocs_alarms_read", 1, stream, after_id, count)


def decode_read(reply: Any, after_id: str) -> list[FollowedChange] | None:
    """The changes of a reply; None when the reader may not have seen all that was trimmed, or the stream is another.

    As the last entry is never trimmed, a reader that keeps up finds the entry that it saw last.
    """
    trimmed, first, last_given, entries = cast("list[Any]", reply)
    after = parse_entry_id(after_id)
    if parse_entry_id(last_given.decode()) < after:
        return None
    if trimmed and (not first or parse_entry_id(first.decode()) > after):
        return None
    return decode_entries(entries)


def decode_entries(entries: Iterable[Any]) -> list[FollowedChange]:
    """Entries of a stream as XRANGE and XREAD list them."""
    return [FollowedChange(entry_id.decode(), decode_change(fields[1])) for entry_id, fields in entries]


def parse_entry_id(text: str) -> tuple[int, int]:
    """Milliseconds and count of a stream's entry id, for comparing.

    Raises:
        ValueError: it is none.
    """
    milliseconds, _, count = text.partition("-")
    return int(milliseconds), int(count or 0)
