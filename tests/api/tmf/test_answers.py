"""Pages: what matches, in order, each once, with true counts, whatever is asked for."""

import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.api.tmf.answers import created_response, page_response, read_query
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.resources import ResourceType

KIND = ResourceType(
    "Thing", "thing", "/tmf-api/x/v4", "x", frozenset(("id", "href", "name", "size", "party"))
)
COLOURS = ["red", "dark red", 'red, "bright"', "blue", ""]


def resource(index: int, name: str, size: int) -> dict:
    return {"id": str(index), "href": f"/{index}", "name": name, "size": Decimal(size), "party": {"id": name}}


def ask(query: str, resources: list[dict]):
    request: Any = SimpleNamespace(scope={"query_string": query.encode(), "path": "/thing"})
    response = page_response(request, read_query(request, KIND, is_list=True), resources)
    return response.status_code, json.loads(response.content), response.headers


THINGS = st.lists(st.tuples(st.sampled_from(COLOURS), st.integers(-3, 3)), max_size=30).map(
    lambda pairs: [resource(index, *pair) for index, pair in enumerate(pairs)]
)


@given(
    THINGS, st.lists(st.sampled_from(COLOURS), min_size=1, max_size=3), st.integers(-3, 3), st.integers(1, 7)
)
def test_pages_put_together_are_what_matches(things: list[dict], names: list[str], least: int, limit: int):
    values = ",".join('"' + name.replace('"', '\\"') + '"' for name in names)
    conditions = f"party.id={quote(values)}&size.gte={least}"
    expected = [thing["id"] for thing in things if thing["name"] in names and thing["size"] >= least]
    found: list[str] = []
    while True:
        status, page, headers = ask(f"{conditions}&offset={len(found)}&limit={limit}", things)
        assert headers["X-Total-Count"] == str(len(expected))
        assert headers["X-Result-Count"] == str(len(page))
        assert status == (200 if len(page) == len(expected) else 206)
        assert ('rel="next"' in headers.get("Link", "")) == (len(found) + len(page) < len(expected))
        if not page:
            break
        found += [thing["id"] for thing in page]
    assert found == expected


@given(THINGS, st.sets(st.sampled_from(["name", "size", "party"]), min_size=1))
def test_chosen_fields_come_with_id_and_href_and_no_others(things: list[dict], fields: set[str]):
    _, page, _ = ask("fields=" + ",".join(sorted(fields)), things)
    assert all(thing.keys() == fields | {"id", "href"} for thing in page)


def test_page_behind_the_end_is_empty_and_a_part():
    status, page, headers = ask("offset=5", [resource(0, "red", 1)])
    assert (status, page, headers["X-Total-Count"]) == (206, [], "1")


def test_query_that_is_none_is_a_400():
    with pytest.raises(TmfError, match="colour"):
        ask("colour=red", [])


def test_what_was_made_says_where_it_is():
    response = created_response({"id": "1", "href": "/x/1"})
    assert (response.status_code, response.headers["Location"]) == (201, "/x/1")
