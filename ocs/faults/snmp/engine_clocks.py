"""What is known of the clocks of authoritative senders: each one's boots and time, so that nothing is replayed.

Source: RFC 3414 sections 2.2, 2.3 and 3.2 (7).
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from ocs.faults.snmp.discard import DiscardReason, SnmpError
from ocs.limits import SNMP_ENGINES_REMEMBERED_MAX, SNMP_TIME_WINDOW_S

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


class EngineClocks:
    """The clocks of all engines that were heard with an authentic message; the one silent for longest goes first."""

    def __init__(self, known: Iterable[tuple[bytes, EngineClock]] = ()) -> None:
        self._clocks: dict[bytes, EngineClock] = dict(known)

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
            del self._clocks[engine_id]
        elif len(self._clocks) >= SNMP_ENGINES_REMEMBERED_MAX:
            del self._clocks[next(iter(self._clocks))]
        self._clocks[engine_id] = EngineClock(boots, time_s, now_ms)
