"""The world in which the simulation plays: gateways, workers, sites, operators and readers, faults, and the auditor.

Everything happens in one thread, one step after the other, chosen by one seeded random number generator: the same
seed is the same story.
"""

import hashlib
from collections.abc import Callable
from itertools import count
from random import Random

import structlog
import trio
import trio.testing

from ocs.balance import keys
from ocs.balance.model import LifecycleState, MemberLimit, SessionState, encode_value
from ocs.balance.store import ABSENT, Commit, DeadlineChange, Write
from ocs.clock import ManualClock
from ocs.events import encode_event
from ocs.settings import ChargingSettings
from ocs.subscribers.agenda import UNDER_WAY_MS, account_member
from ocs.subscribers.openings import open_account
from ocs.subscribers.operations import NewAccount
from ocs.units import Money, UnitType
from tests.simulation.clerks import Errands
from tests.simulation.errands import Wishes, sweep, voucher_commits
from tests.simulation.gateways import Caller
from tests.simulation.network import Network
from tests.simulation.operators import PARTITIONS, Operators
from tests.simulation.reader import Reader
from tests.simulation.replicated_store import StoreConnection
from tests.simulation.sites import Durability, Site, Sites
from tests.simulation.story_catalogue import story_catalogue
from tests.simulation.worker import Worker
from tests.support.auditor import Auditor
from tests.support.books import check

SETTINGS = ChargingSettings(
    supervision_time_s=120, repeat_memory_s=7200, cache_accounts=2, queue_requests=24, grant_share_percent=60
)
# Steps of a story: enough that something happens, few enough that somebody can read it.
STEPS = 500
START_MS = 1_800_000_000_000  # nine in the morning in Berlin
UNTIL_MIDNIGHT_MS = 53_400_000  # until ten minutes before it
CLOCK_OFF_MS_MAX = 900_000
# What members of the shared account may take from it in a day.
LIMITS = {
    "shared.1": (MemberLimit("limit.spending", UnitType.MONEY, "day", 400_000),),
    "shared.2": (MemberLimit("limit.volume", UnitType.TOTAL_OCTETS, "day", 6_000),),
}
_CREATED = b"created....."


class World:
    """Seeded; raises as soon as the auditor finds something.

    Attributes:
        trace: what was done, in words, to be printed when the story ends badly.
    """

    def __init__(self, random: Random, mock_clock: trio.testing.MockClock) -> None:
        self.random = random
        self._mock_clock = mock_clock
        self.clock = ManualClock(START_MS + random.choice((0, 0, 0, UNTIL_MIDNIGHT_MS)))
        self.auditor = Auditor(self.clock, supervision_time_s=SETTINGS.supervision_time_s)
        durability: Durability = random.choice(("fsync", "replicated", "replicated", "replicated"))
        self.sites = Sites(
            random, self.clock, self.auditor, durability=durability, replicas=random.randint(1, 2)
        )
        self.trace: list[str] = []
        self.outage_ms = 0
        self._owners: dict[str, tuple[str, str]] = {}
        self._create_accounts()
        self.operators = Operators(
            random, self.clock, self.sites, self.auditor, self._owners, self._note,
            self._is_split, self._is_in_use,
        )  # fmt: skip
        members = sorted(set(self._owners.values()))
        wishes = Wishes(random, members, self.auditor.evidence)
        self.errands = Errands(random, self.clock, self.sites, members, self._note, wishes.invent, sweep)
        self.network = Network(random, self.clock, self.auditor, self.sites, self.operators, self._note)
        self.workers = [
            Worker(random, name, self.clock, self.sites, SETTINGS, self.network.submit, self.network.hear)
            for name in (1, 2)
        ]
        self.readers = [
            Reader(StoreConnection(random, self.sites, is_watched=False), has_barrier=has_barrier)
            for has_barrier in (True, False)
        ]
        self._callers: list[Caller] = []
        self._silent: list[Caller] = []
        self._names = count(1)
        self._numbers = count(1)
        network, operators, errands = self.network, self.operators, self.errands
        self._actions: tuple[tuple[Callable[[], None], float], ...] = (
            (self._begin, 8),
            (self._speak, 40),
            (self._deliver_request, 45),
            (self._work, 50),
            (self._store_step, 110),
            (self._replicate, 60),
            (network.deliver_answer, 40),
            (network.lose_request, 2),
            (network.lose_answer, 3),
            (network.double_request, 5),
            (network.double_answer, 2),
            (self._break_connection, 4),
            (self._carry_out_late, 4),
            (self._kill_worker, 1),
            (self._lose_store, 1),
            (self._crash_store, 1),
            (self._restart_store, 8),
            (self._cut_link, 4),
            (self._mend_link, 8),
            (self._promote, 1.5),
            (self._hear_of_promotion, 10),
            (self._set_clock, 0.7),
            (self._leap, 1),
            (self._vanish, 1),
            (self._speak_late, 2),
            (self._sweep, 4),
            (self._tick_peers, 1),
            (operators.top_up, 2),
            (operators.move_number, 3),
            (operators.try_again, 6),
            (errands.begin, 8),
            (errands.try_again, 5),
            (errands.sweep, 3),
            (errands.trip, 3),
            (self._deny, 1),
            (self._read_events, 8),
            (self._crowd, 2),
            (self._pass_a_moment, 8),
            (self._pass_seconds, 2),
            (self._pass_a_while, 0.5),
            (self._pass_a_day, 0.2),
        )
        self._choices = [action for action, _ in self._actions], [weight for _, weight in self._actions]

    def _create_accounts(self) -> None:
        """Three accounts, one of them shared by three subscribers, one with a credit limit, one nearly empty."""
        openings = (("shared", 3, 2_000_000, 0), ("postpaid", 1, 0, 3_000_000), ("poor", 1, 100_000, 0))
        number = 491710000000
        for account_id, subscribers, opening, limit in openings:
            names = [f"{account_id}.{index}" for index in range(subscribers)]
            number += len(names)
            identities = [f"e164:{number + index}" for index in range(subscribers)]
            number += subscribers
            new = NewAccount(
                account_id,
                names[0],
                (identities[0],),
                ("packs", "stories", "basic"),
                Money(opening, "EUR"),
                limit,
            )
            opened = open_account(new, story_catalogue(), self.clock.now_ms())
            partition = keys.partition_of(account_id, PARTITIONS)
            values = {keys.account_key(partition, account_id): encode_value(opened.account)}
            for name, identity in zip(names, identities, strict=True):
                member = opened.subscriber
                member = type(member)(
                    name, account_id, LifecycleState.ACTIVE, (identity,), member.offers,
                    limits=LIMITS.get(name, ()),
                )  # fmt: skip
                values[keys.subscriber_key(partition, name)] = encode_value(member)
                self._owners[identity] = account_id, name
                self._enter(identity, account_id, name)
            self.sites.primary.commit(
                Commit(
                    partition, tuple(values), (ABSENT,) * len(values), _CREATED + account_id.encode(),
                    tuple(Write(index, value) for index, value in enumerate(values.values())),
                    tuple(encode_event(event) for event in opened.events),
                    agenda=(DeadlineChange(account_member(account_id), START_MS + 86_400_000),),
                )
            )  # fmt: skip
        for commit in voucher_commits():
            self.sites.primary.commit(commit)
        self.sites.heal()

    def _enter(self, identity: str, account_id: str, name: str) -> None:
        key, location = keys.identity_key(identity), keys.encode_location(account_id, name)
        self.sites.primary.write(lambda data, tell: data.write_hint(key, location, 0))

    # --- Steps ------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Let one thing happen."""
        actions, weights = self._choices
        (action,) = self.random.choices(actions, weights)
        action()

    def _note(self, *what: object) -> None:
        self.trace.append(f"{self.clock.now_ms() - START_MS:>8} " + " ".join(str(part) for part in what))

    @property
    def digest(self) -> str:
        """Of the whole story: two runs of one seed have the same."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]

    def _is_split(self) -> bool:
        """Whether a worker talks to a site that is the primary no more."""
        return any(worker.connection.site is not self.sites.primary for worker in self.workers)

    def _is_in_use(self, identity: str) -> bool:
        """Whether a number is just opening something, at a gateway or on the way."""
        callers = (*self._callers, *self._silent)
        return self.network.may_open_something(identity) or any(
            caller.may_open_something(identity) for caller in callers
        )

    def _any_worker(self) -> Worker:
        return self.random.choice(self.workers)

    @property
    def _connections(self) -> list[StoreConnection]:
        return [
            *(worker.connection for worker in self.workers),
            self.operators.connection,
            *(clerk.connection for clerk in self.errands.clerks),
            *(reader.connection for reader in self.readers),
        ]

    # --- Gateways and what is between -------------------------------------------------------------------

    def _begin(self) -> None:
        if len(self._callers) < 8:
            gateway = f"gw{self.random.randint(1, 3)}"
            moved = self.operators.moved
            identity = self.random.choice(
                moved if moved and self.random.random() < 0.3 else list(self._owners)
            )
            self._callers.append(
                Caller(
                    self.random, f"{gateway}.example", f"{gateway};{next(self._names)}", identity,
                    self.clock.now_ms() // 1000, self._numbers,
                )
            )  # fmt: skip

    def _speak(self) -> None:
        callers = [caller for caller in self._callers if not caller.is_over]
        if callers:
            self.network.say(self.random.choice(callers))
        self._callers = callers

    def _deliver_request(self) -> None:
        self.network.deliver_request(self._any_worker())

    def _speak_all(self) -> None:
        for caller in self._callers:
            if not caller.is_over:
                self.network.say(caller)
        while self.network.has_requests:
            self._deliver_request()

    def _crowd(self) -> None:
        """Everybody speaks at once, and the workers race for the accounts, one of them faster than the other."""
        fast, slow = self.random.sample(self.workers, 2)
        for step in range(100):
            if step % 20 == 0:
                while self.network.has_answers:
                    self.network.deliver_answer()
                self._speak_all()
            worker = slow if self.random.random() < 0.2 else fast
            worker.engine.retry_stalled()
            worker.engine.run_group()
            worker.connection.step()
            self.sites.keep_up()

    def _vanish(self) -> None:
        if self._callers:
            caller = self._callers.pop(self.random.randrange(len(self._callers)))
            self._note("vanishes", caller.session_id)
            self._silent.append(caller)

    def _deny(self) -> None:
        """A gateway that is asked to come again has no such session: it is closed at once (RFC 8506 section 5.5)."""
        if self._callers:
            caller = self._callers.pop(self.random.randrange(len(self._callers)))
            session = self.auditor.history.session(caller.session_id)
            if session is not None and session.state == SessionState.OPEN:
                self._note("is denied:", caller.session_id)
                self.auditor.evidence.gone.add(session.session_id)
                self._any_worker().engine.expire(session.account_id, session.session_id, is_gone=True)

    def _speak_late(self) -> None:
        silent = [caller for caller in self._silent if not caller.is_over]
        if silent:
            caller = self.random.choice(silent)
            self._note("comes back", caller.session_id)
            self.network.say(caller)

    def _tick_peers(self) -> None:
        self._any_worker().node.tick()

    # --- Workers and the store --------------------------------------------------------------------------

    def _work(self) -> None:
        worker = self._any_worker()
        worker.engine.run_group()
        if self.random.random() < 0.2:
            worker.engine.retry_stalled()

    def _store_step(self) -> None:
        connection = self.random.choice(self._connections[: 2 if self.random.random() < 0.7 else None])
        for _ in range(self.random.choice((1, 1, 2, 6))):
            if not connection.step():
                self.sites.fsync(connection.site)

    def _replicate(self) -> None:
        if self.sites.replicas:
            replica = self.random.choice(self.sites.replicas)
            if self.random.random() < 0.7:
                self.sites.replicate(replica, self.random.choice((1, 3, None)))
            if self.random.random() < 0.7:
                self.sites.acknowledge(replica)

    def _break_connection(self) -> None:
        busy = [connection for connection in self._connections if connection.unanswered]
        connection = self.random.choice(busy or self._connections)
        self._note("connection breaks with", connection.unanswered, "calls")
        connection.lose()

    def _carry_out_late(self) -> None:
        self.random.choice(self._connections).carry_out_late()

    def _kill_worker(self) -> None:
        worker = self._any_worker()
        self._note("worker killed:", worker.name)
        worker.kill()

    def _lose_store(self) -> None:
        """A worker cannot reach the store, for as long as others do their steps."""
        away = [worker for worker in self.workers if worker.connection.is_down]
        if not away and self.random.random() < 0.7:
            return
        worker = self.random.choice(away) if away else self._any_worker()
        connection = worker.connection
        if connection.is_down:
            connection.lead_to(self.sites.primary)
            connection.is_down = False
        else:
            connection.is_down = True
            connection.lose()
        self._note("store", "away" if connection.is_down else "back", "for", worker.name)

    def _sweep(self) -> None:
        self._any_worker().supervisor.sweep()

    def _set_clock(self) -> None:
        """Somebody sets a clock, a worker's or a store's."""
        if self.random.random() < 0.7:
            worker = self._any_worker()
            worker.clock.off_ms = self.random.choice((0, 2000, -2000, 60_000, -60_000, CLOCK_OFF_MS_MAX))
            self._note("clock of worker", worker.name, "is off by", worker.clock.off_ms)
        else:
            site = self.random.choice(self.sites.all)
            site.clock.skew_ms = self.random.randint(-3000, 3000)
            self._note("clock of site", site.name, "is off by", site.clock.skew_ms)

    def _leap(self) -> None:
        """A worker's clock leaps just after it has asked what is due, and before it deals with it."""
        worker = self._any_worker()
        self._pass_seconds()
        scores = [
            score for members in self.sites.primary.data.deadlines.values() for score in members.values()
        ]
        if scores:
            wait_ms = min(scores) - self.clock.now_ms()
            if 0 < wait_ms < CLOCK_OFF_MS_MAX:
                self._note("waits until a session is looked at, and clock of worker", worker.name, "leaps")
                self._pass_with_beats(wait_ms // 1000 + 1, sweeping=False)
        worker.supervisor.sweep()
        self._run_connections()
        worker.clock.off_ms += CLOCK_OFF_MS_MAX
        for _ in range(4):  # load, decide, commit, be told
            worker.engine.run_group()
            self._run_connections()
        worker.clock.off_ms = 0
        worker.supervisor.sweep()

    # --- Sites ------------------------------------------------------------------------------------------

    def _crash_store(self) -> None:
        site = self.random.choice(self.sites.all)
        if site.is_up and all(other.is_up for other in self.sites.all):
            self._note("store crashes:", site.name)
            self.sites.crash(site)
            self.operators.unsettle_moves()
            for connection in self._connections:
                if connection.site is site:
                    connection.lose()

    def _restart_store(self) -> None:
        for site in self.sites.all:
            if not site.is_up:
                self._note("store back:", site.name)
                self.sites.restart(site)

    def _cut_link(self) -> None:
        linked = [site for site in self.sites.replicas if site.is_linked]
        if linked:
            replica = self.random.choice(linked)
            self._note("link cut to", replica.name)
            replica.is_linked = False

    def _mend_link(self) -> None:
        for replica in self.sites.replicas:
            replica.is_linked = True

    def _promote(self) -> None:
        """A replica is promoted; the old primary may be dead, or go on and know nothing of it."""
        primary = self.sites.primary
        candidates = [site for site in self.sites.promotable if site.is_up]
        if not candidates or (primary.is_up and self.random.random() < 0.3):
            return
        site = self.random.choice(candidates)
        self._note("promoted:", site.name, "with", len(site.log), "of", len(primary.log))
        self.sites.promote(site)
        self.operators.unsettle_moves()

    def _hear_of_promotion(self) -> None:
        """Somebody who does not know yet hears who the primary is: a client, or a site."""
        primary = self.sites.primary
        connections = [one for one in self._connections if one.site is not primary]
        if connections and self.random.random() < 0.7:
            self.random.choice(connections).lead_to(primary)
            return
        sites = [site for site in self.sites.all if site is not primary and site.follows is not primary]
        if sites:
            self._demote(self.random.choice(sites))

    def _demote(self, site: Site) -> None:
        self._note("follows the primary:", site.name)
        for connection in self._connections:
            if connection.site is site:
                connection.lead_to(self.sites.primary)
        self.sites.demote(site)

    # --- Operators and readers --------------------------------------------------------------------------

    def _read_events(self) -> None:
        self.random.choice(self.readers).poll(self.random.randrange(PARTITIONS))

    # --- Time -------------------------------------------------------------------------------------------

    def _pass_ms(self, elapsed_ms: int) -> None:
        self.clock.advance_ms(elapsed_ms)
        self.outage_ms += elapsed_ms  # at most: whether anybody was heard meanwhile, the store knows
        self._mock_clock.jump(elapsed_ms / 1000)
        for connection in self._connections:
            if connection.has_waited_too_long:
                connection.lose()

    def _pass_a_moment(self) -> None:
        self._pass_ms(self.random.choice((1, 30, 30, 200, 1500)))

    def _pass_seconds(self) -> None:
        """What is under way comes to its end; gateways are silent for a while, then speak again."""
        self._run(rounds=5)
        self._pass_with_beats(self.random.choice((10, 30, 90)))
        self._speak_all()
        self._run(rounds=5)
        while self.network.has_answers:
            self.network.deliver_answer()

    def _pass_a_while(self) -> None:
        """Minutes or hours go by: with somebody beating it is silence of gateways, else it was our outage."""
        is_outage = self.random.random() < 0.3
        seconds = self.random.choice((10, 60, 400, 800))
        self._note(seconds, "s of", "outage" if is_outage else "silence")
        if is_outage:
            for worker in self.workers:
                worker.come_to_rest_without_store()
            self._pass_ms(seconds * 1000)
            return
        self._pass_with_beats(seconds)

    def _pass_with_beats(self, seconds: int, *, sweeping: bool = True) -> None:
        """Time goes by, and workers are heard often enough; now and then they also look for what is due."""
        primary = self.sites.primary
        for second in range(0, seconds, 4):
            self._pass_ms(4000)
            if primary.is_serving:
                primary.write(lambda data, tell: data.heartbeat(tell), is_beat=True)
            if sweeping and second % 80 == 36:
                for worker in self.workers:
                    worker.supervisor.sweep()
                self._run(rounds=5)

    def _pass_a_day(self) -> None:
        """Nobody is there, neither gateways nor we; allowances end, those that sessions hold as well."""
        self._note("a day goes by")
        self._callers, self._silent = [], []
        self.network.forget()
        for worker in self.workers:
            worker.kill()
        self.auditor.forget_watches()
        self._pass_ms(86_400_000 + self.random.randint(0, 3_600_000))

    # --- Coming to rest ---------------------------------------------------------------------------------

    def _step_each(self) -> bool:
        """Let each connection do one thing; whether any did."""
        return sum(connection.step() for connection in self._connections) > 0

    def _run_connections(self) -> None:
        """Let every connection do what it can, and the sites keep up."""
        for _ in range(10_000):
            if not self._step_each():
                self.sites.keep_up()
                if not self._step_each():
                    return
        check(False, "the store does not come to rest")

    def _run(self, rounds: int = 10_000) -> None:
        """Do all there is to do, or as much as so many rounds bring: without a store there may be no end."""
        for _ in range(rounds):
            self._pass_ms(1)  # a turn that nobody uses ends by the clock
            for worker in self.workers:
                worker.engine.retry_stalled()
                worker.engine.run_group()
            self._run_connections()
            if not any(worker.engine.has_work for worker in self.workers):
                return
        check(rounds < 10_000, "the engines do not come to rest")

    def settle(self) -> None:
        """Repair everything, let what is on its way arrive, and wait until supervision has closed the rest."""
        self._note("settles")
        for connection in self._connections:
            while connection.carry_out_late():
                pass
            connection.lead_to(self.sites.primary)
            connection.is_down = False
        self.sites.heal()
        self.operators.unsettle_moves()
        for worker in self.workers:
            worker.clock.off_ms = 0
        self._run()
        while self.network.has_requests:
            self._deliver_request()
            self._run()
        # Validity-Time and Tcc; outages move deadlines, and so does a clock that was set forward.
        longest_ms = 1000 * (SETTINGS.supervision_time_s + 600) + 2 * CLOCK_OFF_MS_MAX + 2 * self.outage_ms
        give_up_ms = self.clock.now_ms() + longest_ms
        while any(self.sites.primary.data.deadlines.values()) and self.clock.now_ms() < give_up_ms:
            self._pass_with_beats(80)
        self._run()
        while not (self.operators.is_done and self.errands.is_done):
            self.operators.try_again()
            self.errands.try_again()
            self._run_connections()
            self._pass_ms(1)  # a turn ends by the clock
        self._pass_with_beats(UNDER_WAY_MS // 1000 + 4, sweeping=False)
        for partition in range(PARTITIONS):
            self.errands.sweep(partition)
            self._run_connections()
        for worker in self.workers:
            check(worker.engine.in_flight == 0, "never answered:", worker.engine.in_flight)
        for reader in self.readers:
            for partition in range(PARTITIONS):
                reader.poll(partition)
        self._run_connections()
        for reader in self.readers:
            reader.check_against(self.auditor.history)
        self.auditor.close_the_books()
        self._note("ends with", [self.auditor.account(name) for name in sorted(self.auditor.books)])


def simulate(random: Random, steps: int = STEPS, *, tell: Callable[[str], None] = print) -> World:
    """Play one story to its end.

    Args:
        tell: takes the story so far, should it end badly.

    Raises:
        AuditError: the auditor found something.
    """
    mock_clock = trio.testing.MockClock()

    async def play() -> World:
        world = World(random, mock_clock)
        try:
            for _ in range(steps):
                world.step()
            world.settle()
        except BaseException:
            tell("\n".join(world.trace))
            raise
        finally:
            world.errands.close()
        return world

    with structlog.testing.capture_logs():
        return trio.run(play, clock=mock_clock)
