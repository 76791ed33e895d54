"""A process that was stopped is told, and so is that it goes on."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
import trio

from ocs import heartbeat
from ocs.heartbeat import watch_heartbeats
from ocs.metrics import REGISTRY
from ocs.worker_channel import WorkerChannel

SERVES = """
import sys, trio
from pathlib import Path
from ocs.worker_channel import serve_worker_channel

async def main():
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_worker_channel, Path(sys.argv[1]), {"health": dict})
        print("serving", flush=True)

trio.run(main)
"""


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], WorkerChannel]]:
    """A process that answers, and the way to it."""
    path = tmp_path / "network.sock"
    process = subprocess.Popen([sys.executable, "-c", SERVES, str(path)], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"serving\n"
        yield process, WorkerChannel("network", path)
        process.send_signal(signal.SIGCONT)
        process.kill()


def silent() -> float:
    (family,) = [one for one in REGISTRY.snapshot().families if one.name == "ocs_process_silent"]
    (sample,) = family.samples
    return sample.value


async def until(logged: list[Any], event: str) -> None:
    while event not in [entry["event"] for entry in logged]:
        await trio.sleep(0.01)
    await trio.sleep(0)


async def test_stopped_process_is_told_once_and_again_when_it_goes_on(
    channel: tuple[subprocess.Popen[bytes], WorkerChannel], monkeypatch: pytest.MonkeyPatch
):
    process, way = channel
    monkeypatch.setattr(heartbeat, "PROCESS_BEAT_INTERVAL_S", 0.01)
    monkeypatch.setattr(WorkerChannel.ask, "__kwdefaults__", {"timeout_s": 0.1})
    with structlog.testing.capture_logs() as logged:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_heartbeats, [way])
            with trio.fail_after(30):
                process.send_signal(signal.SIGSTOP)
                await until(logged, "process_silent")
                assert silent() == 1
                process.send_signal(signal.SIGCONT)
                await until(logged, "process_answers_again")
                while silent():
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
    assert [entry["event"] for entry in logged] == ["process_silent", "process_answers_again"]
    assert logged[0]["process"] == "network"


async def test_process_that_answers_is_left_in_peace(
    channel: tuple[subprocess.Popen[bytes], WorkerChannel], monkeypatch: pytest.MonkeyPatch
):
    asked = 0
    _, way = channel
    ask = way.ask

    async def counted(question: str) -> bytes:
        nonlocal asked
        asked += 1
        return await ask(question, timeout_s=10)

    monkeypatch.setattr(way, "ask", counted)
    monkeypatch.setattr(heartbeat, "PROCESS_BEAT_INTERVAL_S", 0.01)
    with structlog.testing.capture_logs() as logged, trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_heartbeats, [way])
            while asked < 5:
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
    assert logged == []
    assert silent() == 0
