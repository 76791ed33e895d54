"""Bugs of charge events and of those who read them."""

from typing import Final

import pytest

from ocs.charging.draft import Draft
from tests.simulation.bugs.plant import Plant
from tests.simulation.reader import Reader
from tests.simulation.replicated_store import StoreConnection


def event_id_from_a_counter(patch: pytest.MonkeyPatch) -> None:
    """An event is called by what was counted, not by the request that it comes from."""
    ids = iter(range(1 << 30))
    patch.setattr(Draft, "_event_id", lambda draft, ordinal: f"event-{next(ids)}")


def stream_id_as_event_id(patch: pytest.MonkeyPatch) -> None:
    """A reader knows an event again by its place in the stream; a promoted site has another there."""
    patch.setattr(Reader, "name_of", lambda reader, stream_id, event: f"{event.account_id}/{stream_id}")


def reader_without_its_barrier(patch: pytest.MonkeyPatch) -> None:
    """A reader takes what may yet be lost."""
    read_events = StoreConnection.read_events
    patch.setattr(
        StoreConnection,
        "read_events",
        lambda connection, partition, done, barrier: read_events(connection, partition, done, barrier=False),
    )


THEME: Final = "calls"
BUGS: Final[tuple[Plant, ...]] = (
    event_id_from_a_counter,
    stream_id_as_event_id,
    reader_without_its_barrier,
)
