"""A second opinion on the money: looks at every commit and answer, and calculates by itself.

It knows the store's values and events as data, and the test operator's prices as figures. It uses none of the code
that prices, draws, reserves or decides.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from ocs.balance.model import (
    Account,
    Session,
    SessionService,
    SessionState,
    decode_account,
    decode_session,
    encode_value,
)
from ocs.balance.store import Commit
from ocs.clock import Clock
from ocs.events import ChargeEvent, EventKind, decode_event
from ocs.messages import CCRequestType, ChargingAnswer, ChargingRequest, Outcome, RequestedAction, ServiceUnit
from ocs.units import UnitType
from tests.support.connection import WatchedStore


class AuditError(AssertionError):
    """The books do not agree."""


def check(truth: bool, *what: object) -> None:
    if not truth:
        raise AuditError(" ".join(str(part) for part in what))


@dataclass(frozen=True)
class Price:
    """``micro`` per ``per`` units, rounded to ``first`` and then ``step`` units."""

    micro: int
    per: int = 1
    first: int = 1
    step: int = 1
    fee: int = 0

    def billed(self, counted: int) -> int:
        if counted == 0:
            return 0
        blocks = 0
        while self.first + blocks * self.step < counted:
            blocks += 1 + (counted - self.first - blocks * self.step - 1) // self.step
        return self.first + blocks * self.step

    def cost(self, units: int) -> int:
        whole, rest = divmod(units * self.micro, self.per)
        return whole + (rest > 0)


# What tests/support/catalogue.py says, by tariff.
PRICES = {
    "basic/data": Price(2000, 10, 10, 10),
    "basic/data#10": Price(2000, 10, 10, 10),
    "basic/data#11": Price(2000, 10, 10, 10),
    "basic/thirds": Price(1, 3),
    "basic/free": Price(0),
    "basic/home>home": Price(60_000, 60, 60, 1, 50_000),
    "basic/abroad>abroad": Price(600_000, 60, 60, 60),
    "basic/far>far": Price(20_000),
    "basic/sms": Price(90_000),
}


@dataclass
class Meter:
    """Everything reported for one service of one session."""

    counted: int = 0
    covered: int = 0  # billed units that allowances paid
    charged: int = 0
    fee: int = 0
    path: str = ""
    account_id: str = ""


@dataclass
class Book:
    """One account as the events tell it."""

    values: dict[str, int] = field(default_factory=dict)
    sequence: int = 0
    credited: int = 0  # money: opening, top-ups, refunds
    debited: int = 0


Key = tuple[str, int, int, bytes]  # session, type, number, fingerprint


def key_of(request: ChargingRequest) -> Key:
    return request.session_id, int(request.request_type), request.request_number, request.fingerprint


def reported(units: tuple[ServiceUnit, ...], unit_type: UnitType) -> int:
    total = 0
    for unit in units:
        amount = {
            UnitType.TOTAL_OCTETS: unit.total_octets,
            UnitType.TIME: unit.time_s,
            UnitType.SERVICE_SPECIFIC_UNITS: unit.service_specific_units,
        }[unit_type]
        total += amount or 0
    return total


class Auditor:
    """Raises :class:`AuditError` as soon as a commit or an answer is wrong."""

    def __init__(self, store: WatchedStore, clock: Clock, *, supervision_time_s: int) -> None:
        self._store = store
        self._clock = clock
        self._supervision_ms = supervision_time_s * 1000
        self.sent: dict[Key, ChargingRequest] = {}
        self.processed: dict[Key, bytes] = {}
        self.acknowledged: dict[Key, ChargingAnswer] = {}
        self.books: dict[str, Book] = defaultdict(Book)
        self.event_ids: set[str] = set()
        self.tokens: set[bytes] = set()
        self.sessions: dict[str, Session] = {}
        self.heard_ms: dict[str, int] = {}
        self.meters: dict[tuple[str, bytes, int | None], Meter] = defaultdict(Meter)
        self.counts: Counter[str] = Counter()
        store.on_committed = self.committed

    # --- Every commit -----------------------------------------------------------------------------------

    def committed(self, commit: Commit) -> None:
        self.counts["commits"] += 1
        if commit.writes:
            check(commit.token not in self.tokens, "token used twice", commit.token)
            self.tokens.add(commit.token)
        accounts: dict[str, Account] = {}
        changed: list[tuple[Session | None, Session]] = []
        for write in commit.writes:
            key = commit.keys[write.index]
            kind = key[key.index("}") + 1]
            if kind == "a":
                account = decode_account(write.content)
                accounts[account.account_id] = account
            elif kind == "s":
                session = decode_session(write.content)
                check(
                    session.state != SessionState.OPEN or not write.ttl_ms, "open session with a time to live"
                )
                changed.append((self.sessions.get(key), session))
                self.sessions[key] = session
        events = [decode_event(event) for event in commit.events]
        self._apply(events)
        self._check_processed(changed, events)
        for account in accounts.values():
            self._check_account(account)
        for before, session in changed:
            self._check_session(before, session)
        self._check_reserved(commit, [session for _, session in changed])
        self._check_affordable(changed)

    def _apply(self, events: list[ChargeEvent]) -> None:
        for event in events:
            check(event.event_id not in self.event_ids, "event twice:", event.event_id)
            self.event_ids.add(event.event_id)
            book = self.books[event.account_id]
            check(
                event.sequence == book.sequence + 1,
                "gap before",
                event.event_id,
                event.sequence,
                book.sequence,
            )
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
            self.counts[event.kind.name] += 1

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

    def _check_processed(
        self, changed: list[tuple[Session | None, Session]], events: list[ChargeEvent]
    ) -> None:
        """Each request counts once, and its reports are exactly the commit's debits."""
        expected: Counter[tuple[str, int, int | None, int]] = Counter()
        found = {(e.session_id, e.request_number, e.rating_group): e for e in events if e.trace is not None}
        for before, session in changed:
            for request, answer in self._new_requests(before, session):
                self._count_request(request, answer, session, expected, found)
            if session.state == SessionState.OPEN and self._new_requests(before, session):
                self.heard_ms[session.session_id] = self._clock.now_ms()
        told = Counter(
            (e.session_id, e.request_number, e.rating_group, e.units) for e in events if e.trace is not None
        )
        check(told == expected, "debits", told, "reports", expected)

    def _new_requests(self, before: Session | None, session: Session) -> list[tuple[ChargingRequest, bytes]]:
        old = before.answers if before and before.opening_fingerprint == session.opening_fingerprint else ()
        known = {(a.request_type, a.request_number, a.fingerprint) for a in old}
        entries = [
            a for a in session.answers if (a.request_type, a.request_number, a.fingerprint) not in known
        ]
        twice = Counter((a.request_type, a.request_number) for a in session.answers)
        check(not twice or max(twice.values()) == 1, "request remembered twice in", session)
        requests: list[tuple[ChargingRequest, bytes]] = []
        for a in entries:
            requests.append(
                (
                    self.sent[session.session_id, a.request_type, a.request_number, a.fingerprint],
                    bytes(a.answer),
                )
            )
        return requests

    def _count_request(
        self,
        request: ChargingRequest,
        answer: bytes,
        session: Session,
        expected: Counter[tuple[str, int, int | None, int]],
        found: dict[tuple[str, int, int | None], ChargeEvent],
    ) -> None:
        key = key_of(request)
        check(key not in self.processed, "processed twice:", key)
        self.processed[key] = answer
        self.counts["processed"] += 1
        for asked in request.services:
            place = request.session_id, request.request_number, asked.rating_group
            event = found.get(place)
            if request.request_type == CCRequestType.EVENT:
                if event is not None:
                    self._check_one_time(request, event)
                    expected[*place, event.units] += 1
                continue
            if not any(unit.total_octets or unit.time_s for unit in asked.used):
                continue
            check(event is not None, "not debited:", request)
            assert event is not None
            units = reported(asked.used, event.unit_type)
            expected[*place, units] += 1
            self._check_debit(event, session, units)

    def _check_one_time(self, request: ChargingRequest, event: ChargeEvent) -> None:
        check(event.kind == (
            EventKind.REFUND if request.requested_action == RequestedAction.REFUND_ACCOUNT else EventKind.DEBIT
        ), "kind of", event)  # fmt: skip
        price = PRICES[event.tariff_path]
        sign = 1 if event.kind == EventKind.REFUND else -1
        covered = sum(sign * m.amount for m in event.movements if m.unit_type != UnitType.MONEY)
        check(sign * event.amount_micro == price.cost(price.billed(event.units) - covered), "price of", event)

    def _check_debit(self, event: ChargeEvent, session: Session, units: int) -> None:
        price = PRICES[event.tariff_path]
        meter = self.meters[session.session_id, session.opening_fingerprint, event.rating_group]
        check(meter.path in {"", event.tariff_path}, "tariff changed", event)
        meter.path = event.tariff_path
        meter.account_id = event.account_id
        covered = -sum(m.amount for m in event.movements if m.unit_type != UnitType.MONEY)
        meter.counted += units
        meter.covered += covered
        billed = price.billed(meter.counted)
        money_units = billed - meter.covered
        if money_units > 0 and price.fee:
            meter.fee = price.fee
        due = price.cost(money_units) + meter.fee - meter.charged
        check(-event.amount_micro == due, "charged", event, "due", due, meter)
        check(event.billed_units == billed - price.billed(meter.counted - units), "billed units of", event)
        meter.charged += due

    def _check_session(self, before: Session | None, session: Session) -> None:
        was_open = before is not None and before.state == SessionState.OPEN
        for service in session.services:
            if session.state == SessionState.CLOSED:
                check(not service.holds and not service.granted_units, "a closed session holds", session)
            elif service.granted_units:
                self._check_grant(session, service)
        if was_open and session.state == SessionState.CLOSED and not self._new_requests(before, session):
            silent_ms = self._clock.now_ms() - self.heard_ms[session.session_id]
            check(silent_ms >= self._supervision_ms, "closed too early", session, silent_ms)
            self.counts["expired sessions"] += 1

    def _check_grant(self, session: Session, service: SessionService) -> None:
        """The grant's price is set aside: what it will be billed as, less what allowances hold for it."""
        price = PRICES[service.tariff_path]
        meter = self.meters[session.session_id, session.opening_fingerprint, service.rating_group]
        need = price.billed(meter.counted + service.granted_units) - price.billed(meter.counted)
        by_allowance = sum(hold.amount for hold in service.holds if hold.bucket_id != "main")
        money = sum(hold.amount for hold in service.holds if hold.bucket_id == "main")
        before = price.billed(meter.counted) - meter.covered
        due = price.cost(before + need - by_allowance) - price.cost(before)
        if need > by_allowance and price.fee and not meter.fee:
            due += price.fee
        check(money == due, "grant", service, "of", session.session_id, "needs", due)

    def _check_reserved(self, commit: Commit, sessions: list[Session]) -> None:
        for account_id in {session.account_id for session in sessions}:
            held: Counter[str] = Counter()
            for session in self.sessions.values():
                if session.account_id == account_id and session.state == SessionState.OPEN:
                    for service in session.services:
                        for hold in service.holds:
                            held[hold.bucket_id] += hold.amount
            stored = self._store.values[f"{{{commit.partition}}}a:{account_id}"]
            for bucket in decode_account(stored.content).buckets:
                check(bucket.reserved == held.pop(bucket.bucket_id, 0), "reserved", bucket, held)
                check(
                    bucket.unit_type == UnitType.MONEY or bucket.value >= bucket.reserved, "allowance", bucket
                )
            check(not +held, "holds on buckets that are gone", held)

    def _check_affordable(self, changed: list[tuple[Session | None, Session]]) -> None:
        """A new grant fits into what was left; judged where one session alone moved the account."""
        if len(changed) != 1:
            return
        before, session = changed[0]
        old = {s.rating_group: s for s in before.services} if before else {}
        for service in session.services:
            was = old.get(service.rating_group)
            grew = was is None or was.holds != service.holds
            if grew and any(hold.bucket_id == "main" for hold in service.holds):
                account = self.account(session.account_id)
                main = next(b for b in account.buckets if b.bucket_id == "main")
                check(
                    main.value - main.reserved + account.credit_limit_micro >= 0, "granted on credit", account
                )

    # --- Every answer -----------------------------------------------------------------------------------

    def account(self, account_id: str) -> Account:
        """An account as the store has it."""
        for key, stored in self._store.values.items():
            if key.endswith(f"}}a:{account_id}"):
                return decode_account(stored.content)
        raise AuditError(f"no account {account_id}")

    def _is_stored(self, session_id: str) -> bool:
        """Whether the store has the session, open or as a memory whose time has not come."""
        now_ms, expires_ms = self._clock.now_ms(), self._store.expires_ms
        names = [key for key in self._store.values if key.endswith(f":{session_id}")]
        return any(expires_ms.get(name, now_ms + 1) > now_ms for name in names)

    def answered(self, request: ChargingRequest, answer: ChargingAnswer) -> None:
        """An answer leaves: what it says must stand in the store by now."""
        key = key_of(request)
        self.counts[answer.outcome.name] += 1
        if answer.outcome in {Outcome.TOO_BUSY, Outcome.UNABLE_TO_DELIVER}:
            return
        check(
            answer.outcome not in {Outcome.UNABLE_TO_COMPLY, Outcome.USER_UNKNOWN},
            "answered",
            answer,
            request,
        )
        if request.requested_action in {RequestedAction.CHECK_BALANCE, RequestedAction.PRICE_ENQUIRY}:
            return
        session = next((s for k, s in self.sessions.items() if k.endswith(f":{request.session_id}")), None)
        first = self.processed.get(key)
        if answer.outcome == Outcome.REPEATED_WITH_OTHER_CONTENT:
            check(session is not None and all(
                (a.request_type, a.request_number, a.fingerprint) != key[1:] for a in session.answers
            ), "a repeat was not recognised", request)  # fmt: skip
            check(
                request.request_type == CCRequestType.INITIAL
                or (session is not None and request.request_number <= session.forgotten_number),
                "refused without reason", request, session,
            )  # fmt: skip
            return
        if first is None:
            check(answer.outcome == Outcome.UNKNOWN_SESSION, "answered before it was stored", request, answer)
            check(not self._is_stored(request.session_id), "a report was discarded:", request)
            return
        check(first == encode_value(answer), "not the first answer:", answer, request)
        self.counts["repeats"] += key in self.acknowledged
        check(self.acknowledged.setdefault(key, answer) == answer, "two answers to", request)

    # --- The end ----------------------------------------------------------------------------------------

    def close_the_books(self) -> None:
        """Everything has ended: nothing is reserved, and use explains every micro-unit."""
        charged: Counter[str] = Counter()
        for meter in filter(lambda meter: meter.counted, self.meters.values()):
            price = PRICES[meter.path]
            charged[meter.account_id] += price.cost(price.billed(meter.counted) - meter.covered) + meter.fee
        for key, stored in self._store.values.items():
            if key[key.index("}") + 1] != "a":
                continue
            account = decode_account(stored.content)
            check(not any(bucket.reserved for bucket in account.buckets), "still reserved:", account)
            book = self.books[account.account_id]
            money = sum(b.value for b in account.buckets if b.unit_type == UnitType.MONEY)
            check(book.credited - book.debited == money, "books and balance differ", account, book)
            one_time = book.debited - charged[account.account_id]
            check(
                one_time >= 0 and one_time % PRICES["basic/sms"].micro == 0,
                "unexplained debit",
                one_time,
                account,
            )
            check(account.sequence == book.sequence, "sequence", account)
        for members in self._store.deadlines.values():
            check(not members, "deadlines left", members)
