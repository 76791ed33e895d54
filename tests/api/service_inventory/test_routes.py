"""TMF638 as a client sees it, judged by the standard's own definitions, on real databases and a real store.

Routes with what stands behind them: finding, views, resources.

Covers ``characteristics`` and ``event_desk`` too.
"""

import json

import pytest

from ocs.api.service_inventory import examples, finding
from ocs.api.service_inventory.resources import BASE, SERVICE
from ocs.api.service_inventory.views import service_view
from ocs.api.tmf import sql_listing
from ocs.api.tmf.hubs import Hub, HubStore
from ocs.balance.keys import hub_queue_key
from ocs.inventory.model import Service, ServiceState, Use
from ocs.inventory.services import record_service
from tests.support.charged_store import NOW_MS
from tests.support.swagger import Definitions

pytestmark = pytest.mark.bounded(60)

TMF638 = Definitions("TMF638-ServiceInventory-v4.0.0.swagger.json")
SERVICES = f"{BASE}/service"
OURS = {"subscribers", "@type", "@baseType", "@schemaLocation"}
DESIGNED = {
    "name": "s/1",
    "state": "designed",
    "serviceSpecification": {"id": "line"},
    "serviceCharacteristic": [{"name": "speed", "value": 100}, {"name": "ports", "value": ["a", {"b": 1}]}],
    "relatedParty": [{"id": "acme", "role": "customer", "@referredType": "Customer"}],
    "supportingResource": [{"id": "agg/if/up", "role": "access"}],
}


def test_attributes_are_those_of_the_standard_and_ours_beside_them():
    assert SERVICE.attributes == TMF638.attributes("Service") | OURS


async def test_every_path_and_method_of_the_standard_is_served(network_api):
    described = (await network_api.get("/openapi.json")).json()["paths"]
    for path, methods in TMF638.paths().items():
        if path.startswith("/listener"):
            continue
        ours = path.replace("{id}", "{hub_id}" if path.startswith("/hub") else "{identifier}")
        assert {name.upper() for name in described[BASE + ours]} >= methods, path


def test_service_is_shown_as_the_standard_defines_it():
    service = Service(service_id="a b", model="m", parameters={"x": [1], "y": None}, customer="c")
    shown = service_view(SERVICE, service, [Use("pe1/if/1", "access")])
    TMF638.check(shown, "Service")
    assert shown["href"] == f"{SERVICES}/a%20b"
    assert shown["supportingResource"][0]["href"].endswith("/resource/pe1%2Fif%2F1")


async def test_examples_are_what_the_standard_lets_clients_send():
    TMF638.check(examples.CREATE, "Service_Create")
    TMF638.check(examples.PATCH, "Service_Update")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["leased line", "mobile"]),
        ("id=mobile", ["mobile"]),
        ("id=mobile,nothing", ["mobile"]),
        ("id=%00", []),
        ("name=mobile&state=terminated", []),
        ("state=active,terminated", ["leased line", "mobile"]),
        ("state=unheard-of", []),
        ("serviceType=line", ["leased line"]),
        ("serviceSpecification.id=line,mobile", ["leased line", "mobile"]),
        ("supportingResource.id=cell", ["mobile"]),
        ("supportingResource.id=core", []),
        ("relatedParty.id=acme", []),
        ("relatedParty.id=", []),
        ("subscribers.gt=100", ["mobile"]),
        ("subscribers.gt=100&state=active", ["mobile"]),
        ("sort=-id", ["mobile", "leased line"]),
        ("sort=subscribers", ["leased line", "mobile"]),
    ],
)
async def test_list_is_filtered_and_sorted(network_api, query, found):
    answer = await network_api.get(f"{SERVICES}?{query}")
    assert [service["id"] for service in answer.json()] == found
    assert answer.headers["X-Total-Count"] == str(len(found))
    for service in answer.json():
        TMF638.check(service, "Service")


@pytest.mark.parametrize("query", ["", "sort=id", "isBundle=false", "sort=-id", "sort=-id&isBundle=false"])
async def test_pages_put_together_are_the_list_whichever_way_it_is_found(network_api, database, query):
    names = [f"s{number:02}" for number in range(5)] + ["leased line", "mobile"]

    def work(connection):
        for name in names[:5]:
            record_service(connection, Service(service_id=name, model="m"), ())

    database.write_blocking(work)
    seen = []
    for offset in (0, 3, 6):
        answer = await network_api.get(f"{SERVICES}?{query}&offset={offset}&limit=3&fields=state")
        assert (answer.status_code, answer.headers["X-Total-Count"]) == (206, "7")
        assert all(service.keys() == {"id", "href", "state"} for service in answer.json())
        seen += [service["id"] for service in answer.json()]
    assert seen == sorted(names, reverse="-id" in query)


async def test_what_would_look_at_too_many_is_refused_with_what_narrows_it(network_api, monkeypatch):
    monkeypatch.setattr(sql_listing, "TMF_RESOURCES_SEARCHED_MAX", 1)
    answer = await network_api.get(f"{SERVICES}?isBundle=false")
    assert answer.status_code == 400
    assert "serviceType" in answer.json()["message"]
    TMF638.check(answer.json(), "Error")
    assert (await network_api.get(f"{SERVICES}?isBundle=false&id=mobile")).status_code == 200


async def test_unknown_service_and_unknown_condition_are_refused(network_api):
    answer = await network_api.get(f"{SERVICES}/nothing")
    TMF638.check(answer.json(), "Error")
    assert answer.status_code == 404
    assert (await network_api.get(f"{SERVICES}/%00")).status_code == 404
    assert (await network_api.get(f"{SERVICES}?colour=red")).status_code == 400


async def test_designed_service_is_recorded_changed_and_forgotten(network_api, database):
    made = await network_api.post(SERVICES, json=DESIGNED)
    assert (made.status_code, made.headers["Location"]) == (201, f"{SERVICES}/s%2F1")
    TMF638.check(made.json(), "Service")
    assert (await network_api.get(made.headers["Location"])).json() == made.json()
    assert made.json()["serviceCharacteristic"][0]["value"] == ["a", {"b": 1}]
    assert (await network_api.post(SERVICES, json=DESIGNED)).status_code == 409
    patch = {
        "state": "reserved",
        "relatedParty": [],
        "supportingResource": [{"id": "cell"}],
        "subscribers": 7,
    }
    changed = (await network_api.patch(f"{SERVICES}/s/1?fields=state,subscribers", json=patch)).json()
    assert changed == {"id": "s/1", "href": f"{SERVICES}/s%2F1", "state": "reserved", "subscribers": 7}
    found = (await network_api.get(f"{SERVICES}?supportingResource.id=cell&id=s/1")).json()
    assert "relatedParty" not in found[0]
    assert (await network_api.delete(f"{SERVICES}/s%2F1")).status_code == 204
    assert (await network_api.get(f"{SERVICES}/s/1")).status_code == 404


async def test_service_without_a_name_gets_an_id_of_ours(network_api):
    body = {"state": "designed", "serviceSpecification": {"id": "line"}, "id": "mine", "href": "mine"}
    made = (await network_api.post(SERVICES, json=body)).json()
    assert made["id"] != "mine"
    assert made["href"] == f"{SERVICES}/{made['id']}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "active"},
        {"state": "lost"},
        {"name": "x" * 65},
        {"name": "a\u0000b"},
        {"subscribers": -1},
        {"supportingResource": [{"id": "nowhere"}]},
        {"relatedParty": [{"id": "a"}, {"id": "b"}]},
        {"relatedParty": [{"id": "a", "role": "installer"}]},
        {"serviceCharacteristic": [{"name": "a", "value": 1}, {"name": "a", "value": 2}]},
        {"serviceSpecification": "line"},
    ],
)
async def test_service_that_cannot_be_meant_is_refused_and_not_recorded(network_api, wrong):
    answer = await network_api.post(SERVICES, json=DESIGNED | wrong)
    assert answer.status_code == 400
    TMF638.check(answer.json(), "Error")
    assert len((await network_api.get(SERVICES)).json()) == 2


async def test_service_in_the_network_is_not_written_here(network_api):
    assert (await network_api.patch(f"{SERVICES}/mobile", json={"subscribers": 1})).status_code == 409
    assert (await network_api.delete(f"{SERVICES}/mobile")).status_code == 409
    patch = {"id": "other"}
    assert (await network_api.patch(f"{SERVICES}/mobile", json=patch)).status_code == 400


async def test_terminated_service_may_have_another_life(network_api, database):
    await network_api.post(SERVICES, json=DESIGNED)
    over = (await network_api.patch(f"{SERVICES}/s/1", json=examples.PATCH)).json()
    assert (over["state"], over["supportingResource"]) == ("terminated", [])
    assert (await network_api.post(SERVICES, json=DESIGNED)).json()["state"] == "designed"


async def test_listeners_are_told_of_what_was_written(network_api, store):
    HubStore(store).add(Hub("h1", BASE, "https://crm.example/events", created_ms=NOW_MS))
    await network_api.post(SERVICES, json=DESIGNED)
    for patch in ({"state": "reserved"}, {"subscribers": 2}, {"subscribers": 2}):
        await network_api.patch(f"{SERVICES}/s/1", json=patch)
    await network_api.delete(f"{SERVICES}/s/1")
    events = [json.loads(event) for event in store.lrange(hub_queue_key("h1"), 0, -1)]
    kinds = ["Create", "StateChange", "AttributeValueChange", "Delete"]
    assert [event["eventType"] for event in events] == [f"Service{kind}Event" for kind in kinds]
    for event, kind in zip(events, kinds, strict=True):
        TMF638.check(event, f"Service{kind}Event")
    assert events[-1]["event"]["service"]["subscribers"] == 2


async def test_token_without_the_scope_is_refused(network_api, tokens):
    from ocs.api.tokens import make_token

    made, text = make_token("reader", ("inventory:read",), now_ms=0)
    tokens.add(made)
    headers = {"Authorization": f"Bearer {text}"}
    assert (await network_api.get(SERVICES, headers=headers)).status_code == 200
    assert (await network_api.post(SERVICES, json=DESIGNED, headers=headers)).status_code == 403


def test_states_that_are_recorded_here_are_those_with_nothing_in_the_network():
    assert {ServiceState.ACTIVE, ServiceState.TERMINATED}.isdisjoint(finding._RECORDED_HERE)
