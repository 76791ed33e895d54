"""Bugs, one for each rule that keeps money right; those of one noun stand together in ``bugs/``."""

from random import Random
from typing import Final

from tests.simulation.bugs import (
    accounts,
    commits,
    counters,
    demands,
    endings,
    events,
    money,
    operations,
    repeats,
    running_counters,
)
from tests.simulation.bugs.plant import Plant
from tests.simulation.world import Theme, simulate
from tests.support.books import AuditError

__all__ = ["BUGS", "Plant", "seeds_until_found"]

_ROOMS = commits, repeats, money, counters, running_counters, operations, accounts, endings, demands, events
# Each with the theme of the stories in which it is looked for.
BUGS: Final[tuple[tuple[Plant, Theme], ...]] = tuple(
    (plant, room.THEME) for room in _ROOMS for plant in room.BUGS
)


def seeds_until_found(theme: Theme, most: int = 200) -> tuple[int, BaseException | None]:
    """Play stories of a theme until one ends badly: how many it took and what was found, 0 when nothing was."""
    for seed in range(most):
        try:
            simulate(Random(seed), theme=theme, tell=lambda _: None)
        except TypeError:
            raise  # the plant itself no longer fits what it takes the place of
        except (AuditError, Exception) as error:
            return seed + 1, error
    return 0, None
