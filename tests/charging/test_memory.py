"""A session's memory: what a repeat gets, and what is too old to tell."""

import pytest

from ocs import limits
from ocs.balance.model import Session, SessionState
from ocs.charging.memory import Recall, recall, remember
from ocs.messages import ChargingAnswer, ChargingRequest, Outcome, Service
from tests.support.requests import SESSION, copy_of, initial, mscc, octets, termination, update

FIRST = initial(mscc(1))


def session_after(*requests: ChargingRequest) -> Session:
    """A session that answered each request with a cost that tells it."""
    session = Session(
        SESSION, "A1", "S1", SessionState.OPEN, Service.DATA, "", "smf.example", "example", 0, 0,
        opening_fingerprint=FIRST.fingerprint,
    )  # fmt: skip
    for request in requests:
        answers, forgotten = remember(session, request, answer_to(request))
        session = Session(
            SESSION, "A1", "S1", SessionState.OPEN, Service.DATA, "", "smf.example", "example", 0, 0,
            answers=answers, forgotten_number=forgotten, opening_fingerprint=FIRST.fingerprint,
        )  # fmt: skip
    return session


def answer_to(request: ChargingRequest) -> ChargingAnswer:
    return ChargingAnswer(Outcome.SUCCESS, enough_credit=request.request_number % 2 == 0)


def reports(count: int) -> list[ChargingRequest]:
    return [update(number, mscc(1, used=octets(number))) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    "request_", [FIRST, *reports(2), termination(3)], ids=lambda request: str(request.request_number)
)
def test_repeat_gets_the_first_answer_with_or_without_T(request_: ChargingRequest) -> None:
    session = session_after(FIRST, *reports(2), termination(3))
    assert recall(session, request_) == recall(session, copy_of(request_)) == answer_to(request_)


def test_same_number_with_other_content_is_told_apart() -> None:
    session = session_after(FIRST, *reports(2))
    assert recall(session, update(2, mscc(1, used=octets(99)))) is Recall.OTHER_CONTENT
    assert recall(session, initial(mscc(7))) is Recall.OTHER_CONTENT


def test_number_is_of_its_type() -> None:
    session = session_after(FIRST, *reports(2))
    assert recall(session, termination(2)) is Recall.NEW
    assert recall(session, update(3)) is Recall.NEW


def test_oldest_answer_gives_way_and_its_number_is_known_to_be_used() -> None:
    sent = [FIRST, *reports(limits.ANSWERS_REMEMBERED + 2)]
    session = session_after(*sent)
    assert len(session.answers) == limits.ANSWERS_REMEMBERED
    kept = sent[-limits.ANSWERS_REMEMBERED :]
    assert [recall(session, request) for request in kept] == [answer_to(request) for request in kept]
    for forgotten in sent[1 : -limits.ANSWERS_REMEMBERED]:
        assert recall(session, forgotten) is Recall.OTHER_CONTENT
    assert recall(session, FIRST) is Recall.OTHER_CONTENT


def test_other_initial_of_a_forgotten_opening_is_new() -> None:
    session = session_after(FIRST, *reports(limits.ANSWERS_REMEMBERED))
    assert recall(session, initial(mscc(7))) is Recall.NEW
