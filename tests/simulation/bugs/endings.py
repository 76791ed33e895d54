"""Bugs of money with an end, of what a family has once, and of payments that an account does not take."""

from typing import Any, Final

import msgspec
import pytest

from ocs.api import payments as payments_module
from ocs.balance import purse as purse_module
from ocs.balance.model import Account, Bucket, LifecycleState
from ocs.balance.purse import Purse
from ocs.events import BucketMovement
from ocs.subscribers import adjustments, operations, origins, subscriptions, top_ups
from ocs.subscribers.grants import free_id
from ocs.subscribers.plans import Plans
from ocs.subscribers.subscriptions import Plan
from tests.simulation.bugs.plant import Plant


def what_comes_back_never_ends(patch: pytest.MonkeyPatch) -> None:
    """Money that was set aside, or paid for days that will not come, goes back to where paid money is."""

    def to_main(purse: Purse, drawn: tuple[Bucket, ...], amount_micro: int) -> tuple[BucketMovement, ...]:
        del drawn
        return origins.put_back(purse, (), amount_micro)

    patch.setattr(adjustments, "put_back", to_main)
    patch.setattr(subscriptions, "put_back", to_main)


def first_drawn_comes_back_first(patch: pytest.MonkeyPatch) -> None:
    """What was taken of a reservation was paid money, and the bonus comes back."""

    def backwards(purse: Purse, drawn: tuple[Bucket, ...], amount_micro: int) -> tuple[BucketMovement, ...]:
        return origins.put_back(purse, drawn[::-1], amount_micro)

    patch.setattr(adjustments, "put_back", backwards)
    patch.setattr(subscriptions, "put_back", backwards)


def what_comes_back_too_late_stays(patch: pytest.MonkeyPatch) -> None:
    """What has expired meanwhile is not taken out again when it comes back."""

    def nothing(purse: Purse, **_: object) -> tuple[Any, ...]:
        del purse
        return ()

    patch.setattr(adjustments, "expired_again", nothing)
    patch.setattr(subscriptions, "expired_again", nothing)


def expired_money_pays(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks at the end of what pays."""
    patch.setattr(purse_module, "is_valid", lambda bucket, now_ms: bucket.valid_from_ms <= now_ms)


def bonus_is_sent_to_others(patch: pytest.MonkeyPatch) -> None:
    """A bonus can be sent to another account, where it has no end."""
    patch.setattr(
        adjustments,
        "_lasting_money",
        lambda purse: {
            bucket.bucket_id: bucket.value - bucket.reserved
            for bucket in purse.buckets
            if bucket.value > bucket.reserved and purse_module.is_valid(bucket, purse.now_ms) and not bucket.allowance
        },
    )  # fmt: skip


def each_brings_what_the_family_has(patch: pytest.MonkeyPatch) -> None:
    """Each member brings the allowance that all of them have once."""
    patch.setattr(
        Plan,
        "_bucket_id",
        lambda plan, offer, grant, until_ms: free_id(plan._base_of(offer, grant), plan._purse.buckets),
    )


def family_loses_it_with_the_first_who_goes(patch: pytest.MonkeyPatch) -> None:
    """Who ends the offer takes the allowance with him, whoever else has it."""
    patch.setattr(Plans, "_others_have", lambda plans, account_id, subscriber_id, offer_id: False)


def used_up_and_given_back(patch: pytest.MonkeyPatch) -> None:
    """The price of the days that are left comes back, however much of what they brought is used."""
    patch.setattr(Plan, "_unused", lambda plan, bases, amount_micro: amount_micro)


def closed_account_takes_money(patch: pytest.MonkeyPatch) -> None:
    """A payment goes to an account that is closed, where nobody can use it."""
    check_room = operations.check_room

    def checked(account: Account, amount: Any) -> None:
        check_room(msgspec.structs.replace(account, state=LifecycleState.ACTIVE), amount)

    patch.setattr(operations, "check_room", checked)


def refused_payment_pays(patch: pytest.MonkeyPatch) -> None:
    """What an account has not taken lies there, and under a name that nobody asks for."""
    park = top_ups.park
    patch.setattr(top_ups, "park", lambda account, amount, *, reference, now_ms, why: park(
        account, amount, reference=f"{reference}.{now_ms}", now_ms=now_ms, why=why
    ))  # fmt: skip


def payment_not_on_the_agenda(patch: pytest.MonkeyPatch) -> None:
    """A payment is noted as paid, and only who noted it knows that it is to be credited."""
    patch.setattr(payments_module, "payment_member", lambda account_id, reference, amount: f"p\n{reference}")


THEME: Final = "accounts"
BUGS: Final[tuple[Plant, ...]] = (
    what_comes_back_never_ends,
    first_drawn_comes_back_first,
    what_comes_back_too_late_stays,
    expired_money_pays,
    bonus_is_sent_to_others,
    each_brings_what_the_family_has,
    family_loses_it_with_the_first_who_goes,
    used_up_and_given_back,
    closed_account_takes_money,
    refused_payment_pays,
    payment_not_on_the_agenda,
)
