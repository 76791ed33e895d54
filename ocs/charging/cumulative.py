"""Gateways that count from a session's beginning: what they report is charged as the difference to their last report.

RADIUS accounting counts so (RFC 2866 sections 5.3 to 5.7). What was reported last stands in the session itself, so that
it moves in the same commit as the charge: a report that comes twice, late, or to another worker costs nothing twice.
"""

from typing import Final

import msgspec

from ocs.balance.model import Session
from ocs.limits import LATE_BEGINNING_SLACK_S
from ocs.messages import CCRequestType, ChargingRequest, ServiceUnit

_INITIAL: Final = CCRequestType.INITIAL
_TERMINATION: Final = CCRequestType.TERMINATION
_NOTHING: Final = ServiceUnit(0, 0, 0, 0)
_WORD: Final = 1 << 32
_with = msgspec.structs.replace


def is_outrun(session: Session | None, request: ChargingRequest) -> bool:
    """Whether a report is older than one that was charged: it says nothing new. What ends a session never is."""
    before, now = None if session is None else session.reported, _told(request)
    if session is None or before is None or request.request_type is _TERMINATION:
        return False
    if now is None:
        return _began_before(session, request)
    if now.time_s is None or before.time_s is None:
        return False
    return now.time_s < before.time_s or (now.time_s == before.time_s and _is_below(now, before))


def _began_before(session: Session, request: ChargingRequest) -> bool:
    """Whether what begins a session comes behind the reports by which it was opened.

    Taken for another session of the same name it would have the next report count from nothing, and charge all again.
    """
    began_s = request.event_time_s
    if request.request_type is not _INITIAL or began_s is None:
        return False
    # How long ago it was, a late one tells; but by whose clock the session was opened, nobody knows any more.
    slack_s = LATE_BEGINNING_SLACK_S if request.retransmitted else 0
    return (began_s - slack_s) * 1000 <= session.opened_ms


def since_last_report(
    session: Session | None, request: ChargingRequest
) -> tuple[Session | None, ChargingRequest, ServiceUnit | None]:
    """Make of counters what was used since the last report.

    Returns:
        The session that knows the counters, the request with the difference, and the counters: None when nothing is
        reported, and the session then counts on from where it was, or from zero if it begins.
    """
    now = _told(request)
    if now is None:
        return session, request, None
    before = _NOTHING if session is None or session.reported is None else session.reported
    total_in = _advanced(before.input_octets, now.input_octets, is_later=_is_later(before, now))
    total_out = _advanced(before.output_octets, now.output_octets, is_later=_is_later(before, now))
    time_s = max(before.time_s or 0, now.time_s or 0)
    reported = ServiceUnit(total_in[0] + total_out[0], total_in[0], total_out[0], time_s)
    used = ServiceUnit(
        total_in[1] + total_out[1],
        total_in[1],
        total_out[1],
        time_s - (before.time_s or 0),
        event_time_s=now.event_time_s,
    )
    first, *others = request.services
    request = _with(request, services=(_with(first, used=(used,)), *others))
    return None if session is None else _with(session, reported=reported), request, reported


def _told(request: ChargingRequest) -> ServiceUnit | None:
    """The counters of a request, None when it has none: they are its first service's only report."""
    services = request.services
    return services[0].used[0] if services and services[0].used else None


def _is_below(now: ServiceUnit, before: ServiceUnit) -> bool:
    return (now.input_octets or 0) < (before.input_octets or 0) or (now.output_octets or 0) < (
        before.output_octets or 0
    )


def _is_later(before: ServiceUnit, now: ServiceUnit) -> bool:
    return (now.time_s or 0) > (before.time_s or 0)


def _advanced(before: int | None, now: int | None, *, is_later: bool) -> tuple[int, int]:
    """Where a counter stands, however many words it has, and what was added since.

    A counter that is lower although time has passed has either wrapped (a gateway without Gigawords, RFC 2869 section
    5.1; then it was in its word's upper half) or begun anew. Without later time it comes from before: nothing is new.
    """
    before, now = before or 0, now or 0
    if now >= before:
        return now, now - before
    if not is_later:
        return before, 0
    word, rest = divmod(before, _WORD)
    if now >= _WORD:
        return before, 0  # no word has been lost, and nobody begins anew so far on
    if now >= rest:
        return word * _WORD + now, now - rest  # has wrapped before, and goes on
    if rest >= _WORD // 2:
        return (word + 1) * _WORD + now, _WORD - rest + now
    return now, now
