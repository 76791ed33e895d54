"""Owning the alarm list: everything that runs while it is ours, and opening it again when it is not."""

import gc
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, NamedTuple, TypeVar

import msgspec
import trio

from ocs import limits
from ocs.clock import Clock
from ocs.faults.book.book import AlarmBook
from ocs.faults.book.maintenance import MaintenanceWindow
from ocs.faults.book.policy import BookPolicy
from ocs.faults.book.source_clock import Life, SourceClock
from ocs.faults.receiver.pump import Told, TrapPump
from ocs.faults.receiver.rations import Rations
from ocs.faults.receiver.receiver import TrapReceiver
from ocs.faults.resync.report import ResyncReport
from ocs.faults.rules import RuleBook
from ocs.faults.snmp.ber import object_identifier
from ocs.faults.snmp.discard import SnmpError
from ocs.faults.snmp.engine import TrapEngine
from ocs.faults.snmp.engine_clocks import EngineClocks
from ocs.faults.snmp.usm import UsmUser
from ocs.faults.store.batch import AlarmStoreError, Snapshot, StoreUnavailableError
from ocs.faults.store.owner_identity import node_of
from ocs.faults.store.port import AlarmListStore
from ocs.faults.supervision.supervised import Supervised
from ocs.faults.supervision.supervisor import Supervisor
from ocs.faults.supervision.watch import SILENCES
from ocs.faults.topology.port import Topology
from ocs.log import get_logger
from ocs.metrics import Gauge

_T = TypeVar("_T")

log = get_logger(__name__)

_OWNED: Final = Gauge("ocs_alarm_list_owned", "1 where this node owns the alarm list, 0 where it stands by.")
# After a failure the list is opened again so soon.
_REOPEN_S: Final = 0.5
_decode_window: Final = msgspec.msgpack.Decoder(MaintenanceWindow).decode
_decode_life: Final = msgspec.msgpack.Decoder(Life).decode


class SnmpAccess(msgspec.Struct, frozen=True):
    """Who may tell us something.

    Attributes:
        engine_id: ours; empty: the one that the store keeps.
        accepts_community: whether a community of v1 or v2c is let in. is_proxy: whether an address is believed when it
            says about which element a notification is.
        per_source_s: a source's ration, datagrams a second; 0 for none.
    """

    engine_id: bytes
    users: tuple[UsmUser, ...]
    accepts_community: Callable[[bytes], bool]
    is_proxy: Callable[[str], bool]
    per_source_s: int


class Meaning(NamedTuple):
    """What notifications mean, what depends on what, when people are told, and which elements are looked after."""

    rules: RuleBook
    topology: Topology
    policy: BookPolicy
    supervised: Supervised


class AlarmOwner:
    """The trap receiver and the alarm list, whenever the list is ours.

    Args:
        bound: the trap socket; read only while the list is ours.
        beside: what else the owner does, for ever: trimming.
    """

    def __init__(
        self,
        store: AlarmListStore,
        bound: socket.socket,
        access: SnmpAccess,
        meaning: Meaning,
        *,
        clock: Clock,
        beside: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._socket = bound
        self._access = access
        self._rules = meaning.rules
        self._topology = meaning.topology
        self._policy = meaning.policy
        self._clock = clock
        self._beside = beside
        self._supervised = meaning.supervised
        self._supervisor: Supervisor | None = None
        # A sender's datagram of before is refused also after the list was opened again, by whatever process.
        self._engine_clocks = EngineClocks()

    async def run(self) -> None:
        """Own the list whenever it is to be had, until cancelled; then let another node have it."""
        try:
            while True:
                _OWNED.set(0)
                try:
                    snapshot = await self._store.open_as_owner(engine_id=self._access.engine_id)
                    _OWNED.set(1)
                    log.info("alarm_list_owned", alarms=len(snapshot.alarms), boots=snapshot.engine.boots)
                    await self._own(snapshot)
                except* AlarmStoreError as lost:
                    log.warning("alarm_list_lost", reason=str(lost.exceptions[0]))
                self._supervisor = None
                gc.collect()  # its tasks held the list and each other; nobody else looks for that often
                await trio.sleep(_REOPEN_S)
        finally:
            _OWNED.set(0)
            with trio.move_on_after(limits.STORE_TIMEOUT_S, shield=True):
                try:
                    await self._store.release()
                except StoreUnavailableError as error:
                    log.warning("alarm_list_not_released", reason=str(error))

    async def _own(self, snapshot: Snapshot) -> None:
        """Serve on what was loaded, until the list is lost."""
        book = AlarmBook(
            self._topology,
            self._policy,
            alarms=snapshot.alarms,
            operators=snapshot.operators,
            tombstones=snapshot.tombstones,
        )
        self._engine_clocks.take_up(snapshot.sources)
        receiver = TrapReceiver(
            self._socket,
            TrapEngine(
                engine_id=snapshot.engine.engine_id,
                boots=snapshot.engine.boots,
                users=self._access.users,
                accepts_community=self._access.accepts_community,
                is_proxy=self._access.is_proxy,
                clocks=self._engine_clocks,
            ),
            Rations(per_s=self._access.per_source_s, burst_s=limits.TRAP_BURST_S, may_clear=self._may_clear),
            self._clock,
            element_of=self._element_of,
            on_loss=self._note_loss,
        )
        pump = TrapPump(
            rules=self._rules,
            book=book,
            sources=SourceClock(
                {name: _decode_life(value) for name, value in snapshot.sources.items() if name[:1] != "~"},
                is_stranger=self._topology.is_stranger,
            ),
            store=self._store,
            clock=self._clock,
            told=Told(receiver.acknowledge, receiver.decline, self._note_restart),
            keeps=lambda source: self._topology.element_of(source) is not None,
            records=snapshot.operators,
        )
        pump.keep_along(self._engine_clocks.take_changed)
        supervisor = self._supervisor = Supervisor(
            self._supervised,
            book,
            rules=self._rules,
            pump=pump,
            clock=self._clock,
            element_of=self._element_of,
            kept=snapshot.sources.get(SILENCES),
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.run)
            nursery.start_soon(pump.run)
            nursery.start_soon(receiver.run, pump)
            nursery.start_soon(receiver.watch_storms, pump)
            nursery.start_soon(self._keep_lease)
            nursery.start_soon(self._follow_desk, snapshot.last_id, pump)
            nursery.start_soon(self._take_orders, pump)
            nursery.start_soon(self._look_at_windows, pump)
            nursery.start_soon(self._beside)

    @property
    def standing(self) -> str:
        """What people should know of the list and us; empty when it is ours."""
        if self._supervisor is not None:
            return ""
        holder = self._store.holder
        return (
            f"stands by: {node_of(holder)} has the alarm list" if holder else "the alarm list is not ours yet"
        )

    async def look_up(self, element: str) -> ResyncReport:
        """Ask an element what stands there, and bring the list to it; never raises."""
        supervisor = self._supervisor
        if supervisor is None:
            return ResyncReport(element, "the alarm list is another node's now: ask there")
        with trio.move_on_after(2 * limits.RESYNC_TIMEOUT_S):
            try:
                return await supervisor.ask(element)
            except LookupError as error:
                return ResyncReport(element, str(error))
        return ResyncReport(element, "its turn has not come yet; it will be asked")

    def _note_restart(self, source: str) -> None:
        if self._supervisor is not None:
            self._supervisor.note_restart(source)

    def _note_loss(self, element: str) -> None:
        if self._supervisor is not None:
            self._supervisor.note_loss(element)

    def _may_clear(self, identifier: bytes) -> bool:
        try:
            return self._rules.may_clear(object_identifier(identifier))
        except SnmpError:
            return False  # it is discarded by the decoder

    def _element_of(self, address: str) -> str:
        return self._topology.element_of(address) or address

    async def _keep_lease(self) -> None:
        while True:
            await trio.sleep(limits.ALARM_LEASE_RENEWED_S)
            await self._patiently(self._store.renew)

    async def _follow_desk(self, after_id: str, pump: TrapPump) -> None:
        """Hand on what operators do, in whatever process they do it."""
        while True:
            for followed in await self._patiently(partial(self._store.read_desk, after_id)):
                pump.put_desk(followed.change)
                after_id = followed.entry_id

    async def _take_orders(self, pump: TrapPump) -> None:
        """Hand on what operators ask for; what is under way may be asked for again and changes nothing then."""
        while True:
            orders = await self._patiently(self._store.orders)
            if orders:
                pump.put_orders(orders)
            await trio.sleep(limits.ALARM_DESK_INTERVAL_S)

    async def _look_at_windows(self, pump: TrapPump) -> None:
        """Have the book know the maintenance windows whenever they are others than before."""
        known: dict[str, bytes] = {}
        while True:
            found = await self._patiently(self._store.windows)
            if found != known:
                known = found
                try:
                    pump.put_windows([_decode_window(value) for value in found.values()])
                except (msgspec.MsgspecError, ValueError) as error:
                    log.warning("maintenance_windows_refused", reason=str(error))
            await trio.sleep(limits.WINDOWS_LOOK_INTERVAL_S)

    async def _patiently(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Ask until the store answers; whether the list is still ours shows with a commit."""
        while True:
            try:
                return await ask()
            except StoreUnavailableError:
                await trio.sleep(_REOPEN_S)
