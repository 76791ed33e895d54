"""`ocs elements` as a process: works off the queue, is watched by commands, ends in order, and says who is away."""

import json
import signal
import subprocess
import sys
from collections.abc import Generator

import msgspec
import pytest
import trio

from ocs.clock import ManualClock
from ocs.element_process import ElementWatch, Watched
from ocs.faults.alarm import AlarmSignal
from ocs.provisioning.sessions import LeftAlone
from ocs.provisioning.transactions.states import TransactionState
from ocs.worker_channel import WorkerChannel
from simulators.element.faults import Fault, FaultKind
from simulators.element.netconf_element import NetconfElement
from simulators.element.park import Park
from tests.support.element_lab import ElementLab, Run
from tests.support.elements import ethernet, interface
from tests.support.processes import Ocs, running, wait_until

GE0 = interface("ge-0")
# `ocs elements` alone, without a store: nobody keeps an alarm list then.
ALONE = {"OCS_PROVISIONING__SESSIONS_MAX": "8"}


@pytest.fixture(scope="module")
def park() -> Generator[Park]:
    with Park() as opened:
        opened.netconf("pe1", running=ethernet("ge-0", "to core"))
        yield opened


@pytest.fixture
def element(park: Park) -> Generator[NetconfElement]:
    element = park.elements["pe1"]
    assert isinstance(element, NetconfElement)
    yield element
    element.faults.clear()


@pytest.fixture(scope="module")
def lab(park: Park, tmp_path_factory: pytest.TempPathFactory) -> Generator[ElementLab]:
    lab = ElementLab(tmp_path_factory.mktemp("lab"), {park.elements["pe1"]: "pe"})
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def process(lab: ElementLab) -> Generator[Ocs]:
    with running("elements", data_dir=lab.data_dir, config=lab.config, overrides=ALONE) as ocs:
        yield ocs


@pytest.fixture
def run(lab: ElementLab, process: Ocs, capsys: pytest.CaptureFixture[str]) -> Run:
    return lab.runner(capsys)


def test_change_by_hand_is_watched_until_it_is_done(run: Run, element: NetconfElement) -> None:
    status, out, error = run("config", "set", "pe1", f"{GE0}/description=to Berlin")
    assert (status, error) == (0, "")
    assert out.splitlines()[-1].endswith("is done")
    assert element.running()[f"{GE0}/description"] == "to Berlin"


def test_refused_change_says_why_and_ends_with_1(run: Run, element: NetconfElement) -> None:
    element.faults.add(Fault(kind=FaultKind.REFUSE, on="edit-config", message="no such card"))
    status, _, error = run("config", "set", "pe1", f"{GE0}/description=never")
    assert status == 1
    assert "no such card" in error
    assert element.running()[f"{GE0}/description"] != "never"


def test_refused_change_can_be_tried_again_under_a_new_name(run: Run, element: NetconfElement) -> None:
    element.faults.add(Fault(kind=FaultKind.REFUSE, on="edit-config"))
    assert run("config", "set", "pe1", f"{GE0}/description=again", "--reference", "first")[0] == 1
    assert run("provision", "show", "first", "--json")[0] == 0
    assert run("provision", "retry", "first")[0] == 0
    assert element.running()[f"{GE0}/description"] == "again"
    status, _, error = run("provision", "cancel", "first")
    assert status == 1
    assert "refused" in error


def test_change_for_later_is_queued_and_can_be_cancelled(run: Run, element: NetconfElement) -> None:
    arguments = ("config", "set", "pe1", f"{GE0}/description=later", "--not-before", "2999-01-01T00:00Z")
    assert run(*arguments, "--reference", "later")[0] == 0
    _, out, _ = run("provision", "list", "--state", "queued", "--json")
    assert [one["transaction_id"] for one in json.loads(out)] == ["later"]
    assert run("provision", "cancel", "later")[0] == 0
    assert "2999-01-01" in run("provision", "show", "later")[1]
    assert element.running()[f"{GE0}/description"] != "later"


def test_unknown_transaction_is_refused_in_one_line(run: Run) -> None:
    status, _, error = run("provision", "show", "nobody")
    assert status == 1
    assert "ocs provision list" in error


def test_process_tells_metrics_health_and_progress(lab: ElementLab, run: Run) -> None:
    assert run("config", "set", "pe1", f"{GE0}/description=told", "--reference", "told")[0] == 0
    channel = WorkerChannel("elements", lab.data_dir / "run" / "elements.sock")
    assert msgspec.msgpack.decode(trio.run(channel.ask, "health")) == {"note": ""}
    assert b"ocs_transactions_total" in trio.run(channel.ask, "metrics")
    assert msgspec.msgpack.decode(trio.run(channel.ask, "progress"))["told"]["pe1"] == "release"


def test_second_process_stands_by_and_takes_over_when_the_first_ends(
    lab: ElementLab, process: Ocs, element: NetconfElement
) -> None:
    run_here = [sys.executable, "-m", "ocs", "config", "set", "pe1", "--config", str(lab.config)]
    with running("elements", data_dir=lab.data_dir, config=lab.config, overrides=ALONE) as second:
        assert second.ready["elements"] != process.ready["elements"]
        assert process.end(signal.SIGTERM) == 0
        wait_until(lambda: "provisioning_queue_owned" in second.errors, "the second takes over")
        changed = subprocess.run(
            [*run_here, "--data-dir", str(lab.data_dir), f"{GE0}/description=second"], check=False, timeout=60
        )
        assert changed.returncode == 0
        assert element.running()[f"{GE0}/description"] == "second"


def test_asked_to_end_it_finishes_what_is_under_way(
    park: Park, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = park.netconf("slow", running=ethernet("ge-0", "before"))
    lab = ElementLab(tmp_path_factory.mktemp("slow"), {slow: "pe"})
    run = lab.runner(capsys)
    slow.faults.add(Fault(kind=FaultKind.LATENCY, on="commit confirmed", seconds=1.0))
    with running("elements", data_dir=lab.data_dir, config=lab.config, overrides=ALONE) as process:
        assert (
            run("config", "set", "slow", f"{GE0}/description=after", "--no-wait", "--reference", "t")[0] == 0
        )
        wait_until(lambda: "commit confirmed" in slow.faults.steps, "it activates")
        assert process.end(signal.SIGTERM) == 0
    assert json.loads(run("provision", "show", "t", "--json")[1])["state"] == TransactionState.DONE.value
    assert slow.running()[f"{GE0}/description"] == "after"
    lab.close()


# --- Elements that are away -----------------------------------------------------------------------------------------


class FakeEngine:
    """Owns the queue."""

    is_owner = True


class FakeSessions:
    """Says who is away."""

    def __init__(self) -> None:
        self.away: dict[str, LeftAlone] = {}

    def left_alone(self) -> dict[str, LeftAlone]:
        return self.away


class FakeDoor:
    """Takes orders."""

    def __init__(self) -> None:
        self.told: list[AlarmSignal] = []

    def order(self, order_id: str, signal: AlarmSignal) -> None:
        del order_id
        self.told.append(signal)

    def look(self, alarm_ids: list[str]) -> list[object]:
        del alarm_ids
        return []


class EmptyDatabase:
    """No element and no transaction."""

    async def read(self, work: object) -> object:
        return 0 if getattr(work, "__name__", "") == "count_queued" else []


async def test_element_that_is_away_is_alarmed_once_and_cleared() -> None:
    sessions, door, engine = FakeSessions(), FakeDoor(), FakeEngine()
    watch = ElementWatch(Watched(EmptyDatabase(), sessions, engine, ManualClock(1_000)), door)  # type: ignore[arg-type]
    sessions.away["pe1"] = LeftAlone("connection refused", 5.0)
    await watch.look()
    await watch.look()
    sessions.away.clear()
    await watch.look()
    said = [(one.key.resource, one.key.alarm_type, one.severity.name) for one in door.told]
    assert said == [("pe1", "element-unreachable", "MAJOR"), ("pe1", "element-unreachable", "CLEARED")]
    assert "connection refused" in door.told[0].text


async def test_process_that_stands_by_tells_no_alarms() -> None:
    sessions, door, engine = FakeSessions(), FakeDoor(), FakeEngine()
    engine.is_owner = False
    sessions.away["pe1"] = LeftAlone("connection refused", 5.0)
    await ElementWatch(Watched(EmptyDatabase(), sessions, engine, ManualClock(1_000)), door).look()  # type: ignore[arg-type]
    assert door.told == []
