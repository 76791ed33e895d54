"""What a simulated gateway asks and hears, without a protocol in it; and the steps of a simulated subscriber."""

from collections.abc import Generator
from enum import Enum, IntEnum
from typing import Final

import msgspec

from ocs.messages import CCRequestType, FinalUnitAction, RequestedAction, Service

SUCCESS: Final = 2001
LIMITED_SUCCESS: Final = 2002
TOO_BUSY: Final = 3002
REALM_NOT_SERVED: Final = 3003
UNABLE_TO_DELIVER: Final = 3004
END_USER_SERVICE_DENIED: Final = 4010
CREDIT_CONTROL_NOT_APPLICABLE: Final = 4011
CREDIT_LIMIT_REACHED: Final = 4012
UNKNOWN_SESSION: Final = 5002
AUTHORIZATION_REJECTED: Final = 5003
USER_UNKNOWN: Final = 5030
RATING_FAILED: Final = 5031


class Units(msgspec.Struct, frozen=True, omit_defaults=True):
    """A Requested-, Granted- or Used-Service-Unit; None is absent."""

    total_octets: int | None = None
    input_octets: int | None = None
    output_octets: int | None = None
    time_s: int | None = None
    service_specific_units: int | None = None

    def amount(self, service: Service) -> int:
        """The one number that counts for a service: octets, seconds or events; 0 when it is absent."""
        match service:
            case Service.DATA:
                if self.total_octets is not None:
                    return self.total_octets
                return (self.input_octets or 0) + (self.output_octets or 0)
            case Service.VOICE:
                return self.time_s or 0
            case Service.SMS | Service.MMS:
                return self.service_specific_units or 0


class Demand(Enum):
    """What a server asks of a gateway about a session (RFC 8506 section 5.5, RFC 6733 section 8.5)."""

    REAUTHORISE = "reauthorise"
    ABORT = "abort"


class ReportingReason(IntEnum):
    """3GPP Reporting-Reason (TS 32.299 section 7.2.175): why use is reported."""

    THRESHOLD = 0
    FINAL = 2
    QUOTA_EXHAUSTED = 3
    VALIDITY_TIME = 4
    FORCED_REAUTHORISATION = 7


class Subscriber(msgspec.Struct, frozen=True):
    """Who uses services: E.164 digits and IMSI; an empty IMSI is left out of requests."""

    msisdn: str
    imsi: str = ""


class ServiceReport(msgspec.Struct, frozen=True):
    """One Multiple-Services-Credit-Control of a request, or the plain form when it has no rating group."""

    rating_group: int | None = None
    service_identifier: int | None = None
    requested: Units | None = None
    used: Units | None = None
    reporting_reason: ReportingReason | None = None


class CreditRequest(msgspec.Struct, frozen=True):
    """One credit-control request as the gateway means it; copies sent again are equal."""

    subscriber: Subscriber
    session_id: str
    request_type: CCRequestType
    request_number: int
    service: Service
    reports: tuple[ServiceReport, ...]
    multiple_services: bool = True
    requested_action: RequestedAction | None = None
    called_party: str = ""
    destination_host: str = ""

    @property
    def ends_a_final_unit(self) -> bool:
        """Whether a session that goes on reports that a last grant is used up."""
        return self.request_type is CCRequestType.UPDATE and any(
            report.reporting_reason is ReportingReason.FINAL for report in self.reports
        )

    @property
    def was_demanded(self) -> bool:
        """Whether the server had it sent, by a Re-Auth-Request."""
        return any(
            report.reporting_reason is ReportingReason.FORCED_REAUTHORISATION for report in self.reports
        )


class ServiceResult(msgspec.Struct, frozen=True):
    """The answer for one service; ``result_code`` is None where only the message has one."""

    rating_group: int | None = None
    result_code: int | None = None
    granted: Units | None = None
    validity_time_s: int | None = None
    volume_threshold_octets: int | None = None
    time_threshold_s: int | None = None
    final_unit_action: FinalUnitAction | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the service may go on."""
        return self.result_code in (None, SUCCESS, LIMITED_SUCCESS)


class CreditAnswer(msgspec.Struct, frozen=True):
    """What the answer to a request says.

    Attributes:
        cost_micro: Cost-Information in micro-units, None when absent.
        enough_credit: Check-Balance-Result, None when absent.
    """

    session_id: str
    result_code: int
    request_type: int
    request_number: int
    origin_host: str = ""
    services: tuple[ServiceResult, ...] = ()
    cost_micro: int | None = None
    enough_credit: bool | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the request as a whole was granted."""
        return self.result_code in (SUCCESS, LIMITED_SUCCESS)

    def service(self, rating_group: int | None) -> ServiceResult | None:
        """The result for one rating group; None when the answer has none."""
        return next((result for result in self.services if result.rating_group == rating_group), None)


class Pause(msgspec.Struct, frozen=True):
    """A step of a behaviour: let simulated seconds go by. What went by is sent back (less when hurried)."""

    seconds: float


class Ask(msgspec.Struct, frozen=True):
    """A step of a behaviour: send a request. Its answer is sent back; None when it never came."""

    request: CreditRequest


Step = Pause | Ask
# A behaviour yields steps and receives what became of each; its own value is for the behaviour around it.
Behaviour = Generator[Step, float | CreditAnswer | None, object]
