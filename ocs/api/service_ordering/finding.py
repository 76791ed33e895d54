"""Takes orders on, cancels and finds them: units of work over a connection."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, select, update

from ocs.api.service_activation.finding import (
    Request,
    order_change,
    order_creation,
    order_deletion,
)
from ocs.api.service_activation.resources import ActivationBody, ActivationPatch
from ocs.api.service_ordering.resources import OrderItem, ServiceOrderBody, ServiceOrderPatch
from ocs.api.service_ordering.tables import SERVICE_ORDER, SERVICE_ORDER_CANCELLATION
from ocs.api.service_ordering.views import cancellation_view, order_view
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.paging import FoundPage
from ocs.api.tmf.query import Query
from ocs.api.tmf.resources import Attributes
from ocs.api.tmf.sql_listing import Listing, MakeCondition, find_page, moment_in_ms, one_of
from ocs.inventory.errors import InventoryError, NotInInventoryError
from ocs.inventory.statements import in_batches
from ocs.limits import SERVICE_ID_CHARACTERS_MAX, SERVICE_ORDER_ITEMS_MAX
from ocs.provisioning.services.planner import KIND, ServiceOrder, ServicePlanner, encode_order
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.batches import Batch, add_batch
from ocs.provisioning.transactions.planner import WorkRefusedError
from ocs.provisioning.transactions.record import Transaction, Work
from ocs.provisioning.transactions.states import TransactionEvent, TransactionState
from ocs.provisioning.transactions.tables import TRANSACTION

_PRIORITIES: Final = {"0": 2, "1": 1, "2": 0, "3": -1, "4": -2}
_EXTERNAL_ID_CHARACTERS_MAX: Final = 200
_encode: Final = msgspec.json.Encoder().encode


def take_order(
    connection: Connection, body: ServiceOrderBody, request: Request, planner: ServicePlanner
) -> tuple[Attributes, bool]:
    """Queue all items of an order, or none; the order, and whether it is new.

    Args:
        request: its transaction's id is the order's; a repeat under the same one finds what was ordered.

    Raises:
        TmfError: 400, 409; names the item.
    """
    order_id = request.transaction_id
    _check(body)
    orders = [
        _order(connection, item, f"{order_id}-{place}") for place, item in enumerate(body.service_order_item)
    ]
    content = _content(body, orders)
    known = connection.execute(
        select(SERVICE_ORDER.c.content).where(SERVICE_ORDER.c.order_id == order_id)
    ).scalar_one_or_none()
    if known is not None:
        if known != content:
            raise TmfError(409, "Idempotency-Key: something else was ordered under it")
        return show_order(connection, order_id), False
    _write(connection, request, body, content, len(orders))
    _queue(connection, request, body, orders, planner)
    return show_order(connection, order_id), True


def _write(
    connection: Connection, request: Request, body: ServiceOrderBody, content: str, items: int
) -> None:
    """Write an order down, and the batch that its items are."""
    order_id = request.transaction_id
    connection.execute(
        insert(SERVICE_ORDER).values(
            order_id=order_id, external_id=body.external_id, content=content, created_ms=request.now_ms
        )
    )
    batch = Batch(
        batch_id=order_id,
        description=body.description or f"order {body.external_id or order_id}",
        requested_by=request.caller,
        canaries=0,
        failures_max=items,
        created_ms=request.now_ms,
    )
    add_batch(connection, batch)


def _queue(
    connection: Connection,
    request: Request,
    body: ServiceOrderBody,
    orders: Sequence[ServiceOrder],
    planner: ServicePlanner,
) -> None:
    """Queue the items of an order, as transactions of its batch."""
    start = body.requested_start_date
    not_before_ms = int(start.timestamp() * 1000) if start is not None else 0
    for place, (item, order) in enumerate(zip(body.service_order_item, orders, strict=True)):
        try:
            elements = planner.elements_of(connection, order)
        except WorkRefusedError as error:
            raise TmfError(409, f"item {item.id:.40}: {error}") from None
        journal.add_transaction(
            connection,
            Transaction(
                transaction_id=order.reference,
                state=TransactionState.QUEUED,
                work=Work(KIND, encode_order(order)),
                description=f"{order.action} {order.service_id}",
                requested_by=request.caller,
                elements=elements,
                priority=_PRIORITIES[body.priority],
                not_before_ms=not_before_ms,
                batch_id=request.transaction_id,
                batch_place=place,
                created_ms=request.now_ms,
            ),
        )


def _check(body: ServiceOrderBody) -> None:
    items = body.service_order_item
    if not 1 <= len(items) <= SERVICE_ORDER_ITEMS_MAX:
        raise TmfError(400, f"serviceOrderItem: 1 to {SERVICE_ORDER_ITEMS_MAX} are expected")
    if len({item.id for item in items}) < len(items):
        raise TmfError(400, "serviceOrderItem: each id once is expected")
    named = [name for item in items if (name := item.service.id or item.service.name)]
    if len(set(named)) < len(named):
        raise TmfError(400, "serviceOrderItem: each service once is expected: one order after the other")
    if body.priority not in _PRIORITIES:
        raise TmfError(400, "priority: 0 (first) to 4 is expected")
    _check_external_id(body.external_id)


def _check_external_id(external_id: str) -> None:
    if len(external_id) > _EXTERNAL_ID_CHARACTERS_MAX or "\x00" in external_id:
        raise TmfError(400, f"externalId: at most {_EXTERNAL_ID_CHARACTERS_MAX} characters are expected")


def _order(connection: Connection, item: OrderItem, transaction_id: str) -> ServiceOrder:
    service = item.service
    name = service.id or service.name
    if item.service_order_item or item.service_order_item_relationship:
        raise TmfError(
            400, f"item {item.id:.40}: items that depend on others are not taken on: order them later"
        )
    try:
        if item.action == "add":
            made = _creation(item, name or f"service-{transaction_id}"[:SERVICE_ID_CHARACTERS_MAX])
        elif item.action == "modify":
            made = order_change(
                connection,
                name,
                ActivationPatch(
                    service_characteristic=service.service_characteristic,
                    related_party=service.related_party,
                    subscribers=service.subscribers,
                ),
            )
        elif item.action == "delete":
            made = order_deletion(connection, name)
        else:
            raise TmfError(400, "action: add, modify or delete is expected")
    except InventoryError as error:
        raise TmfError(400, f"item {item.id:.40}: {error}") from None
    except TmfError as error:
        raise TmfError(error.status, f"item {item.id:.40}: {error.message}") from None
    return msgspec.structs.replace(made, reference=transaction_id)


def _creation(item: OrderItem, name: str) -> ServiceOrder:
    service = item.service
    if service.service_specification is None:
        raise TmfError(400, "service.serviceSpecification: it is missing")
    if len(name) > SERVICE_ID_CHARACTERS_MAX or not name.isprintable():
        raise TmfError(
            400, f"service.id: at most {SERVICE_ID_CHARACTERS_MAX} printable characters are expected"
        )
    unset = msgspec.UNSET
    return order_creation(
        name,
        ActivationBody(
            state="active",
            service_specification=service.service_specification,
            service_characteristic=()
            if service.service_characteristic is unset
            else service.service_characteristic,
            related_party=() if service.related_party is unset else service.related_party,
            subscribers=1 if service.subscribers is unset else service.subscribers,
        ),
    )


def _content(body: ServiceOrderBody, orders: Sequence[ServiceOrder]) -> str:
    """An order as it is kept: what was said, each service with its id."""
    said: Attributes = msgspec.to_builtins(body)
    for item, order in zip(said["serviceOrderItem"], orders, strict=True):
        item["service"]["id"] = order.service_id
        item["service"] = _said(item["service"])
        del item["serviceOrderItem"], item["serviceOrderItemRelationship"]
    return _encode(_said(said)).decode()


def _said(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None and value != ""}


# --- Changing and cancelling --------------------------------------------------------------------------------------


def change_order(
    connection: Connection, order_id: str, patch: ServiceOrderPatch
) -> tuple[Attributes, Attributes]:
    """Change what is said about an order; what it was, and what it is.

    Raises:
        TmfError: 400. NotInInventoryError: there is none.
    """
    before = show_order(connection, order_id)
    said: Attributes = msgspec.to_builtins(patch)
    stored = connection.execute(
        select(SERVICE_ORDER.c.content).where(SERVICE_ORDER.c.order_id == order_id).with_for_update()
    ).scalar_one()
    content = msgspec.json.decode(stored) | said
    values: dict[str, Any] = {"content": _encode(_said(content)).decode()}
    if "externalId" in said:
        _check_external_id(said["externalId"])
        values["external_id"] = said["externalId"]
    connection.execute(update(SERVICE_ORDER).where(SERVICE_ORDER.c.order_id == order_id).values(**values))
    return before, show_order(connection, order_id)


def forget_order(connection: Connection, order_id: str) -> Attributes:
    """Forget an order that has ended; its transactions stay in the journal.

    Raises:
        TmfError: 409, it has not ended. NotInInventoryError: there is none.
    """
    before = show_order(connection, order_id)
    if before["state"] in {"acknowledged", "inProgress"}:
        raise TmfError(409, f"{order_id}: this order has not ended: cancel it first")
    cancellations = SERVICE_ORDER_CANCELLATION
    connection.execute(delete(cancellations).where(cancellations.c.order_id == order_id))
    connection.execute(delete(SERVICE_ORDER).where(SERVICE_ORDER.c.order_id == order_id))
    return before


def cancel_order(
    connection: Connection, order_id: str, reason: str, request: Request, planner: ServicePlanner
) -> Attributes:
    """Cancel what has not begun of an order; the cancellation, the same for a repeat.

    Raises:
        TmfError: 400, there is no such order.
    """
    try:
        show_order(connection, order_id)
    except NotInInventoryError as error:
        raise TmfError(400, f"serviceOrder: {error}") from None
    try:
        return show_cancellation(connection, request.transaction_id)
    except NotInInventoryError:
        pass
    why = f"cancelled by {request.caller}" + (f": {reason:.500}" if reason else "")
    journal.hold_queue(connection)
    waiting = select(TRANSACTION.c.transaction_id).where(
        TRANSACTION.c.batch_id == order_id, TRANSACTION.c.state == TransactionState.QUEUED.value
    )
    ids = list(connection.scalars(waiting.with_for_update()))
    for transaction_id in ids:
        journal.move(
            connection, transaction_id, TransactionEvent.CANCELLED, now_ms=request.now_ms, reason=why
        )
        payload = journal.read_transaction(connection, transaction_id).work.payload
        planner.refuse(connection, payload, why, request.now_ms)
    row = {
        "order_id": order_id,
        "reason": reason,
        "state": "done" if ids else "terminatedWithError",
        "asked_ms": request.now_ms,
    }
    connection.execute(
        insert(SERVICE_ORDER_CANCELLATION).values(cancellation_id=request.transaction_id, **row)
    )
    return show_cancellation(connection, request.transaction_id)


# --- Lists --------------------------------------------------------------------------------------------------------


def find_orders(connection: Connection, query: Query) -> FoundPage:
    """A page of orders, by id."""
    columns = SERVICE_ORDER.c
    conditions: dict[tuple[str, ...], MakeCondition] = {
        ("id",): one_of(columns.order_id),
        ("externalId",): one_of(columns.external_id),
        ("orderDate",): moment_in_ms(columns.created_ms),
        ("state",): _in_state,
    }
    return find_page(
        connection, [Listing(select(columns.order_id), columns.order_id, conditions, _shown_orders)], query
    )


def _in_state(values: tuple[str, ...], comparison: str) -> ColumnElement[bool] | None:
    """Orders whose transactions stand so; as :func:`~ocs.api.service_ordering.views.state_of` says of one."""
    if comparison:
        return None

    def counted(*states: TransactionState) -> ColumnElement[int]:
        return func.sum(case((TRANSACTION.c.state.in_([state.value for state in states]), 1), else_=0))

    states = TransactionState
    queued, done = counted(states.QUEUED), counted(states.DONE)
    cancelled = counted(states.CANCELLED)
    failed = counted(states.REFUSED, states.ROLLED_BACK)
    every = func.count()
    ended = done + cancelled + failed == every
    tests = {
        "acknowledged": queued == every,
        "inProgress": (queued < every) & (done + cancelled + failed < every),
        "completed": done == every,
        "cancelled": cancelled == every,
        "failed": ended & (done == 0) & (failed > 0),
        "partial": ended & (done > 0) & (done < every),
    }
    grouped = select(TRANSACTION.c.batch_id).where(TRANSACTION.c.batch_id != "")
    wanted: list[ColumnElement[bool]] = [
        SERVICE_ORDER.c.order_id.in_(grouped.group_by(TRANSACTION.c.batch_id).having(tests[value]))
        for value in values
        if value in tests
    ]
    found: ColumnElement[bool] = SERVICE_ORDER.c.order_id.in_([])
    for one in wanted:
        found |= one
    return found


def show_order(connection: Connection, order_id: str) -> Attributes:
    """One order.

    Raises:
        NotInInventoryError: there is none.
    """
    shown = next(_shown_orders(connection, [order_id]), None)
    if shown is None:
        raise NotInInventoryError(f"{order_id:.80}: no such order")
    return shown


def _shown_orders(connection: Connection, keys: Sequence[Any]) -> Iterator[Attributes]:
    columns = TRANSACTION.c
    for batch in in_batches(keys):
        rows = connection.execute(select(SERVICE_ORDER).where(SERVICE_ORDER.c.order_id.in_(batch)))
        orders = {row.order_id: row for row in rows}
        standing: dict[str, dict[int, tuple[TransactionState, str, int]]] = {}
        for row in connection.execute(
            select(
                columns.batch_id, columns.batch_place, columns.state, columns.reason, columns.changed_ms
            ).where(columns.batch_id.in_(batch))
        ):
            stands = (TransactionState(row.state), row.reason, row.changed_ms)
            standing.setdefault(row.batch_id, {})[row.batch_place] = stands
        for key in batch:
            if (order := orders.get(key)) is not None:
                content = msgspec.json.decode(order.content)
                yield order_view(key, content, order.created_ms, standing.get(key, {}))


def find_cancellations(connection: Connection, query: Query) -> FoundPage:
    """A page of cancellations, by id."""
    columns = SERVICE_ORDER_CANCELLATION.c
    conditions: dict[tuple[str, ...], MakeCondition] = {
        ("id",): one_of(columns.cancellation_id),
        ("state",): one_of(columns.state),
        ("serviceOrder", "id"): one_of(columns.order_id),
    }
    key = columns.cancellation_id
    return find_page(connection, [Listing(select(key), key, conditions, _shown_cancellations)], query)


def show_cancellation(connection: Connection, cancellation_id: str) -> Attributes:
    """One cancellation.

    Raises:
        NotInInventoryError: there is none.
    """
    shown = next(_shown_cancellations(connection, [cancellation_id]), None)
    if shown is None:
        raise NotInInventoryError(f"{cancellation_id:.80}: no such cancellation")
    return shown


def _shown_cancellations(connection: Connection, keys: Sequence[Any]) -> Iterator[Attributes]:
    table = SERVICE_ORDER_CANCELLATION
    for batch in in_batches(keys):
        rows = connection.execute(select(table).where(table.c.cancellation_id.in_(batch)))
        found = {row.cancellation_id: row for row in rows}
        for key in batch:
            if (row := found.get(key)) is not None:
                yield cancellation_view(
                    key, order_id=row.order_id, reason=row.reason, state=row.state, asked_ms=row.asked_ms
                )
