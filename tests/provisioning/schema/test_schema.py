"""Paths and values against YANG modules of the IETF."""

import pytest

from ocs.provisioning.configuration import Configuration
from ocs.provisioning.schema.schema import NodeKind, SchemaError
from tests.support.elements import ethernet, interface, standard_schema

SCHEMA = standard_schema()
A = interface("a")
NTP = "/ietf-system:system/ntp"


def test_a_path_leads_to_its_node() -> None:
    node = SCHEMA.node(f"{A}/ietf-ip:ipv4/address[ip='192.0.2.1']")
    assert (node.name, node.kind, node.keys, node.module) == (
        "ietf-ip:address",
        NodeKind.LIST,
        ("ip",),
        "ietf-ip",
    )
    assert node.namespace == SCHEMA.namespace("ietf-ip") == "urn:ietf:params:xml:ns:yang:ietf-ip"
    assert SCHEMA.module_of(node.namespace) == "ietf-ip"
    assert node.key("ip").kind is NodeKind.LEAF
    assert SCHEMA.node(NTP).kind is NodeKind.PRESENCE
    assert SCHEMA.node("/ietf-interfaces:interfaces").kind is NodeKind.CONTAINER
    assert SCHEMA.node("/ietf-system:system/dns-resolver/search[.='x']").is_ordered_by_user
    assert SCHEMA.node(f"{A}/enabled").default == "true"
    assert SCHEMA.node(f"{A}/type").is_mandatory
    assert not SCHEMA.node(f"{A}/oper-status").is_config


def test_nodes_of_choices_stand_without_them() -> None:
    assert SCHEMA.node(f"{NTP}/server[name='a']/udp/port").default == "123"


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({f"{A}/shoe-size": "44"}, "no node ietf-interfaces:shoe-size"),
        ({f"{A}/ipv4/mtu": "1500"}, "is ietf-ip:ipv4 meant?"),
        ({"/vendor:top": "1"}, "no module vendor"),
        ({f"{A}/enabled": "yes"}, "boolean"),
        ({f"{A}/enabled": None}, "a leaf needs a value"),
        ({A: "x"}, "a list has no value"),
        ({"/ietf-interfaces:interfaces": None}, "only implied"),
        ({f"{A}/oper-status": "up"}, "state"),
        ({f"{A}/type": "ethernet"}, "identity"),
        ({f"{A}/ietf-ip:ipv4/mtu": "67"}, "range"),
        ({f"{A}/ietf-ip:ipv4/mtu": "1_500"}, "integer"),
        ({f"{A}/ietf-ip:ipv4/address[ip='192.0.2.256']/prefix-length": "24"}, "pattern"),
        ({f"{A}/description": "\x01"}, "XML"),
        ({"/ietf-interfaces:interfaces/interface": None}, "[name='...']"),
        ({"/ietf-interfaces:interfaces/interface[id='a']": None}, "[name='...']"),
        ({"/ietf-interfaces:interfaces[name='a']": None}, "has no keys"),
        ({f"{A}/enabled/x": "1"}, "below a leaf"),
        ({"/ietf-system:system/dns-resolver/search": None}, "[.='...']"),
        ({"no path": None}, "no path"),
    ],
)
def test_what_does_not_fit_is_named(configuration: Configuration, words: str) -> None:
    (fault,) = SCHEMA.check(configuration)
    assert fault.path in configuration
    assert words in fault.reason
    with pytest.raises(SchemaError) as refused:
        SCHEMA.canonical(configuration)
    assert str(next(iter(configuration))) in str(refused.value)


def test_what_fits_has_no_faults_and_secrets_are_not_looked_at() -> None:
    configuration = ethernet("a", "x") | {
        NTP: None,
        "/ietf-system:system/radius/server[name='r']/udp/shared-secret": "secret:radius",
        f"{A}/ietf-ip:ipv4/mtu": "secret:mtu",
    }
    assert SCHEMA.check(configuration) == []
    assert SCHEMA.canonical(configuration) == configuration


def test_a_complete_configuration_has_its_mandatory_leaves() -> None:
    assert SCHEMA.check({A: None}) == []
    assert [fault.path for fault in SCHEMA.check({A: None}, is_complete=True)] == [f"{A}/type"]
    assert SCHEMA.check(ethernet("a"), is_complete=True) == []
    inside = {f"{A}/description": "x"}
    assert [fault.path for fault in SCHEMA.check(inside, is_complete=True)] == [f"{A}/type"]


def test_equal_values_have_one_form_also_in_keys() -> None:
    assert SCHEMA.canonical(
        {
            f"{A}/type": "iana-if-type:l2vlan",
            f"{A}/ietf-ip:ipv4/mtu": "+1500",
            f"{A}/ietf-ip:ipv6/address[ip='2001:DB8:0:0::1']/prefix-length": "64",
        }
    ) == {
        f"{A}/type": "iana-if-type:l2vlan",
        f"{A}/ietf-ip:ipv4/mtu": "1500",
        f"{A}/ietf-ip:ipv6/address[ip='2001:db8::1']/prefix-length": "64",
    }
