"""The way to a gateway is the one that its requests come by."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from ocs.diameter_gy import gateway_routes
from ocs.diameter_gy.base_commands import CapabilitiesExchangeRequest, Origin
from ocs.diameter_gy.gateway_routes import GatewayRoutes
from ocs.diameter_gy.peer_states import State


@dataclass
class FakePeer:
    capabilities: CapabilitiesExchangeRequest
    state: State = State.OPEN


@dataclass(eq=False)
class FakeConnection:
    peer_name: str
    applications: tuple[int, ...] = (4,)
    is_closed: bool = False
    peer: FakePeer = field(init=False)

    def __post_init__(self):
        origin = Origin(self.peer_name, "example", None)
        self.peer = FakePeer(
            CapabilitiesExchangeRequest(origin, "", 0, frozenset(self.applications), frozenset())
        )


def connection(name: str, *applications: int) -> Any:
    return FakeConnection(name, applications or (4,))


def test_gateway_is_reached_by_the_connection_that_its_requests_came_by():
    relay, other = connection("relay.example"), connection("other.example")
    routes = GatewayRoutes(lambda: [other, relay])
    assert routes.find("pgw.example") is None
    routes.note("pgw.example", relay)
    assert routes.find("pgw.example") is relay
    routes.note("pgw.example", other)
    assert routes.find("pgw.example") is other


def test_gateway_that_has_sent_nothing_is_reached_by_its_own_connection_whatever_the_case():
    own = connection("PGW.example")
    assert GatewayRoutes(lambda: [connection("x.example"), own]).find("pgw.example") is own


def test_relay_is_the_last_resort():
    relay, own = connection("relay.example", 4, 0xFFFFFFFF), connection("pgw.example")
    assert GatewayRoutes(lambda: [relay]).find("pgw.example") is relay
    ranks = [
        GatewayRoutes(lambda ways=ways: ways).rank("pgw.example") for ways in ([], [relay], [own, relay])
    ]
    assert ranks == [0, 1, 2]
    assert GatewayRoutes(lambda: [relay, own]).find("pgw.example") is own


def test_way_that_requests_come_by_ranks_before_all_others():
    own, relay = connection("pgw.example"), connection("relay.example", 4, 0xFFFFFFFF)
    routes = GatewayRoutes(lambda: [own, relay])
    routes.note("pgw.example", relay)
    assert (routes.rank("pgw.example"), routes.find("pgw.example")) == (3, relay)


def test_connection_that_ends_leads_nowhere():
    own, relay = connection("pgw.example"), connection("relay.example")
    routes = GatewayRoutes(lambda: [own, relay])
    routes.note("pgw.example", relay)
    relay.peer.state = State.CLOSING
    assert routes.find("pgw.example") is own
    own.is_closed = True
    assert routes.find("pgw.example") is None


def test_way_that_failed_is_taken_when_there_is_no_other():
    one, two = connection("pgw.example"), connection("pgw.example")
    routes = GatewayRoutes(lambda: [one, two])
    routes.note("pgw.example", one)
    assert routes.find("pgw.example", but=one) is two
    two.is_closed = True
    assert routes.find("pgw.example", but=one) is one


def test_way_learnt_is_forgotten_with_its_connection():
    relay = connection("relay.example")
    routes = GatewayRoutes(lambda: [relay])
    routes.note("pgw.example", relay)
    routes.forget(relay)
    assert routes.find("pgw.example") is None


def test_ways_are_bounded_and_the_longest_unheard_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_routes, "GATEWAY_ROUTES_MAX", 2)
    relay = connection("relay.example")
    routes = GatewayRoutes(tuple)
    for host in ("a", "b", "c"):
        routes.note(host, relay)
    assert [routes.find(host) for host in ("a", "b", "c")] == [None, relay, relay]
