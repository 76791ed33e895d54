"""Data services of mobile subscribers on the gateways."""

import msgspec
import pytest

from ocs.inventory.model import Service
from ocs.provisioning.services.mobile_data import MobileData
from ocs.provisioning.services.model import PrefixAllocation, ServiceError
from tests.support.described_network import DescribedNetwork
from tests.support.service_lab import MOBILE, SUBSCRIBER_POOL

GATEWAY = "/ocs-mobile-gateway:mobile-gateway"
SESSION = f"{GATEWAY}/subscriber[imsi='262011234567890']/access-point[name='internet']"


def service(**parameters: object) -> Service:
    return Service(service_id="s", model="mobile_data", parameters=MOBILE | parameters)


def test_every_gateway_of_the_region_has_access_point_profile_and_subscriber() -> None:
    wanted = MobileData().wanted(service(), DescribedNetwork())
    assert wanted == {
        "pgw1": {
            f"{GATEWAY}/access-point[name='internet']/pdn-type": "ipv4",
            f"{GATEWAY}/qos-profile[name='gold']/qos-class-identifier": "8",
            f"{GATEWAY}/qos-profile[name='gold']/priority-level": "8",
            f"{GATEWAY}/qos-profile[name='gold']/aggregate-maximum-bit-rate-uplink": "100000000",
            f"{GATEWAY}/qos-profile[name='gold']/aggregate-maximum-bit-rate-downlink": "100000000",
            f"{SESSION}/qos-profile": "gold",
        }
    }


def test_without_a_region_all_gateways_of_both_generations_are_meant() -> None:
    assert MobileData().elements(service(region=""), DescribedNetwork()) == ("pgw1", "pgw2", "smf1")


def test_region_without_gateways_is_refused() -> None:
    with pytest.raises(ServiceError, match="no element of role pgw or smf in site/nowhere"):
        MobileData().elements(service(region="site/nowhere"), DescribedNetwork())


def test_static_address_is_one_of_the_pool() -> None:
    ordered = service(static_address_pool=SUBSCRIBER_POOL)
    needed = MobileData().allocations(ordered, DescribedNetwork())
    assert needed == (PrefixAllocation(name="address", pool=SUBSCRIBER_POOL, length=32),)
    ordered = msgspec.structs.replace(ordered, allocations={"address": "prefix/internet/198.51.100.3/32"})
    wanted = MobileData().wanted(ordered, DescribedNetwork())
    assert wanted["pgw1"][f"{SESSION}/ip-address"] == "198.51.100.3"


def test_pool_that_is_no_prefix_is_refused() -> None:
    with pytest.raises(ServiceError, match="site/berlin: expected prefix/VRF"):
        MobileData().allocations(service(static_address_pool="site/berlin"), DescribedNetwork())


def test_profile_whose_attributes_do_not_fit_is_named() -> None:
    network = DescribedNetwork()
    broken = msgspec.structs.replace(network.resources["qos-profile/gold"], attributes={"priority_level": 99})
    network.resources["qos-profile/gold"] = broken
    with pytest.raises(ServiceError, match="qos-profile/gold: attributes in the inventory"):
        MobileData().wanted(service(), network)
