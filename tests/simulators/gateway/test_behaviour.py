"""A subscriber's day."""

import itertools
from collections import Counter
from random import Random

from ocs.messages import RequestedAction, Service
from simulators.gateway.behaviour import Habits, plots, subscriber_day
from simulators.gateway.model import Ask, CreditAnswer, CreditRequest, ServiceResult, Subscriber, Units
from simulators.gateway.sessions import Leaving

SUBSCRIBER = Subscriber("491710000001")


def requests_of_a_day(seed: int, steps: int) -> list[CreditRequest]:
    """Play for so many steps with generous answers, then leave."""
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
            outcome = CreditAnswer(
                step.request.session_id, 2001, int(step.request.request_type), 0, services=services
            )
        else:
            outcome = step.seconds
    raise AssertionError


def test_same_seed_plays_the_same_day() -> None:
    assert requests_of_a_day(3, 200) == requests_of_a_day(3, 200)
    assert requests_of_a_day(3, 200) != requests_of_a_day(4, 200)


def test_day_holds_every_service_and_every_kind_of_event() -> None:
    requests = requests_of_a_day(1, 2_000)
    assert set(Service) == {request.service for request in requests}
    actions = Counter(request.requested_action for request in requests)
    assert set(RequestedAction) <= set(actions)
    assert any(not request.multiple_services for request in requests)


def test_sessions_and_events_have_ids_of_their_own_and_consecutive_numbers() -> None:
    by_session: dict[str, list[int]] = {}
    for request in requests_of_a_day(2, 1_000):
        by_session.setdefault(request.session_id, []).append(request.request_number)
    assert len(by_session) > 20
    assert all(numbers == list(range(len(numbers))) for numbers in by_session.values())


def test_each_subscriber_has_a_day_of_its_own() -> None:
    two = [SUBSCRIBER, Subscriber("491710000002")]
    first, second = (plot(lambda: "g;1", Leaving()).send(None) for plot in plots(two, Habits(), seed=1))
    assert first != second
