"""A session's memory: the first answer again for a repeat, an error of its own for other content.

Source: RFC 8506 sections 5.7 and 6.5, RFC 6733 Appendix C: a request is known by Session-Id and CC-Request-Number;
the T flag is not needed for that, since every request is checked.
"""

from enum import Enum, auto
from typing import Final

import msgspec

from ocs import limits
from ocs.balance.model import RememberedAnswer, Session, SessionState, encode_value
from ocs.messages import CCRequestType, ChargingAnswer, ChargingRequest

_INITIAL: Final = CCRequestType.INITIAL
_TERMINATION: Final = CCRequestType.TERMINATION
_ANSWERS_REMEMBERED: Final = limits.ANSWERS_REMEMBERED
_raw: Final = msgspec.Raw
_decode_answer: Final = msgspec.msgpack.Decoder(ChargingAnswer).decode


class Recall(Enum):
    """What the session remembers of a request that is not a plain repeat."""

    NEW = auto()
    OTHER_CONTENT = auto()  # the number was used for something else, or is too old to tell


_NEW: Final = Recall.NEW


def opening_of(request: ChargingRequest) -> bytes:
    """What marks one life of a Session-Id: the content and the End-to-End-Id of the request that began it."""
    return request.fingerprint + request.end_to_end_id.to_bytes(4, "big")


def recall(session: Session, request: ChargingRequest) -> ChargingAnswer | Recall:
    """Look a request up in its session's memory, and in that of the Session-Id's earlier lives."""
    number, kind = request.request_number, request.request_type
    if kind is _INITIAL:
        return _recall_initial(session, request)
    for remembered in session.answers:
        if remembered.request_number == number and remembered.request_type == kind:
            if remembered.fingerprint == request.fingerprint:
                return _decode_answer(remembered.answer)
            return _recall_earlier(session, request) or Recall.OTHER_CONTENT
    if session.earlier_answers:
        earlier = _recall_earlier(session, request)
        if earlier is not None:
            return earlier
    if number <= session.forgotten_number and (kind != _TERMINATION or session.state == SessionState.CLOSED):
        # An open session has had no TERMINATION: whatever its number, it cannot be a copy.
        return Recall.OTHER_CONTENT
    return _NEW


def _recall_initial(session: Session, request: ChargingRequest) -> ChargingAnswer | Recall:
    """Tell a copy of the request that opened the session from one that opens another under the same Session-Id.

    RFC 6733 section 8.8 forbids to use a Session-Id again; recorded gateways do it after every restart, some with
    the same content. Refusing would lock the subscriber out for as long as we remember the old session.
    """
    opening = opening_of(request)
    if opening == session.opening_fingerprint or (
        request.retransmitted and session.opening_fingerprint.startswith(request.fingerprint)
    ):
        for remembered in session.answers:
            if remembered.request_type == _INITIAL:
                return _decode_answer(remembered.answer)
        return Recall.OTHER_CONTENT
    earlier = _recall_earlier(session, request)
    if earlier is not None:
        return earlier
    return Recall.NEW if session.state == SessionState.CLOSED else Recall.OTHER_CONTENT


def _recall_earlier(session: Session, request: ChargingRequest) -> ChargingAnswer | None:
    """Find a late copy of a request from an earlier life: a copy has the same End-to-End-Id."""
    for remembered in session.earlier_answers:
        if (
            remembered.end_to_end_id == request.end_to_end_id
            and remembered.fingerprint == request.fingerprint
            and remembered.request_number == request.request_number
        ):
            return _decode_answer(remembered.answer)
    return None


def remember(
    session: Session, request: ChargingRequest, answer: ChargingAnswer
) -> tuple[tuple[RememberedAnswer, ...], int]:
    """Add the answer to what the session remembers for repeats; the oldest gives way.

    Returns:
        The session's new ``answers`` and ``forgotten_number``.
    """
    entry = RememberedAnswer(
        request.request_type,
        request.request_number,
        request.fingerprint,
        _raw(encode_value(answer)),
        request.end_to_end_id,
    )
    answers, forgotten = session.answers, session.forgotten_number
    if len(answers) < _ANSWERS_REMEMBERED:
        return (*answers, entry), forgotten
    oldest, *kept = answers
    if oldest.request_number > forgotten and oldest.request_type != _INITIAL:
        forgotten = oldest.request_number
    return (*kept, entry), forgotten


def earlier_lives(session: Session | None) -> tuple[RememberedAnswer, ...]:
    """What a new life of a Session-Id keeps of the lives before."""
    if session is None:
        return ()
    return (session.earlier_answers + session.answers)[-limits.ANSWERS_REMEMBERED :]
