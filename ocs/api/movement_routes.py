"""The native resources of money moved by hand; each is made once per reference, and a repeat gets the first receipt."""

from typing import Any, Final

from litestar import post

from ocs.api import examples
from ocs.api.access import needs
from ocs.api.bodies import read_json
from ocs.api.movements import AdjustmentBody, DeductionBody, ReleaseBody, ReservationBody, TransferBody
from ocs.api.operations import Operating
from ocs.api.problems import AnyRequest
from ocs.api.threads import write_in_thread
from ocs.api.tokens import Scope
from ocs.api.views import ReceiptView

_TAGS: Final = ["balance"]


@post(
    "/api/v1/adjustments",
    tags=_TAGS,
    **needs(Scope.BALANCE_ADJUST, body=AdjustmentBody, example=examples.ADJUSTMENT, errors=(409,)),
)
async def adjust_balance(request: AnyRequest, operations: Operating) -> ReceiptView:
    """Correct a balance upwards or (negative) downwards, for a reason that stands in its history."""
    return await write_in_thread(operations.movements.adjust, await read_json(request, AdjustmentBody))


@post(
    "/api/v1/transfers",
    tags=_TAGS,
    **needs(Scope.BALANCE_ADJUST, body=TransferBody, example=examples.TRANSFER, errors=(409,)),
)
async def transfer_money(request: AnyRequest, operations: Operating) -> ReceiptView:
    """Send money from an account to another; the receipt is the sender's."""
    return await write_in_thread(operations.movements.transfer, await read_json(request, TransferBody))


@post(
    "/api/v1/reservations",
    tags=_TAGS,
    **needs(Scope.BALANCE_ADJUST, body=ReservationBody, example=examples.RESERVATION, errors=(409,)),
)
async def set_aside(request: AnyRequest, operations: Operating) -> ReceiptView:
    """Set money aside, so that nothing else takes it; the reference names the reservation."""
    return await write_in_thread(operations.movements.set_aside, await read_json(request, ReservationBody))


@post(
    "/api/v1/deductions",
    tags=_TAGS,
    **needs(Scope.BALANCE_ADJUST, body=DeductionBody, example=examples.DEDUCTION, errors=(409,)),
)
async def take_set_aside(request: AnyRequest, operations: Operating) -> ReceiptView:
    """Charge a part or all of what a reservation has set aside."""
    return await write_in_thread(operations.movements.take_set_aside, await read_json(request, DeductionBody))


@post(
    "/api/v1/releases",
    tags=_TAGS,
    **needs(Scope.BALANCE_ADJUST, body=ReleaseBody, example=examples.RELEASE, errors=(409,)),
)
async def give_back(request: AnyRequest, operations: Operating) -> ReceiptView:
    """End a reservation: what is left of it pays again."""
    return await write_in_thread(operations.movements.give_back, await read_json(request, ReleaseBody))


ROUTES: Final[list[Any]] = [adjust_balance, transfer_money, set_aside, take_set_aside, give_back]
