"""Edges along which failures spread: those that alarms are explained by, turned round."""

from ocs.inventory.dependencies import Aspect, Placed, edges_of, node
from ocs.inventory.model import Kind


def test_part_suffers_when_what_holds_it_fails() -> None:
    card = Placed(3, Kind.CARD, 1)
    assert edges_of(card, parent=1, depends_on=(7,)) == {(node(1), node(3)), (node(7), node(3))}


def test_element_that_fails_is_not_reached_either() -> None:
    assert edges_of(Placed(1, Kind.ELEMENT, 1), parent=None) == {(node(1), node(1, Aspect.REACHED))}


def test_element_is_reached_over_its_uplinks_only() -> None:
    reached = node(1, Aspect.REACHED)
    uplink = edges_of(Placed(5, Kind.INTERFACE, 1, is_uplink=True), parent=1)
    assert uplink == {(node(1), node(5)), (node(5), reached)}
    assert edges_of(Placed(6, Kind.INTERFACE, 1), parent=1) == {(node(1), node(6))}


def test_link_takes_down_its_ends_and_what_it_carries() -> None:
    ends = (Placed(5, Kind.INTERFACE, 1, is_uplink=True), Placed(6, Kind.INTERFACE, 2))
    edges = edges_of(Placed(9, Kind.LINK, 0), parent=None, depends_on=(8,), ends=ends)
    assert (node(8, Aspect.CARRYING), node(9)) in edges
    assert {(node(9), node(5)), (node(9), node(6)), (node(5), node(6)), (node(6), node(5))} <= edges
    assert (node(2, Aspect.REACHED), node(1, Aspect.REACHED)) in edges
    assert (node(1, Aspect.REACHED), node(2, Aspect.REACHED)) not in edges
    assert {(node(5), node(9, Aspect.CARRYING)), (node(9), node(9, Aspect.CARRYING))} <= edges
