"""Session-based credit control: INITIAL, UPDATE, TERMINATION and supervision (RFC 8506 section 7, Table 6)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from ocs import limits
from ocs.balance.lifecycle import first_used
from ocs.balance.model import (
    Account,
    LifecycleState,
    Session,
    SessionService,
    SessionState,
    Subscriber,
)
from ocs.charging.barring import is_barred
from ocs.charging.circumstances import updated_context
from ocs.charging.decision import Decision, Moment, Policy, State
from ocs.charging.draft import Draft, operation_of
from ocs.charging.memory import earlier_lives, opening_of, remember
from ocs.charging.pools import join_pool, pool_to_join, reduced_request, settle_in_pool
from ocs.charging.quota import reserve_grant
from ocs.charging.rates import RateFinder
from ocs.charging.reports import at_rate, debit_report, released
from ocs.charging.tariff_switch import crosses_switch, reserve_across_switch
from ocs.charging.tariffs import Tariffs
from ocs.messages import (
    CCRequestType,
    ChargingAnswer,
    ChargingRequest,
    MultipleServicesCreditControl,
    Outcome,
    ReportingReason,
    ServiceAnswer,
    ServiceUnit,
)
from ocs.rating import Catalogue
from ocs.units import Money

_ASK_US: Final = ServiceUnit()
_INITIAL: Final = CCRequestType.INITIAL
_TERMINATION: Final = CCRequestType.TERMINATION
_SUCCESS: Final = Outcome.SUCCESS
_DENIED: Final = Outcome.END_USER_SERVICE_DENIED
_NOT_APPLICABLE: Final = Outcome.CREDIT_CONTROL_NOT_APPLICABLE
_CREATED: Final = LifecycleState.CREATED
_FINAL: Final = ReportingReason.FINAL
_SERVICES_MAX: Final = limits.SERVICES_PER_SESSION_MAX
_with = msgspec.structs.replace


class SessionDecision:
    """Decides one INITIAL, UPDATE or TERMINATION; use once.

    Order: usage is debited first, whatever else is refused (RFC 8506 sections 8.16 and 9.1), then quotas are
    reserved, so that a report pays before a grant takes what is left.
    """

    __slots__ = ("_moment", "_policy", "_pools_ended", "_request", "_state", "_tariffs")

    def __init__(
        self, state: State, request: ChargingRequest, tariffs: Tariffs, moment: Moment, policy: Policy
    ) -> None:
        self._state = state
        self._request = request
        self._tariffs = tariffs
        self._moment = moment
        self._policy = policy

    # --- The rows of Table 6 ----------------------------------------------------------------------------

    def open(self, ended: Session | None, reported: ServiceUnit | None = None) -> Decision:
        """Idle + CC initial request: reserve units, start Tcc, or refuse and stay idle.

        Args:
            ended: the session that had this Session-Id before, while it is remembered.
            reported: what it has come to by the gateway's counters, where those count from its beginning.
        """
        request, moment = self._request, self._moment
        subscriber = self._state.subscriber
        session = Session(
            request.session_id,
            self._state.account.account_id,
            subscriber.subscriber_id if subscriber else "",
            SessionState.OPEN,
            request.service,
            request.context,
            request.origin_host,
            request.origin_realm,
            moment.now_ms,
            0,
            opening_fingerprint=opening_of(request),
            earlier_answers=earlier_lives(ended),
            reported=reported,
        )
        return self.interrogate(session)

    def interrogate(self, session: Session) -> Decision:
        """Open + CC update request: debit used units, reserve new units, restart Tcc, or debit and go idle.

        The first interrogation goes the same way; the answer is per service and for the command.
        """
        session = self._in_context(session)
        policy = self._policy
        # Why this subscriber gets nothing new, if so.
        refuse_with = (
            _DENIED if is_barred(self._state.account, self._state.subscriber, session.context) else None
        )
        draft, rates = self._draft(session), self._rates(session)
        answers: list[ServiceAnswer] = []
        longest_s = 0
        failed: Outcome | None = None
        # All reports pay before a grant takes what is left: one service's overrun must not eat another's new grant.
        services, charged, debited = self._debit_reports(draft, session, rates)
        for asked, index, failure in debited:
            if failure is None:
                # The bound on a session's services refuses what nothing else did.
                failure = refuse_with if index < _SERVICES_MAX else _DENIED  # noqa: PLW2901
            services[index], answer = self._reserve(draft, rates, services, index, asked, failure)
            answers.append(answer)
            if answer.outcome is not _SUCCESS:
                failed = failed or answer.outcome
            elif answer.validity_time_s is not None and answer.validity_time_s > longest_s:
                longest_s = answer.validity_time_s
        if refuse_with is None:
            outcome = _SUCCESS if failed is None else _outcome_of_failed(failed, services, answers)
        else:
            outcome = _outcome_of_barred(refuse_with, answers)
        remaining = Money(draft.available_money(), draft.currency) if policy.show_remaining_balance else None
        answer = ChargingAnswer(outcome, tuple(answers), None, None, remaining)
        if outcome is not _SUCCESS:
            return self._close(draft, session, services, charged, answer)
        deadline_ms = self._moment.supervision_ms + (longest_s + policy.supervision_time_s) * 1000
        remembered, forgotten = remember(session, self._request, answer)
        session = _with(
            session,
            deadline_ms=deadline_ms if deadline_ms > session.deadline_ms else session.deadline_ms,
            services=_worth_keeping(services),
            charged_micro=charged,
            answers=remembered,
            forgotten_number=forgotten,
            pools_ended=self._pools_ended,
        )
        return self._decision(draft, session, answer, is_used=True)

    def terminate(self, session: Session) -> Decision:
        """Open + CC termination request: debit used units, stop Tcc.

        A session that supervision closed, or that was refused, has ended as the gateway asks: success, and what
        it reports is debited all the same.
        """
        return self._settle_and_close(session, _SUCCESS)

    def report_late(self, session: Session) -> Decision:
        """Idle (closed by supervision) + CC update request: an error, but used units are debited, once."""
        return self._settle_and_close(session, Outcome.UNKNOWN_SESSION)

    # --- Steps ------------------------------------------------------------------------------------------

    def _draft(self, session: Session) -> Draft:
        state = self._state
        operation, catalogue = operation_of(self._request), self._tariffs.current
        return Draft(state.account, self._moment.now_ms, session, operation, catalogue, state.subscriber)

    def _rates(self, session: Session) -> RateFinder:
        now_s = self._moment.now_ms // 1000
        return RateFinder(self._state, self._tariffs, session.service, session.context, now_s)

    def _in_context(self, session: Session) -> Session:
        """The session with what the request says of its circumstances, which may have changed on the way."""
        told = self._request.context
        context = updated_context(session.context, told)
        return session if context is session.context else _with(session, context=context)

    def _debit_reports(
        self, draft: Draft, session: Session, rates: RateFinder
    ) -> tuple[list[SessionService], int, list[tuple[MultipleServicesCreditControl, int, Outcome | None]]]:
        """Charge every report of the request.

        Returns:
            The session's services, those that the request adds behind them; what the session has cost so far; and for
            each MSCC the place of its service and why its report could not be priced, if so.
        """
        services = list(session.services)
        charged = session.charged_micro
        self._pools_ended = session.pools_ended
        debited: list[tuple[MultipleServicesCreditControl, int, Outcome | None]] = []
        for asked in self._request.services:
            rating_group, identifiers = asked.rating_group, asked.service_identifiers
            for index, service in enumerate(services):  # noqa: B007 - where it stands is wanted after the loop
                if service.rating_group == rating_group and service.service_identifiers == identifiers:
                    break
            else:
                index, service = len(services), SessionService(rating_group, identifiers, "", "")
                services.append(service)
            services[index], amount, failure = debit_report(
                draft, self._request, session, service, asked, rates
            )
            if service.pool_id is not None:
                self._settle_in_pool(draft, services, service, amount)
            charged += amount
            debited.append((asked, index, failure))
        return services, charged, debited

    def _settle_in_pool(
        self, draft: Draft, services: list[SessionService], before: SessionService, charged_micro: int
    ) -> None:
        """Leave a reported service's pool to the others that the gateway goes on with, if there are any."""
        reporting = [(asked.rating_group, asked.service_identifiers) for asked in self._request.services]
        places = [
            place
            for place, other in enumerate(services)
            if other.pool_id == before.pool_id
            and (other.rating_group, other.service_identifiers) not in reporting
        ]
        if not places:
            self._pools_ended += 1
        elif self._request.request_type is not _TERMINATION:
            settled = settle_in_pool(draft, before, charged_micro, [services[place] for place in places])
            for place, service in zip(places, settled, strict=True):
                services[place] = service

    def _reserve(
        self,
        draft: Draft,
        rates: RateFinder,
        services: list[SessionService],
        index: int,
        asked: MultipleServicesCreditControl,
        refuse_with: Outcome | None,
    ) -> tuple[SessionService, ServiceAnswer]:
        """Reserve what a service asks for; in the first interrogation no size named leaves it to us."""
        service = services[index]
        requested = asked.requested
        if requested is None and self._request.request_type == _INITIAL:
            requested = _ASK_US
        if asked.reporting_reasons and _FINAL in asked.reporting_reasons:
            # The service has ended in the network (TS 32.299 section 7.2.175): whatever else it says, no new quota.
            requested = None
        if requested is None and refuse_with != Outcome.RATING_FAILED:
            # RFC 8506 section 8.16: without Requested-Service-Unit no new quota must be returned.
            return service, self._without_quota(rates, service, asked)
        if requested is None or (refuse_with is not None and refuse_with is not _DENIED):
            return service, _answer(asked, refuse_with or Outcome.RATING_FAILED)
        rate = rates.at(asked, requested, rates.now_s)
        if refuse_with is not None and (rate is None or not rate.is_emergency):
            return service, _answer(asked, refuse_with)
        if rate is None:
            return service, _answer(asked, Outcome.RATING_FAILED)
        if not rate.credit_control_applicable:
            return service, _answer(asked, _NOT_APPLICABLE)
        service = at_rate(service, rate)
        share_percent = self._policy.grant_share_percent
        if rate.changes_at_s and crosses_switch(draft, rate):
            after = rates.at(asked, requested, rate.changes_at_s)
            crossing = after and reserve_across_switch(draft, service, rate, after, requested, share_percent)
            if crossing:
                return crossing
        number = rate.quota.pool_id
        if number is None or (len(services) == 1 and self._request.request_type is not _INITIAL):
            return reserve_grant(draft, service, rate, requested, share_percent)
        pool_id, carried = pool_to_join(services, number, self._pools_ended)
        if carried and rate.price_micro:
            requested = reduced_request(rate, requested, carried)
        service, answer = reserve_grant(draft, service, rate, requested, share_percent)
        return (
            join_pool(draft, service, rate, answer, pool_id) if service.granted_units else (service, answer)
        )

    def _without_quota(
        self, rates: RateFinder, service: SessionService, asked: MultipleServicesCreditControl
    ) -> ServiceAnswer:
        """Answer a service that wants no quota.

        One that was redirected or restricted is told when to ask again (RFC 8506 section 5.6.2: MUST include
        Validity-Time).
        """
        rate = rates.held(service) if service.is_redirected else None
        validity_s = None if rate is None else rate.quota.validity_time_s
        return ServiceAnswer(
            _SUCCESS, asked.rating_group, asked.service_identifiers, validity_time_s=validity_s
        )

    def _decision(
        self, draft: Draft, session: Session, answer: ChargingAnswer, *, is_used: bool = False
    ) -> Decision:
        """What the draft has come to; the first use of a created account or subscriber activates it."""
        if draft.events:
            draft.note_crossings(self._policy.notices)
        account, subscriber = draft.account(), draft.subscriber()
        if is_used and account.state is _CREATED:
            account = first_used(account, self._moment.now_ms, self._policy.lifecycle)
        if is_used and subscriber is not None and subscriber.state is _CREATED:
            subscriber = _with(subscriber, state=LifecycleState.ACTIVE)
        return Decision(account, session, answer, tuple(draft.events), subscriber=subscriber)

    def _settle_and_close(self, session: Session, outcome: Outcome) -> Decision:
        """Charge every report of the request, release everything, close."""
        session = self._in_context(session)
        draft = self._draft(session)
        services, charged, debited = self._debit_reports(draft, session, self._rates(session))
        refused = [_answer(asked, failure) for asked, _, failure in debited if failure is not None]
        return self._close(draft, session, services, charged, ChargingAnswer(outcome, tuple(refused)))

    def _close(
        self,
        draft: Draft,
        session: Session,
        services: list[SessionService],
        charged: int,
        answer: ChargingAnswer,
    ) -> Decision:
        """Release what is held, remember the answer, go idle."""
        remembered, forgotten = remember(session, self._request, answer)
        session = _with(
            session,
            state=SessionState.CLOSED,
            services=_release_all(draft, _worth_keeping(services)),
            charged_micro=charged,
            answers=remembered,
            forgotten_number=forgotten,
        )
        return self._decision(draft, session, answer)


def expire_session(
    account: Account,
    session: Session,
    moment: Moment,
    catalogue: Catalogue,
    subscriber: Subscriber | None = None,
) -> Decision:
    """Open + Tcc expired: release reserved units, go idle. Late reports are still debited afterwards."""
    draft = Draft(account, moment.now_ms, session, "tcc", catalogue, subscriber)
    session = _with(session, state=SessionState.CLOSED, services=_release_all(draft, session.services))
    answer = ChargingAnswer(_SUCCESS)
    return Decision(draft.account(), session, answer, tuple(draft.events), subscriber=draft.subscriber())


def holds_counters(session: Session | None) -> bool:
    """Whether ending the session gives something back to its subscriber's counters."""
    return session is not None and any(service.counter_holds for service in session.services)


def _worth_keeping(services: Sequence[SessionService]) -> tuple[SessionService, ...]:
    """Services with a grant or a meter, or that wait for a top-up; one that was only refused leaves nothing behind.

    What is beyond the bound on a session's services was refused, and goes too.
    """
    kept = [s for s in services if s.granted_units or s.counted_units or s.fee_paid or s.is_redirected]
    return tuple(kept if len(kept) <= _SERVICES_MAX else kept[:_SERVICES_MAX])


def _release_all(
    draft: Draft, services: list[SessionService] | tuple[SessionService, ...]
) -> tuple[SessionService, ...]:
    for service in services:
        draft.release_grant(service)
    return tuple([released(service) for service in services])


def _outcome_of_failed(
    failed: Outcome, services: list[SessionService], answers: list[ServiceAnswer]
) -> Outcome:
    """The command's own result: refused when nothing it asked for, and nothing else in the session, goes on."""
    if any(answer.outcome == _SUCCESS for answer in answers) or any(
        service.granted_units for service in services
    ):
        return _SUCCESS
    return failed


def _outcome_of_barred(refuse_with: Outcome, answers: list[ServiceAnswer]) -> Outcome:
    """A barred subscriber's: success only where an emergency call passes the bar."""
    passed = [a.outcome for a in answers if a.granted is not None or a.outcome is _NOT_APPLICABLE]
    return passed[0] if passed else refuse_with


def _answer(asked: MultipleServicesCreditControl, outcome: Outcome) -> ServiceAnswer:
    return ServiceAnswer(outcome, asked.rating_group, asked.service_identifiers)
