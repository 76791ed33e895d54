"""What workers ask of gateways when accounts have changed: Re-Auth and Abort-Session on the wire, and who is owed one.

A request may be lost, and so may its answer; a gateway that knows no such session says so, and the session ends.
"""

from collections import defaultdict
from dataclasses import dataclass

from ocs.balance.model import Account, LifecycleState, Session, SessionState, Subscriber
from ocs.reauthoriser import demands_after
from ocs.subscribers.office import AccountChange
from tests.simulation import wire
from tests.simulation.crowd import Crowd
from tests.simulation.peers import Link
from tests.simulation.scene import Scene
from tests.simulation.worker import Worker
from tests.support.books import check

_SUCCESS, _LIMITED_SUCCESS, _UNKNOWN_SESSION = 2001, 2002, 5002
_CLOSED_OR_BARRED = {LifecycleState.SUSPENDED, LifecycleState.CLOSED}
# After so many without an answer a gateway is asked one by one; for so long an answer is waited for.
_DEAF_AFTER, _PATIENCE_MS = 8, 5_000


@dataclass
class Demand:
    """A request on its way to a gateway."""

    link: Link
    octets: bytes
    command: int
    session_id: str
    sent_ms: int


class Demands:
    """Requests of ours on their way, in no order.

    Attributes:
        gone: sessions that a worker was told are gone.
    """

    def __init__(self, scene: Scene, crowd: Crowd) -> None:
        self._random = scene.random
        self._clock = scene.clock
        self._auditor = scene.auditor
        self._changed = scene.changed
        self._note = scene.note
        self._crowd = crowd
        self._under_way: list[Demand] = []
        self._sent: set[tuple[str, int]] = set()  # since it was looked at last
        self._owed: set[tuple[str, int]] = set()  # sessions for which something was ever to be asked
        self._unanswered: dict[int, int] = defaultdict(int)
        self.gone: set[str] = set()

    # --- Who is to be asked -------------------------------------------------------------------------------

    def ask(self, workers: list[Worker]) -> None:
        """Gateways of accounts that have changed are asked, by the worker that has the way."""
        changed = list(self._changed)
        self._changed.clear()
        for account_id, change in changed:
            owed = self._owed_by(account_id, change)
            self._owed |= {(session.session_id, command) for session, command in owed}
            demands = [
                demand
                for demand in demands_after(self, account_id, change)
                if not demand.session_id.startswith("radius;")
            ]
            self._note("asks for", account_id, change, [demand.session_id for demand in demands])
            for demand in demands:
                ranked = sorted(workers, key=lambda worker: -worker.node.demands.rank(demand.origin_host))
                ranked[0].node.demands.submit([demand])
            for session, command in owed:
                self._check_asked(workers, session, command)
        self._sent.clear()

    def _owed_by(self, account_id: str, change: AccountChange) -> list[tuple[Session, int]]:
        """The open sessions that a change concerns, by the auditor's own reading of who is barred."""
        account = self.account(account_id)
        found: list[tuple[Session, int]] = []
        for session in self.open_sessions(account_id):
            if session.session_id.startswith("radius;"):
                continue
            subscriber = self.subscriber(account_id, session.subscriber_id)
            states = {account.state, LifecycleState.CLOSED if subscriber is None else subscriber.state}
            if change is not AccountChange.BARRED:
                found.append((session, wire.RE_AUTH))
            elif states & _CLOSED_OR_BARRED:
                found.append((session, wire.ABORT_SESSION))
        return found

    def _check_asked(self, workers: list[Worker], session: Session, command: int) -> None:
        links = [worker.node.links.get(session.origin_host) for worker in workers]
        open_links = [link for link in links if link is not None and not link.is_closed]
        if open_links and all(self._unanswered[id(link)] < _DEAF_AFTER for link in open_links):
            check((session.session_id, command) in self._sent, "nobody has asked for", session, command)
            self._auditor.tally["gateways asked"] += 1

    # The store, as whoever tells gateways reads it.

    def open_sessions(self, account_id: str) -> list[Session]:
        return [
            session
            for session in self._auditor.history.values.sessions.values()
            if session.account_id == account_id and session.state is SessionState.OPEN
        ]

    def account(self, account_id: str) -> Account:
        return self._auditor.account(account_id)

    def subscriber(self, account_id: str, subscriber_id: str) -> Subscriber | None:
        return next(
            (
                each for each in self._auditor.history.values.subscribers.values()
                if (each.account_id, each.subscriber_id) == (account_id, subscriber_id)
            ),
            None,
        )  # fmt: skip

    # --- On the way ---------------------------------------------------------------------------------------

    def hear(self, link: Link, octets: bytes) -> None:
        """A request leaves a worker: it must be owed."""
        command, _, _ = wire.command_of(octets)
        values = dict(wire.avps(octets[20:]))
        session_id = values[263].decode()
        session = self._auditor.history.values.session(session_id)
        hosts = {values[293].decode(), link.host, *([session.origin_host] if session is not None else ())}
        check(len(hosts) == 1, "sent to another gateway:", session_id, hosts)
        check((session_id, command) in self._owed, "nobody is owed this:", session_id, command)
        self._note("demands", command, session_id, "of", link.host)
        self._unanswered[id(link)] += 1
        self._sent.add((session_id, command))
        self._under_way.append(Demand(link, octets, command, session_id, self._clock.now_ms()))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is on its way, nor to be asked."""
        return not self._under_way and not self._changed

    def lose(self) -> None:
        if self._under_way:
            self._under_way.pop(self._random.randrange(len(self._under_way)))

    def forget(self) -> None:
        """Nothing of what is under way arrives."""
        self._under_way.clear()
        self._changed.clear()

    def deliver(self) -> None:
        """A gateway hears a request, and answers; who is to report does so soon (RFC 8506 section 5.5)."""
        if not self._under_way:
            return
        demand = self._under_way.pop(self._random.randrange(len(self._under_way)))
        is_known = (
            self._crowd.end(demand.session_id)
            if demand.command == wire.ABORT_SESSION
            else self._crowd.come_again(demand.session_id)
        )
        success = _SUCCESS if demand.command == wire.ABORT_SESSION else _LIMITED_SUCCESS
        self._note("hears a demand", demand.session_id, is_known)
        if demand.link.is_closed or self._random.random() < 0.1:
            return  # the answer is lost
        answer = wire.demand_answer(
            demand.octets, demand.link.host, success if is_known else _UNKNOWN_SESSION
        )
        for _ in range(self._random.choice((1, 1, 1, 2))):
            demand.link.receive(answer)
        self._unanswered[id(demand.link)] = 0
        self._auditor.tally[f"demands {'followed' if is_known else 'denied'}"] += 1
        if not is_known and self._clock.now_ms() - demand.sent_ms < _PATIENCE_MS:
            check(demand.session_id in self.gone, "its gateway has none, and it stays:", demand.session_id)

    def is_gone(self, worker: Worker, account_id: str, session_id: str) -> None:
        """A worker has heard that a gateway has no such session, and closes it."""
        self.gone.add(session_id)
        self._auditor.evidence.gone.add(session_id)
        worker.engine.expire(account_id, session_id, is_gone=True)
