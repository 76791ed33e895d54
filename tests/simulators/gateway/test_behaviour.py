"""A subscriber's day."""

import itertools
from collections import Counter
from collections.abc import Callable
from random import Random

import msgspec
import pytest

from ocs.messages import RequestedAction, Service
from simulators.gateway.behaviour import Habits, plots, subscriber_day
from simulators.gateway.model import (
    Ask,
    CreditAnswer,
    CreditRequest,
    Pause,
    ServiceResult,
    Subscriber,
    Units,
)
from simulators.gateway.sessions import Leaving

SUBSCRIBER = Subscriber("491710000001")


def requests_of_a_day(
    seed: int, steps: int, result: Callable[[CreditRequest], int | None] = lambda request: 2001
) -> list[CreditRequest]:
    """Play for so many steps with generous answers (None: none came), then leave."""
    numbers, leaving = itertools.count(1), Leaving()
    day = subscriber_day(SUBSCRIBER, Habits(), Random(seed), lambda: f"g;{next(numbers)}", leaving)
    requests: list[CreditRequest] = []
    outcome: float | CreditAnswer | None = None
    for position in itertools.count():
        leaving.now = position >= steps
        try:
            step = day.send(outcome)
        except StopIteration:
            return requests
        if isinstance(step, Ask):
            requests.append(step.request)
            units = Units(total_octets=10_000_000, time_s=60, service_specific_units=1)
            services = tuple(
                ServiceResult(report.rating_group, 2001, granted=units if report.requested else None)
                for report in step.request.reports
            )
            code = result(step.request)
            kind = int(step.request.request_type)
            outcome = (
                CreditAnswer(step.request.session_id, code, kind, 0, services=services)
                if code is not None
                else None
            )
        else:
            outcome = step.seconds
    raise AssertionError


def test_same_seed_plays_the_same_day() -> None:
    assert requests_of_a_day(3, 200) == requests_of_a_day(3, 200)
    assert requests_of_a_day(3, 200) != requests_of_a_day(4, 200)


def test_day_holds_every_service_and_every_kind_of_event() -> None:
    requests = requests_of_a_day(1, 2_000)
    assert {Service.DATA, Service.VOICE, Service.SMS} <= {request.service for request in requests}
    actions = Counter(request.requested_action for request in requests)
    assert set(RequestedAction) <= set(actions)
    assert any(not request.multiple_services for request in requests)


def test_sessions_and_events_have_ids_of_their_own_and_consecutive_numbers() -> None:
    by_session: dict[str, list[int]] = {}
    for request in requests_of_a_day(2, 1_000):
        by_session.setdefault(request.session_id, []).append(request.request_number)
    assert len(by_session) > 20
    assert all(numbers == list(range(len(numbers))) for numbers in by_session.values())


def debits_and_refunds(requests: list[CreditRequest]) -> tuple[list[CreditRequest], list[CreditRequest]]:
    debits = [one for one in requests if one.requested_action is RequestedAction.DIRECT_DEBITING]
    return debits, [one for one in requests if one.requested_action is RequestedAction.REFUND_ACCOUNT]


def test_refund_undoes_a_debit_of_its_own_session_once() -> None:
    requests = requests_of_a_day(1, 4_000)
    debits, refunds = debits_and_refunds(requests)
    charged = {request.session_id: request for request in debits}
    assert len(refunds) > 10
    assert len({refund.session_id for refund in refunds}) == len(refunds)
    for refund in refunds:
        debit = charged[refund.session_id]
        assert requests.index(debit) < requests.index(refund)
        assert refund == msgspec.structs.replace(
            debit, request_number=1, requested_action=RequestedAction.REFUND_ACCOUNT
        )


@pytest.mark.parametrize("code", [4012, 5030, None])
def test_nothing_is_refunded_that_was_not_charged(code: int | None) -> None:
    def result(request: CreditRequest) -> int | None:
        return code if request.requested_action is RequestedAction.DIRECT_DEBITING else 2001

    debits, refunds = debits_and_refunds(requests_of_a_day(1, 2_000, result))
    assert debits
    assert refunds == []


def test_subscriber_that_only_takes_refunds_sends_nothing() -> None:
    leaving = Leaving()
    habits = Habits(weights={"refund": 1})
    day = subscriber_day(SUBSCRIBER, habits, Random(1), lambda: "g;1", leaving)
    steps = [next(day) for _ in range(20)]
    assert all(isinstance(step, Pause) for step in steps)


def test_each_subscriber_has_a_day_of_its_own() -> None:
    two = [SUBSCRIBER, Subscriber("491710000002")]
    first, second = (plot(lambda: "g;1", Leaving()).send(None) for plot in plots(two, Habits(), seed=1))
    assert first != second
