"""The barrier of one server: what commits are told when replicas have them, and when they have not."""

from typing import Any

import hiredis
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from ocs import limits
from ocs.balance.barrier import Barrier
from ocs.balance.redis_connection import Callback, Reply, StoreError
from ocs.balance.replica_barrier import ReplicaBarrier
from ocs.balance.store import Unavailable
from ocs.metrics import REGISTRY

REFUSE = Barrier(2, 50, is_required=True)
FSYNC = Barrier(2, 50, is_required=False)


class Batch:
    """A batch as a connection would send it, and what the callers of its commands are told."""

    def __init__(self, barrier: ReplicaBarrier, commits: list[int], count: int = 2) -> None:
        self.told: list[tuple[int, Reply]] = []
        self.packed = [b""] * count
        self.callbacks: list[Callback] = [self._caller(index) for index in range(count)]
        barrier.guard(self.packed, self.callbacks, commits)

    def _caller(self, index: int) -> Callback:
        return lambda reply: self.told.append((index, reply))

    def commands(self) -> list[Any]:
        reader: Any = hiredis.Reader()
        reader.feed(b"".join(self.packed))
        found: list[Any] = []
        while (command := reader.gets()) is not False:
            found.append(command)
        return found

    def reply(self, *replies: Reply) -> None:
        for callback, reply in zip(self.callbacks, replies, strict=True):
            callback(reply)


def new(
    barrier: Barrier, noted: list[int] | None = None, suspected: list[None] | None = None
) -> ReplicaBarrier:
    note = ([] if noted is None else noted).append
    found = ReplicaBarrier(
        barrier, "server:1", note, lambda: ([] if suspected is None else suspected).append(None)
    )
    found.set_partitions((4, 9))
    return found


def role(offset: int) -> list[Any]:
    return [b"master", offset, []]


def degraded() -> float:
    families = {family.name: family for family in REGISTRY.snapshot().families}
    samples = families["ocs_store_degraded"].samples
    return next(sample.value for sample in samples if sample.labels == ("server:1",))


def test_batch_ends_with_a_small_write_and_a_wait_for_the_replicas():
    """A repeat writes nothing itself, and WAIT counts what its own connection wrote."""
    batch = Batch(new(REFUSE), [1])
    assert batch.commands() == [[b"SET", b"{4}barrier", b""], [b"ROLE"], [b"WAIT", b"2", b"50"]]


def test_commits_are_told_after_the_replicas_have_them_and_other_replies_at_once():
    noted: list[int] = []
    batch = Batch(new(REFUSE, noted), [1])
    read, commit, wrote, told_role, waited = batch.callbacks
    read(b"value")
    commit(1)
    wrote(b"OK")
    told_role(role(77))
    assert batch.told == [(0, b"value")] and noted == []
    waited(2)
    assert batch.told == [(0, b"value"), (1, 1)]
    assert noted == [77]


def test_commits_whose_replicas_are_missing_are_unavailable_and_the_next_are_refused_unsent():
    noted: list[int] = []
    barrier = new(REFUSE, noted)
    with capture_logs() as lines:
        for _ in range(2):
            batch = Batch(barrier, [0, 1])
            batch.reply(1, 3, b"OK", role(77), 1)
            assert batch.told == [
                (index, Unavailable("1 of 2 replicas have it after 50 ms")) for index in (0, 1)
            ]
    assert [line["event"] for line in lines] == ["store_degraded"] and lines[0]["remedy"]
    assert noted == []
    assert degraded() == 1
    assert barrier.refusal is not None and barrier.is_asked


def test_on_degraded_fsync_answers_and_no_longer_waits():
    barrier = new(FSYNC)
    batch = Batch(barrier, [0])
    batch.reply(1, b"read", b"OK", role(77), 0)
    assert batch.told == [(1, b"read"), (0, 1)]
    assert barrier.refusal is None and not barrier.is_asked
    assert degraded() == 1


@pytest.mark.parametrize("setting", [REFUSE, FSYNC])
@pytest.mark.parametrize(
    "ends",
    [
        (StoreError("ASK 1 a:1"), role(7), 2),
        (b"OK", role(7), StoreError("ERR WAIT cannot be used with replica instances")),
        (Unavailable("lost"),) * 3,
        (b"OK", role(7), Unavailable("lost")),
    ],
)
def test_barrier_that_could_not_be_asked_leaves_commits_unknown(setting: Barrier, ends: tuple[Reply, ...]):
    barrier = new(setting)
    batch = Batch(barrier, [0])
    batch.reply(1, b"read", *ends)
    (_, (index, reply)) = batch.told
    assert index == 0 and isinstance(reply, Unavailable)
    assert not barrier.is_degraded


def test_small_write_that_was_refused_goes_to_another_partition_next_time():
    """A partition that is being moved key by key refuses it until it has moved."""
    barrier = new(REFUSE)
    Batch(barrier, [0]).reply(1, b"", StoreError("ASK 1 a:1"), role(7), 2)
    assert Batch(barrier, [0]).commands()[0] == [b"SET", b"{9}barrier", b""]


def test_commit_that_was_not_executed_is_told_so_whatever_the_barrier_says():
    """It goes where the server says."""
    moved = StoreError("MOVED 1 a:1")
    batch = Batch(new(REFUSE), [0])
    batch.reply(moved, b"", b"OK", role(7), 0)
    assert (0, moved) in batch.told


def test_replicas_that_follow_again_end_the_degradation():
    barrier = new(REFUSE)
    Batch(barrier, [0]).reply(1, b"", b"OK", role(7), 0)
    with capture_logs() as lines:
        Batch(barrier, [0]).reply(1, b"", b"OK", role(9), 2)
    assert [line["event"] for line in lines] == ["store_recovered"]
    assert barrier.refusal is None and degraded() == 0


def test_server_that_leaves_the_store_is_not_counted_any_more():
    barrier = new(REFUSE)
    Batch(barrier, [0]).reply(1, b"", b"OK", role(7), 0)
    barrier.close()
    (family,) = (family for family in REGISTRY.snapshot().families if family.name == "ocs_store_degraded")
    assert ("server:1",) not in {sample.labels for sample in family.samples}


async def test_while_degraded_the_replicas_are_asked_for_until_they_follow(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
):
    suspected: list[None] = []
    barrier = new(REFUSE, suspected=suspected)
    having = iter([2, 0, 1, 2])
    asked: list[list[list[bytes]]] = []

    async def open_stream() -> trio.abc.Stream:
        if not asked:
            asked.append([])
            raise ConnectionRefusedError
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(serve, theirs)
        return ours

    async def serve(stream: trio.abc.Stream) -> None:
        reader: Any = hiredis.Reader()
        reader.feed(await stream.receive_some(4096))
        asked.append([reader.gets(), reader.gets()])
        await stream.send_all(b"+OK\r\n:%d\r\n" % next(having))

    nursery.start_soon(barrier.watch, open_stream)
    with trio.fail_after(60):
        await trio.testing.wait_all_tasks_blocked()
        while barrier.trouble:
            await trio.sleep(limits.REPLICAS_ASKED_INTERVAL_S)
        assert len(asked) == 2 and suspected == []  # at the start; nothing is asked while all is well
        Batch(barrier, [0]).reply(1, b"", b"OK", role(7), 0)
        while barrier.is_degraded:
            await trio.sleep(limits.REPLICAS_ASKED_INTERVAL_S)
    assert asked[1:] == [[[b"SET", b"{4}barrier", b""], [b"WAIT", b"2", b"50"]]] * 4
    assert len(suspected) == len(asked) - 2  # each time: a missing replica may have become primary
    nursery.cancel_scope.cancel()


def test_until_replicas_have_answered_once_nobody_is_told_that_all_is_well():
    barrier = new(REFUSE)
    assert "have not answered yet" in barrier.trouble
    Batch(barrier, [0]).reply(1, b"", b"OK", role(9), 2)
    assert barrier.trouble == ""
    Batch(barrier, [0]).reply(1, b"", b"OK", role(9), 1)
    assert "are missing" in barrier.trouble
    assert new(FSYNC).trouble == ""  # it serves without them
