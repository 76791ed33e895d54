"""Process figures from the kernel."""

import os
import subprocess
import sys

import pytest

from bench.processes import ProcessUse, family, pin, process_use, spent


def use(pid: int, cpu_s: float, *, store: bool = False) -> ProcessUse:
    return ProcessUse(pid, 1, "name", store, cpu_s, resident_octets=pid * 1_000)


def test_this_process_is_seen() -> None:
    seen = process_use(os.getpid())
    assert seen.parent == os.getppid()
    assert seen.cpu_s > 0
    assert seen.resident_octets > 1_000_000
    assert not seen.is_store


def test_ended_process_is_an_error() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(ProcessLookupError):
        process_use(ended.pid)


def test_children_belong_to_the_family() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert {os.getpid(), child.pid} <= set(family(os.getpid()))
        assert set(family(child.pid)) == {child.pid}


def test_worker_is_the_busiest_process_that_is_no_store() -> None:
    before = {1: use(1, 5.0), 2: use(2, 1.0), 3: use(3, 0.0, store=True)}
    after = {1: use(1, 5.1), 2: use(2, 3.0), 3: use(3, 9.0, store=True)}
    found = spent(before, after)
    assert found.worker_cpu_s == 2.0
    assert found.worker_resident_octets == 2_000
    assert found.store_cpu_s == 9.0
    assert found.store_resident_octets == 3_000


def test_nothing_seen_costs_nothing() -> None:
    assert spent({}, {}).worker_cpu_s == 0.0


def test_process_is_kept_on_the_cores_it_was_given() -> None:
    core = min(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        pin(process.pid, {core})
        assert os.sched_getaffinity(process.pid) == {core}
        process.communicate(b"\n")
