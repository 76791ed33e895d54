"""Changes of accounts become demands on their sessions, and reach the worker that has the way to the gateway."""

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import redis
import trio
import trio.testing

from ocs import reauthoriser
from ocs.balance.model import Account, LifecycleState, Session, SessionService, SessionState, Subscriber
from ocs.diameter_gy.session_demand import DemandKind, SessionDemand
from ocs.limits import DEMAND_ATTEMPTS_MAX, DEMANDS_PER_NOTICE_MAX
from ocs.messages import NO_CONTEXT, Service
from ocs.peer_notices import FIND_ROUTE, SESSION_DEMANDS, Acknowledgement, Notice, NoticesUnavailableError
from ocs.reauthoriser import Reauthoriser, Told, demands_after, demands_on
from ocs.subscribers.office import AccountChange

HOST = "pgw.example"


def session(
    number: int = 1, account: str = "a1", host: str = HOST, groups: tuple[int, ...] = (10,)
) -> Session:
    return Session(
        f"{host};{number}",
        account,
        account,
        SessionState.OPEN,
        Service.DATA,
        NO_CONTEXT,
        host,
        "example",
        0,
        0,
        tuple(SessionService(group, (), "v1", "p") for group in groups),
    )


class FakeWorker:
    """One worker among those that hear notices: with ways to some gateways."""

    def __init__(self, channel: str, **ranks: int) -> None:
        self.channel = channel
        self.ranks = {f"{name}.example": rank for name, rank in ranks.items()}
        self.taken: list[SessionDemand] = []

    def hear(self, notice: Notice) -> int:
        rank = self.ranks.get(notice.origin_host, 0)
        if notice.kind == FIND_ROUTE:
            return rank
        assert notice.kind == SESSION_DEMANDS
        if notice.only != self.channel or not rank:
            return 0
        demands = msgspec.msgpack.decode(notice.body, type=list[SessionDemand])
        self.taken += demands
        return len(demands)


class FakePublisher:
    def __init__(self, *workers: FakeWorker) -> None:
        self.workers = list(workers)
        self.heard: list[Notice] = []
        self.is_away = False

    async def publish(self, notice: Notice) -> tuple[Acknowledgement, ...]:
        await trio.lowlevel.checkpoint()
        if self.is_away:
            raise NoticesUnavailableError("the store takes no notices")
        self.heard.append(notice)
        return tuple(
            Acknowledgement(worker.channel, worker.hear(notice), worker.channel) for worker in self.workers
        )

    def kinds(self) -> list[str]:
        return [notice.kind for notice in self.heard]


class Lab:
    def __init__(self, publisher: FakePublisher, *sessions: Session) -> None:
        self.sessions = list(sessions)
        self.read: list[str] = []
        self.publisher = publisher
        self.states: dict[str, LifecycleState] = {}
        self.reauthoriser = Reauthoriser(self, publisher)

    def account(self, account_id: str) -> Account | None:
        return Account(account_id, "EUR", self.states.get(account_id, LifecycleState.ACTIVE), 1, (), ())

    def subscriber(self, account_id: str, subscriber_id: str) -> Subscriber | None:
        state = self.states.get(f"{account_id}/{subscriber_id}", LifecycleState.ACTIVE)
        return Subscriber(subscriber_id, account_id, state, (), ())

    def open_sessions(self, account_id: str) -> list[Session]:
        self.read.append(account_id)
        return [session for session in self.sessions if session.account_id == account_id]


async def until(condition: Callable[[], Any]) -> None:
    with trio.fail_after(10):
        while not condition():
            await trio.sleep(0.001)


def test_each_kind_of_change_asks_its_own_of_every_session():
    lab = Lab(FakePublisher(), session(1), session(2))
    lab.states["a1"] = LifecycleState.SUSPENDED
    for change, kind in (
        (AccountChange.BALANCE, DemandKind.REAUTHORISE),
        (AccountChange.OFFERS, DemandKind.REAUTHORISE),
        (AccountChange.STATE, DemandKind.REAUTHORISE),
        (AccountChange.BARRED, DemandKind.ABORT),
    ):
        assert demands_after(lab, "a1", change) == [
            SessionDemand(kind, "a1", f"{HOST};{number}", HOST, "example") for number in (1, 2)
        ]
    assert set(AccountChange) == set(reauthoriser._KINDS)


def test_sessions_end_where_their_own_subscriber_is_barred_and_the_others_of_a_family_go_on():
    one, other = (msgspec.structs.replace(session(number), subscriber_id=f"u{number}") for number in (1, 2))
    lab = Lab(FakePublisher(), one, other)
    lab.states["a1/u2"] = LifecycleState.SUSPENDED
    (demand,) = demands_after(lab, "a1", AccountChange.BARRED)
    assert (demand.kind, demand.session_id) == (DemandKind.ABORT, other.session_id)
    lab.states["a1"] = LifecycleState.CLOSED
    assert len(demands_after(lab, "a1", AccountChange.BARRED)) == 2
    lab.states = {}
    assert demands_after(lab, "a1", AccountChange.BARRED) == []  # it was let in again meanwhile


def test_rating_groups_that_a_session_does_not_have_are_not_asked_for():
    demands = demands_on(
        [session(1, groups=(10, 20, 30)), session(2, groups=(40,))], DemandKind.REAUTHORISE, (30, 10, 99)
    )
    assert [(one.session_id, one.rating_groups) for one in demands] == [(f"{HOST};1", (10, 30))]


async def test_worker_with_the_best_way_takes_the_demands_and_no_other(nursery: trio.Nursery):
    maybe, best = FakeWorker("by-relay", pgw=1), FakeWorker("direct", pgw=2)
    lab = Lab(FakePublisher(FakeWorker("idle"), maybe, best), session(1), session(2), session(3, "a2"))
    nursery.start_soon(lab.reauthoriser.run)
    lab.reauthoriser.account_changed("a1", AccountChange.BALANCE)
    await until(lambda: best.taken)
    assert [one.session_id for one in best.taken] == [f"{HOST};1", f"{HOST};2"]
    assert maybe.taken == []
    nursery.cancel_scope.cancel()


async def test_way_is_asked_for_once_and_again_when_it_has_moved(nursery: trio.Nursery):
    first, second = FakeWorker("one", pgw=2), FakeWorker("two")
    lab = Lab(FakePublisher(first, second), session())
    nursery.start_soon(lab.reauthoriser.run)
    for taken in (1, 2):
        lab.reauthoriser.account_changed("a1", AccountChange.BALANCE)
        await until(lambda taken=taken: len(first.taken) == taken)
    assert lab.publisher.kinds() == [FIND_ROUTE, SESSION_DEMANDS, SESSION_DEMANDS]
    first.ranks, second.ranks = {}, {HOST: 2}
    lab.reauthoriser.account_changed("a1", AccountChange.BALANCE)
    await until(lambda: second.taken)
    assert lab.publisher.kinds()[3:] == [SESSION_DEMANDS, FIND_ROUTE, SESSION_DEMANDS]
    nursery.cancel_scope.cancel()


async def test_gateway_without_a_way_is_given_up_and_holds_up_no_other(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
):
    worker = FakeWorker("one", pgw=2)
    lab = Lab(FakePublisher(worker), session(1, host="away.example"), session(2))
    nursery.start_soon(lab.reauthoriser.run)
    began_s = trio.current_time()
    lab.reauthoriser.account_changed("a1", AccountChange.BALANCE)
    await trio.testing.wait_all_tasks_blocked(0.01)
    while not worker.taken:
        await trio.sleep(0.01)
    assert trio.current_time() - began_s < 1
    await trio.sleep(60)
    asked = [notice for notice in lab.publisher.heard if notice.origin_host == "away.example"]
    assert len(asked) == DEMAND_ATTEMPTS_MAX
    nursery.cancel_scope.cancel()


async def test_changes_before_it_runs_and_from_any_thread_are_dealt_with(nursery: trio.Nursery):
    worker = FakeWorker("one", pgw=2)
    lab = Lab(FakePublisher(worker), session(), session(2, "a2"))
    lab.reauthoriser.account_changed("a1", AccountChange.BALANCE)
    lab.reauthoriser.account_changed("a1", AccountChange.BALANCE)
    nursery.start_soon(lab.reauthoriser.run)
    await until(lambda: worker.taken)
    assert lab.read == ["a1"]  # twice changed, once read
    thread = threading.Thread(
        target=lab.reauthoriser.account_changed, args=("a2", AccountChange.BARRED), daemon=True
    )
    lab.states["a2"] = LifecycleState.SUSPENDED
    thread.start()
    await until(lambda: len(worker.taken) == 2)
    assert worker.taken[1].kind is DemandKind.ABORT
    nursery.cancel_scope.cancel()


async def test_change_after_its_end_is_nobody_s_business():
    lab = Lab(FakePublisher())
    with trio.move_on_after(0.01):
        await lab.reauthoriser.run()
    lab.reauthoriser.account_changed("a1", AccountChange.BALANCE)


async def test_store_that_is_away_loses_the_changes_of_that_moment_only(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
):
    worker = FakeWorker("one", pgw=2)
    lab = Lab(FakePublisher(worker), session())
    reads = [redis.ConnectionError("away")]

    def read(account_id: str) -> list[Session]:
        if reads:
            raise reads.pop()
        return lab.sessions

    monkeypatch.setattr(lab, "open_sessions", read)
    nursery.start_soon(lab.reauthoriser.run)
    lab.reauthoriser.account_changed("a1", AccountChange.BALANCE)
    await until(lambda: not reads)
    lab.reauthoriser.account_changed("a1", AccountChange.BALANCE)
    await until(lambda: worker.taken)
    nursery.cancel_scope.cancel()


async def test_notices_that_cannot_be_published_are_tried_again(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
):
    worker = FakeWorker("one", pgw=2)
    lab = Lab(FakePublisher(worker), session())
    lab.publisher.is_away = True
    nursery.start_soon(lab.reauthoriser.run)
    lab.reauthoriser.account_changed("a1", AccountChange.BALANCE)
    await trio.sleep(0.5)
    lab.publisher.is_away = False
    while not worker.taken:
        await trio.sleep(0.1)
    nursery.cancel_scope.cancel()


async def test_demands_go_by_the_page_and_the_asker_learns_what_became_of_them():
    worker = FakeWorker("one", pgw=2)
    lab = Lab(FakePublisher(worker))
    sessions = [session(number) for number in range(DEMANDS_PER_NOTICE_MAX + 1)]
    demands = demands_on([*sessions, session(1, host="away.example")], DemandKind.REAUTHORISE)
    assert await lab.reauthoriser.demand(demands) == Told(len(sessions), ("away.example",))
    assert len(worker.taken) == len(sessions)
    assert lab.publisher.kinds().count(SESSION_DEMANDS) == 2


async def test_another_thread_may_ask_and_wait(nursery: trio.Nursery):
    worker = FakeWorker("one", pgw=2)
    lab = Lab(FakePublisher(worker))
    nursery.start_soon(lab.reauthoriser.run)
    await trio.testing.wait_all_tasks_blocked()
    demands = demands_on([session()], DemandKind.ABORT)
    assert await trio.to_thread.run_sync(lab.reauthoriser.demand_from_thread, demands) == Told(1, ())
    nursery.cancel_scope.cancel()


async def test_what_waits_is_bounded(nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reauthoriser, "CHANGED_ACCOUNTS_MAX", 2)
    monkeypatch.setattr(reauthoriser, "DEMANDS_WAITING_MAX", 3)
    worker = FakeWorker("one", pgw=2)
    lab = Lab(FakePublisher(worker), *[session(number) for number in range(5)])
    for account in ("a1", "a2", "a3"):
        lab.reauthoriser.account_changed(account, AccountChange.BALANCE)
    nursery.start_soon(lab.reauthoriser.run)
    await until(lambda: len(lab.read) == 2)
    await until(lambda: worker.taken)
    await trio.testing.wait_all_tasks_blocked()
    assert (lab.read, len(worker.taken)) == (["a1", "a2"], 3)
    nursery.cancel_scope.cancel()
