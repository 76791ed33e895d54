"""Finds and writes services of the inventory for TM Forum APIs: units of work over a connection."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from ocs.api.service_inventory.resources import SERVICE as SERVICE_TYPE
from ocs.api.service_inventory.resources import ResourceRef, ServiceBody, ServicePatch
from ocs.api.service_inventory.views import customer_of, service_view
from ocs.api.tmf.characteristics import read_characteristics
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.paging import FoundPage
from ocs.api.tmf.query import Query
from ocs.api.tmf.resources import Attributes, ResourceType
from ocs.api.tmf.sql_listing import Listing, MakeCondition, find_page, one_of
from ocs.inventory.errors import InUseError, NotInInventoryError
from ocs.inventory.model import Service, ServiceState, Use
from ocs.inventory.services import find_service, get_service, record_service, remove_service, uses_of
from ocs.inventory.statements import in_batches
from ocs.inventory.tables import RESOURCE, SERVICE, SERVICE_USE

# States in which a service has nothing in the network: of these alone the record may be written here.
_RECORDED_HERE = frozenset(set(ServiceState) - {ServiceState.ACTIVE, ServiceState.TERMINATED})


def find_services(connection: Connection, kind: ResourceType, query: Query) -> FoundPage:
    """A page of services, by id."""
    return find_page(connection, [_listing(kind)], query)


def show_service(connection: Connection, kind: ResourceType, service_id: str) -> Attributes:
    """One service.

    Raises:
        NotInInventoryError: there is none.
    """
    service = get_service(connection, service_id)
    return service_view(kind, service, uses_of(connection, service.service_id))


def add_service(connection: Connection, body: ServiceBody, service_id: str) -> Attributes:
    """Record a service that is not in the network; a terminated one may have another life.

    Raises:
        TmfError: 400, 409.
    """
    before = find_service(connection, service_id)
    if before is not None and before.state is not ServiceState.TERMINATED:
        raise TmfError(409, f"{service_id}: there is such a service already")
    service = Service(
        service_id=service_id,
        model=body.service_specification.id,
        parameters=read_characteristics(body.service_characteristic, "serviceCharacteristic"),
        customer=customer_of(body.related_party),
        state=_state(body.state, _RECORDED_HERE),
        subscribers=_subscribers(body.subscribers),
        version=0 if before is None else before.version,
    )
    return _record(connection, service, _uses(body.supporting_resource))


def change_service(
    connection: Connection, service_id: str, patch: ServicePatch
) -> tuple[Attributes, Attributes]:
    """Change the record of a service that is not in the network; what it was, and what it is.

    Raises:
        TmfError: 400, 409. NotInInventoryError: there is none.
    """
    before = get_service(connection, service_id)
    _check_not_in_network(before)
    uses = uses_of(connection, service_id)
    shown = service_view(SERVICE_TYPE, before, uses)
    changes: dict[str, Any] = {}
    if patch.state is not msgspec.UNSET:
        changes["state"] = _state(patch.state, {*_RECORDED_HERE, ServiceState.TERMINATED})
    if patch.service_characteristic is not msgspec.UNSET:
        changes["parameters"] = read_characteristics(patch.service_characteristic, "serviceCharacteristic")
    if patch.related_party is not msgspec.UNSET:
        changes["customer"] = customer_of(patch.related_party)
    if patch.subscribers is not msgspec.UNSET:
        changes["subscribers"] = _subscribers(patch.subscribers)
    if patch.supporting_resource is not msgspec.UNSET:
        uses = _uses(patch.supporting_resource)
    service = msgspec.structs.replace(before, **changes)
    if service.state is ServiceState.TERMINATED:
        uses = ()
    return shown, _record(connection, service, uses)


def forget_service(connection: Connection, service_id: str) -> Attributes:
    """Take a service that is not in the network out of the inventory; what it was.

    Raises:
        TmfError: 409, it is in the network. NotInInventoryError: there is none.
    """
    before = get_service(connection, service_id)
    _check_not_in_network(before)
    shown = service_view(SERVICE_TYPE, before, uses_of(connection, service_id))
    remove_service(connection, service_id, version=before.version)
    return shown


def _record(connection: Connection, service: Service, uses: Sequence[Use]) -> Attributes:
    try:
        recorded = record_service(connection, service, uses)
    except NotInInventoryError as error:
        raise TmfError(400, f"supportingResource: {error}") from None
    return service_view(SERVICE_TYPE, recorded, uses_of(connection, service.service_id))


def _check_not_in_network(service: Service) -> None:
    if service.state is ServiceState.ACTIVE:
        raise InUseError(
            f"{service.service_id}: this service is in the network: change it by serviceActivationAndConfiguration"
        )


def _state(text: str, allowed: "frozenset[ServiceState] | set[ServiceState]") -> ServiceState:
    if text not in {str(state) for state in allowed}:
        raise TmfError(
            400,
            f"state: one of {', '.join(sorted(map(str, allowed)))} is expected; a service becomes active by"
            " serviceActivationAndConfiguration or serviceOrdering",
        )
    return ServiceState(text)


def _subscribers(number: int) -> int:
    if not 0 <= number < 2**31:
        raise TmfError(400, "subscribers: 0 or more are expected")
    return number


def _uses(references: Sequence[ResourceRef]) -> tuple[Use, ...]:
    return tuple(dict.fromkeys(Use(one.id, one.role) for one in references))


# --- The list -----------------------------------------------------------------------------------------------------


def _listing(kind: ResourceType) -> Listing:
    columns = SERVICE.c
    conditions: dict[tuple[str, ...], MakeCondition] = {
        ("id",): one_of(columns.service_id),
        ("name",): one_of(columns.service_id),
        ("state",): one_of(columns.state),
        ("serviceType",): one_of(columns.model),
        ("serviceSpecification", "id"): one_of(columns.model),
        ("relatedParty", "id"): _named_customer,
        ("supportingResource", "id"): _using,
    }
    return Listing(select(columns.service_id), columns.service_id, conditions, _shown(kind))


def _named_customer(values: tuple[str, ...], comparison: str) -> Any:
    # A service without a customer shows no party.
    return one_of(SERVICE.c.customer)(tuple(value for value in values if value), comparison)


def _using(values: tuple[str, ...], comparison: str) -> Any:
    named = one_of(RESOURCE.c.resource_id)(values, comparison)
    if named is None:
        return None
    users = select(SERVICE_USE.c.service).join(RESOURCE, RESOURCE.c.number == SERVICE_USE.c.resource)
    return SERVICE.c.number.in_(users.where(named))


def _shown(kind: ResourceType) -> Callable[[Connection, Sequence[Any]], Iterator[Attributes]]:
    def shown(connection: Connection, keys: Sequence[Any]) -> Iterator[Attributes]:
        for batch in in_batches(keys):
            services = services_named(connection, batch)
            uses = _uses_of_many(connection, batch)
            for key in batch:
                yield service_view(kind, services[key], uses.get(key, ()))

    return shown


def services_named(connection: Connection, service_ids: Sequence[str]) -> dict[str, Service]:
    """Those of some services that are there, by id."""
    columns = SERVICE.c
    return {
        row.service_id: Service(
            service_id=row.service_id,
            model=row.model,
            parameters=msgspec.json.decode(row.parameters),
            allocations=msgspec.json.decode(row.allocations),
            customer=row.customer,
            state=ServiceState(row.state),
            subscribers=row.subscribers,
            version=row.version,
        )
        for row in connection.execute(select(SERVICE).where(columns.service_id.in_(service_ids)))
    }


def _uses_of_many(connection: Connection, service_ids: Sequence[str]) -> dict[str, tuple[Use, ...]]:
    found: dict[str, tuple[Use, ...]] = {}
    rows = connection.execute(
        select(SERVICE.c.service_id, RESOURCE.c.resource_id, SERVICE_USE.c.role)
        .join(SERVICE_USE, SERVICE_USE.c.service == SERVICE.c.number)
        .join(RESOURCE, RESOURCE.c.number == SERVICE_USE.c.resource)
        .where(SERVICE.c.service_id.in_(service_ids))
        .order_by(SERVICE.c.service_id, RESOURCE.c.resource_id, SERVICE_USE.c.role)
    )
    for service_id, resource_id, role in rows:
        found[service_id] = (*found.get(service_id, ()), Use(resource_id, role))
    return found
