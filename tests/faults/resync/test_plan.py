"""Who is asked when: one at a time, few at once, later after failures, not all together."""

from ocs.faults.resync.plan import Occasion, ResyncPlan
from ocs.limits import (
    RESYNC_AFTER_RESTART_MS,
    RESYNC_PAUSE_MS,
    RESYNC_RETRY_MAX_MS,
    RESYNC_RETRY_MS,
    RESYNC_START_SPREAD_MS,
    RESYNCS_AT_ONCE,
)

# Half-way: what is spread is as it is.
EVEN = 0.5


def plan(*names: str, interval_ms: int = 0, chance: float = EVEN) -> ResyncPlan:
    return ResyncPlan([(name, interval_ms) for name in names], lambda: chance)


def begun(plan: ResyncPlan, now_ms: int) -> list[str]:
    return [element for element, _ in plan.begin(now_ms)]


def test_operator_is_served_at_once_and_a_restarted_element_when_it_is_ready() -> None:
    of_two = plan("core", "cell")
    of_two.want("core", Occasion.OPERATOR, 0)
    of_two.want("cell", Occasion.RESTART, 0)
    assert of_two.begin(0) == [("core", Occasion.OPERATOR)]
    assert of_two.next_ms() == RESYNC_AFTER_RESTART_MS
    assert begun(of_two, RESYNC_AFTER_RESTART_MS - 1) == []
    assert begun(of_two, RESYNC_AFTER_RESTART_MS) == ["cell"]


def test_element_that_restarts_again_is_given_its_time_again() -> None:
    one = plan("core")
    one.want("core", Occasion.RESTART, 0)
    one.want("core", Occasion.RESTART, 4_000)
    assert one.next_ms() == 4_000 + RESYNC_AFTER_RESTART_MS


def test_one_element_is_asked_once_at_a_time_and_again_for_what_happened_meanwhile() -> None:
    one = plan("core")
    one.want("core", Occasion.OPERATOR, 0)
    assert begun(one, 0) == ["core"]
    one.want("core", Occasion.SILENCE, 100)
    assert begun(one, 100) == []
    one.end("core", 200, is_success=True)
    assert begun(one, 200) == []
    assert begun(one, 200 + RESYNC_PAUSE_MS) == ["core"]


def test_only_so_many_are_asked_at_once() -> None:
    names = [f"cell-{number}" for number in range(RESYNCS_AT_ONCE + 2)]
    many = plan(*names)
    for name in names:
        many.want(name, Occasion.OPERATOR, 0)
    first = begun(many, 0)
    assert len(first) == RESYNCS_AT_ONCE
    assert many.next_ms() is None
    many.end(first[0], 1, is_success=True)
    assert len(begun(many, 1)) == 1


def test_failures_are_tried_again_ever_later_up_to_a_bound_and_apart() -> None:
    one = plan("core")
    one.want("core", Occasion.OPERATOR, 0)
    now_ms, waits = 0, list[int]()
    for _ in range(12):
        assert begun(one, now_ms) == ["core"]
        one.end("core", now_ms, is_success=False)
        due_ms = one.next_ms()
        assert due_ms is not None
        waits.append(due_ms - now_ms)
        now_ms = due_ms
    assert waits[:3] == [RESYNC_RETRY_MS, 2 * RESYNC_RETRY_MS, 4 * RESYNC_RETRY_MS]
    assert waits[-1] == RESYNC_RETRY_MAX_MS
    early, late = plan("core", chance=0.0), plan("core", chance=1.0)
    for other in (early, late):
        other.want("core", Occasion.OPERATOR, 0)
        other.begin(0)
        other.end("core", 0, is_success=False)
    assert early.next_ms() == RESYNC_RETRY_MS * 3 // 4
    assert late.next_ms() == RESYNC_RETRY_MS * 5 // 4


def test_success_forgets_failures() -> None:
    one = plan("core")
    for is_success in (False, False, True, False):
        one.want("core", Occasion.OPERATOR, 0)
        assert begun(one, 10_000_000)
        one.end("core", 0, is_success=is_success)
    assert one.next_ms() == RESYNC_RETRY_MS


def test_occasions_do_not_shorten_the_wait_after_failures_but_an_operator_may() -> None:
    one = plan("core")
    one.want("core", Occasion.OPERATOR, 0)
    one.begin(0)
    one.end("core", 0, is_success=False)
    one.want("core", Occasion.SILENCE, 10)
    assert one.next_ms() == RESYNC_RETRY_MS
    one.want("core", Occasion.OPERATOR, 10)
    assert one.next_ms() == 10


def test_element_with_an_interval_is_asked_again_and_one_without_is_not() -> None:
    timed, untimed = plan("core", interval_ms=600_000), plan("core")
    for one in (timed, untimed):
        one.want("core", Occasion.OPERATOR, 0)
        one.begin(0)
        one.end("core", 0, is_success=True)
    assert timed.next_ms() == 600_000
    assert timed.begin(600_000) == [("core", Occasion.INTERVAL)]
    assert untimed.next_ms() is None


def test_at_our_start_elements_are_asked_apart() -> None:
    chances = iter((0.0, 0.5, 1.0))
    three = ResyncPlan([("a", 0), ("b", 0), ("c", 0)], lambda: next(chances))
    for name in ("a", "b", "c"):
        three.want(name, Occasion.START, 0)
    assert begun(three, 0) == ["a"]
    assert begun(three, RESYNC_START_SPREAD_MS // 2) == ["b"]
    assert begun(three, RESYNC_START_SPREAD_MS) == ["c"]


def test_element_without_an_agent_is_not_asked() -> None:
    none = plan()
    none.want("core", Occasion.OPERATOR, 0)
    assert none.next_ms() is None
    assert "core" not in none
