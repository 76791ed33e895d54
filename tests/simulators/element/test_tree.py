"""Configuration trees."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from simulators.element.edits import BASE, edited
from simulators.element.model import LeafError, Model, Tree, load_model
from simulators.element.tree import (
    PathError,
    changes,
    flatten,
    format_path,
    parse_path,
    prefixed_path,
    with_path,
    without_path,
    write_xml,
)
from tests.support.element_clients import ETHERNET, FIRST, GE0, HOSTNAME

ADDRESS = f"{GE0}/ietf-ip:ipv4/address[ip='10.0.0.1']"
ENTRIES = {GE0: None, f"{GE0}/ietf-ip:ipv4": None, ADDRESS: None}
NTP = "/ietf-system:system/ntp/server[name='a']/udp/address"
SEARCH = "/ietf-system:system/dns-resolver/search"
VALUES = {
    f"{GE0}/type": ETHERNET,
    f"{GE0}/description": 'it\'s "so"',
    f"{ADDRESS}/prefix-length": "24",
    HOSTNAME: "x",
    NTP: "10.0.0.9",
    f"{SEARCH}[.='a.example']": None,
    f"{SEARCH}[.='b.example']": None,
}


def grown(model: Model, values: dict[str, str | None]) -> Tree:
    tree: Tree = {}
    for path, value in values.items():
        tree = with_path(model, tree, path, value)
    return tree


def test_a_tree_is_the_mapping_that_it_was_made_of(model: Model) -> None:
    tree = grown(model, dict(FIRST))
    assert flatten(model, tree) == {**FIRST, GE0: None}


@given(st.sets(st.sampled_from(sorted(VALUES)), min_size=1))
@settings(deadline=None, max_examples=50)
def test_what_is_written_as_xml_reads_back_as_the_same(paths: set[str]) -> None:
    model = load_model()
    tree = grown(model, {path: VALUES[path] for path in sorted(paths)})
    xml = etree.Element(f"{{{BASE}}}config", nsmap={None: BASE})
    write_xml(model, tree, xml)
    again = etree.fromstring(etree.tostring(xml))
    assert flatten(model, edited(model, {}, again)) == flatten(model, tree)


@given(st.sets(st.sampled_from(sorted(VALUES)), min_size=1))
@settings(deadline=None, max_examples=50)
def test_what_is_taken_away_again_leaves_what_was_there(paths: set[str]) -> None:
    model = load_model()
    before = grown(model, {f"{GE0}/enabled": "false"})
    after = before
    for path in sorted(paths):
        after = with_path(model, after, path, VALUES[path])
    for path in (*sorted(paths, reverse=True), f"{GE0}/ietf-ip:ipv4", "/ietf-system:system/ntp"):
        after = without_path(model, after, path)
    assert flatten(model, after) == flatten(model, before)


def test_a_change_leaves_the_tree_that_it_was_made_from(model: Model) -> None:
    before = grown(model, dict(FIRST))
    with_path(model, before, HOSTNAME, "other")
    without_path(model, before, GE0)
    assert flatten(model, before) == {**FIRST, GE0: None}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nonsense",
        "/interfaces",
        "/ietf-interfaces:interfaces/interface/type",
        "/no-such:module",
        GE0 + "/no",
    ],
)
def test_what_is_no_path_of_the_model_is_refused(model: Model, path: str) -> None:
    with pytest.raises(PathError):
        parse_path(model, path)


def test_a_leaf_needs_a_value_of_its_type(model: Model) -> None:
    with pytest.raises(LeafError):
        with_path(model, {}, HOSTNAME, None)
    with pytest.raises(LeafError):
        with_path(model, {}, f"{GE0}/enabled", "perhaps")


def test_paths_are_written_as_they_are_read(model: Model) -> None:
    for path in VALUES:
        assert format_path(parse_path(model, path)) == path


def test_one_case_of_a_choice_drives_out_the_others(model: Model) -> None:
    tree = grown(model, {f"{ADDRESS}/prefix-length": "24"})
    if "ietf-ip:netmask" not in parse_path(model, ADDRESS)[-1].node.children:
        pytest.skip("the feature ipv4-non-contiguous-netmasks is off")
    tree = with_path(model, tree, f"{ADDRESS}/netmask", "255.255.0.0")
    assert f"{ADDRESS}/prefix-length" not in flatten(model, tree)


def test_changes_name_the_highest_node_that_came_or_went_and_each_leaf_that_differs(model: Model) -> None:
    before = grown(model, {**FIRST, f"{SEARCH}[.='a.example']": None})
    after = with_path(model, without_path(model, before, GE0), HOSTNAME, "other")
    after = with_path(model, after, f"{SEARCH}[.='b.example']", None)
    found = {(format_path(one.steps), one.operation) for one in changes(model, before, after)}
    assert found == {
        (GE0, "delete"),
        (HOSTNAME, "replace"),
        (f"{SEARCH}[.='b.example']", "create"),
    }
    assert changes(model, before, before) == []


def test_paths_of_xml_have_a_prefix_for_each_name(model: Model) -> None:
    text, names = prefixed_path(model, parse_path(model, f"{ADDRESS}/prefix-length"))
    assert text == (
        "/if:interfaces/if:interface[if:name='ge-0']/ip:ipv4/ip:address[ip:ip='10.0.0.1']/ip:prefix-length"
    )
    assert names["ip"] == "urn:ietf:params:xml:ns:yang:ietf-ip"
