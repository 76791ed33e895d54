"""The cast of the demo."""

import itertools

import pytest

from ocs.messages import RequestedAction
from ocs.units import parse_micro
from simulators.demo_cast import CAST, plots
from simulators.gateway.model import CreditAnswer, Pause
from simulators.gateway.sessions import Leaving


def test_characters_share_neither_account_nor_number() -> None:
    for field in ("name", "account", "subscriber"):
        assert len({getattr(character, field) for character in CAST}) == len(CAST)
    assert all(len(one.subscriber.imsi) == 15 and len(one.subscriber.msisdn) == 12 for one in CAST)


def test_somebody_runs_out_and_pays() -> None:
    assert any(character.top_up and parse_micro(character.balance) < 1_000_000 for character in CAST)


@pytest.mark.parametrize("code", [2001, 4012])
def test_only_a_message_that_was_charged_is_refunded_and_in_its_own_session(code: int) -> None:
    numbers, leaving = itertools.count(1), Leaving()
    emil = plots(seed=1)[4](lambda: f"g;{next(numbers)}", leaving)
    asked: list[tuple[str, int, RequestedAction | None]] = []
    outcome: float | CreditAnswer | None = None
    for _ in range(12):
        step = emil.send(outcome)
        if isinstance(step, Pause):
            outcome = step.seconds
            continue
        request = step.request
        asked.append((request.session_id, request.request_number, request.requested_action))
        outcome = CreditAnswer(request.session_id, code, 4, request.request_number)
    refunds = [one for one in asked if one[2] is RequestedAction.REFUND_ACCOUNT]
    assert refunds == ([("g;1", 1, RequestedAction.REFUND_ACCOUNT)] if code == 2001 else [])
    assert asked[0] == ("g;1", 0, RequestedAction.DIRECT_DEBITING)


def test_each_plot_begins_and_ends() -> None:
    for plot in plots(seed=1):
        leaving = Leaving()
        leaving.now = True
        behaviour = plot(lambda: "g;1", leaving)
        steps = list(behaviour)
        assert all(isinstance(step, Pause) or step.request.session_id == "g;1" for step in steps)
