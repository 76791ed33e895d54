"""Bugs of what is done to accounts by holders' orders and by dates: reservations, plans, lives, automatic top-ups."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import pytest

from ocs.balance.client import StoreBusyError
from ocs.balance.model import SessionService
from ocs.charging import sessions as sessions_module
from ocs.charging.sessions import SessionDecision
from ocs.events import ChargeEvent
from ocs.messages import Outcome, ServiceAnswer
from ocs.subscribers import adjustments, agenda, auto_top_up
from ocs.subscribers import operations as operations_module
from ocs.subscribers.auto_top_up import AutoTopUps
from ocs.subscribers.plans import Plans
from tests.simulation.bugs.plant import Plant


def set_aside_money_pays(patch: pytest.MonkeyPatch) -> None:
    """What is set aside is a bucket like any other, so that sessions draw from it."""
    patch.setattr(adjustments, "_NEVER_MS", 0)


def plan_changed_in_two_steps(patch: pytest.MonkeyPatch) -> None:
    """What a subscriber had ends in one commit, and what takes its place begins in the next."""

    def change(plans: Plans, account_id: str, name: str, old: str, new: str, *, reference: str) -> Any:
        plans._once(("change", account_id, name, old, f"{reference}"), lambda plan: plan.cancel(old))
        return plans._once(("change", account_id, name, new, f"{reference}."), lambda plan: plan.buy(new))

    patch.setattr(Plans, "change", change)


def top_up_prolongs_nothing(patch: pytest.MonkeyPatch) -> None:
    """An account that is topped up dies on the day that it had."""
    patch.setattr(operations_module, "topped_up", lambda account, now_ms, rules: account)


def dates_left_off_the_agenda(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks at an account when its date comes."""
    patch.setattr(agenda, "due_ms", lambda account, rules: 0)


def bar_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Who is barred is served as long as there is money."""
    patch.setattr(sessions_module, "is_barred", lambda account, subscriber, context: False)


def redirected_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A session that was redirected for want of money gets nothing when there is some again."""
    reserve = SessionDecision._reserve

    def nothing_more(
        of: SessionDecision, draft: Any, rates: Any, services: list[SessionService], index: int, *rest: Any
    ) -> tuple[SessionService, ServiceAnswer]:
        service = services[index]
        if service.is_redirected and service.tariff_path:
            answer = ServiceAnswer(Outcome.SUCCESS, service.rating_group, service.service_identifiers)
            return service, answer
        return reserve(of, draft, rates, services, index, *rest)

    patch.setattr(SessionDecision, "_reserve", nothing_more)


def payment_named_by_chance(patch: pytest.MonkeyPatch) -> None:
    """Each try to pay has a reference of its own."""
    numbers = iter(range(1 << 30))
    patch.setattr(auto_top_up, "payment_reference", lambda event: f"auto:{UUID(int=next(numbers)).hex}")


def paid_and_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A payment whose top-up the store did not confirm is not looked at again."""
    handle: Callable[[AutoTopUps, ChargeEvent], Any] = AutoTopUps.handle

    def once(desk: AutoTopUps, event: ChargeEvent) -> Any:
        try:
            return handle(desk, event)
        except StoreBusyError:
            return None

    patch.setattr(AutoTopUps, "handle", once)


THEME: Final = "accounts"
BUGS: Final[tuple[Plant, ...]] = (
    set_aside_money_pays,
    plan_changed_in_two_steps,
    top_up_prolongs_nothing,
    dates_left_off_the_agenda,
    bar_forgotten,
    redirected_for_ever,
    payment_named_by_chance,
    paid_and_forgotten,
)
