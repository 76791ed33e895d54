"""An account's life by its dates: every state, every step, however late it is taken."""

import msgspec
import pytest

from ocs.balance.lifecycle import (
    DAY_MS,
    FOR_EVER,
    LifecycleRules,
    advanced,
    due_ms,
    first_used,
    follows_dates,
    lifecycle_rules,
    topped_up,
)
from ocs.balance.model import Account, LifecycleState
from ocs.settings import AccountsSettings

S = LifecycleState
RULES = LifecycleRules(True, 30, 90, 60, 100)
BEGAN = 1_000 * DAY_MS


def account(state: LifecycleState, since_ms: int = BEGAN, active_until_ms: int = BEGAN) -> Account:
    return Account("a", "EUR", state, 0, (), (), 0, since_ms, active_until_ms)


def test_life_goes_by_its_dates():
    life = first_used(account(S.CREATED, active_until_ms=0), BEGAN, RULES)
    assert (life.state, life.since_ms, life.active_until_ms) == (S.ACTIVE, BEGAN, BEGAN + 30 * DAY_MS)
    steps: list[tuple[str, int]] = []
    while due := due_ms(life, RULES):
        assert advanced(life, due - 1, RULES) is life
        life = advanced(life, due, RULES)
        steps.append((life.state.name, (life.since_ms - BEGAN) // DAY_MS))
    assert steps == [("ONE_WAY_BARRED", 30), ("EXPIRED", 90), ("RECYCLED", 190)]


def test_steps_that_were_not_looked_at_keep_their_dates():
    life = first_used(account(S.CREATED, active_until_ms=0), BEGAN, RULES)
    late = advanced(life, BEGAN + 1_000 * DAY_MS, RULES)
    assert (late.state, late.since_ms) == (S.RECYCLED, BEGAN + 190 * DAY_MS)


@pytest.mark.parametrize("state", S)
def test_without_rules_no_state_moves(state: LifecycleState):
    there = account(state, active_until_ms=0)
    assert advanced(there, BEGAN + 10_000 * DAY_MS, FOR_EVER) is there


@pytest.mark.parametrize("state", [S.ONE_WAY_BARRED, S.SUSPENDED, S.EXPIRED, S.CLOSED])
def test_what_was_barred_by_hand_stays_so(state: LifecycleState):
    barred = account(state, since_ms=BEGAN, active_until_ms=BEGAN + DAY_MS)  # before its dates came
    assert not follows_dates(barred)
    assert due_ms(barred, RULES) == 0
    assert topped_up(barred, BEGAN, RULES) is barred


TOP_UPS = {
    S.CREATED: S.ACTIVE,
    S.ACTIVE: S.ACTIVE,
    S.ONE_WAY_BARRED: S.ACTIVE,
    S.EXPIRED: S.ACTIVE,
    S.RECYCLED: S.RECYCLED,
    S.SUSPENDED: S.SUSPENDED,
    S.CLOSED: S.CLOSED,
}


@pytest.mark.parametrize("state", S)
def test_top_up_in_each_state(state: LifecycleState):
    now_ms = BEGAN + DAY_MS
    there = account(state, active_until_ms=0 if state is S.CREATED else BEGAN)
    result = topped_up(there, now_ms, RULES)
    assert result.state is TOP_UPS[state]
    if result.state is S.ACTIVE:
        assert result.active_until_ms == now_ms + 90 * DAY_MS
        assert result.since_ms == (BEGAN if state is S.ACTIVE else now_ms)
    else:
        assert result is there


def test_top_up_never_shortens_a_life():
    long = account(S.ACTIVE, active_until_ms=BEGAN + 500 * DAY_MS)
    assert topped_up(long, BEGAN, RULES).active_until_ms == BEGAN + 500 * DAY_MS


def test_life_that_is_for_ever_is_not_given_an_end_by_a_top_up():
    forever = account(S.ACTIVE, active_until_ms=0)
    assert topped_up(forever, BEGAN, RULES) is forever


@pytest.mark.parametrize("state", [state for state in S if state is not S.CREATED])
def test_first_use_begins_a_created_life_only(state: LifecycleState):
    there = account(state)
    assert first_used(there, BEGAN, RULES) is there


def test_rule_of_no_days_stops_there():
    rules = msgspec.structs.replace(RULES, one_way_barred_days=0)
    barred = account(S.ONE_WAY_BARRED)
    assert advanced(barred, BEGAN + 10_000 * DAY_MS, rules) is barred


def test_rules_are_what_the_operator_set():
    settings = AccountsSettings(
        starts_created=True, active_days=1, top_up_days=2, one_way_barred_days=3, expired_days=4
    )
    assert lifecycle_rules(settings) == LifecycleRules(True, 1, 2, 3, 4)
