"""Writes resources that a client of TMF639 describes: units of work over a connection.

Numbers and SIMs have lives of their own: nobody writes them here.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, cast

import msgspec
from sqlalchemy import Connection

from ocs.api.resource_inventory.finding import show_resource
from ocs.api.resource_inventory.resources import (
    LOGICAL_KINDS,
    PHYSICAL_KINDS,
    PHYSICAL_RESOURCE,
    RESOURCE,
    PlaceRef,
    RelationshipBody,
    ResourceBody,
    ResourcePatch,
)
from ocs.api.resource_inventory.views import (
    ADMINISTRATIVE,
    CONNECTS,
    CONTAINED_IN,
    DEPENDS_ON,
    OPERATIONAL,
)
from ocs.api.tmf.characteristics import CharacteristicBody, read_characteristics
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.resources import Attributes, ResourceType
from ocs.inventory.elements import add_elements
from ocs.inventory.errors import NotInInventoryError, StaleError
from ocs.inventory.model import (
    AdministrativeState,
    Attribute,
    ElementRecord,
    Kind,
    Lifecycle,
    OperationalState,
    Resource,
)
from ocs.inventory.registry import add_resource, remove_resource, update_resource
from ocs.inventory.resources import resources_named

_SITE: Final = "site/"


class _Relations(NamedTuple):
    parent: str
    depends_on: tuple[str, ...]
    ends: tuple[str, ...]


def create_resource(connection: Connection, kind: ResourceType, body: ResourceBody) -> Attributes:
    """Put a resource into the inventory.

    Raises:
        TmfError: 400. InUseError: it is there already.
    """
    kinds = _kinds_of(kind)
    if body.category not in {str(one) for one in kinds}:
        raise TmfError(400, f"category: one of {', '.join(map(str, kinds))} is expected")
    relations = _relations(body.resource_relationship)
    resource = Resource(
        resource_id=body.name,
        kind=Kind(body.category),
        parent=relations.parent or _site(body.place),
        depends_on=relations.depends_on,
        ends=relations.ends,
        lifecycle=_lifecycle(body.lifecycle),
        administrative_state=_administrative(body.administrative_state),
        operational_state=_operational(body.operational_state),
        attributes=_attributes(body.resource_characteristic),
    )
    if relations.parent and body.place is not None:
        raise TmfError(400, "place: what lies in something stands where that stands")
    try:
        if resource.kind is Kind.ELEMENT:
            add_elements(connection, [ElementRecord(resource=resource)])
        else:
            add_resource(connection, resource)
    except NotInInventoryError as error:
        raise TmfError(400, str(error)) from None
    return show_resource(connection, RESOURCE, body.name)


def change_resource(
    connection: Connection, kind: ResourceType, identifier: str, patch: ResourcePatch
) -> tuple[Attributes, Attributes]:
    """Change a resource; what it was, and what it is.

    Raises:
        TmfError: 400, 409. NotInInventoryError: there is none. StaleError: it has another version.
    """
    shown, before = _written_here(connection, kind, identifier)
    if patch.resource_version and patch.resource_version != str(before.version):
        raise StaleError(f"{identifier}: it has version {before.version} by now: read it again")
    changes: dict[str, Any] = {}
    if patch.administrative_state is not msgspec.UNSET:
        changes["administrative_state"] = _administrative(patch.administrative_state)
    if patch.operational_state is not msgspec.UNSET:
        changes["operational_state"] = _operational(patch.operational_state)
    if patch.lifecycle is not msgspec.UNSET:
        changes["lifecycle"] = _lifecycle(patch.lifecycle)
    if patch.resource_characteristic is not msgspec.UNSET:
        changes["attributes"] = _attributes(patch.resource_characteristic)
    if patch.resource_relationship is not msgspec.UNSET:
        relations = _relations(patch.resource_relationship)
        kept = before.parent if before.parent.startswith(_SITE) else ""
        changes |= {
            "parent": relations.parent or kept,
            "depends_on": relations.depends_on,
            "ends": relations.ends,
        }
    if patch.place is not msgspec.UNSET:
        changes["parent"] = _moved_to(before, changes, _site(patch.place))
    after = msgspec.structs.replace(before, **changes)
    if after == before:
        return shown, shown
    try:
        update_resource(connection, after)
    except NotInInventoryError as error:
        raise TmfError(400, str(error)) from None
    return shown, show_resource(connection, RESOURCE, identifier)


def forget_resource(connection: Connection, kind: ResourceType, identifier: str) -> Attributes:
    """Take a resource out of the inventory; what it was.

    Raises:
        TmfError: 409. NotInInventoryError: there is none. InUseError: something needs it; names the first.
    """
    shown, before = _written_here(connection, kind, identifier)
    remove_resource(connection, identifier, version=before.version)
    return shown


def _kinds_of(kind: ResourceType) -> tuple[Kind, ...]:
    if kind is RESOURCE:
        return tuple(Kind)
    return PHYSICAL_KINDS if kind is PHYSICAL_RESOURCE else LOGICAL_KINDS


def _written_here(connection: Connection, kind: ResourceType, identifier: str) -> tuple[Attributes, Resource]:
    shown = show_resource(connection, kind, identifier)
    found = resources_named(connection, [identifier]).get(identifier)
    if found is None or shown["category"] != str(found.kind):
        raise TmfError(409, f"{identifier}: numbers and SIMs are changed by what assigns and ports them")
    return shown, found


def _moved_to(before: Resource, changes: dict[str, Any], site: str) -> str:
    """What holds a resource whose place is said."""
    parent: str = changes.get("parent", before.parent)
    if parent and not parent.startswith(_SITE):
        raise TmfError(400, "place: what lies in something stands where that stands")
    return site


def _relations(bodies: Iterable[RelationshipBody]) -> _Relations:
    named: dict[str, list[str]] = {CONTAINED_IN: [], DEPENDS_ON: [], CONNECTS: []}
    for body in bodies:
        if body.relationship_type not in named:
            raise TmfError(400, f"relationshipType: one of {', '.join(named)} is expected")
        named[body.relationship_type].append(body.id)
    if len(named[CONTAINED_IN]) > 1:
        raise TmfError(400, f"resourceRelationship: one that is {CONTAINED_IN} at most is expected")
    return _Relations("".join(named[CONTAINED_IN]), tuple(named[DEPENDS_ON]), tuple(named[CONNECTS]))


def _site(place: PlaceRef | None) -> str:
    if place is not None and not place.id.startswith(_SITE):
        raise TmfError(400, "place: the id of a site is expected, such as site/berlin")
    return "" if place is None else place.id


def _administrative(text: str) -> AdministrativeState:
    if text not in ADMINISTRATIVE:
        raise TmfError(400, f"administrativeState: one of {', '.join(ADMINISTRATIVE)} is expected")
    return ADMINISTRATIVE[text]


def _operational(text: str) -> OperationalState:
    if text and text not in OPERATIONAL:
        raise TmfError(400, f"operationalState: one of {', '.join(OPERATIONAL)} is expected")
    return OPERATIONAL[text] if text else OperationalState.UNKNOWN


def _lifecycle(text: str) -> Lifecycle:
    if text not in set(map(str, Lifecycle)):
        raise TmfError(400, f"lifecycle: one of {', '.join(map(str, Lifecycle))} is expected")
    return Lifecycle(text)


def _attributes(bodies: Iterable[CharacteristicBody]) -> dict[str, Attribute]:
    values = read_characteristics(bodies, "resourceCharacteristic")
    for name, value in values.items():
        if not isinstance(value, str | int):
            raise TmfError(
                400, f"resourceCharacteristic: {name:.80}: a text, a number or a truth is expected"
            )
    return cast("dict[str, Attribute]", values)
