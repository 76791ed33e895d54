"""The native resource of payments that holders' orders to top up ask for."""

from typing import Annotated, Any, Final

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from ocs.api import examples
from ocs.api.access import needs
from ocs.api.bodies import read_json
from ocs.api.payments import PaymentBody, Payments, PaymentView
from ocs.api.problems import AnyRequest
from ocs.api.threads import read_in_thread, write_in_thread
from ocs.api.tokens import Scope

Paying = NamedDependency[SkipValidation[Payments]]
Name = Annotated[str, QueryParameter(max_length=256)]


@post(
    "/api/v1/payments",
    tags=["balance"],
    status_code=200,
    **needs(Scope.BALANCE_TOPUP, body=PaymentBody, example=examples.PAYMENT, errors=(409,)),
)
async def settle_payment(request: AnyRequest, payments: Paying) -> PaymentView:
    """Say what came of a payment that a listener was asked for; what is paid is put on the account, once."""
    return await write_in_thread(payments.settle, await read_json(request, PaymentBody))


@get("/api/v1/payments", tags=["balance"], **needs(Scope.BALANCE_READ, errors=(404,)))
async def show_payment(payments: Paying, account_id: Name, reference: Name) -> PaymentView:
    """Show a payment that was asked for: what it is worth, and how far it has come."""
    return await read_in_thread(payments.show, account_id, reference)


ROUTES: Final[list[Any]] = [settle_payment, show_payment]
