"""Bugs of commits and of what they wait for: tokens, time, turns, the fsync and the replicas."""

from collections.abc import Callable
from typing import Final

import msgspec
import pytest

from ocs import limits
from ocs.balance.memory_store import MemoryStore
from ocs.balance.store import Commit, CommitResult, TokenSource
from tests.simulation.bugs.plant import Plant
from tests.simulation.replicated_store import Call, StoreConnection
from tests.simulation.sites import Sites
from tests.simulation.worker import Worker, WorkerClock


def commit_without_token_check(patch: pytest.MonkeyPatch) -> None:
    """The store writes whatever it is told."""
    apply = MemoryStore.apply

    def unchecked(store: MemoryStore, commit: Commit) -> CommitResult:
        now = tuple(store._get(key).token for key in commit.keys)
        return apply(store, msgspec.structs.replace(commit, expected=now))

    patch.setattr(MemoryStore, "apply", unchecked)


def session_left_out_of_the_check(patch: pytest.MonkeyPatch) -> None:
    """Only the account's token is compared: what was decided on another session passes."""
    apply = MemoryStore.apply

    def unchecked(store: MemoryStore, commit: Commit) -> CommitResult:
        expected = tuple(
            expected if key[key.index("}") + 1] != "s" else store._get(key).token
            for key, expected in zip(commit.keys, commit.expected, strict=True)
        )
        return apply(store, msgspec.structs.replace(commit, expected=expected))

    patch.setattr(MemoryStore, "apply", unchecked)


def token_from_a_counter(patch: pytest.MonkeyPatch) -> None:
    """A restarted worker counts from the beginning again."""
    patch.setattr(Worker, "new_tokens", lambda worker: TokenSource(bytes([worker.name]) + bytes(6)))


def expiry_without_the_store_s_clock(patch: pytest.MonkeyPatch) -> None:
    """What a worker's wall clock says decides alone whether a session is silent for too long."""
    patch.setattr(WorkerClock, "steady_ms", WorkerClock.now_ms)
    apply = MemoryStore.apply
    patch.setattr(
        MemoryStore,
        "apply",
        lambda store, commit: apply(store, msgspec.structs.replace(commit, not_before_ms=None)),
    )


def events_written_apart(patch: pytest.MonkeyPatch) -> None:
    """Events are sent after the commit, and are lost when the connection breaks in between."""
    write = StoreConnection.commit

    def commit(connection: StoreConnection, commit: Commit, done: Callable[[CommitResult], None]) -> None:
        bare = msgspec.structs.replace(commit, events=())
        write(connection, bare, done)

    patch.setattr(StoreConnection, "commit", commit)


def turn_without_an_end(patch: pytest.MonkeyPatch) -> None:
    """A worker that lost a race, and has died, keeps its turn on an account for ever."""
    patch.setattr(limits, "TURN_MS", 1 << 50)
    patch.setattr(limits, "LOST_RACES_BEFORE_TURN", 0)


def answer_before_the_barrier(patch: pytest.MonkeyPatch) -> None:
    """What is written is answered before replicas have it."""
    patch.setattr(StoreConnection, "needs_barrier", lambda connection, commit: False)


def answer_before_the_fsync(patch: pytest.MonkeyPatch) -> None:
    """The store replies before its file has what it tells."""

    def carry_out_next(connection: StoreConnection) -> bool:
        done = original(connection)
        for call in connection._replies:
            call.position = 0
        return done

    original = StoreConnection._carry_out_next
    patch.setattr(StoreConnection, "_carry_out_next", carry_out_next)


def repeat_without_its_own_barrier(patch: pytest.MonkeyPatch) -> None:
    """A stored answer is given again as it stands: nothing is written, so nothing is waited for."""
    patch.setattr(
        StoreConnection,
        "needs_barrier",
        lambda connection, commit: connection._sites.durability == "replicated" and bool(commit.writes),
    )


def failed_barrier_taken_for_success(patch: pytest.MonkeyPatch) -> None:
    """WAIT's count is not looked at."""

    def pass_barrier(connection: StoreConnection, call: Call) -> bool:
        if connection._barrier is None:
            return False
        position, until_ms = connection._barrier
        return connection._sites.is_covered(connection.site, position) or (
            connection._sites.true.now_ms() >= until_ms
        )

    patch.setattr(StoreConnection, "_pass_barrier", pass_barrier)


def fewer_replicas_than_may_be_promoted(patch: pytest.MonkeyPatch) -> None:
    """WAIT is satisfied by one replica, and another one is promoted."""
    patch.setattr(
        Sites,
        "is_covered",
        lambda sites, site, position: not sites.needed or max(site.acked.values(), default=-1) >= position,
    )


THEME: Final = "calls"
BUGS: Final[tuple[Plant, ...]] = (
    commit_without_token_check,
    session_left_out_of_the_check,
    token_from_a_counter,
    expiry_without_the_store_s_clock,
    events_written_apart,
    turn_without_an_end,
    answer_before_the_barrier,
    answer_before_the_fsync,
    repeat_without_its_own_barrier,
    failed_barrier_taken_for_success,
    fewer_replicas_than_may_be_promoted,
)
