"""The simulation is strong enough: with any one rule broken, few seeds pass before the auditor notices.

``python -m tests.simulation --bugs`` says after how many.
"""

from collections.abc import Callable

import pytest

from tests.simulation.planted_bugs import BUGS, Plant, seeds_until_found

SEEDS = 200


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_planted_bug_is_found(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
):
    plant(monkeypatch)
    seeds, error = seeds_until_found(SEEDS)
    assert seeds, f"{plant.__name__} was not found within {SEEDS} seeds: the schedule is not mean enough"
    record_property("seeds", seeds)
    print(f"{plant.__name__}: found after {seeds} seeds: {error}")
