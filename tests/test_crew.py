"""Workers that are replaced while they serve: the old one leaves when the new one is ready, and never before."""

import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from ocs import children
from ocs.children import Child, ChildFailedError
from ocs.crew import Crew
from tests.support.processes import is_alive, wait_until

# Writes what happens to it into a file that all of them share.
pytestmark = pytest.mark.bounded(60)

SCRIPT = """
import os, signal, sys
from pathlib import Path
from ocs.children import say_failed, say_ready
life = int(sys.argv[sys.argv.index("--lifeline-fd") + 1])
ready = int(sys.argv[sys.argv.index("--ready-fd") + 1])
journal, name, fate = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def write(what):
    with journal.open("a") as lines:
        lines.write(f"{name} {what}\\n")

def leave(*_):
    write("leaves")
    sys.exit(0)

signal.signal(signal.SIGTERM, leave)
write("starts")
if fate == "fails":
    say_failed(ready, "the port is taken")
    sys.exit(2)
if fate == "serves":
    say_ready(ready, f"pid={os.getpid()}")
while True:
    signal.pause()
"""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def make(journal: Path):
    """Makes children called worker-0 that tell in the journal what they do."""

    def _make(title: str, fate: str = "serves", *, name: str = "worker-0") -> Child:
        child = Child(name, (), os.environ)
        child._command = (sys.executable, "-c", SCRIPT, str(journal), title, fate)
        return child

    return _make


@pytest.fixture
async def crew(nursery: trio.Nursery):
    """A crew; in the end none of its processes is left."""
    crew = Crew()
    ended = trio.Event()

    async def run(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        try:
            await crew.run(task_status=task_status)
        finally:
            ended.set()

    await nursery.start(run)
    yield crew
    started = list(crew._afoot)
    nursery.cancel_scope.cancel()
    with trio.CancelScope(shield=True):
        await ended.wait()
        await crew.stop()
    assert not [child.pid for child in started if child.pid is not None and is_alive(child.pid)]


def lines(journal: Path) -> list[str]:
    return journal.read_text().splitlines() if journal.exists() else []


async def until(truth, what: str):
    return await trio.to_thread.run_sync(wait_until, truth, what)


async def test_successor_is_ready_before_the_forerunner_leaves(crew: Crew, make, journal: Path) -> None:
    await crew.enlist(make("old"))
    await crew.enlist(make("new"))
    assert lines(journal) == ["old starts", "new starts", "old leaves"]
    assert crew.names == ["worker-0"]


async def test_successor_that_does_not_come_up_leaves_the_forerunner_in_its_place(
    crew: Crew, make, journal: Path
) -> None:
    old = make("old")
    await crew.enlist(old)
    with pytest.raises(ChildFailedError, match="the port is taken"):
        await crew.enlist(make("new", "fails"))
    assert "old leaves" not in lines(journal)
    assert is_alive(old.pid)
    os.kill(old.pid, signal.SIGKILL)
    await until(lambda: lines(journal).count("old starts") == 2, "another life of the old one")


async def test_forerunner_that_leaves_is_not_started_again_and_the_successor_is(
    crew: Crew, make, journal: Path
) -> None:
    new = make("new")
    await crew.enlist(make("old"))
    await crew.enlist(new)
    os.kill(new.pid, signal.SIGKILL)
    await until(lambda: lines(journal)[3:] == ["new starts"], "another life of the new one")


async def test_retired_child_is_gone_for_good(crew: Crew, make, journal: Path) -> None:
    await crew.enlist(make("one"))
    await crew.enlist(make("two", name="worker-1"))
    await crew.retire("worker-1")
    assert crew.names == ["worker-0"]
    assert lines(journal)[2:] == ["two leaves"]


async def test_replacement_that_is_cancelled_leaves_both_to_stop(crew: Crew, make, journal: Path) -> None:
    old, new = make("old"), make("new", "hangs")
    await crew.enlist(old)
    async with trio.open_nursery() as replacing:
        replacing.start_soon(crew.enlist, new)
        await until(lambda: "new starts" in lines(journal), "a successor on its way")
        replacing.cancel_scope.cancel()
    assert is_alive(old.pid)
    assert is_alive(new.pid)
    # The fixture sees that stop() ends both.


async def test_successor_that_never_says_that_it_is_ready_is_ended_and_the_forerunner_stays(
    crew: Crew, make, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = make("old"), make("new", "hangs")
    await crew.enlist(old)
    monkeypatch.setattr(children, "_READY_TIMEOUT_S", 0.5)
    with pytest.raises(ChildFailedError, match=r"worker-0 did not start: it said nothing for 0.5 s"):
        await crew.enlist(new)
    assert is_alive(old.pid)
    assert not is_alive(new.pid)


class _SlowChild(Child):
    """Comes to life only when the gate opens, whoever gives up on it meanwhile."""

    gate: trio.Event
    is_coming_back: trio.Event

    async def _launch(self) -> int:
        self.lives = getattr(self, "lives", 0) + 1
        if self.lives == 1:
            return await super()._launch()
        self.is_coming_back.set()
        thread = trio.CancelScope(shield=True)  # as the thread is in which a process is started
        with thread:
            await self.gate.wait()
            return await super()._launch()
        raise AssertionError("nobody cancels a thread")


async def test_forerunner_that_comes_back_to_life_while_it_is_dismissed_is_ended_too(
    crew: Crew, make, nursery: trio.Nursery
) -> None:
    old = make("old")
    old.__class__ = _SlowChild
    old.gate, old.is_coming_back = trio.Event(), trio.Event()
    await crew.enlist(old)
    os.kill(old.pid, signal.SIGKILL)
    await old.is_coming_back.wait()
    async with trio.open_nursery() as replacing:
        replacing.start_soon(crew.enlist, make("new"))
        while old in crew._afoot and crew._posts["worker-0"].child is old:
            await trio.sleep(0.01)
        old.gate.set()
    assert not is_alive(old.pid)


async def test_nobody_is_enlisted_before_the_crew_is_kept_running(make) -> None:
    with pytest.raises(RuntimeError):
        await Crew().enlist(make("one"))
