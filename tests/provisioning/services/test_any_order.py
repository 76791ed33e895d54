"""Services come, change and go in any order, and elements fail meanwhile: what exists is what stands there."""

import contextlib
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from ocs.inventory.model import Service, ServiceState, Use
from ocs.inventory.services import ServiceQuery, list_services, uses_of
from ocs.provisioning.services.network_view import InventoryView
from ocs.provisioning.services.ownership import complete
from ocs.provisioning.services.planner import ServiceAction
from ocs.provisioning.transactions.coordinator import Coordinator
from ocs.provisioning.transactions.states import TransactionState
from tests.support.service_lab import (
    BASELINE,
    ELEMENTS,
    MOBILE,
    MODELS,
    SUBSCRIBER_POOL,
    VOICE,
    VPN_SITE,
    ServiceLab,
)

GATEWAY = "/ocs-mobile-gateway:mobile-gateway"
BY_NAME = {model.name: model for model in MODELS}
STATIC = MOBILE | {"static_address_pool": SUBSCRIBER_POOL}
# Services that share, that conflict, that need something reserved.
VARIANTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("mobile_data", MOBILE),
    ("mobile_data", MOBILE | {"qos_profile": "silver"}),
    ("mobile_data", STATIC | {"imsi": "262010000000001", "region": ""}),
    ("mobile_data", STATIC | {"imsi": "262010000000001", "access_point": "corporate"}),
    ("voice", VOICE),
    ("voice", VOICE | {"public_identity": "tel:+49301234567", "service_profile": "office"}),
    ("vpn_site", VPN_SITE),
    ("vpn_site", VPN_SITE | {"port": "pe2/if/ge-0/0/1", "customer_port": ""}),
    ("vpn_site", VPN_SITE | {"vlan_id": 2, "qos_policy": "best-effort", "customer_port": ""}),
    ("baseline", BASELINE),
    ("baseline", BASELINE | {"timezone": "UTC", "ntp_servers": []}),
    ("baseline", BASELINE | {"element": "cpe1", "trap_receiver": None}),
)
# What stood there before anybody sold anything: alone, in the way, and in an entry that services come to share.
BEFORE: dict[str, dict[str, str | None]] = {
    "pe1": complete(
        {
            "/ietf-system:system/hostname": "pe1",
            "/ietf-system:system/clock/timezone-name": "UTC",
            "/ietf-interfaces:interfaces/interface[name='ge-0/0/1']/type": "iana-if-type:ethernetCsmacd",
        }
    ),
    "pgw1": complete(
        {
            f"{GATEWAY}/access-point[name='internet']/pdn-type": "ipv6",
            f"{GATEWAY}/access-point[name='internet']/network-instance": "old",
        }
    ),
}
FAULTS = {
    "validate": ("refuse", "before"),
    "stage": ("refuse", "after", "lie"),
    "commit_confirmed": ("refuse", "before", "after", "lie"),
    "commit": ("refuse", "before", "after", "lie"),
    "confirm": ("before", "after"),
}
REFUSALS = re.compile(
    "exists already|no such service in the network|cannot become|is taken|is free|it is refused"
    "|and has .* was wanted"
)
CONFLICT = re.compile(r"(?P<element>\S+): (?P<path>/.*): wanted (?P<wanted>.*), owned by (?P<owner>s\d) \(")


class Fault(NamedTuple):
    """What an element does once."""

    element: str
    operation: str
    how: str


class Ordered(NamedTuple):
    """An order, and what goes wrong meanwhile."""

    service_id: str
    action: ServiceAction
    variant: int
    customer: str
    fault: Fault | None


faults = st.sampled_from(sorted(ELEMENTS)).flatmap(
    lambda element: st.sampled_from(sorted(FAULTS)).flatmap(
        lambda operation: st.builds(
            Fault, st.just(element), st.just(operation), st.sampled_from(FAULTS[operation])
        )
    )
)
orders = st.builds(
    Ordered,
    st.sampled_from(["s1", "s2", "s3", "s4"]),
    st.sampled_from([*ServiceAction, ServiceAction.CREATE, ServiceAction.MODIFY]),
    st.integers(0, len(VARIANTS) - 1),
    st.sampled_from(["", "acme"]),
    st.none() | faults,
)


class Expected(NamedTuple):
    """What the services that exist mean, by their models alone."""

    services: dict[str, Service]
    wanted: dict[str, dict[str, dict[str, str | None]]]
    uses: dict[str, set[Use]]


def expected(connection: Connection) -> Expected:
    """Worked out anew from the services in the inventory."""
    view = InventoryView(connection)
    found = Expected({}, {}, {})
    for service in list_services(connection, ServiceQuery()):
        found.services[service.service_id] = service
        found.uses[service.service_id] = set()
        if service.state is ServiceState.ACTIVE:
            model = BY_NAME[service.model]
            wanted = model.wanted(service, view)
            found.wanted[service.service_id] = {name: complete(part) for name, part in wanted.items()}
            found.uses[service.service_id] = set(model.uses(service, view))
    return found


def check_all(lab: ServiceLab) -> Expected:
    """Elements, record and inventory all say what the services that exist mean."""
    now = lab.database.read_blocking(expected)
    running = lab.running()
    for name in ELEMENTS:
        owned: dict[str, str | None] = {}
        for wanted in now.wanted.values():
            owned |= wanted.get(name, {})
        assert running[name] == BEFORE.get(name, {}) | owned
        assert lab.recorded(name) == owned
    for service_id, service in now.services.items():
        assert lab.held(service_id) == dict.fromkeys(service.allocations.values(), True)
        uses = lab.database.read_blocking(lambda connection, name=service_id: uses_of(connection, name))
        assert set(uses) == now.uses[service_id]
    return now


def check_refusal(reason: str, order: Ordered, before: Expected) -> None:
    """It says why; and if it says that another service is in the way, that one is."""
    conflict = CONFLICT.search(reason)
    if conflict is None:
        assert REFUSALS.search(reason) or order.fault is not None, reason
        return
    assert conflict["owner"] != order.service_id
    has = before.wanted[conflict["owner"]][conflict["element"]][conflict["path"]]
    assert str(has) != conflict["wanted"]


async def obey(lab: ServiceLab, coordinator: Coordinator, order: Ordered, before: Expected) -> Expected:
    """Have one order done or refused."""
    model, parameters = VARIANTS[order.variant]
    if order.fault is not None:
        lab.network.elements[order.fault.element].faults[order.fault.operation] = order.fault.how
    done = await lab.order(
        coordinator,
        order.service_id,
        order.action,
        model=model,
        parameters=parameters,
        customer=order.customer,
    )
    for one in lab.network.elements.values():
        one.faults.clear()
    if done.state is not TransactionState.DONE:
        check_refusal(done.reason, order, before)
        after = check_all(lab)
        assert after == before
        return after
    after = check_all(lab)
    service = after.services[order.service_id]
    assert (service.state is ServiceState.TERMINATED) is (order.action is ServiceAction.DELETE)
    if order.action in {ServiceAction.CREATE, ServiceAction.MODIFY}:
        assert (service.model, service.parameters, service.customer) == (model, parameters, order.customer)
        await run_again(lab, coordinator, order, after)
    return after


async def run_again(lab: ServiceLab, coordinator: Coordinator, order: Ordered, before: Expected) -> None:
    """An unchanged service sends nothing, and is not written either."""
    lab.steps.clear()
    model, parameters = VARIANTS[order.variant]
    done = await lab.order(
        coordinator,
        order.service_id,
        ServiceAction.MODIFY,
        model=model,
        parameters=parameters,
        customer=order.customer,
    )
    assert (done.state, done.participants) == (TransactionState.DONE, ())
    assert [step for element, step in lab.steps if element] == []
    assert lab.database.read_blocking(expected) == before


@given(st.lists(orders, min_size=3, max_size=10))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_services_that_exist_want_stands_there_and_nothing_else(
    template: Path, story: list[Ordered]
) -> None:
    async def play(lab: ServiceLab) -> None:
        coordinator = lab.coordinator()
        known = check_all(lab)
        for order in story:
            known = await obey(lab, coordinator, order, known)
        for service_id in known.wanted:
            await lab.order(coordinator, service_id, ServiceAction.DELETE)
        assert not check_all(lab).wanted
        assert lab.running() == {name: BEFORE.get(name, {}) for name in ELEMENTS}

    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(ServiceLab(Path(folder) / "lab", template, BEFORE)) as lab,
    ):
        trio.run(play, lab, clock=trio.testing.MockClock(autojump_threshold=0))
