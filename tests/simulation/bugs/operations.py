"""Bugs of operations: transfers, vouchers, renewals, and references that are used again."""

from typing import Any, Final

import msgspec
import pytest

from ocs.balance.client import BalanceClient, Change, StoreBusyError
from ocs.balance.store import NOTHING, Stored
from ocs.events import EventKind
from ocs.subscribers import office as office_module
from ocs.subscribers import vouchers
from ocs.subscribers.office import Office, Order, Receipt, RefusedForGoodError
from ocs.subscribers.redemptions import Redemptions
from ocs.subscribers.transfers import Transfers
from ocs.subscribers.vouchers import Voucher, VoucherState
from tests.simulation.bugs.plant import Plant


def transfer_finished_without_its_credit(patch: pytest.MonkeyPatch) -> None:
    """What was sent is taken for arrived as soon as it has left."""
    patch.setattr(
        Transfers,
        "_complete",
        lambda of, claimed: of._finish(claimed.account_id, claimed.reference),
    )


def transfer_given_back_after_a_doubt(patch: pytest.MonkeyPatch) -> None:
    """When it is not known whether the receiver has it, the sender has it back."""
    once = Office.once

    def carried_out(office: Office, order: Order, *rest: Any) -> Receipt:
        try:
            return once(office, order, *rest)
        except StoreBusyError as error:
            if order.operation == "transfer-in":
                raise RefusedForGoodError(str(error)) from error
            raise

    patch.setattr(Office, "once", carried_out)


def order_carried_out_again(patch: pytest.MonkeyPatch) -> None:
    """Who asks again with the same reference is served again."""
    decided = Office._decided

    def forgetful(office: Office, order: Order, act: Any, names: Any, values: tuple[Stored, ...]) -> Any:
        return decided(office, order, act, names, (values[0], NOTHING, *values[2:]))

    patch.setattr(Office, "_decided", forgetful)


def voucher_claimed_twice(patch: pytest.MonkeyPatch) -> None:
    """A voucher that somebody has claimed, and not yet redeemed, is anybody's."""
    claim = vouchers.claim

    def claimed(voucher: Voucher, account_id: str, now_ms: int) -> Voucher:
        if voucher.state is VoucherState.CLAIMED and voucher.account_id != account_id:
            voucher = msgspec.structs.replace(voucher, state=VoucherState.ACTIVE)
        return claim(voucher, account_id, now_ms)

    patch.setattr(vouchers, "claim", claimed)


def voucher_redeemed_before_it_is_credited(patch: pytest.MonkeyPatch) -> None:
    """A voucher is used up first; its value follows, unless somebody dies in between."""
    settle = Redemptions._settle

    def settled(of: Redemptions, claimed: Voucher) -> Receipt:
        of._finish(claimed.serial, claimed.claims, is_credited=True)
        return settle(of, claimed)

    patch.setattr(Redemptions, "_settle", settled)


def renewal_charged_again_after_a_crash(patch: pytest.MonkeyPatch) -> None:
    """A period is charged first, and noted as paid afterwards."""
    change = BalanceClient.change

    def apart(client: BalanceClient, account_id: str, names: tuple[str, ...], decide: Any) -> None:
        late: dict[str, Any] = {}

        def without_subscriber(values: tuple[Stored, ...]) -> Any:
            made = decide(values)
            if made is None or not any(event.kind is EventKind.FEE for event in made.events):
                return made
            numbers = iter(range(1 << 30))
            events = tuple(
                msgspec.structs.replace(event, event_id=f"{event.event_id};{event.sequence};{next(numbers)}")
                for event in made.events
            )
            late.update({key: value for key, value in made.writes.items() if "}u:" in key})
            kept = {key: value for key, value in made.writes.items() if key not in late}
            return msgspec.structs.replace(made, writes=kept, events=events)

        change(client, account_id, names, without_subscriber)
        if late:
            change(client, account_id, names, lambda _: Change(late))

    patch.setattr(BalanceClient, "change", apart)


def agenda_line_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What an offer costs next is not put on the agenda."""
    patch.setattr(office_module, "subscriber_due_ms", lambda subscriber: None)


THEME: Final = "accounts"
BUGS: Final[tuple[Plant, ...]] = (
    transfer_finished_without_its_credit,
    transfer_given_back_after_a_doubt,
    order_carried_out_again,
    voucher_claimed_twice,
    voucher_redeemed_before_it_is_credited,
    renewal_charged_again_after_a_crash,
    agenda_line_forgotten,
)
