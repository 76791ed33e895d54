"""The resources of TMF639 v4.0.0 and what a client may write of them: attributes as in the standard's swagger file.

One resource is found under ``resource`` and under one of ``physicalResource`` and ``logicalResource``; ``href`` is that
of the former. ``lifecycle`` is ours: whether something is planned, built or retired.
"""

from typing import Any, Final

import msgspec

from ocs.api.tmf.characteristics import CharacteristicBody
from ocs.api.tmf.resources import ResourceType
from ocs.inventory.model import Kind

BASE: Final = "/tmf-api/resourceInventoryManagement/v4"
DOMAIN: Final = "resourceInventory"
# Categories beside the kinds of :class:`~ocs.inventory.model.Kind`.
NUMBER: Final = "number"
SIM: Final = "sim"
PHYSICAL_KINDS: Final = (Kind.SITE, Kind.ELEMENT, Kind.CARD, Kind.INTERFACE, Kind.PART, Kind.LINK)
LOGICAL_KINDS: Final = (Kind.PREFIX, Kind.VLAN, Kind.LOGICAL)


class PlaceRef(msgspec.Struct, frozen=True):
    """``RelatedPlaceRefOrValue``: a site, ``site/berlin``."""

    id: str


class RelationshipBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``ResourceRelationship``: ``isContainedIn`` (one), ``dependsOn``, and of a link ``connects``."""

    id: str
    relationship_type: str


class ResourceBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``Resource_Create``.

    Attributes:
        name: becomes its id, such as ``pe1/if/ge-0/0/1``. category: its kind.
    """

    name: str
    category: str
    administrative_state: str = "unlocked"
    operational_state: str = ""
    lifecycle: str = "as-built"
    place: PlaceRef | None = None
    resource_relationship: tuple[RelationshipBody, ...] = ()
    resource_characteristic: tuple[CharacteristicBody, ...] = ()


class ResourcePatch(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """``Resource_Update``; lists are replaced as wholes (RFC 7396).

    Attributes:
        resource_version: of what was read; another one is refused.
    """

    administrative_state: str | msgspec.UnsetType = msgspec.UNSET
    operational_state: str | msgspec.UnsetType = msgspec.UNSET
    lifecycle: str | msgspec.UnsetType = msgspec.UNSET
    place: PlaceRef | msgspec.UnsetType | None = msgspec.UNSET
    resource_relationship: tuple[RelationshipBody, ...] | msgspec.UnsetType = msgspec.UNSET
    resource_characteristic: tuple[CharacteristicBody, ...] | msgspec.UnsetType = msgspec.UNSET
    resource_version: str = ""


_RESOURCE: Final = (
    "id", "href", "category", "description", "endOperatingDate", "name", "resourceVersion", "startOperatingDate",
    "administrativeState", "attachment", "note", "operationalState", "place", "relatedParty",
    "resourceCharacteristic", "resourceRelationship", "resourceSpecification", "resourceStatus", "usageState",
    "@baseType", "@schemaLocation", "@type",
    "lifecycle",  # ours
    "serialNumber", "value",  # of physical and of logical ones
)  # fmt: skip
_PHYSICAL: Final = ("manufactureDate", "powerState", "versionNumber", "@referredType")
_LOGICAL: Final = ("@referredType",)


def _kind(name: str, *more: str) -> ResourceType:
    attributes: frozenset[Any] = frozenset((*_RESOURCE, *more))
    return ResourceType(name, name[0].lower() + name[1:], BASE, DOMAIN, attributes, ResourceBody)


RESOURCE: Final = _kind("Resource")
PHYSICAL_RESOURCE: Final = _kind("PhysicalResource", *_PHYSICAL)
LOGICAL_RESOURCE: Final = _kind("LogicalResource", *_LOGICAL)
KINDS: Final = (RESOURCE, PHYSICAL_RESOURCE, LOGICAL_RESOURCE)
