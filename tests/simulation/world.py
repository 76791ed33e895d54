"""The world in which the simulation plays: gateways, workers, sites, operators and readers, faults, and the auditor.

Everything happens in one thread, one step after the other, chosen by one seeded random number generator: the same
seed is the same story.
"""

from collections.abc import Callable
from random import Random
from typing import Literal

import structlog
import trio
import trio.testing

from ocs.clock import ManualClock
from ocs.settings import ChargingSettings
from ocs.subscribers.agenda import UNDER_WAY_MS
from tests.simulation.clerks import Errands
from tests.simulation.crowd import Crowd
from tests.simulation.demands import Demands
from tests.simulation.errands import Wishes, sweep
from tests.simulation.faults import CLOCK_OFF_MS_MAX, Faults
from tests.simulation.network import Network
from tests.simulation.operators import PARTITIONS, Operators
from tests.simulation.payments import Payments
from tests.simulation.population import create_accounts, login_of
from tests.simulation.radius_network import RadiusNetwork
from tests.simulation.reader import Reader
from tests.simulation.replicated_store import CALL_TIMEOUT_MS, StoreConnection
from tests.simulation.scene import START_MS, Scene
from tests.simulation.sites import Durability, Sites
from tests.simulation.worker import Worker
from tests.support.auditor import Auditor
from tests.support.books import check

SETTINGS = ChargingSettings(
    supervision_time_s=120, repeat_memory_s=7200, cache_accounts=2, queue_requests=24, grant_share_percent=60
)
# Steps of a story: enough that something happens, few enough that somebody can read it.
STEPS = 500
# What a story is about: sessions over Diameter, those of access servers, or what is done to accounts.
Theme = Literal["calls", "access", "accounts"]
UNTIL_MIDNIGHT_MS = 53_850_000  # from the start until shortly before it


class World:
    """Seeded; raises as soon as the auditor finds something."""

    def __init__(
        self, random: Random, mock_clock: trio.testing.MockClock, theme: Theme | None = None
    ) -> None:
        self.random = random
        self._mock_clock = mock_clock
        self.clock = ManualClock(START_MS + random.choice((0, UNTIL_MIDNIGHT_MS)))
        self.auditor = Auditor(self.clock, supervision_time_s=SETTINGS.supervision_time_s)
        durability: Durability = random.choice(("fsync", "replicated", "replicated", "replicated"))
        self.sites = Sites(
            random, self.clock, self.auditor, durability=durability, replicas=random.randint(1, 2)
        )
        self.scene = scene = Scene(random, self.clock, self.sites, self.auditor)
        self.outage_ms = 0
        owners = create_accounts(self.sites, self.clock.now_ms())
        self.operators = Operators(scene, owners, is_split=self._is_split, is_in_use=self._is_in_use)
        members = sorted(set(owners.values()))
        wishes = Wishes(random, members, self.auditor.evidence)
        self.errands = Errands(scene, members, wishes.invent, sweep)
        self.network = Network(scene, self.operators)
        self.radius = RadiusNetwork(scene, self.network, [login_of(name) for _, name in members])
        self.workers = [
            Worker(
                random, name, self.clock, self.sites, SETTINGS, self.network, self.radius
            )
            for name in (1, 2)
        ]  # fmt: skip
        self.readers = [
            Reader(StoreConnection(random, self.sites, is_watched=False), has_barrier=has_barrier)
            for has_barrier in (True, False)
        ]
        self._payments = Payments(random, self.readers[0], self.errands, self.auditor.evidence)
        self.crowd = Crowd(scene, self.network, self.operators, self._expire)
        self.demands = Demands(scene, self.crowd)
        self.network.on_demand, self.network.on_gone = self.demands.hear, self.demands.is_gone
        self._faults = Faults(scene, self.workers, self.operators, lambda: self._connections)
        drawn: Theme = random.choice(("calls", "calls", "access", "accounts"))
        self._actions = self._weighted_actions(theme or drawn)
        self._choices = [action for action, _ in self._actions], [weight for _, weight in self._actions]

    def _weighted_actions(self, theme: Theme) -> tuple[tuple[Callable[[], None], float], ...]:
        """All that may happen, each with how often it does: most of what a story is about."""
        calls = 0.4 if theme == "access" else 1.0
        actions = tuple((action, weight * calls) for action, weight in self._calls())
        if theme == "access":
            actions += self._access()
        # Sessions of access servers end in silence and go on; what is due to accounts comes with the days.
        silence, days = (1.5 if theme == "access" else 0.5), (1.0 if theme == "accounts" else 0.2)
        passing = (self._pass_a_while, silence), (self._pass_a_day, days)
        return actions + self._trouble() + passing + self._business(3.0 if theme == "accounts" else 1.0)

    def _calls(self) -> tuple[tuple[Callable[[], None], float], ...]:
        network, crowd = self.network, self.crowd
        return (
            (crowd.begin, 8),
            (crowd.speak, 40),
            (self._deliver_request, 45),
            (network.deliver_answer, 40),
            (network.lose_request, 2),
            (network.lose_answer, 3),
            (network.double_request, 5),
            (network.double_answer, 2),
            (crowd.vanish, 1),
            (crowd.speak_late, 2),
            (crowd.deny, 1),
            (self._ask_gateways, 4),
            (self.demands.deliver, 8),
            (self.demands.lose, 0.5),
            (self._crowd, 2),
        )

    def _access(self) -> tuple[tuple[Callable[[], None], float], ...]:
        radius = self.radius
        return (
            (radius.begin, 8),
            (radius.speak, 50),
            (self._deliver_datagram, 55),
            (radius.deliver_reply, 50),
            (radius.lose, 5),
            (radius.double, 5),
            (self._begin_server_anew, 0.5),
        )

    def _trouble(self) -> tuple[tuple[Callable[[], None], float], ...]:
        faults = self._faults
        return (
            (self._work, 50),
            (self._store_step, 110),
            (faults.replicate, 60),
            (faults.break_connection, 4),
            (faults.carry_out_late, 4),
            (faults.kill_worker, 1),
            (faults.lose_store, 1),
            (faults.crash_store, 1),
            (faults.restart_store, 8),
            (faults.cut_link, 4),
            (faults.mend_link, 8),
            (faults.promote, 1.5),
            (faults.hear_of_promotion, 10),
            (faults.set_clock, 0.7),
            (self._leap, 1),
            (self._sweep, 4),
            (self._tick_peers, 1),
            (self._pass_a_moment, 8),
            (self._pass_seconds, 2),
        )

    def _business(self, much: float) -> tuple[tuple[Callable[[], None], float], ...]:
        """What is done to accounts, and who reads of it."""
        operators, errands = self.operators, self.errands
        return (
            (operators.top_up, 2),
            (operators.move_number, 3),
            (operators.try_again, 6),
            (errands.begin, 8 * much),
            (errands.try_again, 5 * much),
            (errands.sweep, 3),
            (errands.trip, 3 * much),
            (self._payments.look, 3 * much),
            (self._read_events, 8),
        )

    # --- Steps ------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Let one thing happen."""
        actions, weights = self._choices
        (action,) = self.random.choices(actions, weights)
        action()

    def _is_split(self) -> bool:
        """Whether a worker talks to a site that is the primary no more."""
        return any(worker.connection.site is not self.sites.primary for worker in self.workers)

    def _is_in_use(self, identity: str) -> bool:
        return self.crowd.is_in_use(identity)  # there is nobody yet when operators begin

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

    def _deliver_request(self) -> None:
        self.network.deliver_request(self._any_worker())

    def _ask_gateways(self) -> None:
        self.demands.ask(self.workers)

    def _deliver_datagram(self) -> None:
        self.radius.deliver_request(self._any_worker())

    def _begin_server_anew(self) -> None:
        self.radius.begin_anew(self._any_worker())

    def _crowd(self) -> None:
        """Everybody speaks at once, and the workers race for the accounts, one of them faster than the other."""
        fast, slow = self.random.sample(self.workers, 2)
        for step in range(100):
            if step % 20 == 0:
                while self.network.has_answers:
                    self.network.deliver_answer()
                self._let_all_speak()
            worker = slow if self.random.random() < 0.2 else fast
            worker.engine.retry_stalled()
            worker.engine.run_group()
            worker.connection.step()
            self.sites.keep_up()

    def _let_all_speak(self) -> None:
        self.crowd.speak_all()
        while self.network.has_requests:
            self._deliver_request()

    def _expire(self, account_id: str, session_id: str) -> None:
        self._any_worker().engine.expire(account_id, session_id, is_gone=True)

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

    def _sweep(self) -> None:
        self._any_worker().supervisor.sweep()

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
                self.scene.note(
                    "waits until a session is looked at, and clock of worker", worker.name, "leaps"
                )
                self._pass_with_beats(wait_ms // 1000 + 1, sweeping=False)
        worker.supervisor.sweep()
        self._run_connections()
        worker.clock.off_ms += CLOCK_OFF_MS_MAX
        for _ in range(4):  # load, decide, commit, be told
            worker.engine.run_group()
            self._run_connections()
        worker.clock.off_ms = 0
        worker.supervisor.sweep()

    # --- Operators and readers --------------------------------------------------------------------------

    def _read_events(self) -> None:
        self.random.choice(self.readers).poll(self.random.randrange(PARTITIONS))

    # --- Time -------------------------------------------------------------------------------------------

    def _pass_ms(self, elapsed_ms: int) -> None:
        if elapsed_ms > CALL_TIMEOUT_MS:
            for connection in self._connections:
                if connection.unanswered:
                    connection.lose()  # nobody waits for so long
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
        self._let_all_speak()
        self._run(rounds=5)
        while self.network.has_answers:
            self.network.deliver_answer()

    def _pass_a_while(self) -> None:
        """Minutes or hours go by: with somebody beating it is silence of gateways, else it was our outage."""
        is_outage = self.random.random() < 0.3
        seconds = self.random.choice((10, 60, 400, 800))
        self.scene.note(seconds, "s of", "outage" if is_outage else "silence")
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
        self.scene.note("a day goes by")
        self.crowd.leave()
        self.radius.leave()
        self.network.forget()
        self.demands.forget()
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

    def _rest_until_something_is_due(self) -> None:
        """Nothing is under way: time goes by up to shortly before the next deadline, and workers are heard."""
        primary = self.sites.primary
        scores = [score for members in primary.data.deadlines.values() for score in members.values()]
        wait_ms = min(scores) + primary.data._outage_ms - primary.clock.now_ms() - 60_000
        for _ in range(0, wait_ms, 4000):
            self.clock.advance_ms(4000)
            self._mock_clock.jump(4)
            primary.write(lambda data, tell: data.heartbeat(tell), is_beat=True)

    def settle(self) -> None:
        """Repair everything, let what is on its way arrive, and wait until supervision has closed the rest."""
        self.scene.note("settles")
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
        while self.network.has_requests or self.radius.has_requests or not self.demands.is_empty:
            self._ask_gateways()
            self.demands.deliver()
            self._deliver_request()
            self._deliver_datagram()
            self._run()
        # Validity-Time and Tcc; outages move deadlines, and so does a clock that was set forward.
        longest_ms = 1000 * (SETTINGS.supervision_time_s + 600) + 2 * CLOCK_OFF_MS_MAX + 2 * self.outage_ms
        give_up_ms = self.clock.now_ms() + longest_ms
        while any(self.sites.primary.data.deadlines.values()) and self.clock.now_ms() < give_up_ms:
            self._rest_until_something_is_due()
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
        self.scene.note("ends with", [self.auditor.account(name) for name in sorted(self.auditor.books)])


def simulate(
    random: Random,
    steps: int = STEPS,
    *,
    theme: Theme | None = None,
    tell: Callable[[str], None] = print,
) -> World:
    """Play one story to its end.

    Args:
        theme: what it is about; by default its chance decides.
        tell: takes the story so far, should it end badly.

    Raises:
        AuditError: the auditor found something.
    """
    mock_clock = trio.testing.MockClock()

    async def play() -> World:
        world = World(random, mock_clock, theme)
        try:
            for _ in range(steps):
                world.step()
            world.settle()
        except BaseException:
            tell("\n".join(world.scene.trace))
            raise
        finally:
            world.errands.close()
        return world

    with structlog.testing.capture_logs():
        return trio.run(play, clock=mock_clock)
