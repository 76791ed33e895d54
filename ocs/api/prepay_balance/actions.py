"""Carries TMF654's actions out: claimed as a record, done once under the record's id, finished, announced. Blocking.

An action that was refused is a record too, with status ``failed``, so that its repeat gets the same answer and whoever
listens is told. One whose outcome the store did not confirm stays ``created``; its repeat, or the sweep, carries it out
again under the same reference, which moves nothing twice.
"""

import hashlib
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec
import redis

from ocs.api.prepay_balance.quantities import QuantityError, UsageType, read_quantity
from ocs.api.prepay_balance.resources import (
    ACTIONS,
    ADJUST_BALANCE,
    BASE,
    BODIES,
    RESERVE_BALANCE,
    TOPUP_BALANCE,
    TRANSFER_BALANCE,
    ActionBody,
    AdjustBody,
    TopupBody,
    TransferBalanceBody,
)
from ocs.api.prepay_balance.views import action_view, split_bucket_id
from ocs.api.tmf.delivery import announce, make_event
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.hubs import HubStore
from ocs.api.tmf.records import ActionRecord, ActionStatus, RecordStore
from ocs.api.tmf.resources import Quantity, Reference, encode_body
from ocs.balance.client import StoreBusyError
from ocs.clock import Clock
from ocs.limits import ACTION_OCTETS_MAX, ACTION_PENDING_S, ACTIONS_PER_SWEEP
from ocs.log import get_logger
from ocs.subscribers.office import Receipt
from ocs.subscribers.operations import MAIN_BUCKET, OperationError
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.voucher_service import VoucherService
from ocs.units import CurrencyMismatchError, Money, format_micro

log = get_logger(__name__)

_NO_SLUG: Final = re.compile(r"[^a-z0-9]+")
_REASON_CHARACTERS_MAX: Final = 64
# As which operation an action is undone, where it can be.
_UNDONE_AS: Final = {
    TOPUP_BALANCE.path: "adjustment",
    ADJUST_BALANCE.path: "adjustment",
    RESERVE_BALANCE.path: "release",
}
# What listeners are told when an action has come to this.
_TOLD: Final = {
    ActionStatus.COMPLETED: "Create",
    ActionStatus.FAILED: "Failure",
    ActionStatus.CANCELLED: "Cancel",
}


class Actions:
    """TMF654's actions on a store.

    Args:
        service: gives what moves balances, with the offers of today; vouchers: gives what redeems them.
    """

    def __init__(
        self,
        records: RecordStore,
        hubs: HubStore,
        clock: Clock,
        *,
        service: Callable[[], SubscriberService],
        vouchers: Callable[[], VoucherService],
    ) -> None:
        self.records = records
        self._hubs = hubs
        self._clock = clock
        self._service = service
        self._vouchers = vouchers

    def create(self, kind: str, body: ActionBody, *, caller: str, key: str) -> ActionRecord:
        """Do what is asked for, once per caller and idempotency key; every call without a key is one of its own.

        Raises:
            TmfError: 400 when it cannot be meant so, 409 when the key was used for something else, 413 when it says
                too much.
            StoreBusyError, redis.RedisError: it is not known whether it was done; the same key may be sent again.
        """
        account_id = account_of(body)
        _check(body)
        voucher = body.voucher if isinstance(body, TopupBody) else ""
        # The code itself is worth money: it is kept nowhere, so only its bearer can repeat an unclear redemption.
        octets = encode_body(msgspec.structs.replace(body, voucher=masked(voucher)) if voucher else body)
        if len(octets) > ACTION_OCTETS_MAX:
            raise TmfError(413, f"the body: {ACTION_OCTETS_MAX} octets at most")
        record = ActionRecord(
            self.records.new_id(kind, account_id, caller=caller, key=key),
            kind,
            account_id,
            caller,
            hashlib.sha256(octets).digest(),
            octets,
            ActionStatus.CREATED,
            self._clock.now_ms(),
        )
        standing = self.records.claim(record)
        if standing.fingerprint != record.fingerprint:
            raise TmfError(409, "Idempotency-Key: it was used for another request")
        return self.carry_out(standing, voucher)

    def carry_out(self, record: ActionRecord, voucher: str = "") -> ActionRecord:
        """Do what a record asks for, unless it has been done; whoever listens is told then."""
        if record.status is ActionStatus.CREATED:
            record = self.records.finish(self._done(record, voucher))
        self._announce(record)
        self.records.settled(record)
        return record

    def cancel(self, record: ActionRecord) -> ActionRecord:
        """Undo an action: a reservation is given back; a top-up or an adjustment is taken back if the money is there.

        Raises:
            TmfError: 409 when it cannot be undone.
        """
        if record.status is ActionStatus.CANCELLED:
            return record
        if record.status is not ActionStatus.COMPLETED:
            raise TmfError(409, f"it is {record.status}: only what was completed can be cancelled")
        try:
            self._undo(record)
        except (OperationError, CurrencyMismatchError) as error:
            raise TmfError(409, str(error)) from None
        cancelled = msgspec.structs.replace(
            record, status=ActionStatus.CANCELLED, confirmed_ms=self._clock.now_ms()
        )
        cancelled = self.records.replace(cancelled, ActionStatus.COMPLETED)
        self._announce(cancelled)
        return cancelled

    def complete_pending(self) -> int:
        """Carry out what crashes and unclear outcomes left; returns how many records were settled."""
        before_ms = self._clock.now_ms() - int(ACTION_PENDING_S * 1000)
        settled = 0
        for record_id, record in self.records.pending(before_ms, ACTIONS_PER_SWEEP):
            if record is None:
                self.records.drop_pending(record_id)
                continue
            if record.status is ActionStatus.CREATED and _is_redemption(record):
                self.records.settled(
                    record
                )  # its bearer repeats it; the voucher's own sweep completes what was begun
                continue
            try:
                self.carry_out(record)
            except (StoreBusyError, redis.RedisError) as error:
                log.warning("action_pending", record=record_id, reason=str(error), remedy="look at the store")
            else:
                settled += 1
        return settled

    # --- One action -------------------------------------------------------------------------------------

    def _done(self, record: ActionRecord, voucher: str) -> ActionRecord:
        body = msgspec.json.decode(record.body, type=BODIES[record.kind])
        replace = msgspec.structs.replace
        status = ActionStatus.COMPLETED
        try:
            if isinstance(body, TopupBody) and body.voucher:
                body = replace(body, amount=self._redeem(record, voucher))
            elif self._move(record, body).repeated and self._is_undone(record):
                # Its record was deleted or has gone, and with it that it was cancelled: it moves nothing any more.
                status = ActionStatus.CANCELLED
        except (OperationError, CurrencyMismatchError) as error:
            failed_ms = self._clock.now_ms()
            return replace(record, status=ActionStatus.FAILED, confirmed_ms=failed_ms, reason=str(error))
        done_ms = self._clock.now_ms()
        return replace(record, status=status, confirmed_ms=done_ms, body=encode_body(body))

    def _move(self, record: ActionRecord, body: ActionBody) -> Receipt:
        service, amount = self._service(), money_of(body)
        account_id, reference = record.account_id, reference_of(record)
        if record.kind == TOPUP_BALANCE.path:
            return service.top_up(account_id, amount, reference=reference)
        if record.kind == ADJUST_BALANCE.path:
            return service.adjust(account_id, amount, reason=reason_code(body.reason), reference=reference)
        if isinstance(body, TransferBalanceBody):
            receiver, _ = split_bucket_id(body.receiver_bucket.id)
            return service.transfer(account_id, receiver, amount, reference=reference)
        return service.set_aside(account_id, amount, reference=reference)

    def _is_undone(self, record: ActionRecord) -> bool:
        operation = _UNDONE_AS.get(record.kind)
        if operation is None:
            return False
        receipt = self._service().office.receipt(operation, record.account_id, _undoing(record))
        return receipt is not None

    def _redeem(self, record: ActionRecord, voucher: str) -> Quantity:
        receipt = self._vouchers().redeem(record.account_id, voucher)
        return Quantity(Decimal(format_micro(receipt.amount.micro)), receipt.amount.currency)

    def _undo(self, record: ActionRecord) -> None:
        body = msgspec.json.decode(record.body, type=BODIES[record.kind])
        service, reference = self._service(), _undoing(record)
        if record.kind == RESERVE_BALANCE.path:
            service.give_back(record.account_id, reservation=reference_of(record), reference=reference)
        elif record.kind == TRANSFER_BALANCE.path or (isinstance(body, TopupBody) and body.voucher):
            raise TmfError(409, "a transfer and a redeemed voucher cannot be cancelled")
        elif record.kind == TOPUP_BALANCE.path:
            service.take_back(
                record.account_id, money_of(body), top_up=reference_of(record), reference=reference
            )
        else:
            amount = money_of(body)
            back = Money(-amount.micro, amount.currency)
            service.adjust(record.account_id, back, reason="cancelled", reference=reference)

    def _announce(self, record: ActionRecord) -> None:
        """Queue the event of what a record has come to; its id tells a copy."""
        what = _TOLD.get(record.status)
        if what is not None:
            event_id = f"{record.record_id}:{record.status}"
            event = make_event(
                ACTIONS[record.kind],
                what,
                action_view(record),
                event_id=event_id,
                now_ms=record.confirmed_ms,
            )
            announce(self._hubs, BASE, event)


def account_of(body: ActionBody) -> str:
    """The account that an action is about: its bucket's, which must be the party account's too.

    Raises:
        TmfError: 400, they differ.
    """
    account_id, _ = split_bucket_id(body.bucket.id)
    named: Reference | None = getattr(body, "party_account", None)
    if named is not None and named.id != account_id:
        raise TmfError(400, "bucket.id: a bucket of partyAccount is expected, as GET /bucket shows it")
    return account_id


def money_of(body: ActionBody) -> Money:
    """What an action moves.

    Raises:
        OperationError: no amount of money.
    """
    if body.amount is None:
        raise OperationError("amount: it is missing")
    try:
        units = read_quantity(body.amount, body.usage_type)
    except QuantityError as error:
        raise OperationError(str(error)) from None
    return Money(units.value, units.currency)


def reason_code(text: str) -> str:
    """A reason as the operator's code: small letters, digits and hyphens."""
    return _NO_SLUG.sub("-", text.lower()).strip("-")[:_REASON_CHARACTERS_MAX].strip("-") or "unspecified"


def reference_of(record: ActionRecord) -> str:
    """The reference under which a record's action is done."""
    return f"tmf654-{record.record_id}"


def _undoing(record: ActionRecord) -> str:
    """The reference under which it is undone."""
    return f"{reference_of(record)}:cancel"


def masked(voucher: str) -> str:
    """A voucher's code as it may be kept: its last digits, by which its bearer knows it."""
    return f"...{voucher[-4:]}" if len(voucher) >= 12 else "..."


def _is_redemption(record: ActionRecord) -> bool:
    body = msgspec.json.decode(record.body, type=BODIES[record.kind])
    return isinstance(body, TopupBody) and bool(body.voucher)


def _check(body: ActionBody) -> None:
    """Refuse what cannot be carried out as it is meant.

    Raises:
        TmfError: 400, naming the attribute.
    """
    buckets = [body.bucket, *([body.receiver_bucket] if isinstance(body, TransferBalanceBody) else [])]
    for bucket in buckets:
        account_id, name = split_bucket_id(bucket.id)
        if not account_id or name not in {"", MAIN_BUCKET}:
            raise TmfError(400, f"bucket.id: the money of an account is expected: ACCOUNT:{MAIN_BUCKET}")
    types = [
        body.usage_type,
        *([body.receiver_bucket_usage_type] if isinstance(body, TransferBalanceBody) else []),
    ]
    if any(usage_type is not UsageType.MONETARY for usage_type in types):
        raise TmfError(400, "usageType: monetary is expected; allowances come with offers")
    if body.valid_for is not None:
        raise TmfError(400, "validFor: money does not expire by itself, and reservations are cancelled")
    if isinstance(body, TransferBalanceBody) and not (body.reason and body.channel and body.logical_resource):
        raise TmfError(400, "reason, channel, logicalResource: a transfer needs all three")
    is_voucher = isinstance(body, TopupBody) and bool(body.voucher)
    if isinstance(body, TopupBody) and (
        body.is_auto_topup or body.recurring_period or body.number_of_periods
    ):
        raise TmfError(400, "isAutoTopup: periodic top-ups are not carried out")
    if is_voucher:
        return
    if body.amount is None:
        raise TmfError(400, "amount: it is missing")
    try:
        value = read_quantity(body.amount, body.usage_type).value
    except QuantityError as error:
        raise TmfError(400, str(error)) from None
    if value == 0 or (value < 0 and not isinstance(body, AdjustBody)):
        raise TmfError(400, "amount: more than nothing is expected")
