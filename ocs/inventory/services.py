"""Services as they are in the network, and which resources each uses."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, select, update

from ocs.inventory.errors import InventoryError, NotInInventoryError, StaleError
from ocs.inventory.footprints import Anchors, Counts, footprints_of
from ocs.inventory.model import Service, ServiceState, Use
from ocs.inventory.resources import Known, known_resources, number_of
from ocs.inventory.statements import count_change, encode_json, in_batches, insert_rows, page_size
from ocs.inventory.tables import RESOURCE, SERVICE, SERVICE_USE
from ocs.limits import INVENTORY_NAME_CHARACTERS_MAX

_decode_parameters: Final = msgspec.json.Decoder(dict[str, object]).decode
_decode_allocations: Final = msgspec.json.Decoder(dict[str, str]).decode


class ServiceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which services are wanted; what is unsaid is any.

    Attributes:
        uses: a resource that they use directly. after: only those whose ids come later: where the next page goes on.
    """

    model: str = ""
    customer: str = ""
    state: ServiceState | None = None
    uses: str = ""
    after: str = ""
    limit: int = 100


class _Recorded(NamedTuple):
    """What the inventory knows of a service before it is written."""

    number: int
    version: int
    footprint: int
    subscribers: int


def record_service(connection: Connection, service: Service, uses: Sequence[Use]) -> Service:
    """Write a service and all that it uses, in place of what was known of it; returns it as it is there now.

    Args:
        service: of version 0 when it is new. uses: none of a service that is terminated.

    Raises:
        StaleError: it has another version by now. NotInInventoryError: something that it uses is not there.
    """
    record_services(connection, ((service, uses),))
    return get_service(connection, service.service_id)


def record_services(connection: Connection, services: Iterable[tuple[Service, Sequence[Use]]]) -> None:
    """As :func:`record_service`, many at a time, each once."""
    counts = Counts()
    for batch in in_batches(services):
        _record_batch(connection, batch, counts)
    counts.write(connection)
    count_change(connection, "services")


def remove_service(connection: Connection, service_id: str, *, version: int | None = None) -> None:
    """Forget a service. A terminated one may as well stay, for those who ask later.

    Raises:
        NotInInventoryError: no such service. StaleError: it has another version.
    """
    known = _recorded(connection, [service_id]).get(service_id)
    if known is None:
        raise NotInInventoryError(f"{service_id}: no such service in the inventory")
    connection.execute(delete(SERVICE_USE).where(SERVICE_USE.c.service == known.number))
    done = connection.execute(
        delete(SERVICE).where(SERVICE.c.number == known.number, SERVICE.c.version == known.version)
    )
    if version not in {None, known.version} or done.rowcount != 1:
        raise _stale(service_id)
    counts = Counts()
    counts.add(known.footprint, services=-1, subscribers=-known.subscribers)
    counts.write(connection)
    count_change(connection, "services")


def find_service(connection: Connection, service_id: str) -> Service | None:
    """A service by its id."""
    return next(iter(_read(connection, SERVICE.c.service_id == service_id)), None)


def get_service(connection: Connection, service_id: str) -> Service:
    """As :func:`find_service`.

    Raises:
        NotInInventoryError: no such service.
    """
    found = find_service(connection, service_id)
    if found is None:
        raise NotInInventoryError(f"{service_id}: no such service in the inventory")
    return found


def list_services(connection: Connection, query: ServiceQuery) -> list[Service]:
    """The services that are asked for, by id."""
    conditions: list[ColumnElement[bool]] = []
    for column, value in (
        (SERVICE.c.model, query.model),
        (SERVICE.c.customer, query.customer),
        (SERVICE.c.state, "" if query.state is None else str(query.state)),
    ):
        if value:
            conditions.append(column == value)
    if query.uses:
        number = number_of(connection, query.uses)
        users = select(SERVICE_USE.c.service).where(SERVICE_USE.c.resource == number)
        conditions.append(SERVICE.c.number.in_(users))
    if query.after:
        conditions.append(SERVICE.c.service_id > query.after)
    return _read(connection, *conditions, limit=page_size(query.limit))


def uses_of(connection: Connection, service_id: str) -> tuple[Use, ...]:
    """What a service uses, by name; nothing of one that is not there."""
    rows = connection.execute(
        select(RESOURCE.c.resource_id, SERVICE_USE.c.role)
        .join(SERVICE_USE, SERVICE_USE.c.resource == RESOURCE.c.number)
        .join(SERVICE, SERVICE.c.number == SERVICE_USE.c.service)
        .where(SERVICE.c.service_id == service_id)
        .order_by(RESOURCE.c.resource_id, SERVICE_USE.c.role)
    )
    return tuple(Use(name, role) for name, role in rows)


# --- Writing ------------------------------------------------------------------------------------------------------


def _record_batch(
    connection: Connection, batch: Sequence[tuple[Service, Sequence[Use]]], counts: Counts
) -> None:
    services = {service.service_id: service for service, _ in batch}
    if len(services) != len(batch):
        raise InventoryError("expected each service once")
    used = {service.service_id: tuple(dict.fromkeys(uses)) for service, uses in batch}
    known = _recorded(connection, services)
    resources = known_resources(connection, (use.resource_id for uses in used.values() for use in uses))
    anchors = {name: _anchors(services[name], uses, resources) for name, uses in used.items()}
    footprints = footprints_of(connection, anchors.values())
    rows = {name: _columns(service, footprints[anchors[name]]) for name, service in services.items()}
    insert_rows(
        connection,
        SERVICE,
        [
            {"service_id": name, "version": 1, **row}
            for name, row in rows.items()
            if name not in known and _is_version(services[name], 0)
        ],
    )
    for name, before in known.items():
        _update(connection, services[name], before, rows[name])
        counts.add(before.footprint, services=-1, subscribers=-before.subscribers)
    numbers = {name: before.number for name, before in _recorded(connection, services).items()}
    insert_rows(
        connection,
        SERVICE_USE,
        [
            {"service": numbers[name], "resource": resources[use.resource_id].number, "role": use.role}
            for name, uses in used.items()
            for use in uses
        ],
    )
    for name, service in services.items():
        counts.add(footprints[anchors[name]], services=1, subscribers=service.subscribers)


def _update(connection: Connection, service: Service, before: _Recorded, row: Mapping[str, Any]) -> None:
    _is_version(service, before.version)  # what is known of it, its footprint too, is of that version
    done = connection.execute(
        update(SERVICE)
        .where(SERVICE.c.number == before.number, SERVICE.c.version == before.version)
        .values(version=before.version + 1, **row)
    )
    if done.rowcount != 1:
        raise _stale(service.service_id)
    connection.execute(delete(SERVICE_USE).where(SERVICE_USE.c.service == before.number))


def _is_version(service: Service, version: int) -> bool:
    if service.version != version:
        raise _stale(service.service_id)
    return True


def _stale(service_id: str) -> StaleError:
    return StaleError(f"{service_id}: somebody changed this service meanwhile: read it again")


def _recorded(connection: Connection, names: Iterable[str]) -> dict[str, _Recorded]:
    columns = SERVICE.c
    wanted = select(
        columns.service_id, columns.number, columns.version, columns.footprint, columns.subscribers
    ).where(columns.service_id.in_(bindparam("names", expanding=True)))
    found: dict[str, _Recorded] = {}
    for batch in in_batches(names):
        for name, *rest in connection.execute(wanted, {"names": batch}):
            found[name] = _Recorded(*rest)
    return found


def _anchors(service: Service, uses: Sequence[Use], resources: Mapping[str, Known]) -> Anchors:
    """What a service stands on, having been checked."""
    name = service.service_id
    if not name or len(name) > INVENTORY_NAME_CHARACTERS_MAX or not name.isprintable():
        raise InventoryError(
            f"{name!r:.80}: expected a service's id of at most {INVENTORY_NAME_CHARACTERS_MAX} printable characters"
        )
    if service.subscribers < 0:
        raise InventoryError(f"{name}: expected 0 subscribers or more")
    if uses and service.state is ServiceState.TERMINATED:
        raise InventoryError(f"{name}: a terminated service uses nothing")
    missing = next((use.resource_id for use in uses if use.resource_id not in resources), None)
    if missing is not None:
        raise NotInInventoryError(f"{name}: {missing} is not in the inventory")
    wholes = {resources[use.resource_id].whole for use in uses}
    return tuple(sorted(whole for whole in wholes if whole is not None))


def _columns(service: Service, footprint: int) -> dict[str, Any]:
    return {
        "model": service.model,
        "parameters": encode_json(service.parameters),
        "allocations": encode_json(service.allocations),
        "customer": service.customer,
        "state": str(service.state),
        "subscribers": service.subscribers,
        "footprint": footprint,
    }


def _read(
    connection: Connection, *conditions: ColumnElement[bool], limit: int | None = None
) -> list[Service]:
    wanted = select(SERVICE).where(*conditions).order_by(SERVICE.c.service_id).limit(limit)
    return [_service(row) for row in connection.execute(wanted)]


def _service(row: Row[Any]) -> Service:
    return Service(
        service_id=row.service_id,
        model=row.model,
        parameters=_decode_parameters(row.parameters),
        allocations=_decode_allocations(row.allocations),
        customer=row.customer,
        state=ServiceState(row.state),
        subscribers=row.subscribers,
        version=row.version,
    )
