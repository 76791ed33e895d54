"""The alarm list in memory, for tests: what alarms.lua does, step by step, with the same answers.

One :class:`MemoryAlarmList` is the store; owners, desks and readers of it are made from it.
"""

import secrets
from collections import deque
from collections.abc import Callable, Sequence

import trio

from ocs import limits
from ocs.faults.alarm import AlarmSignal
from ocs.faults.alarm_change import AlarmChange
from ocs.faults.book.tombstones import decode_tombstone, encode_tombstone
from ocs.faults.store.batch import (
    TOKEN_OCTETS,
    AlarmBatch,
    Engine,
    FollowedChange,
    LeaseLostError,
    Snapshot,
    StoreUnavailableError,
    check_batch,
    decode_alarm,
    decode_change,
    decode_record,
    encode_alarm,
    encode_record,
    frame_change,
)
from ocs.faults.store.desk_door import Compression, Deed, Held, Removal, held_of

_NIL = b"\xc0"


class MemoryAlarmList:
    """The values of the store.

    Attributes:
        is_away: nobody gets an answer. loses_answers: how many commits from now on are carried out without an answer.
    """

    def __init__(self, now_ms: Callable[[], int] = lambda: int(trio.current_time() * 1000)) -> None:
        self.now_ms = now_ms
        self.node, self.lease, self.until_ms, self.number = "", "", 0, 0
        self.alarms: dict[str, bytes] = {}
        self.operators: dict[str, bytes] = {}
        self.sources: dict[str, bytes] = {}
        self.window_values: dict[str, bytes] = {}
        self.orders: dict[str, AlarmSignal] = {}
        self.tombstones: dict[str, bytes] = {}
        self.engine = Engine(b"", 0)
        self.changes: list[AlarmChange] = []
        self.desk: deque[tuple[int, AlarmChange]] = deque(maxlen=limits.ALARM_DESK_CHANGES_MAX)
        self.desk_count = 0
        self.is_away = False
        self.loses_answers = 0

    def owner(self, node: str) -> "MemoryAlarmStore":
        """The list as a node that would own it sees it."""
        return MemoryAlarmStore(self, node)

    def check(self) -> None:
        """Raises StoreUnavailableError while the store is away."""
        if self.is_away:
            raise StoreUnavailableError("the store is away")

    def take(self, node: str, lease: str) -> bool:
        """Give the list to a node, unless another one has it."""
        if self.node not in {"", node} and self.until_ms > self.now_ms():
            return False
        self.node, self.lease, self.number = node, lease, 0
        self.until_ms = self.now_ms() + limits.ALARM_LEASE_MS
        return True

    def note(self, data: bytes, *, is_desk: bool = False) -> None:
        """Append a change to the stream."""
        change = decode_change(data)
        self.changes.append(change)
        if is_desk:
            self.desk_count += 1
            self.desk.append((self.desk_count, change))

    def content(self, values: dict[str, bytes], alarm_id: str) -> bytes:
        """A value without its token; MessagePack's nil for none."""
        return values[alarm_id][TOKEN_OCTETS:] if alarm_id in values else _NIL

    # --- DeskDoor ---------------------------------------------------------------------------------------

    def look(self, alarm_ids: Sequence[str]) -> list[Held]:
        """Alarms with their records."""
        self.check()
        return [held_of(self.alarms.get(alarm_id), self.operators.get(alarm_id)) for alarm_id in alarm_ids]

    def do(self, deed: Deed) -> bool | None:
        """Write a record; False when it is another by now, None when there is no such alarm."""
        self.check()
        token = self.operators.get(deed.alarm_id, b"")[:TOKEN_OCTETS]
        if token == deed.token:
            return True
        if deed.alarm_id not in self.alarms:
            return None
        if token != deed.expected:
            return False
        alarm = self.content(self.alarms, deed.alarm_id)
        self.note(deed.head + alarm + deed.record + deed.tail, is_desk=True)
        self.operators[deed.alarm_id] = deed.token + deed.record
        return True

    def remove(self, removals: Sequence[Removal]) -> list[str]:
        """Take alarms off the list; returns the ids of those that had not changed meanwhile."""
        self.check()
        gone: list[str] = []
        for alarm_id, alarm_token, record_token, head, tail in removals:
            alarm, record = self.alarms.get(alarm_id, b""), self.operators.get(alarm_id, b"")
            tokens = alarm[:TOKEN_OCTETS], record[:TOKEN_OCTETS]
            if not alarm or tokens != (alarm_token, record_token):
                continue
            values = self.content(self.alarms, alarm_id) + self.content(self.operators, alarm_id)
            self.note(head + values + tail, is_desk=True)
            del self.alarms[alarm_id]
            self.operators.pop(alarm_id, None)
            gone.append(alarm_id)
        return gone

    def compress(self, compressions: Sequence[Compression]) -> list[str]:
        """Write shorter alarms; returns the ids of those that had not changed meanwhile."""
        self.check()
        done: list[str] = []
        for alarm_id, expected, token, alarm, head, tail in compressions:
            held = self.alarms.get(alarm_id, b"")[:TOKEN_OCTETS]
            if held == expected:
                self.note(head + alarm + self.content(self.operators, alarm_id) + tail, is_desk=True)
                self.alarms[alarm_id] = token + alarm
            if held in {expected, token}:
                done.append(alarm_id)
        return done

    def order(self, order_id: str, signal: AlarmSignal) -> None:
        """Ask the owner of the list to take a signal."""
        self.check()
        self.orders[order_id] = signal

    def windows(self) -> dict[str, bytes]:
        """Maintenance windows by id."""
        self.check()
        return dict(self.window_values)

    def set_window(self, window_id: str, value: bytes | None) -> None:
        """Write or remove a maintenance window."""
        self.check()
        if value is None:
            self.window_values.pop(window_id, None)
        else:
            self.window_values[window_id] = value


class MemoryAlarmStore:
    """An :class:`~ocs.faults.store.port.AlarmListStore` over a :class:`MemoryAlarmList`."""

    def __init__(self, store: MemoryAlarmList, node: str) -> None:
        self._store = store
        self._node = node
        self.holder = ""
        self._lease = ""
        self._numbers: dict[bytes, int] = {}
        self._next_number = 1

    async def open_as_owner(self, *, engine_id: bytes = b"") -> Snapshot:
        """Wait until the list is ours, and load it."""
        store = self._store
        self._lease, self._numbers, self._next_number = "", {}, 1
        lease = secrets.token_hex(8)
        store.check()
        while not store.take(self._node, lease):
            self.holder = store.node
            await trio.sleep(limits.ALARM_LEASE_ASKED_S)
            store.check()
        self._lease, self.holder = lease, ""
        known = store.engine
        if engine_id and engine_id != known.engine_id:
            known = Engine(engine_id, 0)
        store.engine = Engine(known.engine_id or b"\x80" + secrets.token_bytes(12), known.boots + 1)
        await trio.lowlevel.checkpoint()
        return Snapshot(
            [decode_alarm(value) for value in store.alarms.values()],
            [decode_record(value) for value in store.operators.values()],
            dict(store.sources),
            [decode_tombstone(value) for value in store.tombstones.values()],
            dict(store.window_values),
            str(store.desk_count),
            store.engine,
        )

    async def commit(self, batch: AlarmBatch) -> None:
        """Write a batch."""
        if not self._lease:
            raise LeaseLostError("the alarm list is not ours")
        check_batch(batch)
        if batch.token not in self._numbers:
            self._numbers[batch.token] = self._next_number
            self._next_number += 1
        self._store.check()
        self._apply(batch, self._numbers[batch.token])
        if self._store.loses_answers:
            self._store.loses_answers -= 1
            raise StoreUnavailableError("the answer was lost")
        del self._numbers[batch.token]
        await trio.lowlevel.checkpoint()

    def _apply(self, batch: AlarmBatch, number: int) -> None:
        store = self._store
        if store.lease != self._lease:
            self._lease = ""
            raise LeaseLostError("the alarm list has another owner")
        if number <= store.number:
            return
        if number > store.number + 1:
            raise StoreUnavailableError("an earlier batch of alarms is not known to stand")
        for alarm in batch.alarms:
            store.alarms[alarm.alarm_id] = batch.token + encode_alarm(alarm)
        for before, record in batch.operators:
            if store.content(store.operators, record.alarm_id) == (
                _NIL if before is None else encode_record(before)
            ):
                store.operators[record.alarm_id] = batch.token + encode_record(record)
        for ordinal, change in enumerate(batch.changes):
            head, tail = frame_change(change, batch.token, ordinal)
            alarm_id = change.alarm_id
            values = store.content(store.alarms, alarm_id) + store.content(store.operators, alarm_id)
            store.note(head + values + tail)
        store.sources |= batch.sources
        for alarm_id in batch.purged:
            store.alarms.pop(alarm_id, None)
            store.operators.pop(alarm_id, None)
        for order_id in batch.orders:
            store.orders.pop(order_id, None)
        store.tombstones |= {stone.alarm_id: encode_tombstone(stone) for stone in batch.tombstones}
        for alarm_id in batch.forgotten:
            store.tombstones.pop(alarm_id, None)
        store.number, store.until_ms = number, store.now_ms() + limits.ALARM_LEASE_MS

    async def renew(self) -> None:
        """Say that we are still here."""
        self._store.check()
        if self._store.lease != self._lease:
            self._lease = ""
            raise LeaseLostError("the alarm list has another owner")
        self._store.until_ms = self._store.now_ms() + limits.ALARM_LEASE_MS
        await trio.lowlevel.checkpoint()

    async def release(self) -> None:
        """Let another node have the list at once."""
        self._store.check()
        if self._lease and self._store.lease == self._lease:
            self._store.until_ms = 0
        self._lease = ""
        await trio.lowlevel.checkpoint()

    async def orders(self) -> dict[str, AlarmSignal]:
        """What operators ask the owner to take."""
        self._store.check()
        await trio.lowlevel.checkpoint()
        return dict(self._store.orders)

    async def windows(self) -> dict[str, bytes]:
        """Maintenance windows, encoded."""
        self._store.check()
        await trio.lowlevel.checkpoint()
        return dict(self._store.window_values)

    async def read_desk(self, after_id: str) -> list[FollowedChange]:
        """What operators did to the list."""
        after = int(after_id)
        while True:
            self._store.check()
            waiting = [entry for entry in self._store.desk if entry[0] > after]
            if waiting and waiting[0][0] != after + 1:
                raise LeaseLostError("more was done to the alarm list than its owner has followed")
            if waiting:
                await trio.lowlevel.checkpoint()
                return [FollowedChange(str(number), change) for number, change in waiting]
            await trio.sleep(limits.ALARM_DESK_INTERVAL_S)
