"""What grants hold: their price set aside, no more than there was, nothing refused that could be paid."""

from collections import Counter

from ocs.balance.model import LifecycleState, Session, SessionService, SessionState
from ocs.balance.store import Commit
from ocs.messages import CCRequestType, ChargingAnswer, ChargingRequest, Outcome, ServiceAnswer
from ocs.units import UnitType
from tests.support.books import Meter, check
from tests.support.charges import Charges
from tests.support.expiring import WORKER_SLACK_MS, is_money
from tests.support.prices import price_at
from tests.support.values import Values

_BARRED = {LifecycleState.SUSPENDED, LifecycleState.EXPIRED}


class Grants:
    """Judges the grants of one line of commits.

    Args:
        tally: how often what was judged.
    """

    def __init__(self, values: Values, charges: Charges, tally: Counter[str]) -> None:
        self._values = values
        self._charges = charges
        self._tally = tally

    # --- One session ------------------------------------------------------------------------------------

    def check_held(self, session: Session) -> None:
        """What each service of a session was granted is set aside; a closed session holds nothing."""
        for service in session.services:
            if session.state == SessionState.CLOSED:
                check(not service.holds and not service.granted_units, "a closed session holds", session)
            elif service.granted_units:
                self._check_grant(session, service)

    def _check_grant(self, session: Session, service: SessionService) -> None:
        """The grant's price is set aside: what it will be billed as, less what allowances hold for it."""
        price = price_at(service.tariff_path)
        if price.counter or price.is_pooled:
            return
        meter = self._charges.meter_of(session, service.rating_group)
        if service.after_path:
            self._check_crossing(service)
            return
        if meter.path and meter.path != service.tariff_path:
            meter = Meter()
        need = price.billed(meter.counted + service.granted_units) - price.billed(meter.counted)
        by_allowance = sum(hold.amount for hold in service.holds if not is_money(hold.bucket_id))
        money = sum(hold.amount for hold in service.holds if is_money(hold.bucket_id))
        before = price.billed(meter.counted) - meter.covered
        due = price.cost(before + need - by_allowance) - price.cost(before)
        if need > by_allowance and price.fee and not meter.fee:
            due += price.fee
        check(money == due, "grant", service, "of", session.session_id, "needs", due)

    def _check_crossing(self, service: SessionService) -> None:
        """A grant over a switch is paid for on either side, wherever its parts fall."""
        held = sum(hold.amount for hold in service.holds)
        paths = service.tariff_path, service.after_path
        check(len({path.partition("@")[0] for path in paths}) == len(paths), "no switch:", service)
        for before in (0, service.granted_units // 2, service.granted_units):
            parts = before, service.granted_units - before
            due = sum(
                price_at(path).cost(price_at(path).billed(units))
                for path, units in zip(paths, parts, strict=True)
            )
            check(held >= due, "grant over a switch", service, "needs", due)
        self._tally["grants over a switch"] += 1

    def check_answer(
        self, request: ChargingRequest, told: ChargingAnswer, session: Session, at_ms: int
    ) -> None:
        """A request that was decided alone: what is granted is what the session has, what is refused is not there."""
        if request.request_type == CCRequestType.EVENT:
            return
        services = {service.rating_group: service for service in session.services}
        for one in told.services:
            service = services.get(one.rating_group)
            if one.granted is not None:
                granted = one.granted.total_octets or one.granted.time_s or 0
                check(
                    service is not None and service.granted_units == granted,
                    "granted without a reservation:", one, session,
                )  # fmt: skip
            elif service is not None and service.tariff_path and self._has_asked(request, one):
                if one.outcome == Outcome.SUCCESS and service.is_redirected:
                    self._check_refusal(session, service, at_ms)
                    self._tally["redirections judged"] += 1
                elif one.outcome == Outcome.CREDIT_LIMIT_REACHED:
                    self._check_refusal(session, service, at_ms)

    def _has_asked(self, request: ChargingRequest, told: ServiceAnswer) -> bool:
        return any(
            asked.rating_group == told.rating_group
            and (asked.requested is not None or request.request_type == CCRequestType.INITIAL)
            for asked in request.services
        )

    def _check_refusal(self, session: Session, service: SessionService, at_ms: int) -> None:
        """Not even the smallest grant could be paid, all that the request itself freed and took counted in."""
        price = price_at(service.tariff_path)
        subscriber = self._values.subscriber_of(session)
        if price.counter or price.is_switched or (subscriber is not None and subscriber.limits):
            return
        meter = self._charges.meter_of(session, service.rating_group)
        account = self._values.account(session.account_id)
        soon_ms = at_ms + WORKER_SLACK_MS
        available = account.credit_limit_micro + sum(
            bucket.value - bucket.reserved
            for bucket in account.buckets
            if is_money(bucket.bucket_id) and (not bucket.valid_until_ms or bucket.valid_until_ms > soon_ms)
        )
        need = price.billed(meter.counted + price.minimum) - price.billed(meter.counted)
        before = price.billed(meter.counted) - meter.covered
        due = price.cost(before + need) - price.cost(before) + (price.fee if not meter.fee else 0)
        check(available < due, "refused although there was credit:", service, available, due)
        self._tally["refusals judged"] += 1

    def check_limits(self, before: Session | None, session: Session) -> None:
        """Whatever is newly granted fits into what the subscriber's limits had left."""
        subscriber = self._values.subscriber_of(session)
        if subscriber is None or not subscriber.limits:
            return
        old = {service.rating_group: service for service in before.services} if before else {}
        counters = {counter.counter_id: counter for counter in reversed(subscriber.counters)}
        amounts = {limit.counter_id: limit.amount for limit in subscriber.limits}
        for service in session.services:
            was = old.get(service.rating_group)
            if was is not None and was.counter_holds == service.counter_holds:
                continue
            for hold in service.counter_holds:
                check(hold.counter_id in counters, "a hold without a counter:", hold)
                counter = counters[hold.counter_id]
                if hold.amount and hold.counter_id in amounts:
                    check(counter.value + counter.reserved <= amounts[hold.counter_id], "beyond", counter)
                    self._tally["limits judged"] += 1

    def check_reserved(self, commit: Commit, sessions: list[Session]) -> None:
        for account_id in {session.account_id for session in sessions}:
            held: Counter[str] = Counter()
            for session in self._values.sessions.values():
                if session.account_id == account_id and session.state == SessionState.OPEN:
                    for service in session.services:
                        for hold in service.holds:
                            held[hold.bucket_id] += hold.amount
            for bucket in self._values.accounts[f"{{{commit.partition}}}a:{account_id}"].buckets:
                check(bucket.reserved == held.pop(bucket.bucket_id, 0), "reserved", bucket, held)
                check(
                    bucket.unit_type == UnitType.MONEY or bucket.value >= bucket.reserved, "allowance", bucket
                )
            check(not +held, "holds on buckets that are gone", held)

    def check_affordable(self, request: ChargingRequest, before: Session | None, session: Session) -> None:
        """A new grant fits into what was left; judged where one request alone moved the account."""
        asked = {service.rating_group for service in request.services}
        account, subscriber = self._values.account(session.account_id), self._values.subscriber_of(session)
        states = {account.state} | ({subscriber.state} if subscriber is not None else set())
        old = {s.rating_group: s for s in before.services} if before else {}
        for service in session.services:
            was = old.get(service.rating_group)
            # What a pool leaves to a service that was not asked about was held before.
            grew = service.rating_group in asked and (was is None or was.holds != service.holds)
            if grew and service.granted_units:
                check(states.isdisjoint(_BARRED), "granted to who is barred:", session, states)
            if grew and any(hold.bucket_id == "main" for hold in service.holds):
                main = next(b for b in account.buckets if b.bucket_id == "main")
                check(
                    main.value - main.reserved + account.credit_limit_micro >= 0, "granted on credit", account
                )
