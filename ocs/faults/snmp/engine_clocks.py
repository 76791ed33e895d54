"""What is known of the clocks of authoritative senders: each one's boots and time, so that nothing is replayed.

Source: RFC 3414 sections 2.2, 2.3 and 3.2 (7).
"""

import zlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from ocs.faults.snmp.discard import DiscardReason, SnmpError
from ocs.limits import SNMP_ENGINES_REMEMBERED_MAX, SNMP_TIME_WINDOW_S

# What is kept lies under so many names, however many engines there were; none is an address.
_SHARDS: Final = 4_096
_PREFIX: Final = "~engines/"
# A clock is kept again when it has gone on so far, and is taken up as if it had gone on so far: nothing that we took
# may be replayed, and what is of now is far newer.
_KEPT_STEP_S: Final = 30
# An engine that has reached it takes and sends nothing any more (RFC 3414 section 2.2.1).
BOOTS_LATCHED: Final = 2**31 - 1


class EngineClock(msgspec.Struct, frozen=True, array_like=True):
    """The clock of one engine.

    Attributes:
        boots: snmpEngineBoots. time_s: latestReceivedEngineTime, seconds since then.
        heard_ms: our clock when that time came.
    """

    boots: int
    time_s: int
    heard_ms: int


_KEPT: Final = msgspec.msgpack.Decoder(dict[bytes, EngineClock])


class EngineClocks:
    """The clocks of all engines that were heard with an authentic message; the one silent for longest goes first."""

    def __init__(self, known: Iterable[tuple[bytes, EngineClock]] = ()) -> None:
        self._clocks: dict[bytes, EngineClock] = dict(known)
        # As they were last kept, by the name under which they are; and the names of which something is new.
        self._kept: dict[str, dict[bytes, EngineClock]] = {}
        self._changed: set[str] = set()

    def take_up(self, kept: Mapping[str, bytes]) -> None:
        """Know what was kept by whoever had the list before; what is known here and is newer, stays.

        Args:
            kept: what :meth:`take_changed` gave out, among other things.
        """
        found = {name: _decoded(octets) for name, octets in kept.items() if name.startswith(_PREFIX)}
        self._kept = found
        of_before = [one for clocks in found.values() for one in clocks.items()]
        own, self._clocks = self._clocks, {}
        for engine_id, clock in sorted(of_before, key=_heard_ms_of)[-SNMP_ENGINES_REMEMBERED_MAX:]:
            self._clocks[engine_id] = EngineClock(clock.boots, clock.time_s + _KEPT_STEP_S, clock.heard_ms)
        for engine_id, clock in own.items():
            other = self._clocks.get(engine_id)
            if other is None or (clock.boots, clock.time_s) > (other.boots, other.time_s):
                self._note(engine_id, clock)

    def take_changed(self) -> dict[str, bytes]:
        """What is new since the last time, to be kept by these names."""
        if not self._changed:
            return {}
        changed, self._changed = self._changed, set()
        return {name: msgspec.msgpack.encode(self._kept[name]) for name in changed}

    def get(self, engine_id: bytes) -> EngineClock | None:
        """The clock of an engine; None when it was never heard."""
        return self._clocks.get(engine_id)

    def accept(self, engine_id: bytes, boots: int, time_s: int, now_ms: int) -> None:
        """Note what an authentic message says, and refuse one from before.

        An engine's first message is believed: there is nothing to compare it with (RFC 3414 section 2.3).

        Raises:
            SnmpError: it is from a former boot, or older than the time window allows; or the engine's boots latched.
        """
        clock = self._clocks.get(engine_id)
        if boots == BOOTS_LATCHED:
            raise SnmpError(DiscardReason.NOT_IN_TIME_WINDOW, "its engine has used up its boots")
        if clock is not None:
            if boots < clock.boots:
                detail = f"boot {boots} of the engine, which is at {clock.boots}"
                raise SnmpError(DiscardReason.NOT_IN_TIME_WINDOW, detail)
            if boots == clock.boots and time_s <= clock.time_s:
                age_s = clock.time_s - time_s + max(now_ms - clock.heard_ms, 0) // 1000
                if age_s > SNMP_TIME_WINDOW_S:
                    raise SnmpError(DiscardReason.NOT_IN_TIME_WINDOW, f"{age_s} s old")
                return
        self._note(engine_id, EngineClock(boots, time_s, now_ms))

    def _note(self, engine_id: bytes, clock: EngineClock) -> None:
        """Know a newer clock of an engine, and have it kept unless what is kept will do."""
        if self._clocks.pop(engine_id, None) is None and len(self._clocks) >= SNMP_ENGINES_REMEMBERED_MAX:
            silent = next(iter(self._clocks))
            del self._clocks[silent]
            self._kept.get(_name_of(silent), {}).pop(silent, None)
        self._clocks[engine_id] = clock
        name = _name_of(engine_id)
        together = self._kept.setdefault(name, {})
        kept = together.get(engine_id)
        if kept is None or kept.boots != clock.boots or clock.time_s > kept.time_s + _KEPT_STEP_S:
            together[engine_id] = clock
            self._changed.add(name)


def _name_of(engine_id: bytes) -> str:
    return f"{_PREFIX}{zlib.crc32(engine_id) % _SHARDS:03x}"


def _heard_ms_of(one: tuple[bytes, EngineClock]) -> int:
    return one[1].heard_ms


def _decoded(octets: bytes) -> dict[bytes, EngineClock]:
    try:
        return _KEPT.decode(octets)
    except msgspec.MsgspecError:
        return {}  # of another version: each engine's first message is believed
