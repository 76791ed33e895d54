"""Charging's engine: all requests that arrived together, grouped by account, decided, committed, answered.

    submit -> who pays? (directory) -> what stands? (cache, else load) -> decide -> commit -> reply

Everything runs in one trio thread; waiting is done by callbacks of the store, so that a thousand requests in
flight cost no task. One commit per account is under way at a time; requests that come meanwhile share the next.
"""

from collections.abc import Callable
from typing import Final

import msgspec
import structlog
import trio

from ocs import limits
from ocs.balance import keys
from ocs.balance.model import Account, Session, SessionState, Subscriber, encode_value
from ocs.balance.store import (
    ABSENT,
    BalanceStore,
    Commit,
    CommitResult,
    Committed,
    Conflict,
    DeadlineChange,
    Stored,
    TokenSource,
    TooEarly,
    Unavailable,
    Write,
)
from ocs.charging.cache import AccountCache, Entry, HintCache
from ocs.charging.decide import decide
from ocs.charging.decision import Moment, Policy, State
from ocs.charging.sessions import expire_session
from ocs.charging.supervision_clock import SupervisionClock
from ocs.charging.tariffs import Tariffs
from ocs.clock import Clock
from ocs.events import encode_event
from ocs.messages import CCRequestType, ChargingAnswer, ChargingRequest, Outcome
from ocs.metrics import Counter, Gauge, Histogram
from ocs.settings import ChargingSettings

log = structlog.get_logger()

_ANSWERS = Counter("ocs_charging_answers_total", "Charging requests answered.", ("type", "outcome"))
_REPEATS = Counter("ocs_charging_repeats_total", "Requests that got their first answer again.")
_CONFLICTS = Counter("ocs_charging_conflicts_total", "Commits that lost a race and were decided again.")
_RETRIES = Counter("ocs_charging_retries_total", "Requests decided again because the store's outcome was unknown.")
_EXPIRED = Counter("ocs_charging_sessions_expired_total", "Sessions closed by supervision (Tcc).")
_FAULTS = Counter("ocs_charging_faults_total", "Decisions that ended in a fault of ours.")
_QUEUE = Gauge("ocs_charging_requests_in_engine", "Requests between arrival and answer.")
_GROUP = Histogram("ocs_charging_group_requests", "Requests decided together.", (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024))

# INITIAL gives way first, then UPDATE; TERMINATION is always taken (RFC 8506 section 9, design section 3).
_SHARE_FOR_NEW: Final = 0.75
# How long a request waits for a store that is away before the gateway is told to try another node.
_PATIENCE_S: Final = 2.0
_STALL_TICK_S: Final = 0.05

_replace = msgspec.structs.replace
_TYPE_NAMES: Final = {kind: kind.name for kind in CCRequestType}
_OUTCOME_NAMES: Final = {outcome: outcome.name for outcome in Outcome}

Reply = Callable[[ChargingAnswer], None]


class Work:
    """A request, or the expiry of a session (``request`` is None), on its way through the engine."""

    __slots__ = (
        "account_id",
        "attempts",
        "is_hinted",
        "is_located",
        "reply",
        "request",
        "session_id",
        "since_s",
        "subscriber_id",
    )

    def __init__(self, request: ChargingRequest | None, reply: Reply | None, since_s: float, session_id: str) -> None:
        self.request = request
        self.reply = reply
        self.since_s = since_s
        self.session_id = session_id
        self.account_id = ""
        self.subscriber_id = ""
        self.attempts = 0
        self.is_hinted = False  # the account came from the hint cache, which may be stale
        self.is_located = False  # the locator was asked already


class Engine:
    """Answers charging requests (the OCF of TS 32.296).

    Invariant: no reply leaves before the store confirmed that everything its decision read still stands and that
    everything it wrote is durable.
    """

    def __init__(
        self,
        store: BalanceStore,
        tariffs: Tariffs,
        settings: ChargingSettings,
        clock: Clock,
        *,
        partitions: int,
        tokens: TokenSource | None = None,
    ) -> None:
        self._store = store
        self.tariffs = tariffs
        self._settings = settings
        self._policy = Policy(settings.supervision_time_s, settings.show_remaining_balance)
        self._clock = clock
        self.supervision = SupervisionClock()
        self._partitions = partitions
        self._tokens = tokens or TokenSource()
        self._accounts = AccountCache(settings.cache_accounts, partitions)
        self._hints = HintCache(2 * settings.cache_accounts)
        self._pending: list[Work] = []
        self._stalled: list[Work] = []
        self._inside = 0
        self._wake = trio.Event()

    # --- Entrance ---------------------------------------------------------------------------------------

    def submit(self, request: ChargingRequest, reply: Reply) -> None:
        """Take a request; ``reply`` is called once, later or at once when the queue is full."""
        if self._inside >= self._settings.queue_requests * _SHARE_FOR_NEW and self._is_refused(request.request_type):
            _ANSWERS.inc(_TYPE_NAMES[request.request_type], "TOO_BUSY")
            reply(ChargingAnswer(Outcome.TOO_BUSY))
            return
        self._inside += 1
        self._pending.append(Work(request, reply, trio.current_time(), request.session_id))
        self._wake.set()

    def expire(self, account_id: str, session_id: str) -> None:
        """Look at a session whose deadline has come."""
        work = Work(None, None, trio.current_time(), session_id)
        work.account_id = account_id
        self._inside += 1
        self._pending.append(work)
        self._wake.set()

    def _is_refused(self, request_type: CCRequestType) -> bool:
        if request_type == CCRequestType.TERMINATION:
            return False
        return request_type != CCRequestType.UPDATE or self._inside >= self._settings.queue_requests

    @property
    def in_flight(self) -> int:
        """Requests that have not been answered."""
        return self._inside

    async def run(self) -> None:
        """Work for ever. Cancellation leaves unanswered requests to be repeated by their gateways."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._retry_stalled)
            while True:
                await self._wake.wait()
                self._wake = trio.Event()
                self.run_group()

    async def _retry_stalled(self) -> None:
        while True:
            await trio.sleep(_STALL_TICK_S)
            _QUEUE.set(self._inside)
            if self._stalled:
                self._pending += self._stalled
                self._stalled = []
                self._wake.set()

    def run_group(self) -> None:
        """Deal with everything that has arrived since the last group."""
        works = self._pending
        self._pending = []
        groups: dict[str, list[Work]] = {}
        for work in works:
            if work.account_id or self._find_account(work):
                group = groups.get(work.account_id)
                if group is None:
                    groups[work.account_id] = [work]
                else:
                    group.append(work)
        if works:
            _GROUP.observe(len(works))
        for account_id, group in groups.items():
            self._advance(self._accounts.entry(account_id), group)

    # --- Who pays? --------------------------------------------------------------------------------------

    def _find_account(self, work: Work) -> bool:
        """Set the work's account from the hint cache, or ask the directory and come back."""
        request = work.request
        assert request is not None  # noqa: S101 - an expiry knows its account
        for identity in request.subscription_ids:
            hint = self._hints.get(identity)
            if hint is not None:
                work.account_id, work.subscriber_id = hint
                work.is_hinted = True
                return True
        if request.subscription_ids:
            self._ask_directory(work, request.subscription_ids)
        elif request.request_type in {CCRequestType.UPDATE, CCRequestType.TERMINATION}:
            self._ask_locator(work)
        else:
            self._answer(work, ChargingAnswer(Outcome.MISSING_SUBSCRIPTION))
        return False

    def _ask_directory(self, work: Work, identities: tuple[str, ...]) -> None:
        """Ask for one identity after the other until one is known."""
        identity = identities[0]

        def found(value: bytes | Unavailable | None) -> None:
            if isinstance(value, Unavailable):
                self._stall(work)
            elif value is not None:
                work.account_id, work.subscriber_id = keys.decode_location(value)
                self._hints.put(identity, work.account_id, work.subscriber_id)
                self._again(work)
            elif len(identities) > 1:
                self._ask_directory(work, identities[1:])
            else:
                self._not_in_directory(work)

        self._store.read_hint(keys.identity_key(identity), found)

    def _not_in_directory(self, work: Work) -> None:
        assert work.request is not None  # noqa: S101 - only requests ask the directory
        is_new = work.request.request_type in {CCRequestType.INITIAL, CCRequestType.EVENT}
        if is_new or work.is_located:
            self._answer(work, ChargingAnswer(Outcome.USER_UNKNOWN))
        else:
            self._ask_locator(work)

    def _ask_locator(self, work: Work) -> None:
        """Find a session's account by its Session-Id: no usable Subscription-Id, or the number has moved."""
        work.is_located = True

        def found(value: bytes | Unavailable | None) -> None:
            if isinstance(value, Unavailable):
                work.is_located = False
                self._stall(work)
            elif value is not None:
                work.account_id, work.subscriber_id = keys.decode_location(value)
                self._again(work)
            elif work.account_id:
                self._again(work)
            else:
                self._answer(work, ChargingAnswer(Outcome.UNKNOWN_SESSION))

        self._store.read_hint(keys.locator_key(work.session_id), found)

    # --- What stands? -----------------------------------------------------------------------------------

    def _advance(self, entry: Entry, works: list[Work]) -> None:
        """Load what is missing for an account's work, or decide it."""
        if entry.is_busy:
            entry.waiting += works
            return
        if len(works) > limits.REQUESTS_PER_COMMIT_MAX:
            entry.waiting += works[limits.REQUESTS_PER_COMMIT_MAX :]
            works = works[: limits.REQUESTS_PER_COMMIT_MAX]
        missing = self._missing(entry, works)
        if missing:
            self._load(entry, works, missing)
            return
        if entry.values[entry.account_key][1] is None:
            self._no_account(entry, works)
            return
        works = [work for work in works if not self._is_elsewhere(entry, work)]
        if works:
            self._commit(entry, works)
        else:
            self._free(entry)

    def _commit(self, entry: Entry, works: list[Work]) -> None:
        try:
            _Group(self, entry, works).commit()
        except Exception:
            _FAULTS.inc()
            log.exception("group_failed", account_id=entry.account_id)
            entry.is_busy = False
            entry.forget()
            for work in works:
                self._answer(work, ChargingAnswer(Outcome.UNABLE_TO_COMPLY))
            self._free(entry)

    def _missing(self, entry: Entry, works: list[Work]) -> tuple[str, ...]:
        """Keys that the decisions need and the cache lacks."""
        values = entry.values
        missing: dict[str, None] = {}
        if entry.account_key not in values:
            missing[entry.account_key] = None
        for work in works:
            key = keys.session_key(entry.partition, work.session_id)
            known = values.get(key)
            if known is None:
                if self._is_new(work):
                    values[key] = (ABSENT, None)  # the commit finds out if it is not
                else:
                    missing[key] = None
            subscriber_id = known[1].subscriber_id if known is not None and known[1] is not None else work.subscriber_id
            if subscriber_id and work.request is not None:
                key = keys.subscriber_key(entry.partition, subscriber_id)
                if key not in values:
                    missing[key] = None
        return tuple(missing)

    @staticmethod
    def _is_new(work: Work) -> bool:
        return work.request is not None and work.request.request_type in {CCRequestType.INITIAL, CCRequestType.EVENT}

    def _load(self, entry: Entry, works: list[Work], missing: tuple[str, ...]) -> None:
        entry.is_busy = True

        def loaded(values: tuple[Stored, ...] | Unavailable) -> None:
            entry.is_busy = False
            if isinstance(values, Unavailable):
                self._stall_all(works)
            else:
                for key, stored in zip(missing, values, strict=True):
                    entry.put(key, stored)
                self._pending += works
            self._free(entry)

        self._store.load(missing, loaded)

    def _no_account(self, entry: Entry, works: list[Work]) -> None:
        """The directory led to an account that is not there (any more)."""
        entry.forget()
        for work in works:
            if work.request is None:
                self._inside -= 1
            elif work.is_hinted:
                self._look_up_again(work)
            else:
                self._answer(work, ChargingAnswer(Outcome.USER_UNKNOWN))
        self._free(entry)
        self._accounts.discard(entry)

    def _is_elsewhere(self, entry: Entry, work: Work) -> bool:
        """Whether a request's session must be looked for by its locator: the number may have moved accounts."""
        if work.request is None or work.is_located or self._is_new(work):
            return False
        if entry.values[keys.session_key(entry.partition, work.session_id)][1] is not None:
            return False
        self._ask_locator(work)
        return True

    def _look_up_again(self, work: Work) -> None:
        """A cached hint was wrong: ask the directory itself."""
        assert work.request is not None  # noqa: S101 - an expiry is never hinted
        for identity in work.request.subscription_ids:
            self._hints.forget(identity)
        work.is_hinted = False
        work.account_id = work.subscriber_id = ""
        self._again(work)

    # --- Ways out ---------------------------------------------------------------------------------------

    def _answer(self, work: Work, answer: ChargingAnswer) -> None:
        self._inside -= 1
        if work.request is None or work.reply is None:
            return
        _ANSWERS.inc(_TYPE_NAMES[work.request.request_type], _OUTCOME_NAMES[answer.outcome])
        work.reply(answer)

    def _again(self, work: Work) -> None:
        self._pending.append(work)
        self._wake.set()

    def _stall(self, work: Work) -> None:
        """The store did not answer: wait a little, then tell the gateway to try another node."""
        if work.request is None:
            self._inside -= 1
        elif trio.current_time() - work.since_s > _PATIENCE_S:
            self._answer(work, ChargingAnswer(Outcome.UNABLE_TO_DELIVER))
        else:
            _RETRIES.inc()
            self._stalled.append(work)

    def _stall_all(self, works: list[Work]) -> None:
        for work in works:
            self._stall(work)

    def _retry(self, works: list[Work]) -> None:
        """A race was lost: decide again on what stands now."""
        for work in works:
            work.attempts += 1
            if work.attempts < limits.COMMIT_ATTEMPTS_MAX:
                self._again(work)
            elif work.request is None:
                self._inside -= 1
            else:
                self._answer(work, ChargingAnswer(Outcome.UNABLE_TO_DELIVER))

    def _free(self, entry: Entry) -> None:
        """Let the work that waited for the account go on."""
        if entry.waiting:
            self._pending += entry.waiting
            entry.waiting = []
        if self._pending:
            self._wake.set()

    # --- What a group needs -----------------------------------------------------------------------------

    def moment(self) -> Moment:
        """Now, in wall time and in supervision time."""
        now_ms = self._clock.now_ms()
        return Moment(now_ms, self.supervision.at(now_ms))


class _Group:
    """The requests of one account that share a commit."""

    def __init__(self, engine: Engine, entry: Entry, works: list[Work]) -> None:
        self._engine = engine
        self._entry = entry
        self._works = works
        self._read: dict[str, None] = {entry.account_key: None}
        self._changed: dict[str, Account | Session] = {}
        self._events: list[bytes] = []
        self._deadlines: dict[str, DeadlineChange] = {}
        self._replies: list[tuple[Work, ChargingAnswer]] = []
        self._not_before_ms: int | None = None
        self._moment = engine.moment()
        self._account: Account = entry.values[entry.account_key][1]

    # The friendship with Engine is deliberate: a group is a part of it, split off to be readable.
    # pyright: reportPrivateUsage=false
    # ruff: noqa: SLF001

    def commit(self) -> None:
        """Decide every request in order, each on what the one before left, and write the whole."""
        for work in self._works:
            if work.request is None:
                self._expire(work)
            else:
                self._decide(work, work.request)
        entry = self._entry
        if self._account is not entry.values[entry.account_key][1]:
            self._changed[entry.account_key] = self._account
        read = tuple(self._read)
        index_of = {key: index for index, key in enumerate(read)} if len(self._changed) > 0 else {}
        commit = Commit(
            entry.partition,
            read,
            tuple([entry.values[key][0] for key in read]),
            self._engine._tokens.next(),
            tuple([Write(index_of[key], encode_value(value), self._ttl_ms(value)) for key, value in self._changed.items()]),
            tuple(self._events),
            tuple(self._deadlines.values()),
            self._not_before_ms,
        )
        entry.is_busy = True
        self._engine._store.commit(commit, lambda result: self._committed(commit, result))

    def _ttl_ms(self, value: Account | Session) -> int:
        """Only the memory of a closed session is dropped by time."""
        if isinstance(value, Session) and value.state == SessionState.CLOSED:
            return self._engine._settings.repeat_memory_s * 1000
        return 0

    def _current(self, key: str) -> Session | None:
        value = self._changed.get(key)
        return value if isinstance(value, Session) else self._entry.values[key][1]

    def _decide(self, work: Work, request: ChargingRequest) -> None:
        entry = self._entry
        key = keys.session_key(entry.partition, work.session_id)
        self._read[key] = None
        session = self._current(key)
        subscriber: Subscriber | None = None
        subscriber_id = session.subscriber_id if session is not None else work.subscriber_id
        if subscriber_id:
            subscriber_key = keys.subscriber_key(entry.partition, subscriber_id)
            known = entry.values.get(subscriber_key)
            if known is not None:
                self._read[subscriber_key] = None
                subscriber = known[1]
        state = State(self._account, subscriber, session)
        try:
            decision = decide(state, request, self._engine.tariffs, self._moment, self._engine._policy)
        except Exception:
            _FAULTS.inc()
            log.exception("decision_failed", session_id=request.session_id, request_number=request.request_number)
            self._replies.append((work, ChargingAnswer(Outcome.UNABLE_TO_COMPLY)))
            return
        if decision.is_repeat:
            _REPEATS.inc()
        self._account = decision.account
        self._events += [encode_event(event) for event in decision.events]
        if decision.session is not None and decision.session is not session:
            self._keep(key, session, decision.session)
        self._replies.append((work, decision.answer))

    def _keep(self, key: str, before: Session | None, session: Session) -> None:
        """Write a session, with its place among the deadlines and its locator where they change."""
        was_open = before is not None and before.state == SessionState.OPEN
        if session.state == SessionState.OPEN:
            now_ms = self._moment.now_ms
            lifetime_ms = limits.LOCATOR_LIFETIME_S * 1000
            if session.located_until_ms - now_ms < lifetime_ms // 2:
                session = _replace(session, located_until_ms=now_ms + lifetime_ms)
                location = keys.encode_location(session.account_id, session.subscriber_id)
                self._engine._store.write_hint(keys.locator_key(session.session_id), location, lifetime_ms)
            if not was_open:
                session = _replace(session, scheduled_ms=session.deadline_ms)
                self._schedule(session, session.deadline_ms)
        elif was_open:
            self._schedule(session, None)
        self._changed[key] = session

    def _schedule(self, session: Session, score_ms: int | None) -> None:
        member = keys.deadline_member(session.account_id, session.session_id)
        self._deadlines[member] = DeadlineChange(member, score_ms)

    def _expire(self, work: Work) -> None:
        """Close a session whose Tcc has ended; one that went on meanwhile is looked at later."""
        entry = self._entry
        key = keys.session_key(entry.partition, work.session_id)
        self._read[key] = None
        session = self._current(key)
        self._replies.append((work, ChargingAnswer(Outcome.SUCCESS)))
        if session is None or session.state != SessionState.OPEN:
            member = keys.deadline_member(entry.account_id, work.session_id)
            self._deadlines[member] = DeadlineChange(member, None)
        elif session.deadline_ms > self._moment.supervision_ms:
            self._changed[key] = _replace(session, scheduled_ms=session.deadline_ms)
            self._schedule(session, session.deadline_ms)
        else:
            decision = expire_session(
                self._account, session, self._moment, self._engine.tariffs.current.time_zone
            )
            self._account = decision.account
            self._events += [encode_event(event) for event in decision.events]
            assert decision.session is not None  # noqa: S101 - an expiry always leaves its session, closed
            self._keep(key, session, decision.session)
            due_ms = self._engine.supervision.store_time_of(session.deadline_ms)
            self._not_before_ms = max(self._not_before_ms or 0, due_ms)
            _EXPIRED.inc()

    def _committed(self, commit: Commit, result: CommitResult) -> None:
        engine, entry = self._engine, self._entry
        entry.is_busy = False
        match result:
            case Committed():
                self._remember(commit.token)
                engine_answer = engine._answer
                retry: list[Work] = []
                for work, answer in self._replies:
                    if answer.outcome == Outcome.USER_UNKNOWN and work.is_hinted:
                        retry.append(work)
                    else:
                        engine_answer(work, answer)
                for work in retry:
                    engine._look_up_again(work)
            case Conflict(current):
                _CONFLICTS.inc()
                for key, stored in zip(commit.keys, current, strict=True):
                    entry.put(key, stored)
                engine._retry(self._works)
            case TooEarly():
                engine._retry([work for work in self._works if work.request is not None])
                engine._inside -= sum(work.request is None for work in self._works)
            case Unavailable():
                entry.forget()
                engine._stall_all(self._works)
        engine._free(entry)

    def _remember(self, token: bytes) -> None:
        """Take over what was written; sessions that ended, or never were, need no memory."""
        values = self._entry.values
        for key, value in self._changed.items():
            if isinstance(value, Session) and value.state == SessionState.CLOSED:
                values.pop(key, None)
            else:
                values[key] = (token, value)
        for key in self._read:
            known = values.get(key)
            if known is not None and known[1] is None:
                del values[key]
