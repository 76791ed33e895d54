"""Along which edges a failure spreads: from what fails to what suffers. Pure.

The same graph as :mod:`ocs.faults.topology.dependencies` walks for alarms, turned round and cut into edges each of
which follows from one resource's record. A resource is up to two nodes: itself; and for an element being reached, for a
link being able to carry others.
"""

import enum
from typing import Final, NamedTuple

from ocs.inventory.model import Kind


class Aspect(enum.IntEnum):
    """Which node of a resource."""

    ITSELF = 0
    REACHED = 1
    CARRYING = 2


_ASPECTS: Final = 4


def node(number: int, aspect: Aspect = Aspect.ITSELF) -> int:
    """The node of a resource, by the resource's number."""
    return number * _ASPECTS + aspect


class Placed(NamedTuple):
    """A resource by numbers.

    Attributes:
        number: its own. kind: what it is. element: its element's number; 0: it has none.
        is_uplink: the network reaches its element through it.
    """

    number: int
    kind: Kind
    element: int
    is_uplink: bool = False


def edges_of(
    resource: Placed,
    *,
    parent: int | None,
    depends_on: tuple[int, ...] = (),
    ends: tuple[Placed, ...] = (),
) -> set[tuple[int, int]]:
    """The edges that a resource's record says, each (what fails, what suffers)."""
    own = node(resource.number)
    is_link = resource.kind is Kind.LINK
    # What carries a link fails with its own ends too.
    upon = Aspect.CARRYING if is_link else Aspect.ITSELF
    edges = {(node(other, upon), own) for other in depends_on}
    if parent is not None:
        edges.add((node(parent), own))
    if resource.kind is Kind.ELEMENT:
        edges.add((own, node(resource.number, Aspect.REACHED)))
    if resource.is_uplink and resource.element:
        edges.add((own, node(resource.element, Aspect.REACHED)))
    if is_link:
        edges |= _edges_of_link(resource.number, ends)
    return edges


def _edges_of_link(number: int, ends: tuple[Placed, ...]) -> set[tuple[int, int]]:
    carrying = node(number, Aspect.CARRYING)
    edges = {(node(number), carrying)}
    for end in ends:
        edges |= {(node(number), node(end.number)), (node(end.number), carrying)}
        for other in ends:
            if other.number != end.number:
                edges.add((node(other.number), node(end.number)))
            if other.number != end.number and end.is_uplink:
                # Whoever lies behind an element that is not reached is not reached either.
                edges.add((node(other.element, Aspect.REACHED), node(end.element, Aspect.REACHED)))
    return edges
