"""Looks at elements in memory: what is recorded, told and done, also when something comes between.

Covers ``reverting`` too.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from ocs.clock import ManualClock
from ocs.faults.alarm import Severity
from ocs.limits import DRIFT_REVERTS_PER_HOUR_MAX
from ocs.provisioning.compliance.backups import list_backups, read_content
from ocs.provisioning.compliance.drift import FOREIGN_SECRET
from ocs.provisioning.compliance.drift_policy import DriftAction, DriftRule
from ocs.provisioning.compliance.record import read_look
from ocs.provisioning.configuration import ConfigurationDiff
from ocs.provisioning.configuration_work import ConfigurationWork
from ocs.provisioning.errors import ElementError
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.coordinator import Coordinator
from ocs.provisioning.transactions.record import ElementPlan, Plan, Transaction
from ocs.provisioning.transactions.states import TransactionEvent, TransactionState
from ocs.settings import Settings
from ocs.sql import database_url
from tests.support.drift_lab import ACCEPT, REVERT, SERVICE, DriftLab, copy_of
from tests.support.elements import ethernet, interface
from tests.support.fake_network import PERSISTENT, FakeElement, FakeNetwork
from tests.support.provisioning_lab import InlineDatabase

A = interface("a")
DESCRIPTION = f"{A}/description"
OWNED = ethernet("a", "mine")
PE = "pe1"


class Stage:
    """One element, owned in part, and what it is looked at with."""

    def __init__(self, folder: Path) -> None:
        self.of = FakeElement(PE, PERSISTENT, {**OWNED, **ethernet("b", "nobody's")})
        self.network = FakeNetwork(self.of)
        database = InlineDatabase(database_url(Settings(), folder))
        self.clock = ManualClock(1_800_000_000_000)
        self.lab = DriftLab(database, self.network, self.clock)
        self.lab.own(PE, OWNED)
        self.examiner = self.lab.examiner()

    def change(self, path: str, value: str | None) -> None:
        """As somebody else does."""
        self.of.running = {**self.of.running, path: value}

    async def run_all(self) -> None:
        """Run what is queued."""
        coordinator = Coordinator(self.lab.means(self.network.find), fence=self.fence())
        for name, state in self.lab.transactions():
            if state == "queued":
                await coordinator.run(name)

    def fence(self) -> int:
        taken = self.lab.database.write_blocking(
            lambda connection: journal.take_lease(connection, "test", now_ms=0, until_ms=1)
        )
        assert taken is not None
        return taken

    def hold(self, transaction_id: str = "t1") -> None:
        """A transaction has begun with the element."""
        plan = ElementPlan(PE, ConfigurationDiff({DESCRIPTION: "new"}))

        def work(connection: Any) -> Any:
            transaction = Transaction(
                transaction_id=transaction_id,
                state=TransactionState.QUEUED,
                work=ConfigurationWork({}).work(),
                description="",
                requested_by="",
                elements=(PE,),
                created_ms=1,
            )
            journal.add_transaction(connection, transaction)
            journal.move(connection, transaction_id, TransactionEvent.STARTED, now_ms=2)
            journal.write_plan(connection, transaction_id, Plan((plan,)))

        self.lab.database.write_blocking(work)

    def let_go(self, transaction_id: str = "t1") -> None:
        """It ends."""
        self.lab.database.write_blocking(
            lambda connection: journal.move(connection, transaction_id, TransactionEvent.REFUSED, now_ms=3)
        )


@pytest.fixture
def stage(tmp_path: Path, template: Path) -> Generator[Stage]:
    made = Stage(copy_of(template, tmp_path / "data"))
    yield made
    made.lab.database.close()


async def test_an_element_that_runs_what_is_wanted_raises_nothing(stage: Stage) -> None:
    look = await stage.examiner.look(stage.of.element)
    assert look.is_whole
    assert (look.drifts, stage.lab.signals) == ([], [])


async def test_drift_is_told_once_while_it_stays_the_same(stage: Stage) -> None:
    stage.change(DESCRIPTION, "theirs")
    for _ in range(3):
        await stage.examiner.look(stage.of.element)
    assert [signal.severity for signal in stage.lab.signals] == [Severity.WARNING]
    stage.change(DESCRIPTION, "theirs again")
    await stage.examiner.look(stage.of.element)
    stage.change(DESCRIPTION, "mine")
    await stage.examiner.look(stage.of.element)
    assert [signal.severity for signal in stage.lab.signals] == [
        Severity.WARNING, Severity.WARNING, Severity.CLEARED,
    ]  # fmt: skip


async def test_what_the_alarm_list_could_not_be_told_it_is_told_with_the_next_look(stage: Stage) -> None:
    stage.change(DESCRIPTION, "theirs")
    stage.lab.is_away = True
    await stage.examiner.look(stage.of.element)
    assert stage.lab.drift(PE)
    stage.lab.is_away = False
    await stage.lab.examiner().look(stage.of.element)
    assert [signal.severity for signal in stage.lab.signals] == [Severity.WARNING]


async def test_who_and_since_when_stay_while_a_finding_does(stage: Stage) -> None:
    stage.change(DESCRIPTION, "theirs")
    await stage.examiner.look(stage.of.element, [DESCRIPTION], who="mallory (session 7)")
    await stage.examiner.look(stage.of.element)
    (drift,) = stage.lab.drift(PE)
    assert drift.who == "mallory (session 7)"
    assert drift.since_ms == 1_800_000_000_000


async def test_a_look_at_a_part_says_nothing_of_the_rest(stage: Stage) -> None:
    stage.change(DESCRIPTION, "theirs")
    stage.change(f"{A}/type", "other")
    await stage.examiner.look(stage.of.element)
    stage.change(DESCRIPTION, "mine")
    look = await stage.examiner.look(stage.of.element, [DESCRIPTION])
    assert not look.is_whole
    assert [drift.finding.path for drift in look.drifts] == [f"{A}/type"]
    assert stage.lab.drift(PE) == look.drifts


async def test_a_part_that_nobody_owns_is_not_even_read(stage: Stage) -> None:
    stage.of.faults["read"] = "refuse"
    look = await stage.examiner.look(stage.of.element, [f"{interface('b')}/description"])
    assert look.drifts == []
    assert stage.of.faults, "it was not asked"


async def test_a_value_that_was_accepted_is_owned_from_then_on(stage: Stage) -> None:
    stage.lab.own(PE, OWNED, service="vpn-2")
    stage.change(DESCRIPTION, "theirs")
    stage.change(f"{A}/enabled", "false")
    del stage.of.running[f"{A}/type"]
    look = await stage.lab.examiner(ACCEPT).look(stage.of.element)
    assert look.drifts == []
    assert stage.lab.owned(PE) == {A: None, DESCRIPTION: "theirs", f"{A}/enabled": "false"}
    assert stage.lab.signals == []
    assert (await stage.examiner.look(stage.of.element)).drifts == []


async def test_a_revert_brings_back_what_is_wanted_and_nothing_else(stage: Stage) -> None:
    stage.change(DESCRIPTION, "theirs")
    stage.change(f"{interface('b')}/description", "changed too")
    look = await stage.lab.examiner(REVERT).look(stage.of.element)
    assert look.revert
    assert stage.lab.woken == 1
    again = await stage.lab.examiner(REVERT).look(stage.of.element)
    assert again.revert == look.revert, "one at a time"
    await stage.run_all()
    assert stage.of.running == {**OWNED, **ethernet("b", "changed too")}
    assert [state for _, state in stage.lab.transactions()] == ["done"]


async def test_a_revert_does_not_undo_what_nobody_has_judged_yet(stage: Stage) -> None:
    stage.change(DESCRIPTION, "theirs")
    await stage.lab.examiner(REVERT).look(stage.of.element)
    stage.change(DESCRIPTION, "something else by now")
    await stage.run_all()
    assert stage.of.running[DESCRIPTION] == "something else by now"
    assert [state for _, state in stage.lab.transactions()] == ["refused"]


async def test_an_element_that_is_changed_again_and_again_is_left_to_people(stage: Stage) -> None:
    examiner = stage.lab.examiner(REVERT)
    for _ in range(DRIFT_REVERTS_PER_HOUR_MAX):
        stage.change(DESCRIPTION, "theirs")
        assert (await examiner.look(stage.of.element)).revert
        await stage.run_all()
        stage.clock.advance_ms(1_000)
    stage.change(DESCRIPTION, "theirs")
    look = await examiner.look(stage.of.element)
    assert not look.revert
    assert look.drifts
    stage.clock.advance_ms(3_600_000)
    assert (await examiner.look(stage.of.element)).revert


async def test_each_path_has_its_own_policy(stage: Stage) -> None:
    rules = (
        DriftRule(action=DriftAction.ACCEPT, path="/ietf-interfaces:interfaces/interface/description"),
        DriftRule(action=DriftAction.REVERT, service=SERVICE),
    )
    stage.change(DESCRIPTION, "theirs")
    stage.change(f"{A}/type", "other")
    await stage.lab.examiner(rules).look(stage.of.element)
    await stage.run_all()
    assert stage.of.running[DESCRIPTION] == "theirs"
    assert stage.of.running[f"{A}/type"] == OWNED[f"{A}/type"]


async def test_while_a_transaction_holds_the_element_nothing_is_said_of_it(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.hold()
    stage.change(DESCRIPTION, "on its way")
    look = await stage.examiner.look(stage.of.element)
    assert look.was_put_off
    assert stage.lab.drift(PE) == []
    assert stage.lab.signals == []


async def test_what_was_read_while_a_transaction_came_between_is_read_again(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.change(DESCRIPTION, "on its way")
    read = stage.network.elements[PE]
    begun = trio.Event()

    class Slow(FakeNetwork):
        def session(self, element: Any) -> Any:
            if not begun.is_set():
                begun.set()
                stage.hold()
            return super().session(element)

    stage.lab.sessions = Slow(read)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.lab.examiner().look, read.element)
        await begun.wait()
        await trio.sleep(1)
        assert stage.lab.drift(PE) == []
        stage.change(DESCRIPTION, "mine")
        stage.let_go()
    assert stage.lab.drift(PE) == []
    assert stage.lab.signals == []


async def test_an_element_that_cannot_be_read_is_noted_and_its_alarm_stays(stage: Stage) -> None:
    stage.change(DESCRIPTION, "theirs")
    await stage.examiner.look(stage.of.element)
    stage.of.faults["read"] = "before"
    with pytest.raises(ElementError):
        await stage.examiner.look(stage.of.element)
    known = stage.lab.database.read_blocking(lambda connection: read_look(connection, PE))
    assert "broke" in known.trouble
    assert len(stage.lab.signals) == 1
    await stage.examiner.look(stage.of.element)
    known = stage.lab.database.read_blocking(lambda connection: read_look(connection, PE))
    assert known.trouble == ""


async def test_a_whole_look_backs_up_what_changed_without_anybody_s_secrets(stage: Stage) -> None:
    stage.lab.own(PE, {**OWNED, DESCRIPTION: "secret:key"})
    stage.change(DESCRIPTION, "hunter2")
    assert (await stage.examiner.look(stage.of.element, cause="changed by mallory")).backup == 1
    assert (await stage.examiner.look(stage.of.element)).backup == 0

    def read(connection: Any) -> Any:
        (backup,) = list_backups(connection, PE)
        return backup, read_content(connection, backup)

    backup, content = stage.lab.database.read_blocking(read)
    assert backup.cause == "changed by mallory"
    assert content.configuration == {**stage.of.running, DESCRIPTION: FOREIGN_SECRET}
    assert "hunter2" not in content.native
    assert all("hunter2" not in str(signal) for signal in stage.lab.signals)


async def test_secret_that_is_none_of_ours_is_never_accepted(stage: Stage, autojump_clock: object) -> None:
    stage.lab.own(PE, {**OWNED, DESCRIPTION: "secret:key"})
    stage.change(DESCRIPTION, "somebody-else's")
    look = await stage.lab.examiner(ACCEPT).look(stage.of.element)
    assert [(one.finding.found, one.action) for one in look.drifts] == [(FOREIGN_SECRET, DriftAction.ALARM)]
    assert stage.lab.owned(PE)[DESCRIPTION] == "secret:key"
