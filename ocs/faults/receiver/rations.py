"""How much of what a source sends is decoded. Pure: times come in.

A babbling element must not hide the one alarm that matters, so each source has a ration, spent before anything is
decoded. What may clear an alarm passes above it: an alarm that stays for want of its clear is worse than a storm.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ocs.limits import (
    SNMP_REPORTS_PER_PEER_PER_S,
    SNMP_REPORTS_PER_S,
    STORM_CLEARS_RATIO,
    STORM_QUIET_MS,
    TRAP_KINDS_REMEMBERED,
    TRAP_SOURCES_MAX,
)

# Octets, the address and the port that they came from.
Datagram = tuple[bytes, str, int]

# snmpTrapOID.0 and the tag of its value, as every sender encodes them: what follows is the length and the identifier.
_TRAP_OID_MARK: Final = bytes.fromhex("060a2b06010603010104010006")


class Storm(NamedTuple):
    """A source began to send, or has ceased to send, more than its ration.

    Attributes:
        dropped: datagrams dropped since it began.
    """

    address: str
    is_over: bool
    dropped: int


class Rationed(NamedTuple):
    """What is to be decoded, and what is to be told."""

    passed: list[Datagram]
    storms: list[Storm]


class ReportRation:
    """How many Reports are sent: addresses are easily forged, and a Report is longer than what asks for it."""

    def __init__(self) -> None:
        self._second = 0
        self._sent: dict[str, int] = {}
        self._total = 0

    def admit(self, address: str, now_ms: int) -> bool:
        """Whether one more may be sent there in this second; who is not answered asks again."""
        if now_ms // 1000 != self._second:
            self._second, self._total = now_ms // 1000, 0
            self._sent.clear()
        sent = self._sent.get(address, 0)
        if sent >= SNMP_REPORTS_PER_PEER_PER_S or self._total >= SNMP_REPORTS_PER_S:
            return False
        self._sent[address] = sent + 1
        self._total += 1
        return True


class _Source:
    __slots__ = ("clears", "dropped", "last_drop_ms", "left", "seen_ms")

    def __init__(self, ration: float, now_ms: int) -> None:
        self.left = ration
        self.clears = ration * STORM_CLEARS_RATIO
        self.seen_ms = now_ms
        self.dropped = 0  # since its storm began; 0 when there is none
        self.last_drop_ms = 0


class Rations:
    """The rations of all sources.

    Args:
        per_s: datagrams a second that one source may send, ``burst_s`` times as many at once; 0 lets everything pass.
        may_clear: whether the notification of an encoded identifier (without tag and length) may clear something.
    """

    def __init__(self, *, per_s: int, burst_s: int, may_clear: Callable[[bytes], bool]) -> None:
        self._per_ms = per_s / 1000
        self._full = float(per_s * burst_s)
        self._clears: dict[bytes, bool] = {}
        self._asked = may_clear
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._storms: dict[str, _Source] = {}

    def admit(self, datagrams: Sequence[Datagram], now_ms: int) -> Rationed:
        """Choose what is decoded, in the order in which it came."""
        if not self._per_ms:
            return Rationed(list(datagrams), [])
        passed: list[Datagram] = []
        storms: list[Storm] = []
        for datagram in datagrams:
            address = datagram[1]
            source = self._sources.get(address)
            if source is None:
                source = self._meet(address, now_ms)
            elif source.seen_ms != now_ms:
                self._refill(source, now_ms)
            if source.left >= 1:
                source.left -= 1
                passed.append(datagram)
            elif source.clears >= 1 and self._may_clear(datagram[0]):
                source.clears -= 1
                passed.append(datagram)
            else:
                if not source.dropped:
                    self._storms[address] = source
                    storms.append(Storm(address, is_over=False, dropped=1))
                source.dropped += 1
                source.last_drop_ms = now_ms
        return Rationed(passed, storms)

    def calm(self, now_ms: int) -> list[Storm]:
        """Which storms are over: nothing of the source was dropped for a while."""
        quiet = [
            address
            for address, source in self._storms.items()
            if now_ms - source.last_drop_ms >= STORM_QUIET_MS
        ]
        over: list[Storm] = []
        for address in quiet:
            source = self._storms.pop(address)
            over.append(Storm(address, is_over=True, dropped=source.dropped))
            source.dropped = 0
        return over

    def _meet(self, address: str, now_ms: int) -> _Source:
        """A new source; the one that was met first makes room, unless its storm still rages."""
        source = self._sources[address] = _Source(self._full, now_ms)
        if len(self._sources) > TRAP_SOURCES_MAX:
            oldest, known = next(iter(self._sources.items()))
            if known.dropped:
                self._sources.move_to_end(oldest)
            else:
                del self._sources[oldest]
        return source

    def _refill(self, source: _Source, now_ms: int) -> None:
        gained = max(0, now_ms - source.seen_ms) * self._per_ms
        source.left = min(self._full, source.left + gained)
        source.clears = min(self._full * STORM_CLEARS_RATIO, source.clears + gained * STORM_CLEARS_RATIO)
        source.seen_ms = now_ms

    def _may_clear(self, octets: bytes) -> bool:
        """Whether a datagram may be about an end: version 1 and encrypted ones say nothing before they are decoded."""
        place = octets.find(_TRAP_OID_MARK)
        if place < 0:
            return True
        length_at = place + len(_TRAP_OID_MARK)
        length = int.from_bytes(octets[length_at : length_at + 1])
        identifier = octets[length_at + 1 : length_at + 1 + length]
        known = self._clears.get(identifier)
        if known is None:
            if len(self._clears) >= TRAP_KINDS_REMEMBERED:
                self._clears.clear()
            known = self._clears[identifier] = self._asked(identifier)
        return known
