"""One line of commits, audited: what a store that carried out exactly these must hold, by a second calculation.

It knows the store's values and events as data, and the test operator's prices as figures. It uses none of the code
that prices, draws, reserves or decides. Stores that part ways have a history each; one that goes on from where
another was is played again from the commits up to there.
"""

from collections import Counter, defaultdict

from msgspec import msgpack

from ocs.balance.model import (
    Account,
    CounterHold,
    Session,
    SessionService,
    SessionState,
    Subscriber,
    decode_account,
    decode_session,
    decode_subscriber,
)
from ocs.balance.store import ABSENT, Commit
from ocs.events import ChargeEvent, EventKind, decode_event
from ocs.limits import OUTAGE_THRESHOLD_MS
from ocs.messages import (
    CCRequestType,
    ChargingAnswer,
    ChargingRequest,
    Outcome,
    RequestedAction,
    TariffChangeUsage,
)
from ocs.units import UnitType
from tests.support import books
from tests.support.books import AuditError, Book, Key, Meter, Place, check, key_of, reported, sides
from tests.support.dealings import Dealings
from tests.support.prices import PRICES, Price, price_at
from tests.support.tallies import Counts, Pool

# How far clocks of stores, and a worker's idea of them, may be off before it counts as an error.
CLOCK_SLACK_MS = 15_000
DEALINGS = {EventKind.FEE, EventKind.ADJUSTMENT, EventKind.TRANSFER}
POOLED: dict[int | None, Price] = {94: PRICES["stories/pool-a"], 95: PRICES["stories/pool-b"]}
_decode_answer = msgpack.Decoder(ChargingAnswer).decode


class Evidence:
    """What all histories of one world share, because it was seen from outside of any store.

    Attributes:
        sent: every request, as the gateway meant it.
        event_ids: what an event is about -> its id: decided again elsewhere, it must be called the same.
        commits: token -> content; a token stands for one content only.
        told_events: of operations that somebody was told are done. told_redeemed: vouchers, with whose they are.
        gone: sessions of which their gateways have said that they have none: closed before their time.
    """

    def __init__(self) -> None:
        self.sent: dict[Key, ChargingRequest] = {}
        self.event_ids: dict[tuple[object, ...], str] = {}
        self.commits: dict[bytes, Commit] = {}
        self.counts: Counter[str] = Counter()
        self.gone: set[str] = set()
        self.told_events: set[str] = set()
        self.told_redeemed: dict[str, str] = {}

    def redeemed(self, serial: str, account_id: str) -> None:
        """Somebody was told that a voucher is on his account."""
        known = self.told_redeemed.setdefault(serial, account_id)
        check(known == account_id, "a voucher was given to two:", serial, known, account_id)


class History:
    """Raises :class:`AuditError` as soon as a commit is wrong.

    Args:
        supervision_ms: how long a session may be silent at least.
    """

    def __init__(self, evidence: Evidence, supervision_ms: int) -> None:
        self._evidence = evidence
        self._supervision_ms = supervision_ms
        self.counts: Counter[str] = Counter()
        self.processed: dict[Key, bytes] = {}
        self.books: dict[str, Book] = defaultdict(Book)
        self.event_ids: set[str] = set()
        self.tokens: dict[str, bytes] = {}
        self.used_tokens: set[bytes] = set()
        self.accounts: dict[str, Account] = {}
        self.subscribers: dict[str, Subscriber] = {}
        self.sessions: dict[str, Session] = {}
        self._keys_of: dict[str, set[str]] = defaultdict(set)
        self.expires_ms: dict[str, int] = {}
        self.deadlines: set[str] = set()
        self.due_ms: dict[str, int] = {}
        self.counted = Counts()
        self.dealings = Dealings()
        # What grants held in counters before the commit that is looked at, by session and rating group.
        self._held: dict[tuple[str, int | None], tuple[CounterHold, ...]] = {}
        self.pools: dict[tuple[str, bytes], Pool] = defaultdict(Pool)
        self.meters: dict[tuple[str, bytes, int | None], Meter] = defaultdict(Meter)
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
        self._check_tokens(commit, at_ms)
        accounts: list[Account] = []
        subscribers: list[tuple[Subscriber | None, Subscriber]] = []
        changed: list[tuple[Session | None, Session]] = []
        for write in commit.writes:
            key = commit.keys[write.index]
            self.expires_ms.pop(key, None)
            if write.ttl_ms:
                self.expires_ms[key] = at_ms + write.ttl_ms
            match key[key.index("}") + 1]:
                case "a":
                    account = self.accounts[key] = decode_account(write.content)
                    accounts.append(account)
                case "u":
                    before_it, self.subscribers[key] = (
                        self.subscribers.get(key),
                        decode_subscriber(write.content),
                    )
                    subscribers.append((before_it, self.subscribers[key]))
                case "s":
                    session = decode_session(write.content)
                    check(
                        session.state != SessionState.OPEN or not write.ttl_ms,
                        "open session with a time to live",
                    )
                    changed.append((self.sessions.get(key), session))
                    self.sessions[key] = session
                    self._keys_of[session.session_id].add(key)
                case _:  # a receipt
                    pass
        for change in commit.deadlines:
            (self.deadlines.discard if change.score_ms is None else self.deadlines.add)(change.member)
        events = [decode_event(event) for event in commit.events]
        self._apply(events)
        self.dealings.committed(commit, events, accounts, subscribers, at_ms)
        self._check_processed(commit, changed, events, at_ms - excused_ms)
        for account in accounts:
            self._check_account(account)
        for before, session in changed:
            self._check_session(before, session, at_ms)
        self._check_reserved(commit, [session for _, session in changed])
        self._check_affordable(changed)
        self._check_counters(commit, changed, at_ms)

    # --- Tokens -----------------------------------------------------------------------------------------

    def _check_tokens(self, commit: Commit, at_ms: int) -> None:
        """What was read still stood, and what is written has a name of its own."""
        for key, expected in zip(commit.keys, commit.expected, strict=True):
            stands = self.tokens.get(key, ABSENT)
            may_be_gone = self.expires_ms.get(key, at_ms + 1_000_000) <= at_ms + CLOCK_SLACK_MS
            check(
                expected == stands or (may_be_gone and expected == ABSENT),
                "committed on a stale", key, "read", expected, "stands", stands,
            )  # fmt: skip
        if commit.writes:
            check(commit.token not in self.used_tokens, "token used twice", commit.token)
            check(
                self._evidence.commits.setdefault(commit.token, commit) == commit,
                "a token of two contents", commit.token,
            )  # fmt: skip
            self.used_tokens.add(commit.token)
        for write in commit.writes:
            self.tokens[commit.keys[write.index]] = commit.token

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
        self, commit: Commit, changed: list[tuple[Session | None, Session]], events: list[ChargeEvent],
        at_ms: int,
    ) -> None:  # fmt: skip
        """Each request counts once, and its reports are exactly the commit's debits."""
        expected: Counter[tuple[str, int, int | None, int]] = Counter()
        found: dict[Place, list[ChargeEvent]] = defaultdict(list)
        for event in events:
            if event.trace is not None:
                found[event.session_id, event.request_number, event.rating_group].append(event)
        requests = [
            (request, answer, session)
            for before, session in changed
            for request, answer in self._new_requests(before, session)
        ]
        self._held = {
            (before.session_id, service.rating_group): service.counter_holds
            for before, session in changed
            if before is not None and before.opening_fingerprint == session.opening_fingerprint
            for service in before.services
        }
        for request, answer, session in books.as_decided(requests, events):
            self._count_request(request, answer, session, expected, found)
            self._check_payer(commit, request, session)
            if session.state == SessionState.OPEN:
                validity_s = max((s.validity_time_s or 0 for s in _decode_answer(answer).services), default=0)
                self.due_ms[session.session_id] = (
                    at_ms - self._outage_ms + validity_s * 1000 + self._supervision_ms
                )
        # A session that was denied may have been closed between its commit's request and the one before.
        if len(requests) == len(changed) == 1 and changed[0][1].session_id not in self._evidence.gone:
            self._check_alone(*requests[0], changed[0][0])
            self._check_sides(requests[0][0], changed[0][0], found)
        told = Counter(
            (e.session_id, e.request_number, e.rating_group, e.units) for e in events if e.trace is not None
        )
        check(told == expected, "debits", told, "reports", expected)

    def _new_requests(self, before: Session | None, session: Session) -> list[tuple[ChargingRequest, bytes]]:
        old = before.answers if before and before.opening_fingerprint == session.opening_fingerprint else ()
        known = {(a.request_type, a.request_number, a.fingerprint) for a in old}
        twice = Counter((a.request_type, a.request_number) for a in session.answers)
        check(not twice or max(twice.values()) == 1, "request remembered twice in", session)
        sent = self._evidence.sent
        return [
            (sent[session.session_id, a.request_type, a.request_number, a.fingerprint], bytes(a.answer))
            for a in session.answers
            if (a.request_type, a.request_number, a.fingerprint) not in known
        ]

    def _count_request(
        self,
        request: ChargingRequest,
        answer: bytes,
        session: Session,
        expected: Counter[tuple[str, int, int | None, int]],
        found: dict[Place, list[ChargeEvent]],
    ) -> None:
        key = key_of(request)
        check(key not in self.processed, "processed twice:", key)
        self.processed[key] = answer
        self.counts["processed"] += 1
        for asked in request.services:
            place = request.session_id, request.request_number, asked.rating_group
            events = found[place]
            if request.request_type == CCRequestType.EVENT:
                for event in events[:1]:
                    self._check_one_time(request, event)
                    self._check_name(event, session, request)
                    self.counted.count_limits(self._subscriber_of(session), event)
                    expected[*place, event.units] += 1
                continue
            parts = sides(asked.used)
            held = self._held.pop((request.session_id, asked.rating_group), ())
            check(len(events) >= len(parts), "not debited:", request)
            for side, (event, part) in enumerate(zip(events, parts, strict=False)):
                units = reported(part, event.unit_type)
                expected[*place, units] += 1
                self._check_debit(event, session, units, held)
                self._check_name(event, session, request, side)
                self.counted.count_limits(self._subscriber_of(session), event, held)
        pool = self.pools[session.session_id, session.opening_fingerprint]
        pool.reported(request, POOLED)
        pool.granted(_decode_answer(answer), POOLED)

    def _check_payer(self, commit: Commit, request: ChargingRequest, session: Session) -> None:
        """Whoever opens something must own one of the request's identities at that moment."""
        if request.request_type not in {CCRequestType.INITIAL, CCRequestType.EVENT}:
            return
        key = f"{{{commit.partition}}}u:{session.subscriber_id}"
        owner = self.subscribers.get(key)
        check(
            owner is not None
            and owner.account_id == session.account_id
            and any(identity in owner.identities for identity in request.subscription_ids),
            "charged to somebody else:", request.session_id, request.subscription_ids, owner,
        )  # fmt: skip

    def _check_alone(
        self, request: ChargingRequest, answer: bytes, session: Session, before: Session | None
    ) -> None:
        """A request that was decided alone: what is granted is what the session has, what is refused is not there."""
        told = _decode_answer(answer)
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
            elif one.outcome == Outcome.CREDIT_LIMIT_REACHED and service is not None and service.tariff_path:
                self._check_refusal(session, service)

    def _check_sides(
        self, request: ChargingRequest, before: Session | None, found: dict[Place, list[ChargeEvent]]
    ) -> None:
        """What was used before a tariff switch was charged under the grant's price, the rest under the other one."""
        for service in before.services if before is not None else ():
            asked = next((a for a in request.services if a.rating_group == service.rating_group), None)
            events = found.get((request.session_id, request.request_number, service.rating_group), [])
            if asked is None or not service.after_path:
                continue
            for part, event in zip(sides(asked.used), events, strict=True):
                is_after = part[0].tariff_change_usage == TariffChangeUsage.AFTER
                path = service.after_path if is_after else service.tariff_path
                check(event.tariff_path == path, "on the wrong side of the switch:", event, service)
                self.counts["sides of a switch"] += 1

    def _check_refusal(self, session: Session, service: SessionService) -> None:
        """Not even the smallest grant could be paid, all that the request itself freed and took counted in."""
        price = price_at(service.tariff_path)
        subscriber = self._subscriber_of(session)
        if price.counter or price.is_switched or (subscriber is not None and subscriber.limits):
            return
        meter = self.meters[session.session_id, session.opening_fingerprint, service.rating_group]
        account = next(a for a in self.accounts.values() if a.account_id == session.account_id)
        main = next(bucket for bucket in account.buckets if bucket.bucket_id == "main")
        available = main.value - main.reserved + account.credit_limit_micro
        need = price.billed(meter.counted + price.minimum) - price.billed(meter.counted)
        before = price.billed(meter.counted) - meter.covered
        due = price.cost(before + need) - price.cost(before) + (price.fee if not meter.fee else 0)
        check(available < due, "refused although there was credit:", service, available, due)
        self.counts["refusals judged"] += 1

    def _check_one_time(self, request: ChargingRequest, event: ChargeEvent) -> None:
        check(event.kind == (
            EventKind.REFUND if request.requested_action == RequestedAction.REFUND_ACCOUNT else EventKind.DEBIT
        ), "kind of", event)  # fmt: skip
        price = PRICES[event.tariff_path]
        sign = 1 if event.kind == EventKind.REFUND else -1
        covered = sum(sign * m.amount for m in event.movements if m.unit_type != UnitType.MONEY)
        check(sign * event.amount_micro == price.cost(price.billed(event.units) - covered), "price of", event)

    def _check_debit(
        self, event: ChargeEvent, session: Session, units: int, held: tuple[CounterHold, ...]
    ) -> None:
        price = price_at(event.tariff_path)
        meter = self.meters[session.session_id, session.opening_fingerprint, event.rating_group]
        check(meter.path in {"", event.tariff_path} or price.is_switched, "tariff changed", event)
        if meter.path != event.tariff_path:
            meter.earlier += meter.charged
            meter.counted = meter.covered = meter.charged = 0
        meter.path = event.tariff_path
        meter.account_id = event.account_id
        covered = -sum(m.amount for m in event.movements if m.unit_type != UnitType.MONEY)
        meter.counted += units
        meter.covered += covered
        billed = price.billed(meter.counted)
        money_units = billed - meter.covered
        if money_units > 0 and price.fee:
            meter.fee = price.fee
        if price.counter:
            subscriber = self._subscriber_of(session)
            assert subscriber is not None
            due = self.counted.cost(subscriber, price, units, held)
        else:
            due = price.cost(money_units) + meter.fee - meter.charged
        check(-event.amount_micro == due, "charged", event, "due", due, meter)
        check(event.billed_units == billed - price.billed(meter.counted - units), "billed units of", event)
        meter.charged += due

    # --- Sessions and reservations ----------------------------------------------------------------------

    def _check_session(self, before: Session | None, session: Session, at_ms: int) -> None:
        was_open = before is not None and before.state == SessionState.OPEN
        for service in session.services:
            if session.state == SessionState.CLOSED:
                check(not service.holds and not service.granted_units, "a closed session holds", session)
            elif service.granted_units:
                self._check_grant(session, service)
        if was_open and session.state == SessionState.CLOSED and not self._new_requests(before, session):
            early_ms = self.due_ms[session.session_id] - (at_ms - self._outage_ms)
            is_gone = session.session_id in self._evidence.gone
            check(is_gone or early_ms <= CLOCK_SLACK_MS, "closed too early by", early_ms, session)
            self.counts["expired sessions"] += 1

    def _check_grant(self, session: Session, service: SessionService) -> None:
        """The grant's price is set aside: what it will be billed as, less what allowances hold for it."""
        price = price_at(service.tariff_path)
        if price.counter or price.is_pooled:
            return
        meter = self.meters[session.session_id, session.opening_fingerprint, service.rating_group]
        if service.after_path:
            self._check_crossing(service)
            return
        if meter.path and meter.path != service.tariff_path:
            meter = Meter()
        need = price.billed(meter.counted + service.granted_units) - price.billed(meter.counted)
        by_allowance = sum(hold.amount for hold in service.holds if hold.bucket_id != "main")
        money = sum(hold.amount for hold in service.holds if hold.bucket_id == "main")
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
        self.counts["grants over a switch"] += 1

    def _check_counters(
        self, commit: Commit, changed: list[tuple[Session | None, Session]], at_ms: int
    ) -> None:
        """Counters count what was used and hold what is granted; pools hold what gateways may use; limits hold."""
        sessions = list(self.sessions.values())
        for _, session in changed:
            subscriber = self._subscriber_of(session)
            if subscriber is None:
                continue
            faults = self.counted.faults(subscriber, sessions, at_ms)
            check(not faults, "counters of", subscriber.subscriber_id, faults)
            self.counts["counters judged"] += len(subscriber.counters)
            pool = self.pools[session.session_id, session.opening_fingerprint]
            check(pool.is_covered_by(session), "pool", pool, "is not covered by", session)
            self.counts["pools judged"] += bool(pool.members)
        if len(changed) == 1 and len(self._new_requests(*changed[0])) == 1:
            self._check_limits(*changed[0])

    def _check_limits(self, before: Session | None, session: Session) -> None:
        """Whatever is newly granted fits into what the subscriber's limits had left."""
        subscriber = self._subscriber_of(session)
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
                    self.counts["limits judged"] += 1

    def _subscriber_of(self, session: Session) -> Subscriber | None:
        return next(
            (
                s for s in self.subscribers.values()
                if s.subscriber_id == session.subscriber_id and s.account_id == session.account_id
            ),
            None,
        )  # fmt: skip

    def _check_reserved(self, commit: Commit, sessions: list[Session]) -> None:
        for account_id in {session.account_id for session in sessions}:
            held: Counter[str] = Counter()
            for session in self.sessions.values():
                if session.account_id == account_id and session.state == SessionState.OPEN:
                    for service in session.services:
                        for hold in service.holds:
                            held[hold.bucket_id] += hold.amount
            for bucket in self.accounts[f"{{{commit.partition}}}a:{account_id}"].buckets:
                check(bucket.reserved == held.pop(bucket.bucket_id, 0), "reserved", bucket, held)
                check(
                    bucket.unit_type == UnitType.MONEY or bucket.value >= bucket.reserved, "allowance", bucket
                )
            check(not +held, "holds on buckets that are gone", held)

    def _check_affordable(self, changed: list[tuple[Session | None, Session]]) -> None:
        """A new grant fits into what was left; judged where one request alone moved the account."""
        if len(changed) != 1:
            return
        before, session = changed[0]
        requests = self._new_requests(before, session)
        if len(requests) != 1:
            return
        asked = {service.rating_group for service in requests[0][0].services}
        old = {s.rating_group: s for s in before.services} if before else {}
        for service in session.services:
            was = old.get(service.rating_group)
            # What a pool leaves to a service that was not asked about was held before.
            grew = service.rating_group in asked and (was is None or was.holds != service.holds)
            if grew and any(hold.bucket_id == "main" for hold in service.holds):
                account = self.account(session.account_id)
                main = next(b for b in account.buckets if b.bucket_id == "main")
                check(
                    main.value - main.reserved + account.credit_limit_micro >= 0, "granted on credit", account
                )

    # --- Looking ----------------------------------------------------------------------------------------

    def account(self, account_id: str) -> Account:
        """An account as it stands."""
        for account in self.accounts.values():
            if account.account_id == account_id:
                return account
        raise AuditError(f"no account {account_id}")

    def session(self, session_id: str) -> Session | None:
        """A session, remembered or not."""
        return next((self.sessions[key] for key in sorted(self._keys_of.get(session_id, ()))), None)

    def is_stored(self, session_id: str, at_ms: int) -> bool:
        """Whether the store surely has the session: open, or as a memory whose time has not come."""
        later_ms = at_ms + CLOCK_SLACK_MS
        return any(
            self.expires_ms.get(key, later_ms + 1) > later_ms for key in self._keys_of.get(session_id, ())
        )

    # --- The end ----------------------------------------------------------------------------------------

    def close_the_books(self) -> None:
        """Everything has ended: nothing is reserved, and use explains every micro-unit."""
        self.dealings.close()
        charged: Counter[str] = Counter()
        for meter in filter(lambda meter: meter.counted, self.meters.values()):
            price = price_at(meter.path)
            charged[meter.account_id] += meter.earlier + (
                meter.charged
                if price.counter
                else price.cost(price.billed(meter.counted) - meter.covered) + meter.fee
            )
        for account in self.accounts.values():
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
        check(not self.deadlines, "deadlines left", self.deadlines)
