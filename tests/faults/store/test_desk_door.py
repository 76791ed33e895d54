"""The desk's way to a replicated store: a deed counts as done when the replicas have it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ocs.balance.barrier import Barrier
from ocs.balance.store_admin import connect
from ocs.faults.store import keys
from ocs.faults.store.batch import StoreUnavailableError
from ocs.faults.store.desk import AlarmDesk
from ocs.faults.store.desk_door import RedisDeskDoor
from tests.support.alarm_lab import AlarmLab
from tests.support.alarms import NOW_MS, alarm_of, batch_of
from tests.support.store_servers import Replicated, replicated

A = alarm_of("router1")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Replicated]:
    with replicated(tmp_path) as servers:
        lab = AlarmLab(servers.primary.url)
        lab.empty()
        lab.commit(batch_of(A))
        lab.client.close()
        yield servers


def desk_of(servers: Replicated, *, is_required: bool = True) -> AlarmDesk:
    client = connect(servers.primary.url)
    return AlarmDesk(RedisDeskDoor(client, Barrier(1, 200, is_required=is_required)))


def kept(server: Any) -> bool:
    return server.admin.hexists(keys.OPERATORS, A.alarm_id)


def test_deed_is_done_when_the_replica_has_it(servers: Replicated):
    desk_of(servers).acknowledge(A.alarm_id, "kim", "", NOW_MS)
    assert kept(servers.replicas[0])


def test_deed_without_its_replica_is_an_unknown_outcome_and_may_be_done_again(servers: Replicated):
    desk = desk_of(servers)
    servers.replicas[0].pause()
    with pytest.raises(StoreUnavailableError, match="0 of 1 replicas"):
        desk.acknowledge(A.alarm_id, "kim", "on it", NOW_MS)
    servers.replicas[0].resume()
    record = desk.acknowledge(A.alarm_id, "kim", "on it", NOW_MS)
    assert desk.look(A.alarm_id) == (A, record)
    assert kept(servers.replicas[0])


def test_deed_is_done_on_the_primary_alone_where_the_operator_has_it_so(servers: Replicated):
    servers.replicas[0].pause()
    desk_of(servers, is_required=False).acknowledge(A.alarm_id, "kim", "", NOW_MS)
    servers.replicas[0].resume()
    assert kept(servers.primary)


def test_store_that_is_gone_is_told(servers: Replicated):
    desk = desk_of(servers)
    servers.primary.kill()
    with pytest.raises(StoreUnavailableError):
        desk.look(A.alarm_id)
    servers.primary.start()
