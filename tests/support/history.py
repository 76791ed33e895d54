"""One line of commits, audited: what a store that carried out exactly these must hold, by a second calculation.

It knows the store's values and events as data, and the test operator's prices as figures. It uses none of the code
that prices, draws, reserves or decides. Stores that part ways have a history each; one that goes on from where
another was is played again from the commits up to there.
"""

from collections import Counter, defaultdict

from msgspec import msgpack
from msgspec.structs import replace

from ocs.balance.model import Account, RememberedAnswer, Session, SessionState
from ocs.balance.store import Commit
from ocs.events import ChargeEvent, EventKind, decode_event
from ocs.limits import OUTAGE_THRESHOLD_MS
from ocs.messages import (
    CCRequestType,
    ChargingAnswer,
    ChargingRequest,
    MultipleServicesCreditControl,
    Outcome,
    ServiceUnit,
)
from ocs.units import UnitType
from tests.support import books
from tests.support.books import Book, Key, Place, check, key_of, reported, sides
from tests.support.charges import Charges
from tests.support.counters import Counters
from tests.support.dealings import Dealings
from tests.support.evidence import Evidence
from tests.support.grants import Grants
from tests.support.prices import PRICES
from tests.support.tallies import NOTHING_HELD, Held
from tests.support.values import CLOCK_SLACK_MS, Values

DEALINGS = {EventKind.FEE, EventKind.ADJUSTMENT, EventKind.TRANSFER, EventKind.EXPIRY}
_decode_answer = msgpack.Decoder(ChargingAnswer).decode
_Processed = tuple[ChargingRequest, bytes, Session]
_SessionChanges = list[tuple[Session | None, Session]]


class History:
    """Raises :class:`~tests.support.books.AuditError` as soon as a commit is wrong.

    Attributes:
        values: what the store holds.
        processed: every request that a session remembers or did, with its answer.
        beginnings: what those were answered that may begin a session more than once.

    Args:
        supervision_ms: how long a session may be silent at least.
    """

    def __init__(self, evidence: Evidence, supervision_ms: int) -> None:
        self._evidence = evidence
        self._supervision_ms = supervision_ms
        self.counts: Counter[str] = Counter()
        self.processed: dict[Key, bytes] = {}
        self.beginnings: dict[Key, set[bytes]] = defaultdict(set)
        self.books: dict[str, Book] = defaultdict(Book)
        self.event_ids: set[str] = set()
        self.values = Values(evidence)
        self._charges = Charges(self.values, self.counts)
        self._grants = Grants(self.values, self._charges, self.counts)
        self.dealings = Dealings()
        self._due_ms: dict[str, int] = {}
        # What grants held in counters before the commit that is looked at, by session and rating group.
        self._held: dict[tuple[str, int | None], Held] = {}
        self._last_beat_ms: int | None = None
        self._outage_ms = 0

    def beaten(self, at_ms: int) -> None:
        """A worker was heard: a longer silence of all of them was an outage, which gateways need not answer for."""
        if self._last_beat_ms is not None and at_ms - self._last_beat_ms > (
            OUTAGE_THRESHOLD_MS + CLOCK_SLACK_MS
        ):
            self._outage_ms += at_ms - self._last_beat_ms
        self._last_beat_ms = at_ms

    def committed(self, commit: Commit, at_ms: int, *, excused_ms: int = 0) -> None:
        """A commit was carried out.

        Args:
            at_ms: true time.
            excused_ms: how far a worker's clock was set back since it last asked the store for the time.
        """
        self.counts["commits"] += 1
        changed = self.values.take(commit, at_ms)
        events = [decode_event(event) for event in commit.events]
        self._apply(events)
        self.dealings.committed(commit, events, changed.accounts, changed.subscribers, at_ms)
        self._check_processed(commit, changed.sessions, events, at_ms - excused_ms)
        for account in changed.accounts:
            self._check_account(account)
        for before, session in changed.sessions:
            self._grants.check_held(session)
            self._check_closing(before, session, at_ms)
        self._grants.check_reserved(commit, [session for _, session in changed.sessions])
        self._check_alone(changed.sessions)
        self._check_counters(changed.sessions, at_ms)

    # --- Events -----------------------------------------------------------------------------------------

    def _apply(self, events: list[ChargeEvent]) -> None:
        for event in events:
            check(event.event_id not in self.event_ids, "event twice:", event.event_id)
            self.event_ids.add(event.event_id)
            book = self.books[event.account_id]
            check(event.sequence == book.sequence + 1, "gap before", event, "after", book.sequence)
            book.sequence = event.sequence
            money = 0
            for movement in event.movements:
                value = book.values.get(movement.bucket_id, 0) + movement.amount
                check(value == movement.balance_after, "balance after", movement, "should be", value)
                book.values[movement.bucket_id] = value
                if movement.unit_type == UnitType.MONEY:
                    money += movement.amount
            check(money == event.amount_micro, "amount of", event)
            if money > 0:
                book.credited += money
            else:
                book.debited -= money
                book.dealt -= money if event.kind in DEALINGS else 0
            self.counts[event.kind.name] += 1

    def _check_name(
        self, event: ChargeEvent, session: Session, request: ChargingRequest, side: int = 0
    ) -> None:
        """Decided again after a failure, here or elsewhere, the same use must have the same event id."""
        use = (
            session.session_id, session.opening_fingerprint, int(request.request_type), event.request_number,
            request.fingerprint, event.rating_group, event.kind, side,
        )  # fmt: skip
        known = self._evidence.event_ids.setdefault(use, event.event_id)
        check(known == event.event_id, "one use under two event ids:", known, event.event_id)

    def _check_account(self, account: Account) -> None:
        book = self.books[account.account_id]
        check(account.sequence == book.sequence, "sequence of", account, "events say", book.sequence)
        values = {bucket.bucket_id: bucket.value for bucket in account.buckets}
        for bucket_id, value in book.values.items():
            check(values.pop(bucket_id, 0) == value, "bucket", bucket_id, "of", account, "events say", value)
        check(not any(values.values()), "money from nowhere", values)
        for total in account.totals:
            value = sum(b.value for b in account.buckets if b.unit_type == total.unit_type)
            check(total.credited - total.debited - total.expired == value, "total", total, value)

    # --- Requests ---------------------------------------------------------------------------------------

    def _check_processed(
        self, commit: Commit, changed: _SessionChanges, events: list[ChargeEvent],
        at_ms: int,
    ) -> None:  # fmt: skip
        """Each request counts once, and its reports are exactly the commit's debits."""
        expected: Counter[tuple[str, int, int | None, int]] = Counter()
        found: dict[Place, list[ChargeEvent]] = defaultdict(list)
        for event in events:
            if event.trace is not None:
                found[event.session_id, event.request_number, event.rating_group].append(event)
        requests = [new for before, session in changed for new in self._new_requests(before, session)]
        self._held = {
            (before.session_id, service.rating_group): Held(
                service.counter_holds, self._may_be_closed_first(commit, session)
            )
            for before, session in changed
            if before is not None and before.opening_fingerprint == session.opening_fingerprint
            for service in before.services
        }
        for request, answer, session in books.as_decided(requests, events):
            self._count_request(request, answer, session, expected, found)
            self._check_payer(commit, request, session)
            if session.state == SessionState.OPEN:
                validity_s = max((s.validity_time_s or 0 for s in _decode_answer(answer).services), default=0)
                self._due_ms[session.session_id] = (
                    at_ms - self._outage_ms + validity_s * 1000 + self._supervision_ms
                )
        # A session that was denied may have been closed between its commit's request and the one before.
        if len(requests) == len(changed) == 1 and changed[0][1].session_id not in self._evidence.gone:
            request, answer, session = requests[0]
            self._grants.check_answer(request, _decode_answer(answer), session, at_ms)
            self._charges.check_sides(request, changed[0][0], found)
        told = Counter(
            (e.session_id, e.request_number, e.rating_group, e.units) for e in events if e.trace is not None
        )
        check(told == expected, "debits", told, "reports", expected)

    def _may_be_closed_first(self, commit: Commit, session: Session) -> bool:
        """Whether supervision, or what its gateway denied, may have closed a session that the same commit ends.

        What ends it is answered alike in either order; a commit that supervision had a part in waits for a deadline.
        """
        return session.session_id in self._evidence.gone or commit.not_before_ms is not None

    def _new_requests(self, before: Session | None, session: Session) -> list[_Processed]:
        """What a session has processed since, each in the life of its Session-Id that it belongs to."""
        known = {_marks(a) for a in (*before.answers, *before.earlier_answers)} if before else set()
        twice = Counter((a.request_type, a.request_number) for a in session.answers)
        check(not twice or max(twice.values()) == 1, "request remembered twice in", session)
        found: list[_Processed] = []
        life = session if before is None else before
        for place, a in enumerate((*session.earlier_answers, *session.answers)):
            if place == len(session.earlier_answers):
                life = session
            elif a.request_type == CCRequestType.INITIAL:
                opening = a.fingerprint + a.end_to_end_id.to_bytes(4)
                life = replace(session, opening_fingerprint=opening, state=SessionState.CLOSED)
            if _marks(a) not in known:
                key = session.session_id, a.request_type, a.request_number, a.fingerprint
                found.append((self._evidence.sent[key], bytes(a.answer), life))
        return found

    def _count_request(
        self,
        request: ChargingRequest,
        answer: bytes,
        session: Session,
        expected: Counter[tuple[str, int, int | None, int]],
        found: dict[Place, list[ChargeEvent]],
    ) -> None:
        key = key_of(request)
        # Who begins what has ended begins it anew; a Start without its delay told is no copy of one with it.
        begins_anew = request.is_cumulative and request.request_type == CCRequestType.INITIAL
        check(key not in self.processed or begins_anew, "processed twice:", key)
        self.processed[key] = answer
        if begins_anew:
            self.beginnings[key].add(answer)
        self.counts["processed"] += 1
        for asked in request.services:
            place = request.session_id, request.request_number, asked.rating_group
            events = found[place]
            if request.request_type == CCRequestType.EVENT:
                for event in events[:1]:
                    self._charges.check_one_time(request, event)
                    self._check_name(event, session, request)
                    self._charges.counted.count_limits(self.values.subscriber_of(session), event)
                    expected[*place, event.units] += 1
                continue
            parts = sides(self._used_of(request, asked))
            held = self._held.pop((request.session_id, asked.rating_group), NOTHING_HELD)
            if _decode_answer(answer).outcome == Outcome.UNKNOWN_SESSION:
                held = NOTHING_HELD  # supervision had closed its session, in the same commit
            elif request.request_type != CCRequestType.TERMINATION:
                held = Held(held.holds)
            check(len(events) >= len(parts), "not debited:", request)
            for side, (event, part) in enumerate(zip(events, parts, strict=False)):
                units = reported(part, event.unit_type)
                expected[*place, units] += 1
                self._charges.check_debit(event, session, units, held)
                self._check_name(event, session, request, side)
                self._charges.counted.count_limits(self.values.subscriber_of(session), event, held)
            if request.is_cumulative:
                del events[: len(parts)]  # its number is its age: another one may be as old
        self._charges.pooled(request, _decode_answer(answer), session)

    def _used_of(
        self, request: ChargingRequest, asked: MultipleServicesCreditControl
    ) -> tuple[ServiceUnit, ...]:
        """What a service reports to have used since its last report."""
        counters = self._evidence.counters.get(key_of(request))
        if counters is None:
            return asked.used
        return self._charges.since_last_report(request.session_id, counters)

    def _check_payer(self, commit: Commit, request: ChargingRequest, session: Session) -> None:
        """Whoever opens something must own one of the request's identities at that moment."""
        if request.request_type not in {CCRequestType.INITIAL, CCRequestType.EVENT}:
            return
        key = f"{{{commit.partition}}}u:{session.subscriber_id}"
        owner = self.values.subscribers.get(key)
        check(
            owner is not None
            and owner.account_id == session.account_id
            and any(identity in owner.identities for identity in request.subscription_ids),
            "charged to somebody else:", request.session_id, request.subscription_ids, owner,
        )  # fmt: skip

    def _check_alone(self, changed: _SessionChanges) -> None:
        """What can be judged only where one request alone moved the account."""
        if len(changed) == 1 and len(requests := self._new_requests(*changed[0])) == 1:
            self._grants.check_affordable(requests[0][0], *changed[0])
            self._grants.check_limits(*changed[0])

    # --- Sessions ---------------------------------------------------------------------------------------

    def _check_closing(self, before: Session | None, session: Session, at_ms: int) -> None:
        """Supervision closes nobody too early."""
        was_open = before is not None and before.state == SessionState.OPEN
        if was_open and session.state == SessionState.CLOSED and not self._new_requests(before, session):
            early_ms = self._due_ms[session.session_id] - (at_ms - self._outage_ms)
            is_gone = session.session_id in self._evidence.gone
            check(is_gone or early_ms <= CLOCK_SLACK_MS, "closed too early by", early_ms, session)
            self.counts["expired sessions"] += 1

    def _check_counters(self, changed: _SessionChanges, at_ms: int) -> None:
        """Counters count what was used and hold what is granted; pools hold what gateways may use."""
        sessions = list(self.values.sessions.values())
        for _, session in changed:
            subscriber = self.values.subscriber_of(session)
            if subscriber is None:
                continue
            faults = self._charges.counted.faults(subscriber, sessions, at_ms)
            check(not faults, "counters of", subscriber.subscriber_id, faults)
            self.counts["counters judged"] += len(subscriber.counters)
            self._charges.check_pool(session)

    def has_answered(self, key: Key, answer: bytes) -> bool:
        """Whether a request was processed with this answer."""
        return answer == self.processed.get(key) or answer in self.beginnings.get(key, ())

    def lacks(self, session_id: str, counters: Counters) -> bool:
        """Whether a session is charged for less than an access server has counted."""
        return counters.beyond(self._charges.counters_of(session_id)) > 0

    # --- The end ----------------------------------------------------------------------------------------

    def close_the_books(self) -> None:
        """Everything has ended: nothing is reserved, and use explains every micro-unit."""
        self.dealings.close()
        charged = self._charges.by_account()
        for account in self.values.accounts.values():
            check(not any(bucket.reserved for bucket in account.buckets), "still reserved:", account)
            book = self.books[account.account_id]
            money = sum(b.value for b in account.buckets if b.unit_type == UnitType.MONEY)
            check(book.credited - book.debited == money, "books and balance differ", account, book)
            one_time = book.debited - book.dealt - charged[account.account_id]
            check(
                one_time >= 0 and one_time % PRICES["basic/sms"].micro == 0,
                "unexplained debit",
                one_time,
                account,
            )
            check(account.sequence == book.sequence, "sequence", account)
        check(not self.values.deadlines, "deadlines left", self.values.deadlines)


def _marks(remembered: RememberedAnswer) -> tuple[int, int, bytes, int]:
    """By what two things that a session remembers are told from each other."""
    return (
        remembered.request_type,
        remembered.request_number,
        remembered.fingerprint,
        remembered.end_to_end_id,
    )
