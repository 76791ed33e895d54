"""Replays and explores: ``python -m tests.simulation SEED``, ``--minutes 10``, ``--bugs``; see ``make sim``."""

import argparse
import time
from collections import Counter
from random import Random

import pytest

from tests.simulation.planted_bugs import BUGS, seeds_until_found
from tests.simulation.world import STEPS, World, simulate


def main() -> None:
    """Play one story and tell it, or as many as time allows; the first that ends badly is told to its end."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument(
        "seed", type=int, nargs="?", help="the first seed; by default one that nobody has tried"
    )
    parser.add_argument("--steps", type=int, default=STEPS, help="length of a story")
    parser.add_argument("--minutes", type=float, help="explore for so long from the first seed on")
    parser.add_argument(
        "--bugs", action="store_true", help="say after how many seeds each planted bug is found"
    )
    arguments = parser.parse_args()
    if arguments.bugs:
        _report_bugs()
        return
    seed = int(time.time()) << 8 if arguments.seed is None else arguments.seed
    if arguments.minutes is None:
        world = _play(seed, arguments.steps)
        print("\n".join(world.scene.trace))
        _tell(world.auditor.counts)
        print(f"seed {seed}, {arguments.steps} steps: digest {world.scene.digest}")
    else:
        _explore(seed, arguments.steps, arguments.minutes)


def _play(seed: int, steps: int) -> World:
    try:
        return simulate(Random(seed), steps)
    except BaseException:
        print(f"seed {seed}: replay it with `make sim SEED={seed} STEPS={steps}`", flush=True)
        raise


def _explore(first: int, steps: int, minutes: float) -> None:
    ends_s = time.monotonic() + 60 * minutes
    counts: Counter[str] = Counter()
    seed = first
    print(f"from seed {first}, {steps} steps each, for {minutes:g} minutes", flush=True)
    while time.monotonic() < ends_s:
        counts += _play(seed, steps).auditor.counts
        seed += 1
    _tell(counts)
    print(f"{seed - first} stories, all clean")


def _tell(counts: Counter[str]) -> None:
    for name, number in sorted(counts.items()):
        print(f"{number:>8} {name}")


def _report_bugs() -> None:
    for plant, theme in BUGS:
        with pytest.MonkeyPatch.context() as patch:
            plant(patch)
            seeds, error = seeds_until_found(theme)
        print(f"{seeds or 'none':>5} {plant.__name__}: {str(error)[:120]}", flush=True)


main()
