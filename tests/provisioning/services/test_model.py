"""What all models have in common: bounds, reservations that fit, configurations that the YANG modules allow."""

from typing import Any

import pytest

from ocs.inventory.model import Service
from ocs.provisioning.configuration import PathError
from ocs.provisioning.services.model import (
    PrefixAllocation,
    ServiceError,
    ServiceModel,
    VlanAllocation,
    entry,
    leaf_list_entry,
    within,
)
from tests.support.described_network import DescribedNetwork
from tests.support.service_lab import (
    BASELINE,
    MOBILE,
    MODELS,
    POOL,
    SUBSCRIBER_POOL,
    VOICE,
    VPN_SITE,
    services_schema,
)

BY_NAME: dict[str, ServiceModel] = {model.name: model for model in MODELS}
# Services of every model, plain and with everything that may be ordered.
SERVICES = [
    Service(service_id="plain data", model="mobile_data", parameters=MOBILE),
    Service(
        service_id="data",
        model="mobile_data",
        parameters=MOBILE
        | {"access_point": "corporate", "region": "", "static_address_pool": SUBSCRIBER_POOL},
        allocations={"address": "prefix/internet/198.51.100.1/32"},
    ),
    Service(service_id="voice", model="voice", parameters=VOICE),
    Service(
        service_id="office voice",
        model="voice",
        parameters=VOICE
        | {"public_identity": "tel:+49301234567", "service_profile": "office", "is_barred": True},
    ),
    Service(
        service_id="site",
        model="vpn_site",
        parameters=VPN_SITE,
        allocations={"vlan": "vlan/berlin/2", "prefix": "prefix/acme/10.1.0.0/30"},
    ),
    Service(service_id="baseline", model="baseline", parameters=BASELINE),
    Service(service_id="bare", model="baseline", parameters={"element": "pe1"}),
]


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.service_id)
def test_configuration_is_one_that_the_yang_modules_allow_and_complete(service: Service) -> None:
    wanted = BY_NAME[service.model].wanted(service, DescribedNetwork())
    for configuration in wanted.values():
        assert services_schema().check(configuration, is_complete=True) == []


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.service_id)
def test_elements_are_known_before_anything_is_reserved(service: Service) -> None:
    model, network = BY_NAME[service.model], DescribedNetwork()
    assert set(model.elements(service, network)) == model.wanted(service, network).keys()


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.service_id)
def test_what_was_reserved_is_what_is_asked_for_and_used(service: Service) -> None:
    model, network = BY_NAME[service.model], DescribedNetwork()
    needed = {one.name: one for one in model.allocations(service, network)}
    assert needed.keys() == service.allocations.keys()
    assert all(one.fits(service.allocations[name]) for name, one in needed.items())
    used = {one.resource_id for one in model.uses(service, network)}
    assert used >= set(service.allocations.values()) | set(model.elements(service, network))
    assert used - set(service.allocations.values()) - network.records.keys() <= network.resources.keys()


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.service_id)
@pytest.mark.parametrize(
    ("parameter", "value"), [("speed", "high"), ("element", 7), ("imsi", "123"), ("vpn", "a b"), (None, None)]
)
def test_parameters_out_of_bounds_are_refused_by_name(
    service: Service, parameter: str | None, value: Any
) -> None:
    model = BY_NAME[service.model]
    parameters = service.parameters | {parameter: value} if parameter else {}
    wrong = Service(service_id="s", model=service.model, parameters=parameters)
    with pytest.raises(ServiceError, match=rf"s: parameters: .*{parameter or 'required'}"):
        model.elements(wrong, DescribedNetwork())


@pytest.mark.parametrize(
    ("resource_id", "service"),
    [
        ("access-point/internet", SERVICES[0]),
        ("qos-profile/gold", SERVICES[0]),
        (SUBSCRIBER_POOL, SERVICES[1]),
        ("voice-profile/residential", SERVICES[2]),
        ("pe1/if/ge-0/0/1", SERVICES[4]),
        ("cpe1/if/eth0", SERVICES[4]),
        ("vpn/acme", SERVICES[4]),
        ("qos-policy/business-100", SERVICES[4]),
        (POOL, SERVICES[4]),
    ],
)
def test_what_the_inventory_lacks_is_named(resource_id: str, service: Service) -> None:
    model, network = BY_NAME[service.model], DescribedNetwork()
    del network.resources[resource_id]
    with pytest.raises(ServiceError, match=rf"{resource_id}: no such"):
        model.allocations(service, network)
        model.wanted(service, network)


def test_nothing_reserved_is_an_error_that_says_what_is_missing() -> None:
    bare = Service(service_id="site", model="vpn_site", parameters=VPN_SITE)
    with pytest.raises(ServiceError, match="site: nothing is reserved as its vlan"):
        BY_NAME["vpn_site"].wanted(bare, DescribedNetwork())


@pytest.mark.parametrize(
    ("resource_id", "fits"),
    [
        ("vlan/berlin/10", True),
        ("vlan/berlin/9", False),
        ("vlan/berlin/21", False),
        ("vlan/hamburg/10", False),
        ("prefix/acme/10.1.0.0/30", False),
    ],
)
def test_vlan_fits_by_site_and_range(resource_id: str, fits: bool) -> None:
    assert VlanAllocation(name="vlan", site="site/berlin", first=10, last=20).fits(resource_id) is fits


@pytest.mark.parametrize(
    ("resource_id", "fits"),
    [
        ("prefix/acme/10.1.0.252/30", True),
        ("prefix/acme/10.1.0.252/32", False),
        ("prefix/acme/10.1.1.0/30", False),
        ("prefix/other/10.1.0.0/30", False),
        ("prefix/acme/2001:db8::/30", False),
        ("vlan/berlin/9", False),
    ],
)
def test_prefix_fits_by_vrf_pool_and_length(resource_id: str, fits: bool) -> None:
    assert PrefixAllocation(name="prefix", pool=POOL, length=30).fits(resource_id) is fits


def test_paths_are_made_of_values_that_hold_quotes() -> None:
    assert entry("/m:a/b", the_key="it's") == '/m:a/b[the-key="it\'s"]'
    assert leaf_list_entry("/m:a/b", "1") == "/m:a/b[.='1']"
    assert within("/m:a", {"b/c": "1", "": None}) == {"/m:a/b/c": "1", "/m:a": None}
    with pytest.raises(PathError):
        entry("/m:a/b", key="'\"")
