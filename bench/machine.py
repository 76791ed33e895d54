"""How fast this machine is right now: figures that do not depend on the system, to compare runs by."""

import os
import statistics
import time
from pathlib import Path
from typing import Final

from diameter.message import Message

from bench.figures import Figure
from bench.templates import UPDATE, LoadPlan, credit_control_request

_ROUNDS: Final = 7
_MESSAGES: Final = 200
_SYNCS: Final = 200


def measure_machine(folder: Path) -> list[Figure]:
    """Time two things that every machine does: Python work of known size, and a synced write to the data's disk.

    Args:
        folder: where the store's data will lie.
    """
    return [
        Figure(
            "machine_package_decode_us",
            round(_package_decode_us(), 1),
            "us",
            "",
            "processor time of the diameter package for one 512-octet CCR-U",
        ),
        Figure("machine_fdatasync_us", round(_fdatasync_us(folder), 1), "us", "", "median of 1 KiB appended"),
    ]


def _package_decode_us() -> float:
    request, _ = credit_control_request(LoadPlan(host="", port=0, run=1), 1, UPDATE, 0)
    octets = bytes(request)
    rounds: list[float] = []
    for _ in range(_ROUNDS):
        began_s = time.process_time()
        for _ in range(_MESSAGES):
            Message.from_bytes(octets)
        rounds.append((time.process_time() - began_s) / _MESSAGES)
    return statistics.median(rounds) * 1e6


def _fdatasync_us(folder: Path) -> float:
    elapsed: list[float] = []
    path = folder / "fdatasync"
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(b"\0" * 1024)
            began_s = time.perf_counter()
            os.fdatasync(file.fileno())
            elapsed.append(time.perf_counter() - began_s)
    path.unlink()
    return statistics.median(elapsed) * 1e6
