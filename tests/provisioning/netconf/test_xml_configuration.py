"""Differences as XML, XML as configurations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.limits import NETCONF_FILTER_PATHS_MAX
from ocs.provisioning.configuration import Configuration, ConfigurationDiff, paths_above
from ocs.provisioning.netconf.documents import NETCONF, XmlElement, names_of, parse_document, write_document
from ocs.provisioning.netconf.xml_configuration import filter_xml, from_xml, to_xml
from ocs.provisioning.schema.schema import NodeKind, SchemaError
from tests.support.elements import ethernet, interface, standard_schema

SCHEMA = standard_schema()
OPERATION = f"{{{NETCONF}}}operation"
IP = "/ietf-ip:ipv4/address[ip='192.0.2.%d']"
SYSTEM = "/ietf-system:system"
TARGET = "/ietf-snmp:snmp/target[name='nms']"

# Leaves of many types and kinds of nodes, with two values each.
LEAVES = {
    f"{interface('ge-0/0/1')}/type": ("iana-if-type:ethernetCsmacd", "iana-if-type:l2vlan"),
    f"{interface('ge-0/0/1')}/description": ("<&> 'x' \"y\" äöü", " two  words "),
    f"{interface('ge-0/0/1')}/enabled": ("true", "false"),
    f"{interface('ge-0/0/1')}/ietf-ip:ipv4/mtu": ("1500", "9000"),
    f"{interface('ge-0/0/1')}{IP % 1}/prefix-length": ("24", "30"),
    f"{interface('ge-0/0/1')}{IP % 2}/prefix-length": ("24", "30"),
    f"{interface('its')}/enabled": ("true", "false"),
    f"{SYSTEM}/hostname": ("pe1", "pe2"),
    f"{SYSTEM}/ntp/server[name='a']/udp/address": ("192.0.2.9", "2001:db8::9"),
    f"{TARGET}/udp/ip": ("192.0.2.7", "192.0.2.8"),
}
EXISTING = (f"{SYSTEM}/ntp", f"{SYSTEM}/dns-resolver/search[.='example.net']", f"{TARGET}/tag[.='a b']")


def whole(paths_and_values: Configuration) -> dict[str, str | None]:
    """With the entries and containers with presence around them, as elements give it."""
    made = dict(paths_and_values)
    for path in paths_and_values:
        for above in paths_above(path):
            if SCHEMA.node(above).kind is not NodeKind.CONTAINER:
                made[above] = None
    return made


configurations = st.builds(
    lambda leaves, existing: whole({path: LEAVES[path][which] for path, which in leaves.items()} | existing),
    st.dictionaries(st.sampled_from(sorted(LEAVES)), st.integers(0, 1)),
    st.dictionaries(st.sampled_from(EXISTING), st.none()),
)


def sent(root: XmlElement) -> XmlElement:
    """What comes out at the other end."""
    return parse_document(write_document(root))


@given(configurations)
def test_what_is_written_is_read_again(configuration: dict[str, str | None]) -> None:
    assert SCHEMA.check(configuration) == []
    config = sent(to_xml(ConfigurationDiff(configuration), SCHEMA))
    assert from_xml(config, SCHEMA) == configuration


def marks(root: XmlElement) -> dict[str, str]:
    """Names of elements with an operation."""
    return {
        names_of(item)[1] + "".join(f"[{child.text}]" for child in item if names_of(child)[1] in {"name", "ip"}):
        str(item.get(OPERATION))
        for item in root.iter()
        if item.get(OPERATION)
    }  # fmt: skip


def test_what_is_removed_is_marked_with_its_keys_and_nothing_else_is() -> None:
    diff = ConfigurationDiff(
        ethernet("b"), (interface("a"), interface("b") + "/description", interface("b") + IP % 1)
    )
    config = sent(to_xml(diff, SCHEMA))
    assert marks(config) == {
        "interface[a]": "remove",
        "description": "remove",
        "address[192.0.2.1]": "remove",
    }
    assert marks(sent(to_xml(diff, SCHEMA, removal="delete"))).keys() == marks(config).keys()
    assert set(marks(sent(to_xml(diff, SCHEMA, removal="delete"))).values()) == {"delete"}


def test_entries_of_leaf_lists_are_removed_by_their_value() -> None:
    config = sent(to_xml(ConfigurationDiff({}, (f"{TARGET}/tag[.='a']", f"{TARGET}/tag[.='b']")), SCHEMA))
    assert [(item.text, item.get(OPERATION)) for item in config.iter() if names_of(item)[1] == "tag"] == [
        ("a", "remove"),
        ("b", "remove"),
    ]


def test_what_is_set_below_something_removed_replaces_it() -> None:
    config = sent(to_xml(ConfigurationDiff(ethernet("a"), (interface("a"),)), SCHEMA))
    assert marks(config) == {"interface[a]": "replace"}
    assert from_xml(config, SCHEMA) == ethernet("a")


def test_with_a_container_goes_what_lies_in_it() -> None:
    gone = (f"{SYSTEM}/ntp/server[name='a']", f"{SYSTEM}/ntp", f"{SYSTEM}/contact")
    assert marks(sent(to_xml(ConfigurationDiff({}, gone), SCHEMA))) == {"ntp": "remove", "contact": "remove"}


def test_keys_come_first_and_entries_keep_their_order() -> None:
    servers = [f"{SYSTEM}/dns-resolver/server[name='{name}']" for name in "cab"]
    diff = ConfigurationDiff({f"{server}/udp-and-tcp/address": "192.0.2.1" for server in servers})
    config = sent(to_xml(diff, SCHEMA))
    entries = [item for item in config.iter() if names_of(item)[1] == "server"]
    assert [entry[0].text for entry in entries] == ["c", "a", "b"]
    assert {names_of(entry[0])[1] for entry in entries} == {"name"}


def test_identities_are_read_by_namespace_whatever_the_prefix() -> None:
    for prefix in ("ianaift", "x", "ietf-interfaces"):
        config = parse_document(
            f"<data xmlns='{NETCONF}'><interfaces xmlns='urn:ietf:params:xml:ns:yang:ietf-interfaces'><interface>"
            f"<name>a</name><type xmlns:{prefix}='urn:ietf:params:xml:ns:yang:iana-if-type'>{prefix}:l2vlan</type>"
            "</interface></interfaces></data>".encode()
        )
        assert from_xml(config, SCHEMA)[interface("a") + "/type"] == "iana-if-type:l2vlan"


def test_what_the_schema_does_not_know_is_passed_over() -> None:
    config = parse_document(
        f"<data xmlns='{NETCONF}'><nacm xmlns='urn:somebody'><x/></nacm><interfaces "
        "xmlns='urn:ietf:params:xml:ns:yang:ietf-interfaces'><interface><name>a</name><shiny xmlns='urn:v'>1</shiny>"
        "<novelty>1</novelty><oper-status>up</oper-status></interface><interface><nameless/></interface></interfaces>"
        "</data>".encode()
    )
    assert from_xml(config, SCHEMA) == {interface("a"): None}
    assert from_xml(config, SCHEMA, with_state=True) == {
        interface("a"): None,
        interface("a") + "/oper-status": "up",
    }


def test_secrets_are_resolved_when_they_are_sent() -> None:
    path = f"{SYSTEM}/radius/server[name='r']/udp/shared-secret"
    config = to_xml(
        ConfigurationDiff({path: "secret:radius"}), SCHEMA, resolve={"secret:radius": "s3cret"}.__getitem__
    )
    assert from_xml(sent(config), SCHEMA)[path] == "s3cret"


def test_a_path_of_no_module_is_refused() -> None:
    with pytest.raises(SchemaError, match="nowhere"):
        to_xml(ConfigurationDiff({"/nowhere:a": "1"}), SCHEMA)
    with pytest.raises(SchemaError):
        filter_xml([interface("a") + "/nothing"], SCHEMA)
    with pytest.raises(SchemaError):
        to_xml(ConfigurationDiff({}, (interface("a") + "/nothing[x='1']",)), SCHEMA)


def selected(root: XmlElement) -> str:
    """A filter in one line, without namespaces."""
    text = (root.text or "") if not len(root) else "".join(selected(item) for item in root)
    return f"{names_of(root)[1]}({text})"


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([interface("a")], "interfaces(interface(name(a)))"),
        ([interface("a"), interface("b")], "interfaces(interface(name(a))interface(name(b)))"),
        ([interface("a") + "/description"], "interfaces(interface(name(a)description()))"),
        # The whole entry is wanted: no selection beside its key may narrow it.
        ([interface("a") + "/description", interface("a")], "interfaces(interface(name(a)))"),
        (["/ietf-interfaces:interfaces"], "interfaces()"),
        (["/ietf-interfaces:interfaces", interface("a")], "interfaces()"),
        # Several values of a leaf-list would all have to be there.
        ([f"{TARGET}/tag[.='a']", f"{TARGET}/tag[.='b']"], "snmp(target(name(nms)tag()))"),
    ],
)
def test_filters_ask_for_no_less_than_what_is_wanted(paths: list[str], expected: str) -> None:
    assert selected(filter_xml(paths, SCHEMA)) == f"filter({expected})"


def test_of_very_many_paths_the_whole_container_is_asked_for() -> None:
    many = [interface(str(number)) for number in range(NETCONF_FILTER_PATHS_MAX + 1)]
    assert selected(filter_xml(many, SCHEMA)) == "filter(interfaces())"
    assert len(filter_xml(many[:-1], SCHEMA)[0]) == NETCONF_FILTER_PATHS_MAX
