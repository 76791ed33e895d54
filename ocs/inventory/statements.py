"""What the inventory's statements share: batches, rows that may be there already, the count of changes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, TypeVar

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Table, any_, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ocs.inventory.tables import INVENTORY_VERSION
from ocs.limits import INVENTORY_BATCH, INVENTORY_PAGE_MAX

_T = TypeVar("_T")


def in_batches(items: Iterable[_T], size: int = INVENTORY_BATCH) -> Iterator[list[_T]]:
    """Lists of a size that one statement takes."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, many or none."""
    if rows:
        connection.execute(insert(table), rows)


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows that no unique constraint says to be there; waits for another transaction that inserts them."""
    if rows:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def is_one_of(connection: Connection, column: Column[_T], values: list[_T]) -> ColumnElement[bool]:
    """Whether a column has one of some values.

    To PostgreSQL they are one array: of five hundred parameters it compares each with each row, where it has counted
    too few rows to use an index, as in a transaction that has just inserted many.
    """
    if connection.dialect.name == "sqlite":
        return column.in_(values)
    return column == any_(literal(values, postgresql.ARRAY(column.type)))


def page_size(limit: int) -> int:
    """How many records one page may have."""
    return max(1, min(limit, INVENTORY_PAGE_MAX))


def encode_json(value: object) -> str:
    """A value as text in a column; the same value gives the same text."""
    return msgspec.json.encode(value, order="deterministic").decode()


def count_change(connection: Connection, name: Literal["resources", "services"]) -> None:
    """Tell whoever has the inventory in memory that it is outdated."""
    version = INVENTORY_VERSION.c.version
    connection.execute(
        update(INVENTORY_VERSION).where(INVENTORY_VERSION.c.name == name).values(version=version + 1)
    )


def read_version(connection: Connection) -> tuple[int, int]:
    """How often resources and services have changed."""
    versions = {row.name: row.version for row in connection.execute(select(INVENTORY_VERSION))}
    return versions["resources"], versions["services"]
