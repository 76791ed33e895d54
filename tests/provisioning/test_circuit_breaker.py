"""Whether an element is tried."""

from hypothesis import given
from hypothesis import strategies as st

from ocs.limits import BREAKER_FAILURES_MAX, BREAKER_PAUSE_MAX_S, BREAKER_PAUSE_S
from ocs.provisioning.circuit_breaker import Backoff, CircuitBreaker


def failed(times: int, chance: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(lambda: chance)
    for _ in range(times):
        breaker.note_attempt()
        breaker.note_failure(0.0, "away")
    return breaker


def test_it_takes_some_failures_in_a_row_to_leave_an_element_alone() -> None:
    assert failed(BREAKER_FAILURES_MAX - 1).wait_s(0.0) == 0
    assert failed(BREAKER_FAILURES_MAX).wait_s(0.0) == BREAKER_PAUSE_S
    assert failed(BREAKER_FAILURES_MAX).reason == "away"
    breaker = failed(BREAKER_FAILURES_MAX - 1)
    breaker.note_success()
    assert breaker.is_idle
    breaker.note_failure(0.0, "away")
    assert breaker.wait_s(0.0) == 0


def test_after_the_pause_one_may_try_and_the_others_wait_for_him() -> None:
    breaker = failed(BREAKER_FAILURES_MAX)
    assert breaker.wait_s(BREAKER_PAUSE_S) == 0
    breaker.note_attempt()
    assert breaker.wait_s(BREAKER_PAUSE_S) > 0
    breaker.note_withdrawal()
    assert breaker.wait_s(BREAKER_PAUSE_S) == 0, (
        "who gave up says nothing of the element, and leaves nobody waiting"
    )
    breaker.note_attempt()
    breaker.note_success()
    assert breaker.wait_s(BREAKER_PAUSE_S) == 0
    assert breaker.is_idle


def test_who_tries_and_fails_makes_the_pause_longer_up_to_a_bound() -> None:
    breaker = failed(BREAKER_FAILURES_MAX + 1)
    assert breaker.wait_s(0.0) == 2 * BREAKER_PAUSE_S
    assert failed(100).wait_s(0.0) == BREAKER_PAUSE_MAX_S


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_spread_and_stay_within_their_bounds(failures: int, chance: float) -> None:
    pause_s = Backoff(first_s=1.0, longest_s=60.0).pause_s(failures, chance)
    assert 0.5 <= pause_s <= 60.0
    assert pause_s <= Backoff(first_s=1.0, longest_s=60.0).pause_s(failures + 1, 0.0)
