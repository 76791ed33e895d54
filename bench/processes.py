"""What the kernel says about processes: processor time, memory, children (Linux ``/proc``)."""

import contextlib
import os
from pathlib import Path
from typing import Final

import msgspec

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_OCTETS: Final = os.sysconf("SC_PAGE_SIZE")
_STORE_NAMES: Final = ("valkey-server", "redis-server")


class ProcessUse(msgspec.Struct, frozen=True):
    """One process at one moment.

    Attributes:
        cpu_s: user and system time since it began.
    """

    pid: int
    parent: int
    name: str
    is_store: bool
    cpu_s: float
    resident_octets: int


def process_use(pid: int) -> ProcessUse:
    """Read one process.

    Raises:
        ProcessLookupError: it has ended.
    """
    folder = Path(f"/proc/{pid}")
    try:
        stat = (folder / "stat").read_text()
        command_line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(pid) from None
    # The name stands in parentheses and may hold anything; proc(5) numbers fields after it from 3.
    begin, end = stat.index("("), stat.rindex(")")
    fields = stat[end + 2 :].split()
    name = command_line or stat[begin + 1 : end]
    return ProcessUse(
        pid=pid,
        parent=int(fields[1]),
        name=name,
        is_store=any(store in name for store in _STORE_NAMES),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
        resident_octets=int(fields[21]) * _PAGE_OCTETS,
    )


def family(root: int) -> dict[int, ProcessUse]:
    """The process ``root`` and everything below it, by process id."""
    uses: dict[int, ProcessUse] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(ProcessLookupError):
                uses[int(entry.name)] = process_use(int(entry.name))
    found = {root} if root in uses else set[int]()
    grown = True
    while grown:
        grown = False
        for pid, use in uses.items():
            if pid not in found and use.parent in found:
                found.add(pid)
                grown = True
    return {pid: uses[pid] for pid in found}


class Spent(msgspec.Struct, frozen=True):
    """Processor time between two looks, and memory at the second.

    The worker is the process, not the store, that spent most; ``others_cpu_s`` is of all that are no store.
    """

    worker_cpu_s: float
    others_cpu_s: float
    worker_resident_octets: int
    store_cpu_s: float
    store_resident_octets: int


def spent(before: dict[int, ProcessUse], after: dict[int, ProcessUse]) -> Spent:
    """Compare two looks at one family."""

    def grown(use: ProcessUse) -> float:
        return use.cpu_s - (before[use.pid].cpu_s if use.pid in before else 0.0)

    stores = [use for use in after.values() if use.is_store]
    others = [use for use in after.values() if not use.is_store]
    worker = max(others, key=grown, default=None)
    return Spent(
        worker_cpu_s=grown(worker) if worker else 0.0,
        others_cpu_s=sum(grown(use) for use in others),
        worker_resident_octets=worker.resident_octets if worker else 0,
        store_cpu_s=sum(grown(use) for use in stores),
        store_resident_octets=sum(use.resident_octets for use in stores),
    )


def pin(pid: int, cores: set[int]) -> None:
    """Keep every thread of a process on some processor cores (Linux)."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), cores)
