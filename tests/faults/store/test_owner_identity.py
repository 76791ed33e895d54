"""Two processes of one name are two owners; who died is gone, who was stopped is not."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocs.faults.store import owner_identity
from ocs.faults.store.owner_identity import is_gone, node_of, own_identity

SAYS = "import sys; from ocs.faults.store.owner_identity import own_identity; print(own_identity('north'), flush=True); sys.stdin.read()"


@pytest.fixture
def other() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of the same name, and who it is."""
    process = subprocess.Popen(
        [sys.executable, "-c", SAYS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def test_two_processes_of_one_name_are_told_apart(other: tuple[subprocess.Popen[str], str]) -> None:
    _, identity = other
    assert identity != own_identity("north")
    assert node_of(identity) == "north"
    assert own_identity("north") == own_identity("north")
    assert not is_gone(own_identity("north"))


def test_a_process_that_was_stopped_is_not_gone_and_one_that_was_killed_is(
    other: tuple[subprocess.Popen[str], str],
) -> None:
    process, identity = other
    assert not is_gone(identity)
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert not is_gone(identity)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(identity), "also before its parent has looked"
    process.wait()
    assert is_gone(identity)


def test_number_that_another_process_has_now_is_not_the_same_owner() -> None:
    name, _, _ = own_identity("north").rpartition(":")
    assert is_gone(f"{name}:1")


def test_nothing_is_known_of_owners_elsewhere() -> None:
    name, _, process = own_identity("north").partition(" ")
    assert not is_gone(f"{name} elsewhere:{process.partition(':')[2]}")
    for identity in ("", "north", "north 0a1b2c3d", "north room:x:y"):
        assert not is_gone(identity)


def test_system_that_does_not_tell_has_each_time_another_owner(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(owner_identity, "_PROC", tmp_path)
    assert own_identity("north") != own_identity("north")
    assert not is_gone(own_identity("north"))
