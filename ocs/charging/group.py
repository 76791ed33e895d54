"""The requests of one account that share a commit: decided in order, written at once, answered together."""

from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from ocs import limits
from ocs.balance import keys
from ocs.balance.model import Account, Session, SessionState, Subscriber, encode_value
from ocs.balance.store import (
    Commit,
    CommitResult,
    Committed,
    Conflict,
    DeadlineChange,
    NotYourTurn,
    TooEarly,
    Unavailable,
    Write,
)
from ocs.charging.cache import Copy, Entry
from ocs.charging.circumstances import is_believed
from ocs.charging.decide import decide
from ocs.charging.decision import State
from ocs.charging.sessions import expire_session, holds_counters
from ocs.charging.usage import is_zero
from ocs.charging.work import Work
from ocs.events import encode_event
from ocs.messages import ChargingAnswer, ChargingRequest, Outcome
from ocs.metrics import Counter

if TYPE_CHECKING:
    from ocs.charging.engine import Engine

log = structlog.get_logger()

_REPEATS = Counter("ocs_charging_repeats_total", "Requests that got their first answer again.")
_CONFLICTS = Counter("ocs_charging_conflicts_total", "Commits that lost a race and were decided again.")
_TURNS_WAITED = Counter(
    "ocs_charging_turns_waited_total", "Commits put off because another worker had its turn on a hot account."
)
_EXPIRED = Counter("ocs_charging_sessions_expired_total", "Sessions closed by supervision (Tcc).")
_FAULTS = Counter("ocs_charging_faults_total", "Decisions that ended in a fault of ours.")
_TIMES_IGNORED = Counter(
    "ocs_charging_event_times_ignored_total",
    "Requests whose Event-Timestamp was too old to be a time of use.",
)

# What an account says of a request that belongs to another one.
_WRONG_ACCOUNT: Final = frozenset({Outcome.USER_UNKNOWN, Outcome.UNKNOWN_SESSION})
_OTHER_CONTENT: Final = Outcome.REPEATED_WITH_OTHER_CONTENT
_LOCATOR_LIFETIME_MS: Final = limits.LOCATOR_LIFETIME_S * 1000
_replace = msgspec.structs.replace
_OPEN: Final = SessionState.OPEN


class Group:
    """Decides a group, commits it, and hands out its answers once the store has confirmed it."""

    __slots__ = (
        "_account",
        "_deadlines",
        "_engine",
        "_entry",
        "_events",
        "_faults",
        "_has_closed",
        "_not_before_ms",
        "_reads",
        "_replies",
        "_token",
        "_works",
    )

    def __init__(self, engine: "Engine", entry: Entry, works: list[Work]) -> None:
        self._engine = engine
        self._entry = entry
        self._works = works
        self._account: Account = entry.account.value
        # Every value that a decision read, the account first.
        self._reads: list[Copy] = []
        self._read(entry.account)
        self._events: list[bytes] = []
        self._deadlines: dict[str, DeadlineChange] = {}
        self._replies: list[tuple[Work, ChargingAnswer]] = []
        self._faults: list[tuple[Work, Exception]] = []
        self._not_before_ms: int | None = None
        self._has_closed = False
        self._token = b""

    def commit(self) -> None:
        """Decide every request in order, each on what the one before left, and write the whole."""
        for work in self._works:
            if work.request is None:
                self._expire(work)
            else:
                self._decide(work, work.request)
        entry, engine = self._entry, self._engine
        entry.account.decided = self._account
        self._token = engine.tokens.next()
        names: list[str] = []
        expected: list[bytes] = []
        writes: list[Write] = []
        for copy in self._reads:
            names.append(copy.key)
            expected.append(copy.token)
            value = copy.decided
            if value is not copy.value:
                ttl_ms = self._ttl_ms(value) if self._has_closed else 0
                writes.append(Write(copy.place, encode_value(value), ttl_ms))
        commit = Commit(
            entry.partition,
            tuple(names),
            tuple(expected),
            self._token,
            tuple(writes),
            tuple(self._events),
            tuple(self._deadlines.values()),
            self._not_before_ms,
            entry.turn_key,
            entry.lost_races >= limits.LOST_RACES_BEFORE_TURN,
        )
        entry.is_busy = True
        engine.store.commit(commit, self._committed)

    def _ttl_ms(self, value: Account | Subscriber | Session) -> int:
        """Only the memory of a closed session is dropped by time."""
        if isinstance(value, Session) and value.state != _OPEN:
            return self._engine.settings.repeat_memory_s * 1000
        return 0

    def _read(self, copy: Copy) -> Any:
        """Note that a decision depends on a value; return what this group has made of it so far."""
        if copy.place < 0:
            copy.place = len(self._reads)
            self._reads.append(copy)
            copy.decided = copy.value
        return copy.decided

    def _decide(self, work: Work, request: ChargingRequest) -> None:
        engine = self._engine
        session: Session | None = self._read(work.session)
        subscriber_id = work.subscriber_id if session is None or work.is_new else session.subscriber_id
        subscriber = self._read_subscriber(subscriber_id) if subscriber_id else None
        if request.event_time_s is not None and not is_believed(
            request.event_time_s, engine.moment.now_ms // 1000
        ):
            self._warn_of_time(request)
        state = State(self._account, subscriber, session)
        try:
            decision = decide(state, request, engine.tariffs, engine.moment, engine.policy)
            events = [encode_event(event) for event in decision.events]
        except Exception as error:  # noqa: BLE001 - around a request: one request fails alone, `_log_faults` tells it
            self._faults.append((work, error))
            self._replies.append((work, ChargingAnswer(Outcome.UNABLE_TO_COMPLY)))
            return
        if decision.is_repeat:
            _REPEATS.inc()
            if work.is_new and session is not None and session.state is _OPEN:
                # A worker that took the number for another account's may have led the session's locator there.
                self._locate(session)
        self._account = decision.account
        self._events += events
        if decision.subscriber is not subscriber and decision.subscriber is not None:
            self._entry.subscribers[subscriber_id].decided = decision.subscriber
        if decision.session is not session and decision.session is not None:
            self._keep(work.session, session, decision.session)
        self._replies.append((work, decision.answer))

    def _warn_of_time(self, request: ChargingRequest) -> None:
        """Tell of a gateway whose clock is wrong: what it reports is booked and priced as used now."""
        _TIMES_IGNORED.inc()
        swallowed = self._engine.limiter.admit(("event_time", request.origin_host))
        if swallowed is not None:
            log.warning(
                "event_timestamp_ignored",
                origin_host=request.origin_host,
                event_time_s=request.event_time_s,
                swallowed=swallowed,
                remedy="set the gateway's clock",
            )

    def _read_subscriber(self, subscriber_id: str) -> Subscriber | None:
        """A subscriber as this group has left it; None when nobody has looked or there is none."""
        copy = self._entry.subscribers.get(subscriber_id)
        return self._read(copy) if copy is not None and copy.is_seen else None

    def _keep(self, copy: Copy, before: Session | None, session: Session) -> None:
        """Write a session, with its place among the deadlines and its locator where they change."""
        was_open = before is not None and before.state == _OPEN
        if session.state == _OPEN:
            if session.located_until_ms - self._engine.moment.now_ms < _LOCATOR_LIFETIME_MS // 2:
                session = self._located(session)
            if not was_open:
                session = _replace(session, scheduled_ms=session.deadline_ms)
                self._schedule(session, session.deadline_ms)
        else:
            self._has_closed = True
            if was_open:
                self._schedule(session, None)
            elif session.reported is not None and not session.located_until_ms:
                # Refused at once, and charged what it had come to: where, must be known if its number moves.
                session = self._located(session)
        copy.decided = session

    def _located(self, session: Session) -> Session:
        self._locate(session)
        return _replace(session, located_until_ms=self._engine.moment.now_ms + _LOCATOR_LIFETIME_MS)

    def _locate(self, session: Session) -> None:
        """Have the session found by its Session-Id alone."""
        location = keys.encode_location(session.account_id, session.subscriber_id)
        self._engine.store.write_hint(keys.locator_key(session.session_id), location, _LOCATOR_LIFETIME_MS)

    def _schedule(self, session: Session, score_ms: int | None) -> None:
        member = keys.deadline_member(session.account_id, session.session_id)
        self._deadlines[member] = DeadlineChange(member, score_ms)

    def _expire(self, work: Work) -> None:
        """Close a session whose Tcc has ended; one that went on meanwhile is looked at later."""
        copy, moment = work.session, self._engine.moment
        session: Session | None = self._read(copy)
        self._replies.append((work, ChargingAnswer(Outcome.SUCCESS)))
        if session is None or session.state != _OPEN:
            member = keys.deadline_member(self._entry.account_id, work.session_id)
            self._deadlines[member] = DeadlineChange(member, None)
        elif session.deadline_ms > moment.supervision_ms and not work.is_gone:
            copy.decided = _replace(session, scheduled_ms=session.deadline_ms)
            self._schedule(session, session.deadline_ms)
        else:
            engine = self._engine
            try:
                catalogue = engine.tariffs.current
                subscriber = self._read_subscriber(session.subscriber_id) if holds_counters(session) else None
                decision = expire_session(self._account, session, moment, catalogue, subscriber)
            except Exception as error:  # noqa: BLE001 - likewise
                self._faults.append((work, error))
                return
            self._account = decision.account
            if decision.subscriber is not None:
                self._entry.subscribers[session.subscriber_id].decided = decision.subscriber
            self._events += [encode_event(event) for event in decision.events]
            assert decision.session is not None  # noqa: S101 - an expiry always leaves its session, closed
            self._keep(copy, session, decision.session)
            if not work.is_gone:
                due_ms = engine.supervision.store_time_of(session.deadline_ms)
                self._not_before_ms = max(self._not_before_ms or 0, due_ms)
            _EXPIRED.inc()

    def _committed(self, result: CommitResult) -> None:
        engine, entry = self._engine, self._entry
        entry.is_busy = False
        if not isinstance(result, Committed):
            for copy in self._reads:
                copy.place = -1
        match result:
            case Committed():
                entry.lost_races = 0
                self._remember()
                self._log_faults()
                for work, answer in self._replies:
                    if answer.outcome in _WRONG_ACCOUNT and work.is_hinted:
                        engine.look_up_again(work)
                        continue
                    if answer.outcome == _OTHER_CONTENT:
                        _warn_of_lost_use(work)
                    engine.answer(work, answer)
            case Conflict(current):
                _CONFLICTS.inc()
                entry.lost_races += 1
                try:
                    for copy, stored in zip(self._reads, current, strict=True):
                        entry.put(copy, stored)
                except Exception as error:  # noqa: BLE001 - told by `fail`: such an account fails alone
                    engine.fail(entry, self._works, error)
                    return
                engine.decide_again(self._works)
            case TooEarly():
                engine.decide_again([work for work in self._works if work.request is not None])
                engine.forget_expiries(sum(work.request is None for work in self._works))
            case NotYourTurn():
                _TURNS_WAITED.inc()
                engine.wait_for_turn(self._works)
            case Unavailable(is_unsent=True):
                engine.refuse(self._works, Outcome.UNABLE_TO_DELIVER)  # the gateway can try another node
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

    def _remember(self) -> None:
        """Take over what was written; sessions that ended, or never were, need no memory."""
        sessions = self._entry.sessions
        for copy in self._reads:
            copy.place = -1
            value = copy.decided
            if value is not copy.value:
                copy.token, copy.value = self._token, value
            if value is None or (isinstance(value, Session) and value.state != _OPEN):
                copy.is_seen = False
                if sessions.get(copy.name) is copy:
                    del sessions[copy.name]


def _warn_of_lost_use(work: Work) -> None:
    """Tell of usage in a request that can only be a copy, or is too old to tell: it is charged by hand, if at all."""
    request = work.request
    if request is None or not any(not is_zero(unit) for service in request.services for unit in service.used):
        return
    log.warning(
        "reported_use_not_charged",
        session_id=request.session_id,
        request_number=request.request_number,
        used=[unit for service in request.services for unit in service.used],
        reason="its number was used for other content, or is older than the session's memory",
        remedy="let the gateway number its requests upwards; charge the use by hand if it is none of the earlier ones",
    )
