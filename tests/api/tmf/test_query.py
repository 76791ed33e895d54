"""TM Forum queries: fields, filters, quoted values, comparisons, pages."""

import contextlib
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.api.tmf.query import Query, QueryError, Resource, parse_query, split_values
from ocs.limits import HTTP_PAGE_ITEMS_MAX, HTTP_PARAMETERS_MAX

ATTRIBUTES = frozenset(("id", "href", "name", "status", "amount", "party", "parts", "isShared", "when"))
RESOURCE: dict[str, Any] = {
    "id": "1",
    "href": "/x/1",
    "name": 'a, "b"',
    "status": "active",
    "amount": {"amount": Decimal("2.50"), "units": "EUR"},
    "party": {"id": "A1"},
    "parts": [{"id": "p1", "size": 1}, {"id": "p2", "size": 2}],
    "isShared": True,
    "when": "2026-01-31T12:00:00.000Z",
}


def parse(text: str, *, is_list: bool = True) -> Query:
    return parse_query(text.encode(), ATTRIBUTES, is_list=is_list)


def test_without_a_query_everything_is_shown_from_the_start():
    assert parse("").shown(RESOURCE) == RESOURCE
    assert (parse("").offset, parse("").limit, parse("").matches(RESOURCE)) == (0, 50, True)


def test_fields_keep_id_and_href():
    assert parse("fields=status,name").shown(RESOURCE).keys() == {"id", "href", "status", "name"}
    assert parse("fields=status&fields=name").shown(RESOURCE).keys() == {"id", "href", "status", "name"}
    assert parse("fields=none", is_list=False).shown(RESOURCE).keys() == {"id", "href"}


@pytest.mark.parametrize(
    "query",
    [
        "status=active", "status=done,active", "status=done&status=active", 'status="active"', "party.id=A1",
        "parts.id=p2", "parts.size=2", "amount.amount=2.5", "amount.amount=2.50", "isShared=true",
        "name=" + quote('"a, \\"b\\""'), "when=2026-01-31T13:00:00%2B01:00", "when=2026-01-31T12:00:00Z",
        "status=active&party.id=A1", "amount.amount.gt=2&amount.amount.lte=2.5", "when.gte=2026-01-31",
        "when.lt=2026-02-01T00:00:00Z",
    ],
)  # fmt: skip
def test_condition_that_holds_matches(query: str):
    assert parse(query).matches(RESOURCE)


@pytest.mark.parametrize(
    "query",
    [
        "status=Active", "status=", "party.id=A2", "party=A1", "parts.id=p3", "isShared=True", "isShared=1",
        "amount.amount=NaN", "amount.amount=x", "amount.amount.gt=2.5", "amount.amount.gt=x", "when.lt=2026-01-31",
        "status.gt=a", "status=active&party.id=A2", "party.none=1", "name=a", "when=2026", "parts.size.gt=2",
    ],
)  # fmt: skip
def test_condition_that_does_not_hold_does_not_match(query: str):
    assert not parse(query).matches(RESOURCE)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("nam=1", "nam"), ("fields=nam", "fields"), ("fields=", "fields"), ("offset=-1", "offset"), ("limit=0", "limit"),
        (f"limit={HTTP_PAGE_ITEMS_MAX + 1}", "limit"), ("limit=x", "limit"), ("offset=%C2%B2", "offset"), ("limit=", "limit"),
        ("offset=99999999999", "offset"), ('name="a', "name"), ('name=a"b', "name"), ('name="a"b', "name"),
        ("party..id=1", "party..id"), ("=1", ""), ("name=%ff", "the query"), ("name=ä", "the query"),
        ("&".join(["name=1"] * (HTTP_PARAMETERS_MAX + 1)), "the query"),
    ],
)  # fmt: skip
def test_query_that_asks_for_what_there_is_not_is_refused_and_named(query: str, named: str):
    with pytest.raises(QueryError, match=f"^{named}"):
        parse(query)


def test_of_one_resource_only_fields_can_be_chosen():
    with pytest.raises(QueryError, match="status: one"):
        parse("status=active", is_list=False)


def test_values_of_one_condition_can_be_asked_for():
    assert parse('party.id=A1,"A,2"').only_values("party", "id") == ("A1", "A,2")
    assert parse("party.id.gt=1").only_values("party", "id") == ()


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(st.lists(st.text(), min_size=1, max_size=8))
def test_quoted_values_come_back_as_they_were(values: list[str]):
    assert split_values("x", ",".join(map(quoted, values))) == values


@given(st.text(max_size=30))
def test_any_text_is_split_or_refused(text: str):
    try:
        values = split_values("x", text)
    except QueryError:
        return
    assert values


@given(st.binary(max_size=60))
def test_any_octets_are_a_query_or_refused(octets: bytes):
    with contextlib.suppress(QueryError):
        parse_query(octets, ATTRIBUTES, is_list=True).matches(RESOURCE)


THINGS: list[Resource] = [
    {"id": "1", "name": "b", "amount": {"amount": Decimal(10)}, "when": "2026-01-02T00:00:00+02:00"},
    {"id": "2", "name": "a", "amount": {"amount": Decimal(9)}, "when": "2026-01-01T23:00:00Z"},
    {"id": "3", "name": "b", "when": "2026-01-03T00:00:00Z"},
]


@pytest.mark.parametrize(
    ("query", "ids"),
    [("", "123"), ("sort=name", "213"), ("sort=-name", "132"), ("sort=name,-id", "231"), ("sort=%2Bname,-id", "231"),
     ("sort=+name", "213"), ("sort=amount.amount", "213"), ("sort=-amount.amount", "123"), ("sort=when", "123"),
     ("sort=-when&sort=id", "321")],
)  # fmt: skip
def test_list_is_sorted_as_asked_and_what_has_nothing_there_comes_last(query: str, ids: str):
    assert "".join(thing["id"] for thing in parse(query).sorted(THINGS)) == ids


@pytest.mark.parametrize("query", ["sort=", "sort=colour", "sort=name,,id", "sort=name.", "sort=-"])
def test_order_by_what_there_is_not_is_refused(query: str):
    with pytest.raises(QueryError, match="sort: there is no such attribute"):
        parse(query)
