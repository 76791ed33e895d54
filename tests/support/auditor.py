"""A second opinion on the money: looks at every commit and answer, and calculates by itself.

What a line of commits must look like stands in :mod:`tests.support.history`; here is what answers may say of it.
"""

from collections import Counter
from dataclasses import dataclass, field

from ocs.balance.model import Account, LifecycleState, Subscriber, encode_value
from ocs.balance.store import Commit
from ocs.clock import Clock
from ocs.messages import CCRequestType, ChargingAnswer, ChargingRequest, Outcome, RequestedAction
from ocs.units import UnitType
from tests.support.books import AuditError, Book, Key, check, key_of
from tests.support.connection import WatchedStore
from tests.support.counters import Counters
from tests.support.evidence import Evidence
from tests.support.expiring import WORKER_SLACK_MS, is_money
from tests.support.history import History
from tests.support.prices import PRICES

__all__ = ["BUSY", "AuditError", "Auditor", "Watch", "key_of"]

# A worker's clock may be a quarter of an hour ahead.
_DAY_IS_OVER_MS = 86_400_000 - 900_000
BUSY = {Outcome.TOO_BUSY, Outcome.UNABLE_TO_DELIVER}


@dataclass
class Watch:
    """What was true at some moment between a request's arrival and its answer, so that its answer may say it.

    Attributes:
        was_absent: nothing was stored under its Session-Id.
        balances: what a balance check would have said.
        was_nobody: none of its identities had an owner.
        is_lost: nothing leads to its session since its number has moved, except for who remembers where it was.
    """

    request: ChargingRequest
    was_absent: bool = False
    was_nobody: bool = False
    is_lost: bool = False
    balances: set[bool] = field(default_factory=set[bool])


class Auditor:
    """Raises :class:`AuditError` as soon as a commit or an answer is wrong.

    Attributes:
        history: the line of commits that counts.
        acknowledged: what gateways were told; it must stay true whatever fails.
        tally: how often what was seen beside commits.
    """

    def __init__(self, clock: Clock, *, supervision_time_s: int, store: WatchedStore | None = None) -> None:
        self._clock = clock
        self._supervision_ms = supervision_time_s * 1000
        self.evidence = Evidence()
        self.history = self.new_history()
        self.acknowledged: dict[Key, ChargingAnswer] = {}
        self.tally: Counter[str] = Counter()
        self._watches: dict[int, Watch] = {}
        if store is not None:
            store.on_committed = self.committed

    def new_history(self) -> History:
        """A history that begins with nothing."""
        return History(self.evidence, self._supervision_ms)

    @property
    def counts(self) -> Counter[str]:
        """How often what happened, to tell a story from silence."""
        return self.history.counts + self.history.dealings.counts + self.tally

    @property
    def sent(self) -> dict[Key, ChargingRequest]:
        """Every request, as the gateway meant it."""
        return self.evidence.sent

    @property
    def books(self) -> dict[str, Book]:
        """Accounts as their events tell them."""
        return self.history.books

    def account(self, account_id: str) -> Account:
        """An account as it stands."""
        return self.history.values.account(account_id)

    def committed(self, commit: Commit) -> None:
        """The store has carried out a commit."""
        self.history.committed(commit, self._clock.now_ms())

    # --- Requests under way -----------------------------------------------------------------------------

    def arrived(self, request: ChargingRequest) -> Watch:
        """A request has come in: from here on until its answer, what stands is noted."""
        watch = Watch(request)
        self._watches[id(watch)] = watch
        self._look(watch)
        return watch

    def look(self) -> None:
        """Something changed: note what is true now for all requests under way."""
        for watch in self._watches.values():
            self._look(watch)

    @property
    def under_way(self) -> list[ChargingRequest]:
        """Requests that have come in and have no answer."""
        return [watch.request for watch in self._watches.values()]

    def forget_watches(self) -> None:
        """Requests under way will have no answer."""
        self._watches.clear()

    def _look(self, watch: Watch) -> None:
        request, history = watch.request, self.history
        if not (watch.was_absent or history.values.is_stored(request.session_id, self._clock.now_ms())):
            watch.was_absent = True
        if watch.was_nobody and request.requested_action != RequestedAction.CHECK_BALANCE:
            return
        owners = [
            subscriber
            for subscriber in history.values.subscribers.values()
            if any(identity in subscriber.identities for identity in request.subscription_ids)
        ]
        watch.was_nobody |= not owners
        if request.requested_action == RequestedAction.CHECK_BALANCE:
            for owner in owners:
                account = history.values.account(owner.account_id)
                for left in self._limits_left(owner):
                    is_barred = not {owner.state, account.state} <= {LifecycleState.ACTIVE}
                    for money in self._money_of(account):
                        watch.balances.add(not is_barred and self._can_pay(account, money, request, left))

    def _limits_left(self, owner: Subscriber) -> set[int]:
        """What an owner's limits on money leave; around the end of a day, also what they leave in the next one."""
        left = {1 << 62}
        for limit in owner.limits:
            if limit.unit_type == UnitType.MONEY:
                counter = next((c for c in owner.counters if c.counter_id == limit.counter_id), None)
                left = {limit.amount}
                if counter is not None:
                    age_ms = self._clock.now_ms() - counter.period_start_ms
                    left = {limit.amount} if age_ms > _DAY_IS_OVER_MS else set()
                    left.add(limit.amount - counter.value - counter.reserved)
        return left

    def _money_of(self, account: Account) -> set[int]:
        """What is free of an account's money; around the end of some of it, with it and without it."""
        free = {
            bucket: bucket.value - bucket.reserved for bucket in account.buckets if is_money(bucket.bucket_id)
        }
        ends = {bucket: bucket.valid_until_ms for bucket in free if bucket.valid_until_ms}
        soon_ms = self._clock.now_ms() + WORKER_SLACK_MS
        sure = sum(amount for bucket, amount in free.items() if ends.get(bucket, soon_ms + 1) > soon_ms)
        unsure = [
            free[bucket]
            for bucket, end_ms in sorted(ends.items(), key=lambda each: each[1])
            if end_ms <= soon_ms
        ]
        return {sure + sum(unsure[first:]) for first in range(len(unsure) + 1)}

    def _can_pay(self, account: Account, money: int, request: ChargingRequest, limit_left: int) -> bool:
        """Whether texts and money would pay for the messages asked for."""
        wanted = sum(
            (asked.requested.service_specific_units or 0) if asked.requested else 1
            for asked in request.services
        )
        texts = sum(
            bucket.value - bucket.reserved
            for bucket in account.buckets
            if bucket.unit_type == UnitType.SERVICE_SPECIFIC_UNITS
        )
        due = max(0, wanted - texts) * PRICES["basic/sms"].micro
        return not due or min(money + account.credit_limit_micro, limit_left) >= due

    # --- Every answer -----------------------------------------------------------------------------------

    def answered(self, request: ChargingRequest, answer: ChargingAnswer, watch: Watch | None = None) -> None:
        """An answer leaves: what it says must stand in the store by now, or have been true meanwhile."""
        if watch is not None:
            self._look(watch)
            del self._watches[id(watch)]
        self.tally[answer.outcome.name] += 1
        if answer.outcome in BUSY:
            return
        check(answer.outcome != Outcome.UNABLE_TO_COMPLY, "answered", answer, request)
        if answer.outcome == Outcome.USER_UNKNOWN:
            check(watch is not None and watch.was_nobody, "somebody owns", request.subscription_ids)
            return
        if request.requested_action in {RequestedAction.CHECK_BALANCE, RequestedAction.PRICE_ENQUIRY}:
            if watch is not None and answer.enough_credit is not None:
                check(answer.enough_credit in watch.balances, "never true:", answer, request.session_id)
            return
        if answer.outcome == Outcome.REPEATED_WITH_OTHER_CONTENT:
            self._check_other_content(request)
            return
        self._check_first_answer(request, answer, watch)

    def _check_other_content(self, request: ChargingRequest) -> None:
        session, key = self.history.values.session(request.session_id), key_of(request)
        if request.is_cumulative and request.request_type == CCRequestType.INITIAL:
            return  # who begins what has begun is told nothing: a Start may come behind its own copy
        check(session is not None and all(
            (a.request_type, a.request_number, a.fingerprint) != key[1:] for a in session.answers
        ), "a repeat was not recognised", request)  # fmt: skip
        assert session is not None
        is_used = any(
            (a.request_type, a.request_number) == key[1:3]
            for a in (*session.answers, *session.earlier_answers)
        )
        counters = self.evidence.counters.get(key)
        is_outrun = counters is not None and not self.history.lacks(request.session_id, counters)
        check(
            request.request_type == CCRequestType.INITIAL
            or is_used
            or is_outrun
            or request.request_number <= session.forgotten_number,
            "refused without reason", request, session,
        )  # fmt: skip

    def _check_first_answer(
        self, request: ChargingRequest, answer: ChargingAnswer, watch: Watch | None
    ) -> None:
        key = key_of(request)
        first = self.history.processed.get(key)
        if first is None:
            check(answer.outcome == Outcome.UNKNOWN_SESSION, "answered before it was stored", request, answer)
            is_true = (
                watch.was_absent
                if watch is not None
                else not self.history.values.is_stored(request.session_id, self._clock.now_ms())
            )
            check(is_true, "a report was discarded:", request)
            return
        if watch is not None and watch.is_lost:
            return
        if request.is_cumulative and answer.outcome == Outcome.UNKNOWN_SESSION:
            # What an access server reports opens its session where there is none: another copy may have, meanwhile.
            is_true = watch is None or watch.was_absent or first == encode_value(answer)
            check(is_true, "a report was discarded:", request)
            return
        check(self.history.has_answered(key, encode_value(answer)), "not the first answer:", answer, request)
        self.tally["repeats"] += key in self.acknowledged
        is_told = self.acknowledged.setdefault(key, answer) == answer
        check(is_told or key in self.history.beginnings, "two answers to", request)

    def acknowledged_counters(self, session_id: str, counters: Counters) -> None:
        """An access server is told that so much of a session is charged."""
        told = self.evidence.told_counters
        told[session_id] = told.get(session_id, counters).joined(counters)
        self._check_counters()

    def _check_counters(self) -> None:
        for session_id, counters in self.evidence.told_counters.items():
            check(not self.history.lacks(session_id, counters), "not charged:", session_id, counters)

    # --- The end ----------------------------------------------------------------------------------------

    def check_acknowledged(self) -> None:
        """Everything that any gateway was told is in the history that counts, as it was told."""
        for key, answer in self.acknowledged.items():
            check(self.history.has_answered(key, encode_value(answer)), "acknowledged and lost:", key)
        lost = self.evidence.told_events - self.history.event_ids
        check(not lost, "told and lost:", lost)
        self._check_counters()
        self.history.dealings.check_told(self.evidence.told_redeemed)

    def close_the_books(self) -> None:
        """Everything has ended: nothing is reserved, and use explains every micro-unit."""
        self.check_acknowledged()
        for notice_id, (reference, account_id, micro) in self.evidence.paid.items():
            check(notice_id in self.history.event_ids, "paid, and nobody had to:", notice_id)
            self.history.dealings.check_paid(account_id, reference, micro)
        self.history.close_the_books()
