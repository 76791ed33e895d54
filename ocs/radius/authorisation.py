"""Access-Request -> INITIAL, and its answer -> Access-Accept or Access-Reject.

We authorise and do not authenticate: there are no passwords here. Whoever asks has authenticated the user (a proxy with
Authorize-Only, RFC 5176 section 3.1), or asks before anybody has to (Call-Check, RFC 2865 section 5.6).
"""

import hashlib
from typing import Final

from ocs.limits import RADIUS_INTERIM_INTERVAL_MIN_S
from ocs.messages import (
    CCRequestType,
    ChargingAnswer,
    ChargingRequest,
    MultipleServicesCreditControl,
    Outcome,
    Service,
    ServiceUnit,
)
from ocs.radius import codes
from ocs.radius.clients import Client
from ocs.radius.identities import context_of, identities_of
from ocs.radius.packet import Packet, attribute, integer_attribute, text_attribute
from ocs.radius.quotas import quota_attributes
from ocs.radius.session_name import SessionName

_SERVICE_TYPES: Final = frozenset({codes.CALL_CHECK, codes.AUTHORIZE_ONLY})
_CREDENTIALS: Final = (codes.USER_PASSWORD, codes.CHAP_PASSWORD, codes.EAP_MESSAGE)
_ASK_US: Final = ServiceUnit()
# What the user, or the help desk, reads.
_REASONS: Final = {
    Outcome.USER_UNKNOWN: "Unknown user",
    Outcome.MISSING_SUBSCRIPTION: "No user is named",
    Outcome.CREDIT_LIMIT_REACHED: "Your credit is used up",
    Outcome.END_USER_SERVICE_DENIED: "Your account is barred",
    Outcome.RATING_FAILED: "This service is not offered",
}
_NO_CREDIT: Final = Outcome.CREDIT_LIMIT_REACHED


def refusal_of(packet: Packet) -> str:
    """Why an Access-Request is refused before charging sees it; empty when it is not."""
    if any(packet.has(credential) for credential in _CREDENTIALS):
        return "Passwords are not checked here: authenticate first, then ask with Authorize-Only"
    if packet.integer(codes.SERVICE_TYPE) not in _SERVICE_TYPES:
        return "Only Authorize-Only and Call-Check are served here"
    return ""


def request_of(packet: Packet, client: Client, name: SessionName, now_s: int) -> ChargingRequest:
    """Ask for the first quota of the session that an Access-Request begins."""
    return ChargingRequest(
        name.session_id,
        CCRequestType.INITIAL,
        0,
        name.origin_host,
        client.name,
        Service.DATA,
        identities_of(packet),
        (MultipleServicesCreditControl(client.rating_group, (), _ASK_US, ()),),
        multiple_services=False,
        requested_action=None,
        event_time_s=packet.integer(codes.EVENT_TIMESTAMP) or now_s,
        context=context_of(packet),
        fingerprint=hashlib.blake2b(packet.authenticator, digest_size=16).digest(),
        is_cumulative=True,
    )


def reason_for(answer: ChargingAnswer) -> str:
    """Why the user is not let in; empty when it is."""
    outcome = answer.outcome
    if outcome is Outcome.CREDIT_CONTROL_NOT_APPLICABLE:
        return ""
    service = answer.services[0] if answer.services else None
    if outcome is Outcome.SUCCESS and service is not None:
        if service.granted is not None or service.outcome is Outcome.CREDIT_CONTROL_NOT_APPLICABLE:
            return ""
        # Redirected without a grant: RADIUS has no portal of ours to send the user to.
        outcome = _NO_CREDIT if service.outcome is Outcome.SUCCESS else service.outcome
    return _REASONS.get(outcome, "Not authorised")


def accept_attributes(name: SessionName, answer: ChargingAnswer, interim_interval_s: int) -> list[bytes]:
    """What an Access-Accept says: the session's name for us, its quota, and when to report."""
    return [
        attribute(codes.CLASS, name.class_value),
        *quota_attributes(answer, ServiceUnit(0, 0, 0, 0)),
        interim_attribute(answer, interim_interval_s),
    ]


def reject_attributes(reason: str) -> list[bytes]:
    """What an Access-Reject says."""
    return [text_attribute(codes.REPLY_MESSAGE, reason)]


def interim_attribute(answer: ChargingAnswer, interim_interval_s: int) -> bytes:
    """Acct-Interim-Interval: a report comes before the quota's Validity-Time ends (RFC 2869 section 5.16)."""
    validity_s = answer.services[0].validity_time_s if answer.services else None
    interval_s = min(interim_interval_s, validity_s or interim_interval_s)
    return integer_attribute(codes.ACCT_INTERIM_INTERVAL, max(interval_s, RADIUS_INTERIM_INTERVAL_MIN_S))
