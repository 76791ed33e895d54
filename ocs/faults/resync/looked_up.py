"""What an element was found to say when it was asked."""

from collections.abc import Mapping
from typing import NamedTuple

from ocs.faults.notification import Varbind

# The columns of a row by object identifier, then by instance.
Columns = Mapping[str, Mapping[str, Varbind]]


class Found(NamedTuple):
    """One thing that stands, or does not, as the notification that would have told of it."""

    trap_oid: str
    varbinds: tuple[Varbind, ...]


class Table(NamedTuple):
    """What one of an element's tables says.

    Attributes:
        name: of the walk. found: one for each row that says something.
        covers: types of alarms of which the table tells all that stand: others are over. None when it told nothing.
        rows: how many it has.
    """

    name: str
    found: tuple[Found, ...]
    covers: frozenset[str] | None
    rows: int
