"""Credit-Control-Request: octets -> a neutral charging request (RFC 8506 section 3.1, TS 32.299 section 6.4.2).

One pass over the top-level AVPs finds what charging needs and steps over the rest. What is the same in every
request of a subscriber or a session (identities, Service-Information) is looked up by its octets. A request
is refused only for what charging cannot do without, with the code and the Failed-AVP of the standard.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple, ParamSpec, TypeVar, cast

from ocs.diameter_gy import codes, service_information, service_units
from ocs.diameter_gy.avp import (
    MANDATORY,
    Avp,
    decode_diameter_identity,
    encode_avp,
    ntp_to_unix_s,
    split_avps,
)
from ocs.diameter_gy.credit_control_request import CreditControlRequest
from ocs.diameter_gy.dictionary import VENDOR_3GPP
from ocs.diameter_gy.errors import (
    AvpOccursTooManyTimes,
    ContradictingAvps,
    DiameterError,
    InvalidAvpValue,
)
from ocs.diameter_gy.familiar import FamiliarRequests
from ocs.diameter_gy.grammar import (
    IGNORED,
    MALFORMED,
    TOLERATED,
    VENDOR,
    ShapeTable,
    ToleratedAvp,
    avp_at,
    describe_code,
    fault_of,
    missing,
    too_many,
    wrong_length,
)
from ocs.diameter_gy.layouts import Content, KindRanges, LayoutMemory, steps_of
from ocs.diameter_gy.message import HEADER_OCTETS, RETRANSMITTED, Header, first_avp
from ocs.diameter_gy.service_context import service_of
from ocs.diameter_gy.service_information import (
    LOOSE_AVPS,
    NOTHING,
    ServiceInformation,
    ServiceInformationDecoder,
)
from ocs.diameter_gy.service_units import ServiceUnitDecoder
from ocs.diameter_gy.subscription import subscriptions_of, subscriptions_of_user_name
from ocs.diameter_gy.survey import Survey, UnitSpan
from ocs.limits import (
    AVPS_PER_MESSAGE_MAX,
    CODEC_MEMO_ENTRIES,
    REMEMBERED_OCTETS_MAX,
    SERVICES_PER_REQUEST_MAX,
    SESSION_ID_OCTETS_MAX,
    UNITS_PER_REQUEST_MAX,
)
from ocs.messages import (
    CCRequestType,
    ChargingRequest,
    MultipleServicesCreditControl,
    RequestedAction,
    Service,
)

COMMAND_CODE: Final = 272
APPLICATION_ID: Final = 4
COMMAND: Final = "Credit-Control-Request"
TOLERANT_CONTAINERS: Final = frozenset({COMMAND, service_units.CONTAINER, service_information.CONTAINER})
"""Where unknown AVPs with the M bit can be tolerated; "Credit-Control-Request" is the top level."""

# Kinds of top-level AVPs, ordered so that comparing tells what to do with one. Places for one value each:
(
    _SESSION_ID,
    _ORIGIN_HOST,
    _ORIGIN_REALM,
    _AUTH_APPLICATION_ID,
    _VENDOR_APPLICATION,
    _SERVICE_CONTEXT_ID,
    _REQUEST_TYPE,
    _REQUEST_NUMBER,
    _REQUESTED_ACTION,
    _EVENT_TIMESTAMP,
    _USER_NAME,
    _SUB_SESSION_ID,
    _SERVICE_IDENTIFIER,
    _REQUESTED_UNIT,
    _SERVICES_INDICATOR,
    # ... the last of them, and the first of those of which there may be many, are no content: agents add, rewrite
    # or need them, so they stay out of the fingerprint.
    _DESTINATION_HOST,
    _DESTINATION_REALM,
    _NODE_STATE,
    _PROXY_INFO,
    _ROUTE_RECORD,
    _SUBSCRIPTION,
    _INFORMATION,
    _SERVICES,
    _USED_UNIT,
    _KINDS_END,
) = range(25)
_FIRST_WITHOUT_CONTENT: Final = _DESTINATION_HOST
_FIRST_OF_MANY: Final = _NODE_STATE
_FIRST_OF_MANY_WITH_CONTENT: Final = _SUBSCRIPTION
_NOTHING_FOUND: Final[list[bytes | None]] = [None] * _FIRST_OF_MANY + [b""] * (_SERVICES - _FIRST_OF_MANY)
_LISTS: Final = KindRanges(
    first_without_content=_FIRST_WITHOUT_CONTENT,
    first_of_many=_FIRST_OF_MANY,
    first_of_many_with_content=_FIRST_OF_MANY_WITH_CONTENT,
    services=_SERVICES,
    used=_USED_UNIT,
)

_KINDS: Final = {
    (0, codes.SESSION_ID): _SESSION_ID,
    (0, codes.ORIGIN_HOST): _ORIGIN_HOST,
    (0, codes.ORIGIN_REALM): _ORIGIN_REALM,
    (0, codes.DESTINATION_HOST): _DESTINATION_HOST,
    (0, codes.DESTINATION_REALM): _DESTINATION_REALM,
    (0, codes.AUTH_APPLICATION_ID): _AUTH_APPLICATION_ID,
    (0, codes.VENDOR_SPECIFIC_APPLICATION_ID): _VENDOR_APPLICATION,
    (0, codes.SERVICE_CONTEXT_ID): _SERVICE_CONTEXT_ID,
    (0, codes.CC_REQUEST_TYPE): _REQUEST_TYPE,
    (0, codes.CC_REQUEST_NUMBER): _REQUEST_NUMBER,
    (0, codes.REQUESTED_ACTION): _REQUESTED_ACTION,
    (0, codes.EVENT_TIMESTAMP): _EVENT_TIMESTAMP,
    (0, codes.USER_NAME): _USER_NAME,
    (0, codes.CC_SUB_SESSION_ID): _SUB_SESSION_ID,
    (0, codes.SERVICE_IDENTIFIER): _SERVICE_IDENTIFIER,
    (0, codes.REQUESTED_SERVICE_UNIT): _REQUESTED_UNIT,
    (0, codes.MULTIPLE_SERVICES_INDICATOR): _SERVICES_INDICATOR,
    (0, codes.MULTIPLE_SERVICES_CREDIT_CONTROL): _SERVICES,
    (0, codes.SUBSCRIPTION_ID): _SUBSCRIPTION,
    (0, codes.SUBSCRIPTION_ID_EXTENSION): _SUBSCRIPTION,
    (0, codes.USED_SERVICE_UNIT): _USED_UNIT,
    (0, codes.PROXY_INFO): _PROXY_INFO,
    (0, codes.ROUTE_RECORD): _ROUTE_RECORD,
    (0, codes.ORIGIN_STATE_ID): _NODE_STATE,
    (VENDOR_3GPP, codes.SERVICE_INFORMATION): _INFORMATION,
} | dict.fromkeys(LOOSE_AVPS, _INFORMATION)
# Kamailio sends the origin twice; Event-Timestamp is not worth a refusal. The first counts.
_MAY_REPEAT: Final = frozenset({_ORIGIN_HOST, _ORIGIN_REALM, _EVENT_TIMESTAMP})
# "0" in the column CCR of RFC 8506 section 10.1.
_NOT_ALLOWED: Final = frozenset(
    {
        codes.CC_SESSION_FAILOVER,
        codes.CHECK_BALANCE_RESULT,
        codes.COST_INFORMATION,
        codes.CREDIT_CONTROL_FAILURE_HANDLING,
        codes.DIRECT_DEBITING_FAILURE_HANDLING,
        codes.FAILED_AVP,
        codes.FINAL_UNIT_INDICATION,
        codes.QOS_FINAL_UNIT_INDICATION,
        codes.GRANTED_SERVICE_UNIT,
        codes.REDIRECT_HOST,
        codes.REDIRECT_HOST_USAGE,
        codes.REDIRECT_MAX_CACHE_TIME,
        codes.RESULT_CODE,
        codes.VALIDITY_TIME,
    }
)
_REQUEST_TYPES: Final = {kind.to_bytes(4, "big"): kind for kind in CCRequestType}
_REQUESTED_ACTIONS: Final = {action.to_bytes(4, "big"): action for action in RequestedAction}
_MULTIPLE_SERVICES_SUPPORTED: Final = (1).to_bytes(4, "big")
# In the order of the grammar.
_REQUIRED: Final = (
    (_SESSION_ID, codes.SESSION_ID),
    (_ORIGIN_HOST, codes.ORIGIN_HOST),
    (_ORIGIN_REALM, codes.ORIGIN_REALM),
    (_DESTINATION_REALM, codes.DESTINATION_REALM),
    (_SERVICE_CONTEXT_ID, codes.SERVICE_CONTEXT_ID),
    (_REQUEST_TYPE, codes.CC_REQUEST_TYPE),
    (_REQUEST_NUMBER, codes.CC_REQUEST_NUMBER),
)
# ZTE's gateways name application 1 (NASREQ) inside a message of application 4.
_APPLICATIONS: Final = frozenset({(4).to_bytes(4, "big"), (1).to_bytes(4, "big")})


class Routing(NamedTuple):
    """Where a request wants to go and where it has been; empty where it does not say."""

    destination_host: str
    destination_realm: str
    route_records: tuple[str, ...]


RoutingCheck = Callable[[str | None, str | None, tuple[str, ...]], None]
"""Raises a DiameterError for Destination-Host, Destination-Realm and Route-Records that are not for us."""


class CreditControlRequestDecoder:
    """Reads Credit-Control-Requests for one policy; what repeats is found by its octets.

    Args:
        tolerated: names of TOLERANT_CONTAINERS in which unknown AVPs with the M bit pass.
        currency: ISO 4217 code of CC-Money without Currency-Code.
        check_routing: raises for requests that are not for this node, before anything else in them is judged.
        remembers: False reads every request as if it were the first: memory is bounded by the number of what is
            remembered, so that long messages have such a decoder of their own.
    """

    def __init__(
        self,
        tolerated: frozenset[str],
        currency: str,
        check_routing: RoutingCheck | None,
        *,
        remembers: bool = True,
    ) -> None:
        self._for_long = (
            CreditControlRequestDecoder(tolerated, currency, check_routing, remembers=False)
            if remembers
            else None
        )
        entries = CODEC_MEMO_ENTRIES if remembers else 0
        self._check_routing = check_routing
        self._table = ShapeTable(
            COMMAND, _KINDS, tolerates_unknown=COMMAND in tolerated, not_allowed=_NOT_ALLOWED
        )
        self._units = ServiceUnitDecoder(
            tolerates_unknown=service_units.CONTAINER in tolerated, currency=currency, entries=entries
        )
        self._layouts = LayoutMemory(self._table, _LISTS)
        self._familiar = FamiliarRequests()
        information = ServiceInformationDecoder(tolerates_unknown=service_information.CONTAINER in tolerated)
        self._information: Callable[[bytes], ServiceInformation] = _memo(information.decode, entries)
        self._subscriptions: Callable[[bytes], tuple[str, ...]] = _memo(subscriptions_of, entries)
        self._service: Callable[[bytes], Service] = _memo(service_of, entries)
        self._origin: Callable[[bytes, bytes], tuple[str, str]] = _memo(_origin_of, entries)
        self._routing: Callable[[bytes | None, bytes | None, bytes], Routing] = _memo(
            self._routing_of, entries
        )

    def decode(self, message: bytes, header: Header) -> CreditControlRequest:
        """Read one request.

        Raises:
            DiameterError: the request cannot be charged; the error says why and what to answer.
        """
        if len(message) > REMEMBERED_OCTETS_MAX and self._for_long is not None:
            return self._for_long.decode(message, header)
        request = self._familiar.read(message, header)
        if request is None:
            content = self._scan(message)
            request = self._request_of(content, message, header)
            # Of a session's requests only UPDATEs come again and again.
            is_update = request.charging.request_type is CCRequestType.UPDATE
            if self._for_long is not None and is_update and not content.tolerated:
                self._familiar.remember(message, request, self._survey)
        return request

    def _request_of(self, content: Content, message: bytes, header: Header) -> CreditControlRequest:
        places = content.places
        routing = self._routing(
            places[_DESTINATION_HOST], places[_DESTINATION_REALM], places[_ROUTE_RECORD] or b""
        )
        if content.fault is not None:
            raise content.fault
        loose = places[_INFORMATION]
        information = self._information(loose) if loose else NOTHING
        sub_session_id = _sub_session_of(places[_SUB_SESSION_ID])
        charging = self._charging(content, header, information, sub_session_id)
        tolerated = information.tolerated
        if content.tolerated:
            tolerated += tuple(content.tolerated)
        return CreditControlRequest(
            charging,
            message,
            first_avp(message, codes.SESSION_ID),
            header.flags,
            header.application_id,
            header.hop_by_hop_id,
            header.end_to_end_id,
            sub_session_id,
            places[_PROXY_INFO] or b"",
            routing.destination_host,
            routing.destination_realm,
            routing.route_records,
            tolerated,
        )

    def _survey(self, message: bytes) -> Survey | None:
        """Take down what a message without fault holds where; None when Proxy-Info stands in several places."""
        survey = Survey()
        used: list[list[UnitSpan]] = []
        has_event_time = False
        for step in steps_of(self._table, message, HEADER_OCTETS, len(message)):
            kind = step.kind
            survey.enter(step)
            if _LISTS.is_content(kind):
                survey.content.append((step.start, step.next))
            if kind == _SERVICES:
                self._units.survey_services(message, step.data, step.stop, survey)
            elif kind == _USED_UNIT:
                used.append(self._units.survey_used(message, step.data, step.stop, survey))
            elif kind == _REQUEST_NUMBER:
                survey.number = step.data
                survey.vary(step)
            elif kind == _EVENT_TIMESTAMP and not has_event_time:
                has_event_time = True  # the first counts, whatever it is
                if step.stop - step.data == 4:
                    survey.event_time = step.data
                    survey.vary(step)
            elif kind == _PROXY_INFO:
                if survey.proxy_info.stop:
                    return None
                survey.proxy_info = slice(step.start, step.next)
                survey.vary(step)
            elif kind == IGNORED:
                survey.vary(step)
        if used:
            survey.used.append(used)
        return survey

    def _scan(self, message: bytes) -> Content:
        """Find the top-level AVPs: at one go in a message of a known layout, else step by step."""
        content = self._layouts.read(message)
        if content is None:
            content = self._step_through(message)
            if self._for_long is not None and content.fault is None and not content.tolerated:
                self._layouts.learn(message)
        return content

    def _step_through(self, message: bytes) -> Content:
        """Step over the top-level AVPs once; only what makes further steps impossible is raised at once.

        The fingerprint covers the octets of all AVPs but those that differ between copies of one request on
        different ways: a relay adds Route-Record and Proxy-Info and may rewrite the destination, Origin-State-Id
        tells about the node. The header differs in Hop-by-Hop Identifier and T bit. A request regenerated by the
        gateway with other content is no copy, and must not get the copy's answer.
        """
        places, table = _NOTHING_FOUND.copy(), self._table
        services: list[bytes] = []
        used: list[bytes] = []
        content = Content(places, services, used, b"")
        digested: list[bytes] = []
        run, start, end = HEADER_OCTETS, HEADER_OCTETS, len(message)
        room = AVPS_PER_MESSAGE_MAX
        while start < end:
            room -= 1
            if room < 0:
                raise too_many(message, start, AVPS_PER_MESSAGE_MAX)
            kind, header_octets, length, step = table[message[start : start + 8]]
            if kind == VENDOR:
                kind, header_octets, length, step = table[message[start : start + 12]]
            stop = start + length
            if stop > end:
                raise fault_of(message, start, end, kind)
            if kind < _FIRST_OF_MANY:
                if places[kind] is None:
                    places[kind] = message[start + header_octets : stop]
                elif kind not in _MAY_REPEAT and content.fault is None:
                    content.fault = _repeated(message, start)
                if kind >= _FIRST_WITHOUT_CONTENT:
                    digested.append(message[run:start])
                    run = start + step
            elif kind < _FIRST_OF_MANY_WITH_CONTENT:
                places[kind] = (places[kind] or b"") + message[start : start + step]
                digested.append(message[run:start])
                run = start + step
            elif kind < _SERVICES:
                places[kind] = (places[kind] or b"") + message[start : start + step]
            elif kind < _KINDS_END:
                (services if kind == _SERVICES else used).append(message[start + header_octets : stop])
            elif kind != IGNORED:
                self._let_pass(content, message, start, kind)
            start += step
        digested.append(message[run:])
        content.fingerprint = blake2b(b"".join(digested), digest_size=8).digest()
        return content

    def _let_pass(self, content: Content, message: bytes, start: int, kind: int) -> None:
        """Note an AVP that is no part of a request: the first that is refused decides, malformed ones at once."""
        if kind == TOLERATED:
            avp = avp_at(message, start)
            content.tolerated.append(ToleratedAvp(COMMAND, avp.vendor_id, avp.code))
            return
        fault = fault_of(message, start, len(message), kind)
        if kind == MALFORMED:
            raise fault
        content.fault = content.fault or fault

    def _charging(
        self, content: Content, header: Header, information: ServiceInformation, sub_session_id: int | None
    ) -> ChargingRequest:
        places = content.places
        session_id_data, host, realm = places[_SESSION_ID], places[_ORIGIN_HOST], places[_ORIGIN_REALM]
        context, number = places[_SERVICE_CONTEXT_ID], places[_REQUEST_NUMBER]
        if (
            session_id_data is None
            or host is None
            or realm is None
            or context is None
            or number is None
            or places[_REQUEST_TYPE] is None
            or places[_DESTINATION_REALM] is None
        ):
            raise _first_missing(places)
        if places[_AUTH_APPLICATION_ID] not in _APPLICATIONS:
            _check_application(places)
        request_type = _REQUEST_TYPES.get(places[_REQUEST_TYPE] or b"")
        if request_type is None:
            raise _invalid(codes.CC_REQUEST_TYPE, places[_REQUEST_TYPE])
        if len(number) != 4:
            raise wrong_length(codes.CC_REQUEST_NUMBER)
        origin_host, origin_realm = self._origin(host, realm)
        action = None
        if request_type is CCRequestType.EVENT:
            action = _action_of(places[_REQUESTED_ACTION])
        session_id = _session_id_of(session_id_data, request_type, origin_host, header)
        if sub_session_id is not None:
            # Sub-sessions number their requests independently (RFC 8506 section 8.5).
            session_id = f"{session_id};sub={sub_session_id}"
        timestamp = places[_EVENT_TIMESTAMP]
        services, has_groups = self._services_of(content, request_type)
        return ChargingRequest(
            session_id,
            request_type,
            int.from_bytes(number, "big"),
            origin_host,
            origin_realm,
            self._service(context),
            self._subscription_ids(places, information),
            services,
            has_groups,
            action,
            ntp_to_unix_s(int.from_bytes(timestamp, "big")) if timestamp and len(timestamp) == 4 else None,
            information.context,
            content.fingerprint,
            header.flags & RETRANSMITTED != 0,
            header.end_to_end_id,
        )

    def _subscription_ids(
        self, places: Sequence[bytes | None], information: ServiceInformation
    ) -> tuple[str, ...]:
        """Who pays: as the message says first; inside Service-Information or as User-Name where it does not."""
        subscriptions = places[_SUBSCRIPTION]
        found = self._subscriptions(subscriptions) if subscriptions else ()
        found = found or information.subscription_ids
        if not found and places[_USER_NAME]:
            found = subscriptions_of_user_name((places[_USER_NAME] or b"").decode("utf-8", "replace"))
        return found

    def _services_of(
        self, content: Content, request_type: CCRequestType
    ) -> tuple[tuple[MultipleServicesCreditControl, ...], bool]:
        """The services, and whether they came as MSCCs; the plain form is one service without a group."""
        groups = content.services
        if groups:
            if content.used:
                failed = encode_avp(codes.USED_SERVICE_UNIT, content.used[0])
                raise ContradictingAvps(
                    "units are reported inside and outside of Multiple-Services-Credit-Control", failed
                )
            if len(groups) == 1:
                return (self._units.services(groups[0], content.tolerated),), True
            if len(groups) > SERVICES_PER_REQUEST_MAX:
                failed = encode_avp(codes.MULTIPLE_SERVICES_CREDIT_CONTROL, groups[SERVICES_PER_REQUEST_MAX])
                raise AvpOccursTooManyTimes(
                    f"more than {SERVICES_PER_REQUEST_MAX} services in a request", failed
                )
            services = [self._units.services(group, content.tolerated) for group in groups]
            room = UNITS_PER_REQUEST_MAX
            for service, group in zip(services, groups, strict=True):
                room -= len(service.used)
                if room < 0:
                    raise _too_many_units(codes.MULTIPLE_SERVICES_CREDIT_CONTROL, group)
            return tuple(services), True
        if len(content.used) > UNITS_PER_REQUEST_MAX:
            raise _too_many_units(codes.USED_SERVICE_UNIT, content.used[UNITS_PER_REQUEST_MAX])
        places = content.places
        requested, identifier = places[_REQUESTED_UNIT], places[_SERVICE_IDENTIFIER]
        if requested is None and not content.used:
            if places[_SERVICES_INDICATOR] == _MULTIPLE_SERVICES_SUPPORTED:
                return (), True
            if request_type is CCRequestType.TERMINATION:
                return (), False
        identifiers: tuple[int, ...] = ()
        if identifier is not None:
            if len(identifier) != 4:
                raise wrong_length(codes.SERVICE_IDENTIFIER)
            identifiers = (int.from_bytes(identifier, "big"),)
        unit = None if requested is None else self._units.requested(requested)
        used = tuple([self._units.used(data, content.tolerated) for data in content.used])
        return (MultipleServicesCreditControl(None, identifiers, unit, used),), False

    def _routing_of(self, host: bytes | None, realm: bytes | None, route_records: bytes) -> Routing:
        routing = Routing(
            _identity(codes.DESTINATION_HOST, host) if host else "",
            _identity(codes.DESTINATION_REALM, realm) if realm else "",
            tuple(decode_diameter_identity(avp) for avp in split_avps(route_records)),
        )
        if self._check_routing is not None:
            self._check_routing(routing.destination_host, routing.destination_realm, routing.route_records)
        return routing


def _too_many_units(code: int, data: bytes) -> AvpOccursTooManyTimes:
    return AvpOccursTooManyTimes(
        f"more than {UNITS_PER_REQUEST_MAX} reported units in a request", encode_avp(code, data)
    )


_Key = ParamSpec("_Key")
_Value = TypeVar("_Value")


def _memo(function: Callable[_Key, _Value], entries: int) -> Callable[_Key, _Value]:
    """Remember results by argument, within the bound; errors are worked out each time."""
    return cast("Callable[_Key, _Value]", lru_cache(entries)(function))


# --- Single values -------------------------------------------------------------------------------------


def _repeated(message: bytes, start: int) -> AvpOccursTooManyTimes:
    avp = avp_at(message, start)
    return AvpOccursTooManyTimes(
        f"{describe_code(avp.vendor_id, avp.code)} occurs more than once", avp.encoded
    )


def _first_missing(places: Sequence[bytes | None]) -> DiameterError:
    for place, code in _REQUIRED:
        if places[place] is None:
            return missing(code)
    raise AssertionError("all required AVPs are there")


def _invalid(code: int, data: bytes | None) -> DiameterError:
    """The error for an enumerated value that is none (5004), or not four octets long (5014)."""
    if data is None or len(data) != 4:
        return wrong_length(code)
    value = int.from_bytes(data, "big", signed=True)
    return InvalidAvpValue(f"{describe_code(0, code)} {value} is unknown", encode_avp(code, data))


def _check_application(places: Sequence[bytes | None]) -> None:
    """Accept Vendor-Specific-Application-Id in place of Auth-Application-Id: that is what Kamailio sends."""
    application = places[_AUTH_APPLICATION_ID]
    if application is not None:
        raise _invalid(codes.AUTH_APPLICATION_ID, application)
    if places[_VENDOR_APPLICATION] is None:
        raise missing(codes.AUTH_APPLICATION_ID)


def _sub_session_of(data: bytes | None) -> int | None:
    if data is None:
        return None
    if len(data) != 8:
        raise wrong_length(codes.CC_SUB_SESSION_ID)
    return int.from_bytes(data, "big")


def _action_of(data: bytes | None) -> RequestedAction:
    """Requested-Action of an EVENT; elsewhere Open5GS sends one that means nothing, and it is not looked at."""
    if data is None:
        raise missing(codes.REQUESTED_ACTION)
    action = _REQUESTED_ACTIONS.get(data)
    if action is None:
        raise _invalid(codes.REQUESTED_ACTION, data)
    return action


def _session_id_of(data: bytes, request_type: CCRequestType, origin_host: str, header: Header) -> str:
    """The session; an event without one is known by Origin-Host and End-to-End Identifier.

    These two are unique for at least four minutes (RFC 6733 section 3), and equal in a copy sent by an agent.
    """
    if not data and request_type is CCRequestType.EVENT:
        return f"{origin_host};{header.end_to_end_id}"
    if 0 < len(data) <= SESSION_ID_OCTETS_MAX:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    failed = encode_avp(codes.SESSION_ID, data[:SESSION_ID_OCTETS_MAX])
    raise InvalidAvpValue("Session-Id is empty, too long or not UTF-8", failed)


def _origin_of(host: bytes, realm: bytes) -> tuple[str, str]:
    return _identity(codes.ORIGIN_HOST, host), _identity(codes.ORIGIN_REALM, realm)


def _identity(code: int, data: bytes) -> str:
    return decode_diameter_identity(Avp(code, 0, MANDATORY, data))
