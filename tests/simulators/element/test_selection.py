"""Subtree filters (RFC 6241 section 6) and modes of defaults (RFC 6243)."""

from typing import Any

import pytest
from lxml import etree

from simulators.element.model import Model
from simulators.element.selection import in_mode, selected, tag_defaults
from simulators.element.tree import flatten, with_path, write_xml
from tests.support.element_clients import ETHERNET, FIRST, GE0, HOSTNAME, INTERFACES, SYSTEM

GE1 = GE0.replace("ge-0", "ge-1")


def tree(model: Model, values: dict[str, str]) -> Any:
    grown: Any = {}
    for path, value in values.items():
        grown = with_path(model, grown, path, value)
    return grown


def selection(model: Model, inside: str) -> dict[str, str | None]:
    whole = tree(model, {**FIRST, f"{GE1}/type": ETHERNET, f"{GE1}/enabled": "false"})
    return flatten(model, selected(model, whole, etree.fromstring(f"<filter>{inside}</filter>")))


def interfaces(inside: str) -> str:
    return f'<interfaces xmlns="{INTERFACES}">{inside}</interfaces>'


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("", []),
        (f'<system xmlns="{SYSTEM}"/>', [HOSTNAME]),
        ("<system/>", [HOSTNAME]),
        ('<system xmlns="urn:other"/>', []),
        (interfaces("<interface><name>ge-1</name></interface>"), [GE1, f"{GE1}/type", f"{GE1}/enabled"]),
        (interfaces("<interface><name>ge-7</name></interface>"), []),
        (interfaces("<interface><name/></interface>"), [GE0, GE1]),
        (interfaces("<interface><name>ge-1</name><enabled/></interface>"), [GE1, f"{GE1}/enabled"]),
        (
            interfaces("<interface><enabled>false</enabled><type/></interface>"),
            [GE1, f"{GE1}/enabled", f"{GE1}/type"],
        ),
        (interfaces("<interface><description/></interface>"), [GE0, f"{GE0}/description"]),
        (
            interfaces(
                "<interface><name>ge-0</name><type/></interface><interface><name>ge-1</name><type/></interface>"
            ),
            [GE0, f"{GE0}/type", GE1, f"{GE1}/type"],
        ),
    ],
)
def test_filters_select_as_the_standard_says(model: Model, filter_: str, expected: list[str]) -> None:
    got = list(selection(model, filter_))
    assert sorted(got) == sorted(expected)


def test_identities_match_by_meaning_and_not_by_prefix(model: Model) -> None:
    type_ = '<type xmlns:q="urn:ietf:params:xml:ns:yang:iana-if-type">q:ethernetCsmacd</type>'
    got = selection(model, interfaces(f"<interface>{type_}<name/></interface>"))
    assert GE0 in got
    assert GE1 in got


def test_modes_of_defaults(model: Model) -> None:
    explicit = tree(model, {f"{GE0}/type": ETHERNET, f"{GE0}/enabled": "true"})
    assert in_mode(model, explicit, "explicit") is explicit
    assert f"{GE0}/enabled" not in flatten(model, in_mode(model, explicit, "trim"))
    bare = tree(model, {f"{GE0}/type": ETHERNET})
    assert flatten(model, in_mode(model, bare, "report-all"))[f"{GE0}/enabled"] == "true"
    data = etree.Element("data")
    write_xml(model, in_mode(model, bare, "report-all-tagged"), data)
    tag_defaults(model, data)
    enabled = data.find(f".//{{{INTERFACES}}}enabled")
    assert enabled is not None
    assert enabled.get("{urn:ietf:params:xml:ns:netconf:default:1.0}default") == "true"
