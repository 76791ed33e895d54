"""Orders become changes of elements; inventory, record and elements agree, whatever the order of orders."""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from ocs.inventory.elements import add_elements, update_element
from ocs.inventory.model import ServiceState
from ocs.inventory.registry import remove_resource
from ocs.inventory.services import uses_of
from ocs.provisioning.services.planner import ServiceAction, ServiceOrder
from ocs.provisioning.transactions.planner import WorkRefusedError
from ocs.provisioning.transactions.record import Transaction
from ocs.provisioning.transactions.states import TransactionState
from ocs.provisioning.transactions.steps import Step
from tests.support.service_lab import (
    BASELINE,
    MOBILE,
    SUBSCRIBER_POOL,
    VPN_SITE,
    ServiceLab,
    lab_element,
)

CREATE, MODIFY, DELETE, RECONCILE = ServiceAction
SUBSCRIBER = "/ocs-mobile-gateway:mobile-gateway/subscriber[imsi='262011234567890']"
QOS = f"{SUBSCRIBER}/access-point[name='internet']/qos-profile"
PROFILE = "/ocs-mobile-gateway:mobile-gateway/qos-profile[name='gold']"


@pytest.fixture
def lab(template: Path, tmp_path: Path) -> Generator[ServiceLab]:
    with contextlib.closing(ServiceLab(tmp_path / "lab", template, {})) as made:
        yield made


async def create(lab: ServiceLab, name: str, model: str, parameters: dict[str, object], **more: Any) -> None:
    done = await lab.order(lab.coordinator(), name, CREATE, model=model, parameters=parameters, **more)
    assert done.state is TransactionState.DONE, done.reason


async def refused(lab: ServiceLab, name: str, action: ServiceAction, **fields: Any) -> str:
    before = lab.running()
    done = await lab.order(lab.coordinator(), name, action, **fields)
    assert done.state is TransactionState.REFUSED
    assert lab.running() == before
    return done.reason


# --- Creating, modifying, deleting ------------------------------------------------------------------------


async def test_created_service_is_on_its_elements_in_the_record_and_in_the_inventory(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    await create(lab, "s1", "vpn_site", VPN_SITE, customer="acme", subscribers=3)
    service = lab.service("s1")
    assert service is not None
    assert (service.state, service.version, service.customer, service.subscribers) == (
        ServiceState.ACTIVE,
        1,
        "acme",
        3,
    )
    assert service.allocations == {"vlan": "vlan/berlin/2", "prefix": "prefix/acme/10.1.0.0/30"}
    assert lab.held("s1") == {"vlan/berlin/2": True, "prefix/acme/10.1.0.0/30": True}
    for name in ("pe1", "cpe1"):
        assert lab.running()[name] == lab.recorded(name) != {}
    uses = lab.database.read_blocking(lambda connection: uses_of(connection, "s1"))
    assert {"pe1", "cpe1", "pe1/if/ge-0/0/1", "vlan/berlin/2"} <= {use.resource_id for use in uses}


async def test_modified_service_changes_only_what_differs(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    await create(lab, "s1", "mobile_data", MOBILE)
    lab.network.elements["pgw1"].running["/foreign:x"] = "1"
    done = await lab.order(lab.coordinator(), "s1", MODIFY, parameters=MOBILE | {"qos_profile": "silver"})
    (pgw1, smf1) = done.participants
    assert pgw1.forward == smf1.forward
    assert pgw1.forward.removed == (PROFILE,)
    assert pgw1.forward.set[QOS] == "silver"
    assert not any("access-point[name='internet']/pdn-type" in path for path in pgw1.forward.set)
    assert lab.running()["pgw1"]["/foreign:x"] == "1"


async def test_deleted_service_leaves_nothing_but_its_memory(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    await create(lab, "s1", "vpn_site", VPN_SITE)
    done = await lab.order(lab.coordinator(), "s1", DELETE)
    assert done.state is TransactionState.DONE
    assert not any(lab.running().values())
    assert not any(lab.recorded(name) for name in lab.network.elements)
    assert lab.held("s1") == {}
    service = lab.service("s1")
    assert service is not None
    assert (service.state, service.allocations) == (ServiceState.TERMINATED, {})
    await create(lab, "s1", "vpn_site", VPN_SITE)  # an id may have another life


async def test_what_stood_there_before_comes_back(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    before: dict[str, str | None] = {
        "/ietf-system:system/clock/timezone-name": "UTC",
        "/ietf-system:system/hostname": "pe1",
    }
    lab.network.elements["pe1"].running = before
    await create(lab, "s1", "baseline", BASELINE)
    assert lab.running()["pe1"]["/ietf-system:system/clock/timezone-name"] == "Europe/Berlin"
    await lab.order(lab.coordinator(), "s1", DELETE)
    assert lab.running()["pe1"] == before


@pytest.mark.parametrize("action", [CREATE, MODIFY])
async def test_unchanged_service_sends_nothing(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock, action: ServiceAction
) -> None:
    await create(lab, "s1", "mobile_data", MOBILE)
    done = await lab.order(lab.coordinator(), "s1", action, model="mobile_data", parameters=MOBILE)
    assert (done.state, done.participants) == (TransactionState.DONE, ())
    service = lab.service("s1")
    assert service is not None
    assert service.version == 1


async def test_shared_profile_goes_with_the_last_service_that_has_it(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    await create(lab, "s1", "mobile_data", MOBILE)
    await create(lab, "s2", "mobile_data", MOBILE | {"imsi": "262010000000002"})
    await lab.order(lab.coordinator(), "s1", DELETE)
    assert PROFILE in lab.running()["pgw1"]
    await lab.order(lab.coordinator(), "s2", DELETE)
    assert lab.running()["pgw1"] == {}


async def test_service_whose_configuration_others_have_already_is_decided_without_the_elements(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    await create(lab, "s1", "mobile_data", MOBILE)
    lab.steps.clear()
    await create(lab, "s2", "mobile_data", MOBILE)
    assert [step for element, step in lab.steps if element] == []
    await lab.order(lab.coordinator(), "s1", DELETE)
    assert lab.running()["pgw1"] == lab.recorded("pgw1") != {}


async def test_gateway_that_was_built_since_is_brought_in_by_modifying(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    lab.database.write_blocking(lambda connection: remove_resource(connection, "pgw2"))
    await create(lab, "s1", "mobile_data", MOBILE | {"region": ""})
    assert lab.running()["pgw2"] == {}
    lab.database.write_blocking(lambda connection: add_elements(connection, [lab_element("pgw2")]))
    await lab.order(lab.coordinator(), "s1", MODIFY, parameters=MOBILE | {"region": ""})
    assert lab.running()["pgw2"] == lab.running()["pgw1"]


# --- Drift ----------------------------------------------------------------------------------------------------


async def test_change_by_somebody_else_is_not_overwritten_by_modifying(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    await create(lab, "s1", "mobile_data", MOBILE)
    lab.network.elements["pgw1"].running[QOS] = "bronze"
    reason = await refused(lab, "s1", MODIFY, parameters=MOBILE | {"qos_profile": "silver"})
    assert f"{QOS}: somebody changed it: expected gold, found bronze; see `ocs config drift pgw1`" in reason


async def test_reconciled_service_is_sent_again_whatever_stands_there(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    await create(lab, "s1", "mobile_data", MOBILE)
    lab.network.elements["pgw1"].running[QOS] = "bronze"
    lab.network.elements["smf1"].running = {"/foreign:x": "1"}
    done = await lab.order(lab.coordinator(), "s1", RECONCILE, elements=("pgw1",))
    assert [one.element for one in done.participants] == ["pgw1"]
    assert lab.running()["pgw1"] == lab.recorded("pgw1")
    await lab.order(lab.coordinator(), "s1", RECONCILE)
    assert lab.running()["smf1"] == lab.recorded("smf1") | {"/foreign:x": "1"}


# --- What is refused ----------------------------------------------------------------------------------------------


async def test_what_cannot_be_done_is_refused_with_its_reason(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    await create(lab, "s1", "mobile_data", MOBILE)
    silver = MOBILE | {"qos_profile": "silver"}
    cases: list[tuple[str, str, ServiceAction, dict[str, Any]]] = [
        ("s1: this service exists already, with other parameters", "s1", CREATE, {"parameters": silver}),
        ("s1: this service is a mobile_data, and cannot become a voice", "s1", MODIFY, {"model": "voice"}),
        ("s9: there is no such service in the network", "s9", MODIFY, {}),
        ("s9: there is no such service in the network", "s9", DELETE, {}),
        ("s9: there is no such service in the network", "s9", RECONCILE, {}),
        ("expected ids of 1 to 64 characters", "s" * 65, CREATE, {}),
        ("s9: no service model 'vpm'; there are baseline", "s9", CREATE, {"model": "vpm"}),
        (
            f"pgw1: {QOS}: wanted silver, owned by s1 (gold)",
            "s2",
            CREATE,
            {"model": "mobile_data", "parameters": silver},
        ),
        ("parameters: Object missing required field `imsi`", "s2", CREATE, {"model": "mobile_data"}),
    ]
    for reason, name, action, fields in cases:
        assert reason in await refused(lab, name, action, **fields)


async def test_element_that_is_not_managed_by_us_is_refused(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    record = msgspec.structs.replace(lab_element("pgw1"), management=None)
    record = msgspec.structs.replace(record, resource=msgspec.structs.replace(record.resource, version=1))
    lab.database.write_blocking(lambda connection: update_element(connection, record))
    reason = await refused(lab, "s1", CREATE, model="mobile_data", parameters=MOBILE)
    assert reason == "pgw1: the inventory does not say how this element is managed"


# --- Reservations ---------------------------------------------------------------------------------------------------


async def test_refused_order_gives_back_what_it_reserved(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    lab.network.elements["pe1"].faults["validate"] = "refuse"
    await refused(lab, "s1", CREATE, model="vpn_site", parameters=VPN_SITE)
    assert lab.held("s1") == {}


async def test_order_that_is_rolled_back_gives_back_what_it_reserved_and_keeps_what_was_there(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    await create(lab, "s1", "vpn_site", VPN_SITE)
    before = lab.running()
    lab.network.elements["pe2"].faults["commit_confirmed"] = "refuse"
    done = await lab.order(lab.coordinator(), "s1", MODIFY, parameters=VPN_SITE | {"port": "pe2/if/ge-0/0/1"})
    assert done.state is TransactionState.ROLLED_BACK
    assert lab.running() == before
    assert lab.held("s1") == {"vlan/berlin/2": True, "prefix/acme/10.1.0.0/30": True}


async def test_order_that_waits_keeps_its_reservation_and_takes_no_second_one(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    coordinator = lab.coordinator()
    lab.network.elements["pe1"].faults["begin"] = "busy"
    transaction_id = lab.queue_order("s1", CREATE, model="vpn_site", parameters=VPN_SITE)
    assert (await coordinator.run(transaction_id)).state is TransactionState.QUEUED
    assert lab.held("s1") == {"vlan/berlin/2": False, "prefix/acme/10.1.0.0/30": False}
    await lab.run_to_the_end(transaction_id, coordinator)
    assert lab.held("s1") == {"vlan/berlin/2": True, "prefix/acme/10.1.0.0/30": True}


async def test_service_that_moves_takes_a_vlan_there_and_gives_back_the_one_here(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    await create(lab, "s1", "vpn_site", VPN_SITE)
    done = await lab.order(lab.coordinator(), "s1", MODIFY, parameters=VPN_SITE | {"port": "pe2/if/ge-0/0/1"})
    assert done.state is TransactionState.DONE
    assert lab.held("s1") == {"vlan/hamburg/2": True, "prefix/acme/10.1.0.0/30": True}
    assert lab.running()["pe1"] == {}
    assert lab.running()["pe2"] == lab.recorded("pe2") != {}


async def test_two_services_never_have_one_address(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    wanted = MOBILE | {"static_address_pool": SUBSCRIBER_POOL}
    for number in range(6):  # a /29 has six hosts
        await create(lab, f"s{number}", "mobile_data", wanted | {"imsi": f"26201000000000{number}"})
    paths = [value for path, value in lab.running()["pgw1"].items() if path.endswith("/ip-address")]
    assert sorted(map(str, paths)) == [f"198.51.100.{host}" for host in range(1, 7)]
    reason = await refused(
        lab, "s6", CREATE, model="mobile_data", parameters=wanted | {"imsi": "262010000000006"}
    )
    assert reason == f"{SUBSCRIBER_POOL}: nothing of length 32 is free"


# --- Several at once ------------------------------------------------------------------------------------------------


async def test_service_that_shares_what_another_one_is_removing_waits_for_it(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    await create(lab, "s1", "mobile_data", MOBILE)
    coordinator = lab.coordinator()
    states: list[Transaction] = []
    second = lab.queue_order("s2", CREATE, model="mobile_data", parameters=MOBILE)

    async def run_second() -> None:
        states.append(await coordinator.run(second))

    async with trio.open_nursery() as nursery:
        lab.once(Step.STAGE, "pgw1", lambda: nursery.start_soon(run_second))
        await lab.order(coordinator, "s1", DELETE)
    assert [one.state for one in states] == [TransactionState.QUEUED]
    await lab.run_to_the_end(second, coordinator)
    assert lab.running()["pgw1"] == lab.recorded("pgw1") != {}


async def test_inventory_that_changed_while_elements_were_told_undoes_the_order(
    lab: ServiceLab, autojump_clock: trio.testing.MockClock
) -> None:
    lab.once(
        Step.DECIDE,
        "",
        lambda: lab.database.write_blocking(
            lambda connection: remove_resource(connection, "qos-profile/gold")
        ),
    )
    done = await lab.order(lab.coordinator(), "s1", CREATE, model="mobile_data", parameters=MOBILE)
    assert (done.state, done.reason) == (
        TransactionState.ROLLED_BACK,
        "s1: qos-profile/gold is not in the inventory",
    )
    assert not any(lab.running().values())
    assert lab.service("s1") is None


def test_elements_concerned_are_those_that_a_service_has_and_will_have(lab: ServiceLab) -> None:
    async def prepare() -> None:
        await create(lab, "s1", "vpn_site", VPN_SITE)

    trio.run(prepare, clock=trio.testing.MockClock(autojump_threshold=0))

    def elements(action: ServiceAction, **fields: Any) -> tuple[str, ...]:
        order = ServiceOrder(reference="r", service_id="s1", action=action, **fields)
        return lab.database.read_blocking(
            lambda connection: lab.service_planner.elements_of(connection, order)
        )

    moved = VPN_SITE | {"port": "pe2/if/ge-0/0/1"}
    assert elements(MODIFY, parameters=moved) == ("cpe1", "pe1", "pe2")
    assert elements(DELETE) == ("cpe1", "pe1")
    assert elements(RECONCILE, elements=("pe1", "pe9")) == ("pe1",)
    with pytest.raises(WorkRefusedError, match="speed"):
        elements(MODIFY, parameters={"speed": 1})
