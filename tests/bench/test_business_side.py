"""The stand-in for the business side reads every event once, acknowledges it, and says when it cannot."""

from pathlib import Path

import pytest

from bench.business_side import BusinessSide
from ocs.balance import keys
from ocs.balance.trimming import Trimmer
from ocs.events import EventKind
from tests.support.charged_store import PARTITIONS, ChargedStore, started_server


@pytest.fixture
def store(tmp_path: Path):
    with started_server(tmp_path) as url:
        store = ChargedStore(url)
        store.set_up()
        yield store
        store.close()


def test_every_event_is_read_once_and_acknowledged(store: ChargedStore) -> None:
    store.fill()
    events = [event for partition in range(PARTITIONS) for event in store.client.partition_events(partition)]
    with BusinessSide(store.admin, PARTITIONS) as reader:
        pass
    reader.read_all()
    assert reader.read == len(events) and not reader.failure
    debited = sum(event.units for event in events if event.kind is EventKind.DEBIT)
    assert reader.debited_octets.total() == debited > 0
    trimmer = Trimmer(store.admin)
    assert sum(trimmer.trim_partition(partition) for partition in range(PARTITIONS)) == len(events)


def test_reader_that_cannot_read_says_so(store: ChargedStore) -> None:
    reader = BusinessSide(store.admin, PARTITIONS)
    with reader:
        store.admin.delete(keys.events_key(0))
        while reader._thread.is_alive() and not reader.failure:
            reader._thread.join(0.01)
    assert "NOGROUP" in reader.failure
