"""Money under faults: gateways, links, workers, sites and operators that delay, drop, repeat, reorder, break and die.

A seed that fails here is replayed by ``make sim SEED=n``.
"""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation.world import STEPS, Theme, simulate

SEEDS = 125
BLOCK = 25
SEEDS_LONG = 2_000
HAPPENED = (
    "SUCCESS",
    "CREDIT_LIMIT_REACHED",
    "DEBIT",
    "TOP_UP",
    "ADJUSTMENT",
    "FEE",
    "transfers arrived",
    "vouchers credited",
    "expired sessions",
    "repeats",
)
# What is rare in a story of another theme.
HAPPENED_BY_THEME: dict[Theme, tuple[str, ...]] = {
    "access": ("running counters judged", "UNKNOWN_SESSION"),
    "accounts": (
        "END_USER_SERVICE_DENIED",
        "renewals",
        "plans changed",
        "reservations given back",
        "automatic top-ups",
        "becomes ONE_WAY_BARRED",
        "becomes EXPIRED",
        "payments parked",
        "came back with its end",
        "left to a family",
        "demands followed",
        "demands denied",
    ),
    "calls": ("redirections judged", "refusals judged", "grants over a switch", "gateways asked"),
}


def play(first: int, stories: int, theme: Theme | None = None) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in range(first, first + stories):
        try:
            world = simulate(Random(seed), theme=theme)
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


@pytest.mark.parametrize(("theme", "happened"), HAPPENED_BY_THEME.items())
def test_stories_of_a_theme_see_what_belongs_to_it(theme: Theme, happened: tuple[str, ...]):
    counts = play(SEEDS, 2 * BLOCK, theme)
    assert [each for each in happened if not counts[each]] == []


@pytest.mark.long
@pytest.mark.parametrize("first", range(SEEDS, SEEDS_LONG, (SEEDS_LONG - SEEDS) // 8))
def test_two_thousand_stories_are_clean(first: int):
    play(first, (SEEDS_LONG - SEEDS) // 8)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**64), steps=st.integers(20, 2 * STEPS))
def test_short_and_long_stories_end_with_balanced_books(seed: int, steps: int):
    simulate(Random(seed), steps)


def test_same_seed_is_the_same_story_to_the_octet():
    first, second = (simulate(Random(7)).scene for _ in range(2))
    assert first.trace == second.trace
    assert first.digest == second.digest
    assert first.digest != simulate(Random(8)).scene.digest
