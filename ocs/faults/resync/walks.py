"""Tables that say what their traps say: which rows stand for which notification. Pure but for reading the files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from ocs.faults.mibs import MibError, MibNames
from ocs.faults.notification import Notification, SecurityLevel, Varbind, Version
from ocs.faults.resync.looked_up import Columns, Found, Table
from ocs.faults.rules.conditions import Condition
from ocs.faults.rules.errors import EntryError
from ocs.faults.rules.references import Reference
from ocs.faults.rules.schema import ConditionSource
from ocs.faults.topology.schema import TopologyError
from ocs.faults.topology.toml_file import read_toml
from ocs.limits import WALK_COLUMNS_MAX, WALKS_MAX

# RFC 3877's tables say by themselves what their rows mean (:mod:`ocs.faults.resync.alarm_tables`).
ALARMS: Final = "alarms"


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class RowSource(_Table, frozen=True, kw_only=True):
    """One entry of ``rows``: a row that meets ``when`` says what ``trap`` says; the first one that fits counts."""

    trap: str
    when: tuple[ConditionSource, ...] = ()


class WalkSource(_Table, frozen=True, kw_only=True):
    """One entry of ``walks``.

    Attributes:
        columns: what is read, in one table. The first one says which rows there are; the others may be missing.
        covers: types of alarms of which the table tells all that stand.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
    columns: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=WALK_COLUMNS_MAX)]
    rows: Annotated[tuple[RowSource, ...], msgspec.Meta(min_length=1, max_length=16)]
    covers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=64)]


class WalkFile(_Table, frozen=True, kw_only=True):
    """One file."""

    walks: tuple[WalkSource, ...] = ()


class Walk:
    """One table, ready.

    Attributes:
        columns: object identifiers, the first one being that of the rows.
    """

    def __init__(self, source: WalkSource, names: MibNames) -> None:
        self.name = source.name
        self.columns = tuple(names.oid_of(column) for column in source.columns)
        self._covers = frozenset(source.covers)
        self._rows = tuple(
            (
                names.oid_of(row.trap),
                tuple(Condition(one, Reference(one.varbind, names, None), names) for one in row.when),
            )
            for row in source.rows
        )

    def read(self, columns: Columns) -> Table:
        """What the columns say, as they were read."""
        instances = columns.get(self.columns[0], {})
        found: list[Found] = []
        for instance in instances:
            row = [columns[column].get(instance) for column in self.columns if column in columns]
            varbinds = tuple(varbind for varbind in row if varbind is not None)
            trap_oid = self._meaning(varbinds)
            if trap_oid is not None:
                found.append(Found(trap_oid, varbinds))
        # Without a single row nobody knows whether there is a table at all.
        return Table(self.name, tuple(found), self._covers if instances else None, len(instances))

    def _meaning(self, varbinds: tuple[Varbind, ...]) -> str | None:
        for trap_oid, conditions in self._rows:
            if all(condition.holds(varbinds) for condition in conditions):
                return trap_oid
        return None


def as_columns(columns: Mapping[str, Sequence[Varbind]]) -> Columns:
    """What was read below each column, by instance."""
    return {
        column: {varbind.name[len(column) + 1 :]: varbind for varbind in varbinds}
        for column, varbinds in columns.items()
    }


def as_notification(found: Found, *, source: str, at_ms: int) -> Notification:
    """The notification that would have told of it, as if it had come now."""
    return Notification(
        found.trap_oid,
        0,
        found.varbinds,
        source,
        source,
        Version.V2C,
        "",
        SecurityLevel.NO_AUTH_NO_PRIV,
        b"",
        is_inform=False,
        received_ms=at_ms,
    )


def load_walks(folder: Path, names: MibNames) -> dict[str, Walk]:
    """Read all ``*.toml`` files of a folder, by their names; none where there is no folder.

    Raises:
        TopologyError: a file cannot be used; one line naming file, entry and expectation.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except FileNotFoundError:
        paths = []
    except OSError as error:
        raise TopologyError(
            str(folder), "", f"expected a folder with descriptions of tables: {error.strerror}"
        ) from None
    walks: dict[str, Walk] = {}
    for path in paths:
        for source in read_toml(path, WalkFile).walks:
            entry = f"walks[{source.name}]"
            if source.name in walks or source.name == ALARMS:
                raise TopologyError(str(path), f"{entry}.name", "expected a name that no other table has")
            if len(walks) >= WALKS_MAX:
                raise TopologyError(str(path), "walks", f"expected at most {WALKS_MAX} in all files")
            try:
                walks[source.name] = Walk(source, names)
            except (EntryError, MibError) as error:
                raise TopologyError(str(path), entry, str(error)) from None
    return walks
