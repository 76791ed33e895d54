"""Services of the inventory as TMF638, TMF640 and TMF641 show them, and as clients write them. Pure."""

from collections.abc import Iterable

from ocs.api.resource_inventory.resources import RESOURCE
from ocs.api.service_inventory.resources import PartyRef
from ocs.api.tmf.characteristics import shown_characteristics
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.resources import Attributes, ResourceType, identified
from ocs.inventory.model import Service, ServiceState, Use

CUSTOMER = "customer"


def service_view(kind: ResourceType, service: Service, uses: Iterable[Use]) -> Attributes:
    """A service as a resource of one of the APIs that show services."""
    is_active = service.state is ServiceState.ACTIVE
    return identified(kind, service.service_id, {"name": service.service_id, **_attributes(service)}) | {
        "isBundle": False,
        "hasStarted": is_active,
        "isServiceEnabled": is_active,
        "state": str(service.state),
        "subscribers": service.subscribers,
        "supportingResource": [resource_ref(use) for use in uses],
    }


def _attributes(service: Service) -> Attributes:
    customer = service.customer
    return {
        "serviceType": service.model,
        "serviceSpecification": {"id": service.model, "name": service.model},
        "serviceCharacteristic": shown_characteristics(service.parameters),
        "relatedParty": [{"id": customer, "role": CUSTOMER, "@referredType": "Customer"}]
        if customer
        else None,
    }


def resource_ref(use: Use) -> Attributes:
    """A resource that a service uses."""
    shown: Attributes = {
        "id": use.resource_id,
        "href": RESOURCE.href(use.resource_id),
        "name": use.resource_id,
    }
    return shown | ({"role": use.role} if use.role else {})


def customer_of(parties: Iterable[PartyRef]) -> str:
    """Who pays; empty when nobody is named.

    Raises:
        TmfError: 400, there are several, or another role, which is not kept.
    """
    found = ""
    for party in parties:
        if party.role.lower() != CUSTOMER or found:
            raise TmfError(400, "relatedParty: one of role customer is all that is kept")
        found = party.id
    return found
