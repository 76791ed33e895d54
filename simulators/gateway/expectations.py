"""What a gateway may expect of every answer, checked without knowing the tariff.

The rules are those that real gateways enforce by silence: Open5GS drops an answer that lacks or doubles one of
these AVPs, and the subscriber's attach hangs.
"""

import struct
from collections import Counter
from typing import Final

from ocs.messages import CCRequestType, Service
from simulators.gateway import model
from simulators.gateway.model import CreditAnswer, CreditRequest, ServiceReport, ServiceResult

# AVPs of a Credit-Control-Answer that stand in it exactly once (RFC 8506 section 3.2).
EXACTLY_ONCE: Final = {
    263: "Session-Id",
    264: "Origin-Host",
    296: "Origin-Realm",
    258: "Auth-Application-Id",
    268: "Result-Code",
    415: "CC-Request-Number",
    416: "CC-Request-Type",
}
_SESSION_ID: Final = 263
_ERROR_FLAG: Final = 0x20
_PROXIABLE_FLAG: Final = 0x40
_APPLICATION_CREDIT_CONTROL: Final = 4
_HEADER: Final = struct.Struct(">IIIII")
_HEADS: Final = struct.Struct(">II")

# Results that a correct request may get, money and subscribers being what they are.
_POSSIBLE: Final = frozenset(
    {
        model.SUCCESS,
        model.LIMITED_SUCCESS,
        model.TOO_BUSY,
        model.UNABLE_TO_DELIVER,
        model.END_USER_SERVICE_DENIED,
        model.CREDIT_CONTROL_NOT_APPLICABLE,
        model.CREDIT_LIMIT_REACHED,
        model.AUTHORIZATION_REJECTED,
        model.USER_UNKNOWN,
        model.RATING_FAILED,
    }
)


def check_frame(frame: bytes, *, end_to_end: int) -> list[str]:
    """Check the bytes of an answer: header, AVP lengths, what stands in it once, Session-Id first.

    Args:
        end_to_end: End-to-End-Id of the request.

    Returns:
        One sentence for each broken expectation.
    """
    _, flags_command, application, _, identifier = _HEADER.unpack_from(frame)
    flags, problems = flags_command >> 24, list[str]()
    if application != _APPLICATION_CREDIT_CONTROL:
        problems.append(f"Application-Id {application} instead of 4")
    if identifier != end_to_end:
        problems.append(f"End-to-End-Id {identifier:#x} instead of {end_to_end:#x}")
    if not flags & _PROXIABLE_FLAG:
        problems.append("P flag of the request is not set in the answer")
    try:
        codes, result = _top_level(frame)
    except ValueError as error:
        return [*problems, str(error)]
    protocol_error = 3000 <= result < 4000
    if bool(flags & _ERROR_FLAG) != protocol_error:
        problems.append(f"E flag is {bool(flags & _ERROR_FLAG)} with Result-Code {result}")
    if codes[:1] != [_SESSION_ID]:
        problems.append("Session-Id is not the first AVP")
    count = Counter(codes)
    problems += [
        f"{name} stands {count[code]} times in the answer"
        for code, name in EXACTLY_ONCE.items()
        # Answers with the E flag need only what RFC 6733 section 7.2 lists.
        if count[code] != 1 and not (protocol_error and count[code] == 0 and code in (258, 415, 416))
    ]
    return problems


def _top_level(frame: bytes) -> tuple[list[int], int]:
    """Codes of the AVPs without vendor, in order, and the Result-Code (0 when absent)."""
    position, codes, result = 20, list[int](), 0
    while position < len(frame):
        if position + 8 > len(frame):
            raise ValueError(f"{len(frame) - position} octets after the last AVP")
        code, flags_length = _HEADS.unpack_from(frame, position)
        length = flags_length & 0xFF_FFFF
        if length < 8 or position + length > len(frame):
            raise ValueError(f"AVP {code} has length {length}")
        if not flags_length & 0x8000_0000:
            codes.append(code)
            if code == 268 and length == 12:
                result = int.from_bytes(frame[position + 8 : position + 12])
        position += length + (-length & 3)
    return codes, result


def check_answer(request: CreditRequest, answer: CreditAnswer, *, session_refused: bool = False) -> list[str]:
    """Check that an answer answers this request.

    Args:
        session_refused: the session's INITIAL was refused. Its TERMINATION then is answered with success or with
            UNKNOWN_SESSION_ID (RFC 6733 section 7.1.5), as the server keeps what it refused or not.

    Returns:
        One sentence for each broken expectation.
    """
    problems: list[str] = []
    if answer.session_id != request.session_id:
        problems.append(f"Session-Id {answer.session_id!r} instead of {request.session_id!r}")
    if 3000 <= answer.result_code < 4000:
        if answer.result_code not in _POSSIBLE:
            problems.append(f"Result-Code {answer.result_code} for a correct request")
        return problems
    if answer.request_type != request.request_type:
        problems.append(f"CC-Request-Type {answer.request_type} instead of {int(request.request_type)}")
    if answer.request_number != request.request_number:
        problems.append(f"CC-Request-Number {answer.request_number} instead of {request.request_number}")
    ended = request.request_type is CCRequestType.TERMINATION and session_refused
    if answer.result_code not in _POSSIBLE and not (ended and answer.result_code == model.UNKNOWN_SESSION):
        problems.append(f"Result-Code {answer.result_code} for a correct request")
    if answer.succeeded and request.request_type in (CCRequestType.INITIAL, CCRequestType.UPDATE):
        for report in request.reports:
            problems += _check_service(request.service, report, answer.service(report.rating_group))
    if request.request_type is CCRequestType.TERMINATION and any(
        service.granted for service in answer.services
    ):
        problems.append("a grant in the answer to a TERMINATION")
    return problems


def _check_service(service: Service, report: ServiceReport, result: ServiceResult | None) -> list[str]:
    """Check one service of a successful answer: what was asked for is granted or refused, nothing else."""
    name = f"rating group {report.rating_group}"
    if result is None:
        return [f"{name} is not in the answer"] if report.requested is not None else []
    if result.result_code is not None and result.result_code not in _POSSIBLE:
        return [f"{name}: Result-Code {result.result_code} for a correct request"]
    amount = result.granted.amount(service) if result.granted else 0
    if report.requested is None and amount:
        return [f"{name}: a grant of {amount} although none was requested"]
    if not result.succeeded and amount:
        return [f"{name}: a grant of {amount} with Result-Code {result.result_code}"]
    if report.requested is None or not result.succeeded or result.final_unit_action is not None:
        return []
    return [] if amount > 0 else [f"{name}: success without units granted"]


def check_repeat(first: CreditAnswer, second: CreditAnswer) -> list[str]:
    """Check that a request sent again got the first answer again."""
    if first == second:
        return []
    return [f"a repeat of {first.session_id} number {first.request_number} got another answer"]
