"""A stand-in for the business side: reads every charge event as its consumer group and acknowledges it."""

import threading
from collections import Counter
from types import TracebackType
from typing import Any, Final, Self

from ocs.balance.keys import events_key
from ocs.balance.store_client import StoreClient
from ocs.events import BILLING_GROUP, EventKind, decode_event

_READER: Final = "bench"
_PAGE: Final = 500
_PAUSE_S: Final = 0.5


class BusinessSide:
    """Reads while a ``with`` block lasts, in a thread of its own.

    Attributes:
        read: events so far.
        debited_octets: subscriber id to the octets that its events debited; complete after :meth:`read_all`.
        failure: why reading ended before its time; empty while it goes on.
    """

    def __init__(self, client: StoreClient, partitions: int) -> None:
        self._client: Any = client
        self._streams = [events_key(partition) for partition in range(partitions)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="business side", daemon=True)
        self.read = 0
        self.debited_octets = Counter[str]()
        self.failure = ""

    def __enter__(self) -> Self:
        pipeline = self._client.pipeline(transaction=False)
        for stream in self._streams:
            pipeline.xgroup_create(stream, BILLING_GROUP, id="0", mkstream=True)
        pipeline.execute()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Let the thread end; what it has read is acknowledged."""
        self._stop.set()
        self._thread.join()

    def read_all(self) -> None:
        """After :meth:`stop`: read what is still there."""
        while self._read_page():
            pass

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if not self._read_page():
                    self._stop.wait(_PAUSE_S)
        except Exception as error:  # noqa: BLE001 - a thread's end must be seen: the soak looks at it
            self.failure = f"{type(error).__name__}: {error}"

    def _read_page(self) -> int:
        """Read and acknowledge a page of each stream; returns how many events there were."""
        # A pipeline's errors come as they are; the embedded store has one server for all streams.
        asking = self._client.pipeline(transaction=False)
        for stream in self._streams:
            asking.xreadgroup(BILLING_GROUP, _READER, {stream: ">"}, count=_PAGE)
        acknowledging = self._client.pipeline(transaction=False)
        count = 0
        for reply in asking.execute():
            for stream, entries in reply:
                acknowledging.xack(stream, BILLING_GROUP, *(entry_id for entry_id, _ in entries))
                count += len(entries)
                for _, fields in entries:
                    event = decode_event(fields[b"e"])
                    if event.kind is EventKind.DEBIT:
                        self.debited_octets[event.subscriber_id] += event.units
        if count:
            acknowledging.execute()
        self.read += count
        return count
