"""Every state of a voucher under everything that can be done to it."""

import pytest

from ocs.subscribers.operations import OperationError
from ocs.subscribers.vouchers import (
    Voucher,
    VoucherState,
    activate,
    block,
    claim,
    reference_of,
    serial_of,
    settled,
    state_in_words,
)
from ocs.units import Money

S = VoucherState
NOW_MS = 1_000


def voucher(state: VoucherState, **changes: object) -> Voucher:
    fields = {"account_id": "a", "claims": 1} if state in {S.CLAIMED, S.REDEEMED} else {}
    return Voucher("b-0000001", "d", Money(5, "EUR"), state, **(fields | changes))  # type: ignore[arg-type]


ACTS = {
    "activate": lambda v: activate(v, NOW_MS),
    "block": lambda v: block(v, NOW_MS),
    "claim": lambda v: claim(v, "a", NOW_MS),
    "claim by another": lambda v: claim(v, "b", NOW_MS),
    "credited": lambda v: settled(v, 1, NOW_MS, is_credited=True),
    "refused": lambda v: settled(v, 1, NOW_MS, is_credited=False),
}
# Where each act leads from each state; None is refused.
TABLE = {
    S.GENERATED: (S.ACTIVE, S.BLOCKED, None, None, S.GENERATED, S.GENERATED),
    S.ACTIVE: (S.ACTIVE, S.BLOCKED, S.CLAIMED, S.CLAIMED, S.ACTIVE, S.ACTIVE),
    S.CLAIMED: (None, None, S.CLAIMED, None, S.REDEEMED, S.ACTIVE),
    S.REDEEMED: (None, None, S.REDEEMED, None, S.REDEEMED, S.REDEEMED),
    S.BLOCKED: (S.ACTIVE, S.BLOCKED, None, None, S.BLOCKED, S.BLOCKED),
}


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("act", ACTS)
def test_each_act_in_each_state(state: VoucherState, act: str):
    expected = TABLE[state][list(ACTS).index(act)]
    if expected is None:
        with pytest.raises(OperationError):
            ACTS[act](voucher(state))
    else:
        assert ACTS[act](voucher(state)).state is expected


def test_expired_voucher_is_not_claimed():
    late = voucher(S.ACTIVE, expires_ms=NOW_MS)
    with pytest.raises(OperationError, match="is expired"):
        claim(late, "a", NOW_MS)
    assert state_in_words(late, NOW_MS) == "expired"
    assert state_in_words(late, NOW_MS - 1) == "active"
    assert claim(late, "a", NOW_MS - 1).state is S.CLAIMED
    assert state_in_words(voucher(S.REDEEMED, expires_ms=1), NOW_MS) == "redeemed"


def test_each_claim_has_a_reference_of_its_own():
    first = claim(voucher(S.ACTIVE), "a", NOW_MS)
    again = claim(settled(first, 1, NOW_MS, is_credited=False), "b", NOW_MS)
    assert (reference_of(first), reference_of(again)) == ("b-0000001.1", "b-0000001.2")


def test_earlier_claim_settles_no_later_one():
    again = voucher(S.CLAIMED, claims=2, account_id="b")
    assert settled(again, 1, NOW_MS, is_credited=False) is again


def test_serial_numbers_sort_as_they_count():
    assert serial_of("b", 9) < serial_of("b", 10)
