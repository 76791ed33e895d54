"""The resource of TMF638 v4.0.0 and what a client may write of it: attributes as in the standard's swagger file.

``subscribers`` is ours: how many use the service, by which impact is counted.
"""

from typing import Final

import msgspec

from ocs.api.tmf.characteristics import CharacteristicBody
from ocs.api.tmf.resources import ResourceType

BASE: Final = "/tmf-api/serviceInventory/v4"
DOMAIN: Final = "serviceInventory"


class SpecificationRef(msgspec.Struct, frozen=True):
    """``ServiceSpecificationRef``: the service model, such as ``vpn_site``."""

    id: str


class PartyRef(msgspec.Struct, frozen=True):
    """``RelatedParty``; of the role ``customer`` it is who pays."""

    id: str
    role: str = "customer"
    referred_type: str = msgspec.field(name="@referredType", default="Customer")


class ResourceRef(msgspec.Struct, frozen=True):
    """``ResourceRef``: a resource of the inventory that the service uses; the role is ours."""

    id: str
    role: str = ""


class ServiceBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``Service_Create``: a service that is not in the network (yet).

    Attributes:
        name: becomes its id; one is made up without it.
        state: ``designed``, ``reserved`` or ``inactive``.
    """

    state: str
    service_specification: SpecificationRef
    name: str = ""
    service_characteristic: tuple[CharacteristicBody, ...] = ()
    related_party: tuple[PartyRef, ...] = ()
    supporting_resource: tuple[ResourceRef, ...] = ()
    subscribers: int = 1


class ServicePatch(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """``Service_Update``; lists are replaced as wholes (RFC 7396). ``state`` may become ``terminated`` too."""

    state: str | msgspec.UnsetType = msgspec.UNSET
    service_characteristic: tuple[CharacteristicBody, ...] | msgspec.UnsetType = msgspec.UNSET
    related_party: tuple[PartyRef, ...] | msgspec.UnsetType = msgspec.UNSET
    supporting_resource: tuple[ResourceRef, ...] | msgspec.UnsetType = msgspec.UNSET
    subscribers: int | msgspec.UnsetType = msgspec.UNSET


ATTRIBUTES: Final = frozenset((
    "id", "href", "category", "description", "endDate", "hasStarted", "isBundle", "isServiceEnabled", "isStateful",
    "name", "serviceDate", "serviceType", "startDate", "startMode", "feature", "note", "place", "relatedEntity",
    "relatedParty", "serviceCharacteristic", "serviceOrderItem", "serviceRelationship", "serviceSpecification",
    "state", "supportingResource", "supportingService",
    "@type", "@baseType", "@schemaLocation",
    "subscribers",  # ours
))  # fmt: skip

SERVICE: Final = ResourceType("Service", "service", BASE, DOMAIN, ATTRIBUTES, ServiceBody)
