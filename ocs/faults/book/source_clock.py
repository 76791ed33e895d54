"""When things happened at a source, by its uptime brought to our clock; no device's wall clock is believed.

``sysUpTime`` (RFC 3418) counts hundredths of a second from the element's start. Within one life of the element, what is
sent later has the greater uptime, whatever the network does to the order of datagrams. So each life has a map from
uptime to our time that only rises: two signals of one source compare as they happened.
"""

from collections import OrderedDict
from typing import Final

import msgspec

from ocs.limits import CLOCK_SOURCES_MAX

# RFC 2578 section 7.1.8: TimeTicks wrap after 497 days.
_WRAP_TICKS: Final = 1 << 32
_MS_PER_TICK: Final = 10
_WRAP_MS: Final = _WRAP_TICKS * _MS_PER_TICK
# How much later than by its life's map a datagram may come before it speaks of another life: informs are repeated for
# a minute. An element that says that it has just started is believed sooner.
_LATE_MAX_MS: Final = 60_000
_LATE_MAX_AT_START_MS: Final = 2_000
# Quartz is better than this; over the time in which a source was silent it widens the tolerance.
_DRIFT: Final = 200e-6
# The map is moved later when all datagrams of so long came later than it says: the element's clock is slow.
_LOOK_BACK_MS: Final = 600_000
# An uptime of zero that stands still for so long is none; another may be a datagram that came twice.
_STANDS_STILL_MS: Final = 5_000
# How long after a restart datagrams from before it may come.
_LINGERS_MS: Final = 2 * _LATE_MAX_MS
# Bends of the map that are remembered for datagrams which were overtaken.
_KNOTS: Final = 8


class Life(msgspec.Struct, array_like=True):
    """One life of a source, from its start on; what :class:`SourceClock` remembers and the store keeps.

    Attributes:
        knots: (uptime in ms, our time), rising in both; the map is straight between them, and runs as time does before
            the first and after the last.
        uptime_ms: the greatest seen, wraps added. at_ms: its place on our clock, the latest given.
        heard_ms: our clock when it was seen. wraps_ms: added to what the source says.
        boots: snmpEngineBoots (RFC 3414 section 2.2), where a sender tells them; 0: not known.
        earlier_boot_ms: our time at uptime zero of the life before; None for the first.
        began_ms: our clock at its first datagram.
        look_from_ms: since when ``least_boot_ms``, the least of our time at uptime zero, is collected.
    """

    knots: list[tuple[int, int]]
    uptime_ms: int
    at_ms: int
    heard_ms: int
    wraps_ms: int = 0
    boots: int = 0
    earlier_boot_ms: int | None = None
    began_ms: int = 0
    look_from_ms: int = 0
    least_boot_ms: int = 0

    @property
    def boot_ms(self) -> int:
        """Our time at uptime zero, as the map says now."""
        uptime_ms, at_ms = self.knots[-1]
        return at_ms - uptime_ms

    def place(self, uptime_ms: int) -> int:
        """Where an uptime of this life lies on our clock."""
        after_uptime_ms, after_ms = self.knots[-1]
        if uptime_ms >= after_uptime_ms:
            return after_ms + uptime_ms - after_uptime_ms
        for before_uptime_ms, before_ms in reversed(self.knots):
            if uptime_ms >= before_uptime_ms:
                share = (uptime_ms - before_uptime_ms) * (after_ms - before_ms)
                return before_ms + share // (after_uptime_ms - before_uptime_ms)
            after_uptime_ms, after_ms = before_uptime_ms, before_ms
        return after_ms - (after_uptime_ms - uptime_ms)


class SourceClock:
    """The clocks of all sources, the longest silent forgotten when there are too many."""

    def __init__(self, lives: dict[str, Life] | None = None) -> None:
        self._lives: OrderedDict[str, Life] = OrderedDict(lives or {})

    def at_ms(
        self, source: str, uptime_ticks: int, received_ms: int, *, is_start: bool = False, boots: int = 0
    ) -> tuple[int, bool]:
        """When a notification was sent, and whether its source has restarted since the one before.

        Args:
            source: whose uptime it is.
            uptime_ticks: sysUpTime.0.
            received_ms: our clock at its arrival.
            is_start: it is a coldStart or warmStart.
            boots: snmpEngineBoots of an authenticated v3 sender; 0 otherwise.
        """
        life = self._lives.get(source)
        # Some senders write more than TimeTicks have; more than 64 bits of milliseconds no store takes.
        uptime_ticks %= _WRAP_TICKS
        uptime_ms = uptime_ticks * _MS_PER_TICK
        if life is None:
            life = self._begin(source, uptime_ms, received_ms, boots, None)
            return life.at_ms, False
        self._lives.move_to_end(source)
        uptime_ms += life.wraps_ms
        late_ms = received_ms - uptime_ms - life.boot_ms
        tolerance_ms = _LATE_MAX_AT_START_MS if is_start else _LATE_MAX_MS
        tolerance_ms += int(max(0, received_ms - life.heard_ms) * _DRIFT)
        if boots and life.boots and boots != life.boots:
            # RFC 3414 section 2.2: boots only rise; a lower one is an old datagram.
            if boots < life.boots:
                return self._of_earlier_life(life, uptime_ms, received_ms), False
            return self._begin(source, uptime_ms - life.wraps_ms, received_ms, boots, life).at_ms, True
        life.boots = boots or life.boots
        if abs(late_ms - _WRAP_MS) <= tolerance_ms:
            life.wraps_ms += _WRAP_MS
            return self._follow(life, uptime_ms + _WRAP_MS, received_ms), False
        if life.wraps_ms and abs(late_ms + _WRAP_MS) <= tolerance_ms:
            return life.place(uptime_ms - _WRAP_MS), False
        stands_still_ms = tolerance_ms if uptime_ticks else _STANDS_STILL_MS
        is_still = uptime_ms == life.uptime_ms or not uptime_ticks
        if is_still and late_ms > stands_still_ms and not is_start:
            return self._without_clock(life, received_ms), False
        if late_ms > tolerance_ms:
            return self._begin(source, uptime_ms - life.wraps_ms, received_ms, boots, life).at_ms, True
        if late_ms < -tolerance_ms and self._may_be_of_earlier_life(life, received_ms):
            return self._of_earlier_life(life, uptime_ms, received_ms), False
        return self._follow(life, uptime_ms, received_ms), False

    def fits(self, source: str, uptime_ticks: int, received_ms: int) -> bool:
        """Whether an uptime that a source was asked for is of the life that its notifications tell of.

        It is not when the source has restarted, nor where another program sends the notifications.
        """
        life = self._lives.get(source)
        if life is None:
            return False
        late_ms = received_ms - uptime_ticks % _WRAP_TICKS * _MS_PER_TICK - life.wraps_ms - life.boot_ms
        return abs(late_ms) <= _LATE_MAX_AT_START_MS + max(0, received_ms - life.heard_ms) * _DRIFT

    def life_of(self, source: str) -> Life | None:
        """What is known of a source, to be kept."""
        return self._lives.get(source)

    def _begin(self, source: str, uptime_ms: int, received_ms: int, boots: int, before: Life | None) -> Life:
        at_ms = received_ms if before is None else max(received_ms, before.at_ms + 1)
        boot_ms = at_ms - uptime_ms
        life = Life(
            [(uptime_ms, at_ms)],
            uptime_ms,
            at_ms,
            received_ms,
            0,
            boots,
            None if before is None else before.boot_ms,
            received_ms,
            received_ms,
            boot_ms,
        )
        self._lives[source] = life
        self._lives.move_to_end(source)
        if len(self._lives) > CLOCK_SOURCES_MAX:
            self._lives.popitem(last=False)
        return life

    def _follow(self, life: Life, uptime_ms: int, received_ms: int) -> int:
        """Place an uptime of this life; a new greatest one may move the map, never back over what was given."""
        boot_ms = received_ms - uptime_ms
        life.least_boot_ms = min(life.least_boot_ms, boot_ms)
        if uptime_ms <= life.uptime_ms:
            return life.place(uptime_ms)
        # Earlier as soon as one datagram was faster, but so that every tick between the last and this one has a place
        # of its own: whatever was overtaken lies there.
        held_ms = life.boot_ms
        least_ms = life.at_ms + (uptime_ms - life.uptime_ms) // _MS_PER_TICK - uptime_ms
        moved_ms = min(held_ms, max(boot_ms, least_ms))
        if received_ms - life.look_from_ms >= _LOOK_BACK_MS:
            moved_ms = max(life.least_boot_ms, least_ms)
            life.look_from_ms, life.least_boot_ms = received_ms, boot_ms
        if moved_ms != held_ms:
            self._bend(life, uptime_ms, moved_ms + uptime_ms)
        life.uptime_ms, life.heard_ms = uptime_ms, received_ms
        life.at_ms = moved_ms + uptime_ms
        return life.at_ms

    def _bend(self, life: Life, uptime_ms: int, at_ms: int) -> None:
        """Let the map go straight from the last place given to a new one."""
        knots = [knot for knot in life.knots if knot[0] < life.uptime_ms]
        here = (life.uptime_ms, life.at_ms)
        # As long as it goes one place a tick, it is one line.
        if not (knots and _is_dense(knots[-1], here) and _is_dense(here, (uptime_ms, at_ms))):
            knots.append(here)
        life.knots = [*knots, (uptime_ms, at_ms)][-_KNOTS:]

    def _without_clock(self, life: Life, received_ms: int) -> int:
        """An uptime that stands still says nothing: what counts is the arrival."""
        life.heard_ms = received_ms
        life.at_ms = max(life.at_ms + 1, received_ms)
        return life.at_ms

    def _may_be_of_earlier_life(self, life: Life, received_ms: int) -> bool:
        """Whether the network may still hold datagrams from before a restart. Later it is our clock that went back."""
        return life.earlier_boot_ms is not None and abs(received_ms - life.began_ms) <= _LINGERS_MS

    def _of_earlier_life(self, life: Life, uptime_ms: int, received_ms: int) -> int:
        """A datagram from before the restart that came after it."""
        if life.earlier_boot_ms is None:
            return received_ms
        return min(life.earlier_boot_ms + uptime_ms, life.place(0))


def _is_dense(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether the map goes one place a tick between two of its points."""
    return (other[1] - one[1]) * _MS_PER_TICK == other[0] - one[0]
