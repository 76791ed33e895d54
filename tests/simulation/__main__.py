"""Replays or explores: ``python -m tests.simulation SEED [STORIES [STEPS]]``."""

import sys
from collections import Counter
from random import Random

from tests.simulation.world import simulate


def main() -> None:
    """Play stories from a seed on, and tell what happened in them."""
    arguments = [int(text) for text in sys.argv[1:]]
    first, stories, steps = (arguments + [0, 1, 600][len(arguments) :])[:3]
    counts: Counter[str] = Counter()
    for seed in range(first, first + stories):
        try:
            counts += simulate(Random(seed), steps).auditor.counts
        except BaseException:
            print(f"seed {seed}, {steps} steps")
            raise
    for name, number in sorted(counts.items()):
        print(f"{number:>8} {name}")


main()
