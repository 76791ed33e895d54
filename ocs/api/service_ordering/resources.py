"""The resources of TMF641 v4.0.0 and what a client may write of them: attributes as in the standard's swagger file."""

from datetime import datetime
from typing import Any, Final

import msgspec

from ocs.api.service_inventory.resources import PartyRef, SpecificationRef
from ocs.api.tmf.characteristics import CharacteristicBody
from ocs.api.tmf.resources import ResourceType

BASE: Final = "/tmf-api/serviceOrdering/v4"
DOMAIN: Final = "serviceOrdering"


class OrderedService(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``ServiceRefOrValue`` of an item; a new one is named by ``id`` or ``name``, or by us."""

    id: str = ""
    name: str = ""
    service_specification: SpecificationRef | None = None
    service_characteristic: tuple[CharacteristicBody, ...] | msgspec.UnsetType = msgspec.UNSET
    related_party: tuple[PartyRef, ...] | msgspec.UnsetType = msgspec.UNSET
    subscribers: int | msgspec.UnsetType = msgspec.UNSET


class OrderItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``ServiceOrderItem``.

    Attributes:
        action: ``add``, ``modify`` or ``delete``.
        service_order_item_relationship, service_order_item: none: items are done independently of each other.
    """

    id: str
    action: str
    service: OrderedService
    service_order_item_relationship: tuple[Any, ...] = ()
    service_order_item: tuple[Any, ...] = ()


class ServiceOrderBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``ServiceOrder_Create``.

    Attributes:
        priority: ``0`` (first) to ``4``. requested_start_date: nothing is begun before.
    """

    service_order_item: tuple[OrderItem, ...]
    external_id: str = ""
    description: str = ""
    category: str = ""
    priority: str = "2"
    notification_contact: str = ""
    requested_start_date: datetime | None = None
    requested_completion_date: datetime | None = None


class ServiceOrderPatch(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """``ServiceOrder_Update``: what is said about an order; its items stay as they were ordered."""

    external_id: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    category: str | msgspec.UnsetType = msgspec.UNSET
    notification_contact: str | msgspec.UnsetType = msgspec.UNSET


class OrderRef(msgspec.Struct, frozen=True):
    """``ServiceOrderRef``."""

    id: str


class CancelBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``CancelServiceOrder_Create``: what has not begun of an order is cancelled."""

    service_order: OrderRef
    cancellation_reason: str = ""


_COMMON: Final = ("id", "href", "@type", "@baseType", "@schemaLocation")
SERVICE_ORDER: Final = ResourceType(
    "ServiceOrder", "serviceOrder", BASE, DOMAIN,
    frozenset((
        *_COMMON, "cancellationDate", "cancellationReason", "category", "completionDate", "description",
        "expectedCompletionDate", "externalId", "notificationContact", "orderDate", "priority",
        "requestedCompletionDate", "requestedStartDate", "startDate", "externalReference", "note",
        "orderRelationship", "relatedParty", "serviceOrderItem", "state",
    )),
    ServiceOrderBody,
)  # fmt: skip
CANCEL_SERVICE_ORDER: Final = ResourceType(
    "CancelServiceOrder", "cancelServiceOrder", BASE, DOMAIN,
    frozenset((
        *_COMMON, "cancellationReason", "effectiveCancellationDate", "requestedCancellationDate", "serviceOrder",
        "state",
    )),
    CancelBody,
)  # fmt: skip
