"""Silence, restarts and storms have the element asked, and what it answers decides what stands."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from ocs.faults.alarm import Severity
from ocs.faults.notification import COLD_START
from ocs.faults.resync.agent import Agent, Secrets
from ocs.faults.resync.resynchroniser import Resynchroniser
from ocs.faults.resync.walks import load_walks
from ocs.faults.supervision.silence import SILENT_ELEMENT
from ocs.faults.supervision.supervised import Supervised, load_supervised
from ocs.faults.supervision.supervisor import Supervisor
from ocs.faults.supervision.watch import SILENCES
from ocs.faults.topology.schema import AgentAccess, TopologyError
from ocs.faults.topology.schema import Element as Described
from ocs.limits import RESYNC_AFTER_RESTART_MS
from ocs.settings import FaultsSettings, Settings
from tests.support.looked_after import ADDRESS, CONFIG, SILENT, Desk, Element, names, rules

HEARTBEAT_S = 100
DOWN, UP = 2, 1


class Lab(Desk):
    """A list with its supervisor, and one router of which all is known."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(on_restart=self.note_restart)
        self.element = Element(self.clock)
        monkeypatch.setattr(
            "ocs.faults.supervision.supervisor.Resynchroniser",
            partial(Resynchroniser, converse=self.element.converse),
        )
        agent = Agent("router7", ADDRESS, 161, Secrets(community="c"), (ADDRESS,), ("interfaces",))
        self.supervisor = Supervisor(
            Supervised(
                {"router7": HEARTBEAT_S * 1000}, {"router7": agent}, load_walks(CONFIG / "walks", names())
            ),
            self.book,
            rules=rules(),
            pump=self.pump,
            clock=self.clock,
            element_of=lambda source: "router7" if source == ADDRESS else source,
            kept=None,
        )

    def note_restart(self, source: str) -> None:
        self.supervisor.note_restart(source)

    def silence(self) -> Severity | None:
        alarm = self.standing().get(("router7", SILENT_ELEMENT))
        return None if alarm is None else alarm.severity


@asynccontextmanager
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Lab]:
    lab = Lab(monkeypatch)
    await lab.store.open_as_owner()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lab.pump.run)
        nursery.start_soon(lab.supervisor.run)
        await trio.sleep(60)
        yield lab
        nursery.cancel_scope.cancel()


async def test_restarted_element_is_asked_when_it_has_had_time(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(monkeypatch) as lab:
        before = lab.element.conversations
        lab.trap(1, lab.element.uptime_ticks)
        lab.element.booted_ms = lab.clock.now_ms()
        lab.element.oper_status = {1: UP}
        await trio.sleep(1)
        lab.trap(0, lab.element.uptime_ticks, oid=COLD_START)
        await trio.sleep(RESYNC_AFTER_RESTART_MS / 1000 - 1)
        assert lab.element.conversations == before
        await trio.sleep(2)
        assert lab.element.conversations == before + 1
        assert ("router7/if/1", "link-down") not in lab.standing(), "what stood before is over"


async def test_silent_element_is_asked_and_one_that_answers_is_only_worth_a_warning(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(monkeypatch) as lab:
        lab.element.oper_status = {3: DOWN}
        await trio.sleep(2 * HEARTBEAT_S - 50)
        assert lab.silence() is Severity.WARNING
        assert ("router7/if/3", "link-down") in lab.standing(), "whose trap did not reach us"
        lab.trap(1, lab.element.uptime_ticks)
        await trio.sleep(2)
        assert lab.silence() is None


async def test_silent_element_that_does_not_answer_either_stays_major(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(monkeypatch) as lab:
        lab.element.failures = [SILENT] * 100
        await trio.sleep(2 * HEARTBEAT_S - 30)
        assert lab.silence() is Severity.MAJOR


async def test_element_of_which_notifications_were_dropped_is_asked(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(monkeypatch) as lab:
        before = lab.element.conversations
        lab.supervisor.note_loss("router7")
        lab.supervisor.note_loss("stranger")
        await trio.sleep(15)
        assert lab.element.conversations == before + 1


async def test_silences_are_in_the_store(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as lab:
        await trio.sleep(60)
    snapshot = await lab.store.open_as_owner()
    assert SILENCES in snapshot.sources


def test_supervised_elements_are_those_that_say_so() -> None:
    settings = Settings(faults=FaultsSettings(walks=str(CONFIG / "walks")))
    elements = [Described(name="core", heartbeat_s=0.5), Described(name="cell")]
    supervised = load_supervised(elements, settings, names())
    assert supervised.heartbeats_ms == {"core": 500}
    assert set(supervised.walks) >= {"interfaces", "entities", "bgp-peers"}
    assert supervised.agents == {}


def test_walk_that_nobody_described_is_told(tmp_path: Path) -> None:
    settings = Settings(faults=FaultsSettings(walks=str(tmp_path)))
    element = Described(name="core", addresses=(ADDRESS,), agent=AgentAccess(community_file="c"))
    with pytest.raises(TopologyError, match="expected some of alarms, not interfaces"):
        load_supervised([element], settings, names())
