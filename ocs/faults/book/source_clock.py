"""When things happened at a source, by its uptime brought to our clock; no device's wall clock is believed.

``sysUpTime`` (RFC 3418) counts hundredths of a second from the element's start. Within one life of the element, what is
sent later has the greater uptime, whatever the network does to the order of datagrams. So each life has a map from
uptime to our time that only rises: two signals of one source compare as they happened.

Several agents may speak from one address: a vendor's beside snmpd, the elements behind a translator. Each has a life of
its own; the life that a notification is nearest to is whose it is. What fits none and cannot have started since is
another agent's, and its arrival counts. Agents that started within seconds of each other share one map, on which each
keeps its own order.

An uptime that runs backwards is of a datagram that was overtaken, or of an agent that has restarted. Traps are not
overtaken for long; informs are repeated for a minute.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from ocs.limits import CLOCK_LIVES_PER_SOURCE_MAX, CLOCK_SOURCES_MAX

# RFC 2578 section 7.1.8: TimeTicks wrap after 497 days.
_WRAP_TICKS: Final = 1 << 32
_MS_PER_TICK: Final = 10
_WRAP_MS: Final = _WRAP_TICKS * _MS_PER_TICK
# How much later than by its life's map a datagram may come before it speaks of another life: informs are repeated for
# a minute. An element that says that it has just started is believed sooner.
_LATE_MAX_MS: Final = 60_000
_LATE_MAX_AT_START_MS: Final = 2_000
# How much longer than what overtook it a trap may have been on its way: networks hold a datagram for seconds, and a
# storm of ten in any order must keep its meaning. What is later is of an agent that has restarted, or of another one.
_OVERTAKEN_MAX_MS: Final = 20_000
# Quartz is better than this; over the time in which a source was silent it widens the tolerance.
_DRIFT: Final = 200e-6
# The map is moved later when all datagrams of so long came later than it says: the element's clock is slow.
_LOOK_BACK_MS: Final = 600_000
# An uptime of zero that stands still for so long is none; another may be a datagram that came twice.
_STANDS_STILL_MS: Final = 5_000
# Nothing comes before it was sent: a datagram earlier than a life's map is this much less likely of that life than one
# that is as much late.
_EARLY_WEIGHT: Final = 8
# How long after a restart datagrams from before it may come.
_LINGERS_MS: Final = 2 * _LATE_MAX_MS
# Bends of the map that are remembered for datagrams which were overtaken.
_KNOTS: Final = 8


def _is_nobody(source: str) -> bool:
    del source
    return False


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
        engine_id: of the agent, where its messages of version 3 tell it.
        is_replaced: its agent seems to have restarted; the first to be forgotten.
        others: of the source that was heard of last: the lives beside it, and those of before a restart.
        has_started: its coldStart or warmStart was heard.
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
    engine_id: bytes = b""
    is_replaced: bool = False
    others: list["Life"] = []
    has_started: bool = False

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


class _Said(msgspec.Struct, frozen=True, gc=False):
    """What a notification says of its sender's clock, and our clock at its arrival."""

    uptime_ms: int
    received_ms: int
    is_start: bool = False
    boots: int = 0
    engine_id: bytes = b""
    is_inform: bool = False

    def may_follow_a_restart_of(self, life: Life) -> bool:
        """Whether its agent can have started after all that the life has sent."""
        return self.received_ms - self.uptime_ms >= life.at_ms

    def tolerance_ms(self, life: Life) -> int:
        """How far from the life's map it may be to be of that life."""
        if not self.uptime_ms and not self.is_start:
            return _STANDS_STILL_MS
        tolerance_ms = _LATE_MAX_MS
        if self.is_start:
            # One that was overtaken by what its agent sent next is no second start.
            tolerance_ms = _LATE_MAX_AT_START_MS if life.has_started else _OVERTAKEN_MAX_MS
        return tolerance_ms + int(max(0, self.received_ms - life.heard_ms) * _DRIFT)


class SourceClock:
    """The clocks of all sources, the longest silent forgotten when there are too many.

    Args:
        lives: as they were kept.
        is_stranger: whether a source is nobody's. Its address may be forged, so strangers never push out the others.
    """

    def __init__(
        self, lives: dict[str, Life] | None = None, *, is_stranger: Callable[[str], bool] = _is_nobody
    ) -> None:
        self._is_stranger = is_stranger
        # Of each source the life that was heard of last, the others within.
        self._known: OrderedDict[str, Life] = OrderedDict()
        self._strangers: OrderedDict[str, Life] = OrderedDict()
        for source, life in (lives or {}).items():
            self._of(source)[source] = life
        self._changed: set[str] = set()

    def at_ms(
        self,
        source: str,
        uptime_ticks: int,
        received_ms: int,
        *,
        is_start: bool = False,
        boots: int = 0,
        engine_id: bytes = b"",
        is_inform: bool = False,
    ) -> tuple[int, bool]:
        """When a notification was sent, and whether an agent of its source seems to have restarted before it.

        Args:
            source: whose uptime it is.
            uptime_ticks: sysUpTime.0.
            received_ms: our clock at its arrival.
            is_start: it is a coldStart or warmStart.
            boots: snmpEngineBoots of an authenticated v3 sender; 0 otherwise.
            engine_id: of a v3 sender; empty otherwise.
            is_inform: it may have been repeated for a minute.
        """
        # Some senders write more than TimeTicks have; more than 64 bits of milliseconds no store takes.
        uptime_ms = uptime_ticks % _WRAP_TICKS * _MS_PER_TICK
        lives_of = self._known
        first = lives_of.get(source)
        if first is None:
            lives_of = self._strangers
            first = lives_of.get(source)
        if (
            first is not None
            and uptime_ms
            and not is_start
            and _is_plainly_of(first, uptime_ms, received_ms, boots, engine_id)
        ):
            lives_of.move_to_end(source)
            knots = first.knots
            at_ms = self._follow(first, uptime_ms + first.wraps_ms, received_ms)
            if first.knots is not knots:
                self._changed.add(source)
            return at_ms, False
        said = _Said(uptime_ms, received_ms, is_start, boots, engine_id, is_inform)
        if first is None:
            return self._begin(source, said, None).at_ms, False
        lives_of.move_to_end(source)
        return self._of_any(source, _possible(first, said), said)

    def _of_any(self, source: str, lives: list[Life], said: _Said) -> tuple[int, bool]:
        """Find whose a notification is that is not plainly of its source's only life."""
        boots, received_ms = said.boots, said.received_ms
        known_boots = 0
        if boots and lives:
            newest = max(lives, key=_boots)
            known_boots = newest.boots
            if 0 < known_boots < boots:
                return self._begin(source, said, newest).at_ms, True
        if found := _nearest(lives, said):
            is_doubtful = (
                not boots and found[1] < found[0].uptime_ms and said.may_follow_a_restart_of(found[0])
            )
            return self._of_life(source, *found, said), is_doubtful
        # RFC 3414 section 2.2: boots only rise; a lower one is an old datagram.
        is_old = boots < known_boots
        if not is_old and (still := _standing_still(lives, said)):
            return self._without_clock(still, received_ms), False
        for life in lives:
            if (at_ms := _of_earlier_life(life, said)) is not None:
                return at_ms, False
        if is_old:
            return received_ms, False
        if (shared := _place_beside(lives, said)) is not None:
            self._begin(source, said, None)
            return shared, False
        restarted = _restarted(lives, said)
        return self._begin(source, said, restarted).at_ms, restarted is not None

    def fits(self, source: str, uptime_ticks: int, received_ms: int) -> bool:
        """Whether an uptime that a source was asked for is of a life that its notifications tell of.

        It is not when the source has restarted, nor where another program sends the notifications.
        """
        first = self.life_of(source)
        if first is None:
            return False
        said = _Said(uptime_ticks % _WRAP_TICKS * _MS_PER_TICK, received_ms, is_start=True)
        return _nearest(_possible(first, said), said) is not None

    def life_of(self, source: str) -> Life | None:
        """What is known of a source, to be kept."""
        return self._known.get(source) or self._strangers.get(source)

    def take_changed(self) -> dict[str, Life]:
        """The sources whose clocks are seen in a new light since the last time, to be kept."""
        if not self._changed:
            return {}
        changed, self._changed = self._changed, set()
        return {source: life for source in changed if (life := self.life_of(source))}

    def _of(self, source: str) -> OrderedDict[str, Life]:
        """Where the lives of a source are."""
        if source in self._known:
            return self._known
        return self._strangers if source in self._strangers or self._is_stranger(source) else self._known

    def _begin(self, source: str, said: _Said, replaced: Life | None) -> Life:
        """A new life, of an agent that has restarted or that was not heard of; all of before lies before it."""
        lives_of = self._of(source)
        first = lives_of.get(source)
        others = [] if first is None else [first, *first.others]
        at_ms = max([said.received_ms, *(life.at_ms + 1 for life in others)])
        if first is not None:
            first.others = []
        if replaced is not None:
            replaced.is_replaced = True
        others.sort(key=lambda life: (life.is_replaced, -life.heard_ms))
        life = Life(
            [(said.uptime_ms, at_ms)],
            said.uptime_ms,
            at_ms,
            said.received_ms,
            0,
            said.boots,
            None if replaced is None else replaced.boot_ms,
            said.received_ms,
            said.received_ms,
            said.received_ms - said.uptime_ms,
            said.engine_id,
            others=others[: CLOCK_LIVES_PER_SOURCE_MAX - 1],
            has_started=said.is_start,
        )
        lives_of[source] = life
        lives_of.move_to_end(source)
        self._changed.add(source)
        if len(lives_of) > CLOCK_SOURCES_MAX:
            lives_of.popitem(last=False)
        return life

    def _of_life(self, source: str, life: Life, uptime_ms: int, said: _Said) -> int:
        """Place a notification in the life that it is nearest to."""
        lives_of = self._of(source)
        first = lives_of[source]
        if life is not first:
            life.others = [first, *(other for other in first.others if other is not life)]
            first.others = []
            lives_of[source] = life
        if life.is_replaced:
            began_ms = max((other.began_ms for other in life.others), default=0)
            # What was sent before a restart is not that long on its way: this agent lives on beside the other.
            life.is_replaced = said.received_ms - began_ms <= _LINGERS_MS
        life.has_started = life.has_started or said.is_start
        life.boots = said.boots or life.boots
        life.engine_id = said.engine_id or life.engine_id
        life.wraps_ms = max(life.wraps_ms, uptime_ms - said.uptime_ms)
        knots = life.knots
        at_ms = self._follow(life, uptime_ms, said.received_ms)
        if life.knots is not knots:
            self._changed.add(source)
        return at_ms

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
        moved_ms = max(min(held_ms, boot_ms), least_ms)
        if received_ms - life.look_from_ms >= _LOOK_BACK_MS:
            # What no delay explains is drift in a long silence: then this is all that is known of the clock.
            has_drifted = boot_ms - life.least_boot_ms > _LATE_MAX_MS
            moved_ms = max(boot_ms if has_drifted else life.least_boot_ms, least_ms)
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


def _is_plainly_of(life: Life, uptime_ms: int, received_ms: int, boots: int, engine_id: bytes) -> bool:
    """Whether a notification is of its source's only life, as nearly all are: what the long way would find too."""
    if life.others or life.is_replaced or boots != life.boots or engine_id != life.engine_id:
        return False
    boot_ms = received_ms - uptime_ms - life.wraps_ms
    if boot_ms - life.heard_ms + life.uptime_ms > _OVERTAKEN_MAX_MS:
        return False
    if boot_ms >= life.at_ms and uptime_ms + life.wraps_ms < life.uptime_ms:
        return False
    least_ms = life.least_boot_ms
    return -_OVERTAKEN_MAX_MS <= boot_ms - (min(life.boot_ms, least_ms)) <= _LATE_MAX_MS


def _possible(first: Life, said: _Said) -> list[Life]:
    """The lives of a source that a notification may be of, by what it says of its engine."""
    lives = [first, *first.others] if first.others else [first]
    if not said.engine_id:
        return lives
    own = [life for life in lives if life.engine_id == said.engine_id]
    return own or [life for life in lives if not life.engine_id]


def _boots(life: Life) -> int:
    return life.boots


def _nearest(lives: list[Life], said: _Said, *, is_patient: bool = False) -> tuple[Life, int] | None:
    """The life that a notification fits best, and its uptime there with all wraps; None when it fits none."""
    nearest, nearest_distance = None, 0
    for life in lives:
        if said.boots and life.boots and said.boots != life.boots:
            continue
        tolerance_ms = said.tolerance_ms(life)
        uptime_ms = said.uptime_ms + life.wraps_ms
        late_ms = said.received_ms - uptime_ms - min(life.boot_ms, life.least_boot_ms)
        if abs(late_ms) > tolerance_ms:
            if said.is_start:
                continue  # no wrap begins with one
            wrap_ms = _WRAP_MS if late_ms > 0 else -min(life.wraps_ms, _WRAP_MS)
            late_ms, uptime_ms = late_ms - wrap_ms, uptime_ms + wrap_ms
            if abs(late_ms) > tolerance_ms:
                continue
        if not (is_patient or _may_have_been_held(life, said, uptime_ms, late_ms)):
            continue
        distance = late_ms if late_ms >= 0 else -late_ms * _EARLY_WEIGHT
        if nearest is None or distance < nearest_distance:
            nearest, nearest_distance = (life, uptime_ms), distance
    return nearest


def _may_have_been_held(life: Life, said: _Said, uptime_ms: int, late_ms: int) -> bool:
    """Whether the network alone may be to blame for when a notification comes, and when those of that life came.

    How late it is is measured against the newest of that life, so that an outage of ours, which delays all, does not
    count.
    """
    if said.is_inform or (said.boots and said.boots == life.boots):
        return True
    if late_ms < -_OVERTAKEN_MAX_MS:
        return False
    if said.received_ms - uptime_ms - life.heard_ms + life.uptime_ms <= _OVERTAKEN_MAX_MS:
        return True
    # What goes on from the newest keeps its order wherever it is placed.
    return uptime_ms >= life.uptime_ms and not said.may_follow_a_restart_of(life)


def _place_beside(lives: list[Life], said: _Said) -> int | None:
    """Place the first datagram of an agent that may have shared the only life, of one that started a little before it.

    Nothing that it has sent before may lie behind this. None when this cannot be.
    """
    if said.is_start or len(lives) > 1 or not (found := _nearest(lives, said, is_patient=True)):
        return None
    life, uptime_ms = found
    is_between = uptime_ms < life.uptime_ms and not said.may_follow_a_restart_of(life)
    return life.place(uptime_ms) if is_between else None


def _standing_still(lives: list[Life], said: _Said) -> Life | None:
    """The life whose uptime does not run, if this is of one; zero never runs."""
    if said.is_start:
        return None
    for life in lives:
        if said.uptime_ms + life.wraps_ms == life.uptime_ms:
            return life
    return None if said.uptime_ms or not lives else lives[0]


def _restarted(lives: list[Life], said: _Said) -> Life | None:
    """The life whose agent has most likely restarted: it was silent since this one's uptime was zero.

    None when there is no such life: two agents are alive.
    """
    boot_ms = said.received_ms - said.uptime_ms
    silent = [life for life in lives if said.is_start or boot_ms >= life.heard_ms - _LATE_MAX_MS]
    return max(silent, key=lambda life: (not life.is_replaced, life.heard_ms), default=None)


def _of_earlier_life(life: Life, said: _Said) -> int | None:
    """Place a datagram from before the restart with which a life began; None when it is none."""
    if life.earlier_boot_ms is None or abs(said.received_ms - life.began_ms) > _LINGERS_MS:
        return None
    at_ms = life.earlier_boot_ms + said.uptime_ms
    late_max_ms = _LINGERS_MS if said.is_inform or said.boots else _OVERTAKEN_MAX_MS
    return at_ms if said.received_ms - late_max_ms <= at_ms < life.place(0) else None


def _is_dense(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether the map goes one place a tick between two of its points."""
    return (other[1] - one[1]) * _MS_PER_TICK == other[0] - one[0]
