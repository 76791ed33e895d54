"""A session's memory: what a repeat gets, and what is too old to tell."""

import pytest
from msgspec.structs import replace

from ocs import limits
from ocs.balance.model import Session, SessionState
from ocs.charging.memory import Recall, earlier_lives, opening_of, recall, remember
from ocs.messages import NO_CONTEXT, ChargingAnswer, ChargingRequest, Outcome, Service
from tests.support.requests import SESSION, copy_of, initial, mscc, octets, termination, update

FIRST = initial(mscc(1))


def session_after(*requests: ChargingRequest) -> Session:
    """A session that answered each request with a cost that tells it."""
    session = Session(
        SESSION, "A1", "S1", SessionState.OPEN, Service.DATA, NO_CONTEXT, "smf.example", "example", 0, 0,
        opening_fingerprint=opening_of(FIRST),
    )  # fmt: skip
    for request in requests:
        answers, forgotten = remember(session, request, answer_to(request))
        session = Session(
            SESSION, "A1", "S1", SessionState.OPEN, Service.DATA, NO_CONTEXT, "smf.example", "example", 0, 0,
            answers=answers, forgotten_number=forgotten, opening_fingerprint=opening_of(FIRST),
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


def ended(*requests: ChargingRequest) -> Session:
    return replace(session_after(*requests), state=SessionState.CLOSED)


def test_other_initial_opens_an_ended_session_again_and_never_an_open_one() -> None:
    sent = (FIRST, *reports(limits.ANSWERS_REMEMBERED))
    assert recall(session_after(*sent), initial(mscc(7))) is Recall.OTHER_CONTENT
    assert recall(ended(*sent), initial(mscc(7))) is Recall.NEW


def test_same_initial_from_a_gateway_that_starts_again_is_a_new_session_unless_it_is_a_copy() -> None:
    session = ended(FIRST, termination(1))
    again = replace(FIRST, end_to_end_id=FIRST.end_to_end_id + 1)
    assert recall(session, again) is Recall.NEW
    assert recall(session, replace(again, retransmitted=True)) == answer_to(FIRST)
    assert recall(session, FIRST) == answer_to(FIRST)


def test_late_copy_from_an_earlier_life_of_the_session_id_gets_its_first_answer() -> None:
    report = replace(reports(1)[0], end_to_end_id=77)
    first_life = ended(FIRST, report, termination(2))
    second = replace(initial(mscc(7)), end_to_end_id=99)
    session = replace(
        session_after(second),
        opening_fingerprint=opening_of(second),
        earlier_answers=earlier_lives(first_life),
    )
    assert recall(session, report) == answer_to(report)
    assert recall(session, replace(report, end_to_end_id=78)) is Recall.NEW
    assert recall(session, FIRST) == answer_to(FIRST)


def test_termination_of_an_open_session_is_never_too_old() -> None:
    session = session_after(FIRST, *reports(limits.ANSWERS_REMEMBERED + 2))
    assert recall(session, termination(0)) is Recall.NEW
    assert recall(replace(session, state=SessionState.CLOSED), termination(0)) is Recall.OTHER_CONTENT


def test_number_of_an_initial_does_not_make_later_numbers_too_old() -> None:
    first = replace(FIRST, request_number=2**32 - 1)
    session = session_after(first, *reports(limits.ANSWERS_REMEMBERED))
    assert recall(session, update(9, mscc(1, used=octets(3)))) is Recall.NEW
