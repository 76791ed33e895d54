"""The neutral charging request and answer: what the network asked and what we said, with no protocol in it.

Protocol rooms (``diameter_gy``, later ``radius``) translate bytes to and from these; ``charging`` decides on
them. Names are those of RFC 8506 and 3GPP TS 32.299.
"""

from enum import IntEnum, StrEnum
from typing import Final

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
    MMS = "mms"  # 32270@3gpp.org


class RoleOfNode(IntEnum):
    """Role-Of-Node: on whose behalf a call or a message is charged (TS 32.299 section 7.2.172)."""

    ORIGINATING = 0
    TERMINATING = 1
    FORWARDING = 2


class UsageContext(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The circumstances of a use that its price may depend on; empty where the network does not say.

    Attributes:
        called_party: digits without "+", or a SIP user part.
        access_point_name: lower case.
        serving_network: MCC and MNC digits of the serving node.
        rat_type: radio access technology: ``utran``, ``geran``, ``wlan``, ``eutran``, ``nr``, ``nb-iot`` and so on.
        user_location: 3GPP-User-Location-Info in hexadecimal digits.
        recipients: to how many addresses a message goes.
        media: IMS media components in order: ``audio``, ``video``, ``message`` and so on.
        message_type: of SMS and MMS, such as ``submission`` or ``delivery-report``.
        application: the application that traffic was recognised as.
    """

    called_party: str = ""
    calling_party: str = ""
    access_point_name: str = ""
    serving_network: str = ""
    rat_type: str = ""
    user_location: str = ""
    role_of_node: RoleOfNode | None = None
    recipients: int = 1
    media: tuple[str, ...] = ()
    message_type: str = ""
    application: str = ""


NO_CONTEXT: Final = UsageContext()


class Profile(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What of a subscriber its prices may depend on, beside its offers.

    Attributes:
        currency: ISO 4217 code of its account, which never changes; empty is the catalogue's own.
        favourites: friends & family numbers, digits with country code.
        groups: ids of the closed user groups that it belongs to.
    """

    currency: str = ""
    favourites: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


NO_PROFILE: Final = Profile()


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


class TariffChangeUsage(IntEnum):
    """Tariff-Change-Usage: on which side of a tariff switch units were used (RFC 8506 section 8.27)."""

    BEFORE = 0
    AFTER = 1
    INDETERMINATE = 2


class ReportingReason(IntEnum):
    """Reporting-Reason: why a gateway reports now (TS 32.299 section 7.2.175)."""

    THRESHOLD = 0
    QUOTA_HOLDING_TIME = 1
    FINAL = 2
    QUOTA_EXHAUSTED = 3
    VALIDITY_TIME = 4
    OTHER_QUOTA_TYPE = 5
    RATING_CONDITION_CHANGE = 6
    FORCED_REAUTHORISATION = 7
    POOL_EXHAUSTED = 8
    UNUSED_QUOTA_TIMER = 9


class ServiceUnit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Granted-, Requested- or Used-Service-Unit (RFC 8506 sections 8.17 to 8.19); None is absent.

    Attributes:
        tariff_change_usage: of used units, when the grant named a Tariff-Time-Change.
        event_time_s: when buffered units were used (Event-Charging-TimeStamp), seconds since 1970 UTC.
    """

    total_octets: int | None = None
    input_octets: int | None = None
    output_octets: int | None = None
    time_s: int | None = None
    service_specific_units: int | None = None
    money: Money | None = None
    tariff_change_usage: TariffChangeUsage | None = None
    event_time_s: int | None = None


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
    """What happens after the last grant is used (RFC 8506 section 8.34).

    Attributes:
        is_qos: it is told as QoS-Final-Unit-Indication (section 8.68) to gateways that know it.
    """

    action: FinalUnitAction
    redirect_address_type: RedirectAddressType | None = None
    redirect_address: str = ""
    restriction_filter_rules: tuple[str, ...] = ()
    filter_ids: tuple[str, ...] = ()
    is_qos: bool = False


class MultipleServicesCreditControl(msgspec.Struct, frozen=True, gc=False):
    """One Multiple-Services-Credit-Control of a request (RFC 8506 section 8.16).

    The plain form without that AVP is one of these without a rating group; a Service-Identifier at top level is its.

    Attributes:
        requested: None when no new quota is asked for; an empty unit when we are to decide the quota.
        used: one per Used-Service-Unit, in the order of the message.
        reporting_reasons: every Reporting-Reason of the group, wherever it stood in it.
        triggers: Trigger-Type values of what made the gateway report (TS 32.299 section 7.2.235).
    """

    rating_group: int | None
    service_identifiers: tuple[int, ...]
    requested: ServiceUnit | None
    used: tuple[ServiceUnit, ...]
    reporting_reasons: tuple[ReportingReason, ...] = ()
    triggers: tuple[int, ...] = ()


class ChargingRequest(msgspec.Struct, frozen=True, gc=False):
    """One credit-control request.

    Attributes:
        session_id: never empty: the protocol room makes one from Origin-Host and End-to-End-Id where the
            message has none.
        subscription_ids: who pays, in the order of the message, each ``"kind:value"`` with kind ``e164``
            (digits without "+"), ``imsi``, ``sip``, ``nai`` or ``private``; may be empty within a session.
        multiple_services: the services came as MSCCs, so the answer carries MSCCs.
        event_time_s: seconds since 1970 UTC, None when the message has no usable Event-Timestamp.
        context: what the price may depend on; empty in an UPDATE that does not say it again.
        fingerprint: digest of the charging content; equal in every copy of one request, however it came.
        retransmitted: the T flag. Every request is checked for being a repeat, with or without it.
        end_to_end_id: equal in every copy (RFC 6733 section 3); tells a copy of an INITIAL from a new session of a
            gateway that uses a Session-Id again.
        is_cumulative: used units count from the session's beginning, as RADIUS accounting does (RFC 2866 section 5.3);
            an INITIAL that reports use goes on with a session that we had closed or never heard of.
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
    context: UsageContext
    fingerprint: bytes
    retransmitted: bool = False
    end_to_end_id: int = 0
    is_cumulative: bool = False


class PoolReference(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """G-S-U-Pool-Reference: the grant counts into a pool that services share (RFC 8506 section 8.30).

    Attributes:
        unit_type: CC-Unit-Type of the granted unit: 0 time, 1 money, 2 total octets, 3 input, 4 output, 5 specific.
        multiplier: pool units for one unit of the service: Unit-Value ``digits x 10^exponent``.
    """

    pool_id: int
    unit_type: int
    multiplier_digits: int
    multiplier_exponent: int = 0


class ServiceAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The answer to one MSCC (or to the plain form).

    Attributes:
        tariff_time_change_s: epoch second within the grant from which another tariff counts (RFC 8506 section 8.20).
        quota_holding_time_s: Quota-Holding-Time (TS 32.299 section 7.2.152); quota_consumption_time_s likewise.
        triggers: Trigger-Type values at which the gateway shall report at once.
    """

    outcome: Outcome
    rating_group: int | None = None
    service_identifiers: tuple[int, ...] = ()
    granted: ServiceUnit | None = None
    validity_time_s: int | None = None
    volume_quota_threshold_octets: int | None = None
    time_quota_threshold_s: int | None = None
    final_unit: FinalUnitIndication | None = None
    tariff_time_change_s: int | None = None
    pools: tuple[PoolReference, ...] = ()
    quota_holding_time_s: int | None = None
    quota_consumption_time_s: int | None = None
    triggers: tuple[int, ...] = ()


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
