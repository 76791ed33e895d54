"""A real store with an alarm list, written by blocking calls as its owner would."""

from collections.abc import Generator
from typing import Any

import pytest

from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import set_up_store
from ocs.balance.store_client import StoreClient
from ocs.faults.alarm_change import AlarmChange
from ocs.faults.store import keys
from ocs.faults.store.batch import AlarmBatch, commit_command, decode_change
from ocs.limits import ALARM_LEASE_MS
from ocs.store_setup import library_text
from tests.support.charged_store import started_server

PARTITIONS = 4


class AlarmLab:
    """The store, and who owns its list."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client: Any = StoreClient(plain_address(url))
        self._number = 0

    def empty(self) -> None:
        """Nothing is left; the list is ours."""
        self.client.flushall()
        set_up_store(self.client, partitions=PARTITIONS, now_s=1, library=library_text())
        self.own()

    def own(self) -> None:
        self.client.fcall("ocs_alarms_lease", 1, keys.OWNER, "lab", "lease", ALARM_LEASE_MS, "take", "")
        self._number = int(self.client.hget(keys.OWNER, "number"))

    def commit(self, batch: AlarmBatch) -> None:
        self._number += 1
        command = commit_command(batch, lease="lease", number=self._number, lease_ms=ALARM_LEASE_MS)
        assert self.client.execute_command(*command) == 1

    def changes(self) -> list[AlarmChange]:
        return [decode_change(fields[b"c"]) for _, fields in self.client.xrange(keys.CHANGES)]


@pytest.fixture(scope="module")
def alarm_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A server for the tests of one file."""
    with started_server(tmp_path_factory.mktemp("store")) as url:
        yield url


@pytest.fixture
def lab(alarm_server: str) -> Generator[AlarmLab]:
    """Its store with an empty alarm list."""
    lab = AlarmLab(alarm_server)
    lab.empty()
    yield lab
    lab.client.close()
