"""The simulation is strong enough: with any one rule broken, few seeds pass before the auditor notices.

``python -m tests.simulation --bugs`` says after how many.
"""

from collections.abc import Callable

import pytest

from tests.simulation.planted_bugs import BUGS, Plant, seeds_until_found
from tests.simulation.world import Theme

SEEDS = 200


@pytest.mark.parametrize(("plant", "theme"), BUGS, ids=[plant.__name__ for plant, _ in BUGS])
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
