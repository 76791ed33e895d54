"""Session-based credit control: INITIAL, UPDATE, TERMINATION and supervision (RFC 8506 section 7, Table 6)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from ocs import limits
from ocs.balance.model import (
    Account,
    LifecycleState,
    Session,
    SessionService,
    SessionState,
)
from ocs.charging.decision import Decision, Moment, Policy, State
from ocs.charging.draft import Draft, operation_of
from ocs.charging.memory import earlier_lives, opening_of, remember
from ocs.charging.quota import reserve_grant
from ocs.charging.tariffs import Tariffs
from ocs.charging.usage import debit_use, is_zero, measured
from ocs.messages import (
    NO_PROFILE,
    CCRequestType,
    ChargingAnswer,
    ChargingRequest,
    MultipleServicesCreditControl,
    Outcome,
    ServiceAnswer,
    ServiceUnit,
)
from ocs.rating import Rate
from ocs.units import Money

_ASK_US: Final = ServiceUnit()
_INITIAL: Final = CCRequestType.INITIAL
_SUCCESS: Final = Outcome.SUCCESS
_DENIED: Final = Outcome.END_USER_SERVICE_DENIED
_ACTIVE: Final = LifecycleState.ACTIVE
_SERVICES_MAX: Final = limits.SERVICES_PER_SESSION_MAX
_with = msgspec.structs.replace


class SessionDecision:
    """Decides one INITIAL, UPDATE or TERMINATION; use once.

    Order: usage is debited first, whatever else is refused (RFC 8506 sections 8.16 and 9.1), then quotas are
    reserved, so that a report pays before a grant takes what is left.
    """

    __slots__ = ("_moment", "_policy", "_request", "_state", "_tariffs")

    def __init__(
        self, state: State, request: ChargingRequest, tariffs: Tariffs, moment: Moment, policy: Policy
    ) -> None:
        self._state = state
        self._request = request
        self._tariffs = tariffs
        self._moment = moment
        self._policy = policy

    # --- The rows of Table 6 ----------------------------------------------------------------------------

    def open(self, ended: Session | None) -> Decision:
        """Idle + CC initial request: reserve units, start Tcc, or refuse and stay idle.

        Args:
            ended: the session that had this Session-Id before, while it is remembered.
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
        )
        return self.interrogate(session)

    def interrogate(self, session: Session) -> Decision:
        """Open + CC update request: debit used units, reserve new units, restart Tcc, or debit and go idle.

        The first interrogation goes the same way; the answer is per service and for the command.
        """
        request, state, policy = self._request, self._state, self._policy
        account, subscriber = state.account, state.subscriber
        # Why this subscriber gets nothing new, if so.
        refuse_with = None
        if account.state is not _ACTIVE or (subscriber is not None and subscriber.state is not _ACTIVE):
            refuse_with = _DENIED
        draft = self._draft(session)
        answers: list[ServiceAnswer] = []
        longest_s = 0
        failed: Outcome | None = None
        # All reports pay before a grant takes what is left: one service's overrun must not eat another's new grant.
        services, charged, debited = self._debit_reports(draft, session)
        for asked, index, failure in debited:
            if failure is None:
                # The bound on a session's services refuses what nothing else did.
                failure = refuse_with if index < _SERVICES_MAX else _DENIED  # noqa: PLW2901
            services[index], answer = self._reserve(draft, session, services[index], asked, failure)
            answers.append(answer)
            if answer.outcome is not _SUCCESS:
                failed = failed or answer.outcome
            elif answer.validity_time_s is not None and answer.validity_time_s > longest_s:
                longest_s = answer.validity_time_s
        outcome = refuse_with or (
            _SUCCESS if failed is None else _outcome_of_failed(failed, services, answers)
        )
        remaining = Money(draft.available_money(), draft.currency) if policy.show_remaining_balance else None
        answer = ChargingAnswer(outcome, tuple(answers), None, None, remaining)
        if outcome is not _SUCCESS:
            return self._close(draft, session, services, charged, answer)
        deadline_ms = self._moment.supervision_ms + (longest_s + policy.supervision_time_s) * 1000
        remembered, forgotten = remember(session, request, answer)
        session = _with(
            session,
            deadline_ms=deadline_ms if deadline_ms > session.deadline_ms else session.deadline_ms,
            services=_worth_keeping(services),
            charged_micro=charged,
            answers=remembered,
            forgotten_number=forgotten,
        )
        return Decision(draft.account(), session, answer, tuple(draft.events))

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
        operation, time_zone = operation_of(self._request), self._tariffs.current.time_zone
        return Draft(self._state.account, self._moment.now_ms, session, operation, time_zone)

    def _debit_reports(
        self, draft: Draft, session: Session
    ) -> tuple[list[SessionService], int, list[tuple[MultipleServicesCreditControl, int, Outcome | None]]]:
        """Charge every report of the request.

        Returns:
            The session's services, those that the request adds behind them; what the session has cost so far; and for
            each MSCC the place of its service and why its report could not be priced, if so.
        """
        services = list(session.services)
        charged = session.charged_micro
        debited: list[tuple[MultipleServicesCreditControl, int, Outcome | None]] = []
        for asked in self._request.services:
            rating_group, identifiers = asked.rating_group, asked.service_identifiers
            for index, service in enumerate(services):  # noqa: B007 - where it stands is wanted after the loop
                if service.rating_group == rating_group and service.service_identifiers == identifiers:
                    break
            else:
                index, service = len(services), SessionService(rating_group, identifiers, "", "")
                services.append(service)
            services[index], amount, failure = self._debit(draft, session, service, asked)
            charged += amount
            debited.append((asked, index, failure))
        return services, charged, debited

    def _debit(
        self, draft: Draft, session: Session, service: SessionService, asked: MultipleServicesCreditControl
    ) -> tuple[SessionService, int, Outcome | None]:
        """Charge a report at the rate of its grant; without one, at the rate of now.

        Returns:
            The service without a grant, what money paid, and why the report could not be priced.
        """
        used = asked.used
        rate: Rate | None = None
        if service.tariff_path:
            rate = self._tariffs.held_rate(service.catalogue_version, service.tariff_path)
        if rate is None:
            if not used or all([is_zero(unit) for unit in used]):
                draft.release(service.holds)
                return _released(service), 0, None
            rate = self._current_rate(session, asked, next(unit for unit in used if not is_zero(unit)))
            if rate is not None:
                # Another rate starts another meter, which knows nothing of the old grant's holds.
                draft.release(service.holds)
                service = _at_rate(_released(service), rate)
        units = None if rate is None else measured(rate, used)
        if rate is None or units is None:
            draft.release(service.holds)
            return _released(service), 0, Outcome.RATING_FAILED
        debited = debit_use(draft, self._request, session, service, rate, units)
        if debited is None:
            return _released(service), 0, Outcome.RATING_FAILED
        service, amount = debited
        return service, amount, None

    def _reserve(
        self,
        draft: Draft,
        session: Session,
        service: SessionService,
        asked: MultipleServicesCreditControl,
        refuse_with: Outcome | None,
    ) -> tuple[SessionService, ServiceAnswer]:
        """Reserve what a service asks for; in the first interrogation no size named leaves it to us."""
        requested = asked.requested
        if requested is None and self._request.request_type == _INITIAL:
            requested = _ASK_US
        if requested is None and refuse_with != Outcome.RATING_FAILED:
            # RFC 8506 section 8.16: without Requested-Service-Unit no new quota must be returned.
            return service, _answer(asked, _SUCCESS)
        if requested is None or refuse_with is not None:
            return service, _answer(asked, refuse_with or Outcome.RATING_FAILED)
        rate = self._current_rate(session, asked, requested)
        if rate is None:
            return service, _answer(asked, Outcome.RATING_FAILED)
        if not rate.credit_control_applicable:
            return service, _answer(asked, Outcome.CREDIT_CONTROL_NOT_APPLICABLE)
        return reserve_grant(draft, _at_rate(service, rate), rate, requested)

    def _current_rate(
        self, session: Session, asked: MultipleServicesCreditControl, unit: ServiceUnit
    ) -> Rate | None:
        if unit.money is not None and _names_only_money(unit):
            return self._tariffs.money if unit.money.currency == self._state.account.currency else None
        subscriber = self._state.subscriber
        return self._tariffs.rate(
            subscriber.offers if subscriber else (),
            session.service,
            asked.rating_group,
            asked.service_identifiers,
            session.context,
            self._moment.now_ms // 1000,
            subscriber.profile if subscriber else NO_PROFILE,
        )

    def _settle_and_close(self, session: Session, outcome: Outcome) -> Decision:
        """Charge every report of the request, release everything, close."""
        draft = self._draft(session)
        services, charged, debited = self._debit_reports(draft, session)
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
        return Decision(draft.account(), session, answer, tuple(draft.events))


def expire_session(account: Account, session: Session, moment: Moment, time_zone: str) -> Decision:
    """Open + Tcc expired: release reserved units, go idle. Late reports are still debited afterwards."""
    draft = Draft(account, moment.now_ms, session, "tcc", time_zone)
    session = _with(session, state=SessionState.CLOSED, services=_release_all(draft, session.services))
    return Decision(draft.account(), session, ChargingAnswer(_SUCCESS), tuple(draft.events))


def _worth_keeping(services: Sequence[SessionService]) -> tuple[SessionService, ...]:
    """Services with a grant or a meter; one that was only refused, or is beyond the bound, leaves nothing behind."""
    kept = [s for s in services if s.granted_units or s.counted_units or s.fee_paid]
    return tuple(kept if len(kept) <= _SERVICES_MAX else kept[:_SERVICES_MAX])


def _release_all(
    draft: Draft, services: list[SessionService] | tuple[SessionService, ...]
) -> tuple[SessionService, ...]:
    for service in services:
        draft.release(service.holds)
    return tuple([_released(service) for service in services])


def _outcome_of_failed(
    failed: Outcome, services: list[SessionService], answers: list[ServiceAnswer]
) -> Outcome:
    """The command's own result: refused when nothing it asked for, and nothing else in the session, goes on."""
    if any(answer.outcome == _SUCCESS for answer in answers) or any(
        service.granted_units for service in services
    ):
        return _SUCCESS
    return failed


def _at_rate(service: SessionService, rate: Rate) -> SessionService:
    """The service under a rate: another rate starts a meter of its own; the connection fee is paid but once."""
    if service.tariff_path == rate.path and service.catalogue_version == rate.catalogue_version:
        return service
    return SessionService(
        service.rating_group,
        service.service_identifiers,
        rate.catalogue_version,
        rate.path,
        fee_paid=service.fee_paid,
    )


def _released(service: SessionService) -> SessionService:
    return _with(service, granted_units=0, holds=()) if service.granted_units else service


def _answer(asked: MultipleServicesCreditControl, outcome: Outcome) -> ServiceAnswer:
    return ServiceAnswer(outcome, asked.rating_group, asked.service_identifiers)


def _names_only_money(unit: ServiceUnit) -> bool:
    return not (
        unit.total_octets
        or unit.input_octets
        or unit.output_octets
        or unit.time_s
        or unit.service_specific_units
    )
