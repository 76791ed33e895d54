"""Data service of a mobile subscriber: an access point, how well, and an address of its own if ordered.

Access points and profiles of quality of service are resources, ``access-point/internet`` and ``qos-profile/gold``,
whose attributes say what they are. Every service that refers to one has it configured; it goes with the last of them.
Since all want the same, a profile that is to differ gets a new name, and services are moved to it.
"""

from typing import Annotated, ClassVar, Final, Literal

import msgspec

from ocs.inventory.model import Service, Use
from ocs.inventory.naming import prefix_of
from ocs.provisioning.services.model import (
    Allocation,
    Name,
    NetworkView,
    OptionalName,
    PrefixAllocation,
    allocated,
    elements_of_role,
    entry,
    pool_of,
    read_attributes,
    read_parameters,
    within,
)

_GATEWAY: Final = "/ocs-mobile-gateway:mobile-gateway"
_ROLES: Final = ("pgw", "smf")
_ADDRESS: Final = "address"


class MobileDataParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is ordered.

    Attributes:
        imsi: whose service (3GPP TS 23.003 section 2.2). access_point: APN or DNN, network identifier; the inventory
            has it as ``access-point/NAME``. qos_profile: by name; the inventory has ``qos-profile/NAME``.
            static_address_pool: the prefix in the inventory from which the subscriber gets an address for good; empty:
            one for each session. region: a site; the gateways in it; empty: all.
    """

    imsi: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6,15}\Z", examples=["262011234567890"])]
    access_point: Annotated[Name, msgspec.Meta(examples=["internet"])]
    qos_profile: Annotated[Name, msgspec.Meta(examples=["gold"])]
    static_address_pool: Annotated[str, msgspec.Meta(examples=["prefix/mobile/10.64.0.0/16"])] = ""
    region: Annotated[str, msgspec.Meta(examples=["site/north"])] = ""


class AccessPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What the inventory says of an access point; ``network_instance`` is empty where it is the gateway's own."""

    pdn_type: Literal["ipv4", "ipv6", "ipv4v6"] = "ipv4v6"
    network_instance: OptionalName = ""


class QosProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What the inventory says of a profile of quality of service (3GPP TS 23.203 section 6.1.7)."""

    qos_class_identifier: Annotated[int, msgspec.Meta(ge=1, le=254)]
    priority_level: Annotated[int, msgspec.Meta(ge=1, le=15)]
    uplink_bits_per_s: Annotated[int, msgspec.Meta(ge=1)]
    downlink_bits_per_s: Annotated[int, msgspec.Meta(ge=1)]


class MobileData:
    """Mobile data of a subscriber: an access point, how well, and an address of its own if ordered."""

    name: ClassVar[str] = "mobile_data"
    parameters_type: ClassVar[type[msgspec.Struct]] = MobileDataParameters

    def elements(self, service: Service, network: NetworkView) -> tuple[str, ...]:
        """The gateways of the region."""
        ordered = read_parameters(service, MobileDataParameters)
        return elements_of_role(network, _ROLES, ordered.region)

    def allocations(self, service: Service, network: NetworkView) -> tuple[Allocation, ...]:
        """The address, if ordered."""
        pool = read_parameters(service, MobileDataParameters).static_address_pool
        if not pool:
            return ()
        _, prefix = pool_of(network, pool)
        return (PrefixAllocation(name=_ADDRESS, pool=pool, length=prefix.max_prefixlen),)

    def wanted(self, service: Service, network: NetworkView) -> dict[str, dict[str, str | None]]:
        """Access point, profile and subscriber on each gateway."""
        ordered = read_parameters(service, MobileDataParameters)
        access_point = read_attributes(network, f"access-point/{ordered.access_point}", AccessPoint)
        profile = read_attributes(network, f"qos-profile/{ordered.qos_profile}", QosProfile)
        subscriber = entry(f"{_GATEWAY}/subscriber", imsi=ordered.imsi)
        session = {"qos-profile": ordered.qos_profile}
        if ordered.static_address_pool:
            session["ip-address"] = prefix_of(allocated(service, _ADDRESS))[1].partition("/")[0]
        configuration = {
            **within(
                entry(f"{_GATEWAY}/access-point", name=ordered.access_point),
                _access_point_leaves(access_point),
            ),
            **within(entry(f"{_GATEWAY}/qos-profile", name=ordered.qos_profile), _profile_leaves(profile)),
            **within(entry(f"{subscriber}/access-point", name=ordered.access_point), session),
        }
        return dict.fromkeys(self.elements(service, network), configuration)

    def uses(self, service: Service, network: NetworkView) -> tuple[Use, ...]:
        """Gateways, access point, profile, address."""
        ordered = read_parameters(service, MobileDataParameters)
        return (
            *(Use(name, "gateway") for name in self.elements(service, network)),
            Use(f"access-point/{ordered.access_point}", "access-point"),
            Use(f"qos-profile/{ordered.qos_profile}", "qos-profile"),
            *(Use(resource_id, name) for name, resource_id in service.allocations.items()),
        )


def _access_point_leaves(access_point: AccessPoint) -> dict[str, str | None]:
    leaves: dict[str, str | None] = {"pdn-type": access_point.pdn_type}
    if access_point.network_instance:
        leaves["network-instance"] = access_point.network_instance
    return leaves


def _profile_leaves(profile: QosProfile) -> dict[str, str | None]:
    return {
        "qos-class-identifier": str(profile.qos_class_identifier),
        "priority-level": str(profile.priority_level),
        "aggregate-maximum-bit-rate-uplink": str(profile.uplink_bits_per_s),
        "aggregate-maximum-bit-rate-downlink": str(profile.downlink_bits_per_s),
    }
