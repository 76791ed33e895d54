"""Simulated elements that somebody else changes: seen at once, alarmed, shown as a difference, reverted by policy."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from ocs.asyncio_bridge import asyncio_loop
from ocs.clock import SystemClock
from ocs.faults.alarm import AlarmKey, Severity
from ocs.provisioning.compliance.backups import list_backups
from ocs.provisioning.compliance.drift import FindingKind
from ocs.provisioning.compliance.drift_policy import DriftRule
from ocs.provisioning.compliance.examiner import Examiner
from ocs.provisioning.compliance.watch import DriftWatch, Pace
from ocs.provisioning.configuration import ConfigurationDiff
from ocs.provisioning.configuration_work import ConfigurationWork
from ocs.provisioning.credentials import Credential, Secrets
from ocs.provisioning.element import Element
from ocs.provisioning.element_type import load_element_types
from ocs.provisioning.sessions import Sessions
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.engine import Engine
from ocs.provisioning.transactions.record import Transaction
from ocs.provisioning.transactions.states import TransactionState
from ocs.settings import Settings
from ocs.sql import Database, database_url
from simulators.element.netconf_element import NetconfElement
from simulators.element.park import Park
from tests.support.drift_lab import REVERT, DriftLab, copy_of, until
from tests.support.elements import TYPES, YANG, ethernet, interface

PATIENCE_S = 60
NAME = interface("ge-0")
DESCRIPTION = f"{NAME}/description"
OWNED = ethernet("ge-0", "customer 17")
RUNNING = {**OWNED, **ethernet("ge-9", "nobody's")}


@pytest.fixture
def simulated(park: Park, request: pytest.FixtureRequest) -> NetconfElement:
    return park.netconf(f"pe-{abs(hash(request.node.name))}", running=RUNNING)


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Generator[Database]:
    opened = Database(database_url(Settings(), copy_of(template, tmp_path / "data")))
    yield opened
    opened.close()


class World:
    """An element that is watched, and an engine for reverts."""

    def __init__(self, simulated: NetconfElement, database: Database) -> None:
        self.simulated = simulated
        self.name = simulated.name
        self.element = Element(
            name=simulated.name,
            type_name="netconf",
            address=simulated.address,
            port=simulated.port,
            credential="lab",
            host_key=simulated.host_key,
        )
        self.sessions = Sessions(
            load_element_types(TYPES),
            {"lab": Credential(user="admin", password="admin")},
            Secrets({}),
            yang_folders=[YANG],
        )
        self.lab = DriftLab(database, self.sessions, SystemClock())
        self.lab.own(self.name, OWNED)

    async def elements(self) -> list[Element]:
        await trio.lowlevel.checkpoint()
        return [self.element]

    async def find(self, name: str) -> Element | None:
        await trio.lowlevel.checkpoint()
        return self.element if name == self.name else None

    def is_listened_to(self) -> bool:
        clients = self.simulated.call(lambda: list(self.simulated.operations.clients.values()))
        return any(client.subscription is not None for client in clients)

    def alarm(self) -> Severity | None:
        """How the alarm stands by what was told last."""
        mine = [
            signal for signal in self.lab.signals if signal.key == AlarmKey(self.name, "configuration-drift")
        ]
        return mine[-1].severity if mine else None


@asynccontextmanager
async def watched(
    simulated: NetconfElement, database: Database, rules: Sequence[DriftRule] = ()
) -> AsyncGenerator[World]:
    """Watched since a moment ago: the subscription stands."""
    with trio.fail_after(PATIENCE_S):
        async with asyncio_loop(), trio.open_nursery() as nursery:
            world = World(simulated, database)
            engine = Engine(
                world.lab.means(world.find),
                owner="test",
                note_standing=lambda one: watch.note_standing(one),  # noqa: PLW0108 (it is made below)
            )
            watch = DriftWatch(
                Examiner(world.lab.compliance(rules, engine.wake)),
                world.sessions,
                world.elements,
                Pace(interval_s=3_600, listened_max=10, settle_s=0.2, chance=lambda: 0.5),
                is_ours=world.sessions.is_ours,
            )
            nursery.start_soon(engine.run)
            nursery.start_soon(watch.run)
            await until(world.is_listened_to)
            yield world
            nursery.cancel_scope.cancel()


async def test_a_foreign_change_is_alarmed_and_shown_and_the_alarm_clears_by_itself(
    simulated: NetconfElement, database: Database
) -> None:
    async with watched(simulated, database) as world:
        simulated.change({DESCRIPTION: "mine now"}, user="mallory")
        await until(lambda: world.alarm() is Severity.WARNING)
        (drift,) = world.lab.drift(world.name)
        assert drift.finding.kind is FindingKind.CHANGED
        assert drift.finding.owners == ("vpn-1",)
        assert drift.finding.lines == (f"- {DESCRIPTION} = customer 17", f"+ {DESCRIPTION} = mine now")
        assert "mallory" in drift.who
        raised = world.lab.signals[-1]
        assert "mine now" in raised.text
        assert "mallory" in raised.text
        assert ("difference.2", f"+ {DESCRIPTION} = mine now") in raised.details
        assert world.lab.transactions() == [], "an alarm is an alarm, not a change"
        simulated.change({DESCRIPTION: "customer 17"}, user="mallory")
        await until(lambda: world.alarm() is Severity.CLEARED)
        assert world.lab.drift(world.name) == []


async def test_a_foreign_change_is_reverted_where_the_policy_says_so(
    simulated: NetconfElement, database: Database
) -> None:
    async with watched(simulated, database, REVERT) as world:
        simulated.change({DESCRIPTION: "mine now", f"{NAME}/enabled": "false"}, user="mallory")
        await until(lambda: world.alarm() is Severity.WARNING)
        assert "to be reverted" in world.lab.signals[-1].text
        await until(lambda: simulated.running() == RUNNING)
        await until(lambda: world.alarm() is Severity.CLEARED)
        assert [state for _, state in world.lab.transactions()] == ["done"]
        assert world.lab.owned(world.name) == OWNED


async def test_an_entry_that_somebody_removed_comes_back_whole(
    simulated: NetconfElement, database: Database
) -> None:
    async with watched(simulated, database, REVERT) as world:
        simulated.change({}, [NAME], user="mallory")
        await until(lambda: world.alarm() is Severity.WARNING)
        await until(lambda: simulated.running() == RUNNING)
        await until(lambda: world.alarm() is Severity.CLEARED)


async def test_what_nobody_owns_is_nobody_s_business_and_is_backed_up(
    simulated: NetconfElement, database: Database
) -> None:
    async with watched(simulated, database, REVERT) as world:
        simulated.change({f"{interface('ge-9')}/description": "changed"}, user="mallory")

        def backed_up() -> bool:
            backups = database.read_blocking(lambda connection: list_backups(connection, world.name))
            return any("mallory" in backup.cause for backup in backups)

        await until(backed_up)
        assert world.lab.drift() == []
        assert world.lab.signals == []
        assert world.lab.transactions() == []


async def test_a_change_of_our_own_is_backed_up_and_is_no_drift(
    simulated: NetconfElement, database: Database
) -> None:
    async with watched(simulated, database, REVERT) as world:
        work = ConfigurationWork({world.name: ConfigurationDiff({f"{interface('ge-9')}/enabled": "false"})})
        database.write_blocking(
            lambda connection: journal.add_transaction(
                connection,
                Transaction(
                    transaction_id="ours",
                    state=TransactionState.QUEUED,
                    work=work.work(),
                    description="ours",
                    requested_by="test",
                    elements=(world.name,),
                    created_ms=world.lab.clock.now_ms(),
                ),
            )
        )

        def backed_up() -> bool:
            backups = database.read_blocking(lambda connection: list_backups(connection, world.name))
            return (
                bool(backups) and backups[0].seen_ms > 0 and len(backups) >= 1 and "ours" in backups[0].cause
            )

        await until(backed_up)
        assert world.lab.drift() == []
        assert world.lab.signals == []


async def test_a_change_while_nobody_listened_is_found_when_somebody_listens_again(
    simulated: NetconfElement, database: Database
) -> None:
    simulated.change({DESCRIPTION: "before anybody looked"}, user="mallory")
    async with watched(simulated, database) as world:
        await until(lambda: world.alarm() is Severity.WARNING)
        assert "before anybody looked" in world.lab.signals[-1].text
