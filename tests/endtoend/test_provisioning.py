"""One change of three real elements - netconfd and two simulated - while something breaks: all of them or none."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest
import trio

from ocs.provisioning.transactions.states import TransactionState
from ocs.provisioning.transactions.steps import Step
from simulators.element.faults import Fault, FaultKind
from simulators.element.park import Park
from tests.support.element_lab import ElementLab
from tests.support.netconfd import Netconfd, needs_netconfd, netconfd
from tests.support.processes import CATALOGUE, running, wait_until
from tests.support.provisioning_lab import make_template
from tests.support.real_network import NETCONFD, SIMULATED, RealNetwork, patient_loop, real_network

pytestmark = needs_netconfd


@pytest.fixture(scope="module")
def server() -> Generator[Netconfd]:
    with netconfd() as running:
        yield running


@pytest.fixture(scope="module")
def network(server: Netconfd, tmp_path_factory: pytest.TempPathFactory) -> Generator[RealNetwork]:
    template = make_template(tmp_path_factory.mktemp("template"))
    with real_network(server, tmp_path_factory.mktemp("network"), template) as opened:
        yield opened


async def test_without_a_fault_all_three_change(network: RealNetwork) -> None:
    async with patient_loop():
        await network.reset()
        transaction_id = network.queue()
        await network.run_to_the_end(transaction_id)
        assert await network.check_all_or_nothing(transaction_id, "no fault") is TransactionState.DONE


async def story(network: RealNetwork, name: str, fault: Fault) -> TransactionState:
    """One transaction with one fault of a simulated element."""
    await network.reset()
    network.simulated[name].faults.add(fault)
    transaction_id = network.queue()
    await network.run_to_the_end(transaction_id)
    network.simulated[name].faults.clear()
    return await network.check_all_or_nothing(transaction_id, f"{name}: {fault}")


SAMPLE = (
    (FaultKind.REFUSE, "edit-config"),
    (FaultKind.DROP_AFTER, "commit"),
    (FaultKind.DIE_BEFORE, "commit"),
    (FaultKind.LIE, "commit"),
    (FaultKind.DROP_BEFORE, "unlock"),
)


@pytest.mark.parametrize("name", SIMULATED)
@pytest.mark.parametrize(("kind", "on"), SAMPLE, ids=lambda value: getattr(value, "value", value))
async def test_fault_of_a_simulated_element_leaves_all_or_nothing(
    network: RealNetwork, name: str, kind: FaultKind, on: str
) -> None:
    async with patient_loop():
        await story(network, name, Fault(kind=kind, on=on))
        assert [fired for _, fired in network.simulated[name].faults.fired[-1:]] == [kind]


@pytest.mark.parametrize("step", [Step.STAGE, Step.ACTIVATE, Step.VERIFY, Step.CONFIRM])
async def test_lost_connection_with_netconfd_leaves_all_or_nothing(network: RealNetwork, step: Step) -> None:
    await break_netconfd_at(network, step)


async def break_netconfd_at(network: RealNetwork, step: Step) -> None:
    """One transaction in which the connection with netconfd breaks just before a step."""
    broken: list[Step] = []

    def note(transaction_id: str, element: str, now: Step) -> None:
        del transaction_id
        if (element, now) == (NETCONFD, step) and not broken:
            broken.append(now)
            network.break_netconfd()

    async with patient_loop():
        await network.reset()
        transaction_id = network.queue()
        await network.run_to_the_end(transaction_id, note)
        await network.check_all_or_nothing(transaction_id, f"netconfd lost before {step.value}")
    assert broken == [step]


@pytest.mark.parametrize("step", ["pe2 verify", "journal decide", "netconfd confirm"])
async def test_killed_process_leaves_all_or_nothing(network: RealNetwork, step: str) -> None:
    order: list[str] = []
    async with patient_loop():
        await network.reset()
        await network.run_to_the_end(
            network.queue(), lambda _, name, now: order.append(f"{name or 'journal'} {now.value}")
        )
        await network.reset()
        transaction_id = network.queue()
        killed = await trio.to_thread.run_sync(network.run_killed, transaction_id, order.index(step))
        assert killed is not None
        await network.run_to_the_end(transaction_id)
        await network.check_all_or_nothing(transaction_id, f"killed before {killed}")


def test_element_that_is_away_is_an_alarm_of_the_running_system_until_it_is_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Park() as park:
        element = park.netconf("pe1")
        lab = ElementLab(tmp_path, {element: "pe"})
        lab.config.write_text(f'{lab.config.read_text()}\n[catalogue]\npath = "{CATALOGUE}"\n')
        run = lab.runner(capsys)
        overrides = {
            "OCS_PROVISIONING__SESSIONS_MAX": "8",
            "OCS_SNMP__PORT": "0",
            "OCS_CHARGING__WORKERS": "1",
        }
        with running("up", data_dir=lab.data_dir, config=lab.config, overrides=overrides):
            element.stop()
            hostname = "/ietf-system:system/hostname=edge-1"
            assert run("config", "set", "pe1", hostname, "--no-wait", "--reference", "t")[0] == 0

            def standing() -> list[str]:
                _, out, _ = run("alarms", "list", "--json")
                return [one["alarm_type"] for one in json.loads(out) if one["resource"] == "pe1"]

            wait_until(lambda: standing() == ["element-unreachable"], "the alarm is raised")
            element.start()
            wait_until(lambda: standing() == [], "the alarm is cleared")
            wait_until(
                lambda: element.running().get("/ietf-system:system/hostname") == "edge-1", "it is configured"
            )
        lab.close()
