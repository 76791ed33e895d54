"""Reads the trap socket: rations, decodes, sends what is to be answered at once, and hands on lists."""

import socket
from collections.abc import Callable
from typing import Final

import trio

from ocs.clock import Clock
from ocs.faults.receiver.inform_memory import InformMemory, Standing
from ocs.faults.receiver.own_signals import DiscardAlarms, storm_signal
from ocs.faults.receiver.pump import TrapPump
from ocs.faults.receiver.rations import Rations, ReportRation, Storm
from ocs.faults.receiver.udp import drain, send
from ocs.faults.snmp.engine import Arrival, Discard, TrapEngine
from ocs.limits import STORM_QUIET_MS, TRAPS_PER_READ
from ocs.log import RepeatLimiter, get_logger
from ocs.metrics import Counter

log = get_logger(__name__)

_RECEIVED: Final = Counter("ocs_snmp_datagrams_total", "Datagrams read from the trap socket.")
_RATIONED: Final = Counter("ocs_snmp_rationed_total", "Datagrams dropped above their source's ration.")
_DISCARDED: Final = Counter(
    "ocs_snmp_discarded_total", "Datagrams that are no notification for us.", ("reason",)
)
_REPEATED: Final = Counter("ocs_snmp_informs_repeated_total", "Informs that were taken before.")


class TrapReceiver:
    """The reading half of the network process.

    Args:
        engine: decodes; ``engine_time_s`` of it is counted from ``began_ms`` on.
        element_of: the name of an element by its address; the address itself for strangers.
    """

    def __init__(
        self,
        bound: socket.socket,
        engine: TrapEngine,
        rations: Rations,
        clock: Clock,
        *,
        element_of: Callable[[str], str],
        on_loss: Callable[[str], None] | None = None,
    ) -> None:
        self._on_loss = on_loss
        self._socket = bound
        self._engine = engine
        self._rations = rations
        self._clock = clock
        self._element_of = element_of
        self._informs = InformMemory()
        self._reports = ReportRation()
        self._discards = DiscardAlarms()
        self._limiter = RepeatLimiter(clock)
        self._began_ms = clock.steady_ms()

    def acknowledge(self, arrival: Arrival) -> None:
        """Tell the sender of an inform that its alarm is durable."""
        self._send_acknowledgement(self._informs.settle(arrival))

    def decline(self, arrival: Arrival) -> None:
        """Do not acknowledge an inform that was not taken: its sender repeats it."""
        self._informs.forget(arrival)

    def _send_acknowledgement(self, arrival: Arrival) -> None:
        if arrival.acknowledgement is not None:
            send(self._socket, arrival.acknowledgement, arrival.address, arrival.port)

    async def run(self, pump: TrapPump) -> None:
        """Read until cancelled; what the kernel holds then is read by the next process on this socket."""
        while True:
            await pump.wait_for_room()
            await trio.lowlevel.wait_readable(self._socket)
            self._take(pump)

    async def watch_storms(self, pump: TrapPump) -> None:
        """Tell when storms are over, until cancelled."""
        while True:
            await trio.sleep(STORM_QUIET_MS / 10_000)
            self._tell_storms(self._rations.calm(self._clock.now_ms()), pump)

    def _take(self, pump: TrapPump) -> None:
        datagrams = drain(self._socket, TRAPS_PER_READ)
        now_ms = self._clock.now_ms()
        _RECEIVED.inc(by=len(datagrams))
        passed, storms = self._rations.admit(datagrams, now_ms)
        _RATIONED.inc(by=len(datagrams) - len(passed))
        self._tell_storms(storms, pump)
        engine_time_s = (self._clock.steady_ms() - self._began_ms) // 1000
        received = self._engine.receive(passed, now_ms, engine_time_s)
        for reply in received.replies:
            if self._reports.admit(reply.address, now_ms):
                send(self._socket, reply.octets, reply.address, reply.port)
        for discard in received.discards:
            self._discard(discard, now_ms, pump)
        arrivals = [arrival for arrival in received.notifications if self._is_new(arrival)]
        if arrivals:
            pump.put(arrivals)

    def _is_new(self, arrival: Arrival) -> bool:
        """Whether an arrival is to be taken; a repeated inform that is durable is acknowledged again."""
        if arrival.inform_key is None:
            return True
        standing = self._informs.meet(arrival)
        if standing is Standing.NEW:
            return True
        _REPEATED.inc()
        if standing is Standing.DURABLE:
            self._send_acknowledgement(arrival)
        return False

    def _discard(self, discard: Discard, now_ms: int, pump: TrapPump) -> None:
        _DISCARDED.inc(discard.reason)
        signal = self._discards.signal(discard, self._element_of(discard.address), now_ms)
        if signal is not None:
            pump.put_signals([signal])
        swallowed = self._limiter.admit((discard.address, discard.reason))
        if swallowed is not None:
            log.warning(
                "datagram_discarded",
                reason=discard.reason,
                source=discard.address,
                detail=discard.detail,
                swallowed=swallowed,
            )

    def _tell_storms(self, storms: list[Storm], pump: TrapPump) -> None:
        now_ms = self._clock.now_ms()
        for storm in storms:
            element = self._element_of(storm.address)
            log.warning(
                "trap_storm_over" if storm.is_over else "trap_storm", source=element, dropped=storm.dropped
            )
            pump.put_signals([storm_signal(storm, element, now_ms)])
            if storm.is_over and self._on_loss is not None:
                self._on_loss(element)
