"""The simulation is strong enough: with any one rule broken, few seeds pass before the auditor notices.

``python -m tests.simulation --bugs`` says after how many.
"""

from collections.abc import Callable

import pytest

from tests.simulation.planted_bugs import BUGS, Plant, seeds_until_found
from tests.simulation.world import Theme

SEEDS = 200
# Those that take dozens of seeds: seconds each.
SLOWLY_FOUND = {
    "barred_session_is_asked_to_come_again",
    "counter_of_yesterday_dropped",
    "late_start_taken_for_another_session",
    "paid_and_forgotten",
    "redirected_for_ever",
    "transfer_given_back_after_a_doubt",
    "use_counted_in_the_day_of_its_report",
    "used_up_and_given_back",
    "what_comes_back_too_late_stays",
}
CASES = [
    pytest.param(
        plant, theme, id=plant.__name__, marks=[pytest.mark.long] if plant.__name__ in SLOWLY_FOUND else []
    )
    for plant, theme in BUGS
]


def test_those_that_are_found_slowly_are_planted_too() -> None:
    assert {plant.__name__ for plant, _ in BUGS} >= SLOWLY_FOUND


@pytest.mark.parametrize(("plant", "theme"), CASES)
def test_planted_bug_is_found(
    plant: Plant,
    theme: Theme,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
):
    plant(monkeypatch)
    seeds, error = seeds_until_found(theme, SEEDS)
    assert seeds, f"{plant.__name__} was not found within {SEEDS} seeds: the schedule is not mean enough"
    record_property("seeds", seeds)
    print(f"{plant.__name__}: found after {seeds} seeds: {error}")
