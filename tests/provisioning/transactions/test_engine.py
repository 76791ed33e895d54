"""The queue worked off, by one process at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from ocs.provisioning.configuration import ConfigurationDiff
from ocs.provisioning.transactions.batches import Batch, add_batch
from ocs.provisioning.transactions.engine import Engine
from ocs.provisioning.transactions.record import Transaction
from ocs.provisioning.transactions.states import FINAL, TransactionState
from ocs.provisioning.transactions.steps import Step
from tests.support.fake_network import PERSISTENT, FakeElement
from tests.support.provisioning_lab import ProvisioningLab, WantedChange

CHANGE = ConfigurationDiff({"/m:x": "2"})


@pytest.fixture
def lab(tmp_path: Path, template: Path) -> Iterator[ProvisioningLab]:
    elements = [FakeElement(f"pe{number}", PERSISTENT, {"/m:x": "1"}) for number in range(6)]
    lab = ProvisioningLab(tmp_path / "lab", template, *elements)
    yield lab
    lab.close()


async def run_until_ended(lab: ProvisioningLab, *transaction_ids: str, owner: str = "a") -> list[Transaction]:
    """Run an engine until transactions have ended; returns how they stood each time that was told."""
    told: list[Transaction] = []
    left = set(transaction_ids)
    ended = trio.Event()

    def note(transaction: Transaction) -> None:
        told.append(transaction)
        if transaction.state in FINAL:
            left.discard(transaction.transaction_id)
        if not left:
            ended.set()

    with trio.fail_after(10_000):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Engine(lab.means(), owner=owner, note_standing=note).run)
            await ended.wait()
            nursery.cancel_scope.cancel()
    return told


def change(lab: ProvisioningLab, transaction_id: str, *elements: str, **fields: object) -> None:
    lab.queue(transaction_id, WantedChange("s1", dict.fromkeys(elements, CHANGE)), **fields)


async def test_what_is_queued_is_done(lab: ProvisioningLab, autojump_clock: object) -> None:
    change(lab, "t1", "pe0", "pe1")
    change(lab, "t2", "pe2")
    await run_until_ended(lab, "t1", "t2")
    assert all(lab.network.elements[name].running == {"/m:x": "2"} for name in ("pe0", "pe1", "pe2"))


async def test_what_a_crash_left_is_ended_first(lab: ProvisioningLab, autojump_clock: object) -> None:
    change(lab, "t1", "pe0")
    lab.crash_at = 8  # after its activation
    with pytest.raises(BaseExceptionGroup):
        await lab.coordinator().run("t1")
    lab.revive()
    assert lab.transaction("t1").state is TransactionState.ACTIVATING
    change(lab, "t2", "pe0")
    await run_until_ended(lab, "t1", "t2", owner="b")
    assert lab.transaction("t1").state is TransactionState.ROLLED_BACK
    assert lab.transaction("t2").state is TransactionState.DONE


async def test_second_engine_stands_by_and_takes_over(lab: ProvisioningLab, autojump_clock: object) -> None:
    async with trio.open_nursery() as nursery:
        first = trio.CancelScope()

        async def run_first() -> None:
            with first:
                await Engine(lab.means(), owner="a").run()

        nursery.start_soon(run_first)
        await trio.sleep(1)
        nursery.start_soon(Engine(lab.means(), owner="b").run)
        await trio.sleep(30)
        first.cancel()
        await trio.sleep(30)
        change(lab, "t1", "pe0")
        await trio.sleep(30)
        nursery.cancel_scope.cancel()
    assert lab.transaction("t1").state is TransactionState.DONE


async def test_element_that_is_busy_is_tried_again_later(
    lab: ProvisioningLab, autojump_clock: object
) -> None:
    lab.network.elements["pe0"].faults["begin"] = "busy"
    change(lab, "t1", "pe0")

    def wait() -> None:
        lab.clock.advance_ms(60_000)

    lab.once(Step.BEGIN, "pe0", wait)
    told = await run_until_ended(lab, "t1")
    assert [one.state for one in told][-1] is TransactionState.DONE
    assert "somebody else is at it" in told[0].reason or told[0].state is TransactionState.DONE


async def test_batch_whose_canary_fails_changes_no_other_element(
    lab: ProvisioningLab, autojump_clock: object
) -> None:
    batch = Batch(batch_id="roll", description="", requested_by="", canaries=1, failures_max=0, created_ms=1)
    lab.database.write_blocking(lambda connection: add_batch(connection, batch))
    lab.network.elements["pe0"].faults["commit_confirmed"] = "lie"
    for place in range(6):
        change(lab, f"t{place}", f"pe{place}", batch_id="roll", batch_place=place)
    await run_until_ended(lab, "t0")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Engine(lab.means(), owner="a").run)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    states = [lab.transaction(f"t{place}").state for place in range(6)]
    assert states == [TransactionState.ROLLED_BACK] + [TransactionState.CANCELLED] * 5
    assert all(element.running == {"/m:x": "1"} for element in lab.network.elements.values())
    assert len(lab.planner.refused) == 6


async def test_window_that_has_passed_is_cancelled_and_told(
    lab: ProvisioningLab, autojump_clock: object
) -> None:
    change(lab, "t1", "pe0", not_after_ms=lab.clock.now_ms() - 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Engine(lab.means(), owner="a").run)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert lab.transaction("t1").state is TransactionState.CANCELLED
    assert lab.planner.refused == ["its change window has passed"]


async def test_asked_to_end_it_finishes_what_is_at_work_and_begins_nothing(
    lab: ProvisioningLab, autojump_clock: object
) -> None:
    engine = Engine(lab.means(), owner="a")
    change(lab, "t1", "pe0")
    lab.once(Step.ACTIVATE, "pe0", engine.end)
    lab.once(Step.START, "", lambda: change(lab, "t2", "pe1"))
    with trio.fail_after(100):
        await engine.run()
    assert lab.transaction("t1").state is TransactionState.DONE
    assert lab.transaction("t2").state is TransactionState.QUEUED
    assert not engine.is_owner


async def test_asked_to_end_it_does_not_wait_for_elements_that_are_away(
    lab: ProvisioningLab, autojump_clock: object
) -> None:
    engine = Engine(lab.means(), owner="a")
    change(lab, "t1", "pe0")
    lab.once(Step.CONFIRM, "pe0", lambda: lab.network.elements["pe0"].go_away(1_000_000))
    lab.network.elements["pe0"].faults["confirm"] = "before"
    with trio.fail_after(1_000):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.run)
            await trio.sleep(30)
            assert engine.under_way == ("t1",)
            engine.end()
    assert lab.transaction("t1").state is TransactionState.DECIDED


async def test_what_is_scheduled_for_later_keeps_nothing_out(
    lab: ProvisioningLab, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocs.provisioning.transactions.engine.TRANSACTIONS_LOOKED_AT", 3)
    for number in range(3):
        change(lab, f"later-{number}", "pe1", not_before_ms=2**50)
    change(lab, "now", "pe2")
    await run_until_ended(lab, "now")
    assert lab.network.elements["pe2"].running == {"/m:x": "2"}


async def test_batch_that_waits_for_its_canary_holds_up_nobody(
    lab: ProvisioningLab, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocs.provisioning.transactions.engine.TRANSACTIONS_LOOKED_AT", 3)
    lab.network.elements["pe0"].go_away(4_000)
    batch = Batch(batch_id="roll", description="", requested_by="", canaries=1, failures_max=0, created_ms=0)
    lab.database.write_blocking(lambda connection: add_batch(connection, batch))
    for place in range(5):
        change(lab, f"t{place}", f"pe{place}", batch_id="roll", batch_place=place)
    lab.clock.advance_ms(5)
    change(lab, "other", "pe5")
    with trio.move_on_after(120):
        await Engine(lab.means(), owner="a").run()
    assert lab.transaction("other").state is TransactionState.DONE
    assert lab.transaction("t1").state is TransactionState.QUEUED
