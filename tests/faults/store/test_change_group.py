"""A group's readers get each change at least once, those first that nobody has acknowledged."""

import pytest
import redis

from ocs.faults.store import keys
from ocs.faults.store.change_group import ChangeGroup
from tests.support.alarm_lab import AlarmLab, lab
from tests.support.alarms import alarm_of, batch_of

__all__ = ["lab"]

pytestmark = pytest.mark.bounded(60)

A, B, C = (alarm_of(f"router{number}") for number in range(3))


@pytest.fixture
def group(lab: AlarmLab) -> ChangeGroup:
    group = ChangeGroup(lab.client, "testers")
    group.open()
    return group


def read(group: ChangeGroup, count: int = 10) -> list[str]:
    return [followed.change.alarm_id for followed in group.read(count)]


def test_group_begins_with_what_happens_after_it_was_opened(lab):
    lab.commit(batch_of(A))
    group = ChangeGroup(lab.client, "testers")
    group.open()
    assert read(group) == []
    lab.commit(batch_of(B))
    assert read(group) == [B.alarm_id]


def test_changes_that_are_acknowledged_do_not_come_again(lab, group):
    lab.commit(batch_of(A, B, C))
    first = group.read(2)
    group.done(first)
    assert read(group) == [C.alarm_id]


def test_changes_that_are_not_acknowledged_come_again_first_to_whoever_reads_next(lab, group):
    lab.commit(batch_of(A, B))
    group.read(10)
    lab.commit(batch_of(C))
    other = ChangeGroup(lab.client, "testers")
    other.open()
    first = other.read(10)
    assert [followed.change.alarm_id for followed in first] == [A.alarm_id, B.alarm_id]
    other.done(first)
    assert read(other) == [C.alarm_id]


def test_change_that_cannot_be_read_is_left_out(lab, group):
    lab.client.xadd(keys.CHANGES, {"c": b"\xc1"})
    lab.client.xadd(keys.CHANGES, {"x": b""})
    lab.commit(batch_of(A))
    assert read(group) == [A.alarm_id]


def test_group_that_is_gone_is_told_and_opened_again(lab, group):
    group.close()
    with pytest.raises(redis.RedisError):
        group.read(1)
    group.open()
    lab.commit(batch_of(A))
    assert read(group) == [A.alarm_id]


def test_closing_what_was_never_opened_does_nothing(lab):
    lab.client.flushall()
    ChangeGroup(lab.client, "testers").close()
    assert not lab.client.exists(keys.CHANGES)
