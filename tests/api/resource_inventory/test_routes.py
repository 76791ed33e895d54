"""TMF639 as a client sees it, judged by the standard's own definitions, on real databases and a real store.

Routes with what stands behind them: finding, writing, views, resources.

Covers ``paging`` too.
"""

import json
from urllib.parse import quote

import pytest

from ocs.api.resource_inventory import examples
from ocs.api.resource_inventory.resources import BASE, KINDS, LOGICAL_KINDS, PHYSICAL_KINDS
from ocs.api.resource_inventory.views import resource_view
from ocs.api.tmf.hubs import Hub, HubStore
from ocs.balance.keys import hub_queue_key
from ocs.inventory.model import Kind, Resource
from ocs.inventory.numbers import NumberRange, add_range, assign_number, port_in, reserve_number
from ocs.inventory.registry import add_resource
from ocs.inventory.sim_keys import SimKeys
from ocs.inventory.sims import NewSim, add_sims, assign_sim
from tests.support.charged_store import NOW_MS
from tests.support.swagger import Definitions

pytestmark = pytest.mark.bounded(60)

TMF639 = Definitions("TMF639-ResourceInventory-v4.0.0.swagger.json")
RESOURCES = f"{BASE}/resource"
# Of physical or of logical ones: among all of them they can be asked for too.
OF_SOME = {"serialNumber", "value"}
KI = "0123456789abcdef0123456789abcdef"
ICCID, IMSI = "89490000000000000015", "262011234567890"


@pytest.fixture
def stocked(database, network_api):
    """Numbers, a SIM, a VLAN and a prefix beside the network."""

    def work(connection):
        add_range(connection, NumberRange(name="own", first="4917100001", last="4917100003"))
        assign_number(connection, "4917100001", "mobile")
        reserve_number(connection, holder="other", until_ms=NOW_MS, msisdn="4917100002")
        port_in(connection, "4930000001", network="D2", holder="mobile")
        add_sims(connection, [NewSim(iccid=ICCID, imsi=IMSI, ki=KI)], SimKeys(b"k" * 32))
        assign_sim(connection, ICCID, "mobile")
        add_resource(connection, Resource(resource_id="vlan/hill/7", kind=Kind.VLAN))
        add_resource(connection, Resource(resource_id="prefix/core/10.0.0.0/8", kind=Kind.PREFIX))

    database.write_blocking(work)
    return network_api


async def ids(client, query: str, path: str = "resource") -> list[str]:
    answer = await client.get(f"{BASE}/{path}?{query}")
    assert answer.status_code in {200, 206}, answer.text
    assert answer.headers["X-Total-Count"] == str(len(answer.json())) or answer.status_code == 206
    return [one["id"] for one in answer.json()]


def test_attributes_are_those_of_the_standard_and_ours_beside_them():
    for kind in KINDS:
        assert kind.attributes == TMF639.attributes(kind.name) | {"lifecycle"} | OF_SOME, kind.name


async def test_every_path_and_method_of_the_standard_is_served(network_api):
    described = (await network_api.get("/openapi.json")).json()["paths"]
    for path, methods in TMF639.paths().items():
        if path.startswith("/listener"):
            continue
        ours = path.replace("{id}", "{hub_id}" if path.startswith("/hub") else "{identifier}")
        # PUT stands in this one file for one of the three kinds, and in no text of the standard.
        assert {name.upper() for name in described[BASE + ours]} >= methods - {"PUT"}, path


def test_examples_are_what_the_standard_lets_clients_send():
    for kind in KINDS:
        TMF639.check(examples.CREATE[kind.path], f"{kind.name}_Create")
        TMF639.check(examples.PATCH, f"{kind.name}_Update")


def test_every_kind_of_the_inventory_is_physical_or_logical():
    assert set(PHYSICAL_KINDS) | set(LOGICAL_KINDS) == set(Kind)
    assert set(PHYSICAL_KINDS).isdisjoint(LOGICAL_KINDS)


async def test_everything_is_shown_as_the_standard_defines_it(stocked):
    everything = (await stocked.get(f"{RESOURCES}?limit=500")).json()
    assert len(everything) == 11 + 2 + 4 + 1
    for one in everything:
        TMF639.check(one, "Resource")
        TMF639.check(one, one["@type"])
        alone = (await stocked.get(f"{RESOURCES}/{quote(one['id'], safe='')}")).json()
        assert alone == one
        assert (await stocked.get(one["href"])).json() == one


async def test_interface_stands_where_its_element_stands_and_says_what_holds_it(stocked):
    shown = (await stocked.get(f"{RESOURCES}/agg/if/up")).json()
    assert shown["place"] == {
        "id": "site/hill", "href": f"{RESOURCES}/site%2Fhill", "name": "hill", "role": "site",
    }  # fmt: skip
    assert shown["resourceRelationship"] == [
        {"id": "agg/card/1", "href": f"{RESOURCES}/agg%2Fcard%2F1", "relationshipType": "isContainedIn"}
    ]
    assert {"name": "index", "value": 1, "valueType": "integer"} in shown["resourceCharacteristic"]
    link = (await stocked.get(f"{RESOURCES}/link/fibre")).json()
    assert [(one["relationshipType"], one["id"]) for one in link["resourceRelationship"]] == [
        ("connects", "core/if/0"),
        ("connects", "agg/if/up"),
    ]


async def test_sim_is_shown_without_its_key(stocked):
    answer = await stocked.get(f"{RESOURCES}/sim/{ICCID}")
    assert KI not in answer.text.lower()
    values = {one["name"]: one["value"] for one in answer.json()["resourceCharacteristic"]}
    assert values == {"iccid": ICCID, "imsi": IMSI, "state": "assigned", "service": "mobile"}
    assert KI not in (await stocked.get(RESOURCES)).text.lower()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("category=site", ["site/hill"]),
        ("category=card,vlan", ["agg/card/1", "vlan/hill/7"]),
        ("id=agg,number/4917100001,sim/89490000000000000015", ["agg", "number/4917100001", f"sim/{ICCID}"]),
        ("category=number&usageState=active", ["number/4917100001", "number/4930000001"]),
        ("category=number&resourceStatus=reserved", ["number/4917100002"]),
        ("value=4917100003", ["number/4917100003"]),
        ("category=sim&resourceStatus=available", [f"sim/{ICCID}"]),
        ("category=sim&usageState=idle", []),
        ("serialNumber=1", []),
        ("place.id=site/hill", ["agg", "agg/card/1", "agg/if/down", "agg/if/up", "vlan/hill/7"]),
        ("place.id=hill", []),
        ("administrativeState=locked", []),
        ("operationalState=enable", []),
        ("@type=LogicalResource&category=prefix,number&sort=-id&limit=2", ["number/4930000001", "number/4917100003"]),
        ("resourceRelationship.id=agg/card/1", ["agg/if/down", "agg/if/up"]),
        ("resourceCharacteristic.value=mobile&sort=-value", ["number/4930000001", "number/4917100001", f"sim/{ICCID}"]),
        ("id=%00", []),
    ],
)  # fmt: skip
async def test_list_is_filtered_by_sql_and_beyond(stocked, query, found):
    if found is None:
        assert (await stocked.get(f"{RESOURCES}?{query}")).status_code == 400
    else:
        assert await ids(stocked, query) == found


async def test_pages_go_from_one_table_to_the_next(stocked):
    whole = await ids(stocked, "limit=500")
    for query in ("", "sort=-id"):
        seen = []
        for offset in range(0, len(whole), 4):
            seen += await ids(stocked, f"{query}&offset={offset}&limit=4")
        assert seen == (whole[::-1] if query else whole)


async def test_physical_and_logical_are_told_apart(stocked):
    logical = await ids(stocked, "limit=500", "logicalResource")
    physical = await ids(stocked, "limit=500", "physicalResource")
    assert sorted(logical + physical) == sorted(await ids(stocked, "limit=500"))
    assert logical[:2] == ["prefix/core/10.0.0.0/8", "vlan/hill/7"]
    assert (await stocked.get(f"{BASE}/logicalResource/agg")).status_code == 404
    assert (await stocked.get(f"{BASE}/physicalResource/agg")).status_code == 200
    assert (await ids(stocked, f"serialNumber={ICCID}", "physicalResource")) == [f"sim/{ICCID}"]


async def test_resource_is_created_changed_and_taken_out(network_api):
    body = {
        "name": "agg/if/new 1",
        "category": "interface",
        "administrativeState": "locked",
        "lifecycle": "planned",
        "resourceRelationship": [{"id": "agg/card/1", "relationshipType": "isContainedIn"}],
        "resourceCharacteristic": [{"name": "index", "value": 9}, {"name": "is_uplink", "value": True}],
    }
    made = await network_api.post(f"{BASE}/physicalResource", json=body)
    assert made.status_code == 201, made.text
    TMF639.check(made.json(), "PhysicalResource")
    assert made.json()["place"]["id"] == "site/hill"
    assert (made.json()["resourceStatus"], made.json()["administrativeState"]) == ("standby", "locked")
    assert (await network_api.post(RESOURCES, json=body)).status_code == 409
    patch = {"lifecycle": "as-built", "administrativeState": "unlocked", "operationalState": "enable",
             "resourceRelationship": [], "resourceVersion": "1"}  # fmt: skip
    changed = (await network_api.patch(made.headers["Location"], json=patch)).json()
    assert (changed["resourceStatus"], changed["resourceVersion"]) == ("available", "2")
    assert changed["resourceRelationship"][0]["id"] == "agg"  # a part lies in its element at least
    assert (
        await network_api.patch(made.headers["Location"], json=patch)
    ).status_code == 409  # version 1 is past
    assert (await network_api.delete(made.headers["Location"])).status_code == 204
    assert (await network_api.get(made.headers["Location"])).status_code == 404


async def test_element_moves_to_another_site_and_to_none(network_api):
    assert (
        await network_api.post(RESOURCES, json={"name": "site/dale", "category": "site"})
    ).status_code == 201
    body = {"name": "pe9", "category": "element", "place": {"id": "site/hill"}}
    assert (await network_api.post(RESOURCES, json=body)).json()["place"]["name"] == "hill"
    for place, shown in (({"id": "site/dale"}, "site/dale"), (None, None)):
        changed = (await network_api.patch(f"{RESOURCES}/pe9", json={"place": place})).json()
        assert changed.get("place", {}).get("id") == shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"category": "number"},
        {"category": "vlan"},
        {"name": "nowhere/if/1"},
        {"name": "agg"},
        {"administrativeState": "shut"},
        {"operationalState": "unknown"},
        {"lifecycle": "lost"},
        {"place": {"id": "hill"}},
        {"resourceRelationship": [{"id": "x", "relationshipType": "likes"}]},
        {"resourceRelationship": [{"id": "nowhere", "relationshipType": "dependsOn"}]},
        {"resourceCharacteristic": [{"name": "a", "value": [1]}]},
    ],
)
async def test_resource_that_cannot_be_meant_is_refused(network_api, wrong):
    before = await ids(network_api, "limit=500")
    answer = await network_api.post(RESOURCES, json={"name": "agg/if/9", "category": "interface"} | wrong)
    assert answer.status_code == 400, answer.text
    TMF639.check(answer.json(), "Error")
    assert await ids(network_api, "limit=500") == before


async def test_what_something_needs_and_numbers_and_sims_are_not_taken_out(stocked):
    for name in ("agg", "agg/card/1", "cell", "number/4917100001", f"sim/{ICCID}"):
        assert (await stocked.delete(f"{RESOURCES}/{name}")).status_code == 409, name
    assert (await stocked.patch(f"{RESOURCES}/number/4917100003", json=examples.PATCH)).status_code == 409
    assert (await stocked.delete(f"{RESOURCES}/nothing")).status_code == 404
    assert (await stocked.delete(f"{BASE}/logicalResource/cell")).status_code == 404


async def test_logical_resource_named_like_a_number_is_found(network_api, database):
    odd = Resource(resource_id="number/plan", kind=Kind.LOGICAL)
    database.write_blocking(lambda connection: add_resource(connection, odd))
    shown = (await network_api.get(f"{RESOURCES}/number/plan")).json()
    assert shown == resource_view(odd, "") | {"resourceVersion": "1"}


async def test_listeners_are_told_of_what_was_written(network_api, store):
    HubStore(store).add(Hub("h1", BASE, "https://nms.example/events", created_ms=NOW_MS))
    body = {"name": "agg/if/9", "category": "interface"}
    await network_api.post(f"{BASE}/physicalResource", json=body)
    characteristic = {"resourceCharacteristic": [{"name": "a", "value": "b"}]}
    for patch in (examples.PATCH, characteristic, characteristic):
        await network_api.patch(f"{RESOURCES}/agg/if/9", json=patch)
    await network_api.delete(f"{RESOURCES}/agg/if/9")
    events = [json.loads(event) for event in store.lrange(hub_queue_key("h1"), 0, -1)]
    expected = [
        "PhysicalResourceCreateEvent",
        "ResourceStateChangeEvent",
        "ResourceAttributeValueChangeEvent",
        "ResourceDeleteEvent",
    ]
    assert [event["eventType"] for event in events] == expected
    for event, name in zip(events, expected, strict=True):
        TMF639.check(event, name)
