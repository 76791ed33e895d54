"""Who may have how much of the alarm list, and what is said when there is no room. Pure.

Addresses of datagrams are easily forged, so whoever can send us anything could fill the list, and the raises of real
elements would find no room. Sources that the topology does not know have a share of it, and each of them a share of
that; the rest is the elements'. Where nothing is described there is nobody to keep room for, and all share alike.
"""

from itertools import islice
from typing import Final

from ocs.faults.alarm import AlarmKey, AlarmSignal, EventType, Severity
from ocs.faults.book.entry import Entry
from ocs.faults.topology.port import Topology
from ocs.limits import ALARMS_MAX, ALARMS_OF_STRANGERS_MAX, ALARMS_PER_STRANGER_MAX

# What speaks of the list itself.
LIST_RESOURCE: Final = "alarm-list"
FULL_TYPE: Final = "alarm-list-full"
_WHOLE: Final = AlarmKey(LIST_RESOURCE, FULL_TYPE)
_SHARE: Final = AlarmKey(LIST_RESOURCE, FULL_TYPE, "unknown-sources")
# IANAItuProbableCause, storageCapacityProblem.
_STORAGE_CAPACITY_PROBLEM: Final = 151
# It is said to be over when a twentieth is free: a list that stays at its bound does not say so again and again.
_FREE_PARTS: Final = 20
# So many alarms that flap are passed over when one is to make room.
_PASSED_OVER_MAX: Final = 64


class Room:
    """What of the list is taken, by whom. Each entry is in it from :meth:`add` to :meth:`remove`.

    An authenticated stranger is a stranger again after a restart of ours: only what comes new is judged.
    """

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._held = self._strangers = 0
        self._by_source: dict[str, int] = {}
        # Cleared ones in the order in which they were cleared: the first make room.
        self._cleared: dict[str, Entry] = {}
        self._cleared_of_strangers: dict[str, Entry] = {}
        self._cleared_by_source: dict[str, dict[str, Entry]] = {}
        # What is said to be full now; and the strangers' sources that found it so.
        self._told: set[AlarmKey] = set()
        self._full_sources: set[str] = set()
        self._news: dict[AlarmKey, AlarmSignal] = {}

    def is_stranger(self, source: str, *, is_vouched: bool = False) -> bool:
        """Whether a source has to do with the strangers' share."""
        return not is_vouched and source != LIST_RESOURCE and self._topology.is_stranger(source)

    # --- What is there ----------------------------------------------------------------------------------------

    def add(self, entry: Entry) -> None:
        """An entry is in the list."""
        self._held += 1
        if entry.is_stranger:
            self._strangers += 1
            self._by_source[entry.owner] = self._by_source.get(entry.owner, 0) + 1
        if entry.is_cleared:
            self.note_cleared(entry)
        elif entry.key.alarm_type == FULL_TYPE and entry.key.resource == LIST_RESOURCE:
            self._told.add(entry.key)

    def remove(self, entry: Entry) -> None:
        """An entry has left the list."""
        self.note_raised(entry)
        self._held -= 1
        if entry.is_stranger:
            self._strangers -= 1
            left = self._by_source[entry.owner] - 1
            if left:
                self._by_source[entry.owner] = left
            else:
                del self._by_source[entry.owner]

    def note_cleared(self, entry: Entry) -> None:
        """An alarm is over: it may make room."""
        alarm_id = entry.alarm_id
        if entry.is_stranger:
            self._cleared_of_strangers[alarm_id] = entry
            self._cleared_by_source.setdefault(entry.owner, {})[alarm_id] = entry
        else:
            self._cleared[alarm_id] = entry

    def note_raised(self, entry: Entry) -> None:
        """An alarm stands again, or is gone."""
        alarm_id = entry.alarm_id
        if not entry.is_stranger:
            self._cleared.pop(alarm_id, None)
        elif self._cleared_of_strangers.pop(alarm_id, None) is not None:
            of_source = self._cleared_by_source[entry.owner]
            del of_source[alarm_id]
            if not of_source:
                del self._cleared_by_source[entry.owner]

    # --- What is wanted ---------------------------------------------------------------------------------------

    def wanting(self, signal: AlarmSignal, *, is_stranger: bool) -> AlarmKey | None:
        """What is too full for a new entry, by the alarm that says so; None when there is room.

        The alarms that speak of the list itself have room always.
        """
        if signal.key in (_WHOLE, _SHARE):
            return None
        if is_stranger and (
            self._strangers >= ALARMS_OF_STRANGERS_MAX
            or self._by_source.get(signal.source, 0) >= ALARMS_PER_STRANGER_MAX
        ):
            return _SHARE
        return _WHOLE if self._held >= ALARMS_MAX else None

    def oldest_cleared(self, wanting: AlarmKey, source: str) -> Entry | None:
        """The entry that makes room: of those that are over the oldest, strangers' first; None when all stand."""
        if wanting == _SHARE and self._by_source.get(source, 0) >= ALARMS_PER_STRANGER_MAX:
            return _first(self._cleared_by_source.get(source, {}))
        found = _first(self._cleared_of_strangers)
        return found if found is not None or wanting == _SHARE else _first(self._cleared)

    def refuse(self, wanting: AlarmKey, signal: AlarmSignal, now_ms: int) -> None:
        """A new alarm was not taken."""
        if wanting == _SHARE and self._by_source.get(signal.source, 0) >= ALARMS_PER_STRANGER_MAX:
            self._full_sources.add(signal.source)
        if wanting not in self._told:
            self._told.add(wanting)
            self._news[wanting] = _full_signal(wanting, signal.source, now_ms)

    def take_news(self, now_ms: int) -> list[AlarmSignal]:
        """What is to be said of the list since the last time: that something is full, or is no more."""
        if not self._told:
            return []
        over = [key for key in self._told if key not in self._news and self._is_free(key)]
        news = [*self._news.values(), *(_free_signal(key, now_ms) for key in over)]
        self._news = {}
        self._told.difference_update(over)
        return news

    def _is_free(self, key: AlarmKey) -> bool:
        if key == _WHOLE:
            cleared = len(self._cleared) + len(self._cleared_of_strangers)
            return self._held - cleared <= _free_at(ALARMS_MAX)
        source_max = _free_at(ALARMS_PER_STRANGER_MAX)
        self._full_sources = {source for source in self._full_sources if self._standing(source) > source_max}
        standing = self._strangers - len(self._cleared_of_strangers)
        return not self._full_sources and standing <= _free_at(ALARMS_OF_STRANGERS_MAX)

    def _standing(self, source: str) -> int:
        return self._by_source.get(source, 0) - len(self._cleared_by_source.get(source, ()))


def _free_at(bound: int) -> int:
    """How many alarms may stand for it to be said that there is room again."""
    return bound - max(1, bound // _FREE_PARTS)


def _first(cleared: dict[str, Entry]) -> Entry | None:
    """The first that does not flap; of very many that do, the first."""
    for entry in islice(cleared.values(), _PASSED_OVER_MAX):
        if not entry.is_flapping:
            return entry
    return next(iter(cleared.values())) if len(cleared) > _PASSED_OVER_MAX else None


def _full_signal(key: AlarmKey, source: str, at_ms: int) -> AlarmSignal:
    if key == _WHOLE:
        text = "the alarm list is full of alarms that stand: new alarms are not taken"
    else:
        text = f"sources that the topology does not know have no room for more alarms, {source} among them"
    return _signal(key, Severity.CRITICAL if key == _WHOLE else Severity.MINOR, text, at_ms)


def _free_signal(key: AlarmKey, at_ms: int) -> AlarmSignal:
    return _signal(key, Severity.CLEARED, "there is room for new alarms again", at_ms)


def _signal(key: AlarmKey, severity: Severity, text: str, at_ms: int) -> AlarmSignal:
    return AlarmSignal(
        key=key,
        severity=severity,
        at_ms=at_ms,
        event_type=EventType.PROCESSING_ERROR_ALARM,
        probable_cause=_STORAGE_CAPACITY_PROBLEM,
        text=text,
        source=LIST_RESOURCE,
        repair="look who floods it (`ocs alarms summary`) and take it off the list: `ocs alarms purge --clearance any "
        "--resource`; describe elements that are yours in the topology",
    )
