"""Counters that run from a session's beginning, when the number moves to another account while the session goes on."""

import msgspec
import pytest

from ocs.balance import keys
from ocs.messages import CCRequestType, ChargingRequest, MultipleServicesCreditControl, Outcome, ServiceUnit
from tests.support.auditor import key_of
from tests.support.counters import Counters
from tests.support.engine_lab import Lab
from tests.support.requests import ANNA, ASK_US, mscc, request

SESSION = "radius;wifi;s1"


@pytest.fixture
def lab() -> Lab:
    return Lab()


def told(kind: CCRequestType, number: int, total: int | None, time_s: int = 0) -> ChargingRequest:
    """What an access server reports: an opening when there is no session, or an update."""
    used = () if total is None else (ServiceUnit(total, total, 0, time_s),)
    asked: MultipleServicesCreditControl = mscc(None, requested=ASK_US, used=used)
    made = request(kind, number, asked, session_id=SESSION, multiple_services=False)
    return msgspec.structs.replace(made, is_cumulative=True, retransmitted=total is not None)


def report(worker, total: int, time_s: int) -> list[Outcome]:
    """One interim report, as the RADIUS side asks: an update, and an opening when nobody knows the session."""
    update = told(CCRequestType.UPDATE, 1 + time_s, total, time_s)
    opening = told(CCRequestType.INITIAL, 0, total, time_s)
    for each in (update, opening):
        worker.lab.auditor.evidence.counters[key_of(each)] = Counters(time_s, total, 0)
    outcomes = [worker.ask(update).outcome]
    if outcomes == [Outcome.UNKNOWN_SESSION]:
        outcomes.append(worker.ask(opening).outcome)
    return outcomes


def move_anna(lab: Lab) -> None:
    lab.put_subscriber("a", "anna")
    lab.put_subscriber("b", "bert", "e164:491710000002", ANNA)
    lab.store.hints[keys.identity_key(ANNA)] = keys.encode_location("b", "bert")


def spent(lab: Lab) -> int:
    return 2_000_000 - lab.balance("a") - lab.balance("b")


async def test_number_that_moves_after_a_refused_opening_does_not_have_its_use_charged_again(lab: Lab):
    # 10,000 octets at 200 micro-units cost twice what Anna has: charged as an overrun, and no session opens.
    assert report(lab.worker(), 10_000, 60)[-1] is Outcome.CREDIT_LIMIT_REACHED
    assert spent(lab) == 2_000_000
    move_anna(lab)
    report(lab.worker(), 10_500, 120)
    assert spent(lab) == 2_000_000 + 500 * 200


async def test_number_that_moves_after_its_session_has_ended_does_not_have_its_use_charged_again(lab: Lab):
    assert report(lab.worker(), 1_000, 60)[-1] is Outcome.SUCCESS
    worker = lab.worker()
    lab.auditor.evidence.gone.add(SESSION)
    worker.engine.expire("a", SESSION, is_gone=True)
    worker.run()
    move_anna(lab)
    report(lab.worker(), 1_500, 120)
    assert spent(lab) == 1_500 * 200


async def test_number_that_has_moved_opens_what_nobody_knows_where_it_is_now(lab: Lab):
    move_anna(lab)
    assert report(lab.worker(), 1_000, 60) == [Outcome.UNKNOWN_SESSION, Outcome.SUCCESS]
    assert lab.balance("b") == 1_000_000 - 1_000 * 200
