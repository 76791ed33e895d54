"""Processes under one roof: ready, failed, started again, ended with their parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from ocs import children
from ocs.children import Child, ChildFailedError, say_failed, say_ready
from tests.support.processes import is_alive, wait_until

pytestmark = pytest.mark.bounded(60)

PRELUDE = """
import os, signal, sys, time
from pathlib import Path
from ocs.children import say_failed, say_ready
life = int(sys.argv[sys.argv.index("--lifeline-fd") + 1])
ready = int(sys.argv[sys.argv.index("--ready-fd") + 1])
"""
SERVE = PRELUDE + "say_ready(ready, f'pid={os.getpid()}')\nos.read(life, 1)\n"


@pytest.fixture
async def make():
    """Makes children that run a script instead of `ocs`; all are ended."""
    made: list[Child] = []

    def _make(script: str, *arguments: str) -> Child:
        child = Child("worker-0", (), os.environ)
        child._command = (sys.executable, "-c", script, *arguments)
        made.append(child)
        return child

    yield _make
    for child in made:
        await child.stop()


async def until(truth, what: str):
    return await trio.to_thread.run_sync(wait_until, truth, what)


async def test_child_says_its_line_when_it_is_ready(make) -> None:
    child = make(SERVE)
    assert await child.start() == child.ready_text == f"pid={child.pid}"


async def test_child_that_cannot_start_is_one_error_with_its_own_words(make) -> None:
    child = make(PRELUDE + "assert say_failed(ready, 'port 3868 is taken')\nsys.exit(2)")
    with pytest.raises(ChildFailedError, match=r"^port 3868 is taken$"):
        await child.start()
    assert not is_alive(child.pid)


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("sys.exit(3)", "worker-0 did not start: it ended with status 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "worker-0 did not start: it was killed by SIGKILL"),
    ],
)
async def test_child_that_ends_before_it_is_ready_says_how(make, body: str, how: str) -> None:
    with pytest.raises(ChildFailedError, match=how):
        await make(PRELUDE + body).start()


async def test_child_that_says_nothing_is_ended(make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_READY_TIMEOUT_S", 0.2)
    child = make(PRELUDE + "os.read(life, 1)")
    with pytest.raises(ChildFailedError, match=r"worker-0 did not start: it said nothing for 0.2 s"):
        await child.start()
    assert not is_alive(child.pid)


async def test_command_that_does_not_exist_leaves_no_pipes(make) -> None:
    child = make("")
    child._command = ("no-such-command",)
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(FileNotFoundError):
        await child.start()
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


async def test_child_that_dies_is_started_again(make, nursery: trio.Nursery) -> None:
    child = make(SERVE)
    await child.start()
    nursery.start_soon(child.keep_running)
    first = child.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.ready_text != f"pid={first}", "a second life")
    assert is_alive(child.pid)
    nursery.cancel_scope.cancel()


async def test_child_that_fails_to_start_again_is_tried_until_it_does(
    make, nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "_BACKOFF_S", (0.0,))
    script = (
        PRELUDE
        + """
lives = Path(sys.argv[1])
lives.write_text(lives.read_text() + "x" if lives.exists() else "x")
number = len(lives.read_text())
if number in (2, 3):
    sys.exit(2)
say_ready(ready, f"life={number}")
os.read(life, 1)
"""
    )
    child = make(script, str(tmp_path / "lives"))
    assert await child.start() == "life=1"
    nursery.start_soon(child.keep_running)
    os.kill(child.pid, signal.SIGTERM)
    await until(lambda: child.ready_text == "life=4", "the fourth life")
    nursery.cancel_scope.cancel()


async def test_changed_environment_counts_from_the_next_start(make, nursery: trio.Nursery) -> None:
    child = make(PRELUDE + "say_ready(ready, os.environ.get('COLOUR', 'none'))\nos.read(life, 1)")
    assert await child.start() == "none"
    child.environment["COLOUR"] = "green"
    nursery.start_soon(child.keep_running)
    os.kill(child.pid, signal.SIGKILL)
    await until(lambda: child.ready_text == "green", "the new environment")
    nursery.cancel_scope.cancel()


async def test_child_reads_what_it_is_given_at_every_start(make, nursery: trio.Nursery) -> None:
    given = b"x" * 1_000_000  # more than a pipe holds
    child = make(PRELUDE + "say_ready(ready, f'{len(sys.stdin.read())} {os.getpid()}')\nos.read(life, 1)")
    child._given = given
    assert await child.start() == f"1000000 {child.pid}"
    nursery.start_soon(child.keep_running)
    first = child.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.pid != first and child.ready_text == f"1000000 {child.pid}", "a second life")
    nursery.cancel_scope.cancel()


async def test_child_that_ignores_us_is_killed(make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_STOP_TIMEOUT_S", 0.1)
    child = make(
        PRELUDE + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay_ready(ready, 'x')\ntime.sleep(600)"
    )
    await child.start()
    await child.stop()
    assert not is_alive(child.pid)


async def test_start_that_was_cancelled_leaves_a_child_that_stop_ends(make) -> None:
    child = make(PRELUDE + "time.sleep(600)")
    with trio.move_on_after(0.3):
        await child.start()
    await child.stop()
    assert child.pid is not None
    assert not is_alive(child.pid)


PARENT = """
import os, sys, trio
from ocs.children import Child
child = Child("worker-0", (), os.environ)
child._command = (sys.executable, "-c", sys.argv[1])
async def main():
    await child.start()
    print(child.pid, flush=True)
    await trio.sleep_forever()
trio.run(main)
"""
ORPHAN = (
    PRELUDE
    + """
import trio
from ocs.children import stop_when_orphaned
async def main():
    async with trio.open_nursery() as nursery:
        say_ready(ready, 'x')
        nursery.start_soon(stop_when_orphaned, life, nursery.cancel_scope.cancel)
        await trio.sleep_forever()
trio.run(main)
"""
)


async def test_child_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, ORPHAN], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await trio.to_thread.run_sync(parent.stdout.readline))
    assert is_alive(pid)
    parent.kill()
    await until(lambda: not is_alive(pid), "the end of the child")
    output, _ = await trio.to_thread.run_sync(parent.communicate)
    assert b"the process that started this one is gone" in output


async def test_what_fails_after_the_ready_line_is_not_said_to_the_parent() -> None:
    read, write = os.pipe()
    try:
        say_ready(write, "worker=0")
        assert say_failed(write, "too late") is False
        assert os.read(read, 100) == b"worker=0\n"
        assert os.read(read, 100) == b""
    finally:
        os.close(read)
        os.close(write)
