"""Vouchers over the native API: made in batches, their codes told once; activated, blocked, redeemed. Blocking."""

from collections import Counter
from datetime import datetime
from typing import Literal

import msgspec

from ocs.api.backstage import Backstage
from ocs.api.bodies import MoneyBody
from ocs.api.tmf.resources import date_time
from ocs.api.views import MoneyView, ReceiptView, money_view, receipt_view
from ocs.limits import VOUCHERS_PER_REQUEST_MAX
from ocs.subscribers.operations import OperationError
from ocs.subscribers.voucher_service import VoucherService
from ocs.subscribers.vouchers import Voucher, state_in_words


class VoucherBatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Vouchers to be made: how many, worth what, and until when (with its zone; missing is for ever) they pay."""

    batch: str
    count: int
    amount: MoneyBody
    valid_until: datetime | None = None


class VoucherStateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a voucher, or every unused one of a batch, shall be."""

    state: Literal["active", "blocked"]


class RedemptionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A voucher's code, and the account that gets its value."""

    account_id: str
    code: str


class VoucherCodeView(msgspec.Struct, frozen=True):
    """A voucher that was just made; its code is shown this once and kept nowhere."""

    serial: str
    code: str


class NewVouchersView(msgspec.Struct, frozen=True):
    """A batch with its codes."""

    batch: str
    count: int
    amount: MoneyView
    valid_until: str | None
    vouchers: tuple[VoucherCodeView, ...]


class VoucherBatchView(msgspec.Struct, frozen=True):
    """A batch, or one voucher as a batch of one: how many are in which state."""

    name: str
    count: int
    amount: MoneyView
    valid_until: str | None
    states: dict[str, int]
    account_id: str = ""


class VoucherBatches:
    """Makes vouchers and changes them.

    Raises (all methods):
        OperationError: refused, or vouchers are not set up here.
        StoreBusyError: it is not known how far it came; it may be sent again.
    """

    def __init__(self, backstage: Backstage) -> None:
        self._backstage = backstage

    def generate(self, body: VoucherBatchBody) -> NewVouchersView:
        """Make a batch, not yet active. The same batch again is refused: its codes are told once."""
        if not 1 <= body.count <= VOUCHERS_PER_REQUEST_MAX:
            raise OperationError(
                f"count: 1 to {VOUCHERS_PER_REQUEST_MAX} at a time; `ocs voucher generate` makes larger batches"
            )
        amount = body.amount.money()
        currency = self._backstage.catalogue().currency
        if amount.currency != currency:
            raise OperationError(f"amount: vouchers are in {currency}")
        expires_ms = 0
        if body.valid_until is not None:
            if body.valid_until.tzinfo is None:
                raise OperationError("valid_until: a time with its zone is expected")
            expires_ms = int(body.valid_until.timestamp() * 1000)
        made = self._backstage.vouchers(may_create=True).generate(
            body.batch, body.count, amount, expires_ms=expires_ms
        )
        vouchers = tuple(VoucherCodeView(serial, code) for serial, code in made)
        return NewVouchersView(
            body.batch, len(vouchers), money_view(amount.micro, currency), _until(expires_ms), vouchers
        )

    def show(self, name: str) -> VoucherBatchView:
        """A batch, or one voucher by its serial number."""
        service = self._backstage.vouchers()
        now_ms = self._backstage.service().office.clock.now_ms()
        if "-" in name:
            return _voucher_view(service.voucher(name), now_ms)
        batch = service.batch(name)
        states = Counter(state_in_words(each, now_ms) for each in _small_batch(service, name))
        return VoucherBatchView(
            name,
            batch.count,
            money_view(batch.amount.micro, batch.amount.currency),
            _until(batch.expires_ms),
            dict(sorted(states.items())),
        )

    def change(self, name: str, body: VoucherStateBody) -> VoucherBatchView:
        """Activate or block one voucher, or every unused one of a batch; what is redeemed stays so."""
        service = self._backstage.vouchers()
        act = service.activate if body.state == "active" else service.block
        if "-" in name:
            act(name)
            return self.show(name)
        for voucher in _small_batch(service, name):
            try:
                act(voucher.serial)
            except OperationError:
                continue  # redeemed by now: what is shown says so
        return self.show(name)

    def redeem(self, body: RedemptionBody) -> ReceiptView:
        """Put a voucher's value on an account, once for ever."""
        return receipt_view(self._backstage.vouchers().redeem(body.account_id, body.code))


def _small_batch(service: VoucherService, name: str) -> list[Voucher]:
    """The vouchers of a batch that one request has time for."""
    if service.batch(name).count > VOUCHERS_PER_REQUEST_MAX:
        raise OperationError(
            f"batch {name} is too large for one request: use `ocs voucher`, or serial numbers"
        )
    return list(service.vouchers_of(name))


def _voucher_view(voucher: Voucher, now_ms: int) -> VoucherBatchView:
    return VoucherBatchView(
        voucher.serial,
        1,
        money_view(voucher.amount.micro, voucher.amount.currency),
        _until(voucher.expires_ms),
        {state_in_words(voucher, now_ms): 1},
        voucher.account_id,
    )


def _until(expires_ms: int) -> str | None:
    return date_time(expires_ms) if expires_ms else None
