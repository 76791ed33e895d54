"""Bugs of repeats, and of what workers remember."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest

from ocs.balance.store import COMMITTED, Commit, CommitResult, Unavailable
from ocs.charging import decide as decide_module
from ocs.charging import group as group_module
from ocs.charging.cache import Entry
from ocs.charging.decision import Decision, State
from ocs.charging.engine import Engine
from ocs.charging.group import Group
from ocs.charging.memory import Recall
from ocs.charging.work import Work
from ocs.messages import ChargingAnswer, ChargingRequest
from tests.simulation.bugs.plant import Plant, at_each_story


class _Proxy:
    """A store whose commits go another way."""

    def __init__(self, store: Any, commit: Any) -> None:
        self._store = store
        self.commit = commit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def refusal_from_a_stale_cache(patch: pytest.MonkeyPatch) -> None:
    """A refusal, an enquiry or a repeat writes nothing, so it is answered at once, from what the worker remembers."""
    original = Group.commit

    def commit(group: Group) -> None:
        def at_once(commit: Commit, done: Callable[[CommitResult], None]) -> None:
            if commit.writes:
                store.commit(commit, done)
            else:
                done(COMMITTED)

        store = group._engine.store
        group._engine.store = _Proxy(store, at_once)  # type: ignore[assignment]
        try:
            original(group)
        finally:
            group._engine.store = store

    patch.setattr(Group, "commit", commit)


def repeat_fingerprint_ignored(patch: pytest.MonkeyPatch) -> None:
    """A repeat is known by its number alone."""
    recall = decide_module.recall

    def by_number(session: Any, request: ChargingRequest) -> Any:
        for remembered in session.answers:
            if (
                remembered.request_number == request.request_number
                and remembered.request_type == request.request_type
            ):
                return msgspec.msgpack.decode(remembered.answer, type=ChargingAnswer)
        return recall(session, request)

    patch.setattr(decide_module, "recall", by_number)


def repeat_not_looked_for(patch: pytest.MonkeyPatch) -> None:
    """A request is decided as if it came for the first time."""
    patch.setattr(decide_module, "recall", lambda session, request: Recall.NEW)


def decided_again_without_looking_for_the_repeat(patch: pytest.MonkeyPatch) -> None:
    """After an unknown outcome a worker decides its request again, and forgets that it may have been done."""
    stall, decide = Engine._stall, group_module.decide
    doubtful: set[int] = set()

    def stalled(engine: Engine, work: Work) -> None:
        if work.request is not None:
            doubtful.add(work.request.end_to_end_id)
        stall(engine, work)

    def decide_anew(
        state: State, request: ChargingRequest, tariffs: Any, moment: Any, policy: Any
    ) -> Decision:
        if request.end_to_end_id in doubtful and state.session is not None:
            state = msgspec.structs.replace(state, session=msgspec.structs.replace(state.session, answers=()))
        return decide(state, request, tariffs, moment, policy)

    patch.setattr(Engine, "_stall", stalled)
    patch.setattr(group_module, "decide", decide_anew)
    at_each_story(patch, doubtful.clear)


def cache_kept_after_an_unknown_outcome(patch: pytest.MonkeyPatch) -> None:
    """After a broken connection a worker goes on with what it remembers."""
    patch.setattr(Entry, "forget", lambda entry: None)


def outcome_taken_for_success(patch: pytest.MonkeyPatch) -> None:
    """A commit of which nothing was heard counts as done."""
    committed = Group._committed

    def told(group: Group, result: CommitResult) -> None:
        committed(group, COMMITTED if isinstance(result, Unavailable) else result)

    patch.setattr(Group, "_committed", told)


def two_commits_of_one_account_under_way(patch: pytest.MonkeyPatch) -> None:
    """A worker does not wait for an account's commit before it sends the next."""
    commit = Group.commit

    def without_waiting(group: Group) -> None:
        commit(group)
        group._entry.is_busy = False

    patch.setattr(Group, "commit", without_waiting)


def tombstone_dropped_too_early(patch: pytest.MonkeyPatch) -> None:
    """What a closed session answered is forgotten within a second."""
    ttl_ms = Group._ttl_ms
    patch.setattr(Group, "_ttl_ms", lambda group, value: 100 if ttl_ms(group, value) else 0)


def life_time_on_an_open_session(patch: pytest.MonkeyPatch) -> None:
    """Open sessions vanish by themselves, and leave what they hold behind."""
    patch.setattr(Group, "_ttl_ms", lambda group, value: 0 if hasattr(value, "buckets") else 7_200_000)


THEME: Final = "calls"
BUGS: Final[tuple[Plant, ...]] = (
    refusal_from_a_stale_cache,
    repeat_fingerprint_ignored,
    repeat_not_looked_for,
    decided_again_without_looking_for_the_repeat,
    cache_kept_after_an_unknown_outcome,
    outcome_taken_for_success,
    two_commits_of_one_account_under_way,
    tombstone_dropped_too_early,
    life_time_on_an_open_session,
)
