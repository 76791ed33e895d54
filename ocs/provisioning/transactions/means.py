"""What transactions are run with."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from ocs.clock import Clock
from ocs.provisioning.driver import ElementSessions
from ocs.provisioning.element import Element
from ocs.provisioning.transactions.planner import Planner
from ocs.provisioning.transactions.steps import NoteStep, note_nothing
from ocs.sql import Database


class Means(NamedTuple):
    """What transactions are run with.

    Attributes:
        find_element: looks an element up in the inventory; None: there is none of that name.
        planners: kind of work -> who knows it. confirm_timeout_s: after it elements undo what is not confirmed.
        note_step: is told of each step just before it.
    """

    database: Database
    sessions: ElementSessions
    find_element: Callable[[str], Awaitable[Element | None]]
    planners: Mapping[str, Planner]
    clock: Clock
    confirm_timeout_s: int
    note_step: NoteStep = note_nothing
