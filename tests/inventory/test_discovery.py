"""An element's tables read as resources."""

import hypothesis.strategies as st
from hypothesis import given

from ocs.inventory.discovery import Discovered, from_netconf, from_snmp
from ocs.inventory.model import Kind, Resource
from ocs.inventory.naming import check_resource

_IF = "1.3.6.1.2.1.2.2.1"
_IF_X = "1.3.6.1.2.1.31.1.1.1"
_ENTITY = "1.3.6.1.2.1.47.1.1.1.1"
_LLDP = "1.0.8802.1.1.2.1"


def test_interfaces_are_called_by_their_names_and_have_what_the_agent_says() -> None:
    values = {
        f"{_IF}.2.1": b"Loopback",
        f"{_IF}.2.7": b"GigabitEthernet0/0/1",
        f"{_IF}.6.7": bytes.fromhex("001122aabbcc"),
        f"{_IF_X}.1.7": b"ge-0/0/1",
        f"{_IF_X}.15.7": 1_000,
        f"{_IF_X}.18.7": b"to customer\0",
    }
    assert from_snmp("pe1", values) == [
        Discovered(resource_id="pe1/if/Loopback", kind=Kind.INTERFACE, parent="pe1", attributes={"index": 1}),
        Discovered(
            resource_id="pe1/if/ge-0/0/1",
            kind=Kind.INTERFACE,
            parent="pe1",
            attributes={
                "index": 7,
                "description": "to customer",
                "speed_mbit_s": 1_000,
                "mac": "00:11:22:aa:bb:cc",
            },
        ),
    ]


def test_modules_fans_and_power_supplies_are_parts_and_chassis_is_the_element() -> None:
    values = {
        f"{_ENTITY}.5.1": 3,
        f"{_ENTITY}.5.2": 9,
        f"{_ENTITY}.7.2": b"slot 2",
        f"{_ENTITY}.11.2": b"SN42",
        f"{_ENTITY}.13.2": b"LC-8",
        f"{_ENTITY}.5.3": 6,
        f"{_ENTITY}.5.4": 7,
        f"{_ENTITY}.7.4": b"tray",
    }
    found = {one.resource_id: one for one in from_snmp("pe1", values)}
    assert found.keys() == {"pe1/card/slot 2", "pe1/psu/3", "pe1/fan/tray"}
    assert found["pe1/card/slot 2"].attributes == {"serial": "SN42", "model": "LC-8"}
    assert found["pe1/psu/3"].kind is Kind.PART


def test_neighbour_is_what_the_port_hears() -> None:
    values = {
        f"{_IF_X}.1.7": b"ge-0/0/1",
        f"{_LLDP}.3.7.1.3.12": b"ge-0/0/1",
        f"{_LLDP}.4.1.1.7.0.12.1": b"xe-1/0",
        f"{_LLDP}.4.1.1.9.0.12.1": b"core-1",
        f"{_LLDP}.4.1.1.7.0.99.1": b"nowhere",
    }
    assert from_snmp("pe1", values)[0].neighbour == "core-1/if/xe-1/0"


def test_netconf_says_the_same_of_interfaces_and_hardware() -> None:
    interface = "/ietf-interfaces:interfaces/interface[name='ge-0/0/1']"
    card = "/ietf-hardware:hardware/component[name='slot 2']"
    state = {
        interface: None,
        f"{interface}/if-index": "7",
        f"{interface}/speed": "1000000000",
        f"{interface}/phys-address": "00:11:22:AA:BB:CC",
        f"{interface}/statistics/in-octets": "5",
        f"{card}/class": "iana-hardware:module",
        f"{card}/serial-num": "SN42",
        "/ietf-hardware:hardware/component[name='box']/class": "iana-hardware:chassis",
        "no path": "x",
    }
    found = {one.resource_id: one.attributes for one in from_netconf("pe1", state)}
    assert found == {
        "pe1/if/ge-0/0/1": {"index": 7, "speed_mbit_s": 1_000, "mac": "00:11:22:aa:bb:cc"},
        "pe1/card/slot 2": {"serial": "SN42"},
    }


_columns = st.sampled_from(
    [
        f"{_IF}.2",
        f"{_IF}.6",
        f"{_IF_X}.1",
        f"{_IF_X}.15",
        f"{_ENTITY}.5",
        f"{_ENTITY}.7",
        f"{_LLDP}.4.1.1.7",
        f"{_LLDP}.3.7.1.3",
    ]
)
_names = st.builds(
    lambda column, index: ".".join((column, *map(str, index))),
    _columns,
    st.lists(st.integers(0, 3), max_size=3),
)
_values = st.one_of(st.none(), st.integers(0, 12), st.binary(max_size=300), st.text(max_size=5))


@given(values=st.dictionaries(_names, _values, max_size=30))
def test_whatever_an_agent_says_becomes_resources_that_the_inventory_takes(values: dict) -> None:
    for one in from_snmp("pe1", values):
        check_resource(Resource(resource_id=one.resource_id, kind=one.kind, parent=one.parent))
