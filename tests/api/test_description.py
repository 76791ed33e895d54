"""The API described: every route, what it needs, what it reads (its examples.py); a page for people that works offline."""

import re

import msgspec
import pytest
from litestar.handlers import HTTPRouteHandler

from ocs.api.description import describe
from ocs.api.prepay_balance.resources import BODIES
from ocs.api.server import create_app
from ocs.api.tokens import Scope

pytestmark = pytest.mark.bounded(20)

TMF = "/tmf-api/prepayBalanceManagement/v4"


@pytest.fixture
def app(make_parts, reader):
    return create_app(make_parts(reader, None))


@pytest.fixture
def document(app):
    return msgspec.json.decode(describe(app))


def test_every_route_of_the_app_says_what_it_needs(app):
    handlers = [
        handler for route in app.routes for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler) and not route.path.startswith("/schema")
    ]  # fmt: skip
    for handler in handlers:
        assert "scope" in handler.opt or handler.http_methods == {"OPTIONS"}, handler
        writes = handler.http_methods - {"GET", "HEAD", "OPTIONS"}
        assert not writes or isinstance(handler.opt["scope"], Scope), handler


def test_native_and_tmf_resources_are_all_described(document):
    assert document["openapi"].startswith("3.")
    native = {"accounts", "accounts/{account_id}", "sessions", "sessions/{session_id}", "subscribers", "topups",
              "events", "reauthorisations", "catalogues", "status", "peers", "adjustments", "transfers", "reservations",
              "deductions", "releases", "purchases", "cancellations", "orders", "vouchers", "vouchers/{name}",
              "redemptions", "payments", "subscribers/{subscriber_id}"}  # fmt: skip
    assert {f"/api/v1/{name}" for name in native} <= set(document["paths"])
    for name in ("bucket", "accumulatedBalance", "balanceActionHistory", *BODIES):
        assert {f"{TMF}/{name}", f"{TMF}/{name}/{{identifier}}"} <= set(document["paths"])
    for path, operations in document["paths"].items():
        for method in operations:
            assert operations[method]["description"], path
            assert operations[method]["tags"][0] in {tag["name"] for tag in document["tags"]}


def test_what_a_route_reads_is_described_with_an_example(document):
    for path, operations in document["paths"].items():
        for method in {"post", "patch"} & set(operations):
            body = operations[method]["requestBody"]["content"]["application/json"]
            name = body["schema"]["$ref"].rpartition("/")[2]
            required = set(document["components"]["schemas"][name].get("required", ()))
            assert required <= set(body["example"]), path
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def operations_of(document):
    return [
        (path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def test_examples_are_what_the_routes_read(app):
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if handler.opt.get("body") is not None:
                octets = msgspec.json.encode(handler.opt["example"])
                msgspec.json.decode(octets, type=handler.opt["body"], strict=True)


def test_operations_have_names_of_their_own_and_a_line_that_says_what_for(document):
    names = [operation["operationId"] for _, _, operation in operations_of(document)]
    assert len(names) == len(set(names))
    for _, _, operation in operations_of(document):
        assert re.fullmatch(r"[a-z][A-Za-z]+", operation["operationId"])
        assert " " in operation["summary"] and len(operation["summary"]) <= 120
        assert operation["summary"].count("`") % 2 == 0


def test_errors_are_described_in_the_words_of_each_api(document):
    for path, method, operation in operations_of(document):
        errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        guarded = operation["security"] != [{}]
        assert not guarded or {"401", "403", "503"} <= set(errors), path
        assert method not in {"post", "patch"} or {"400", "409", "415"} <= set(errors), path
        family = "tmf" if path.startswith("/tmf-api/") else "native"
        for status, answer in errors.items():
            assert answer == {"$ref": f"#/components/responses/{family}{status}"}
            assert f"{family}{status}" in document["components"]["responses"]


def test_every_reference_leads_somewhere(document):
    for reference in re.findall(
        r'"\$ref":"#/components/(\w+)/([^"]+)"', msgspec.json.encode(document).decode()
    ):
        kind, name = reference
        assert name in document["components"][kind], reference


def test_names_of_what_is_read_and_shown_are_plain(document):
    assert all(re.fullmatch(r"[A-Za-z]+", name) for name in document["components"]["schemas"])


def test_resources_of_tmf_are_shown_with_their_attributes_pages_and_conditions(document):
    listing = document["paths"][f"{TMF}/topupBalance"]["get"]
    assert {"fields", "offset", "limit", "sort"} <= {each["name"] for each in listing["parameters"]}
    assert {"200", "206"} <= set(listing["responses"])
    shown = document["components"]["schemas"]["TopupBalance"]["properties"]
    assert {"id", "href", "status", "amount", "confirmationDate"} <= set(shown)
    assert shown["confirmationDate"]["format"] == "date-time"
    making = document["paths"][f"{TMF}/topupBalance"]["post"]
    assert "Idempotency-Key" in {each["name"] for each in making["parameters"]}


def test_description_is_the_same_every_time(app):
    assert describe(app) == describe(app)


async def test_page_for_people_brings_its_parts_and_allows_no_others(make_parts, connect_to, reader):
    async with connect_to(make_parts(reader, None)) as client:
        page = await client.get("/docs")
        assert page.headers["content-security-policy"].startswith("default-src 'self'")
        for part in re.findall(r'(?:href|src)="(/[^"]*)"', page.text):
            if part != "/":
                assert (await client.get(part)).status_code == 200, part
        script = (await client.get("/assets/docs.js")).text
        assert "innerHTML" not in script and "http:" not in script and "https:" not in script
        for identifier in re.findall(r'element\("([\w-]+)"', script):
            assert f'id="{identifier}"' in page.text


async def test_route_that_does_not_say_what_it_needs_is_closed(make_parts, connect_to, reader):
    async with connect_to(make_parts(reader, None)) as client:
        assert (await client.get("/schema")).status_code == 403  # litestar's own


async def test_description_is_served(make_parts, connect_to, reader):
    async with connect_to(make_parts(reader, None)) as client:
        assert (await client.get("/openapi.json")).json()["info"]["title"] == "OCS"
