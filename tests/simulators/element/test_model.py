"""The YANG model that elements share."""

from pathlib import Path
from typing import Any, cast

import pytest

from simulators.element.model import (
    SERVICE_YANG,
    Kind,
    LeafError,
    Model,
    ModelError,
    RuleError,
    Tree,
    load_model,
    nodes_below,
)
from simulators.element.tree import flatten, format_path, parse_path, with_path
from tests.support.element_clients import ETHERNET, FIRST, GE0, HOSTNAME


def tree_of(model: Model, values: dict[str, str]) -> Tree:
    tree: Tree = {}
    for path, value in values.items():
        tree = with_path(model, tree, path, value)
    return tree


def test_modules_and_what_they_import_are_found_by_themselves(model: Model) -> None:
    assert {"ietf-interfaces", "ietf-ip", "ietf-system", "ietf-snmp"} <= set(model.implemented)
    assert "ietf-inet-types" in model.sources
    assert "ietf-snmp-target" in model.sources  # a submodule
    assert model.content_id


def test_every_module_of_our_own_is_implemented(model: Model) -> None:
    own = {path.stem for path in SERVICE_YANG.glob("ocs-*.yang")}
    assert own
    assert own <= set(model.implemented)


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yang").write_text("module a { namespace urn:a; prefix a;\n import b { prefix b; } }")
    with pytest.raises(ModelError, match="no file of module b"):
        load_model(("a",), (tmp_path, SERVICE_YANG))


def test_nodes_know_their_kind_keys_and_defaults(model: Model) -> None:
    interface = model.root.children["ietf-interfaces:interfaces"].children["ietf-interfaces:interface"]
    assert interface.kind is Kind.LIST
    assert interface.keys == ("ietf-interfaces:name",)
    assert interface.children["ietf-interfaces:enabled"].default == "true"
    assert interface.children["ietf-ip:ipv4"].is_presence
    assert not interface.children["ietf-interfaces:oper-status"].is_config
    assert any(node.is_ordered_by_user for node in nodes_below(model.root))


@pytest.mark.parametrize(
    ("name", "text", "canonical"),
    [
        ("ietf-interfaces:enabled", "true", "true"),
        ("ietf-interfaces:type", ETHERNET, ETHERNET),
    ],
)
def test_values_become_canonical(model: Model, name: str, text: str, canonical: str) -> None:
    interface = model.root.children["ietf-interfaces:interfaces"].children["ietf-interfaces:interface"]
    assert interface.children[name].parse(text) == canonical


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ietf-interfaces:enabled", "maybe"),
        ("ietf-interfaces:type", "iana-if-type:no-such"),
        ("ietf-interfaces:type", ""),
    ],
)
def test_what_is_no_value_of_the_type_is_refused(model: Model, name: str, text: str) -> None:
    interface = model.root.children["ietf-interfaces:interfaces"].children["ietf-interfaces:interface"]
    with pytest.raises(LeafError, match=name):
        interface.children[name].parse(text)


def test_a_whole_configuration_passes_and_one_without_a_mandatory_leaf_does_not(model: Model) -> None:
    model.check(tree_of(model, FIRST))
    with pytest.raises(RuleError, match="type") as caught:
        model.check(tree_of(model, {f"{GE0}/description": "no type"}))
    assert caught.value.tag == "missing-data"
    assert "ge-0" in caught.value.path


def test_a_choice_of_bare_containers_is_made_without_any_of_them(model: Model) -> None:
    instance = "/ietf-network-instance:network-instances/network-instance[name='acme']"
    tree = tree_of(model, {f"{instance}/enabled": "true"})
    model.check(tree)
    assert "vrf-root" not in str(model.with_defaults(tree)), "nobody has written it"


def test_a_choice_that_is_not_made_is_told_with_its_place(model: Model) -> None:
    address = f"{GE0}/ietf-ip:ipv4/address[ip='10.0.0.1']"
    tree = with_path(model, tree_of(model, FIRST), address, None)
    with pytest.raises(RuleError, match="the choice subnet is not made") as caught:
        model.check(tree)
    assert caught.value.tag == "missing-data"
    assert format_path(parse_path(model, caught.value.path)) == address
    model.check(with_path(model, tree, f"{address}/prefix-length", "24"))


def test_prefixes_of_xml_become_names_of_modules_and_back(model: Model) -> None:
    interface = model.root.children["ietf-interfaces:interfaces"].children["ietf-interfaces:interface"]
    node = interface.children["ietf-interfaces:type"]
    uri = model.namespaces["iana-if-type"]
    assert model.from_prefixes(node, "x:ethernetCsmacd", {"x": uri}) == ETHERNET
    assert model.prefixes_in(node, ETHERNET) == {"iana-if-type": uri}
    plain = interface.children["ietf-interfaces:description"]
    assert model.from_prefixes(plain, "x:ethernetCsmacd", {"x": uri}) == "x:ethernetCsmacd"
    assert model.prefixes_in(plain, ETHERNET) == {}


def test_defaults_in_use_are_written_out(model: Model) -> None:
    full = flatten(model, model.with_defaults(tree_of(model, FIRST)))
    assert full[f"{GE0}/enabled"] == "true"
    assert full[HOSTNAME] == "pe1"


def test_a_tree_is_not_changed_by_being_checked(model: Model) -> None:
    tree = tree_of(model, FIRST)
    before = flatten(model, tree)
    model.check(tree)
    model.with_defaults(tree)
    assert flatten(model, cast("Any", tree)) == before
