"""The native resources of vouchers."""

from typing import Any, Final

from litestar import get, patch, post
from litestar.params import FromPath

from ocs.api import examples
from ocs.api.access import needs
from ocs.api.bodies import read_json
from ocs.api.operations import Operating
from ocs.api.problems import AnyRequest
from ocs.api.threads import read_in_thread, write_in_thread
from ocs.api.tokens import Scope
from ocs.api.views import ReceiptView
from ocs.api.voucher_batches import (
    NewVouchersView,
    RedemptionBody,
    VoucherBatchBody,
    VoucherBatchView,
    VoucherStateBody,
)

_TAGS: Final = ["balance"]


@post(
    "/api/v1/vouchers",
    tags=_TAGS,
    **needs(Scope.VOUCHER_WRITE, body=VoucherBatchBody, example=examples.VOUCHER_BATCH, errors=(409,)),
)
async def create_vouchers(request: AnyRequest, operations: Operating) -> NewVouchersView:
    """Make a batch of vouchers, not yet active. Their codes are in this answer and never shown again.

    A batch is made once. Who did not get the answer blocks it and makes another one.
    """
    return await write_in_thread(operations.vouchers.generate, await read_json(request, VoucherBatchBody))


@get("/api/v1/vouchers/{name:str}", tags=_TAGS, **needs(Scope.BALANCE_READ))
async def show_vouchers(operations: Operating, name: FromPath[str]) -> VoucherBatchView:
    """Show how far a batch has come, or one voucher by its serial number."""
    return await read_in_thread(operations.vouchers.show, name)


@patch(
    "/api/v1/vouchers/{name:str}",
    tags=_TAGS,
    **needs(Scope.VOUCHER_WRITE, body=VoucherStateBody, example=examples.VOUCHER_STATE, errors=(409,)),
)
async def change_vouchers(
    request: AnyRequest, operations: Operating, name: FromPath[str]
) -> VoucherBatchView:
    """Activate or block a voucher, or every unused one of a batch."""
    body = await read_json(request, VoucherStateBody)
    return await write_in_thread(operations.vouchers.change, name, body)


@post(
    "/api/v1/redemptions",
    tags=_TAGS,
    **needs(Scope.BALANCE_TOPUP, body=RedemptionBody, example=examples.REDEMPTION, errors=(409,)),
)
async def redeem_voucher(request: AnyRequest, operations: Operating) -> ReceiptView:
    """Put a voucher's value on an account, once for ever; the same account again gets its first receipt."""
    return await write_in_thread(operations.vouchers.redeem, await read_json(request, RedemptionBody))


ROUTES: Final[list[Any]] = [create_vouchers, show_vouchers, change_vouchers, redeem_voucher]
