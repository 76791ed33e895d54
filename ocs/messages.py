"""The neutral charging request and answer: what the network asked and what we said, with no protocol in it.

Protocol rooms (``diameter_gy``, later ``radius``) translate bytes to and from these; ``charging`` decides on
them. Names are those of RFC 8506 and 3GPP TS 32.299.
"""

from enum import IntEnum, StrEnum

import msgspec

from ocs.units import Money


class CCRequestType(IntEnum):
    """CC-Request-Type (RFC 8506 section 8.3)."""

    INITIAL = 1
    UPDATE = 2
    TERMINATION = 3
    EVENT = 4


class RequestedAction(IntEnum):
    """Requested-Action, meaningful in EVENT requests only (RFC 8506 section 8.41)."""

    DIRECT_DEBITING = 0
    REFUND_ACCOUNT = 1
    CHECK_BALANCE = 2
    PRICE_ENQUIRY = 3


class Service(StrEnum):
    """What is charged, told from Service-Context-Id: the specification it names (TS 32.299 section 7.1.12)."""

    DATA = "data"  # 32251@3gpp.org
    VOICE = "voice"  # 32260@3gpp.org
    SMS = "sms"  # 32274@3gpp.org


class Outcome(IntEnum):
    """How a request, or one service in it, ended. Protocol rooms map it to their own codes."""

    SUCCESS = 0
    USER_UNKNOWN = 1  # no account owns any identity of the request
    END_USER_SERVICE_DENIED = 2  # the account or subscriber may not use this service
    CREDIT_CONTROL_NOT_APPLICABLE = 3  # the service is free: no further credit control needed
    CREDIT_LIMIT_REACHED = 4  # not one unit can be paid
    RATING_FAILED = 5  # no price applies
    UNKNOWN_SESSION = 6
    REPEATED_WITH_OTHER_CONTENT = 7  # same session and number, other content, or too old to tell
    TOO_BUSY = 8  # our queue is full
    UNABLE_TO_DELIVER = 9  # the store did not confirm: the answer of another node may be had
    UNABLE_TO_COMPLY = 10  # a fault of ours
    MISSING_SUBSCRIPTION = 11  # nobody to charge is named, and no session tells


class ServiceUnit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Granted-, Requested- or Used-Service-Unit (RFC 8506 sections 8.17 to 8.19); None is absent."""

    total_octets: int | None = None
    input_octets: int | None = None
    output_octets: int | None = None
    time_s: int | None = None
    service_specific_units: int | None = None
    money: Money | None = None


class FinalUnitAction(IntEnum):
    """Final-Unit-Action (RFC 8506 section 8.35)."""

    TERMINATE = 0
    REDIRECT = 1
    RESTRICT_ACCESS = 2


class RedirectAddressType(IntEnum):
    """Redirect-Address-Type (RFC 8506 section 8.38)."""

    IPV4 = 0
    IPV6 = 1
    URL = 2
    SIP_URI = 3


class FinalUnitIndication(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What happens after the last grant is used (RFC 8506 section 8.34)."""

    action: FinalUnitAction
    redirect_address_type: RedirectAddressType | None = None
    redirect_address: str = ""
    restriction_filter_rules: tuple[str, ...] = ()
    filter_ids: tuple[str, ...] = ()


class MultipleServicesCreditControl(msgspec.Struct, frozen=True, gc=False):
    """One Multiple-Services-Credit-Control of a request (RFC 8506 section 8.16).

    The plain form without that AVP is one of these without a rating group; a Service-Identifier at top level is its.

    Attributes:
        requested: None when no new quota is asked for; an empty unit when we are to decide the quota.
        used: one per Used-Service-Unit, in the order of the message.
    """

    rating_group: int | None
    service_identifiers: tuple[int, ...]
    requested: ServiceUnit | None
    used: tuple[ServiceUnit, ...]


class ChargingRequest(msgspec.Struct, frozen=True, gc=False):
    """One credit-control request.

    Attributes:
        session_id: never empty: the protocol room makes one from Origin-Host and End-to-End-Id where the
            message has none.
        subscription_ids: who pays, in the order of the message, each ``"kind:value"`` with kind ``e164``
            (digits without "+"), ``imsi``, ``sip``, ``nai`` or ``private``; may be empty within a session.
        multiple_services: the services came as MSCCs, so the answer carries MSCCs.
        event_time_s: seconds since 1970 UTC, None when the message has no usable Event-Timestamp.
        called_party: digits without "+", or a SIP user part; empty when not applicable.
        fingerprint: digest of the charging content; equal in every copy of one request, however it came.
        retransmitted: the T flag. Every request is checked for being a repeat, with or without it.
        end_to_end_id: equal in every copy (RFC 6733 section 3); tells a copy of an INITIAL from a new session of a
            gateway that uses a Session-Id again.
    """

    session_id: str
    request_type: CCRequestType
    request_number: int
    origin_host: str
    origin_realm: str
    service: Service
    subscription_ids: tuple[str, ...]
    services: tuple[MultipleServicesCreditControl, ...]
    multiple_services: bool
    requested_action: RequestedAction | None
    event_time_s: int | None
    called_party: str
    calling_party: str
    access_point_name: str
    serving_network: str  # MCC and MNC digits of the serving node
    fingerprint: bytes
    retransmitted: bool = False
    end_to_end_id: int = 0


class ServiceAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The answer to one MSCC (or to the plain form)."""

    outcome: Outcome
    rating_group: int | None = None
    service_identifiers: tuple[int, ...] = ()
    granted: ServiceUnit | None = None
    validity_time_s: int | None = None
    volume_quota_threshold_octets: int | None = None
    time_quota_threshold_s: int | None = None
    final_unit: FinalUnitIndication | None = None


class ChargingAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The answer to one charging request; what a repeat gets again.

    Attributes:
        cost: accumulated cost of the session, total cost of an event, or the price enquired (section 8.7).
        enough_credit: Check-Balance-Result (section 8.6), None outside balance checks.
        remaining: money left that no session holds, where the operator shows it.
    """

    outcome: Outcome
    services: tuple[ServiceAnswer, ...] = ()
    cost: Money | None = None
    enough_credit: bool | None = None
    remaining: Money | None = None
