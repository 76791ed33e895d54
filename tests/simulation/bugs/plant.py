"""How a bug is planted: by taking a rule's place, never by a switch in the product."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.simulation.world import World

# Plants its bug with pytest's monkeypatch, or anything that has its ``setattr``.
Plant = Callable[[pytest.MonkeyPatch], None]


def at_each_story(patch: pytest.MonkeyPatch, begin: Callable[[], None]) -> None:
    """What a bug remembers must not pass from one story into the next: a seed replays alone."""
    create = World.__init__

    def created(world: World, *rest: Any) -> None:
        begin()
        create(world, *rest)

    patch.setattr(World, "__init__", created)
