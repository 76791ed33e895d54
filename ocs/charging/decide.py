"""One request -> one decision. Pure: state, request, tariff and time in; new state, answer and events out.

Order of checks: the repeat first, then the request, then account and subscriber, then the balance.
"""

from typing import Final

import msgspec

from ocs.balance.model import SessionState
from ocs.charging.cumulative import is_outrun, since_last_report
from ocs.charging.decision import Decision, Moment, Policy, State
from ocs.charging.memory import Recall, recall
from ocs.charging.one_time import decide_event
from ocs.charging.sessions import SessionDecision
from ocs.charging.tariffs import Tariffs
from ocs.messages import (
    CCRequestType,
    ChargingAnswer,
    ChargingRequest,
    MultipleServicesCreditControl,
    Outcome,
)

_UPDATE: Final = CCRequestType.UPDATE
_TERMINATION: Final = CCRequestType.TERMINATION
_OPEN: Final = SessionState.OPEN
_NEW: Final = Recall.NEW


def decide(
    state: State, request: ChargingRequest, tariffs: Tariffs, moment: Moment, policy: Policy
) -> Decision:
    """Decide one credit-control request.

    Raises:
        LedgerInvariantError: a fault of ours; the caller answers UNABLE_TO_COMPLY and writes nothing.

    Source: RFC 8506 section 7, Table 6.
    """
    session, reported = state.session, None
    if session is not None:
        remembered = recall(session, request)
        if remembered is not _NEW:
            if remembered is Recall.OTHER_CONTENT:
                return _refused(state, Outcome.REPEATED_WITH_OTHER_CONTENT)
            return Decision(state.account, session, remembered, is_repeat=True)
    if request.is_cumulative:
        if is_outrun(session, request):
            return _refused(state, Outcome.REPEATED_WITH_OTHER_CONTENT)
        session, request, reported = since_last_report(session, request)
    kind = request.request_type
    if kind is _UPDATE or kind is _TERMINATION:
        if session is None:
            return _refused(state, Outcome.UNKNOWN_SESSION)
        if len(request.services) > 1:
            request = merged(request)
        decision = SessionDecision(state, request, tariffs, moment, policy)
        if kind is _TERMINATION:
            return decision.terminate(session)
        return decision.interrogate(session) if session.state is _OPEN else decision.report_late(session)
    if not _is_identified(state, request):
        return _refused(state, Outcome.USER_UNKNOWN)
    if kind == CCRequestType.EVENT:
        return decide_event(state, session, request, tariffs, moment, policy)
    return SessionDecision(state, merged(request), tariffs, moment, policy).open(session, reported)


def merged(request: ChargingRequest) -> ChargingRequest:
    """Make one of several MSCCs for the same service: a service has one meter, one grant and one answer.

    RFC 8506 section 8.16 gives each service or rating group one instance; nodes exist that send its reports apart.
    """
    services = request.services
    if len(services) < 2 or len({(s.rating_group, s.service_identifiers) for s in services}) == len(services):
        return request
    by_key: dict[tuple[int | None, tuple[int, ...]], MultipleServicesCreditControl] = {}
    for s in services:
        key = (s.rating_group, s.service_identifiers)
        first = by_key.get(key)
        if first is not None:
            s = MultipleServicesCreditControl(  # noqa: PLW2901
                *key,
                first.requested or s.requested,
                first.used + s.used,
                first.reporting_reasons + s.reporting_reasons,
                first.triggers + s.triggers,
            )
        by_key[key] = s
    return msgspec.structs.replace(request, services=tuple(by_key.values()))


def _is_identified(state: State, request: ChargingRequest) -> bool:
    """Whether the subscriber that a directory hinted at owns one of the request's identities."""
    subscriber = state.subscriber
    if subscriber is None or subscriber.account_id != state.account.account_id:
        return False
    return any(identity in subscriber.identities for identity in request.subscription_ids)


def _refused(state: State, outcome: Outcome) -> Decision:
    return Decision(state.account, state.session, ChargingAnswer(outcome))
