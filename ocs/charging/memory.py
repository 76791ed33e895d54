"""A session's memory: the first answer again for a repeat, an error of its own for other content.

Source: RFC 8506 section 5.5 and design: a request is known by Session-Id and CC-Request-Number; the T flag adds
nothing, since every request is checked.
"""

from enum import Enum, auto
from typing import Final

import msgspec

from ocs import limits
from ocs.balance.model import RememberedAnswer, Session, encode_value
from ocs.messages import CCRequestType, ChargingAnswer, ChargingRequest

_INITIAL: Final = CCRequestType.INITIAL
_decode_answer: Final = msgspec.msgpack.Decoder(ChargingAnswer).decode


class Recall(Enum):
    """What the session remembers of a request that is not a plain repeat."""

    NEW = auto()
    OTHER_CONTENT = auto()  # the number was used for something else, or is too old to tell


def recall(session: Session, request: ChargingRequest) -> ChargingAnswer | Recall:
    """Look a request up in its session's memory."""
    number = request.request_number
    for remembered in session.answers:
        if remembered.request_number == number and remembered.request_type == request.request_type:
            if remembered.fingerprint == request.fingerprint:
                return _decode_answer(remembered.answer)
            return Recall.OTHER_CONTENT
    if request.request_type == _INITIAL:
        return Recall.OTHER_CONTENT if request.fingerprint == session.opening_fingerprint else Recall.NEW
    if number <= session.forgotten_number:
        return Recall.OTHER_CONTENT
    return Recall.NEW


def remember(
    session: Session, request: ChargingRequest, answer: ChargingAnswer
) -> tuple[tuple[RememberedAnswer, ...], int]:
    """Add the answer to what the session remembers for repeats; the oldest gives way.

    Returns:
        The session's new ``answers`` and ``forgotten_number``.
    """
    entry = RememberedAnswer(
        request.request_type, request.request_number, request.fingerprint, msgspec.Raw(encode_value(answer))
    )
    answers = session.answers
    if len(answers) < limits.ANSWERS_REMEMBERED:
        return (*answers, entry), session.forgotten_number
    return (*answers[1:], entry), max(session.forgotten_number, answers[0].request_number)
