"""Vouchers and their states: generated, active, claimed, redeemed, blocked. Pure.

state       leaves it by                                       towards
GENERATED   activation of its batch or of itself               ACTIVE
ACTIVE      the right code, before it expires                  CLAIMED
CLAIMED     the account has its value; the account refused it  REDEEMED; ACTIVE
any but CLAIMED and REDEEMED may be BLOCKED, and a blocked one activated again
"""

from enum import IntEnum
from typing import Final

import msgspec

from ocs.subscribers.operations import OperationError
from ocs.units import Money

_replace = msgspec.structs.replace


class VoucherState(IntEnum):
    """How far a voucher has come; expired is told by its date."""

    GENERATED = 1
    ACTIVE = 2
    CLAIMED = 3
    REDEEMED = 4
    BLOCKED = 5


class Voucher(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One voucher as the store has it: never its code.

    Attributes:
        digest: of its code (:func:`~ocs.subscribers.voucher_codes.digest_of`).
        expires_ms: epoch milliseconds from which it pays nothing; 0 is never.
        claims: how often it was claimed; each claim is settled once, so an earlier one cannot pay again.
        account_id: who claimed or redeemed it. changed_ms: when it came to its state.
    """

    serial: str
    digest: str
    amount: Money
    state: VoucherState
    expires_ms: int = 0
    claims: int = 0
    account_id: str = ""
    changed_ms: int = 0


class VoucherBatch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Vouchers made together, with serial numbers ``BATCH-0000001`` and on."""

    batch: str
    count: int
    amount: Money
    created_ms: int
    expires_ms: int = 0


decode_voucher: Final = msgspec.msgpack.Decoder(Voucher).decode
decode_batch: Final = msgspec.msgpack.Decoder(VoucherBatch).decode


def serial_of(batch: str, number: int) -> str:
    """The serial number of a batch's voucher, counted from 1."""
    return f"{batch}-{number:07d}"


def state_in_words(voucher: Voucher, now_ms: int) -> str:
    """The state as people know it: what is past its date and not used is expired."""
    unused = voucher.state in {VoucherState.GENERATED, VoucherState.ACTIVE}
    return "expired" if unused and _is_expired(voucher, now_ms) else voucher.state.name.lower()


def reference_of(voucher: Voucher) -> str:
    """What the account knows the credit of this claim by."""
    return f"{voucher.serial}.{voucher.claims}"


def activate(voucher: Voucher, now_ms: int) -> Voucher:
    """Let it be redeemed; an active one stays as it is.

    Raises:
        OperationError: it is used.
    """
    if voucher.state is VoucherState.ACTIVE:
        return voucher
    if voucher.state in {VoucherState.CLAIMED, VoucherState.REDEEMED}:
        raise OperationError(f"voucher {voucher.serial} is redeemed")
    return _replace(voucher, state=VoucherState.ACTIVE, changed_ms=now_ms)


def block(voucher: Voucher, now_ms: int) -> Voucher:
    """Let it not be redeemed; a blocked one stays as it is.

    Raises:
        OperationError: it is used.
    """
    if voucher.state is VoucherState.BLOCKED:
        return voucher
    if voucher.state in {VoucherState.CLAIMED, VoucherState.REDEEMED}:
        raise OperationError(f"voucher {voucher.serial} is redeemed")
    return _replace(voucher, state=VoucherState.BLOCKED, changed_ms=now_ms)


def claim(voucher: Voucher, account_id: str, now_ms: int) -> Voucher:
    """Keep it for an account; what that account has claimed or redeemed already stays as it is.

    Raises:
        OperationError: it is another's, or not active, or expired.
    """
    used = voucher.state in {VoucherState.CLAIMED, VoucherState.REDEEMED}
    if used and voucher.account_id == account_id:
        return voucher
    if used:
        raise OperationError("this voucher has been redeemed")
    if voucher.state is not VoucherState.ACTIVE or _is_expired(voucher, now_ms):
        raise OperationError(f"this voucher is {_why_not(voucher, now_ms)}")
    return _replace(
        voucher,
        state=VoucherState.CLAIMED,
        claims=voucher.claims + 1,
        account_id=account_id,
        changed_ms=now_ms,
    )


def settled(voucher: Voucher, claims: int, now_ms: int, *, is_credited: bool) -> Voucher:
    """Finish a claim: redeemed, or, when the account refused its value, active for somebody else.

    Args:
        claims: which claim it was; what is settled, or a later one, stays as it is.
    """
    if voucher.state is not VoucherState.CLAIMED or voucher.claims != claims:
        return voucher
    if is_credited:
        return _replace(voucher, state=VoucherState.REDEEMED, changed_ms=now_ms)
    return _replace(voucher, state=VoucherState.ACTIVE, account_id="", changed_ms=now_ms)


def _is_expired(voucher: Voucher, now_ms: int) -> bool:
    return 0 < voucher.expires_ms <= now_ms


def _why_not(voucher: Voucher, now_ms: int) -> str:
    words = state_in_words(voucher, now_ms)
    return "not active yet" if words == "generated" else words
