"""Whose messages are worked off next when more lie here than one moment has room for. Times come in, no clock.

Between two looks at the network a process works off what peers sent for so long and no longer; then the store's
replies, the answers and the other peers have theirs. What is left over waits in line, and the line is kept by peer:
who has had the least time goes first (start-time fair queueing, as network cards share a wire). So a peer that sends
with all its might, over as many connections as it likes and whatever it sends, waits behind one that sends little.
While nobody waits, nobody is held up.

A slice is so many messages as make half a millisecond by what this peer's messages took of late; when it is over, its
true time is counted.
"""

import heapq
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

import trio

from ocs.limits import ROUND_S, SLICE_S

# What a message of a peer takes is the mean of late, in which the last slice counts for so much.
_LAST_SLICE: Final = 0.25
# It is never thought to be less: a slice is at most so long a list.
_MESSAGE_LEAST_S: Final = 2e-6


class Sharer(Protocol):
    """On whose account messages are worked off: one peer with all its connections, or all strangers together.

    Attributes:
        had_s: how far its time reaches on the line's own scale.
        message_s: what a message of it takes.
    """

    had_s: float
    message_s: float


class TimeSlices:
    """One process's time for what peers send, given out by peer.

    Invariants: between two calls of :meth:`give` no more is let in than the round holds and one last slice; a peer that
    has had less never waits behind one that has had more.
    """

    __slots__ = ("_left_s", "_now_s", "_sequence", "_waiting", "_wanted")

    def __init__(self) -> None:
        self._left_s = ROUND_S
        self._now_s = 0.0  # the line's own scale: where those stand who were let in last
        self._sequence = 0
        self._waiting: list[tuple[float, int, float, Callable[[], None]]] = []
        self._wanted = trio.lowlevel.ParkingLot()

    def take(self, sharer: Sharer, estimate_s: float) -> bool:
        """Begin a slice at once if the round has room for it; if not, :meth:`wait`. It ends with :meth:`end`."""
        if self._left_s <= 0.0:
            return False
        self._left_s -= estimate_s
        self._now_s += estimate_s
        sharer.had_s = self._now_s
        return True

    async def wait(self, sharer: Sharer, estimate_s: float) -> None:
        """Wait for a slice, which ends with :meth:`end`. Cancelled: it passes unused."""
        admitted = trio.Event()
        self.line_up(sharer, estimate_s, admitted.set)
        self._wanted.unpark()
        await admitted.wait()

    def end(self, sharer: Sharer, messages: int, estimate_s: float, elapsed_s: float) -> None:
        """A slice is over: count what it truly took."""
        off_s = elapsed_s - estimate_s
        self._left_s -= off_s
        sharer.had_s += off_s
        sharer.message_s = max(
            _MESSAGE_LEAST_S, sharer.message_s + _LAST_SLICE * (elapsed_s / messages - sharer.message_s)
        )

    async def run(self) -> NoReturn:
        """Give slices as long as the server lives; to be run beside the connections."""
        while True:
            if not self._waiting:
                await self._wanted.park()
            self.give()
            await trio.lowlevel.checkpoint()

    # --- without waiting, for the two above ---

    def line_up(self, sharer: Sharer, estimate_s: float, let_in: Callable[[], None]) -> None:
        """Put a slice into the line; a peer's next stands behind its last."""
        place = max(self._now_s, sharer.had_s)
        sharer.had_s = place + estimate_s
        self._sequence += 1
        heapq.heappush(self._waiting, (place, self._sequence, estimate_s, let_in))

    def give(self) -> None:
        """Begin a round: those who wait come first."""
        self._left_s = ROUND_S
        waiting = self._waiting
        while waiting and self._left_s > 0.0:
            place, _, estimate_s, let_in = heapq.heappop(waiting)
            self._now_s = max(self._now_s, place)
            self._left_s -= estimate_s
            let_in()


def cut_into_slices(messages: list[bytes], sharer: Sharer) -> list[list[bytes]]:
    """Cut what was read into slices, by what the peer's messages take."""
    size = max(1, int(SLICE_S / sharer.message_s))
    if len(messages) <= size:
        return [messages]
    return [messages[start : start + size] for start in range(0, len(messages), size)]
