"""The resources of TMF640 v4.0.0 and what a client may write of them: attributes as in the standard's swagger file."""

from typing import Final

import msgspec

from ocs.api.service_inventory.resources import ATTRIBUTES, PartyRef, SpecificationRef
from ocs.api.tmf.characteristics import CharacteristicBody
from ocs.api.tmf.resources import ResourceType

BASE: Final = "/tmf-api/ServiceActivationAndConfiguration/v4"
DOMAIN: Final = "serviceActivation"


class ActivationBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``Service_Create``: a service that is to be in the network.

    Attributes:
        name: becomes its id; one is made up without it. state: ``active``.
        service_characteristic: the parameters of the service model that ``serviceSpecification`` names.
    """

    state: str
    service_specification: SpecificationRef
    name: str = ""
    service_characteristic: tuple[CharacteristicBody, ...] = ()
    related_party: tuple[PartyRef, ...] = ()
    subscribers: int = 1


class ActivationPatch(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """``Service_Update``; lists are replaced as wholes (RFC 7396). ``state`` ``terminated`` deletes."""

    state: str = "active"
    service_characteristic: tuple[CharacteristicBody, ...] | msgspec.UnsetType = msgspec.UNSET
    related_party: tuple[PartyRef, ...] | msgspec.UnsetType = msgspec.UNSET
    subscribers: int | msgspec.UnsetType = msgspec.UNSET


SERVICE: Final = ResourceType("Service", "service", BASE, DOMAIN, ATTRIBUTES, ActivationBody)
MONITOR: Final = ResourceType(
    "Monitor",
    "monitor",
    BASE,
    DOMAIN,
    frozenset(
        (
            "id",
            "href",
            "sourceHref",
            "state",
            "request",
            "response",
            "@type",
            "@baseType",
            "@schemaLocation",
        )
    ),
)
