"""Everything that a resource depends on, directly or not, and whose failure therefore explains its alarms. Pure.

There are two ways to depend. A part depends on what holds, feeds and carries it: an interface on its card, its element,
the element's power, its link and the link's other end. Whoever must be *reached* - a neighbour session, a service on an
element - depends besides on the elements and links between it and the rest of the network. A cut fibre explains that a
router beyond it cannot be reached; it does not explain that another interface of that router is down.

Nodes are names of resources; one with a ``~`` before it is the same resource as something to be reached.
"""

from collections import deque
from typing import Final

from ocs.faults.topology.port import Topology
from ocs.limits import UPSTREAM_REMEMBERED, UPSTREAM_RESOURCES_MAX

_REACHED: Final = "~"
# What follows the element's name in resources that are parts of it: they work or fail where they are.
PART_KINDS: Final = frozenset(
    {
        "card",
        "chassis",
        "disk",
        "entity",
        "fan",
        "if",
        "module",
        "port",
        "power",
        "psu",
        "sensor",
        "shelf",
        "slot",
        "ups",
    }
)


class Dependencies:
    """The topology as a graph that is walked upwards; what was walked is remembered."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._upstream: dict[str, frozenset[str]] = {}
        # What nobody described is not remembered, but asked for a few times in a row.
        self._last = ""
        self._upstream_of_last: frozenset[str] = frozenset()

    def place(self, resource: str) -> str:
        """The one name of a resource: where its alarms are looked for as causes."""
        return self._topology.canonical(resource)

    def node(self, place: str, *, is_reached: bool) -> str:
        """Where the dependencies of an alarm begin.

        Args:
            place: of its resource.
            is_reached: the alarm may speak of the way to the resource, as communications alarms do; those of parts
                never do.
        """
        if is_reached and place.partition("/")[2].partition("/")[0] not in PART_KINDS:
            return _REACHED + place
        return place

    def above(self, node: str) -> tuple[str, ...]:
        """The nodes that a node depends on directly."""
        topology = self._topology
        if not node.startswith(_REACHED):
            parents = topology.parents(node)
            if not parents and "/" in node:
                parents = (node.rpartition("/")[0],)
            return parents + topology.peers(node)
        place = node[1:]
        element, _, rest = place.partition("/")
        if rest:
            return (place, _REACHED + element)
        found = [place]
        for uplink in topology.uplinks(place):
            found.append(uplink)
            found.extend(_REACHED + element_name(peer) for peer in topology.peers(uplink))
        return tuple(found)

    def upstream(self, node: str) -> frozenset[str]:
        """All places that a node depends on, its own among them; of very many the nearest."""
        known = self._upstream.get(node)
        if known is not None:
            return known
        is_reached = node.startswith(_REACHED)
        place = node[1:] if is_reached else node
        if "/" in place and not self._topology.parents(place):
            if node != self._last:
                self._upstream_of_last = self._put_together(place, is_reached=is_reached)
                self._last = node
            return self._upstream_of_last
        known = self._walk(node)
        if len(self._upstream) >= UPSTREAM_REMEMBERED:
            self._upstream.clear()
        self._upstream[node] = known
        return known

    def _put_together(self, place: str, *, is_reached: bool) -> frozenset[str]:
        """What a resource depends on that nobody described: what it is part of by its name.

        There are many of them: sessions, sensors, interfaces of strangers; each is put together from what its element
        depends on.
        """
        names, holder = [place], place.rpartition("/")[0]
        while "/" in holder and not self._topology.parents(holder):
            names.append(holder)
            holder = holder.rpartition("/")[0]
        if not is_reached:
            return self.upstream(holder).union(names)
        above = self.upstream(_REACHED + element_name(place))
        # An element to be reached depends on all that the element depends on.
        return above.union(names) if "/" not in holder else above.union(names, self.upstream(holder))

    def _walk(self, start: str) -> frozenset[str]:
        seen = {start}
        waiting = deque(seen)
        while waiting and len(seen) < UPSTREAM_RESOURCES_MAX:
            for node in self.above(waiting.popleft()):
                if node not in seen:
                    seen.add(node)
                    waiting.append(node)
        return frozenset(node for node in seen if not node.startswith(_REACHED))


def element_name(resource: str) -> str:
    """The element that a resource is part of."""
    return resource.partition("/")[0]
