"""A site of a business VPN: a sub-interface of the provider edge's port, in the customer's VRF.

The far end, on the customer's router, is configured too where that is ours. The VPN, ``vpn/acme``, and the policy of
quality of service, ``qos-policy/business-100``, are resources, as the profiles of :mod:`.mobile_data`. Addresses come
from a prefix of the VRF: the provider edge has the first of each site's two.
"""

from ipaddress import ip_network
from typing import Annotated, ClassVar, Final

import msgspec

from ocs.inventory.model import Kind, Service, Use
from ocs.inventory.naming import element_of, prefix_of, vlan_id_of
from ocs.limits import VLAN_MAX
from ocs.provisioning.services.model import (
    Allocation,
    Name,
    NetworkView,
    PrefixAllocation,
    ServiceError,
    VlanAllocation,
    allocated,
    entry,
    pool_of,
    read_attributes,
    read_parameters,
    within,
)

_INTERFACES: Final = "/ietf-interfaces:interfaces/interface"
_INSTANCES: Final = "/ietf-network-instance:network-instances/network-instance"
_POLICIES: Final = "/ocs-qos:qos/policy"
_PORT_WORD: Final = "if/"
_VLAN: Final = "vlan"
_PREFIX: Final = "prefix"
# Two hosts, one at each end (a /30 of RFC 3021's introduction); not every customer's router takes a /31.
_LINK_LENGTH: Final = 30
# VLAN 1 is the one that switches use for what has no VLAN.
_VLAN_FIRST: Final = 2

_RouteValue = Annotated[
    str, msgspec.Meta(pattern=r"^(?:[0-9]{1,10}|[0-9]{1,3}(?:\.[0-9]{1,3}){3}):[0-9]{1,10}\Z")
]


class VpnSiteParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is ordered.

    Attributes:
        vpn: by name; the inventory has ``vpn/NAME``; it is the VRF's name too. port: of the provider edge, an
            interface in the inventory. address_pool: a prefix of the VRF in the inventory. qos_policy: by name; the
            inventory has ``qos-policy/NAME``. vlan_id: on the port; 0: the first that is free at the site.
            customer_port: of the customer's router, an interface in the inventory; empty: it is none of ours.
    """

    vpn: Annotated[Name, msgspec.Meta(examples=["acme"])]
    port: Annotated[str, msgspec.Meta(examples=["pe1/if/ge-0"])]
    address_pool: Annotated[str, msgspec.Meta(examples=["prefix/acme/10.1.0.0/16"])]
    qos_policy: Annotated[Name, msgspec.Meta(examples=["business-100"])]
    vlan_id: Annotated[int, msgspec.Meta(ge=0, le=VLAN_MAX, examples=[100])] = 0
    customer_port: Annotated[str, msgspec.Meta(examples=["ce1/if/ge-0"])] = ""


class Vpn(msgspec.Struct, frozen=True, kw_only=True):
    """What the inventory says of a VPN (RFC 4364). Every site takes from and gives to all others."""

    route_distinguisher: _RouteValue
    route_target: _RouteValue


class QosPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What the inventory says of a policy; ``dscp`` below 0: packets keep their mark."""

    committed_bits_per_s: Annotated[int, msgspec.Meta(ge=1)]
    peak_bits_per_s: Annotated[int, msgspec.Meta(ge=1)]
    dscp: Annotated[int, msgspec.Meta(ge=-1, le=63)] = -1


class VpnSite:
    """A site of a business VPN: a VLAN on a provider edge's port, in the customer's VRF."""

    name: ClassVar[str] = "vpn_site"
    parameters_type: ClassVar[type[msgspec.Struct]] = VpnSiteParameters

    def elements(self, service: Service, network: NetworkView) -> tuple[str, ...]:
        """The provider edge, and the customer's router if it is ours."""
        ordered = read_parameters(service, VpnSiteParameters)
        ports = [ordered.port, *([ordered.customer_port] if ordered.customer_port else [])]
        names = tuple(_port(network, port)[0] for port in ports)
        if len(set(names)) != len(names):
            raise ServiceError(f"{service.service_id}: port and customer_port are of the same element")
        return names

    def allocations(self, service: Service, network: NetworkView) -> tuple[Allocation, ...]:
        """A VLAN of the provider edge's site, and four addresses."""
        ordered = read_parameters(service, VpnSiteParameters)
        name, _ = _port(network, ordered.port)
        record = network.element(name)
        if record is None or not record.site:
            raise ServiceError(
                f"{name}: the inventory does not say at which site this element stands:"
                f" `ocs inventory update {name} --in site/SITE`"
            )
        vrf, pool = pool_of(network, ordered.address_pool)
        if vrf != ordered.vpn or pool.version != 4:
            raise ServiceError(f"{ordered.address_pool}: expected a prefix of IPv4 in the VRF {ordered.vpn}")
        first = ordered.vlan_id or _VLAN_FIRST
        return (
            VlanAllocation(name=_VLAN, site=record.site, first=first, last=ordered.vlan_id or VLAN_MAX),
            PrefixAllocation(name=_PREFIX, pool=ordered.address_pool, length=_LINK_LENGTH),
        )

    def wanted(self, service: Service, network: NetworkView) -> dict[str, dict[str, str | None]]:
        """VRF, policy and sub-interface on the provider edge; the sub-interface on the customer's router."""
        ordered = read_parameters(service, VpnSiteParameters)
        vpn = read_attributes(network, f"vpn/{ordered.vpn}", Vpn)
        policy = read_attributes(network, f"qos-policy/{ordered.qos_policy}", QosPolicy)
        _, vlan_id = vlan_id_of(allocated(service, _VLAN))
        link = ip_network(prefix_of(allocated(service, _PREFIX))[1])
        policy_part = within(entry(_POLICIES, name=ordered.qos_policy), _policy_leaves(policy))

        def end(port: str, address: str) -> tuple[str, dict[str, str | None], str]:
            element, parent = _port(network, port)
            sub_interface = entry(_INTERFACES, name=f"{parent}.{vlan_id}")
            leaves: dict[str, str | None] = {
                "type": "iana-if-type:l2vlan",
                "description": f"service {service.service_id}",
                "enabled": "true",
                "ocs-vlan:vlan/parent-interface": parent,
                "ocs-vlan:vlan/vlan-id": str(vlan_id),
                "ocs-qos:qos/input-policy": ordered.qos_policy,
                "ocs-qos:qos/output-policy": ordered.qos_policy,
                "ietf-ip:ipv4": None,
                f"ietf-ip:ipv4/address[ip='{address}']/prefix-length": str(link.prefixlen),
            }
            return element, {**policy_part, **within(sub_interface, leaves)}, sub_interface

        element, edge, sub_interface = end(ordered.port, str(link[1]))
        edge |= within(entry(_INSTANCES, name=ordered.vpn), _vrf_leaves(vpn))
        edge[f"{sub_interface}/ietf-network-instance:bind-ni-name"] = ordered.vpn
        wanted = {element: edge}
        if ordered.customer_port:
            customer_element, customer_end, _ = end(ordered.customer_port, str(link[2]))
            wanted[customer_element] = customer_end
        return wanted

    def uses(self, service: Service, network: NetworkView) -> tuple[Use, ...]:
        """Ports with their elements, VPN, policy, VLAN and addresses."""
        ordered = read_parameters(service, VpnSiteParameters)
        elements = self.elements(service, network)
        return (
            *(
                Use(name, role)
                for name, role in zip(elements, ("provider-edge", "customer-edge"), strict=False)
            ),
            Use(ordered.port, "access"),
            *([Use(ordered.customer_port, "customer-port")] if ordered.customer_port else []),
            Use(f"vpn/{ordered.vpn}", "vpn"),
            Use(f"qos-policy/{ordered.qos_policy}", "qos-policy"),
            *(Use(resource_id, name) for name, resource_id in service.allocations.items()),
        )


def _port(network: NetworkView, resource_id: str) -> tuple[str, str]:
    """Element and interface's name of a port.

    Raises:
        ServiceError: the inventory has no such interface.
    """
    resource = network.resource(resource_id)
    if resource is None or resource.kind is not Kind.INTERFACE:
        raise ServiceError(
            f"{resource_id}: no such interface in the inventory: `ocs inventory add {resource_id} --kind interface"
            f" --in {element_of(resource_id)}`"
        )
    element = element_of(resource_id)
    return element, resource_id.removeprefix(f"{element}/").removeprefix(_PORT_WORD)


def _vrf_leaves(vpn: Vpn) -> dict[str, str | None]:
    leaves: dict[str, str | None] = {
        "enabled": "true",
        "ocs-vpn:vpn/route-distinguisher": vpn.route_distinguisher,
    }
    for direction in ("import", "export"):
        leaves[f"ocs-vpn:vpn/{direction}-route-target[.='{vpn.route_target}']"] = None
    return leaves


def _policy_leaves(policy: QosPolicy) -> dict[str, str | None]:
    leaves: dict[str, str | None] = {
        "committed-information-rate": str(policy.committed_bits_per_s),
        "peak-information-rate": str(policy.peak_bits_per_s),
    }
    if policy.dscp >= 0:
        leaves["differentiated-services-code-point"] = str(policy.dscp)
    return leaves
