"""A request of an open peer: checked, decoded, handed to charging, answered."""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Final, Protocol

from ocs.diameter_gy.base_commands import (
    BASE_APPLICATION,
    CREDIT_CONTROL,
    CREDIT_CONTROL_APPLICATION,
    command_label,
)
from ocs.diameter_gy.cca import encode_cca, encode_error_answer
from ocs.diameter_gy.ccr import CreditControlRequest, decode_ccr
from ocs.diameter_gy.connection import Connection
from ocs.diameter_gy.demand_sender import DemandSender
from ocs.diameter_gy.errors import (
    ApplicationUnsupported,
    CommandUnsupported,
    DiameterError,
    TooBusy,
    UnableToComply,
)
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import Header, check_flags
from ocs.diameter_gy.overload import Overload
from ocs.diameter_gy.policy import GyPolicy
from ocs.diameter_gy.refusal import BusyAnswers, request_type_of
from ocs.diameter_gy.request_log import RequestLog, worst_outcome
from ocs.limits import PROXY_INFO_OCTETS_MAX
from ocs.log import get_logger
from ocs.messages import CCRequestType, ChargingAnswer, ChargingRequest, Outcome
from ocs.metrics import Counter, Histogram

log = get_logger("ocs.diameter_gy.request")

REQUESTS = Counter("ocs_diameter_requests_total", "Credit-control requests, by type.", ("request_type",))
ANSWERS = Counter("ocs_diameter_answers_total", "Credit-control answers, by worst outcome.", ("outcome",))
ERRORS = Counter(
    "ocs_diameter_request_errors_total",
    "Requests refused before charging saw them, by command and Result-Code.",
    ("command", "result_code"),
)
REFUSED = Counter(
    "ocs_diameter_refused_as_too_busy_total",
    "Credit-control requests refused unread for want of time, by type; counted nowhere else.",
    ("request_type",),
)
LATENCY = Histogram(
    "ocs_diameter_answer_seconds", "From taking a request off the connection to queueing its answer."
)

# Labels are made once: an enumeration's name costs more than the count.
_OUTCOME_LABELS: Final = {outcome: outcome.name.lower() for outcome in Outcome}
_TYPE_LABELS: Final = {request_type: request_type.name.lower() for request_type in CCRequestType}
# Answers whose time is that of a failure, and says nothing of how busy we are.
_UNMEASURED: Final = frozenset({Outcome.TOO_BUSY, Outcome.UNABLE_TO_DELIVER})
# Asking whether a line is due costs as much as a refusal.
_REFUSALS_PER_LOOK: Final = 64


class CreditControlHandler(Protocol):
    """Charging, as the Diameter side sees it."""

    def submit(self, request: ChargingRequest, reply: Callable[[ChargingAnswer], None]) -> None:
        """Take a request; never blocks and never raises for an expected outcome.

        Args:
            request: what the gateway asks.
            reply: to be called exactly once, now or later, from any task of this trio thread. It does not raise;
                when the connection is gone the answer is dropped, as the gateway repeats its request.
        """
        ...


class CreditControlService:
    """Serves the requests of all connections of one process."""

    def __init__(
        self,
        identity: NodeIdentity,
        gy_policy: GyPolicy,
        handler: CreditControlHandler,
        request_log: RequestLog,
        overload: Overload,
        demands: DemandSender,
    ) -> None:
        self._identity = identity
        self._busy_answers = BusyAnswers(identity)
        self._overload = overload
        self._gy_policy = gy_policy
        self._handler = handler
        self._request_log = request_log
        self._demands = demands
        self._note_route = demands.routes.note

    @property
    def identity(self) -> NodeIdentity:
        """Who we are; replaced as a whole when Origin-State-Id advances."""
        return self._identity

    @identity.setter
    def identity(self, identity: NodeIdentity) -> None:
        self._identity = identity
        self._busy_answers = BusyAnswers(identity)

    def serve(self, message: bytes, header: Header, connection: Connection) -> None:
        """Take a request; its answer, or its refusal, goes to the connection. Never blocks, never raises."""
        if self._overload.is_pressed and self._is_refused_as_busy(message, header, connection):
            return
        try:
            request = self._decode(message, header)
        except DiameterError as error:
            self.refuse(message, header, error, connection)
            return
        except Exception:  # the bulkhead around a request
            log.exception("request_failed", peer=connection.peer_name)
            self.refuse(message, header, UnableToComply("internal error"), connection)
            return
        charging = request.charging
        self._note_route(charging.origin_host, connection)
        REQUESTS.inc(_TYPE_LABELS[charging.request_type])
        if request.tolerated:
            self._request_log.tolerated(connection, request)
        connection.begin_request()
        self._overload.begin(connection.load, len(message))
        reply = partial(self._answer, message, header, request, connection, connection.read_s)
        try:
            self._handler.submit(charging, reply)
        except (
            Exception
        ):  # likewise: the bug of one request leaves the connection and its other requests alone
            log.exception("request_failed", peer=connection.peer_name, session_id=charging.session_id)
            reply(ChargingAnswer(Outcome.UNABLE_TO_COMPLY))

    def refuse(self, message: bytes, header: Header, error: DiameterError, connection: Connection) -> None:
        """Answer a request, or the header of a broken one, with an error."""
        connection.send(encode_error_answer(message, header, error, self._identity))
        ERRORS.inc(command_label(header.command_code), error.result_code)
        self._request_log.error(connection, header, message, error)
        connection.count_error(error.result_code)

    def answered(self, message: bytes, header: Header, connection: Connection) -> None:
        """Take the answer to a Re-Auth- or Abort-Session-Request."""
        self._demands.answered(message, header, connection)

    def may_read(self, connection: Connection) -> bool:
        """Whether a connection may go on to what it has read; if not, it asks again after an interval."""
        return self._overload.may_read(connection.load)

    def rested(self, connection: Connection) -> None:
        """A connection has waited for an interval."""
        self._overload.rested(connection.load)

    def _is_refused_as_busy(self, message: bytes, header: Header, connection: Connection) -> bool:
        """Refuse a request before anything is spent on it, if it must be refused."""
        if header.command_code != CREDIT_CONTROL:
            return False
        request_type = request_type_of(message)
        if self._overload.admit(request_type, connection.load):
            return False
        connection.send(self._busy_answers.encode(message, header))
        connection.count_error(TooBusy.result_code)
        REFUSED.inc("unknown" if request_type is None else _TYPE_LABELS[request_type])
        if connection.load.refused % _REFUSALS_PER_LOOK == 1:
            self._request_log.overloaded(connection, self._overload)
        return True

    def _decode(self, message: bytes, header: Header) -> CreditControlRequest:
        """Check in the order of RFC 6733: header, command and application, route, content.

        Raises:
            DiameterError: the first of these that fails.
        """
        check_flags(header)
        if header.command_code != CREDIT_CONTROL or header.application_id != CREDIT_CONTROL_APPLICATION:
            _refuse_command(header)
        request = decode_ccr(message, header, self._gy_policy)
        if len(request.proxy_info) > PROXY_INFO_OCTETS_MAX:
            raise UnableToComply(
                f"over {PROXY_INFO_OCTETS_MAX} octets of Proxy-Info leave no room for an answer"
            )
        return request

    def _answer(
        self,
        message: bytes,
        header: Header,
        request: CreditControlRequest,
        connection: Connection,
        began_s: float,
        answer: ChargingAnswer,
    ) -> None:
        try:
            outcome = worst_outcome(answer)
            octets = encode_cca(request, answer, self._identity, self._gy_policy)
        except Exception:  # likewise: charging must not fall for an answer that we cannot write
            log.exception("answer_failed", peer=connection.peer_name, session_id=request.charging.session_id)
            answer = ChargingAnswer(outcome := Outcome.UNABLE_TO_COMPLY)
            octets = encode_error_answer(message, header, UnableToComply("internal error"), self._identity)
        connection.answer(octets)
        now_s = perf_counter()
        elapsed_s = now_s - began_s
        self._overload.finish(connection.load, len(message))
        if outcome not in _UNMEASURED:
            self._overload.measure(began_s, now_s)
        ANSWERS.inc(_OUTCOME_LABELS[outcome])
        LATENCY.observe(elapsed_s)
        self._request_log.answered(connection, request.charging, answer, outcome, elapsed_s)


def _refuse_command(header: Header) -> None:
    """Say what is not served: the application first, since it gives the command its meaning."""
    if header.application_id not in {BASE_APPLICATION, CREDIT_CONTROL_APPLICATION}:
        raise ApplicationUnsupported(f"application {header.application_id} is not served here, only 4 is")
    if header.command_code == CREDIT_CONTROL:
        raise ApplicationUnsupported("Credit-Control belongs to application 4, not 0")
    raise CommandUnsupported(f"command {header.command_code} is not served here")
