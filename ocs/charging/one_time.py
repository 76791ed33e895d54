"""One-time events: direct debiting, refund, balance check, price enquiry (RFC 8506 section 6).

A refund need not follow a debit of ours: RFC 8506 section 6.4 gives gaming as its example, where what is won was never
paid. Who may ask for one is settled where peers are admitted; each is an event of its own kind in the stream.
"""

import msgspec

from ocs import limits
from ocs.balance.lifecycle import first_used
from ocs.balance.model import (
    Hold,
    LifecycleState,
    Session,
    SessionService,
    SessionState,
)
from ocs.balance.purse import Purse, is_valid, pays_units
from ocs.charging import counted as counted_rates
from ocs.charging import member_limits
from ocs.charging.barring import is_barred
from ocs.charging.circumstances import time_of_use_s
from ocs.charging.decision import Decision, Moment, Policy, State
from ocs.charging.draft import Draft, operation_of
from ocs.charging.memory import opening_of, remember
from ocs.charging.quota import granted_unit, payable_units
from ocs.charging.rates import RateFinder
from ocs.charging.tariffs import Tariffs
from ocs.charging.usage import amount_of, debit_use
from ocs.events import CounterMovement, EventKind, PriceTrace
from ocs.messages import (
    ChargingAnswer,
    ChargingRequest,
    MultipleServicesCreditControl,
    Outcome,
    RequestedAction,
    ServiceAnswer,
    ServiceUnit,
)
from ocs.rating import Rate, billable_units, price_micro
from ocs.rating.tiers import moved
from ocs.units import Money, UnitType

# An event that does not say how many is one event.
_ONE = ServiceUnit(service_specific_units=1)


def decide_event(
    state: State,
    session: Session | None,
    request: ChargingRequest,
    tariffs: Tariffs,
    moment: Moment,
    policy: Policy,
) -> Decision:
    """Decide an EVENT request; all of its services are paid, or none.

    Args:
        session: the memory of earlier events under this Session-Id, if any.
    """
    if session is None:
        session = _event_session(state, request, moment)
    event = _Event(state, session, request, tariffs, moment, policy)
    match request.requested_action:
        case RequestedAction.CHECK_BALANCE:
            return event.check_balance()
        case RequestedAction.PRICE_ENQUIRY:
            return event.price_enquiry()
        case RequestedAction.REFUND_ACCOUNT:
            return event.refund()
        case RequestedAction.DIRECT_DEBITING | None:
            return event.direct_debiting()


def _event_session(state: State, request: ChargingRequest, moment: Moment) -> Session:
    return Session(
        request.session_id,
        state.account.account_id,
        state.subscriber.subscriber_id if state.subscriber else "",
        SessionState.CLOSED,
        request.service,
        request.context,
        request.origin_host,
        request.origin_realm,
        moment.now_ms,
        0,
        opening_fingerprint=opening_of(request),
    )


class _Event:
    """One EVENT request, each service with its rate and its units."""

    def __init__(
        self,
        state: State,
        session: Session,
        request: ChargingRequest,
        tariffs: Tariffs,
        moment: Moment,
        policy: Policy,
    ) -> None:
        self._state = state
        self._session = session
        self._request = request
        self._tariffs = tariffs
        self._policy = policy
        self._draft = Draft(
            state.account,
            moment.now_ms,
            session,
            operation_of(request),
            tariffs.current,
            state.subscriber,
        )
        now_s = moment.now_ms // 1000
        self._rates = RateFinder(state, tariffs, request.service, request.context, now_s)
        self._used_s = time_of_use_s(request.event_time_s, now_s)

    def direct_debiting(self) -> Decision:
        """Debit the price at once, or nothing (section 6.3)."""
        is_barred = self._is_barred()
        cost = 0
        answers: list[ServiceAnswer] = []
        for asked in self._services():
            rate, units = self._rate_and_units(asked)
            if is_barred and (rate is None or not rate.is_emergency):
                return self._refuse(Outcome.END_USER_SERVICE_DENIED)
            if rate is None:
                return self._refuse(Outcome.RATING_FAILED, asked)
            if not rate.credit_control_applicable:
                return self._refuse(Outcome.CREDIT_CONTROL_NOT_APPLICABLE, asked)
            need = billable_units(rate, units)
            if payable_units(self._draft, rate, need, 0, False) < need:
                return self._refuse(Outcome.CREDIT_LIMIT_REACHED, asked)
            debited = debit_use(self._draft, self._request, self._session, _service(asked, rate), rate, units)
            if debited is None:
                return self._refuse(Outcome.RATING_FAILED, asked)
            cost += debited[1]
            answers.append(self._granted(asked, rate, units))
        answer = ChargingAnswer(Outcome.SUCCESS, tuple(answers), cost=Money(cost, self._draft.currency))
        return self._settle(answer, is_used=True)

    def refund(self) -> Decision:
        """Give back what such an event costs, to where it would have been drawn from (section 6.4)."""
        answers: list[ServiceAnswer] = []
        refunded = 0
        for asked in self._services():
            rate, units = self._rate_and_units(asked)
            if rate is None:
                return self._refuse(Outcome.RATING_FAILED, asked)
            amount = self._refund_one(asked, rate, units)
            if amount is None:
                return self._refuse(Outcome.END_USER_SERVICE_DENIED, asked)
            refunded += amount
            answers.append(self._granted(asked, rate, units))
        cost = Money(-refunded, self._draft.currency)
        return self._settle(ChargingAnswer(Outcome.SUCCESS, tuple(answers), cost=cost))

    def _refund_one(self, asked: MultipleServicesCreditControl, rate: Rate, units: int) -> int | None:
        """Credit one service; say how much money came back, None when the account has no place for it."""
        billed = billable_units(rate, units)
        bucket_id = _allowance_for(self._draft, rate)
        fee = 0
        counters: tuple[CounterMovement, ...] = ()
        worth = price_micro(rate, 0, billed) + rate.connection_fee_micro
        if bucket_id:
            amount = 0
            parts = (Hold(bucket_id, billed),)
        else:
            if rate.counters:
                meter, use = counted_rates.priced_back(self._draft, rate, billed)
                amount, fee = use.amount_micro, use.fee_micro
                counters = moved(rate, use.counters, meter.counters)
            else:
                fee = rate.connection_fee_micro if billed else 0
                amount = price_micro(rate, 0, billed) + fee
            parts = (Hold(_money_bucket(self._draft), amount),)
        if (
            not parts[0].bucket_id
            or max(worth, amount) > self._policy.refund_max_micro
            or (rate.allowance_only and billed > rate.quota.maximum_units)
            or billed > limits.REPORTED_UNITS_MAX
            or self._draft.money_balance + amount > limits.BALANCE_MICRO_MAX
        ):
            return None
        money_units = 0 if bucket_id else billed
        self._draft.record_charge(
            EventKind.REFUND,
            self._request,
            self._session,
            rate,
            asked.rating_group,
            asked.service_identifiers,
            units,
            amount,
            self._draft.credit(parts),
            PriceTrace(
                0,
                units,
                0,
                billed,
                billed - money_units,
                0,
                money_units,
                rate.price_micro,
                rate.price_units,
                rate.first_units,
                rate.step_units,
                fee,
                counters=counters,
            ),
        )
        if counters:
            counted_rates.count(self._draft, rate, counters)
        if self._draft.limits:
            member_limits.count_use(self._draft, rate.unit_type, -billed, -amount)
        return amount

    def check_balance(self) -> Decision:
        """Say whether the balance covers the price; reserve nothing (section 6.2)."""
        enough = not self._is_barred()
        for asked in self._services():
            rate, units = self._rate_and_units(asked)
            if rate is None:
                return self._refuse(Outcome.RATING_FAILED, asked)
            need = billable_units(rate, units)
            enough = enough and payable_units(self._draft, rate, need, 0, False) >= need
            # In the draft alone, which is dropped: the next service finds what this one would have left.
            debit_use(self._draft, self._request, self._session, _service(asked, rate), rate, units)
        return self._tell(ChargingAnswer(Outcome.SUCCESS, enough_credit=enough))

    def price_enquiry(self) -> Decision:
        """Say what the service would cost in money; reserve nothing (section 6.1)."""
        cost = 0
        for asked in self._services():
            rate, units = self._rate_and_units(asked)
            if rate is None:
                return self._refuse(Outcome.RATING_FAILED, asked)
            billed = billable_units(rate, units)
            if rate.counters:
                cost += counted_rates.priced(self._draft, rate, 0, billed, fee_paid=False)[1].amount_micro
            else:
                cost += price_micro(rate, 0, billed) + (rate.connection_fee_micro if billed else 0)
        return self._tell(ChargingAnswer(Outcome.SUCCESS, cost=Money(cost, self._draft.currency)))

    # --- Steps ------------------------------------------------------------------------------------------

    def _services(self) -> tuple[MultipleServicesCreditControl, ...]:
        return self._request.services or (MultipleServicesCreditControl(None, (), _ONE, ()),)

    def _is_barred(self) -> bool:
        state = self._state
        return state.subscriber is None or is_barred(state.account, state.subscriber, self._request.context)

    def _rate_and_units(self, asked: MultipleServicesCreditControl) -> tuple[Rate | None, int]:
        """The rate of one service, and how many units the event is about, one message for each of its recipients."""
        unit = asked.requested or (asked.used[0] if asked.used else _ONE)
        if unit.money is not None:
            currency = unit.money.currency
            is_ours = currency == self._state.account.currency and unit.money.micro >= 0
            return (self._tariffs.money(currency) if is_ours else None), unit.money.micro
        used_s = self._used_s
        if unit.event_time_s is not None:
            used_s = time_of_use_s(unit.event_time_s, self._rates.now_s)
        rate = self._rates.at(asked, unit, used_s)
        if rate is None:
            return None, 0
        units = amount_of(rate.unit_type, unit)
        if units is None:
            units = 1 if rate.unit_type == UnitType.SERVICE_SPECIFIC_UNITS else None
        return (None, 0) if units is None else (rate, units * self._copies(rate))

    def _copies(self, rate: Rate) -> int:
        """How often a message counts: gateways count messages, rates may count those who get one."""
        is_message = rate.unit_type == UnitType.SERVICE_SPECIFIC_UNITS and rate.is_per_recipient
        return self._request.context.recipients if is_message else 1

    def _granted(self, asked: MultipleServicesCreditControl, rate: Rate, units: int) -> ServiceAnswer:
        granted = granted_unit(rate, units // self._copies(rate))
        return ServiceAnswer(Outcome.SUCCESS, asked.rating_group, asked.service_identifiers, granted)

    def _settle(self, answer: ChargingAnswer, *, is_used: bool = False) -> Decision:
        draft = self._draft
        if draft.events:
            draft.note_crossings(self._policy.notices)
        account, subscriber = draft.account(), draft.subscriber()
        if is_used and account.state is LifecycleState.CREATED:
            account = first_used(account, draft.now_ms, self._policy.lifecycle)
        if is_used and subscriber is not None and subscriber.state is LifecycleState.CREATED:
            subscriber = msgspec.structs.replace(subscriber, state=LifecycleState.ACTIVE)
        return Decision(
            account, self._remembering(answer), answer, tuple(draft.events), subscriber=subscriber
        )

    def _remembering(self, answer: ChargingAnswer) -> Session:
        answers, forgotten = remember(self._session, self._request, answer)
        return msgspec.structs.replace(self._session, answers=answers, forgotten_number=forgotten)

    def _tell(self, answer: ChargingAnswer) -> Decision:
        """Answer an enquiry: nothing moved, so nothing need be remembered."""
        return Decision(self._state.account, self._state.session, answer)

    def _refuse(self, outcome: Outcome, asked: MultipleServicesCreditControl | None = None) -> Decision:
        """Refuse the whole event: nothing is debited; a repeat hears the same."""
        services = ()
        if asked is not None and self._request.multiple_services:
            services = (ServiceAnswer(outcome, asked.rating_group, asked.service_identifiers),)
        answer = ChargingAnswer(outcome, services)
        return Decision(self._state.account, self._remembering(answer), answer)


def _service(asked: MultipleServicesCreditControl, rate: Rate) -> SessionService:
    return SessionService(asked.rating_group, asked.service_identifiers, rate.catalogue_version, rate.path)


def _allowance_for(purse: Purse, rate: Rate) -> str:
    """The allowance bucket that would pay for such an event now, or nothing."""
    for bucket in purse.buckets:
        if pays_units(bucket, rate.unit_type, rate.allowances) and is_valid(bucket, purse.now_ms):
            return bucket.bucket_id
    return ""


def _money_bucket(purse: Purse) -> str:
    """The money bucket that keeps what comes back: the one that is drawn last, or nothing when none is valid."""
    valid = [b for b in purse.buckets if b.unit_type == UnitType.MONEY and is_valid(b, purse.now_ms)]
    return valid[-1].bucket_id if valid else ""
