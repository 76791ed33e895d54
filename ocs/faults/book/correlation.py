"""Which alarm explains which: symptoms are grouped under the one whose failure, by the topology, took them down.

An alarm is a symptom when an alarm of a *cause type* stands on anything that its resource depends on, and the kinds of
the two allow it (:data:`EXPLAINS`). Of several causes the one that nothing explains is the root. The answer follows
from the alarms that stand and from nothing else, so the order in which they came makes no difference.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from ocs.faults.alarm import EventType
from ocs.faults.book.entry import Entry
from ocs.faults.topology.dependencies import Dependencies

_COMMUNICATIONS, _QUALITY = EventType.COMMUNICATIONS_ALARM, EventType.QUALITY_OF_SERVICE_ALARM
_PROCESSING, _EQUIPMENT = EventType.PROCESSING_ERROR_ALARM, EventType.EQUIPMENT_ALARM
_ENVIRONMENT = EventType.ENVIRONMENTAL_ALARM

# Event type of a symptom -> event types of what may explain it. A lost link does not break a card, nothing on a network
# starts a fire, and a breach of security stands for itself whatever else is down.
EXPLAINS: Final[dict[EventType, frozenset[EventType]]] = {
    _COMMUNICATIONS: frozenset({_COMMUNICATIONS, _EQUIPMENT, _ENVIRONMENT}),
    _QUALITY: frozenset({_COMMUNICATIONS, _EQUIPMENT, _ENVIRONMENT, _PROCESSING}),
    _PROCESSING: frozenset({_EQUIPMENT, _ENVIRONMENT}),
    _EQUIPMENT: frozenset({_EQUIPMENT, _ENVIRONMENT}),
}
_REACHES: Final = frozenset({_COMMUNICATIONS, _QUALITY})
_NONE: Final[frozenset[EventType]] = frozenset()
# A chain of causes is followed so far when it is checked that it does not come back.
_CHAIN_MAX: Final = 32
# So many causes of one alarm are compared with each other; of more the uppermost is taken.
_COMPARED_MAX: Final = 16
_NO_RANK: Final = 1 << 30


class Correlation:
    """Indexes of the alarms that stand, by what they depend on. Each entry is in them while it stands."""

    def __init__(self, dependencies: Dependencies, cause_types: tuple[str, ...]) -> None:
        self._dependencies = dependencies
        self._ranks = {alarm_type: rank for rank, alarm_type in enumerate(cause_types)}
        self._causes: dict[str, list[Entry]] = {}
        self._cause_places: set[str] = set()
        self._standing: dict[str, set[Entry]] = {}
        self._below: dict[str, set[str]] = {}
        self._populated: set[str] = set()
        self._members: dict[str, set[Entry]] = {}
        self._roots: dict[str, Entry] = {}

    # --- What stands ------------------------------------------------------------------------------------------

    def locate(self, entry: Entry) -> None:
        """Find an entry's place in the network; again when its event type changed."""
        entry.place = self._dependencies.place(entry.key.resource)
        entry.node = node = self._dependencies.node(entry.place, is_reached=entry.event_type in _REACHES)
        # What depends on nothing but what it is part of by its name is no use waiting for a cause.
        depends = len(self._dependencies.upstream(node)) > entry.place.count("/") + 1
        entry.may_wait = depends and self.may_be_symptom(entry)

    def stand(self, entry: Entry) -> None:
        """Take in an alarm that was raised."""
        if self.may_be_symptom(entry):
            self._populate(entry.node)
            self._standing.setdefault(entry.node, set()).add(entry)
        if self.is_cause(entry):
            causes = self._causes.setdefault(entry.place, [])
            if entry not in causes:
                causes.append(entry)
            self._cause_places.add(entry.place)
            self._roots[entry.alarm_id] = entry

    def fall(self, entry: Entry) -> None:
        """Let go of an alarm that is over; its symptoms stay grouped until they are looked at again."""
        standing = self._standing.get(entry.node)
        if standing is not None:
            standing.discard(entry)
            if not standing:
                del self._standing[entry.node]
        causes = self._causes.get(entry.place)
        if causes is not None and entry in causes:
            causes.remove(entry)
            if not causes:
                del self._causes[entry.place]
                self._cause_places.discard(entry.place)

    def is_cause(self, entry: Entry) -> bool:
        """Whether it may explain others."""
        return entry.key.alarm_type in self._ranks

    def may_be_symptom(self, entry: Entry) -> bool:
        """Whether anything may explain it. What no rule knew is never hidden."""
        return entry.event_type in EXPLAINS and not entry.is_catch_all

    # --- Causes of one alarm ----------------------------------------------------------------------------------

    def explain(self, entry: Entry) -> Entry | None:
        """The root among the alarms that explain one; None when it stands for itself."""
        if not self._cause_places or not self.may_be_symptom(entry):
            return None
        places = self._cause_places & self._dependencies.upstream(entry.node)
        if not places:
            return None
        found = [cause for place in places for cause in self._causes[place] if self._explains(cause, entry)]
        if 1 < len(found) <= _COMPARED_MAX:
            roots = [
                one
                for one in found
                if not any(other is not one and self._explains(other, one) for other in found)
            ]
            found = roots or found
        return min(found, key=self._height, default=None)

    def _explains(self, cause: Entry, entry: Entry) -> bool:
        """Whether a cause explains an alarm, and not the other way round."""
        if cause is entry or not self._allows(cause, entry):
            return False
        if cause.place not in self._dependencies.upstream(entry.node):
            return False
        if not self.is_cause(entry):
            return True
        if cause.place == entry.place:
            return self._rank(cause) < self._rank(entry)
        if entry.place in self._dependencies.upstream(cause.node) and self._allows(entry, cause):
            # The two ends of a link, or a ring: one of them stands for both, always the same.
            ours, theirs = self._rank(entry), self._rank(cause)
            return (theirs, cause.place, cause.alarm_id) < (ours, entry.place, entry.alarm_id)
        return not self._leads_to(cause, entry)

    def _allows(self, cause: Entry, entry: Entry) -> bool:
        """Whether the kinds of two alarms let one explain the other, wherever they are."""
        return cause.event_type in EXPLAINS.get(entry.event_type, _NONE) and not entry.is_catch_all

    def _height(self, cause: Entry) -> tuple[int, int, str, str]:
        # What depends on less lies further up: everything that a cause depends on, its symptoms depend on too.
        depth = len(self._dependencies.upstream(cause.node))
        return depth, self._rank(cause), cause.place, cause.alarm_id

    def _rank(self, entry: Entry) -> int:
        return self._ranks.get(entry.key.alarm_type, _NO_RANK)

    def _leads_to(self, cause: Entry, entry: Entry) -> bool:
        """Whether the chain of a cause's own causes comes to an alarm: in a tangled topology it might."""
        step: Entry | None = cause
        for _ in range(_CHAIN_MAX):
            if step is None or not step.root_cause:
                return False
            if step.root_cause == entry.alarm_id:
                return True
            step = self._roots.get(step.root_cause)
        return True

    # --- Groups -----------------------------------------------------------------------------------------------

    def group(self, entry: Entry, root: Entry | None) -> tuple[Entry, ...]:
        """Put an alarm under a root, or under none; the roots whose number of symptoms changed."""
        root_id = "" if root is None else root.alarm_id
        left = self._leave(entry) if entry.root_cause != root_id else ()
        entry.root_cause = root_id
        if root is None:
            return left
        members = self._members.setdefault(root_id, set())
        members.add(entry)
        self._roots[root_id] = root
        if root.symptoms == len(members):
            return left
        root.symptoms = len(members)
        return (*left, root)

    def adopt(self, entry: Entry, root: Entry | None) -> None:
        """Take up a group as the store has it, the count too; a root that is gone has no members."""
        if root is not None:
            self._members.setdefault(root.alarm_id, set()).add(entry)
            self._roots[root.alarm_id] = root

    def leave(self, entry: Entry) -> tuple[Entry, ...]:
        """Take an alarm that is over out of its group; it still tells what it was a symptom of."""
        return self._leave(entry)

    def members(self, root: Entry) -> set[Entry]:
        """The symptoms that stand."""
        return self._members.get(root.alarm_id, set())

    def forget(self, entry: Entry) -> tuple[Entry, ...]:
        """Remove an alarm that left the list; the roots whose number of symptoms changed."""
        self.fall(entry)
        left = self._leave(entry)
        self._roots.pop(entry.alarm_id, None)
        self._members.pop(entry.alarm_id, None)
        return left

    def _leave(self, entry: Entry) -> tuple[Entry, ...]:
        members = self._members.get(entry.root_cause)
        if members is None or entry not in members:
            return ()
        members.remove(entry)
        root = self._roots.get(entry.root_cause)
        if not members:
            del self._members[entry.root_cause]
        if root is None:
            return ()
        root.symptoms = len(members)
        return (root,)

    # --- Downwards --------------------------------------------------------------------------------------------

    def downstream(self, cause: Entry) -> Iterator[Entry]:
        """The alarms that stand on what depends on a cause's place."""
        seen = {cause.place}
        waiting = deque(seen)
        while waiting:
            for node in self._below.get(waiting.popleft(), ()):
                if node not in seen:
                    seen.add(node)
                    waiting.append(node)
        for node in seen:
            yield from self._standing.get(node, ())

    def _populate(self, node: str) -> None:
        """Learn the ways down to a node that has an alarm for the first time; they stay."""
        if node in self._populated:
            return
        self._populated.add(node)
        waiting = [node]
        while waiting:
            below = waiting.pop()
            for above in self._dependencies.above(below):
                known = self._below.get(above)
                if known is None:
                    self._below[above] = {below}
                else:
                    known.add(below)
                if above not in self._populated:
                    self._populated.add(above)
                    waiting.append(above)
