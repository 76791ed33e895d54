"""What a peer can do wrong: one class per Result-Code, raised by the codec and by the server.

Every class knows its Result-Code; every instance carries the content of Failed-AVP and a sentence for
Error-Message. The parsers of this room raise nothing else, whatever bytes they are given.

Source: RFC 6733 section 7.1 (Result-Code), section 7.2 (error bit), section 7.5 (Failed-AVP).
"""

from typing import Final

from ocs.limits import LOG_TEXT_CHARACTERS_MAX


class DiameterError(Exception):
    """A request that cannot be answered as asked, with everything its error answer needs.

    Attributes:
        result_code: value of the Result-Code AVP.
        failed_avp: the AVP or AVPs at fault, encoded: the content of Failed-AVP; empty when there is none.
        error_message: what is wrong, for Error-Message and for the log; a longer text is cut.
    """

    result_code: int

    def __init__(self, error_message: str, failed_avp: bytes = b"") -> None:
        # It may quote what a peer wrote, and goes into an answer and a log line.
        error_message = error_message[:LOG_TEXT_CHARACTERS_MAX]
        super().__init__(error_message)
        self.error_message = error_message
        self.failed_avp = failed_avp

    @property
    def is_protocol_error(self) -> bool:
        """Whether the answer sets the E bit and leaves the command's grammar (RFC 6733 section 7.1.3)."""
        return 3000 <= self.result_code < 4000


class CommandUnsupported(DiameterError):
    """The command code is unknown here, or unknown in this application."""

    result_code = 3001


class UnableToDeliver(DiameterError):
    """The request is for another node that we cannot reach, or could not be made durable."""

    result_code = 3002


class RealmNotServed(DiameterError):
    """Destination-Realm is not ours."""

    result_code = 3003


class TooBusy(DiameterError):
    """Our queue is full."""

    result_code = 3004


class LoopDetected(DiameterError):
    """The request has been here before."""

    result_code = 3005


class ApplicationUnsupported(DiameterError):
    """The header's Application-Id is not served here."""

    result_code = 3007


class InvalidHeaderBits(DiameterError):
    """The header's flags are an impossible combination."""

    result_code = 3008


class InvalidAvpBits(DiameterError):
    """An AVP's flags hold an unrecognised bit."""

    result_code = 3009


class UnknownPeer(DiameterError):
    """A CER from a node that is not in the allow-list."""

    result_code = 3010


class AvpUnsupported(DiameterError):
    """An AVP with the M bit is unknown here."""

    result_code = 5001


class UnknownSessionId(DiameterError):
    """No such session."""

    result_code = 5002


class AuthorizationRejected(DiameterError):
    """The user may not use the service."""

    result_code = 5003


class InvalidAvpValue(DiameterError):
    """An AVP's data is not a value that it may have."""

    result_code = 5004


class MissingAvp(DiameterError):
    """A required AVP is absent."""

    result_code = 5005


class ResourcesExceeded(DiameterError):
    """More was asked for than there is."""

    result_code = 5006


class ContradictingAvps(DiameterError):
    """Two AVPs contradict each other."""

    result_code = 5007


class AvpNotAllowed(DiameterError):
    """An AVP stands where it must not stand."""

    result_code = 5008


class AvpOccursTooManyTimes(DiameterError):
    """An AVP occurs more often than allowed."""

    result_code = 5009


class NoCommonApplication(DiameterError):
    """A CER that offers no application of ours."""

    result_code = 5010


class UnsupportedVersion(DiameterError):
    """The header's version is not 1."""

    result_code = 5011


class UnableToComply(DiameterError):
    """A fault of ours."""

    result_code = 5012


class InvalidBitInHeader(DiameterError):
    """A reserved bit of the header is set."""

    result_code = 5013


class InvalidAvpLength(DiameterError):
    """An AVP's length contradicts its type, or what surrounds it."""

    result_code = 5014


class InvalidMessageLength(DiameterError):
    """The header's length is impossible."""

    result_code = 5015


class NoCommonSecurity(DiameterError):
    """A CER that offers no security mechanism of ours."""

    result_code = 5017


class EndUserServiceDenied(DiameterError):
    """The user may not use the service (RFC 8506 section 9.1)."""

    result_code = 4010


class CreditControlNotApplicable(DiameterError):
    """The service is free: no credit control is needed."""

    result_code = 4011


class CreditLimitReached(DiameterError):
    """The account cannot pay for the service."""

    result_code = 4012


class UserUnknown(DiameterError):
    """No account belongs to the user (RFC 8506 section 9.2)."""

    result_code = 5030


class RatingFailed(DiameterError):
    """The request cannot be rated: its input is incomplete or not recognised."""

    result_code = 5031


class FramingError(DiameterError):
    """A stream in which the next message cannot be found: answer once, then close the connection.

    Attributes:
        result_code: 5011 or 5015, per instance.
        header: the 20 octets of the header at fault, enough to address an answer.
        messages: whole messages that came before the fault in the same piece of input; still to be served.
    """

    def __init__(
        self, cause: UnsupportedVersion | InvalidMessageLength, header: bytes, messages: list[bytes]
    ) -> None:
        super().__init__(cause.error_message)
        self.result_code = cause.result_code
        self.header = header
        self.messages = messages


REMEDIES: Final[dict[int, str]] = {
    3001: "configure the peer to send Credit-Control (272) only",
    3002: "point the peer's Destination-Host at this node's origin_host",
    3003: "make the peer's Destination-Realm equal to [diameter] origin_realm",
    3005: "remove the routing loop between the peer and its agents",
    3007: "let the peer send application 4 (Diameter credit control) only",
    3010: "add the peer's Origin-Host to [[diameter.peers]]",
    5001: "name the enclosing AVP in [diameter] tolerate_unknown_mandatory_in, or clear the M bit at the peer",
    5010: "let the peer offer application 4 (Diameter credit control) or the relay application",
}
"""What an operator can do about a refusal, for the log line that explains it."""
