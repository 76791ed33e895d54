"""What the log says of requests: every refusal with its remedy, what was slow, and a sample of the rest."""

from typing import Final

from ocs.diameter_gy.avp import decode_unsigned32, split_avps
from ocs.diameter_gy.ccr import CreditControlRequest
from ocs.diameter_gy.connection import Connection
from ocs.diameter_gy.errors import REMEDIES, DiameterError, TooBusy
from ocs.diameter_gy.message import HEADER_OCTETS, Header
from ocs.diameter_gy.overload import Overload
from ocs.limits import LOG_TEXT_CHARACTERS_MAX, SLOW_ANSWER_S
from ocs.log import RepeatLimiter, get_logger
from ocs.messages import ChargingAnswer, ChargingRequest, Outcome, ServiceUnit
from ocs.metrics import Counter
from ocs.units import Money

log = get_logger("ocs.diameter_gy.request")

_SESSION_ID: Final = 263
_CC_REQUEST_NUMBER: Final = 415


TOLERATED = Counter(
    "ocs_diameter_tolerated_avps_total", "Unknown AVPs with the M bit that the configuration lets pass."
)

# A service that costs nothing (4011) is no refusal.
_SERVED: Final = frozenset({Outcome.SUCCESS, Outcome.CREDIT_CONTROL_NOT_APPLICABLE})


class RequestLog:
    """One line for every refused or slow request and for a sample of the others, repeats held back.

    Args:
        success_sample: one line for so many successful requests; 0 for none.
    """

    def __init__(self, limiter: RepeatLimiter, success_sample: int) -> None:
        self._limiter = limiter
        self._success_sample = success_sample
        self._until_sample = success_sample

    def error(self, connection: Connection, header: Header, message: bytes, error: DiameterError) -> None:
        """A request was refused before charging saw it."""
        swallowed = self._limiter.admit((connection.peer_name, header.command_code, error.result_code))
        if swallowed is not None:
            session_id, request_number = _identify(message)
            log.warning(
                "request_refused",
                peer=connection.peer_name,
                command_code=header.command_code,
                application_id=header.application_id,
                session_id=session_id,
                request_number=request_number,
                result_code=error.result_code,
                reason=error.error_message,
                remedy=REMEDIES.get(error.result_code, "correct the peer's request as the reason says"),
                swallowed=swallowed,
            )

    def overloaded(self, connection: Connection, overload: Overload) -> None:
        """Requests of a peer are refused because more come than can be answered in time."""
        swallowed = self._limiter.admit(("overloaded", connection.load.name))
        if swallowed is not None:
            log.warning(
                "overloaded",
                peer=connection.peer_name,
                requests_of_peer=connection.load.in_flight,
                requests_in_flight=overload.in_flight,
                requests_admitted=overload.bound,
                result_code=TooBusy.result_code,
                reason="answers come too late: first requests are refused, then UPDATE, and first to peers that use "
                "more than their share",
                remedy="none needed for a short time; else add workers, or let the peer named here send less",
                swallowed=swallowed,
            )

    def tolerated(self, connection: Connection, request: CreditControlRequest) -> None:
        """A request holds AVPs that should have been refused, had the operator not said otherwise."""
        for avp in request.tolerated:
            TOLERATED.inc()
            swallowed = self._limiter.admit((connection.peer_name, "tolerated", avp))
            if swallowed is not None:
                log.info(
                    "avp_tolerated",
                    peer=connection.peer_name,
                    session_id=request.charging.session_id,
                    container=avp.container,
                    avp_code=avp.code,
                    vendor_id=avp.vendor_id,
                    reason="unknown AVP with the M bit, let pass by [diameter] tolerate_unknown_mandatory_in",
                    swallowed=swallowed,
                )

    def answered(
        self,
        connection: Connection,
        request: ChargingRequest,
        answer: ChargingAnswer,
        outcome: Outcome,
        elapsed_s: float,
    ) -> None:
        """A request was answered by charging; ``outcome`` is the answer's worst."""
        if outcome not in _SERVED:
            swallowed = self._limiter.admit((connection.peer_name, outcome))
            if swallowed is not None:
                _log_answer("request_refused", connection, request, answer, elapsed_s, swallowed=swallowed)
        elif elapsed_s > SLOW_ANSWER_S:
            swallowed = self._limiter.admit((connection.peer_name, "slow"))
            if swallowed is not None:
                _log_answer("request_slow", connection, request, answer, elapsed_s, swallowed=swallowed)
        elif self._success_sample:
            self._until_sample -= 1
            if self._until_sample <= 0:
                self._until_sample = self._success_sample
                _log_answer("request_answered", connection, request, answer, elapsed_s, swallowed=0)


_OUTCOME_REMEDIES: Final = {
    Outcome.USER_UNKNOWN: "create an account with this identity: ocs account create",
    Outcome.END_USER_SERVICE_DENIED: "look at the account's state and offer: ocs account show",
    Outcome.CREDIT_LIMIT_REACHED: "none needed; the subscriber can top up",
    Outcome.RATING_FAILED: "add a price for this service to the catalogue",
    Outcome.MISSING_SUBSCRIPTION: "let the gateway send Subscription-Id",
    Outcome.TOO_BUSY: "add workers, or raise [charging] queue_requests",
    Outcome.UNABLE_TO_DELIVER: "look at the store: it did not confirm in time",
    Outcome.UNABLE_TO_COMPLY: "look for the error logged beside this line",
}


def worst_outcome(answer: ChargingAnswer) -> Outcome:
    """Tell whether anything in an answer was refused: the command's outcome, else the first refused service's."""
    if answer.outcome is not Outcome.SUCCESS:
        return answer.outcome
    for service in answer.services:
        if service.outcome is not Outcome.SUCCESS:
            return service.outcome
    return Outcome.SUCCESS


def _log_answer(
    event: str,
    connection: Connection,
    request: ChargingRequest,
    answer: ChargingAnswer,
    elapsed_s: float,
    *,
    swallowed: int,
) -> None:
    outcome = worst_outcome(answer)
    granted = [service.granted for service in answer.services if service.granted is not None]
    write = log.info if outcome in _SERVED else log.warning
    write(
        event,
        peer=connection.peer_name,
        origin_host=request.origin_host,
        session_id=request.session_id,
        request_type=request.request_type.name,
        request_number=request.request_number,
        subscription_ids=request.subscription_ids,
        service=request.service.value,
        result=outcome.name,
        granted=[_in_words(unit) for unit in granted],
        elapsed_us=int(elapsed_s * 1e6),
        remedy=_OUTCOME_REMEDIES.get(outcome, "none needed"),
        swallowed=swallowed,
    )


def _in_words(unit: ServiceUnit) -> str:
    """What was granted, as ``total_octets=1048576``; several kinds by blanks, money in micro-units."""
    words: list[str] = []
    for name in unit.__struct_fields__:
        value = getattr(unit, name)
        if isinstance(value, Money):
            words.append(f"{name}={value.micro}e-6{value.currency}")
        elif value is not None:
            words.append(f"{name}={value:d}")
    return " ".join(words)


def _identify(message: bytes) -> tuple[str, int | None]:
    """Find Session-Id and CC-Request-Number in a message that may be broken."""
    session_id, request_number = "", None
    try:
        for avp in split_avps(message, HEADER_OCTETS):
            if avp.code == _SESSION_ID and not avp.vendor_id:
                session_id = avp.data[:LOG_TEXT_CHARACTERS_MAX].decode("utf-8", "replace")
            elif avp.code == _CC_REQUEST_NUMBER and not avp.vendor_id:
                request_number = decode_unsigned32(avp)
    except DiameterError:
        return session_id, request_number
    return session_id, request_number
