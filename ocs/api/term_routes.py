"""The native resources of states, limits and offers; each change is made once per reference."""

from typing import Any, Final

from litestar import patch, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from ocs.api import examples
from ocs.api.access import needs
from ocs.api.bodies import read_json
from ocs.api.operations import Operating
from ocs.api.problems import AnyRequest
from ocs.api.routes import ACCOUNTS, rest_of_path
from ocs.api.terms import AccountChangeBody, CancellationBody, OrderBody, PurchaseBody, SubscriberChangeBody
from ocs.api.threads import write_in_thread
from ocs.api.tokens import Scope
from ocs.api.views import AccountView, ReceiptView, SubscriberView

_TAGS: Final = ["balance"]
_SUBSCRIBERS: Final = b"/api/v1/subscribers/"


@patch(
    "/api/v1/accounts/{account_id:path}",
    tags=_TAGS,
    **needs(Scope.ACCOUNT_WRITE, body=AccountChangeBody, example=examples.ACCOUNT_CHANGE, errors=(409,)),
)
async def change_account(
    request: AnyRequest,
    operations: Operating,
    account_id: FromPath[str],  # noqa: ARG001 - as it was sent, it is the rest of the path
) -> AccountView:
    """Bar an account, let it in again or close it; set its credit limit; take or end its order to top up.

    One change a request. What is in force afterwards is shown, also to a repeat.
    """
    body = await read_json(request, AccountChangeBody)
    if not body.is_one_change():
        raise HTTPException(status_code=400, detail="one of state, credit_limit and auto_top_up is expected")
    return await write_in_thread(operations.terms.change_account, rest_of_path(request, ACCOUNTS), body)


@patch(
    "/api/v1/subscribers/{subscriber_id:path}",
    tags=_TAGS,
    **needs(
        Scope.ACCOUNT_WRITE, body=SubscriberChangeBody, example=examples.SUBSCRIBER_CHANGE, errors=(409,)
    ),
)
async def change_subscriber(
    request: AnyRequest,
    operations: Operating,
    subscriber_id: FromPath[str],  # noqa: ARG001 - likewise
) -> SubscriberView:
    """Bar a subscriber, let it in again or close it; or change its identities, favourites, groups and limits."""
    body = await read_json(request, SubscriberChangeBody)
    if not body.is_one_change():
        raise HTTPException(status_code=400, detail="either state is expected, or what else shall change")
    return await write_in_thread(
        operations.terms.change_subscriber, rest_of_path(request, _SUBSCRIBERS), body
    )


@post(
    "/api/v1/purchases",
    tags=_TAGS,
    **needs(Scope.ACCOUNT_WRITE, body=PurchaseBody, example=examples.PURCHASE, errors=(409,)),
)
async def buy_offer(request: AnyRequest, operations: Operating) -> ReceiptView:
    """Buy an offer: charge what is due and grant its allowances, in one step with the offer that it replaces."""
    return await write_in_thread(operations.terms.buy, await read_json(request, PurchaseBody))


@post(
    "/api/v1/cancellations",
    tags=_TAGS,
    **needs(Scope.ACCOUNT_WRITE, body=CancellationBody, example=examples.CANCELLATION, errors=(409,)),
)
async def cancel_offer(request: AnyRequest, operations: Operating) -> ReceiptView:
    """End an offer, now or when the period that is paid ends."""
    return await write_in_thread(operations.terms.cancel, await read_json(request, CancellationBody))


@post(
    "/api/v1/orders",
    tags=_TAGS,
    **needs(Scope.ACCOUNT_WRITE, body=OrderBody, example=examples.ORDER, errors=(409,)),
)
async def order_charge(request: AnyRequest, operations: Operating) -> ReceiptView:
    """Charge what an offer sells by the piece."""
    return await write_in_thread(operations.terms.order, await read_json(request, OrderBody))


ROUTES: Final[list[Any]] = [change_account, change_subscriber, buy_offer, cancel_offer, order_charge]
