"""When which alarm must be looked at; an alarm may stand in it twice, and is then looked at once too often."""

from heapq import heappop, heappush

from ocs.faults.book.entry import Entry


class Timetable:
    """A heap of moments. What is due is asked of the entry itself, so a plan that is out of date does no harm."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Entry]] = []
        self._ordinal = 0

    def plan(self, entry: Entry, due_ms: int) -> None:
        """Look at an entry at a moment, unless it is looked at before."""
        if entry.scheduled_ms and entry.scheduled_ms <= due_ms:
            return
        entry.scheduled_ms = due_ms
        self._ordinal += 1
        heappush(self._heap, (due_ms, self._ordinal, entry))

    def due_ms(self) -> int | None:
        """The first moment; None when nothing is planned."""
        return self._heap[0][0] if self._heap else None

    def pop(self, now_ms: int) -> Entry | None:
        """The next entry that is due; None when there is none."""
        while self._heap and self._heap[0][0] <= now_ms:
            due_ms, _, entry = heappop(self._heap)
            if entry.scheduled_ms == due_ms:
                entry.scheduled_ms = 0
                return entry
        return None
