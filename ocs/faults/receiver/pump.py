"""From notifications to durable alarms, a batch at a time.

While one batch is on its way to the store the next collects, so that a write and its barrier are shared by whatever
came meanwhile; when much waits, it is understood meanwhile too. An inform is acknowledged when the batch that holds its
alarm is durable, and not before.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final, NamedTuple

import msgspec
import trio

from ocs.clock import Clock
from ocs.faults.alarm import AlarmSignal, Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.book.book import AlarmBook
from ocs.faults.book.maintenance import MaintenanceWindow
from ocs.faults.book.outcome import Outcome
from ocs.faults.book.source_clock import Life, SourceClock
from ocs.faults.book.tombstones import Tombstone
from ocs.faults.notification import COLD_START, WARM_START, SecurityLevel
from ocs.faults.operator_axis import OperatorRecord
from ocs.faults.rules.rulebook import RuleBook
from ocs.faults.snmp.engine import Arrival
from ocs.faults.store.batch import TOKEN_OCTETS, AlarmBatch, LeaseLostError, StoreUnavailableError
from ocs.faults.store.port import AlarmListStore
from ocs.limits import TRAPS_AHEAD_MIN, TRAPS_PER_COMMIT, TRAPS_WAITING_MAX
from ocs.log import RepeatLimiter, get_logger
from ocs.metrics import Counter, Gauge, Histogram

log = get_logger(__name__)

_STORED: Final = Counter("ocs_snmp_notifications_stored_total", "Notifications whose alarms are durable.")
_WAITING: Final = Gauge("ocs_snmp_notifications_waiting", "Notifications read and not yet durable.")
_AGE_SECONDS: Final = Histogram(
    "ocs_snmp_durable_seconds", "From the arrival of a notification to its durable alarm."
)
_FAILED: Final = Counter(
    "ocs_snmp_commit_retries_total", "Batches sent again because the store did not confirm."
)
_NO_ROOM: Final = Counter("ocs_alarms_without_room_total", "Raises that found the alarm list full.")
# The store is asked again so soon; a restart of it takes about as long.
_RETRY_S: Final = 0.2
_STARTS: Final = frozenset({COLD_START, WARM_START})
_encode: Final = msgspec.msgpack.Encoder().encode


class Told(NamedTuple):
    """Who is told of what became of a notification.

    Attributes:
        acknowledge: sends the acknowledgement of an inform whose alarm is durable.
        decline: an inform found no room in the list: it is not acknowledged, and its repeat is new.
        on_restart: a source has restarted, or says that it lost its state.
    """

    acknowledge: Callable[[Arrival], None]
    decline: Callable[[Arrival], None]
    on_restart: Callable[[str], None]


class _Understood(NamedTuple):
    """What goes to the store together, and who hears of it when it is durable.

    Attributes:
        batch: None when it changes nothing: its informs wait all the same for what was understood before.
        settled: informs to acknowledge. declined: informs that found no room.
    """

    batch: AlarmBatch | None
    arrivals: list[Arrival]
    settled: list[Arrival]
    declined: list[Arrival]


class TrapPump:
    """Everything between a decoded notification and its acknowledgement.

    Args:
        told: who is told of what became of a notification.
        keeps: whether a source's clock is kept over our restarts; strangers are too many, and easily forged.
        records: what operators have said, as it was loaded.
    """

    def __init__(
        self,
        *,
        rules: RuleBook,
        book: AlarmBook,
        sources: SourceClock,
        store: AlarmListStore,
        clock: Clock,
        told: Told,
        keeps: Callable[[str], bool],
        records: Iterable[OperatorRecord] = (),
    ) -> None:
        self._rules = rules
        self._book = book
        self._sources = sources
        self._store = store
        self._clock = clock
        self._told = told
        self._keeps = keeps
        self._arrivals: deque[Arrival] = deque()
        self._signals: deque[AlarmSignal] = deque()
        self._desk: deque[AlarmChange] = deque()
        self._orders: dict[str, AlarmSignal] = {}
        self._outcomes: deque[Outcome] = deque()
        # As the store has them, as far as we know: what the book makes of one follows from it, or is not written.
        self._records = {record.alarm_id: record for record in records}
        # Sources that were heard of since somebody asked; what else is to be in the store, by name.
        self._heard: set[str] = set()
        self._kept: dict[str, bytes] = {}
        self._take_along: Callable[[], dict[str, bytes]] = dict
        self._limiter = RepeatLimiter(clock)
        self.is_stuck = False
        # What is next for the store, and what is on its way there.
        self._next: _Understood | None = None
        self._under_way: _Understood | None = None
        self._something = trio.Event()
        self._handed_on = trio.Event()
        self._room = trio.Event()

    # --- What comes in ---------------------------------------------------------------------------------------

    def put(self, arrivals: Sequence[Arrival]) -> None:
        """Take what was decoded, in the order in which it came."""
        self._arrivals.extend(arrivals)
        self._something.set()

    def put_signals(self, signals: Sequence[AlarmSignal]) -> None:
        """Take what was found otherwise: by supervision, by a table walk, by the receiver itself."""
        self._signals.extend(signals)
        self._something.set()

    def put_desk(self, change: AlarmChange) -> None:
        """Take what operators did, in whatever process they did it."""
        self._desk.append(change)
        self._something.set()

    def put_orders(self, orders: Mapping[str, AlarmSignal]) -> None:
        """Take what operators ask for; each is gone from the store when it was done."""
        self._orders |= orders
        self._something.set()

    def put_windows(self, windows: Sequence[MaintenanceWindow]) -> None:
        """Take the maintenance windows that there are now, and no others.

        Raises:
            ValueError: there are too many, or one ends before it begins; those of before stay.
        """
        self._outcomes.append(self._book.set_windows(windows, self._clock.now_ms()))
        self._something.set()

    def keep(self, name: str, octets: bytes) -> None:
        """Have something about sources in the store with the next batch."""
        self._kept[name] = octets
        self._something.set()

    def keep_along(self, take: Callable[[], dict[str, bytes]]) -> None:
        """Have what is new about senders, by name, in the store with each batch that is written anyway."""
        self._take_along = take

    def take_heard(self) -> set[str]:
        """The sources whose notifications were understood since the last time."""
        heard, self._heard = self._heard, set()
        return heard

    def moment_of(self, sources: Sequence[str], uptime_ticks: int, asked_ms: int) -> tuple[str, int]:
        """When an element had an uptime that it was asked for, in the time of its notifications.

        Args:
            sources: addresses that it sends from; the one that was heard of last counts.
            asked_ms: our clock before the question.

        Returns:
            The address, and the moment: whatever the element sends of later happenings has a later one.
        """
        known = [(life.heard_ms, source) for source in sources if (life := self._sources.life_of(source))]
        source = max(known)[1] if known else sources[0]
        received_ms = self._clock.now_ms()
        if not self._sources.fits(source, uptime_ticks, received_ms):
            return source, asked_ms
        at_ms, _ = self._sources.at_ms(source, uptime_ticks, received_ms)
        if life := self._sources.life_of(source):
            self.keep(source, _encode(life))
        return source, at_ms

    async def wait_for_room(self) -> None:
        """Return when more may be put; cancelled, nothing has changed."""
        while len(self._arrivals) >= TRAPS_WAITING_MAX:
            self._room = trio.Event()
            await self._room.wait()

    # --- What goes out ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled. What was not acknowledged then is repeated by its sender.

        Raises:
            LeaseLostError: another process owns the list by now; what the book holds is worthless.
        """
        lost: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._store_in_order)
                await self._understand_in_order()
        except* LeaseLostError as group:
            lost = group.exceptions[0]
        if lost is not None:
            raise lost

    async def _understand_in_order(self) -> None:
        """Have the next batch ready when the store is, or before when much waits."""
        while True:
            await self._wait()
            arrivals = self._take_arrivals()
            self._next = self._understand(arrivals)
            self._handed_on.set()
            self._show_waiting()

    async def _store_in_order(self) -> None:
        """Make durable what was understood, and tell its senders."""
        while True:
            while self._next is None:
                self._handed_on = trio.Event()
                await self._handed_on.wait()
            understood, self._next = self._next, None
            self._under_way = understood
            self._something.set()
            if understood.batch is not None:
                await self._commit(understood.batch)
            for arrival in understood.settled:
                self._told.acknowledge(arrival)
            for arrival in understood.declined:
                self._told.decline(arrival)
            self._under_way = None
            self._something.set()
            self._count(understood.arrivals)

    async def _wait(self) -> None:
        """Wait until there is anything to do, or the book has something due, and the store can be given it soon."""
        await trio.lowlevel.checkpoint()  # the reader has its turn between two batches
        while not self._is_time():
            is_idle = self._next is None and self._under_way is None
            due_ms = self._book.due_ms() if is_idle else None
            seconds = math.inf if due_ms is None else max(0, due_ms - self._clock.now_ms()) / 1000
            self._something = trio.Event()
            with trio.move_on_after(seconds) as patience:
                await self._something.wait()
            if patience.cancelled_caught:
                return

    def _is_time(self) -> bool:
        if self._next is not None:
            return False
        waiting = len(self._arrivals)
        if self._under_way is not None:
            return waiting >= TRAPS_AHEAD_MIN
        return bool(waiting or self._signals or self._desk or self._orders or self._outcomes or self._kept)

    def _take_arrivals(self) -> list[Arrival]:
        count = min(len(self._arrivals), TRAPS_PER_COMMIT)
        arrivals = [self._arrivals.popleft() for _ in range(count)]
        if len(self._arrivals) < TRAPS_WAITING_MAX:
            self._room.set()
        return arrivals

    def _show_waiting(self) -> None:
        understood = (self._next, self._under_way)
        _WAITING.set(len(self._arrivals) + sum(len(one.arrivals) for one in understood if one is not None))

    def _understand(self, arrivals: list[Arrival]) -> _Understood:
        """What the notifications and everything else that waits change."""
        now_ms = self._clock.now_ms()
        signals = [signal for arrival in arrivals for signal in self._signals_of(arrival)]
        # A table walk may bring more than one step writes.
        signals.extend(self._signals.popleft() for _ in range(min(len(self._signals), TRAPS_PER_COMMIT)))
        orders, self._orders = self._orders, {}
        signals.extend(orders.values())
        outcomes = [*self._outcomes, *(self._note_desk(change, now_ms) for change in self._desk)]
        self._outcomes.clear()
        self._desk.clear()
        if signals:
            outcomes.append(self._book.take(signals, now_ms))
        due_ms = self._book.due_ms()
        if due_ms is not None and due_ms <= now_ms:
            outcomes.append(self._book.tick(now_ms))
        batch = self._batch(outcomes, self._changed_lives(), tuple(orders))
        informs = [arrival for arrival in arrivals if arrival.acknowledgement is not None]
        refused = sum(outcome.refused for outcome in outcomes)
        if not refused:
            return _Understood(batch, arrivals, informs, [])
        self._tell_of_no_room(refused)
        # As the list is now: what a later batch brings is not durable with this one.
        settled: list[Arrival] = []
        declined: list[Arrival] = []
        for inform in informs:
            (settled if self._is_taken(inform) else declined).append(inform)
        return _Understood(batch, arrivals, settled, declined)

    def _changed_lives(self) -> dict[str, Life]:
        changed = self._sources.take_changed()
        return {source: life for source, life in changed.items() if self._keeps(source)}

    def _note_desk(self, change: AlarmChange, now_ms: int) -> Outcome:
        if change.kind is ChangeKind.COMPRESSED and change.alarm is not None:
            return self._book.note_compressed(change.alarm, now_ms)
        if change.kind is ChangeKind.PURGED or change.operator is None:
            self._records.pop(change.alarm_id, None)
            if self._book.alarm(change.alarm_id) != change.alarm:
                # It moved on meanwhile: it stands again with the next batch, and only what operators said is gone.
                return self._book.note_operator(OperatorRecord(change.alarm_id), now_ms)
            return self._book.note_purged([change.alarm_id], now_ms)
        self._records[change.alarm_id] = change.operator
        return self._book.note_operator(change.operator, now_ms)

    def _signals_of(self, arrival: Arrival) -> Sequence[AlarmSignal]:
        """What a notification says."""
        notification = arrival.notification
        source = notification.source
        at_ms, is_restarted = self._sources.at_ms(
            source,
            notification.uptime_ticks,
            notification.received_ms,
            is_start=notification.trap_oid in _STARTS,
            boots=max(0, arrival.engine_boots),
            engine_id=notification.engine_id,
            is_inform=notification.is_inform,
        )
        self._heard.add(source)
        if is_restarted or self._rules.wants_resync(notification):
            self._told.on_restart(source)
        try:
            signals = self._rules.signals(notification, at_ms, arrival.content)
        except Exception:
            # A rule that fails must not end the receiver, again with each repeat of an inform.
            log.exception("rule_failed", trap_oid=notification.trap_oid, source=notification.source)
            return (self._rules.unknown(notification, at_ms),)
        if notification.security_level > SecurityLevel.NO_AUTH_NO_PRIV and not self._keeps(source):
            return [msgspec.structs.replace(signal, is_vouched=True) for signal in signals]
        return signals

    def _batch(
        self, outcomes: Sequence[Outcome], lives: dict[str, Life], orders: Sequence[str]
    ) -> AlarmBatch | None:
        alarms = {alarm.alarm_id: alarm for outcome in outcomes for alarm in outcome.alarms}
        changes = [change for outcome in outcomes for change in outcome.changes]
        tombstones, forgotten = _tombstones_of(outcomes)
        kept, self._kept = self._kept, {}
        if (
            not alarms
            and not changes
            and not lives
            and not orders
            and not kept
            and not tombstones
            and not forgotten
        ):
            return None
        return AlarmBatch(
            token=os.urandom(TOKEN_OCTETS),
            alarms=list(alarms.values()),
            changes=changes,
            purged=[alarm_id for outcome in outcomes for alarm_id in outcome.purged],
            operators=self._follow_up(outcomes),
            orders=orders,
            sources=kept | self._take_along() | {source: _encode(life) for source, life in lives.items()},
            tombstones=tombstones,
            forgotten=forgotten,
        )

    def _is_taken(self, arrival: Arrival) -> bool:
        """Whether what an inform says is in the list; asked only where some of its batch is not."""
        return all(
            signal.severity is Severity.CLEARED or self._book.alarm(signal.key.alarm_id) is not None
            for signal in self._rules.signals(arrival.notification, 0)
        )

    def _tell_of_no_room(self, refused: int) -> None:
        """Say that raises were not taken: the list itself has no room to say so."""
        _NO_ROOM.inc(by=refused)
        swallowed = self._limiter.admit("no_room")
        if swallowed is not None:
            log.error(
                "alarm_list_full",
                not_taken=refused,
                swallowed=swallowed,
                remedy="look who floods it, and take it off the list: `ocs alarms purge --clearance any --resource`",
            )

    def _follow_up(self, outcomes: Sequence[Outcome]) -> list[tuple[OperatorRecord | None, OperatorRecord]]:
        """What the book made of operators' records, each with the one that it follows from."""
        made = {record.alarm_id: record for outcome in outcomes for record in outcome.operators}
        pairs = [(self._records.get(alarm_id), record) for alarm_id, record in made.items()]
        self._records |= made
        return pairs

    async def _commit(self, batch: AlarmBatch) -> None:
        """Make a batch durable, however often it takes: the store knows a batch that it has already."""
        while True:
            try:
                await self._store.commit(batch)
                self.is_stuck = False
                return
            except StoreUnavailableError as error:
                self.is_stuck = True
                _FAILED.inc()
                log.warning("alarms_not_confirmed", reason=str(error), alarms=len(batch.alarms))
                await trio.sleep(_RETRY_S)

    def _count(self, arrivals: Sequence[Arrival]) -> None:
        now_ms = self._clock.now_ms()
        # Those that were read together came at one time.
        for received_ms, together in groupby(arrivals, key=_received_ms):
            _AGE_SECONDS.observe((now_ms - received_ms) / 1000, count=sum(1 for _ in together))
        _STORED.inc(by=len(arrivals))
        self._show_waiting()


def _received_ms(arrival: Arrival) -> int:
    return arrival.notification.received_ms


def _tombstones_of(outcomes: Sequence[Outcome]) -> tuple[list[Tombstone], list[str]]:
    """The tombstones that are new after several steps, and the ids of those that are not there any more."""
    new: dict[str, Tombstone] = {}
    gone: dict[str, None] = {}
    for outcome in outcomes:
        for alarm_id in outcome.forgotten:
            new.pop(alarm_id, None)
            gone[alarm_id] = None
        for stone in outcome.tombstones:
            gone.pop(stone.alarm_id, None)
            new[stone.alarm_id] = stone
    return list(new.values()), list(gone)
