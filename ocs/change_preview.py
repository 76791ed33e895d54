"""A change shown before it is made: what each element would be sent, and what would undo it."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import msgspec
import trio

from ocs.asyncio_bridge import asyncio_loop
from ocs.provisioning.configuration import Configuration, changed, diff_lines, restricted, reverse
from ocs.provisioning.element import Element
from ocs.provisioning.sessions import Sessions
from ocs.provisioning.transactions.record import ElementPlan

FindElement = Callable[[str], Element]


class Preview(msgspec.Struct, frozen=True):
    """What a change means for one element.

    Attributes:
        lines: the difference, path by path. forward, reverse: in the element's own language, secrets not shown.
        drift: paths that were expected to have another value than they have; of an element that was asked.
    """

    element: str
    lines: tuple[str, ...]
    forward: str
    reverse: str
    drift: tuple[str, ...] = ()


def preview(
    plans: Iterable[ElementPlan],
    sessions: Sessions,
    find: FindElement,
    running: Mapping[str, Configuration] | None = None,
) -> list[Preview]:
    """Show a change.

    Args:
        running: what the elements run, when they were asked; else what services own is taken for what stands there.

    Raises:
        ElementError: an element of its type does not have what would be sent; names the path.
    """
    shown: list[Preview] = []
    for plan in plans:
        element = find(plan.element)
        asked = running is not None and plan.element in running
        before = running[plan.element] if running is not None and asked else plan.expected
        touched = restricted(before, plan.forward.paths)
        back = reverse(plan.forward, touched)
        shown.append(
            Preview(
                plan.element,
                tuple(diff_lines(touched, plan.forward)),
                sessions.native(element, plan.forward, touched) if plan.forward else "",
                sessions.native(element, back, changed(touched, plan.forward)) if back else "",
                tuple(
                    path
                    for path, value in sorted(plan.expected.items())
                    if asked and (path not in touched or touched[path] != value)
                ),
            )
        )
    return shown


def read_elements(
    sessions: Sessions, elements: Mapping[Element, Iterable[str]]
) -> dict[str, dict[str, str | None]]:
    """Ask elements, all at once, what stands at some paths of each; everything where none are named.

    Raises:
        ElementError: one could not be asked.
    """
    return trio.run(partial(_read_all, sessions, elements))


async def _read_all(
    sessions: Sessions, elements: Mapping[Element, Iterable[str]]
) -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}

    async def read(element: Element, paths: Iterable[str]) -> None:
        async with sessions.session(element) as session:
            found[element.name] = dict(await session.read(tuple(paths)))

    async with asyncio_loop(), trio.open_nursery() as nursery:
        for element, paths in elements.items():
            nursery.start_soon(read, element, paths)
    return found
