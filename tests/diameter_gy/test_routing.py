import pytest

from ocs.diameter_gy.errors import LoopDetected, RealmNotServed, UnableToDeliver
from ocs.diameter_gy.routing import RoutingPolicy

OURS = RoutingPolicy.of(["ocs.lab.example", "vip.lab.example"], ["Lab.Example"])


@pytest.mark.parametrize("absent", [None, ""])
def test_request_to_our_realm_needs_no_host(absent):
    OURS.check(absent, "lab.example", [])


@pytest.mark.parametrize("host", ["ocs.lab.example", "OCS.LAB.EXAMPLE", "vip.lab.example"])
def test_request_to_any_of_our_names_is_served_in_any_case(host):
    OURS.check(host, "LAB.example", ["relay.example"])


def test_request_without_destination_is_for_local_consumption():
    OURS.check(None, None, [])


def test_request_for_another_host_is_unable_to_deliver():
    with pytest.raises(UnableToDeliver, match=r"ocs2\.lab\.example"):
        OURS.check("ocs2.lab.example", "lab.example", [])


def test_request_for_another_realm_is_not_served():
    with pytest.raises(RealmNotServed, match=r"other\.example"):
        OURS.check("ocs.lab.example", "other.example", [])


def test_our_identity_in_route_record_is_a_loop_whatever_the_destination():
    with pytest.raises(LoopDetected):
        OURS.check(None, "other.example", ["relay.example", "Ocs.Lab.Example"])
