"""Charging's engine: all requests that arrived together, grouped by account, decided, committed, answered.

    submit -> who pays? (directory) -> what stands? (cache, else load) -> decide -> commit -> reply

Everything runs in one trio thread; waiting is done by callbacks of the store, so that a thousand requests in
flight cost no task. One commit per account is under way at a time; requests that come meanwhile share the next.
"""

from collections.abc import Callable
from typing import Any, Final

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

_REFUSED = Counter("ocs_charging_refused_as_too_busy_total", "Requests refused because the queue was full.")
_REPEATS = Counter("ocs_charging_repeats_total", "Requests that got their first answer again.")
_CONFLICTS = Counter("ocs_charging_conflicts_total", "Commits that lost a race and were decided again.")
_RETRIES = Counter(
    "ocs_charging_retries_total", "Requests decided again because the store's outcome was unknown."
)
_EXPIRED = Counter("ocs_charging_sessions_expired_total", "Sessions closed by supervision (Tcc).")
_FAULTS = Counter("ocs_charging_faults_total", "Decisions that ended in a fault of ours.")
_QUEUE = Gauge("ocs_charging_requests_in_engine", "Requests between arrival and answer.")
_GROUP = Histogram(
    "ocs_charging_group_requests", "Requests decided together.", (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
)

# INITIAL gives way first, then UPDATE; TERMINATION is always taken (RFC 8506 section 9, design section 3).
_SHARE_FOR_NEW: Final = 0.75
# How long a request waits for a store that is away before the gateway is told to try another node.
_PATIENCE_S: Final = 2.0
_STALL_TICK_S: Final = 0.05

_USER_UNKNOWN: Final = Outcome.USER_UNKNOWN
_ABSENT: Final = (ABSENT, None)
_LOCATOR_LIFETIME_MS: Final = limits.LOCATOR_LIFETIME_S * 1000
_replace = msgspec.structs.replace
_INITIAL: Final = CCRequestType.INITIAL
_EVENT: Final = CCRequestType.EVENT
_OPEN: Final = SessionState.OPEN

Reply = Callable[[ChargingAnswer], None]


class Work:
    """A request, or the expiry of a session (``request`` is None), on its way through the engine.

    Attributes:
        is_new: it opens something, so the store need not be asked for its session first.
        since_s: when it first found the store away; 0 until then.
        is_hinted: its account came from the hint cache, which may be stale.
        is_located: the locator was asked already.
        session_key: the session's key in the account's partition, once the account is known.
    """

    __slots__ = (
        "account_id",
        "attempts",
        "is_hinted",
        "is_located",
        "is_new",
        "reply",
        "request",
        "session_id",
        "session_key",
        "since_s",
        "subscriber_id",
    )

    def __init__(self, request: ChargingRequest | None, reply: Reply | None, session_id: str) -> None:
        self.request = request
        self.reply = reply
        self.session_id = session_id
        self.is_new = request is not None and (
            request.request_type == _INITIAL or request.request_type == _EVENT
        )
        self.account_id = self.subscriber_id = self.session_key = ""
        self.attempts = 0
        self.since_s = 0.0
        self.is_hinted = self.is_located = False


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
        self.store = store
        self.tariffs = tariffs
        self.settings = settings
        self.policy = Policy(settings.supervision_time_s, settings.show_remaining_balance)
        self._clock = clock
        self.supervision = SupervisionClock()
        self._partitions = partitions
        self.tokens = tokens or TokenSource()
        self._accounts = AccountCache(settings.cache_accounts, partitions)
        self._hints = HintCache(2 * settings.cache_accounts)
        self._pending: list[Work] = []
        self._stalled: list[Work] = []
        self._inside = 0
        self._wake = trio.Event()

    # --- Entrance ---------------------------------------------------------------------------------------

    def submit(self, request: ChargingRequest, reply: Reply) -> None:
        """Take a request; ``reply`` is called once, later or at once when the queue is full."""
        if self._inside >= self.settings.queue_requests * _SHARE_FOR_NEW and self._is_refused(
            request.request_type
        ):
            _REFUSED.inc()
            reply(ChargingAnswer(Outcome.TOO_BUSY))
            return
        self._inside += 1
        self._pending.append(Work(request, reply, request.session_id))
        self._wake.set()

    def expire(self, account_id: str, session_id: str) -> None:
        """Look at a session whose deadline has come."""
        work = Work(None, None, session_id)
        work.account_id = account_id
        self._inside += 1
        self._pending.append(work)
        self._wake.set()

    def _is_refused(self, request_type: CCRequestType) -> bool:
        if request_type == CCRequestType.TERMINATION:
            return False
        return request_type != CCRequestType.UPDATE or self._inside >= self.settings.queue_requests

    @property
    def in_flight(self) -> int:
        """Requests that have not been answered."""
        return self._inside

    @property
    def has_work(self) -> bool:
        """Whether :meth:`run_group` would find something to do."""
        return bool(self._pending or self._stalled)

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
            self.retry_stalled()

    def retry_stalled(self) -> None:
        """Take up again what waits for a store that was away."""
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
        elif work.is_new:
            self.answer(work, ChargingAnswer(Outcome.MISSING_SUBSCRIPTION))
        else:
            self._ask_locator(work)
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

        self.store.read_hint(keys.identity_key(identity), found)

    def _not_in_directory(self, work: Work) -> None:
        if work.is_new or work.is_located:
            self.answer(work, ChargingAnswer(Outcome.USER_UNKNOWN))
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
                work.session_key = ""
                self._again(work)
            elif work.account_id:
                self._again(work)
            else:
                self.answer(work, ChargingAnswer(Outcome.UNKNOWN_SESSION))

        self.store.read_hint(keys.locator_key(work.session_id), found)

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
        values = entry.values
        if values[entry.account_key][1] is None:
            self._no_account(entry, works)
            return
        for work in works:
            if values[work.session_key][1] is None and not (work.is_new or work.is_located):
                works = [work for work in works if not self._is_elsewhere(entry, work)]
                break
        if works:
            self._commit(entry, works)
        else:
            self.free(entry)

    def _commit(self, entry: Entry, works: list[Work]) -> None:
        try:
            _Group(self, entry, works).commit()
        except Exception:
            _FAULTS.inc()
            log.exception("group_failed", account_id=entry.account_id)
            entry.is_busy = False
            entry.forget()
            for work in works:
                self.answer(work, ChargingAnswer(Outcome.UNABLE_TO_COMPLY))
            self.free(entry)

    def _missing(self, entry: Entry, works: list[Work]) -> list[str]:
        """Keys that the decisions need and the cache lacks."""
        values = entry.values
        missing: list[str] = []
        if entry.account_key not in values:
            missing.append(entry.account_key)
        for work in works:
            key = work.session_key
            if not key:
                key = work.session_key = keys.session_key(entry.partition, entry.account_id, work.session_id)
            known = values.get(key)
            subscriber_id = work.subscriber_id
            if known is None:
                if work.is_new:
                    values[key] = _ABSENT  # the commit finds out if it is not
                elif key not in missing:
                    missing.append(key)
            elif known[1] is not None:
                subscriber_id = known[1].subscriber_id
            if subscriber_id and work.request is not None:
                key = entry.subscriber_key(subscriber_id)
                if key not in values and key not in missing:
                    missing.append(key)
        return missing

    def _load(self, entry: Entry, works: list[Work], missing: list[str]) -> None:
        entry.is_busy = True

        def loaded(values: tuple[Stored, ...] | Unavailable) -> None:
            entry.is_busy = False
            if isinstance(values, Unavailable):
                self.stall(works)
            else:
                for key, stored in zip(missing, values, strict=True):
                    entry.put(key, stored)
                self._pending += works
            self.free(entry)

        self.store.load(missing, loaded)

    def _no_account(self, entry: Entry, works: list[Work]) -> None:
        """The directory led to an account that is not there (any more)."""
        entry.forget()
        for work in works:
            if work.request is None:
                self._inside -= 1
            elif work.is_hinted:
                self.look_up_again(work)
            else:
                self.answer(work, ChargingAnswer(Outcome.USER_UNKNOWN))
        self.free(entry)
        self._accounts.discard(entry)

    def _is_elsewhere(self, entry: Entry, work: Work) -> bool:
        """Whether a request's session must be looked for by its locator: the number may have moved accounts."""
        if work.request is None or work.is_located or work.is_new:
            return False
        if entry.values[work.session_key][1] is not None:
            return False
        self._ask_locator(work)
        return True

    def look_up_again(self, work: Work) -> None:
        """A cached hint was wrong: ask the directory itself."""
        assert work.request is not None  # noqa: S101 - an expiry is never hinted
        for identity in work.request.subscription_ids:
            self._hints.forget(identity)
        work.is_hinted = False
        work.account_id = work.subscriber_id = work.session_key = ""
        self._again(work)

    # --- Ways out ---------------------------------------------------------------------------------------

    def answer(self, work: Work, answer: ChargingAnswer) -> None:
        """Let a request leave the engine with its answer; an expiry just leaves."""
        self._inside -= 1
        if work.request is None or work.reply is None:
            return
        work.reply(answer)

    def _again(self, work: Work) -> None:
        self._pending.append(work)
        self._wake.set()

    def _stall(self, work: Work) -> None:
        """The store did not answer: wait a little, then tell the gateway to try another node."""
        if work.request is None:
            self._inside -= 1
            return
        now_s = trio.current_time()
        work.since_s = work.since_s or now_s
        if now_s - work.since_s > _PATIENCE_S:
            self.answer(work, ChargingAnswer(Outcome.UNABLE_TO_DELIVER))
        else:
            _RETRIES.inc()
            self._stalled.append(work)

    def stall(self, works: list[Work]) -> None:
        """Have work wait for a store that is away."""
        for work in works:
            self._stall(work)

    def decide_again(self, works: list[Work]) -> None:
        """A race was lost: decide again on what stands now."""
        for work in works:
            work.attempts += 1
            if work.attempts < limits.COMMIT_ATTEMPTS_MAX:
                self._again(work)
            elif work.request is None:
                self._inside -= 1
            else:
                self.answer(work, ChargingAnswer(Outcome.UNABLE_TO_DELIVER))

    def forget_expiries(self, count: int) -> None:
        """Drop expiries that came too early; the next sweep finds them again."""
        self._inside -= count

    def free(self, entry: Entry) -> None:
        """Let the work that waited for the account go on."""
        if entry.waiting:
            self._pending += entry.waiting
            entry.waiting = []
        if self._pending:
            self._wake.set()

    def moment(self) -> Moment:
        """Now, in wall time and in supervision time."""
        now_ms = self._clock.now_ms()
        return Moment(now_ms, self.supervision.at(now_ms))


class _Group:
    """The requests of one account that share a commit. A part of the engine, split off to be readable.

    Attributes:
        keys: every value that a decision read, in order; ``expected`` their tokens.
        changed: index of a key -> its new content.
    """

    __slots__ = (
        "_account",
        "_changed",
        "_deadlines",
        "_engine",
        "_entry",
        "_events",
        "_expected",
        "_faults",
        "_index_of",
        "_keys",
        "_moment",
        "_not_before_ms",
        "_replies",
        "_works",
    )

    def __init__(self, engine: Engine, entry: Entry, works: list[Work]) -> None:
        token, account = entry.values[entry.account_key]
        self._engine = engine
        self._entry = entry
        self._works = works
        self._account: Account = account
        self._keys = [entry.account_key]
        self._expected: list[bytes] = [token]
        self._index_of = {entry.account_key: 0}
        self._changed: dict[int, Account | Session] = {}
        self._events: list[bytes] = []
        self._deadlines: dict[str, DeadlineChange] = {}
        self._replies: list[tuple[Work, ChargingAnswer]] = []
        self._faults: list[tuple[Work, Exception]] = []
        self._not_before_ms: int | None = None
        self._moment = engine.moment()

    def commit(self) -> None:
        """Decide every request in order, each on what the one before left, and write the whole."""
        for work in self._works:
            if work.request is None:
                self._expire(work)
            else:
                self._decide(work, work.request)
        entry, engine = self._entry, self._engine
        if self._account is not entry.values[entry.account_key][1]:
            self._changed[0] = self._account
        commit = Commit(
            entry.partition,
            tuple(self._keys),
            tuple(self._expected),
            engine.tokens.next(),
            tuple(
                [
                    Write(index, encode_value(value), self._ttl_ms(value))
                    for index, value in self._changed.items()
                ]
            ),
            tuple(self._events),
            tuple(self._deadlines.values()),
            self._not_before_ms,
        )
        entry.is_busy = True
        engine.store.commit(commit, lambda result: self._committed(commit, result))

    def _ttl_ms(self, value: Account | Session) -> int:
        """Only the memory of a closed session is dropped by time."""
        if isinstance(value, Session) and value.state != _OPEN:
            return self._engine.settings.repeat_memory_s * 1000
        return 0

    def _read(self, key: str) -> tuple[int, Any]:
        """Note that a decision depends on a value; return its place and what this group has made of it so far."""
        index = self._index_of.get(key)
        token, value = self._entry.values[key]
        if index is None:
            index = self._index_of[key] = len(self._keys)
            self._keys.append(key)
            self._expected.append(token)
        elif index in self._changed:
            return index, self._changed[index]
        return index, value

    def _decide(self, work: Work, request: ChargingRequest) -> None:
        entry, engine = self._entry, self._engine
        index, session = self._read(work.session_key)
        subscriber: Subscriber | None = None
        subscriber_id = work.subscriber_id if session is None else session.subscriber_id
        if subscriber_id:
            key = entry.subscriber_key(subscriber_id)
            if key in entry.values:
                _, subscriber = self._read(key)
        state = State(self._account, subscriber, session)
        try:
            decision = decide(state, request, engine.tariffs, self._moment, engine.policy)
        except Exception as error:  # noqa: BLE001 - around a request: one request fails alone, `_log_faults` tells it
            self._faults.append((work, error))
            self._replies.append((work, ChargingAnswer(Outcome.UNABLE_TO_COMPLY)))
            return
        if decision.is_repeat:
            _REPEATS.inc()
        self._account = decision.account
        for event in decision.events:
            self._events.append(encode_event(event))
        if decision.session is not session and decision.session is not None:
            self._keep(index, session, decision.session)
        self._replies.append((work, decision.answer))

    def _keep(self, index: int, before: Session | None, session: Session) -> None:
        """Write a session, with its place among the deadlines and its locator where they change."""
        was_open = before is not None and before.state == _OPEN
        if session.state == _OPEN:
            now_ms = self._moment.now_ms
            if session.located_until_ms - now_ms < _LOCATOR_LIFETIME_MS // 2:
                session = _replace(session, located_until_ms=now_ms + _LOCATOR_LIFETIME_MS)
                location = keys.encode_location(session.account_id, session.subscriber_id)
                self._engine.store.write_hint(
                    keys.locator_key(session.session_id), location, _LOCATOR_LIFETIME_MS
                )
            if not was_open:
                session = _replace(session, scheduled_ms=session.deadline_ms)
                self._schedule(session, session.deadline_ms)
        elif was_open:
            self._schedule(session, None)
        self._changed[index] = session

    def _schedule(self, session: Session, score_ms: int | None) -> None:
        member = keys.deadline_member(session.account_id, session.session_id)
        self._deadlines[member] = DeadlineChange(member, score_ms)

    def _expire(self, work: Work) -> None:
        """Close a session whose Tcc has ended; one that went on meanwhile is looked at later."""
        index, session = self._read(work.session_key)
        self._replies.append((work, ChargingAnswer(Outcome.SUCCESS)))
        if session is None or session.state != _OPEN:
            member = keys.deadline_member(self._entry.account_id, work.session_id)
            self._deadlines[member] = DeadlineChange(member, None)
        elif session.deadline_ms > self._moment.supervision_ms:
            self._changed[index] = _replace(session, scheduled_ms=session.deadline_ms)
            self._schedule(session, session.deadline_ms)
        else:
            engine = self._engine
            try:
                decision = expire_session(
                    self._account, session, self._moment, engine.tariffs.current.time_zone
                )
            except Exception as error:  # noqa: BLE001 - likewise
                self._faults.append((work, error))
                return
            self._account = decision.account
            self._events += [encode_event(event) for event in decision.events]
            assert decision.session is not None  # noqa: S101 - an expiry always leaves its session, closed
            self._keep(index, session, decision.session)
            due_ms = engine.supervision.store_time_of(session.deadline_ms)
            self._not_before_ms = max(self._not_before_ms or 0, due_ms)
            _EXPIRED.inc()

    def _committed(self, commit: Commit, result: CommitResult) -> None:
        engine, entry = self._engine, self._entry
        entry.is_busy = False
        match result:
            case Committed():
                self._remember(commit.token)
                self._log_faults()
                for work, answer in self._replies:
                    if answer.outcome == _USER_UNKNOWN and work.is_hinted:
                        engine.look_up_again(work)
                    else:
                        engine.answer(work, answer)
            case Conflict(current):
                _CONFLICTS.inc()
                for key, stored in zip(commit.keys, current, strict=True):
                    entry.put(key, stored)
                engine.decide_again(self._works)
            case TooEarly():
                engine.decide_again([work for work in self._works if work.request is not None])
                engine.forget_expiries(sum(work.request is None for work in self._works))
            case Unavailable():
                entry.forget()
                engine.stall(self._works)
        engine.free(entry)

    def _log_faults(self) -> None:
        """Tell what went wrong, now that what was read is known to stand.

        An account read again after a lost race beside a session that was not looks like a broken ledger; the commit
        finds that out, and the second decision succeeds.
        """
        for work, error in self._faults:
            _FAULTS.inc()
            number = None if work.request is None else work.request.request_number
            log.error("decision_failed", session_id=work.session_id, request_number=number, exc_info=error)

    def _remember(self, token: bytes) -> None:
        """Take over what was written; sessions that ended, or never were, need no memory."""
        values = self._entry.values
        names = self._keys
        for index, value in self._changed.items():
            if isinstance(value, Session) and value.state != _OPEN:
                values[names[index]] = _ABSENT
            else:
                values[names[index]] = (token, value)
        for key in names:
            if values[key][1] is None:
                del values[key]
