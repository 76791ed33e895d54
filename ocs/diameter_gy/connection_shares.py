"""How many connections each of the workers holds that accept from the same listeners, so that they share fairly.

The kernel wakes every worker for a new connection and gives it to whoever is first, so one busy second can leave a
worker with nearly all of them. Each worker therefore writes its count where its siblings read it, and one that holds
more than another waits a moment before it accepts. Nobody refuses: a moment later it accepts after all.
"""

import fcntl
import mmap
import os
from pathlib import Path
from typing import Final, Self

from ocs.limits import ACCEPT_YIELD_S, WORKERS_SHARING_MAX

# A seat is two words of 32 bits: the worker's process id (0: free), and its connections.
_WORD_OCTETS: Final = 4
_FILE_OCTETS: Final = 2 * _WORD_OCTETS * WORKERS_SHARING_MAX


class ConnectionShares:
    """One worker's seat among its siblings.

    A word is written by its worker alone and read whole, so nobody waits for anybody. The seat of a worker that was
    killed is free again as soon as somebody asks whether it lives.

    Args:
        path: a file that all workers of one parent open; made when missing.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # two newcomers must not take one seat
            if os.fstat(descriptor).st_size < _FILE_OCTETS:
                os.ftruncate(descriptor, _FILE_OCTETS)
            self._map = mmap.mmap(descriptor, _FILE_OCTETS)
            self._words = memoryview(self._map).cast("I")
            self._seat = self._take_seat()
        finally:
            # The map keeps a copy of the descriptor, and the lock with it.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def note(self, connections: int) -> None:
        """Say how many connections this worker holds now."""
        if self._seat is not None:
            self._words[self._seat + 1] = connections

    def pause_s(self) -> float:
        """How long to wait before the next accept: not at all unless a living sibling holds fewer connections."""
        if self._seat is None:
            return 0.0
        words, own = self._words, self._words[self._seat + 1]
        for seat in range(0, len(words), 2):
            if words[seat] and words[seat + 1] < own and self._is_taken(seat):
                return ACCEPT_YIELD_S
        return 0.0

    def leave(self) -> None:
        """Accept no more: nobody waits for this worker any longer."""
        if self._seat is not None:
            self._words[self._seat] = 0
            self._seat = None

    def _take_seat(self) -> int | None:
        for seat in range(0, len(self._words), 2):
            if not self._is_taken(seat):
                self._words[seat + 1] = 0
                self._words[seat] = os.getpid()
                return seat
        return None  # more workers than seats: the others share among themselves

    def _is_taken(self, seat: int) -> bool:
        """Whether a seat's worker lives; one that does not is struck out."""
        pid = self._words[seat]
        if pid == 0:
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            self._words[seat] = 0
            return False
        except PermissionError:
            return True
        return True
