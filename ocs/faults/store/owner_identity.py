"""Who owns the alarm list, so that two processes with one name are told apart, and one that died is known to be gone.

An identity is the node's name and, where the system tells, the process: this boot of this machine, the room of its
numbers (a container has its own), its number, and when it started. Of a process in another room nothing is known, and
its lease decides.
"""

import os
import secrets
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_DEAD: Final = frozenset("ZXx")


def own_identity(node: str) -> str:
    """This process as the owner of the list. No other process has the same.

    Args:
        node: how people know it; without a space.
    """
    pid = os.getpid()
    room, started = _room(), _started(pid)
    if room is None or started is None:
        return f"{node} {secrets.token_hex(8)}"
    return f"{node} {room}:{pid}:{started}"


def node_of(identity: str) -> str:
    """The name of an owner's node."""
    return identity.partition(" ")[0]


def is_gone(identity: str) -> bool:
    """Whether an owner is a process of this machine that has ended: nobody needs to wait for its lease's end.

    One that was stopped is not gone: it may go on at any time.
    """
    room, _, process = identity.partition(" ")[2].partition(":")
    number, _, started = process.partition(":")
    return bool(number) and number.isdigit() and room == _room() and _started(int(number)) != started


def _room() -> str | None:
    """This boot of this machine, and the room of process numbers that we are in; None where the system does not say."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}".replace(":", "")
    except OSError:
        return None


def _started(pid: int) -> str | None:
    """When a process started, in ticks since the boot; None when it has ended."""
    try:
        # proc(5): the name may hold anything, but no other field a bracket.
        state, *fields = (_PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in _DEAD else fields[18]
