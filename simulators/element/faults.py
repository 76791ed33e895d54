"""Faults on command: what goes wrong at which step of an element, and how often. Deterministic; no chance anywhere."""

import threading
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

_STEPS_KEPT: Final = 10_000
ALWAYS: Final = 0


class FaultKind(Enum):
    """What goes wrong."""

    LATENCY = "latency"  # the answer comes seconds later
    STALL = "stall"  # the answer never comes, the connection stays
    DROP_BEFORE = "drop-before"  # the connection breaks and nothing was done
    DROP_AFTER = "drop-after"  # it was done, and the connection breaks before the answer
    DIE_BEFORE = "die-before"  # the element restarts and nothing was done
    DIE_AFTER = "die-after"  # it was done, and the element restarts before the answer
    EXIT_BEFORE = "exit-before"  # likewise, and the whole process of the elements ends
    EXIT_AFTER = "exit-after"
    REFUSE = "refuse"  # an error, with the tag (or of a command line the text) given
    LIE = "lie"  # success is told, and nothing was done
    LIE_OTHER = "lie-other"  # success is told, and something else was done
    STOP_MID_REPLY = "stop-mid-reply"  # half of the answer, then silence
    HUGE_REPLY = "huge-reply"  # megabytes without end mark
    WRONG_ID = "wrong-id"  # the answer has another message-id
    GARBAGE = "garbage"  # what comes is neither answer nor XML


# At ``connect`` and ``login`` there is no answer to be shaped: all that these do there is to keep the client out.
SHUTS_OUT: Final = frozenset(
    {
        FaultKind.STALL,
        FaultKind.DROP_BEFORE,
        FaultKind.DROP_AFTER,
        FaultKind.DIE_BEFORE,
        FaultKind.DIE_AFTER,
        FaultKind.REFUSE,
        FaultKind.GARBAGE,
    }
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        kind: what goes wrong. on: at which step: an operation such as ``edit-config`` or ``commit confirmed``, its
            first words (``commit`` is any commit), ``connect``, ``login``, or ``*``; on a command line the first words
            of the line.
        skip: so many such steps go well first. times: how often; :data:`ALWAYS` without end.
        seconds: of LATENCY; of DIE how long the element is away, below 0: until it is started. tag: of REFUSE.
        megabytes: of HUGE_REPLY. other: of LIE_OTHER, paths to values; lines of a command line are keys.
    """

    kind: FaultKind
    on: str = "*"
    skip: int = 0
    times: int = 1
    seconds: float = 0.0
    tag: str = "operation-failed"
    message: str = "refused on command"
    megabytes: int = 100
    other: dict[str, str | None] = field(default_factory=dict[str, str | None])

    def fits(self, step: str) -> bool:
        """Whether it is for a step."""
        return self.on in {"*", step} or step.startswith(f"{self.on} ")


class Faults:
    """The faults of one element, and what it was asked to do. Any thread may use it.

    Attributes:
        steps: every step that was begun, oldest first. fired: (step, kind) of every fault that came about.
    """

    def __init__(self) -> None:
        self.steps: deque[str] = deque(maxlen=_STEPS_KEPT)
        self.fired: list[tuple[str, FaultKind]] = []
        self._waiting: list[_Waiting] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Have something go wrong."""
        with self._lock:
            self._waiting.append(_Waiting(fault, fault.skip, fault.times))

    def clear(self) -> None:
        """Have everything go well again."""
        with self._lock:
            self._waiting.clear()

    def take(self, step: str) -> list[Fault]:
        """The faults of a step that begins now, in the order in which they were given."""
        with self._lock:
            self.steps.append(step)
            found: list[Fault] = []
            for waiting in list(self._waiting):
                if not waiting.fault.fits(step):
                    continue
                if waiting.skip:
                    waiting.skip -= 1
                    continue
                found.append(waiting.fault)
                self.fired.append((step, waiting.fault.kind))
                waiting.times -= 1
                if waiting.times == 0:
                    self._waiting.remove(waiting)
            return found


@dataclass
class _Waiting:
    fault: Fault
    skip: int
    times: int
