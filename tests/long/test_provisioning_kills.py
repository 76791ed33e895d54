"""Three real elements, broken at every step in turn, and our process killed at every step in turn: all or none, always.

The default run takes a sample of the same (tests/endtoend/test_provisioning.py).
"""

from collections.abc import Generator

import pytest
import trio

from ocs.provisioning.transactions.states import TransactionState
from ocs.provisioning.transactions.steps import Step
from simulators.element.faults import Fault, FaultKind
from tests.support.netconfd import Netconfd, needs_netconfd, netconfd
from tests.support.provisioning_lab import make_template
from tests.support.real_network import NETCONFD, SIMULATED, RealNetwork, patient_loop, real_network

pytestmark = [needs_netconfd, pytest.mark.long]

KINDS = (
    FaultKind.REFUSE,
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.DIE_BEFORE,
    FaultKind.DIE_AFTER,
    FaultKind.LIE,
    FaultKind.STOP_MID_REPLY,
    FaultKind.GARBAGE,
)
PATIENCE_S = 3_000.0


@pytest.fixture(scope="module")
def server() -> Generator[Netconfd]:
    with netconfd() as running:
        yield running


@pytest.fixture(scope="module")
def network(server: Netconfd, tmp_path_factory: pytest.TempPathFactory) -> Generator[RealNetwork]:
    template = make_template(tmp_path_factory.mktemp("template"))
    with real_network(server, tmp_path_factory.mktemp("network"), template) as opened:
        yield opened


@pytest.mark.parametrize("name", SIMULATED)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
async def test_fault_at_every_step_of_an_element_leaves_all_or_nothing(
    network: RealNetwork, name: str, kind: FaultKind
) -> None:
    element = network.simulated[name]
    async with patient_loop(PATIENCE_S):
        await network.reset()
        await network.run_to_the_end(network.queue())
        steps = list(element.faults.steps)
        assert len(steps) > 8
        fired = 0
        for number, step in enumerate(steps):
            await network.reset()
            element.faults.fired.clear()
            element.faults.add(Fault(kind=kind, skip=number))
            transaction_id = network.queue()
            await network.run_to_the_end(transaction_id)
            element.faults.clear()
            await network.check_all_or_nothing(transaction_id, f"{name}: {kind.value} at {number}, {step}")
            fired += bool(element.faults.fired)
    # A busy machine may end a story before its step is reached: a few of them show less than they could.
    assert fired >= len(steps) - 3


async def test_lost_connection_with_netconfd_at_every_step_leaves_all_or_nothing(
    network: RealNetwork,
) -> None:
    async with patient_loop(PATIENCE_S):
        for step in Step:
            broken: list[Step] = []

            def note(
                transaction_id: str, element: str, now: Step, at: Step = step, done: list[Step] = broken
            ) -> None:
                del transaction_id
                if (element, now) == (NETCONFD, at) and not done:
                    done.append(now)
                    network.break_netconfd()

            await network.reset()
            transaction_id = network.queue()
            await network.run_to_the_end(transaction_id, note)
            await network.check_all_or_nothing(transaction_id, f"netconfd lost before {step.value}")


async def test_process_killed_at_every_step_leaves_all_or_nothing(network: RealNetwork) -> None:
    ends: list[tuple[str, TransactionState]] = []
    async with patient_loop(PATIENCE_S):
        for number in range(200):
            await network.reset()
            transaction_id = network.queue()
            killed = await trio.to_thread.run_sync(network.run_killed, transaction_id, number)
            await network.run_to_the_end(transaction_id)
            state = await network.check_all_or_nothing(
                transaction_id, f"killed before step {number}, {killed}"
            )
            if killed is None:
                break
            ends.append((killed, state))
    assert len(ends) > 25, ends
