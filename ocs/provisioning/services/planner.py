"""Plans orders for services: what is to be reserved, what is to be sent, and what is recorded when that is decided."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection

from ocs.clock import Clock
from ocs.inventory.errors import InventoryError, NotInInventoryError
from ocs.inventory.model import Service, ServiceState, Use
from ocs.inventory.reservations import keep, release, reservations_of, reserve_prefix, reserve_vlan
from ocs.inventory.resources import known_resources
from ocs.inventory.services import find_service, record_service
from ocs.limits import SERVICE_ID_CHARACTERS_MAX, SERVICE_RESERVATION_MS
from ocs.log import get_logger
from ocs.provisioning.configuration import Configuration, ConfigurationDiff, PathError
from ocs.provisioning.services.model import Allocation, ServiceError, ServiceModel, VlanAllocation
from ocs.provisioning.services.network_view import InventoryView
from ocs.provisioning.services.owned_paths import owned_by, read_ownership, write_ownership
from ocs.provisioning.services.ownership import (
    OwnershipChange,
    OwnershipConflictError,
    change_service,
    complete,
)
from ocs.provisioning.transactions.planner import WorkRefusedError
from ocs.provisioning.transactions.record import ElementPlan, Plan

log = get_logger(__name__)

KIND: Final = "service"
# States in which a service has nothing in the network (yet, or any more).
_NOT_IN_NETWORK: Final = frozenset(set(ServiceState) - {ServiceState.ACTIVE})


class ServiceAction(enum.StrEnum):
    """What is to become of a service."""

    CREATE = "create"
    MODIFY = "modify"  # also: look at the inventory again, with the same parameters
    DELETE = "delete"
    RECONCILE = "reconcile"  # send again what it owns, whatever stands there


class ServiceOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order for one service: the payload of a piece of work of kind ``service``.

    Attributes:
        reference: what the order is known by, such as its transaction; what it reserves carries it.
        model, parameters, customer, subscribers: of the service from then on; all of them, not only what changes.
            Deleting and reconciling need none of them; an empty model is the one that the service has.
        elements: to be reconciled; empty: all.
    """

    reference: str
    service_id: str
    action: ServiceAction
    model: str = ""
    parameters: dict[str, object] = {}
    customer: str = ""
    subscribers: int = 1
    elements: tuple[str, ...] = ()


class ServiceEffects(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is recorded when a change of a service is decided.

    Attributes:
        service: as it is from then on, with the version that it was planned from; None: nothing is recorded.
        uses: resources. ownership: element -> who owns what. kept, released: resources that were reserved.
    """

    service: Service | None = None
    uses: tuple[Use, ...] = ()
    ownership: dict[str, OwnershipChange] = {}
    kept: tuple[str, ...] = ()
    released: tuple[str, ...] = ()


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_order: Final = msgspec.msgpack.Decoder(ServiceOrder).decode
_decode_effects: Final = msgspec.msgpack.Decoder(ServiceEffects).decode


def encode_order(order: ServiceOrder) -> bytes:
    """An order as the payload of a piece of work."""
    return _encode(order)


class ServicePlanner:
    """Plans and records orders; see :class:`~ocs.provisioning.transactions.planner.Planner`.

    Args:
        models: all that orders may name.
    """

    def __init__(self, models: Iterable[ServiceModel], clock: Clock) -> None:
        self._models = {model.name: model for model in models}
        self._clock = clock

    def elements_of(self, connection: Connection, order: ServiceOrder) -> tuple[str, ...]:
        """The elements that an order concerns as things stand: by them it waits its turn in the queue.

        Raises:
            WorkRefusedError: it cannot be done.
        """
        names = set(owned_by(connection, order.service_id))
        service = _goal(order, find_service(connection, order.service_id))
        if service is not None and service.state is ServiceState.ACTIVE:
            if order.action is not ServiceAction.RECONCILE:
                names.update(self._elements(connection, service))
            elif order.elements:
                names.intersection_update(order.elements)
        return tuple(sorted(names))

    # --- As a planner -----------------------------------------------------------------------------------

    def plan(self, connection: Connection, payload: bytes) -> Plan:
        """What an order means for the elements now. What it needs is reserved, and again the same when it is repeated.

        Raises:
            WorkRefusedError: it cannot be done; names the parameter, the resource or the other service.
        """
        order = _decode_order(payload)
        known = find_service(connection, order.service_id)
        service = _goal(order, known)
        if service is None:
            return Plan((), _encode(ServiceEffects()))
        if order.action is ServiceAction.RECONCILE:
            return _plan_again(connection, order)
        wanted: Mapping[str, Configuration] = {}
        uses: tuple[Use, ...] = ()
        if service.state is ServiceState.ACTIVE:
            service, wanted, uses = self._make(connection, service, order.reference)
        return _plan_change(connection, service, known, wanted, uses)

    def record(
        self, connection: Connection, effects: bytes, before: Mapping[str, Configuration], now_ms: int
    ) -> None:
        """Write service, uses and owned paths; keep what was reserved, give back what is not needed any more.

        Raises:
            WorkRefusedError: the service or what it uses is not as it was when the order was planned.
        """
        del now_ms
        decided = _decode_effects(effects)
        service = decided.service
        if service is None:
            return
        try:
            record_service(connection, service, decided.uses)
            for resource_id in decided.kept:
                keep(connection, resource_id, service.service_id)
        except InventoryError as error:
            raise WorkRefusedError(str(error)) from None
        write_ownership(connection, service.service_id, decided.ownership, before)
        _give_back(connection, service.service_id, decided.released)

    def refuse(self, connection: Connection, payload: bytes, reason: str, now_ms: int) -> None:
        """Give back what the order reserved. Why stands in its transaction."""
        del reason, now_ms
        order = _decode_order(payload)
        _give_back(
            connection,
            order.service_id,
            [
                one.resource_id
                for one in reservations_of(connection, order.service_id)
                if one.expires_ms is not None and one.purpose.endswith(_purpose("", order.reference))
            ],
        )

    # --- Inside -----------------------------------------------------------------------------------------

    def _model(self, service: Service) -> ServiceModel:
        model = self._models.get(service.model)
        if model is None:
            known = ", ".join(sorted(self._models))
            raise WorkRefusedError(
                f"{service.service_id}: no service model {service.model!r:.80}; there are {known}"
            )
        return model

    def _elements(self, connection: Connection, service: Service) -> tuple[str, ...]:
        try:
            return self._model(service).elements(service, InventoryView(connection))
        except ServiceError as error:
            raise WorkRefusedError(str(error)) from None

    def _make(
        self, connection: Connection, service: Service, reference: str
    ) -> tuple[Service, dict[str, dict[str, str | None]], tuple[Use, ...]]:
        """Reserve what a service needs, and say what it wants and uses."""
        model = self._model(service)
        network = InventoryView(connection)
        try:
            needed = model.allocations(service, network)
            service = msgspec.structs.replace(
                service,
                allocations={one.name: self._reserve(connection, service, one, reference) for one in needed},
            )
            wanted, uses = model.wanted(service, network), model.uses(service, network)
        except (ServiceError, InventoryError, PathError) as error:
            raise WorkRefusedError(str(error)) from None
        for name in wanted:
            record = network.element(name)
            if record is None or record.management is None:
                raise WorkRefusedError(f"{name}: the inventory does not say how this element is managed")
        missing = {use.resource_id for use in uses}.difference(
            known_resources(connection, (use.resource_id for use in uses))
        )
        if missing:
            raise WorkRefusedError(f"{min(missing)}: no such resource in the inventory")
        return service, wanted, uses

    def _reserve(self, connection: Connection, service: Service, needed: Allocation, reference: str) -> str:
        """The resource that the service has already, if it will do; else one that is free."""
        held = service.allocations.get(needed.name, "")
        if held and needed.fits(held):
            return held
        holder, purpose = service.service_id, _purpose(needed.name, reference)
        expires_ms = self._clock.now_ms() + SERVICE_RESERVATION_MS
        if isinstance(needed, VlanAllocation):
            reserved = reserve_vlan(
                connection,
                needed.site,
                holder=holder,
                purpose=purpose,
                expires_ms=expires_ms,
                first=needed.first,
                last=needed.last,
            )
        else:
            reserved = reserve_prefix(
                connection, needed.pool, needed.length, holder=holder, purpose=purpose, expires_ms=expires_ms
            )
        return reserved.resource_id


def _goal(order: ServiceOrder, known: Service | None) -> Service | None:
    """The service as it is to be, with the version and the allocations that it has; None: it is that already."""
    name = order.service_id
    if not name or len(name) > SERVICE_ID_CHARACTERS_MAX or len(order.reference) > SERVICE_ID_CHARACTERS_MAX:
        raise WorkRefusedError(f"{name!r:.80}: expected ids of 1 to {SERVICE_ID_CHARACTERS_MAX} characters")
    is_there = known is not None and known.state not in _NOT_IN_NETWORK
    if order.action is ServiceAction.DELETE and known is not None:
        if known.state is ServiceState.TERMINATED:
            return None
        return msgspec.structs.replace(known, state=ServiceState.TERMINATED, allocations={})
    if known is None or not is_there:
        if order.action is not ServiceAction.CREATE:
            raise WorkRefusedError(f"{name}: there is no such service in the network")
        return Service(
            service_id=name,
            model=order.model,
            parameters=order.parameters,
            customer=order.customer,
            subscribers=order.subscribers,
            allocations=known.allocations if known is not None else {},
            version=known.version if known is not None else 0,
        )
    if order.action is ServiceAction.RECONCILE:
        return known
    if order.model not in {"", known.model}:
        raise WorkRefusedError(f"{name}: this service is a {known.model}, and cannot become a {order.model}")
    goal = msgspec.structs.replace(
        known, parameters=order.parameters, customer=order.customer, subscribers=order.subscribers
    )
    if order.action is ServiceAction.CREATE and goal != known:
        raise WorkRefusedError(f"{name}: this service exists already, with other parameters")
    return goal


def _plan_again(connection: Connection, order: ServiceOrder) -> Plan:
    """Send again what the service owns; no value is expected to stand there."""
    owned = owned_by(connection, order.service_id)
    chosen = [element for element in owned if not order.elements or element in order.elements]
    plans = tuple(ElementPlan(element, ConfigurationDiff(owned[element])) for element in chosen)
    return Plan(plans, _encode(ServiceEffects()))


def _plan_change(
    connection: Connection,
    service: Service,
    known: Service | None,
    wanted: Mapping[str, Configuration],
    uses: tuple[Use, ...],
) -> Plan:
    """What leads from what the service owns to what it wants; empty when it is all there, and recorded."""
    name = service.service_id
    try:
        whole = {element: complete(configuration) for element, configuration in wanted.items()}
        mine = owned_by(connection, name)
        concerned = {
            element: {*whole.get(element, ()), *mine.get(element, ())} for element in {*whole, *mine}
        }
        changes = change_service(name, whole, read_ownership(connection, name, concerned))
    except (OwnershipConflictError, PathError) as error:
        raise WorkRefusedError(str(error)) from None
    is_owned = all(mine.get(element, {}) == change.ownership.owned for element, change in changes.items())
    if is_owned and service == known:
        return Plan((), _encode(ServiceEffects()))
    held = set(known.allocations.values()) if known is not None else set[str]()
    needed = set(service.allocations.values())
    kept = needed - held if known is not None and known.state is ServiceState.ACTIVE else needed
    ownership = {element: change.ownership for element, change in changes.items()}
    # Elements with nothing to send take part too: while this is under way, nobody else may change what is shared there.
    plans = tuple(ElementPlan(element, one.forward, one.expected) for element, one in changes.items())
    effects = ServiceEffects(service, uses, ownership, tuple(sorted(kept)), tuple(sorted(held - needed)))
    return Plan(plans, _encode(effects))


def _purpose(name: str, reference: str) -> str:
    return f"{name} of {reference}"


def _give_back(connection: Connection, holder: str, resource_ids: Sequence[str]) -> None:
    for resource_id in resource_ids:
        try:
            release(connection, resource_id, holder)
        except NotInInventoryError:
            pass  # it expired, or somebody cleared it away
        except InventoryError as error:
            # A thing that is reserved for nobody's good must not undo what was decided.
            log.warning("reservation_left", resource=resource_id, holder=holder, error=str(error))
