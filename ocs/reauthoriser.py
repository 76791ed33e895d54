"""After an account has changed: the gateways of its open sessions are asked to come again, or to end them.

A top-up, another offer or a change of state is told to whoever holds a connection to the session's gateway (RFC 8506
section 5.5). It runs in any process; which worker has the way to a gateway is asked once and remembered, and that
worker alone sends. What cannot be delivered is tried again within bounds, then counted and logged: Validity-Time and
supervision bring the change later.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple, Protocol

import msgspec
import redis
import structlog
import trio

from ocs.balance.model import Account, Session, Subscriber
from ocs.diameter_gy.session_demand import DemandKind, SessionDemand
from ocs.limits import (
    CHANGED_ACCOUNTS_MAX,
    CHANGED_ACCOUNTS_READ,
    DEMAND_ATTEMPTS_MAX,
    DEMAND_RETRY_DELAY_S,
    DEMANDS_PER_NOTICE_MAX,
    DEMANDS_WAITING_MAX,
    GATEWAY_ROUTES_MAX,
)
from ocs.metrics import Counter
from ocs.peer_notices import (
    FIND_ROUTE,
    SESSION_DEMANDS,
    Acknowledgement,
    Notice,
    NoticesUnavailableError,
)
from ocs.subscribers.administration import ENDS_SERVICE
from ocs.subscribers.office import AccountChange

log = structlog.get_logger()

_PASSED_ON = Counter(
    "ocs_session_demands_passed_on_total",
    "Demands on sessions that a worker with a way to the gateway took on, by kind.",
    ("kind",),
)
_UNDELIVERED = Counter(
    "ocs_session_demands_undelivered_total",
    "Demands on sessions for whose gateway no worker had a way, or for which there was no room.",
    ("kind",),
)
_encode: Final = msgspec.msgpack.Encoder().encode
_KINDS: Final = {
    AccountChange.BALANCE: DemandKind.REAUTHORISE,
    AccountChange.OFFERS: DemandKind.REAUTHORISE,
    AccountChange.STATE: DemandKind.REAUTHORISE,
    AccountChange.BARRED: DemandKind.ABORT,
}


class Publisher(Protocol):
    """Tells the workers (:class:`~ocs.peer_notices.PeerNotices`)."""

    async def publish(self, notice: Notice) -> tuple[Acknowledgement, ...]:
        """See :meth:`ocs.peer_notices.PeerNotices.publish`."""
        ...


class AccountReader(Protocol):
    """Reads accounts (:class:`~ocs.balance.client.BalanceClient`); blocks, raises redis.RedisError."""

    def open_sessions(self, account_id: str) -> list[Session]:
        """Open sessions of an account."""
        ...

    def account(self, account_id: str) -> Account | None:
        """An account as it stands."""
        ...

    def subscriber(self, account_id: str, subscriber_id: str) -> Subscriber | None:
        """A subscriber of an account."""
        ...


class Told(NamedTuple):
    """What became of demands: how many a worker took on, and for which gateways there was no way."""

    passed_on: int
    unreachable: tuple[str, ...]


class _Changed(NamedTuple):
    account_id: str
    change: AccountChange
    rating_groups: tuple[int, ...]


class Reauthoriser:
    """Turns changes of accounts into demands on their sessions, and brings those to the right worker.

    Invariants: an account that changes again before it was read is read once; what waits is bounded; one task for each
    gateway, so that one without a way holds up no other.

    Args:
        accounts: where accounts and their sessions are read.
        publisher: must be running.
    """

    def __init__(self, accounts: AccountReader, publisher: Publisher) -> None:
        self._accounts = accounts
        self._publisher = publisher
        self._lock = threading.Lock()
        self._changed: OrderedDict[_Changed, None] = OrderedDict()
        self._wake = trio.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._members: OrderedDict[str, str] = OrderedDict()  # who has the way to a gateway, by Origin-Host
        self._waiting: dict[str, list[SessionDemand]] = {}  # by Origin-Host, for the task that deals with it
        self._waiting_count = 0

    def account_changed(
        self, account_id: str, change: AccountChange, rating_groups: tuple[int, ...] = ()
    ) -> None:
        """Have the account's gateways told; from any thread, never blocks and never raises.

        Args:
            account_id: what was changed, and is durable.
            change: how.
            rating_groups: those whose credit changed; empty means all.
        """
        changed = _Changed(account_id, change, tuple(sorted(rating_groups)))
        with self._lock:
            if len(self._changed) >= CHANGED_ACCOUNTS_MAX and changed not in self._changed:
                _UNDELIVERED.inc(_KINDS[change].value)
                return
            self._changed[changed] = None
            token = self._token
        if token is not None:
            try:
                token.run_sync_soon(self._wake_up, idempotent=True)
            except trio.RunFinishedError:
                return  # the process ends

    async def run(self) -> None:
        """Deal with what has changed, for ever. Cancelled, what was not passed on is lost."""
        with self._lock:
            self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            while True:
                while batch := self._take():
                    try:
                        demands = await trio.to_thread.run_sync(self._read, batch, abandon_on_cancel=True)
                    except redis.RedisError as error:
                        for changed in batch:
                            _UNDELIVERED.inc(_KINDS[changed.change].value)
                        log.warning(
                            "sessions_not_read",
                            accounts=len(batch),
                            reason=str(error),
                            remedy="none: gateways learn it when their grants end",
                        )
                        continue
                    self._queue(demands, nursery)
                await self._wake.wait()
                self._wake = trio.Event()

    def demand_from_thread(self, demands: Iterable[SessionDemand]) -> Told:
        """Do as :meth:`demand` from another thread than that of :meth:`run`, which must be running."""
        return trio.from_thread.run(self.demand, demands, trio_token=self._token)

    async def demand(self, demands: Iterable[SessionDemand]) -> Told:
        """Pass demands on to workers, once, and wait until that is done. Cancelled, some may have been."""
        by_host: dict[str, list[SessionDemand]] = {}
        for demand in demands:
            by_host.setdefault(demand.origin_host, []).append(demand)
        unreachable: list[str] = []
        passed_on = 0

        async def deliver(origin_host: str, mine: list[SessionDemand]) -> None:
            nonlocal passed_on
            left = await self._deliver(origin_host, mine, attempts=1)
            passed_on += len(mine) - len(left)
            if left:
                unreachable.append(origin_host)

        async with trio.open_nursery() as nursery:
            for origin_host, mine in by_host.items():
                nursery.start_soon(deliver, origin_host, mine)
        return Told(passed_on, tuple(sorted(unreachable)))

    # --- From changes to demands ------------------------------------------------------------------------

    def _wake_up(self) -> None:
        self._wake.set()

    def _take(self) -> list[_Changed]:
        with self._lock:
            taken = list(islice(self._changed, CHANGED_ACCOUNTS_READ))
            for changed in taken:
                del self._changed[changed]
        return taken

    def _read(self, batch: Sequence[_Changed]) -> list[SessionDemand]:
        return [
            demand
            for changed in batch
            for demand in demands_after(
                self._accounts, changed.account_id, changed.change, changed.rating_groups
            )
        ]

    def _queue(self, demands: Iterable[SessionDemand], nursery: trio.Nursery) -> None:
        for demand in demands:
            if self._waiting_count >= DEMANDS_WAITING_MAX:
                _UNDELIVERED.inc(demand.kind.value)
                continue
            self._waiting_count += 1
            waiting = self._waiting.get(demand.origin_host)
            if waiting is None:
                self._waiting[demand.origin_host] = [demand]
                nursery.start_soon(self._serve, demand.origin_host)
            else:
                waiting.append(demand)

    async def _serve(self, origin_host: str) -> None:
        """Deliver what waits for one gateway, until nothing does."""
        waiting = self._waiting[origin_host]
        while waiting:
            demands = waiting.copy()
            waiting.clear()
            self._waiting_count -= len(demands)
            await self._deliver(origin_host, demands, attempts=DEMAND_ATTEMPTS_MAX)
        del self._waiting[origin_host]

    # --- From demands to a worker -----------------------------------------------------------------------

    async def _deliver(
        self, origin_host: str, demands: list[SessionDemand], *, attempts: int
    ) -> list[SessionDemand]:
        """Have a worker take demands on for one gateway; returns those that none did."""
        reason = "no worker has a connection that leads to it"
        for attempt in range(attempts):
            if attempt:
                await trio.sleep(DEMAND_RETRY_DELAY_S * attempt)
            try:
                demands = await self._pass_on(origin_host, demands)
            except NoticesUnavailableError as error:
                reason = str(error)
            if not demands:
                return []
        for demand in demands:
            _UNDELIVERED.inc(demand.kind.value)
        if attempts > 1:  # else the asker learns it
            log.warning(
                "gateway_not_told",
                origin_host=origin_host,
                sessions=len(demands),
                reason=reason,
                remedy="see that it is connected (`ocs peer list`); its sessions learn of it when their grants end",
            )
        return demands

    async def _pass_on(self, origin_host: str, demands: list[SessionDemand]) -> list[SessionDemand]:
        """Tell the worker that has the way; returns what it did not take on."""
        for first in range(0, len(demands), DEMANDS_PER_NOTICE_MAX):
            page = demands[first : first + DEMANDS_PER_NOTICE_MAX]
            known = self._members.get(origin_host, "")
            # The gateway may have moved, or the worker that had the way may be gone.
            if not (known and await self._tell(origin_host, page, known)):
                member = await self._find_member(origin_host)
                if not (member and await self._tell(origin_host, page, member)):
                    self._members.pop(origin_host, None)
                    return demands[first:]
            for demand in page:
                _PASSED_ON.inc(demand.kind.value)
        return []

    async def _tell(self, origin_host: str, page: list[SessionDemand], member: str) -> bool:
        notice = Notice(SESSION_DEMANDS, origin_host, _encode(page), only=member)
        return any(one.acted for one in await self._publisher.publish(notice))

    async def _find_member(self, origin_host: str) -> str:
        told = await self._publisher.publish(Notice(FIND_ROUTE, origin_host))
        best = max(told, key=lambda one: one.acted, default=None)
        if best is None or not best.acted:
            return ""
        self._members[origin_host] = best.channel
        if len(self._members) > GATEWAY_ROUTES_MAX:
            self._members.popitem(last=False)
        return best.channel


def demands_after(
    accounts: AccountReader, account_id: str, change: AccountChange, rating_groups: tuple[int, ...] = ()
) -> list[SessionDemand]:
    """What is asked of gateways after an account has changed; blocks.

    Sessions end where their account or their own subscriber is barred now: the others of a family go on.
    """
    sessions = accounts.open_sessions(account_id)
    if change is AccountChange.BARRED and sessions:
        account = accounts.account(account_id)
        if account is not None and account.state not in ENDS_SERVICE:
            barred = {
                subscriber_id: _is_barred(accounts.subscriber(account_id, subscriber_id))
                for subscriber_id in {session.subscriber_id for session in sessions}
            }
            sessions = [session for session in sessions if barred[session.subscriber_id]]
    return demands_on(sessions, _KINDS[change], rating_groups)


def _is_barred(subscriber: Subscriber | None) -> bool:
    return subscriber is None or subscriber.state in ENDS_SERVICE


def demands_on(
    sessions: Iterable[Session], kind: DemandKind, rating_groups: tuple[int, ...] = ()
) -> list[SessionDemand]:
    """What the gateways of sessions are asked; nothing of a session that has none of the rating groups named."""
    wanted = frozenset(rating_groups)
    demands: list[SessionDemand] = []
    for session in sessions:
        mine: tuple[int, ...] = ()
        if wanted and kind is DemandKind.REAUTHORISE:
            mine = tuple(sorted(wanted & {service.rating_group for service in session.services}))
            if not mine:
                continue
        demands.append(
            SessionDemand(
                kind, session.account_id, session.session_id, session.origin_host, session.origin_realm, mine
            )
        )
    return demands
