"""Money under faults: gateways, links, workers, sites and operators that delay, drop, repeat, reorder, break and die.

A seed that fails here is replayed by ``make sim SEED=n``.
"""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation.world import STEPS, simulate

SEEDS = 200
BLOCK = 25
SEEDS_LONG = 2_000
HAPPENED = (
    "SUCCESS",
    "CREDIT_LIMIT_REACHED",
    "END_USER_SERVICE_DENIED",
    "DEBIT",
    "TOP_UP",
    "ADJUSTMENT",
    "FEE",
    "transfers arrived",
    "vouchers credited",
    "renewals",
    "expired sessions",
    "repeats",
)


def play(first: int, stories: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in range(first, first + stories):
        try:
            world = simulate(Random(seed))
        except BaseException:
            print(f"replay it with `make sim SEED={seed}`")
            raise
        counts += world.auditor.counts
        counts["promotions"] += world.sites.promotions
    return counts


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_no_story_grants_unpaid_debits_twice_or_loses(first: int):
    counts = play(first, BLOCK)
    # Stories in which nothing happens would prove nothing.
    for happened in (*HAPPENED, "promotions"):
        assert counts[happened] > 0, (happened, counts)


@pytest.mark.long
@pytest.mark.parametrize("first", range(SEEDS, SEEDS_LONG, (SEEDS_LONG - SEEDS) // 8))
def test_two_thousand_stories_are_clean(first: int):
    play(first, (SEEDS_LONG - SEEDS) // 8)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**64), steps=st.integers(20, 2 * STEPS))
def test_short_and_long_stories_end_with_balanced_books(seed: int, steps: int):
    simulate(Random(seed), steps)


def test_same_seed_is_the_same_story_to_the_octet():
    first, second = (simulate(Random(7)) for _ in range(2))
    assert first.trace == second.trace
    assert first.digest == second.digest
    assert first.digest != simulate(Random(8)).digest
