"""Queues orders for services, and finds the monitors of those that were queued: units of work over a connection."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from ocs.api.service_activation.monitors import WORDS, monitor_view
from ocs.api.service_activation.resources import ActivationBody, ActivationPatch
from ocs.api.service_inventory.views import customer_of
from ocs.api.tmf.characteristics import read_characteristics
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.paging import FoundPage
from ocs.api.tmf.query import Query
from ocs.api.tmf.resources import Attributes
from ocs.api.tmf.sql_listing import Listing, MakeCondition, find_page, one_of
from ocs.inventory.errors import NotInInventoryError
from ocs.inventory.services import get_service
from ocs.inventory.statements import in_batches
from ocs.provisioning.services.planner import (
    KIND,
    ServiceAction,
    ServiceOrder,
    ServicePlanner,
    encode_order,
)
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.planner import WorkRefusedError
from ocs.provisioning.transactions.record import Transaction, Work
from ocs.provisioning.transactions.states import TransactionState
from ocs.provisioning.transactions.tables import TRANSACTION

_decode_order: Final = msgspec.msgpack.Decoder(ServiceOrder).decode


class Request(NamedTuple):
    """Who asks for something, when, and what the transaction is to be called."""

    transaction_id: str
    caller: str
    now_ms: int


def order_creation(service_id: str, body: ActivationBody) -> ServiceOrder:
    """What a new service asks for.

    Raises:
        TmfError: 400.
    """
    if body.state != "active":
        raise TmfError(400, "state: active is expected; others are recorded by serviceInventory")
    return ServiceOrder(
        reference="",
        service_id=service_id,
        action=ServiceAction.CREATE,
        model=body.service_specification.id,
        parameters=read_characteristics(body.service_characteristic, "serviceCharacteristic"),
        customer=customer_of(body.related_party),
        subscribers=_subscribers(body.subscribers),
    )


def order_change(connection: Connection, service_id: str, patch: ActivationPatch) -> ServiceOrder:
    """What a change of a service asks for; what is not said stays as it is.

    Raises:
        TmfError: 400. NotInInventoryError: there is no such service.
    """
    known = get_service(connection, service_id)
    if patch.state == "terminated":
        return order_deletion(connection, service_id)
    if patch.state != "active":
        raise TmfError(400, "state: active or terminated is expected")
    parameters, customer = known.parameters, known.customer
    if patch.service_characteristic is not msgspec.UNSET:
        parameters = read_characteristics(patch.service_characteristic, "serviceCharacteristic")
    if patch.related_party is not msgspec.UNSET:
        customer = customer_of(patch.related_party)
    subscribers = known.subscribers if patch.subscribers is msgspec.UNSET else _subscribers(patch.subscribers)
    return ServiceOrder(
        reference="",
        service_id=service_id,
        action=ServiceAction.MODIFY,
        model=known.model,
        parameters=parameters,
        customer=customer,
        subscribers=subscribers,
    )


def order_deletion(connection: Connection, service_id: str) -> ServiceOrder:
    """What taking a service out of the network asks for.

    Raises:
        NotInInventoryError: there is no such service.
    """
    get_service(connection, service_id)
    return ServiceOrder(reference="", service_id=service_id, action=ServiceAction.DELETE)


def queue_order(
    connection: Connection, order: ServiceOrder, request: Request, planner: ServicePlanner
) -> tuple[Attributes, bool]:
    """Queue an order; its monitor, and whether it is new. A repeat under the same id finds what was queued.

    Raises:
        TmfError: 409, it cannot be done as things stand, or something else was asked for under this id.
    """
    order = msgspec.structs.replace(order, reference=request.transaction_id)
    work = Work(KIND, encode_order(order))
    try:
        known = journal.read_transaction(connection, request.transaction_id)
    except journal.UnknownTransactionError:
        pass
    else:
        if known.work != work:
            raise TmfError(409, "Idempotency-Key: something else was asked for under it")
        return monitor_view(known, order), False
    try:
        elements = planner.elements_of(connection, order)
    except WorkRefusedError as error:
        raise TmfError(409, str(error)) from None
    transaction = Transaction(
        transaction_id=request.transaction_id,
        state=TransactionState.QUEUED,
        work=work,
        description=f"{order.action} {order.service_id}",
        requested_by=request.caller,
        elements=elements,
        created_ms=request.now_ms,
    )
    journal.add_transaction(connection, transaction)
    return monitor_view(transaction, order), True


def _subscribers(number: int) -> int:
    if not 0 <= number < 2**31:
        raise TmfError(400, "subscribers: 0 or more are expected")
    return number


# --- Monitors -----------------------------------------------------------------------------------------------------


def find_monitors(connection: Connection, query: Query) -> FoundPage:
    """A page of monitors, by id."""
    columns = TRANSACTION.c

    def in_state(values: tuple[str, ...], comparison: str) -> Any:
        states = [state.value for state, word in WORDS.items() if word in values]
        return None if comparison else columns.state.in_(states)

    conditions: dict[tuple[str, ...], MakeCondition] = {
        ("id",): one_of(columns.transaction_id),
        ("state",): in_state,
    }
    keys = select(columns.transaction_id).where(columns.work_kind == KIND)
    return find_page(connection, [Listing(keys, columns.transaction_id, conditions, _shown_monitors)], query)


def show_monitor(connection: Connection, monitor_id: str) -> Attributes:
    """One monitor.

    Raises:
        NotInInventoryError: there is none.
    """
    shown = next(_shown_monitors(connection, [monitor_id]), None)
    if shown is None:
        raise NotInInventoryError(f"{monitor_id:.80}: no such monitor")
    return shown


def _shown_monitors(connection: Connection, keys: Sequence[Any]) -> Iterator[Attributes]:
    columns = TRANSACTION.c
    wanted = select(columns.transaction_id, columns.state, columns.reason, columns.work_payload)
    for batch in in_batches(keys):
        chosen = wanted.where(columns.transaction_id.in_(batch), columns.work_kind == KIND)
        rows = {row.transaction_id: row for row in connection.execute(chosen)}
        for key in batch:
            if (row := rows.get(key)) is not None:
                yield _monitor(row)


def _monitor(row: Any) -> Attributes:
    payload = bytes(row.work_payload)
    transaction = Transaction(
        transaction_id=row.transaction_id,
        state=TransactionState(row.state),
        work=Work(KIND, payload),
        description="",
        requested_by="",
        elements=(),
        reason=row.reason,
    )
    return monitor_view(transaction, _decode_order(payload))


# --- What has changed ---------------------------------------------------------------------------------------------


class Moved(NamedTuple):
    """A transaction that has moved, for those who listen."""

    transaction_id: str
    state: TransactionState
    changed_ms: int
    monitor: Attributes
    order: ServiceOrder
    batch_id: str


def moved_since(
    connection: Connection, since_ms: int, *, told: "frozenset[tuple[str, str]]", limit: int
) -> list[Moved]:
    """Transactions of services that have moved since a moment, in the order in which they did.

    Args:
        told: ids and states that are stepped over.
    """
    columns = TRANSACTION.c
    rows = connection.execute(
        select(
            columns.transaction_id,
            columns.state,
            columns.reason,
            columns.work_payload,
            columns.changed_ms,
            columns.batch_id,
        )
        .where(columns.changed_ms >= since_ms, columns.work_kind == KIND)
        .order_by(columns.changed_ms, columns.transaction_id)
        .limit(limit + len(told))
    )
    news = [row for row in rows if (row.transaction_id, row.state) not in told]
    return [
        Moved(
            row.transaction_id,
            TransactionState(row.state),
            row.changed_ms,
            _monitor(row),
            _decode_order(bytes(row.work_payload)),
            row.batch_id,
        )
        for row in news[:limit]
    ]
