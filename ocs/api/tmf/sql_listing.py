"""Finds what a TM Forum query asks for in SQL tables, without reading a million rows to show fifty.

Conditions that a column answers become SQL, and so do pages in the order of ids. What is left of the conditions, and
any other order, is asked of each resource that they leave, as long as those are few.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, false, func, select

from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.paging import FoundPage
from ocs.api.tmf.query import COMPARISONS, Filter, Query, Resource, moment_of
from ocs.limits import TMF_RESOURCES_SEARCHED_MAX

# A condition as SQL, from its values and its comparison; None: it is none that SQL answers.
MakeCondition = Callable[[tuple[str, ...], str], ColumnElement[bool] | None]

_BY_ID: Final = ("id",)


@dataclass(frozen=True)
class Listing:
    """Rows that a list shows.

    Attributes:
        keys: selects the key column alone. key: the column; rows are shown in its order.
        conditions: what SQL answers, by path.
        shown: the resources of some keys, in their order.
    """

    keys: Select[Any]
    key: ColumnElement[Any]
    conditions: Mapping[tuple[str, ...], MakeCondition]
    shown: Callable[[Connection, Sequence[Any]], Iterable[Resource]]


def one_of(column: ColumnElement[Any], words: Mapping[str, Any] | None = None) -> MakeCondition:
    """A column has one of the values; with ``words``, one of those that they mean."""

    def make(values: tuple[str, ...], comparison: str) -> ColumnElement[bool] | None:
        if comparison:
            return None
        # No text in a database holds a zero character, and PostgreSQL does not let one be asked for.
        known = [value for value in values if "\x00" not in value]
        return column.in_(known if words is None else [words[value] for value in known if value in words])

    return make


def moment_in_ms(column: ColumnElement[Any]) -> MakeCondition:
    """A column of epoch milliseconds is, or compares to, one of the moments."""

    def make(values: tuple[str, ...], comparison: str) -> ColumnElement[bool] | None:
        moments = [int(moment.timestamp() * 1000) for value in values if (moment := moment_of(value))]
        if not moments:
            return false()
        if not comparison:
            return column.in_(moments)
        # Of several bounds one must hold: the widest.
        bound = max(moments) if comparison in {"lt", "lte"} else min(moments)
        compared: Any = COMPARISONS[comparison](column, bound)
        return compared

    return make


def find_page(connection: Connection, listings: Sequence[Listing], query: Query) -> FoundPage:
    """The page that a query asks for, of rows of several tables one after the other.

    Raises:
        TmfError: 400, it would have to look at more resources than one request may.
    """
    wanted: list[tuple[Listing, Select[Any], int]] = []
    is_left = bool(query.order) and [path for path, _ in query.order] != [_BY_ID]
    for listing in listings:
        keys, left = _narrowed(listing, query.filters)
        count = connection.execute(select(func.count()).select_from(keys.subquery())).scalar_one()
        is_left |= bool(left and count)
        wanted.append((listing, keys, count))
    total = sum(count for _, _, count in wanted)
    if not is_left:
        return FoundPage(_slice(connection, wanted, query), total)
    if total > TMF_RESOURCES_SEARCHED_MAX:
        fast = sorted({".".join(path) for listing in listings for path in listing.conditions})
        raise TmfError(
            400, f"there are {total} resources to ask this of: narrow it by {', '.join(fast)}; sort by id"
        )
    every = [
        resource
        for listing, keys, _ in wanted
        for resource in listing.shown(connection, connection.scalars(keys.order_by(listing.key)).all())
    ]
    found = query.sorted([resource for resource in every if query.matches(resource)])
    return FoundPage(found[query.offset : query.offset + query.limit], len(found))


def _narrowed(listing: Listing, filters: Iterable[Filter]) -> tuple[Select[Any], bool]:
    """The keys that conditions leave, and whether some are left that SQL does not answer."""
    keys, is_left = listing.keys, False
    for condition in filters:
        make = listing.conditions.get(condition.path)
        made = None if make is None else make(condition.values, condition.comparison)
        if made is None:
            is_left = True
        else:
            keys = keys.where(made)
    return keys, is_left


def _slice(
    connection: Connection, wanted: Sequence[tuple[Listing, Select[Any], int]], query: Query
) -> list[Resource]:
    """The page of the tables one behind the other; where ids fall, from the last to the first."""
    falls = bool(query.order) and query.order[0][1]
    offset, missing = query.offset, query.limit
    found: list[Resource] = []
    for listing, keys, count in reversed(wanted) if falls else wanted:
        if missing and offset < count:
            ordered = keys.order_by(listing.key.desc() if falls else listing.key)
            page = connection.scalars(ordered.offset(offset).limit(missing)).all()
            found += listing.shown(connection, page)
            missing -= len(page)
        offset = max(0, offset - count)
    return found
