"""Datastores: locks, commits, confirmed commits (RFC 6241 sections 7.5 and 8.3 to 8.7)."""

from dataclasses import replace
from typing import Any

import pytest

from simulators.element.datastores import CANDIDATE, PROFILES, RUNNING, STARTUP, Datastores
from simulators.element.errors import Condition, ConditionError, Dialect, RpcError
from simulators.element.model import Model, Tree
from simulators.element.tree import flatten, with_path
from tests.support.element_clients import ETHERNET, FIRST, GE0, HOSTNAME

ONE, OTHER = 1, 2


def made(model: Model, profile: str = "candidate") -> Datastores:
    tree: Tree = {}
    for path, value in FIRST.items():
        tree = with_path(model, tree, path, value)
    return Datastores(model, PROFILES[profile], tree)


def named(stores: Datastores, session: int, name: str, value: str) -> None:
    stores.edit(session, name, lambda tree: with_path(stores.model, tree, HOSTNAME, value))


def running(stores: Datastores) -> Any:
    return flatten(stores.model, stores.running)[HOSTNAME]


def confirmed(
    stores: Datastores, session: int = ONE, *, persist: str = "", now: float = 0, **options: Any
) -> None:
    settings: dict[str, Any] = {"timeout_s": 60, "persist": persist, "persist_id": None, "now": now}
    stores.commit_confirmed(session, **settings | options)


def test_what_is_edited_runs_after_the_commit_and_not_before(model: Model) -> None:
    stores = made(model)
    named(stores, ONE, CANDIDATE, "new")
    assert (running(stores), stores.is_dirty) == ("pe1", True)
    stores.commit(ONE, None)
    assert (running(stores), stores.is_dirty) == ("new", False)


def test_discarded_changes_are_gone(model: Model) -> None:
    stores = made(model)
    named(stores, ONE, CANDIDATE, "new")
    stores.discard(ONE)
    stores.commit(ONE, None)
    assert running(stores) == "pe1"


def test_running_is_writable_only_where_the_profile_says_so(model: Model) -> None:
    with pytest.raises(RpcError, match="not writable"):
        named(made(model), ONE, RUNNING, "new")
    stores = made(model, "writable-running")
    named(stores, ONE, RUNNING, "new")
    assert running(stores) == "new"
    with pytest.raises(RpcError):
        stores.read(CANDIDATE)


def test_running_stays_valid(model: Model) -> None:
    stores = made(model, "writable-running")
    bad = GE0.replace("ge-0", "ge-1")
    with pytest.raises(ConditionError) as caught:
        stores.edit(ONE, RUNNING, lambda tree: with_path(model, tree, bad, None))
    assert caught.value.condition is Condition.MISSING_AT_VALIDATE
    stores.edit(ONE, RUNNING, lambda tree: with_path(model, tree, f"{bad}/type", ETHERNET))


def test_an_invalid_candidate_is_not_committed(model: Model) -> None:
    stores = made(model)
    bad = GE0.replace("ge-0", "ge-1")
    stores.edit(ONE, CANDIDATE, lambda tree: with_path(model, tree, bad, None))
    with pytest.raises(ConditionError):
        stores.commit(ONE, None)
    assert bad not in flatten(model, stores.running)


# --- locks -------------------------------------------------------------------------------------------------------


def test_a_lock_keeps_others_from_editing_locking_and_committing(model: Model) -> None:
    stores = made(model)
    stores.lock(ONE, CANDIDATE)
    with pytest.raises(RpcError) as caught:
        stores.lock(OTHER, CANDIDATE)
    assert (caught.value.tag, caught.value.info) == ("lock-denied", {"session-id": "1"})
    for attempt in (
        lambda: named(stores, OTHER, CANDIDATE, "x"),
        lambda: stores.commit(OTHER, None),
        lambda: stores.discard(OTHER),
    ):
        with pytest.raises(ConditionError) as refused:
            attempt()
        assert refused.value.condition is Condition.LOCKED_BY_OTHER
    with pytest.raises(RpcError, match="not yours"):
        stores.unlock(OTHER, CANDIDATE)
    stores.unlock(ONE, CANDIDATE)
    stores.lock(OTHER, CANDIDATE)


def test_a_dirty_candidate_is_not_locked(model: Model) -> None:
    stores = made(model)
    named(stores, ONE, CANDIDATE, "left-behind")
    with pytest.raises(ConditionError) as caught:
        stores.lock(OTHER, CANDIDATE)
    assert caught.value.condition is Condition.DIRTY_CANDIDATE


def test_the_end_of_a_session_frees_its_locks_and_discards_what_it_staged_under_them(model: Model) -> None:
    stores = made(model)
    stores.lock(ONE, CANDIDATE)
    stores.lock(ONE, RUNNING)
    named(stores, ONE, CANDIDATE, "new")
    stores.end_session(ONE)
    assert (stores.locks, stores.is_dirty) == ({}, False)


def test_without_a_lock_what_was_staged_stays_for_whoever_commits(model: Model) -> None:
    stores = made(model)
    named(stores, ONE, CANDIDATE, "new")
    stores.end_session(ONE)
    stores.commit(OTHER, None)
    assert running(stores) == "new"


# --- confirmed commits -------------------------------------------------------------------------------------------


def test_a_confirmed_commit_is_undone_at_its_time_out_and_not_before(model: Model) -> None:
    stores = made(model)
    named(stores, ONE, CANDIDATE, "new")
    confirmed(stores, now=100)
    assert not stores.expire(159.9)
    assert running(stores) == "new"
    assert stores.expire(160)
    assert running(stores) == "pe1"


def test_a_confirmed_commit_that_is_confirmed_lasts(model: Model) -> None:
    stores = made(model)
    named(stores, ONE, CANDIDATE, "new")
    confirmed(stores)
    stores.commit(ONE, None)
    assert not stores.expire(1e9)
    assert running(stores) == "new"


def test_without_persist_the_end_of_the_session_undoes_it(model: Model) -> None:
    stores = made(model)
    named(stores, ONE, CANDIDATE, "new")
    confirmed(stores)
    stores.end_session(OTHER)
    assert running(stores) == "new"
    stores.end_session(ONE)
    assert running(stores) == "pe1"


def test_with_persist_another_session_confirms_it_by_its_id_only(model: Model) -> None:
    stores = made(model)
    named(stores, ONE, CANDIDATE, "new")
    confirmed(stores, persist="t1")
    stores.end_session(ONE)
    with pytest.raises(RpcError) as wrong:
        stores.commit(OTHER, "t2")
    assert wrong.value.tag == "invalid-value"
    with pytest.raises(ConditionError) as plain:
        stores.commit(OTHER, None)
    assert plain.value.condition is Condition.COMMIT_DURING_CONFIRMED
    stores.commit(OTHER, "t1")
    assert (running(stores), stores.pending) == ("new", None)
    with pytest.raises(RpcError) as again:
        stores.commit(OTHER, "t1")
    assert again.value.tag == "invalid-value"


def test_cancel_undoes_it_by_its_id(model: Model) -> None:
    stores = made(model)
    with pytest.raises(RpcError, match="no confirmed commit"):
        stores.cancel(ONE, None)
    named(stores, ONE, CANDIDATE, "new")
    confirmed(stores, persist="t1")
    with pytest.raises(RpcError):
        stores.cancel(OTHER, "t2")
    with pytest.raises(RpcError):
        stores.cancel(ONE, None)
    stores.cancel(OTHER, "t1")
    assert running(stores) == "pe1"


def test_a_further_confirmed_commit_starts_the_time_anew_and_goes_back_to_the_first_beginning(
    model: Model,
) -> None:
    stores = made(model)
    named(stores, ONE, CANDIDATE, "second")
    confirmed(stores, persist="t1", now=0)
    named(stores, ONE, CANDIDATE, "third")
    confirmed(stores, persist="t1", persist_id="t1", now=50)
    assert not stores.expire(100)
    assert stores.expire(110)
    assert running(stores) == "pe1"


def test_startup_is_written_by_copying_only(model: Model) -> None:
    stores = made(model, "writable-running")
    named(stores, ONE, RUNNING, "new")
    assert flatten(model, stores.startup)[HOSTNAME] == "pe1"
    stores.copy(ONE, stores.running, STARTUP)
    assert flatten(model, stores.startup)[HOSTNAME] == "new"
    stores.delete(ONE, STARTUP)
    assert stores.startup == {}
    with pytest.raises(RpcError):
        stores.delete(ONE, RUNNING)


def test_what_happened_is_told_once(model: Model) -> None:
    stores = made(model)
    named(stores, ONE, CANDIDATE, "new")
    confirmed(stores, persist="t1")
    stores.cancel(OTHER, "t1")
    events = stores.events.take()
    assert [(name, session) for name, _, _, session in events.changed] == [(RUNNING, ONE), (RUNNING, OTHER)]
    assert events.confirmed == [("start", 60, ONE), ("cancel", 0, OTHER)]
    assert stores.events.take().changed == []


@pytest.mark.parametrize("condition", Condition)
def test_every_condition_has_words_in_every_dialect(condition: Condition) -> None:
    words = {dialect: ConditionError(condition, "x").in_words_of(dialect) for dialect in Dialect}
    assert all(one.tag and one.error_type for one in words.values())
    differing = {Condition.BAD_VALUE, Condition.LOCKED_BY_OTHER, Condition.DIRTY_CANDIDATE}
    if condition in differing:
        assert len({one.tag for one in words.values()}) > 1


def test_a_profile_of_one_s_own_is_made_from_another(model: Model) -> None:
    stores = Datastores(model, replace(PROFILES["candidate"], startup=True), {})
    assert stores.names() == (RUNNING, CANDIDATE, STARTUP)
