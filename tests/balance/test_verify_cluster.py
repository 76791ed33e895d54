"""Audit and trimming on a cluster: partitions lie on several servers, hints on others than their accounts."""

from collections.abc import Generator

import pytest

from ocs.balance import keys
from ocs.balance.events_room import EventsRoom
from ocs.balance.findings import FindingKind
from ocs.balance.trimming import Trimmer
from ocs.balance.verify import verify_store
from ocs.events import BILLING_GROUP
from tests.support.charged_store import PARTITIONS, ChargedStore
from tests.support.store_servers import cluster


@pytest.fixture
def store(tmp_path) -> Generator[ChargedStore]:
    with cluster(tmp_path, primaries=2, replicas=0) as nodes:
        store = ChargedStore(nodes.url)
        store.set_up()
        store.fill()
        yield store
        store.close()


def test_cluster_is_audited_and_trimmed_as_one_server_is(store: ChargedStore) -> None:
    report = verify_store(store.admin, partitions=PARTITIONS)
    assert report.findings == []
    assert (report.counted["accounts"], report.counted["directory entries"]) == (6, 6)
    full = EventsRoom(store.admin, store.clock, partitions=PARTITIONS, limit_octets=1 << 20).look()
    assert full.kept == report.counted["events"]
    for partition in range(PARTITIONS):
        name = keys.events_key(partition)
        store.admin.xgroup_create(name, BILLING_GROUP, "0", mkstream=True)
        for _, entries in store.admin.xreadgroup(BILLING_GROUP, "bss", {name: ">"}):
            store.admin.xack(name, BILLING_GROUP, *(entry_id for entry_id, _ in entries))
    assert sum(Trimmer(store.admin).trim_partition(p) for p in range(PARTITIONS)) == full.kept
    store.use("a1", "open;1", 2)
    assert verify_store(store.admin, partitions=PARTITIONS).findings == []
    store.admin.delete(keys.deadlines_key(keys.partition_of("a1", PARTITIONS)))
    store.admin.delete(keys.identity_key("sip:a2@example"))
    kinds = verify_store(store.admin, partitions=PARTITIONS).by_kind
    assert kinds.keys() == {FindingKind.DEADLINE_MISSING, FindingKind.IDENTITY_UNREACHABLE}
