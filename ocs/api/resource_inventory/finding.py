"""Finds resources, numbers and SIMs for TMF639: units of work over a connection."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, false, literal, select

from ocs.api.resource_inventory.resources import (
    LOGICAL_KINDS,
    LOGICAL_RESOURCE,
    NUMBER,
    PHYSICAL_KINDS,
    PHYSICAL_RESOURCE,
    RESOURCE,
    SIM,
)
from ocs.api.resource_inventory.views import (
    ADMINISTRATIVE,
    NUMBER_STATUS,
    OPERATIONAL,
    SIM_STATUS,
    STATUS,
    number_view,
    resource_view,
    sim_view,
)
from ocs.api.tmf.paging import FoundPage
from ocs.api.tmf.query import Query
from ocs.api.tmf.resources import Attributes, ResourceType
from ocs.api.tmf.sql_listing import Listing, MakeCondition, find_page, one_of
from ocs.inventory.errors import InventoryError, NotInInventoryError
from ocs.inventory.model import Kind, Resource
from ocs.inventory.naming import element_of, is_part
from ocs.inventory.number_states import NumberState
from ocs.inventory.numbers import DirectoryNumber, get_number
from ocs.inventory.resources import resources_named
from ocs.inventory.sims import Sim, SimState, find_sim
from ocs.inventory.statements import in_batches
from ocs.inventory.tables import DIRECTORY_NUMBER
from ocs.inventory.tables import RESOURCE as RESOURCE_TABLE
from ocs.inventory.tables import SIM as SIM_TABLE

_TABLES: Final = RESOURCE_TABLE.c
_HOLDER: Final = RESOURCE_TABLE.alias("holder")
_SITE: Final = RESOURCE_TABLE.alias("site")


def find_resources(connection: Connection, kind: ResourceType, query: Query) -> FoundPage:
    """A page of what is of a kind: resources by name, then numbers, then SIMs."""
    listings = {
        RESOURCE.name: [_resources(tuple(Kind)), _numbers(), _sims()],
        PHYSICAL_RESOURCE.name: [_resources(PHYSICAL_KINDS), _sims()],
        LOGICAL_RESOURCE.name: [_resources(LOGICAL_KINDS), _numbers()],
    }
    return find_page(connection, listings[kind.name], query)


def show_resource(connection: Connection, kind: ResourceType, identifier: str) -> Attributes:
    """One resource, number or SIM of a kind.

    Raises:
        NotInInventoryError: there is none.
    """
    shown = _find(connection, identifier)
    if shown is None or kind.name not in {RESOURCE.name, shown["@type"]}:
        raise NotInInventoryError(f"{identifier:.200}: no such {kind.path} in the inventory")
    return shown


def _find(connection: Connection, identifier: str) -> Attributes | None:
    word, _, rest = identifier.partition("/")
    if word == NUMBER:
        try:
            return number_view(get_number(connection, rest))
        except InventoryError:
            pass  # something logical may be called so
    if word == SIM and (sim := find_sim(connection, rest)) is not None:
        return sim_view(sim)
    return next(_shown_resources(connection, [identifier]), None)


# --- Resources ----------------------------------------------------------------------------------------------------


def _resources(kinds: Sequence[Kind]) -> Listing:
    by_type = {
        PHYSICAL_RESOURCE.name: [str(kind) for kind in PHYSICAL_KINDS],
        LOGICAL_RESOURCE.name: [str(kind) for kind in LOGICAL_KINDS],
    }

    def of_type(values: tuple[str, ...], comparison: str) -> ColumnElement[bool] | None:
        wanted = [kind for value in values for kind in by_type.get(value, ())]
        return None if comparison else _TABLES.kind.in_(wanted)

    conditions: dict[tuple[str, ...], MakeCondition] = {
        ("id",): one_of(_TABLES.resource_id),
        ("name",): one_of(_TABLES.resource_id),
        ("category",): one_of(_TABLES.kind),
        ("lifecycle",): one_of(_TABLES.lifecycle),
        ("administrativeState",): one_of(_TABLES.administrative_state, _texts(ADMINISTRATIVE)),
        ("operationalState",): one_of(_TABLES.operational_state, _texts(OPERATIONAL)),
        ("resourceStatus",): one_of(_TABLES.lifecycle, _texts(STATUS)),
        ("place", "id"): _standing_at,
        ("@type",): of_type,
        ("usageState",): _never,
        ("value",): _never,
    }
    keys = select(_TABLES.resource_id).where(_TABLES.kind.in_([str(kind) for kind in kinds]))
    return Listing(keys, _TABLES.resource_id, conditions, _shown_resources)


def _standing_at(values: tuple[str, ...], comparison: str) -> ColumnElement[bool] | None:
    """At a site: what it holds, and the parts of elements that it holds."""
    named = one_of(_SITE.c.resource_id)(tuple(v for v in values if v.startswith("site/")), comparison)
    if named is None:
        return None
    sites = select(_SITE.c.number).where(named)
    elements = select(_HOLDER.c.number).where(_HOLDER.c.parent.in_(sites))
    return (_TABLES.parent.in_(sites) & _TABLES.anchor.is_(None)) | _TABLES.anchor.in_(elements)


def _never(values: tuple[str, ...], comparison: str) -> ColumnElement[bool]:
    """An attribute that none of them has."""
    del values, comparison
    return false()


def _texts(words: Mapping[str, Any]) -> dict[str, str]:
    return {word: str(state) for word, state in words.items()}


def _shown_resources(connection: Connection, keys: Sequence[Any]) -> Iterator[Attributes]:
    for batch in in_batches(keys):
        found = resources_named(connection, batch)
        parts = {element_of(name) for name, one in found.items() if is_part(one.kind)}
        elements = resources_named(connection, sorted(parts))
        for name in batch:
            if (resource := found.get(name)) is not None:
                yield resource_view(resource, _site_of(resource, elements))


def _site_of(resource: Resource, elements: Mapping[str, Resource]) -> str:
    holder = elements.get(element_of(resource.resource_id)) if is_part(resource.kind) else resource
    parent = "" if holder is None else holder.parent
    return parent if parent.startswith("site/") else ""


# --- Numbers and SIMs ---------------------------------------------------------------------------------------------

# What neither a number nor a SIM has.
_LACKING: Final[dict[tuple[str, ...], MakeCondition]] = {
    ("lifecycle",): _never,
    ("administrativeState",): _never,
    ("operationalState",): _never,
    ("place", "id"): _never,
    ("resourceRelationship", "id"): _never,
    ("resourceVersion",): _never,
}


def _numbers() -> Listing:
    columns = DIRECTORY_NUMBER.c

    def named(values: tuple[str, ...], comparison: str) -> ColumnElement[bool] | None:
        numbers = [rest for value in values for word, _, rest in [value.partition("/")] if word == NUMBER]
        return _numbered(tuple(numbers), comparison)

    def used(values: tuple[str, ...], comparison: str) -> ColumnElement[bool] | None:
        states = [
            state
            for state in NumberState
            if ("active" if state is NumberState.ASSIGNED else "idle") in values
        ]
        return None if comparison else columns.state.in_([str(state) for state in states])

    def status(values: tuple[str, ...], comparison: str) -> ColumnElement[bool] | None:
        states = [str(state) for state, word in NUMBER_STATUS.items() if word in values]
        return None if comparison else columns.state.in_(states)

    conditions: dict[tuple[str, ...], MakeCondition] = {
        **_LACKING,
        ("id",): named,
        ("name",): named,
        ("value",): _numbered,
        ("category",): one_of(literal(NUMBER)),
        ("@type",): one_of(literal(LOGICAL_RESOURCE.name)),
        ("resourceStatus",): status,
        ("usageState",): used,
    }
    return Listing(select(columns.msisdn), columns.msisdn, conditions, _shown_numbers)


def _numbered(values: tuple[str, ...], comparison: str) -> ColumnElement[bool] | None:
    if comparison:
        return None
    digits = [int(value) for value in values if value.isascii() and value.isdecimal() and len(value) <= 15]
    return DIRECTORY_NUMBER.c.msisdn.in_(digits)


def _shown_numbers(connection: Connection, keys: Sequence[Any]) -> Iterator[Attributes]:
    columns = DIRECTORY_NUMBER.c
    for batch in in_batches(keys):
        rows = {
            row.msisdn: row
            for row in connection.execute(select(DIRECTORY_NUMBER).where(columns.msisdn.in_(batch)))
        }
        for key in batch:
            row = rows[key]
            yield number_view(
                DirectoryNumber(
                    msisdn=str(row.msisdn),
                    range_name=row.range or "",
                    state=NumberState(row.state),
                    holder=row.holder,
                    until_ms=row.until_ms,
                    network=row.network,
                )
            )


def _sims() -> Listing:
    columns = SIM_TABLE.c

    def named(values: tuple[str, ...], comparison: str) -> ColumnElement[bool] | None:
        cards = [rest for value in values for word, _, rest in [value.partition("/")] if word == SIM]
        return one_of(columns.iccid)(tuple(cards), comparison)

    def used(values: tuple[str, ...], comparison: str) -> ColumnElement[bool] | None:
        states = [
            str(state) for state in SimState if ("active" if state is SimState.ASSIGNED else "idle") in values
        ]
        return None if comparison else columns.state.in_(states)

    def status(values: tuple[str, ...], comparison: str) -> ColumnElement[bool] | None:
        states = [state for state, word in SIM_STATUS.items() if word in values]
        return None if comparison else columns.state.in_(states)

    conditions: dict[tuple[str, ...], MakeCondition] = {
        **_LACKING,
        ("id",): named,
        ("name",): named,
        ("serialNumber",): one_of(columns.iccid),
        ("category",): one_of(literal(SIM)),
        ("@type",): one_of(literal(PHYSICAL_RESOURCE.name)),
        ("resourceStatus",): status,
        ("usageState",): used,
        ("value",): _never,
    }
    return Listing(select(columns.iccid), columns.iccid, conditions, _shown_sims)


def _shown_sims(connection: Connection, keys: Sequence[Any]) -> Iterator[Attributes]:
    columns = SIM_TABLE.c
    # Never its sealed key.
    wanted = select(columns.iccid, columns.imsi, columns.state, columns.holder)
    for batch in in_batches(keys):
        rows = {row.iccid: row for row in connection.execute(wanted.where(columns.iccid.in_(batch)))}
        for key in batch:
            row = rows[key]
            yield sim_view(Sim(iccid=row.iccid, imsi=row.imsi, state=SimState(row.state), holder=row.holder))
