"""Sites of business VPNs on provider edge and customer's router."""

import msgspec
import pytest

from ocs.inventory.model import Resource, Service, Use
from ocs.provisioning.services.model import PrefixAllocation, ServiceError, VlanAllocation
from ocs.provisioning.services.vpn_site import VpnSite
from tests.support.described_network import DescribedNetwork
from tests.support.service_lab import POOL, VPN_SITE

INTERFACES = "/ietf-interfaces:interfaces/interface"
VRF = "/ietf-network-instance:network-instances/network-instance[name='acme']"
POLICY = "/ocs-qos:qos/policy[name='business-100']"


def service(**parameters: object) -> Service:
    return Service(
        service_id="s",
        model="vpn_site",
        parameters=VPN_SITE | parameters,
        allocations={"vlan": "vlan/berlin/100", "prefix": "prefix/acme/10.1.0.8/30"},
    )


def end(name: str, parent: str, address: str) -> dict[str, str | None]:
    path = f"{INTERFACES}[name='{name}']"
    return {
        f"{POLICY}/committed-information-rate": "10000000",
        f"{POLICY}/peak-information-rate": "100000000",
        f"{POLICY}/differentiated-services-code-point": "26",
        f"{path}/type": "iana-if-type:l2vlan",
        f"{path}/description": "service s",
        f"{path}/enabled": "true",
        f"{path}/ocs-vlan:vlan/parent-interface": parent,
        f"{path}/ocs-vlan:vlan/vlan-id": "100",
        f"{path}/ocs-qos:qos/input-policy": "business-100",
        f"{path}/ocs-qos:qos/output-policy": "business-100",
        f"{path}/ietf-ip:ipv4": None,
        f"{path}/ietf-ip:ipv4/address[ip='{address}']/prefix-length": "30",
    }


def test_provider_edge_has_the_sub_interface_in_the_vrf_and_the_customers_router_the_far_end() -> None:
    wanted = VpnSite().wanted(service(), DescribedNetwork())
    sub_interface = f"{INTERFACES}[name='ge-0/0/1.100']"
    assert wanted == {
        "pe1": {
            **end("ge-0/0/1.100", "ge-0/0/1", "10.1.0.9"),
            f"{sub_interface}/ietf-network-instance:bind-ni-name": "acme",
            f"{VRF}/enabled": "true",
            f"{VRF}/ocs-vpn:vpn/route-distinguisher": "64500:1",
            f"{VRF}/ocs-vpn:vpn/import-route-target[.='64500:1']": None,
            f"{VRF}/ocs-vpn:vpn/export-route-target[.='64500:1']": None,
        },
        "cpe1": end("eth0.100", "eth0", "10.1.0.10"),
    }


def test_router_that_is_none_of_ours_is_left_alone() -> None:
    ordered = service(customer_port="", qos_policy="best-effort")
    wanted = VpnSite().wanted(ordered, DescribedNetwork())
    assert wanted.keys() == {"pe1"}
    assert not any("code-point" in path for path in wanted["pe1"])
    assert Use("cpe1", "customer-edge") not in VpnSite().uses(ordered, DescribedNetwork())


def test_vlan_of_the_edges_site_and_addresses_of_the_vrf_are_reserved() -> None:
    prefix = PrefixAllocation(name="prefix", pool=POOL, length=30)
    any_vlan = VlanAllocation(name="vlan", site="site/berlin", first=2, last=4094)
    this_vlan = VlanAllocation(name="vlan", site="site/berlin", first=7, last=7)
    assert VpnSite().allocations(service(), DescribedNetwork()) == (any_vlan, prefix)
    assert VpnSite().allocations(service(vlan_id=7), DescribedNetwork()) == (this_vlan, prefix)


def test_service_fails_with_its_ports_its_elements_and_what_it_was_given() -> None:
    assert set(VpnSite().uses(service(), DescribedNetwork())) == {
        Use("pe1", "provider-edge"),
        Use("cpe1", "customer-edge"),
        Use("pe1/if/ge-0/0/1", "access"),
        Use("cpe1/if/eth0", "customer-port"),
        Use("vpn/acme", "vpn"),
        Use("qos-policy/business-100", "qos-policy"),
        Use("vlan/berlin/100", "vlan"),
        Use("prefix/acme/10.1.0.8/30", "prefix"),
    }


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"port": "pe1"}, "pe1: no such interface in the inventory"),
        ({"customer_port": "pe1/if/ge-0/0/2"}, "port and customer_port are of the same element"),
        ({"address_pool": "prefix/other/10.1.0.0/24"}, "expected a prefix of IPv4 in the VRF acme"),
        ({"port": "cpe1/if/eth0", "customer_port": ""}, "cpe1: the inventory does not say at which site"),
    ],
)
def test_what_does_not_go_together_is_refused(parameters: dict[str, object], reason: str) -> None:
    network = DescribedNetwork()
    network.resources["pe1"] = Resource(resource_id="pe1", kind=network.records["pe1"].resource.kind)
    with pytest.raises(ServiceError, match=reason):
        VpnSite().elements(service(**parameters), network)
        VpnSite().allocations(service(**parameters), network)


def test_vpn_without_its_routes_is_named() -> None:
    network = DescribedNetwork()
    network.resources["vpn/acme"] = msgspec.structs.replace(network.resources["vpn/acme"], attributes={})
    with pytest.raises(ServiceError, match=r"vpn/acme: attributes in the inventory: .*route_distinguisher"):
        VpnSite().wanted(service(), network)
