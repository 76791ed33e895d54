"""TMF641 as a client sees it, judged by the standard's own definitions, on real databases and a real store.

Routes with what stands behind them: finding, views, resources, and what the announcer says of orders.
"""

import contextlib
import itertools
import json
from typing import Any

import pytest

from ocs.api.reader import StoreBalanceReader
from ocs.api.service_activation.announcer import TransactionAnnouncer
from ocs.api.service_ordering import examples
from ocs.api.service_ordering.resources import BASE, CANCEL_SERVICE_ORDER, SERVICE_ORDER
from ocs.api.service_ordering.views import state_of
from ocs.api.tmf.hubs import Hub, HubStore
from ocs.api.tmf.sql_side import SqlSide
from ocs.balance.keys import hub_queue_key
from ocs.clock import ManualClock
from ocs.inventory.elements import add_elements
from ocs.inventory.model import Service
from ocs.inventory.services import record_service
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.states import TransactionEvent
from tests.support.charged_store import NOW_MS
from tests.support.service_lab import (
    ELEMENTS,
    MOBILE,
    ServiceLab,
    lab_element,
    lab_resources,
    make_service_template,
)
from tests.support.swagger import Definitions

pytestmark = pytest.mark.bounded(60)

TMF641 = Definitions("TMF641-Service_Ordering-v4.0.0.swagger.json")
ORDERS, CANCELLATIONS = f"{BASE}/serviceOrder", f"{BASE}/cancelServiceOrder"
E = TransactionEvent
ENDS = {
    "acknowledged": (),
    "inProgress": (E.STARTED,),
    "completed": (E.STARTED, E.PREPARED, E.VERIFIED, E.CONFIRMED),
    "failed": (E.STARTED, E.REFUSED),
    "cancelled": (E.CANCELLED,),
}


@pytest.fixture
def network(network_api, database):
    """The lab of services in the inventory, and one of them in the network."""

    def work(connection):
        add_elements(connection, [lab_element(name) for name in ELEMENTS], lab_resources())
        known = Service(service_id="data-1", model="mobile_data", parameters=MOBILE, customer="acme")
        record_service(connection, known, ())

    database.write_blocking(work)
    return network_api


def item(number: int, action: str = "add", **service: object) -> dict:
    order: Any = examples.ORDER
    (whole,) = order["serviceOrderItem"]
    said = (
        whole["service"] | {"id": f"s{number}"} | service if action == "add" else {"id": "data-1"} | service
    )
    return {"id": str(number), "action": action, "service": said}


def order_of(*items: dict, **more: object) -> dict:
    return examples.ORDER | {"serviceOrderItem": list(items)} | more


def move(database, order: dict, place: int, end: str, at_ms: int = NOW_MS + 1_000) -> None:
    def work(connection):
        for event in ENDS[end]:
            journal.move(connection, f"{order['id']}-{place}", event, now_ms=at_ms, reason=f"it is {end}")

    database.write_blocking(work)


def test_attributes_are_those_of_the_standard():
    for kind in (SERVICE_ORDER, CANCEL_SERVICE_ORDER):
        assert kind.attributes == TMF641.attributes(kind.name)


async def test_every_path_and_method_of_the_standard_is_served(network_api):
    described = (await network_api.get("/openapi.json")).json()["paths"]
    for path, methods in TMF641.paths().items():
        if path.startswith("/listener"):
            continue
        ours = path.replace("{id}", "{hub_id}" if path.startswith("/hub") else "{identifier}")
        assert {name.upper() for name in described[BASE + ours]} >= methods, path


def test_examples_are_what_the_standard_lets_clients_send():
    TMF641.check(examples.ORDER, "ServiceOrder_Create")
    TMF641.check(examples.PATCH, "ServiceOrder_Update")
    TMF641.check(examples.CANCEL, "CancelServiceOrder_Create")


async def test_order_queues_a_transaction_for_each_item(network, database):
    body = order_of(item(1), item(2, "modify", subscribers=4), requestedStartDate="2027-02-01T00:00:00Z")
    answer = await network.post(ORDERS, json=body)
    assert answer.status_code == 201, answer.text
    order = answer.json()
    TMF641.check(order, "ServiceOrder")
    assert (await network.get(answer.headers["Location"])).json() == order
    assert (order["state"], order["externalId"]) == ("acknowledged", "crm-4711")
    assert [one["service"]["id"] for one in order["serviceOrderItem"]] == ["s1", "data-1"]
    for place, description in enumerate(("create s1", "modify data-1")):
        queued = database.read_blocking(
            lambda connection, place=place: journal.read_transaction(connection, f"{order['id']}-{place}")
        )
        assert (queued.description, queued.elements) == (description, ("pgw1", "smf1"))
        assert (queued.not_before_ms, queued.priority, queued.requested_by) == (1_801_440_000_000, 1, "tests")


@pytest.mark.parametrize("ends", list(itertools.combinations_with_replacement(ENDS, 2)))
async def test_order_stands_as_its_items_do_and_is_found_by_that(network, database, ends):
    order = (await network.post(ORDERS, json=order_of(item(1), item(2)))).json()
    for place, end in enumerate(ends):
        move(database, order, place, end)
    shown = (await network.get(order["href"])).json()
    TMF641.check(shown, "ServiceOrder")
    assert [one["state"] for one in shown["serviceOrderItem"]] == list(ends)
    assert shown["state"] == state_of(ends)
    assert ("completionDate" in shown) == (not {"acknowledged", "inProgress"} & set(ends))
    for state in ("acknowledged", "inProgress", "completed", "failed", "cancelled", "partial"):
        found = (await network.get(f"{ORDERS}?state={state}")).json()
        assert bool(found) == (state == shown["state"]), state


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (("completed", "failed"), "partial"),
        (("completed", "cancelled"), "partial"),
        (("failed", "cancelled"), "failed"),
        (("acknowledged", "completed"), "inProgress"),
        (("cancelled", "cancelled"), "cancelled"),
    ],
)
def test_state_of_an_order_follows_from_its_items(words, state):
    assert state_of(words) == state


async def test_order_is_done_once_under_its_key(network):
    key = {"Idempotency-Key": "k"}
    answers = [await network.post(ORDERS, json=order_of(item(1)), headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert (await network.post(ORDERS, json=order_of(item(2)), headers=key)).status_code == 409
    assert len((await network.get(ORDERS)).json()) == 1


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"serviceOrderItem": []}, 400),
        ({"serviceOrderItem": [item(1), item(1)]}, 400),
        ({"serviceOrderItem": [item(1), item(2, id="s1")]}, 400),
        ({"serviceOrderItem": [item(1), item(2, "modify", id="nothing")]}, 400),
        ({"serviceOrderItem": [item(1), item(2, "delete", id="nothing")]}, 400),
        ({"serviceOrderItem": [item(1), item(2, "noChange")]}, 400),
        ({"serviceOrderItem": [item(1), item(2, serviceSpecification=None)]}, 400),
        ({"serviceOrderItem": [item(1), item(2, serviceSpecification={"id": "teleport"})]}, 409),
        ({"serviceOrderItem": [item(1) | {"serviceOrderItemRelationship": [{}]}]}, 400),
        ({"priority": "5"}, 400),
        ({"externalId": "x" * 201}, 400),
    ],
)
async def test_order_that_cannot_be_done_is_refused_as_a_whole(network, database, wrong, status):
    answer = await network.post(ORDERS, json=order_of(item(1)) | wrong)
    assert answer.status_code == status, answer.text
    TMF641.check(answer.json(), "Error")
    assert (await network.get(ORDERS)).json() == []
    assert database.read_blocking(journal.count_queued) == 0


async def test_cancelling_takes_out_what_has_not_begun(network, database):
    order = (await network.post(ORDERS, json=order_of(item(1), item(2)))).json()
    move(database, order, 0, "completed")
    body = {"serviceOrder": {"id": order["id"]}, "cancellationReason": "moved"}
    key = {"Idempotency-Key": "c"}
    first, again = [await network.post(CANCELLATIONS, json=body, headers=key) for _ in range(2)]
    assert first.status_code == 201
    assert first.json() == again.json()
    TMF641.check(first.json(), "CancelServiceOrder")
    assert first.json()["state"] == "done"
    shown = (await network.get(order["href"])).json()
    assert (shown["state"], shown["serviceOrderItem"][1]["state"]) == ("partial", "cancelled")
    assert "tests: moved" in shown["serviceOrderItem"][1]["errorMessage"][0]["message"]
    late = (await network.post(CANCELLATIONS, json=body)).json()
    assert late["state"] == "terminatedWithError"
    assert len((await network.get(f"{CANCELLATIONS}?serviceOrder.id={order['id']}")).json()) == 2
    assert (await network.get(late["href"])).json() == late
    none = {"serviceOrder": {"id": "nothing"}}
    assert (await network.post(CANCELLATIONS, json=none)).status_code == 400


async def test_order_is_patched_in_words_and_forgotten_when_it_has_ended(network, database):
    order = (await network.post(ORDERS, json=order_of(item(1)))).json()
    patched = (await network.patch(order["href"], json=examples.PATCH | {"externalId": "crm-2"})).json()
    TMF641.check(patched, "ServiceOrder")
    assert (patched["description"], patched["externalId"]) == (examples.PATCH["description"], "crm-2")
    assert [one["id"] for one in (await network.get(f"{ORDERS}?externalId=crm-2")).json()] == [order["id"]]
    assert (await network.patch(order["href"], json={"serviceOrderItem": []})).status_code == 400
    assert (await network.delete(order["href"])).status_code == 409
    await network.post(CANCELLATIONS, json={"serviceOrder": {"id": order["id"]}})
    assert (await network.delete(order["href"])).status_code == 204
    assert (await network.get(order["href"])).status_code == 404


async def test_orders_are_found_by_their_date(network):
    await network.post(ORDERS, json=order_of(item(1)))
    for query, count in (
        ("gt=2027-01-15T08:00:00Z", 0),
        ("gte=2027-01-15T08:00:00Z", 1),
        ("lt=2028-01-01", 1),
    ):
        assert len((await network.get(f"{ORDERS}?orderDate.{query}")).json()) == count, query


async def test_listeners_are_told_of_orders_and_how_they_stand(network, database, store):
    HubStore(store).add(Hub("h1", BASE, "https://crm.example/events", created_ms=NOW_MS))
    announcer = TransactionAnnouncer(SqlSide(lambda: database), store, HubStore(store), ManualClock(NOW_MS))
    announcer.look()
    order = (await network.post(ORDERS, json=order_of(item(1), item(2)))).json()
    announcer.look()
    await network.patch(order["href"], json=examples.PATCH)
    move(database, order, 0, "completed")
    announcer.look()
    cancellation = {"serviceOrder": {"id": order["id"]}}
    await network.post(CANCELLATIONS, json=cancellation)
    announcer.look()
    announcer.look()
    await network.delete(order["href"])
    events = [json.loads(octets) for octets in store.lrange(hub_queue_key("h1"), 0, -1)]
    for event in events:
        TMF641.check(event, event["eventType"])
    told = [
        (event["eventType"].removesuffix("Event"), event["event"].get("serviceOrder", {}).get("state"))
        for event in events
    ]
    assert told == [
        ("ServiceOrderCreate", "acknowledged"),
        ("ServiceOrderAttributeValueChange", "acknowledged"),
        ("ServiceOrderStateChange", "inProgress"),
        ("CancelServiceOrderCreate", None),
        ("ServiceOrderStateChange", "partial"),
        ("ServiceOrderDelete", "partial"),
    ]


async def test_order_goes_all_the_way_to_the_elements_and_back_out_again(
    make_parts, store, balance, token, connect_to, tmp_path
):
    lab = ServiceLab(tmp_path / "lab", make_service_template(tmp_path), {})
    reader = StoreBalanceReader(store, partitions=balance.partitions)
    parts = make_parts(reader, None, store=store, client=balance, database=lab.database)
    with contextlib.closing(lab):
        async with connect_to(parts, token) as client:
            order = (await client.post(ORDERS, json=order_of(item(1)))).json()
            await lab.coordinator().run(f"{order['id']}-0")
            shown = (await client.get(order["href"])).json()
            assert shown["state"] == "completed", shown
            assert lab.running()["pgw1"] == lab.recorded("pgw1") != {}
            service = (await client.get(shown["serviceOrderItem"][0]["service"]["href"])).json()
            assert (service["state"], service["relatedParty"][0]["id"]) == ("active", "acme")
            taken_out = await client.delete(
                f"/tmf-api/ServiceActivationAndConfiguration/v4/service/{service['id']}"
            )
            await lab.coordinator().run(taken_out.json()["id"])
            monitor = (await client.get(taken_out.json()["href"])).json()
            assert (monitor["state"], monitor["response"]["statusCode"]) == ("completed", "204")
            assert not any(lab.running().values())
            assert (await client.get(service["href"])).json()["state"] == "terminated"
