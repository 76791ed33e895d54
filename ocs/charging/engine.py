"""Charging's engine: all requests that arrived together, grouped by account, decided, committed, answered.

    submit -> who pays? (directory) -> what stands? (cache, else load) -> decide -> commit -> reply

Everything runs in one trio thread; waiting is done by callbacks of the store, so that a thousand requests in
flight cost no task. One commit per account is under way at a time; requests that come meanwhile share the next.
"""

from typing import Final

import structlog
import trio

from ocs import limits
from ocs.balance import keys
from ocs.balance.lifecycle import lifecycle_rules
from ocs.balance.notices import notice_rules
from ocs.balance.store import BalanceStore, Stored, TokenSource, Unavailable
from ocs.charging.cache import AccountCache, Copy, Entry, HintCache
from ocs.charging.decision import Moment, Policy
from ocs.charging.group import Group
from ocs.charging.sessions import holds_counters
from ocs.charging.supervision_clock import SupervisionClock
from ocs.charging.tariffs import Tariffs
from ocs.charging.work import Reply, Work
from ocs.clock import Clock
from ocs.log import RepeatLimiter
from ocs.messages import CCRequestType, ChargingAnswer, ChargingRequest, Outcome
from ocs.metrics import Counter, Gauge, Histogram
from ocs.rating import Catalogue, CatalogueError
from ocs.settings import AccountsSettings, ChargingSettings
from ocs.units import parse_micro

log = structlog.get_logger()

_REFUSED = Counter("ocs_charging_refused_as_too_busy_total", "Requests refused because the queue was full.")
_RETRIES = Counter(
    "ocs_charging_retries_total", "Requests decided again because the store's outcome was unknown."
)
_GROUP_FAULTS = Counter(
    "ocs_charging_group_faults_total", "Groups that could not be written for a fault of ours."
)
_QUEUE = Gauge("ocs_charging_requests_in_engine", "Requests between arrival and answer.")
_GROUP = Histogram(
    "ocs_charging_group_requests", "Requests decided together.", (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
)

# INITIAL gives way first, then UPDATE; TERMINATION is always taken (RFC 8506 section 9, design section 3).
_SHARE_FOR_NEW: Final = 0.75
# How long a request waits for a store that is away before the gateway is told to try another node.
_PATIENCE_S: Final = 1.0
_STALL_TICK_S: Final = 0.05
# So many requests take milliseconds to decide: answers that are ready leave first.
_LARGE_GROUP: Final = 32
_QUIET: Final = AccountsSettings()


class Engine:
    """Answers charging requests (the OCF of TS 32.296).

    Invariant: no reply leaves before the store confirmed that everything its decision read still stands and that
    everything it wrote is durable.

    Attributes:
        moment: when the requests decided last were decided; all that arrived together share it.
        limiter: keeps a gateway that does the same wrong thing with each request from filling the log.
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
        accounts: AccountsSettings = _QUIET,
    ) -> None:
        self.store = store
        self.tariffs = tariffs
        self.settings = settings
        self.policy = Policy(
            settings.supervision_time_s,
            settings.show_remaining_balance,
            settings.grant_share_percent,
            notice_rules(accounts),
            lifecycle_rules(accounts),
            parse_micro(settings.refund_max),
        )
        self._clock = clock
        self.supervision = SupervisionClock(clock.now_ms() - clock.steady_ms())
        self.moment = Moment(0, 0)
        self.limiter = RepeatLimiter(clock)
        self._partitions = partitions
        self.tokens = tokens or TokenSource()
        self._accounts = AccountCache(settings.cache_accounts, partitions)
        self._hints = HintCache(2 * settings.cache_accounts)
        self._pending: list[Work] = []
        self._stalled: list[Work] = []
        self._inside = 0
        self._wake = trio.Event()
        self._turn_refused = trio.Event()

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

    def expire(self, account_id: str, session_id: str, *, is_gone: bool = False) -> None:
        """Look at a session whose deadline has come, or that its gateway no longer knows (``is_gone``)."""
        work = Work(None, None, session_id)
        work.account_id = account_id
        work.is_gone = is_gone
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
                if len(self._pending) >= _LARGE_GROUP:
                    await trio.lowlevel.checkpoint()
                self._wake = trio.Event()
                self.run_group()

    async def _retry_stalled(self) -> None:
        while True:
            with trio.move_on_after(_STALL_TICK_S):
                await self._turn_refused.wait()
                self._turn_refused = trio.Event()
                await trio.sleep(limits.TURN_TICK_S)
            _QUEUE.set(self._inside)
            self.retry_stalled()

    def retry_stalled(self) -> None:
        """Take up again what waits for a store that was away, or for its turn."""
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
        clock = self._clock
        self.moment = Moment(clock.now_ms(), self.supervision.at(clock.steady_ms()))
        for account_id, group in groups.items():
            self._advance(self._accounts.entry(account_id), group)

    # --- Who pays? --------------------------------------------------------------------------------------

    def _find_account(self, work: Work) -> bool:
        """Set the work's account from the hint cache, or ask the directory and come back."""
        request = work.request
        assert request is not None  # noqa: S101 - an expiry knows its account
        identities = request.subscription_ids
        hint = self._hints.get(identities)
        if hint is not None:
            work.account_id, work.subscriber_id = hint
            work.is_hinted = True
            return True
        if identities:
            self._ask_directory(work, identities)
        elif work.is_new:
            self.answer(work, ChargingAnswer(Outcome.MISSING_SUBSCRIPTION))
        else:
            self._ask_locator(work)
        return False

    def _ask_directory(self, work: Work, identities: tuple[str, ...]) -> None:
        """Ask for one identity after the other, in the order of the message, until one is known.

        The order alone decides who pays, never what a worker happens to remember: a copy of the request that another
        worker gets must find the same account.
        """

        def found(value: bytes | Unavailable | None) -> None:
            if isinstance(value, Unavailable):
                self._stall(work)
            elif value is not None:
                if not self._locate(work, value):
                    return
                assert work.request is not None  # noqa: S101 - an expiry knows its account
                self._hints.put(work.request.subscription_ids, work.account_id, work.subscriber_id)
                self._again(work)
            elif len(identities) > 1:
                self._ask_directory(work, identities[1:])
            else:
                self._not_in_directory(work)

        self.store.read_hint(keys.identity_key(identities[0]), found)

    def _locate(self, work: Work, location: bytes) -> bool:
        """Set a work's account from a hint; one that cannot be read fails its request alone."""
        try:
            work.account_id, work.subscriber_id = keys.decode_location(location)
        except UnicodeDecodeError:
            log.exception("hint_unreadable", session_id=work.session_id, remedy="run `ocs verify`")
            self.answer(work, ChargingAnswer(Outcome.UNABLE_TO_COMPLY))
            return False
        return True

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
                if work.is_new:  # what it opens goes on there, whoever has the number now
                    work.is_hinted = False
                if self._locate(work, value):
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
        while entry.catalogues:
            version = entry.catalogues.pop()
            if not self.tariffs.knows(version):
                self._learn_catalogue(entry, works, version)
                return
        if entry.account.value is None:
            self._no_account(entry, works)
            return
        for work in works:
            if work.session.value is None and work.is_continued and not work.is_located:
                works = [work for work in works if not self._is_elsewhere(work)]
                break
        if works:
            self._commit(entry, works)
        else:
            self.free(entry)

    def _commit(self, entry: Entry, works: list[Work]) -> None:
        try:
            Group(self, entry, works).commit()
        except Exception as error:  # noqa: BLE001 - told by `fail`: one account fails alone
            self.fail(entry, works, error)

    def fail(self, entry: Entry, works: list[Work], error: Exception) -> None:
        """Something about an account cannot be read or decided, a fault of ours or of its values: it fails alone."""
        _GROUP_FAULTS.inc()
        log.error("group_failed", account_id=entry.account_id, remedy="run `ocs verify`", exc_info=error)
        entry.is_busy = False
        entry.forget()
        self.refuse(works, Outcome.UNABLE_TO_COMPLY)
        self.free(entry)

    def _missing(self, entry: Entry, works: list[Work]) -> list[Copy]:
        """Values that the decisions need and nobody here has looked at."""
        missing: list[Copy] = []
        if not entry.account.is_seen:
            missing.append(entry.account)
        for work in works:
            session = work.session = entry.session(work.session_id)
            subscriber_id = work.subscriber_id
            if not session.is_seen:
                if work.is_new:
                    session.is_seen = True  # as absent: the commit finds out if it is not
                elif session not in missing:
                    missing.append(session)
            elif session.value is not None and not work.is_new:
                subscriber_id = session.value.subscriber_id
            if subscriber_id and (work.request is not None or holds_counters(session.value)):
                subscriber = entry.subscriber(subscriber_id)
                if not subscriber.is_seen and subscriber not in missing:
                    missing.append(subscriber)
        return missing

    def _load(self, entry: Entry, works: list[Work], missing: list[Copy]) -> None:
        entry.is_busy = True

        def loaded(values: tuple[Stored, ...] | Unavailable) -> None:
            entry.is_busy = False
            if isinstance(values, Unavailable):
                self.stall(works)
            else:
                try:
                    for copy, stored in zip(missing, values, strict=True):
                        entry.put(copy, stored)
                except Exception as error:  # noqa: BLE001 - told by `fail`: such an account fails alone
                    self.fail(entry, works, error)
                    return
                self._pending += works
            self.free(entry)

        self.store.load([copy.key for copy in missing], loaded)

    def _use_earlier(self, version: str, content: bytes) -> None:
        """Know one more catalogue; grants made under one that cannot be read are as those of one that is gone."""
        try:
            self.tariffs = self.tariffs.with_earlier(Catalogue.from_bytes(content))
        except CatalogueError as error:
            log.error(  # noqa: TRY400 - of another release: no fault of ours
                "catalogue_unreadable",
                version=version,
                reason=str(error),
                remedy="grants made under it cannot be priced: use the release that published it",
            )

    def _learn_catalogue(self, entry: Entry, works: list[Work], version: str) -> None:
        """Fetch a catalogue that another node published, under which a session of this account was granted."""
        entry.is_busy = True

        def read(value: bytes | Unavailable | None) -> None:
            entry.is_busy = False
            if isinstance(value, Unavailable):
                entry.forget()
                self.stall(works)
            else:
                if value is None:
                    log.error(
                        "catalogue_missing",
                        version=version,
                        remedy="publish it again: start `ocs up` with it",
                    )
                else:
                    self._use_earlier(version, value)
                self._pending += works
            self.free(entry)

        self.store.read_hint(keys.catalogue_key(version), read)

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

    def _is_elsewhere(self, work: Work) -> bool:
        """Whether a request's session must be looked for by its locator: the number may have moved accounts."""
        if work.request is None or work.is_located or not work.is_continued or work.session.value is not None:
            return False
        self._ask_locator(work)
        return True

    def look_up_again(self, work: Work) -> None:
        """A cached hint was wrong: ask the directory itself."""
        assert work.request is not None  # noqa: S101 - an expiry is never hinted
        self._hints.forget(work.request.subscription_ids)
        work.is_hinted = False
        work.account_id = work.subscriber_id = ""
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
        """The store did not let us: wait a little, then tell the gateway to try another node."""
        if work.request is None:
            self._inside -= 1
            return
        now_s = trio.current_time()
        work.since_s = work.since_s or now_s
        if now_s - work.since_s > _PATIENCE_S:
            self.answer(work, ChargingAnswer(Outcome.UNABLE_TO_DELIVER))
        else:
            self._stalled.append(work)

    def stall(self, works: list[Work]) -> None:
        """Have work wait for a store that is away."""
        _RETRIES.inc(by=len(works))
        for work in works:
            self._stall(work)

    def refuse(self, works: list[Work], outcome: Outcome) -> None:
        """Let work leave the engine with the same bare answer, at once."""
        for work in works:
            self.answer(work, ChargingAnswer(outcome))

    def wait_for_turn(self, works: list[Work]) -> None:
        """Have work wait for an account that another worker has for itself; its turn is over in milliseconds."""
        for work in works:
            self._stall(work)
        self._turn_refused.set()

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
