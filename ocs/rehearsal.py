"""A use charged in memory: an account that exists here only, and the decisions that a worker would make. No store.

What an event would cost, what a recorded month would have cost under another catalogue and what the price list's
examples say are all asked here, so that the answers are those of the real path: rated, drawn from buckets, rounded.
"""

from typing import Final

import msgspec

from ocs.balance.model import Account, Session, Subscriber
from ocs.balance.purse import money_balance
from ocs.charging.decide import decide
from ocs.charging.decision import Moment, Policy, State
from ocs.charging.tariffs import Tariffs
from ocs.events import ChargeEvent
from ocs.limits import BALANCE_MICRO_MAX
from ocs.messages import (
    NO_CONTEXT,
    NO_PROFILE,
    CCRequestType,
    ChargingAnswer,
    ChargingRequest,
    MultipleServicesCreditControl,
    Outcome,
    Profile,
    RequestedAction,
    Service,
    ServiceUnit,
    UsageContext,
)
from ocs.subscribers.openings import add_subscriber, open_account
from ocs.subscribers.operations import MAIN_BUCKET, NewAccount, NewSubscriber
from ocs.units import Money

ME: Final = "me"
_NODE: Final = "rehearsal.invalid"
_ASK_US: Final = ServiceUnit()
_MESSAGES: Final = (Service.SMS, Service.MMS)


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a subscriber did.

    Attributes:
        units: octets, seconds or messages, as the service is measured.
        at_ms: when it began, epoch milliseconds.
        session_id: uses of one session share their rounding and their connection fee; empty is a session of its own.
    """

    service: Service
    units: int
    at_ms: int
    rating_group: int | None = None
    service_identifiers: tuple[int, ...] = ()
    context: UsageContext = NO_CONTEXT
    session_id: str = ""
    subscriber_id: str = ME


class Rehearsal:
    """One account, charged use by use.

    Attributes:
        account: as it stands after the uses so far; subscribers: likewise, by id.
        answer: to the last use.
    """

    def __init__(
        self,
        tariffs: Tariffs,
        money: Money,
        *,
        credit_limit_micro: int = 0,
        account_id: str = "rehearsal",
    ) -> None:
        """Take an account that has money and nothing else.

        Args:
            tariffs: what it is charged by.
            money: on the account, beside what its subscribers' offers bring.
        """
        self._tariffs = tariffs
        self._money = money
        self._credit_limit_micro = credit_limit_micro
        self._account_id = account_id
        self._account: Account | None = None
        self.subscribers: dict[str, Subscriber] = {}
        self.answer = ChargingAnswer(Outcome.SUCCESS)
        self._refusal: Outcome | None = None
        self._sessions: dict[str, Session] = {}
        self._numbers: dict[str, int] = {}

    @property
    def account(self) -> Account:
        """The account; there is none before somebody joined it."""
        if self._account is None:
            raise LookupError(self._account_id)
        return self._account

    @account.setter
    def account(self, account: Account) -> None:
        self._account = account

    def join(
        self, offers: tuple[str, ...], at_ms: int, *, subscriber_id: str = ME, profile: Profile = NO_PROFILE
    ) -> None:
        """Add a subscriber with what its offers bring; with the first one the account is opened.

        Args:
            at_ms: when, epoch milliseconds: the allowances count from then.

        Raises:
            OperationError: an offer that the catalogue lacks, or money of a currency that it does not price in.
        """
        identity = (f"private:{subscriber_id}",)
        catalogue = self._tariffs.current
        # Enough for what the offers charge when they begin, which is not what is asked here.
        plenty = Money(BALANCE_MICRO_MAX, self._money.currency)
        if self._account is None:
            opened = open_account(
                NewAccount(
                    self._account_id, subscriber_id, identity, offers, plenty, self._credit_limit_micro
                ),
                catalogue,
                at_ms,
            )
        else:
            new = NewSubscriber(self._account_id, subscriber_id, identity, offers)
            opened = add_subscriber(_with_money(self._account, plenty.micro), new, catalogue, at_ms)
        left = self._money.micro if self._account is None else money_balance(self._account)
        self._account = _with_money(opened.account, left)
        currency = self._money.currency
        named = (
            profile if currency == catalogue.currency else msgspec.structs.replace(profile, currency=currency)
        )
        self.subscribers[subscriber_id] = msgspec.structs.replace(opened.subscriber, profile=named)

    def use(self, use: Use) -> tuple[ChargeEvent, ...]:
        """Charge a use; returns its charge events, none where nothing was charged (see ``answer``)."""
        if use.service in _MESSAGES:
            return self._one_time(use)
        self._refusal = None
        session_id = use.session_id or f"use;{len(self._numbers)}"
        if session_id not in self._sessions:
            events = self._ask(use, session_id, CCRequestType.INITIAL, _ASK_US, ())
            if self.refusal is not None:
                return events
            if not any(service.granted for service in self.answer.services):
                # Told with a final-unit action, such as the page for topping up.
                self._refusal = Outcome.CREDIT_LIMIT_REACHED
                return events
        else:
            # A gateway asks again before it goes on: at that moment's price.
            events = self._ask(use, session_id, CCRequestType.UPDATE, _ASK_US, ())
        return events + self._ask(use, session_id, CCRequestType.UPDATE, None, (_measured(use),))

    def end(self, session_id: str, at_ms: int) -> tuple[ChargeEvent, ...]:
        """End a session that uses named; what was held is free again."""
        session = self._sessions[session_id]
        use = Use(
            service=session.service,
            units=0,
            at_ms=at_ms,
            context=session.context,
            subscriber_id=session.subscriber_id,
        )
        return self._ask(use, session_id, CCRequestType.TERMINATION, None, None)

    def _one_time(self, use: Use) -> tuple[ChargeEvent, ...]:
        session_id = use.session_id or f"use;{len(self._numbers)}"
        return self._ask(use, session_id, CCRequestType.EVENT, _measured(use), ())

    @property
    def refusal(self) -> Outcome | None:
        """Why the last use was refused, None when it was charged."""
        if self._refusal is not None:
            return self._refusal
        outcomes = (self.answer.outcome, *(service.outcome for service in self.answer.services))
        return next((outcome for outcome in outcomes if outcome != Outcome.SUCCESS), None)

    def _ask(
        self,
        use: Use,
        session_id: str,
        request_type: CCRequestType,
        requested: ServiceUnit | None,
        used: tuple[ServiceUnit, ...] | None,
    ) -> tuple[ChargeEvent, ...]:
        """One request, decided and taken over."""
        number = self._numbers.get(session_id, -1) + 1
        self._numbers[session_id] = number
        services = (
            ()
            if used is None
            else (MultipleServicesCreditControl(use.rating_group, use.service_identifiers, requested, used),)
        )
        request = ChargingRequest(
            session_id,
            request_type,
            number,
            _NODE,
            _NODE,
            use.service,
            (f"private:{use.subscriber_id}",),
            services,
            multiple_services=True,
            requested_action=RequestedAction.DIRECT_DEBITING if request_type == CCRequestType.EVENT else None,
            event_time_s=use.at_ms // 1000,
            context=use.context,
            fingerprint=number.to_bytes(8, "big"),
        )
        subscriber = self.subscribers[use.subscriber_id]
        state = State(self.account, subscriber, self._sessions.get(session_id))
        decision = decide(state, request, self._tariffs, Moment(use.at_ms, use.at_ms), Policy())
        self._account = decision.account
        if decision.subscriber is not None:
            self.subscribers[use.subscriber_id] = decision.subscriber
        if decision.session is not None:
            self._sessions[session_id] = decision.session
        self.answer = decision.answer
        return decision.events


def _with_money(account: Account, micro: int) -> Account:
    """The account with another balance of money."""
    buckets = tuple(
        msgspec.structs.replace(bucket, value=micro) if bucket.bucket_id == MAIN_BUCKET else bucket
        for bucket in account.buckets
    )
    return msgspec.structs.replace(account, buckets=buckets)


def _measured(use: Use) -> ServiceUnit:
    """The use as a gateway reports it."""
    match use.service:
        case Service.DATA:
            return ServiceUnit(total_octets=use.units)
        case Service.VOICE:
            return ServiceUnit(time_s=use.units)
        case Service.SMS | Service.MMS:
            return ServiceUnit(service_specific_units=use.units)
