"""The routes by which any resource is read, on a resource that no API of ours has: what a next API builds on."""

from dataclasses import replace
from typing import Any

import pytest

from ocs.api.description import describe
from ocs.api.server import create_app
from ocs.api.tmf.api import Api
from ocs.api.tmf.delivery import announce, make_event
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.hub_routes import HubDesk, hub_routes
from ocs.api.tmf.hubs import Hub
from ocs.api.tmf.resource_routes import reading_routes
from ocs.api.tmf.resources import ResourceType, identified
from ocs.api.tokens import Scope, make_token
from ocs.clock import ManualClock

pytestmark = pytest.mark.bounded(20)

BASE = "/tmf-api/thingManagement/v4"
THING = ResourceType("Thing", "thing", BASE, "things", frozenset(("severity", "raisedTime")))
THINGS = [
    identified(THING, str(n), {"severity": severity, "raisedTime": f"2026-01-0{n}T00:00:00.000Z"})
    for n, severity in enumerate(("minor", "major", "minor"), start=1)
]


class FakeHubStore:
    """Registrations in memory."""

    def __init__(self) -> None:
        self.hubs: dict[str, Hub] = {}
        self.queued: list[str] = []

    def add(self, hub: Hub) -> None:
        self.hubs[hub.hub_id] = hub

    def remove(self, hub_id: str, base: str = "") -> bool:
        is_known = hub_id in self.hubs and self.hubs[hub_id].base == base
        if is_known:
            del self.hubs[hub_id]
        return is_known

    def listening_to(self, base: str) -> list[Hub]:
        return [hub for hub in self.hubs.values() if hub.base == base]

    def enqueue(self, hub_ids: list[str], *events: bytes) -> None:
        self.queued += hub_ids * len(events)


class AllowAll:
    """Calls any address."""

    def target(self, callback: str) -> None: ...


async def listed(query: Any) -> list[Any]:
    return THINGS


async def one(identifier: str) -> Any:
    for thing in THINGS:
        if thing["id"] == identifier:
            return thing
    raise TmfError(404, "there is no such thing")


@pytest.fixture
def hubs() -> FakeHubStore:
    return FakeHubStore()


@pytest.fixture
def parts(make_parts, reader, hubs: Any):
    desk = HubDesk(hubs, AllowAll(), ManualClock(5), BASE)  # type: ignore[arg-type]
    reading = reading_routes(
        THING, "things", Scope.OPERATION_READ, listed=listed, one=one, about="List things, of any severity."
    )
    api = Api("things", "Things.", (*reading, *hub_routes(desk, "things", scope=Scope.OPERATION_READ)))
    return replace(make_parts(reader, None), apis=(api,))


@pytest.fixture
async def client(parts, connect_to, tokens):
    made, text = make_token("t", (str(Scope.OPERATION_READ),), now_ms=0)
    tokens.add(made)
    async with connect_to(parts, text) as client:
        yield client


async def test_resource_of_any_api_is_listed_chosen_from_sorted_and_cut(client):
    response = await client.get(f"{BASE}/thing?severity=minor&sort=-raisedTime&fields=severity&limit=1")
    assert response.status_code == 206
    assert response.json() == [{"id": "3", "href": f"{BASE}/thing/3", "severity": "minor"}]
    assert response.headers["x-total-count"] == "2"
    assert "sort=-raisedTime" in response.headers["link"]
    assert (await client.get(f"{BASE}/thing?colour=red")).status_code == 400


async def test_resource_of_any_api_is_shown_by_its_id(client):
    assert (await client.get(f"{BASE}/thing/2")).json() == THINGS[1]
    missing = await client.get(f"{BASE}/thing/9")
    assert (missing.status_code, missing.json()["@type"]) == (404, "Error")


@pytest.mark.parametrize("identifier", ["A1:bonus#2", "a?b&c", "a%b", "Zoë 1"])
async def test_href_of_a_resource_leads_to_it(client, monkeypatch, identifier: str):
    thing = identified(THING, identifier, {"severity": "minor"})
    monkeypatch.setattr(f"{__name__}.THINGS", [*THINGS, thing])
    assert (await client.get(thing["href"])).json() == thing


async def test_listeners_of_any_api_are_its_own(client, hubs):
    body = {"callback": "https://noc.example/e", "query": "thing.severity=major"}
    made = (await client.post(f"{BASE}/hub", json=body)).json()
    events = [make_event(THING, "StateChange", thing, event_id=thing["id"], now_ms=0) for thing in THINGS]
    announce(hubs, "/tmf-api/other/v4", *events)
    assert hubs.queued == []
    announce(hubs, BASE, *events)
    assert hubs.queued == [made["id"]]
    assert (await client.delete(made["href"])).status_code == 204
    assert (await client.delete(made["href"])).status_code == 404


def test_any_api_is_described(parts):
    document = describe(create_app(parts)).decode()
    for name in (
        "listThing",
        "retrieveThing",
        "registerThingManagementListener",
        "List things, of any severity",
    ):
        assert name in document
