"""A voucher's value put on an account, once for ever.

That spans two slots, so it is three commits, and a sweep completes what a crash left:

    1. claim    the voucher is kept for the account; the agenda notes it
    2. credit   the account gains its value by the reference ``SERIAL.CLAIM``, or refuses for good
    3. settle   the voucher is redeemed, or active again after a refusal; the line goes
"""

from collections.abc import Callable
from typing import Final

from ocs.balance import keys
from ocs.balance.client import Change
from ocs.balance.store import ABSENT, Stored
from ocs.subscribers import vouchers
from ocs.subscribers.agenda import UNDER_WAY_MS, voucher_member
from ocs.subscribers.office import Office, Order, Receipt, RefusedForGoodError
from ocs.subscribers.operations import OperationError, top_up
from ocs.subscribers.vouchers import Voucher, VoucherState, decode_voucher, reference_of

_OPERATION: Final = "voucher"


class Redemptions:
    """Changes vouchers in the store, and carries redemptions to their end."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._client = office.client

    def voucher(self, serial: str) -> Voucher:
        """A voucher by its serial number.

        Raises:
            OperationError: there is no such voucher.
        """
        (stored,) = self._client.load((self.key_of(serial),))
        if stored.token == ABSENT:
            raise OperationError(f"there is no voucher {serial!r}")
        return decode_voucher(stored.content)

    def redeem(self, serial: str, account_id: str) -> Receipt:
        """Put a voucher's value on an account; who has it already gets his first receipt.

        Raises:
            OperationError: the voucher is used, blocked, expired or not active, or the account refuses its value.
            StoreBusyError: it is not known how far it came; the sweep completes it, and so does a repeat.
        """
        now_ms = self._office.clock.now_ms()
        claimed = self.change(
            serial,
            lambda voucher: vouchers.claim(voucher, account_id, now_ms),
            due_ms=now_ms + UNDER_WAY_MS,
        )
        if claimed.state is VoucherState.CLAIMED:
            return self._settle(claimed)
        # Longer ago than receipts are remembered its value must not be put on the account again.
        receipt = self._office.receipt(_OPERATION, account_id, reference_of(claimed))
        if receipt is None:
            raise OperationError("this voucher has been redeemed")
        return receipt

    def complete(self, serial: str) -> None:
        """Bring a claim that is under way to its end; what the sweep does.

        Raises:
            StoreBusyError: not now.
        """
        voucher = self.voucher(serial)
        if voucher.state is not VoucherState.CLAIMED:
            self.change(serial, lambda voucher: voucher)
            return
        try:
            self._settle(voucher)
        except OperationError:
            return  # the account refused it for good, and it is active again

    def _settle(self, claimed: Voucher) -> Receipt:
        office, claims = self._office, claimed.claims
        reference = reference_of(claimed)
        try:
            receipt = office.once(
                Order(_OPERATION, claimed.account_id, reference, claimed.amount, keeps_refusal=True),
                lambda account, _: top_up(
                    account,
                    claimed.amount,
                    reference=reference,
                    now_ms=office.clock.now_ms(),
                    rules=office.rules,
                    reason="voucher",
                    event="voucher",
                ),
            )
        except RefusedForGoodError:
            self._finish(claimed.serial, claims, is_credited=False)
            raise
        self._finish(claimed.serial, claims, is_credited=True)
        return receipt

    def _finish(self, serial: str, claims: int, *, is_credited: bool) -> None:
        now_ms = self._office.clock.now_ms()
        self.change(
            serial, lambda voucher: vouchers.settled(voucher, claims, now_ms, is_credited=is_credited)
        )

    def change(self, serial: str, act: Callable[[Voucher], Voucher], *, due_ms: int | None = None) -> Voucher:
        """Change a voucher; its line stands on the agenda as long as it is claimed."""
        key = self.key_of(serial)
        changed: list[Voucher] = []

        def decide(values: tuple[Stored, ...]) -> Change:
            if values[0].token == ABSENT:
                raise OperationError(f"there is no voucher {serial!r}")
            before = decode_voucher(values[0].content)
            changed.append(after := act(before))
            line: dict[str, int | None] = {}
            if after.state is not VoucherState.CLAIMED:
                line = {voucher_member(serial): None}
            elif due_ms is not None:
                line = {voucher_member(serial): due_ms}
            return Change({key: after} if after is not before else {}, agenda=line)

        self._client.change(serial, (key,), decide)
        return changed[-1]

    def key_of(self, name: str) -> str:
        """Where a voucher, or a batch, stands."""
        return keys.voucher_key(self._client.partition_of(name), name)
