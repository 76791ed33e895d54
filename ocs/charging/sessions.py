"""Session-based credit control: INITIAL, UPDATE, TERMINATION and supervision (RFC 8506 section 7, Table 6)."""

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
from ocs.charging.draft import Draft
from ocs.charging.memory import event_prefix, remember
from ocs.charging.quota import reserve_grant
from ocs.charging.tariffs import Tariffs
from ocs.charging.usage import debit_use, is_zero, measured
from ocs.messages import (
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
_with = msgspec.structs.replace


class SessionDecision:
    """Decides one INITIAL, UPDATE or TERMINATION; use once.

    Order: usage is debited first, whatever else is refused (RFC 8506 sections 8.16 and 9.1), then quotas are
    reserved, so that a report pays before a grant takes what is left.
    """

    def __init__(
        self, state: State, request: ChargingRequest, tariffs: Tariffs, moment: Moment, policy: Policy
    ) -> None:
        self._state = state
        self._request = request
        self._tariffs = tariffs
        self._moment = moment
        self._policy = policy

    # --- The rows of Table 6 ----------------------------------------------------------------------------

    def open(self) -> Decision:
        """Idle + CC initial request: reserve units, start Tcc, or refuse and stay idle."""
        request, moment = self._request, self._moment
        subscriber = self._state.subscriber
        session = Session(
            request.session_id,
            self._state.account.account_id,
            subscriber.subscriber_id if subscriber else "",
            SessionState.OPEN,
            request.service,
            request.called_party,
            request.origin_host,
            request.origin_realm,
            moment.now_ms,
            0,
            opening_fingerprint=request.fingerprint,
        )
        return self._interrogate(session, refuse_with=self._barred())

    def update(self, session: Session) -> Decision:
        """Open + CC update request: debit used units, reserve new units, restart Tcc, or debit and go idle."""
        return self._interrogate(session, refuse_with=self._barred())

    def terminate(self, session: Session) -> Decision:
        """Open + CC termination request: debit used units, stop Tcc.

        A session that supervision closed, or that was refused, has ended as the gateway asks: success, and what
        it reports is debited all the same.
        """
        draft = self._draft(session)
        session, refused = self._debit_all(draft, session)
        answer = ChargingAnswer(Outcome.SUCCESS, tuple(refused))
        return self._close(draft, session, answer)

    def report_late(self, session: Session) -> Decision:
        """Idle (closed by supervision) + CC update request: an error, but used units are debited, once."""
        draft = self._draft(session)
        session, _ = self._debit_all(draft, session)
        return self._close(draft, session, ChargingAnswer(Outcome.UNKNOWN_SESSION))

    # --- Steps ------------------------------------------------------------------------------------------

    def _draft(self, session: Session) -> Draft:
        return Draft(
            self._state.account,
            self._moment.now_ms,
            event_prefix(session, self._request),
            self._tariffs.current.time_zone,
        )

    def _barred(self) -> Outcome | None:
        """Why this subscriber gets nothing new, if so."""
        account, subscriber = self._state.account, self._state.subscriber
        if account.state != LifecycleState.ACTIVE:
            return Outcome.END_USER_SERVICE_DENIED
        if subscriber is not None and subscriber.state != LifecycleState.ACTIVE:
            return Outcome.END_USER_SERVICE_DENIED
        return None

    def _interrogate(self, session: Session, refuse_with: Outcome | None) -> Decision:
        request = self._request
        draft = self._draft(session)
        answers: list[ServiceAnswer] = []
        services = list(session.services)
        charged = session.charged_micro
        for asked in request.services:
            index = _index_of(services, asked)
            service = services[index] if index >= 0 else _new_service(asked)
            service, amount, answer = self._serve(draft, session, service, asked, refuse_with)
            charged += amount
            if index >= 0:
                services[index] = service
            elif len(services) < limits.SERVICES_PER_SESSION_MAX:
                services.append(service)
            else:
                draft.release(service.holds)
                answer = ServiceAnswer(
                    Outcome.END_USER_SERVICE_DENIED, asked.rating_group, asked.service_identifiers
                )
            answers.append(answer)
        session = _with(session, services=tuple(services), charged_micro=charged)
        outcome = self._outcome(session, answers, refuse_with)
        answer = ChargingAnswer(outcome, tuple(answers), remaining=self._remaining(draft))
        if outcome != Outcome.SUCCESS:
            return self._close(draft, session, answer)
        deadline_ms = self._deadline_ms(answers)
        return self._keep(draft, _with(session, deadline_ms=max(deadline_ms, session.deadline_ms)), answer)

    def _serve(
        self,
        draft: Draft,
        session: Session,
        service: SessionService,
        asked: MultipleServicesCreditControl,
        refuse_with: Outcome | None,
    ) -> tuple[SessionService, int, ServiceAnswer]:
        """Debit one service's use, then reserve what it asks for."""
        service, amount, failed = self._debit(draft, session, service, asked)
        requested = asked.requested
        if requested is None and self._request.request_type == CCRequestType.INITIAL:
            requested = _ASK_US
        refused = failed or (refuse_with if requested is not None else None)
        if refused is not None:
            return service, amount, _answer(asked, refused)
        if requested is None:
            return service, amount, _answer(asked, Outcome.SUCCESS)
        rate = self._current_rate(session, asked, requested)
        if rate is None:
            return service, amount, _answer(asked, Outcome.RATING_FAILED)
        if not rate.credit_control_applicable:
            return service, amount, _answer(asked, Outcome.CREDIT_CONTROL_NOT_APPLICABLE)
        service, answer = reserve_grant(draft, _at_rate(service, rate), rate, requested)
        return service, amount, answer

    def _debit(
        self, draft: Draft, session: Session, service: SessionService, asked: MultipleServicesCreditControl
    ) -> tuple[SessionService, int, Outcome | None]:
        """Charge a report at the rate of its grant; without one, at the rate of now."""
        rate = self._tariffs.held_rate(service.catalogue_version, service.tariff_path)
        if rate is None and asked.used and not all(is_zero(unit) for unit in asked.used):
            rate = self._current_rate(session, asked, asked.used[0])
            if rate is None:
                draft.release(service.holds)
                return _released(service), 0, Outcome.RATING_FAILED
            service = _at_rate(service, rate)
        if rate is None:
            draft.release(service.holds)
            return _released(service), 0, None
        units = measured(rate, asked.used)
        if units is None:
            draft.release(service.holds)
            return _released(service), 0, Outcome.RATING_FAILED
        service, amount = debit_use(draft, self._request, session, service, rate, units)
        return service, amount, None

    def _debit_all(self, draft: Draft, session: Session) -> tuple[Session, list[ServiceAnswer]]:
        """Charge every report of the request; say which could not be priced."""
        services = list(session.services)
        charged = session.charged_micro
        refused: list[ServiceAnswer] = []
        for asked in self._request.services:
            index = _index_of(services, asked)
            service = services[index] if index >= 0 else _new_service(asked)
            service, amount, failed = self._debit(draft, session, service, asked)
            charged += amount
            if index >= 0:
                services[index] = service
            else:
                services.append(service)
            if failed is not None:
                refused.append(_answer(asked, failed))
        return _with(session, services=tuple(services), charged_micro=charged), refused

    def _current_rate(
        self, session: Session, asked: MultipleServicesCreditControl, unit: ServiceUnit
    ) -> Rate | None:
        if unit.money is not None and unit.money.micro and _names_only_money(unit):
            return self._tariffs.money if unit.money.currency == self._state.account.currency else None
        subscriber = self._state.subscriber
        return self._tariffs.rate(
            subscriber.offers if subscriber else (),
            session.service,
            asked.rating_group,
            asked.service_identifiers,
            session.called_party,
            self._moment.now_ms // 1000,
        )

    def _outcome(
        self, session: Session, answers: list[ServiceAnswer], refuse_with: Outcome | None
    ) -> Outcome:
        """The command's own result: refused when nothing it asked for, and nothing else in the session, goes on."""
        if refuse_with is not None:
            return refuse_with
        failed = [answer.outcome for answer in answers if answer.outcome != Outcome.SUCCESS]
        if not failed or len(failed) < len(answers):
            return Outcome.SUCCESS
        if any(service.granted_units for service in session.services):
            return Outcome.SUCCESS
        return failed[0]

    def _deadline_ms(self, answers: list[ServiceAnswer]) -> int:
        """When Tcc ends: what the longest grant may take, and the operator's supervision time."""
        longest_s = 0
        for answer in answers:
            if answer.validity_time_s is not None and answer.validity_time_s > longest_s:
                longest_s = answer.validity_time_s
        return self._moment.supervision_ms + (longest_s + self._policy.supervision_time_s) * 1000

    def _remaining(self, draft: Draft) -> Money | None:
        if not self._policy.show_remaining_balance:
            return None
        return Money(draft.available_money(), draft.currency)

    def _keep(self, draft: Draft, session: Session, answer: ChargingAnswer) -> Decision:
        session = remember(session, self._request, answer)
        return Decision(draft.account(), session, answer, tuple(draft.events))

    def _close(self, draft: Draft, session: Session, answer: ChargingAnswer) -> Decision:
        session = release_session(draft, session)
        return self._keep(draft, session, answer)


def release_session(draft: Draft, session: Session) -> Session:
    """Give back everything a session holds, and close it."""
    services: list[SessionService] = []
    for service in session.services:
        draft.release(service.holds)
        services.append(_released(service))
    return _with(session, services=tuple(services), state=SessionState.CLOSED)


def expire_session(account: Account, session: Session, moment: Moment, time_zone: str) -> Decision:
    """Open + Tcc expired: release reserved units, go idle. Late reports are still debited afterwards."""
    prefix = f"{session.session_id};{session.opening_fingerprint.hex()};tcc"
    draft = Draft(account, moment.now_ms, prefix, time_zone)
    session = release_session(draft, session)
    return Decision(draft.account(), session, ChargingAnswer(Outcome.SUCCESS), tuple(draft.events))


def _index_of(services: list[SessionService], asked: MultipleServicesCreditControl) -> int:
    for index, service in enumerate(services):
        if service.rating_group == asked.rating_group and service.service_identifiers == asked.service_identifiers:
            return index
    return -1


def _new_service(asked: MultipleServicesCreditControl) -> SessionService:
    return SessionService(asked.rating_group, asked.service_identifiers, "", "")


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
