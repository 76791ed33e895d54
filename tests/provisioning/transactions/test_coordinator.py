"""All elements or none: with a fault at every step, and with our process dead at every step.

Covers ``errors``, ``means`` and ``participation`` too.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from ocs.provisioning.configuration import Configuration, ConfigurationDiff, changed
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.journal import LeaseLostError
from ocs.provisioning.transactions.record import Transaction, Work
from ocs.provisioning.transactions.states import TransactionEvent, TransactionState
from ocs.provisioning.transactions.steps import Step
from tests.support.fake_network import CONFIRMED, DIRECT, PERSISTENT, FakeElement, FakeSession
from tests.support.provisioning_lab import (
    CONFIRM_TIMEOUT_S,
    CrashedError,
    ProvisioningLab,
    WantedChange,
)

ENTRY = "/m:list[k='new']"
OLD = "/m:list[k='old']"
BEFORE: Configuration = {"/m:x": "1", OLD: None, f"{OLD}/v": "7", "/m:untouched": "same"}
CHANGE = ConfigurationDiff({"/m:x": "2", ENTRY: None, f"{ENTRY}/v": "3"}, (OLD,))
AFTER = changed(BEFORE, CHANGE)
ABILITIES = {"pe1": PERSISTENT, "pe2": PERSISTENT, "pe3": CONFIRMED, "sw1": DIRECT, "sw2": DIRECT}
FAULTS = ("before", "after", "refuse", "busy", "lie")
OPERATIONS = (
    "connect",
    "begin",
    "read",
    "stage",
    "validate",
    "commit",
    "commit_confirmed",
    "confirm",
    "cancel",
    "release",
    "abandon",
)


@pytest.fixture
def labs(tmp_path: Path, template: Path) -> Iterator["Labs"]:
    labs = Labs(tmp_path, template)
    yield labs
    labs.close()


class Labs:
    """A fresh lab for each story of a test."""

    def __init__(self, folder: Path, template: Path) -> None:
        self._folder = folder
        self._template = template
        self._open: list[ProvisioningLab] = []

    def new(self, names: str = "pe1 pe2 pe3 sw1 sw2") -> ProvisioningLab:
        elements = [FakeElement(name, ABILITIES[name], BEFORE) for name in names.split()]
        lab = ProvisioningLab(self._folder / str(len(self._open)), self._template, *elements)
        self._open.append(lab)
        lab.queue("t1", WantedChange("s1", dict.fromkeys(names.split(), CHANGE)))
        return lab

    def close(self) -> None:
        for lab in self._open:
            lab.close()


async def dies(lab: ProvisioningLab) -> bool:
    """Run a process of ours until it dies, or until all is done; returns whether it died."""
    try:
        await lab.run_to_the_end("t1", lab.coordinator())
    except* CrashedError:
        pass
    has_died = lab.database.is_dead
    lab.revive()
    return has_died


def assert_all_or_nothing(lab: ProvisioningLab) -> None:
    """Elements, record and journal say the same."""
    state = lab.transaction("t1").state
    expected = AFTER if state is TransactionState.DONE else BEFORE
    for name, element in lab.network.elements.items():
        assert element.running == expected, f"{name} after {state}"
        assert element.pending is None
        assert element.holder is None
    assert lab.owned() == (
        {name: set(CHANGE.set) for name in lab.network.elements} if state is TransactionState.DONE else {}
    )


async def test_change_reaches_every_element_and_the_record(labs: Labs, autojump_clock: object) -> None:
    lab = labs.new()
    transaction = await lab.coordinator().run("t1")
    assert transaction.state is TransactionState.DONE
    assert_all_or_nothing(lab)
    assert not lab.planner.refused


async def test_elements_that_undo_by_themselves_are_activated_before_those_that_cannot(
    labs: Labs, autojump_clock: object
) -> None:
    lab = labs.new()
    await lab.coordinator().run("t1")
    activated = [element for element, step in lab.steps if step is Step.ACTIVATE]
    assert set(activated[:3]) == {"pe1", "pe2", "pe3"}
    assert activated[3:] == ["sw1", "sw2"]


async def test_our_process_may_die_at_every_step(labs: Labs, autojump_clock: object) -> None:
    lab = labs.new()
    await lab.coordinator().run("t1")
    outcomes: set[TransactionState] = set()
    for step in range(len(lab.steps)):
        story = labs.new()
        story.crash_at = step
        assert await dies(story)
        transaction = await story.run_to_the_end("t1", story.coordinator())
        assert_all_or_nothing(story)
        outcomes.add(transaction.state)
    assert outcomes == {TransactionState.DONE, TransactionState.ROLLED_BACK}


@pytest.mark.parametrize("names", ["pe1 sw1", pytest.param("pe1 pe2 pe3 sw1", marks=pytest.mark.long)])
async def test_our_process_may_die_again_while_it_recovers(
    labs: Labs, names: str, autojump_clock: object
) -> None:
    lab = labs.new(names)
    await lab.coordinator().run("t1")
    for first in range(len(lab.steps)):
        second = 0
        has_died = True
        while has_died:
            story = labs.new(names)
            story.crash_at = first
            assert await dies(story)
            story.crash_at = len(story.steps) + second
            has_died = await dies(story)
            await story.run_to_the_end("t1", story.coordinator())
            assert_all_or_nothing(story)
            second += 1


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_operation_of_every_element_may_fail(
    labs: Labs, operation: str, fault: str, autojump_clock: object
) -> None:
    for name in ABILITIES:
        lab = labs.new()
        lab.network.elements[name].faults[operation] = fault
        await lab.run_to_the_end("t1", lab.coordinator())
        await trio.sleep(CONFIRM_TIMEOUT_S + 1)  # what was not confirmed in truth is undone by now
        assert_all_or_nothing(lab)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ["begin", "read", "stage", "commit", "cancel", "release"])
async def test_every_operation_may_fail_while_it_is_undone(
    labs: Labs, operation: str, fault: str, autojump_clock: object
) -> None:
    for name in ABILITIES:
        lab = labs.new()
        lab.network.elements["sw2"].faults["commit"] = "after"  # the last to be activated
        faults = lab.network.elements[name].faults
        lab.once(Step.UNDO, name, lambda faults=faults: faults.update({operation: fault}))
        transaction = await lab.run_to_the_end("t1", lab.coordinator())
        assert transaction.state is TransactionState.ROLLED_BACK
        assert_all_or_nothing(lab)


@pytest.mark.parametrize("name", list(ABILITIES))
@pytest.mark.parametrize("step", [Step.STAGE, Step.ACTIVATE, Step.VERIFY, Step.DECIDE, Step.CONFIRM])
async def test_element_that_is_away_for_an_hour_gets_what_was_decided_when_it_is_back(
    labs: Labs, name: str, step: Step, autojump_clock: object
) -> None:
    lab = labs.new()
    element = lab.network.elements[name]
    journals = {Step.DECIDE}
    lab.once(step, "" if step in journals else name, lambda: element.go_away(300))
    await lab.run_to_the_end("t1", lab.coordinator())
    assert_all_or_nothing(lab)


async def test_commit_that_was_undone_by_its_time_out_after_the_decision_is_done_again(
    labs: Labs, autojump_clock: object
) -> None:
    lab = labs.new("pe1 pe2")
    lab.network.elements["pe1"].faults["confirm"] = "before"
    lab.once(Step.SETTLE, "pe1", lambda: lab.network.elements["pe1"].go_away(CONFIRM_TIMEOUT_S + 10))
    coordinator = lab.coordinator()
    transaction = await coordinator.run("t1")
    assert transaction.state is TransactionState.DECIDED
    assert transaction.participants[0].reason
    await trio.sleep(CONFIRM_TIMEOUT_S + 20)
    assert lab.network.elements["pe1"].running == BEFORE
    assert (await coordinator.finish("t1")).state is TransactionState.DONE
    assert_all_or_nothing(lab)


async def test_element_that_says_yes_and_does_nothing_is_found_out(
    labs: Labs, autojump_clock: object
) -> None:
    lab = labs.new("pe1 pe2")
    lab.network.elements["pe2"].faults["commit_confirmed"] = "lie"
    transaction = await lab.coordinator().run("t1")
    assert transaction.state is TransactionState.ROLLED_BACK
    assert "pe2: read back at /m:list[k='new']: it accepted the change, but" in transaction.reason
    assert_all_or_nothing(lab)


async def test_what_somebody_changed_meanwhile_is_not_overwritten_by_undoing(
    labs: Labs, autojump_clock: object
) -> None:
    lab = labs.new("sw1 sw2")
    lab.network.elements["sw2"].faults["commit"] = "refuse"
    lab.once(Step.UNDO, "sw1", lambda: lab.network.elements["sw1"].running.update({"/m:x": "9"}))
    transaction = await lab.coordinator().run("t1")
    assert transaction.state is TransactionState.ROLLED_BACK
    assert lab.network.elements["sw1"].running == {**BEFORE, "/m:x": "9"}


async def test_what_is_not_as_expected_is_refused_before_anything_is_changed(
    labs: Labs, autojump_clock: object
) -> None:
    lab = labs.new("pe1")
    lab.queue("t2", WantedChange("s1", {"pe1": CHANGE}, {"pe1": {"/m:x": "5"}}))
    transaction = await lab.coordinator().run("t2")
    assert transaction.state is TransactionState.REFUSED
    assert transaction.reason == (
        "pe1: check before writing at /m:x: somebody changed it: expected 5, found 1;"
        " see `ocs config drift pe1`, then --revert or --accept"
    )
    assert lab.network.elements["pe1"].running == BEFORE
    assert lab.planner.refused == [transaction.reason]


async def test_work_that_is_refused_by_its_planner_changes_nothing(
    labs: Labs, autojump_clock: object
) -> None:
    lab = labs.new("pe1")
    lab.queue("t2", WantedChange("s1", {"pe1": CHANGE}, refusal="no free VLAN"))
    assert (await lab.coordinator().run("t2")).reason == "no free VLAN"
    assert lab.network.elements["pe1"].running == BEFORE


async def test_work_that_nobody_can_read_is_refused_alone(labs: Labs, autojump_clock: object) -> None:
    lab = labs.new("pe1")
    garbled = Transaction(
        transaction_id="t2",
        state=TransactionState.QUEUED,
        work=Work("lab", b"\xc1"),
        description="",
        requested_by="",
        elements=("pe1",),
    )
    lab.database.write_blocking(lambda connection: journal.add_transaction(connection, garbled))
    coordinator = lab.coordinator()
    transaction = await coordinator.run("t2")
    assert transaction.state is TransactionState.REFUSED
    assert transaction.reason.startswith("it cannot be understood: DecodeError")
    assert (await coordinator.run("t1")).state is TransactionState.DONE


async def test_work_without_any_change_is_recorded_at_once(labs: Labs, autojump_clock: object) -> None:
    lab = labs.new("pe1")
    lab.queue("t2", WantedChange("s2", {}))
    assert (await lab.coordinator().run("t2")).state is TransactionState.DONE


async def test_process_whose_lease_was_taken_over_decides_nothing(labs: Labs, autojump_clock: object) -> None:
    lab = labs.new("pe1 sw1")
    old = lab.coordinator()
    lab.once(Step.DECIDE, "", lab.coordinator)
    with pytest.raises(LeaseLostError):
        await old.run("t1")
    transaction = await lab.run_to_the_end("t1", lab.coordinator())
    assert transaction.state is TransactionState.ROLLED_BACK
    assert_all_or_nothing(lab)


async def test_what_was_cancelled_since_it_was_chosen_is_not_begun(
    labs: Labs, autojump_clock: object
) -> None:
    lab = labs.new("pe1")

    def cancel() -> None:
        lab.database.write_blocking(
            lambda connection: journal.move(
                connection, "t1", TransactionEvent.CANCELLED, now_ms=lab.clock.now_ms()
            )
        )

    lab.once(Step.START, "", cancel)
    assert (await lab.coordinator().run("t1")).state is TransactionState.CANCELLED
    assert lab.network.elements["pe1"].running == BEFORE


async def test_value_that_an_element_makes_another_one_of_is_taken_back(
    labs: Labs, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = labs.new("pe1 sw1")
    commit = FakeSession.commit

    async def commit_cut_short(session: FakeSession) -> None:
        await commit(session)
        of = lab.network.elements[session.element.name]
        if of.running["/m:x"] == "2":
            of.running = {**of.running, "/m:x": "cut"}

    monkeypatch.setattr(FakeSession, "commit", commit_cut_short)
    transaction = await lab.run_to_the_end("t1", lab.coordinator())
    assert transaction.state is TransactionState.ROLLED_BACK
    assert "has cut where 2 was wanted" in transaction.reason
    assert_all_or_nothing(lab)


async def test_process_that_was_overtaken_undoes_nothing_that_came_after_it(
    labs: Labs, autojump_clock: object
) -> None:
    lab = labs.new("pe1")
    lab.crash_at = [step for _, step in await _steps(labs)].index(Step.DECIDE)
    assert await dies(lab)
    old = lab.coordinator()

    async def overtake() -> None:
        new = lab.coordinator()
        assert (await lab.run_to_the_end("t1", new)).state is TransactionState.ROLLED_BACK
        lab.queue("t2", WantedChange("s1", {"pe1": CHANGE}))
        assert (await lab.run_to_the_end("t2", new)).state is TransactionState.DONE

    lab.network.before_session = overtake
    with pytest.RaisesGroup(LeaseLostError):
        await old.finish("t1")
    assert lab.network.elements["pe1"].running == AFTER


async def _steps(labs: Labs) -> list[tuple[str, Step]]:
    lab = labs.new("pe1")
    await lab.coordinator().run("t1")
    return lab.steps
