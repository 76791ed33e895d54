"""One TM Forum API as the application serves it: what every such API hands over, whatever its resources are."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

# Runs beside the server until it is cancelled.
Background = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Api:
    """An API that is served below its own base.

    Attributes:
        tag: under which its routes are described. description: of the whole, one sentence.
        routes: as litestar takes them, its hub's among them.
        background: what runs beside them.
    """

    tag: str
    description: str
    routes: tuple[Any, ...]
    background: tuple[Background, ...] = ()
