"""The model of a replicated store does what the real one does where it matters: order, fsync, WAIT, promotion."""

from random import Random

import pytest

from ocs.balance.model import Account, LifecycleState, encode_value
from ocs.balance.store import ABSENT, COMMITTED, Commit, Conflict, Unavailable, Write
from ocs.clock import ManualClock
from tests.simulation.replicated_store import BARRIER_TIMEOUT_MS, CALL_TIMEOUT_MS, StoreConnection
from tests.simulation.sites import Sites
from tests.support.auditor import Auditor
from tests.support.books import AuditError

KEY = "{0}a:anna"
CONTENT = encode_value(Account("anna", "EUR", LifecycleState.ACTIVE, 0, (), ()))


class Lab:
    def __init__(self, durability, replicas=1):
        self.clock = ManualClock(1_800_000_000_000)
        auditor = Auditor(self.clock, supervision_time_s=60)
        self.sites = Sites(Random(1), self.clock, auditor, durability=durability, replicas=replicas)
        self.told = []

    def connect(self):
        return StoreConnection(Random(2), self.sites)

    def commit(self, connection, token, expected=ABSENT):
        connection.commit(
            Commit(0, (KEY,), (expected,), token, (Write(0, CONTENT),)),
            self.told.append,
        )

    def run(self, connection):
        while connection.step():
            pass

    def replicate(self):
        for replica in self.sites.replicas:
            self.sites.replicate(replica)
            self.sites.acknowledge(replica)


def test_commit_is_told_after_the_fsync_and_not_before():
    lab = Lab("fsync")
    connection = lab.connect()
    lab.commit(connection, b"a" * 12)
    lab.run(connection)
    assert lab.told == []
    lab.sites.fsync(lab.sites.primary)
    lab.run(connection)
    assert lab.told == [COMMITTED]


def test_commit_is_told_when_every_needed_replica_has_it():
    lab = Lab("replicated", replicas=2)
    connection = lab.connect()
    lab.commit(connection, b"a" * 12)
    lab.run(connection)
    lab.sites.fsync(lab.sites.primary)
    first, second = lab.sites.replicas
    lab.sites.replicate(first)
    lab.sites.acknowledge(first)
    lab.run(connection)
    assert lab.told == []
    lab.sites.replicate(second)
    lab.sites.acknowledge(second)
    lab.run(connection)
    assert lab.told == [COMMITTED]


def test_commit_without_enough_replicas_is_of_unknown_outcome_and_stands():
    lab = Lab("replicated")
    connection = lab.connect()
    lab.commit(connection, b"a" * 12)
    lab.run(connection)
    lab.sites.fsync(lab.sites.primary)
    lab.clock.advance_ms(BARRIER_TIMEOUT_MS)
    lab.run(connection)
    assert isinstance(lab.told[0], Unavailable)
    lab.commit(other := lab.connect(), b"b" * 12)
    lab.run(other)
    lab.sites.fsync(lab.sites.primary)
    lab.replicate()
    lab.run(other)
    assert isinstance(lab.told[1], Conflict)


def test_conflict_waits_for_a_barrier_of_its_own():
    lab = Lab("replicated")
    first, second = lab.connect(), lab.connect()
    lab.commit(first, b"a" * 12)
    lab.commit(second, b"b" * 12)
    lab.run(first)
    lab.run(second)
    lab.sites.fsync(lab.sites.primary)
    lab.run(second)
    assert lab.told == []


def test_promoted_replica_has_what_it_was_sent_and_the_old_primary_goes_on_by_itself():
    lab = Lab("replicated")
    connection = lab.connect()
    old = lab.sites.primary
    (replica,) = lab.sites.replicas
    lab.commit(connection, b"a" * 12)
    lab.run(connection)
    lab.sites.promote(replica)
    assert KEY in old.data.values and KEY not in replica.data.values
    assert old.is_serving and replica.is_serving and lab.sites.primary is replica
    lab.sites.demote(old)
    lab.sites.replicate(old)
    assert not old.is_serving and len(old.log) == len(replica.log) == 0


def test_promotion_that_loses_what_was_acknowledged_is_noticed():
    lab = Lab("replicated")
    connection = lab.connect()
    lab.commit(connection, b"a" * 12)
    lab.run(connection)
    lab.sites.auditor.acknowledged["s", 1, 0, b""] = None  # type: ignore[assignment]
    with pytest.raises(AuditError, match="acknowledged and lost"):
        lab.sites.promote(lab.sites.replicas[0])


def test_crash_keeps_what_was_fsynced():
    lab = Lab("fsync")
    connection = lab.connect()
    lab.commit(connection, b"a" * 12)
    lab.run(connection)
    lab.sites.fsync(lab.sites.primary)
    lab.sites.crash(lab.sites.primary)
    assert not connection.step()
    lab.sites.restart(lab.sites.primary)
    assert lab.sites.primary.data.values[KEY].token == b"a" * 12


def test_broken_connection_tells_every_call_and_its_site_may_still_carry_them_out():
    carried_out = set()
    for seed in range(50):
        lab = Lab("fsync")
        connection = StoreConnection(Random(seed), lab.sites)
        lab.commit(connection, b"a" * 12)
        connection.lose()
        assert isinstance(lab.told[0], Unavailable)
        at_once = KEY in lab.sites.primary.data.values
        late = connection.carry_out_late()
        carried_out.add((at_once, late))
        assert (KEY in lab.sites.primary.data.values) == (at_once or late)
    assert {(False, False), (True, False), (False, True)} <= carried_out


def test_call_that_arrives_too_late_is_not_carried_out():
    lab = Lab("fsync")
    connection = lab.connect()
    while not connection.late:
        lab.commit(lab_connection := StoreConnection(Random(len(lab.told)), lab.sites), b"a" * 12)
        lab_connection.lose()
        connection = lab_connection
    before = dict(lab.sites.primary.data.values)
    lab.clock.advance_ms(CALL_TIMEOUT_MS)
    connection.carry_out_late()
    assert lab.sites.primary.data.values == before


def test_worker_with_two_commits_under_way_for_an_account_is_noticed():
    lab = Lab("fsync")
    connection = lab.connect()
    lab.commit(connection, b"a" * 12)
    with pytest.raises(AuditError, match="two commits"):
        lab.commit(connection, b"b" * 12)


def test_worker_that_does_not_look_again_after_a_doubt_is_noticed():
    lab = Lab("fsync")
    connection = lab.connect()
    lab.commit(connection, b"a" * 12)
    connection.lose()
    with pytest.raises(AuditError, match="not read again"):
        lab.commit(connection, b"b" * 12)
