"""Transactions of services as TMF640's monitors: what was asked for, how far it has come, what became of it. Pure."""

from typing import Final

from ocs.api.service_activation.resources import MONITOR, SERVICE
from ocs.api.tmf.characteristics import shown_characteristics
from ocs.api.tmf.errors import error_body
from ocs.api.tmf.resources import Attributes, encode_body, identified
from ocs.provisioning.services.planner import ServiceAction, ServiceOrder
from ocs.provisioning.transactions.record import Transaction
from ocs.provisioning.transactions.states import FINAL, TransactionState

WORDS: Final = {
    TransactionState.QUEUED: "acknowledged",
    TransactionState.PREPARING: "inProgress",
    TransactionState.ACTIVATING: "inProgress",
    TransactionState.DECIDED: "inProgress",
    TransactionState.DONE: "completed",
    TransactionState.ROLLING_BACK: "inProgress",
    TransactionState.ROLLED_BACK: "failed",
    TransactionState.REFUSED: "failed",
    TransactionState.CANCELLED: "cancelled",
}
# Method, and what the request would have been answered had it been done at once.
_REQUESTS: Final = {
    ServiceAction.CREATE: ("POST", "201"),
    ServiceAction.MODIFY: ("PATCH", "200"),
    ServiceAction.RECONCILE: ("PATCH", "200"),
    ServiceAction.DELETE: ("DELETE", "204"),
}


def monitor_view(transaction: Transaction, order: ServiceOrder) -> Attributes:
    """The monitor of a transaction, and of the order that is its work."""
    method, status = _REQUESTS[order.action]
    href = SERVICE.href(order.service_id)
    to = f"{SERVICE.base}/{SERVICE.path}" if method == "POST" else href
    asked: Attributes = {"method": method, "to": to, "body": _asked(order), "header": []}
    return identified(
        MONITOR,
        transaction.transaction_id,
        {
            "sourceHref": href,
            "state": WORDS[transaction.state],
            "request": asked,
            "response": _response(transaction, status) if transaction.state in FINAL else None,
        },
    )


def _asked(order: ServiceOrder) -> str:
    if order.action in {ServiceAction.DELETE, ServiceAction.RECONCILE}:
        return ""
    body: Attributes = {"name": order.service_id, "state": "active"}
    if order.model:
        body["serviceSpecification"] = {"id": order.model}
    body["serviceCharacteristic"] = shown_characteristics(order.parameters) or []
    return encode_body(body).decode()


def _response(transaction: Transaction, status: str) -> Attributes:
    if transaction.state is TransactionState.DONE:
        return {"statusCode": status, "body": "", "header": []}
    refused = encode_body(error_body(409, transaction.reason or transaction.state.value))
    return {"statusCode": "409", "body": refused.decode(), "header": []}
