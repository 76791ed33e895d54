"""The world in which the simulation plays: engines on one store, links, gateways, faults, and the auditor.

Everything happens in one thread, one step after the other, chosen by one seeded random number generator: the same
seed is the same story.
"""

from collections.abc import Callable
from itertools import count
from random import Random

import trio
import trio.testing

from ocs.balance import keys
from ocs.balance.model import LifecycleState, decode_account, encode_value
from ocs.balance.store import (
    ABSENT,
    Commit,
    CommitResult,
    Committed,
    Conflict,
    Stored,
    TokenSource,
    Unavailable,
    Write,
)
from ocs.charging.engine import Engine
from ocs.charging.supervisor import Supervisor
from ocs.charging.tariffs import Tariffs
from ocs.clock import ManualClock
from ocs.events import encode_event
from ocs.messages import ChargingAnswer, ChargingRequest
from ocs.settings import ChargingSettings
from ocs.subscribers.operations import NewAccount, open_account, top_up
from ocs.units import Money
from tests.simulation.gateways import Caller
from tests.support.auditor import Auditor
from tests.support.catalogue import lab_catalogue
from tests.support.connection import Connection, WatchedStore
from tests.support.requests import copy_of

PARTITIONS = 2
SETTINGS = ChargingSettings(supervision_time_s=120, repeat_memory_s=7200, cache_accounts=2, queue_requests=24)
START_MS = 1_800_000_000_000
# Agents do not keep a message for longer.
COPY_LIFETIME_MS = 60_000
_CREATED = b"created....."


class Worker:
    """A charging worker that can be killed and started again."""

    def __init__(self, world: "World", name: int) -> None:
        self._world = world
        self._name = name
        self._lives = count(1)
        self.start()

    def start(self) -> None:
        world = self._world
        self.connection = Connection(world.store)
        nonce = bytes([self._name]) + next(self._lives).to_bytes(6, "big")
        self.engine = Engine(
            self.connection,
            Tariffs(lab_catalogue()),
            SETTINGS,
            world.clock,
            partitions=PARTITIONS,
            tokens=TokenSource(nonce),
        )
        self.supervisor = Supervisor(self.engine, self.connection, world.clock, partitions=PARTITIONS)
        self.supervisor.sweep()  # as the real worker does: supervision time is known before anything is loaded

    def kill(self, carried_out: int) -> None:
        self.connection.die(carried_out)
        self.start()

    def run(self) -> None:
        """Do all there is to do."""
        for _ in range(10_000):
            self.engine.retry_stalled()
            self.engine.run_group()
            if not self.connection.step() and not self.engine.has_work:
                return
        raise AssertionError("the engine does not come to rest")


class TopUp:
    """Somebody puts money on an account and tries until it is confirmed."""

    def __init__(
        self, world: "World", connection: Connection, account_id: str, amount_micro: int, reference: str
    ) -> None:
        self._world = world
        self._connection = connection
        self._account_id = account_id
        self._amount = Money(amount_micro, "EUR")
        self._reference = reference
        partition = keys.partition_of(account_id, PARTITIONS)
        self._partition = partition
        self._keys = keys.account_key(partition, account_id), keys.operation_key(partition, reference)
        self.is_done = False
        self.try_now()

    def try_now(self) -> None:
        self._connection.load(self._keys, self._loaded)

    def _loaded(self, values: tuple[Stored, ...] | Unavailable) -> None:
        if isinstance(values, Unavailable):
            return
        account, receipt = values
        if receipt.token != ABSENT:
            self.is_done = True
            return
        after, event = top_up(
            decode_account(account.content),
            self._amount,
            reference=self._reference,
            now_ms=self._world.clock.now_ms(),
        )
        writes = (Write(0, encode_value(after)), Write(1, b"receipt"))
        token = self._world.tokens.next()
        commit = Commit(
            self._partition, self._keys, (account.token, receipt.token), token, writes, (encode_event(event),)
        )
        self._connection.commit(commit, self._committed)

    def _committed(self, result: CommitResult) -> None:
        match result:
            case Committed():
                self.is_done = True
            case Conflict(current):
                self._loaded(current)
            case _:
                pass


class World:
    """Seeded; raises as soon as the auditor finds something.

    Attributes:
        trace: what was done, in words, to be printed when the story ends badly.
    """

    def __init__(self, random: Random, mock_clock: trio.testing.MockClock) -> None:
        self.random = random
        self._mock_clock = mock_clock
        self.clock = ManualClock(START_MS)
        self.store = WatchedStore(self.clock)
        self.auditor = Auditor(self.store, self.clock, supervision_time_s=SETTINGS.supervision_time_s)
        self.tokens = TokenSource(b"topups.")
        self.trace: list[str] = []
        self.outage_ms = 0
        self._identities: list[str] = []
        self._accounts: list[str] = []
        self._create_accounts()
        self.workers = [Worker(self, 1), Worker(self, 2)]
        self._topup_connection = Connection(self.store)
        self._topups: list[TopUp] = []
        self._callers: list[Caller] = []
        self._silent: list[Caller] = []
        self._names = count(1)
        self._to_engines: list[tuple[int, Caller, ChargingRequest]] = []
        self._to_gateways: list[tuple[Caller, ChargingRequest, ChargingAnswer]] = []
        self._actions: tuple[tuple[Callable[[], None], float], ...] = (
            (self._begin, 5),
            (self._speak, 22),
            (self._deliver_request, 30),
            (self._work, 40),
            (self._store_step, 60),
            (self._deliver_answer, 25),
            (self._lose_request, 2),
            (self._lose_answer, 3),
            (self._double_request, 3),
            (self._double_answer, 2),
            (self._break_connection, 2),
            (self._kill_worker, 1),
            (self._stop_store, 1),
            (self._vanish, 1),
            (self._speak_late, 2),
            (self._sweep, 4),
            (self._top_up, 2),
            (self._pass_a_moment, 10),
            (self._pass_a_while, 0.5),
            (self._pass_a_day, 0.2),
        )

    def _create_accounts(self) -> None:
        """Three accounts, one of them shared by three subscribers, one with a credit limit, one nearly empty."""
        openings = (("shared", 3, 2_000_000, 0), ("postpaid", 1, 0, 3_000_000), ("poor", 1, 100_000, 0))
        number = 491710000000
        for account_id, subscribers, opening, limit in openings:
            self._accounts.append(account_id)
            names = [f"{account_id}.{index}" for index in range(subscribers)]
            number += len(names)
            identities = [f"e164:{number + index}" for index in range(subscribers)]
            number += subscribers
            new = NewAccount(
                account_id, names[0], (identities[0],), ("packs", "basic"), Money(opening, "EUR"), limit
            )
            opened = open_account(new, lab_catalogue(), self.clock.now_ms())
            partition = keys.partition_of(account_id, PARTITIONS)
            values = {keys.account_key(partition, account_id): encode_value(opened.account)}
            for name, identity in zip(names, identities, strict=True):
                member = opened.subscriber
                member = type(member)(name, account_id, LifecycleState.ACTIVE, (identity,), member.offers)
                values[keys.subscriber_key(partition, name)] = encode_value(member)
                self.store.hints[keys.identity_key(identity)] = keys.encode_location(account_id, name)
                self._identities.append(identity)
            self.store.apply(
                Commit(
                    partition, tuple(values), (ABSENT,) * len(values), _CREATED + account_id.encode(),
                    tuple(Write(index, value) for index, value in enumerate(values.values())),
                    tuple(encode_event(event) for event in opened.events),
                )
            )  # fmt: skip

    # --- Steps ------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Let one thing happen."""
        actions, weights = zip(*self._actions, strict=True)
        (action,) = self.random.choices(actions, weights)
        action()

    def _note(self, *what: object) -> None:
        self.trace.append(f"{self.clock.now_ms() - START_MS:>8} " + " ".join(str(part) for part in what))

    def _any_worker(self) -> Worker:
        return self.random.choice(self.workers)

    def _begin(self) -> None:
        if len(self._callers) < 8:
            name = f"gw{self.random.randint(1, 3)};{next(self._names)}"
            identity = self.random.choice(self._identities)
            self._callers.append(Caller(self.random, name, identity, self.clock.now_ms() // 1000))

    def _speak(self) -> None:
        callers = [caller for caller in self._callers if not caller.is_over]
        if callers:
            self._say(self.random.choice(callers))
        self._callers = callers

    def _say(self, caller: Caller) -> None:
        is_again = caller.pending
        request = caller.next_request()
        if is_again is request:
            request = copy_of(request)
        self.auditor.sent[
            request.session_id, int(request.request_type), request.request_number, request.fingerprint
        ] = request
        self._note(
            "says", request.session_id, request.request_type.name, request.request_number, request.services
        )
        self._to_engines.append((self.clock.now_ms(), caller, request))

    def _deliver_request(self) -> None:
        if not self._to_engines:
            return
        sent_ms, caller, request = self._to_engines.pop(self.random.randrange(len(self._to_engines)))
        if self.clock.now_ms() - sent_ms > COPY_LIFETIME_MS:
            return
        worker = self._any_worker()
        self._note("arrives", request.session_id, request.request_number, "at", self.workers.index(worker))

        def reply(answer: ChargingAnswer) -> None:
            self._note("answered", request.session_id, request.request_number, answer)
            self.auditor.answered(request, answer)
            self._to_gateways.append((caller, request, answer))

        worker.engine.submit(request, reply)

    def _work(self) -> None:
        worker = self._any_worker()
        worker.engine.run_group()
        if self.random.random() < 0.2:
            worker.engine.retry_stalled()

    def _store_step(self) -> None:
        self.random.choice((*(worker.connection for worker in self.workers), self._topup_connection)).step()

    def _deliver_answer(self) -> None:
        if self._to_gateways:
            caller, request, answer = self._to_gateways.pop(self.random.randrange(len(self._to_gateways)))
            caller.hear(request, answer)

    def _lose_request(self) -> None:
        if self._to_engines:
            self._to_engines.pop(self.random.randrange(len(self._to_engines)))

    def _lose_answer(self) -> None:
        if self._to_gateways:
            self._to_gateways.pop(self.random.randrange(len(self._to_gateways)))

    def _double_request(self) -> None:
        if self._to_engines:
            sent_ms, caller, request = self.random.choice(self._to_engines)
            self._to_engines.append((sent_ms, caller, copy_of(request)))

    def _double_answer(self) -> None:
        if self._to_gateways:
            self._to_gateways.append(self.random.choice(self._to_gateways))

    def _break_connection(self) -> None:
        connections = (*(worker.connection for worker in self.workers), self._topup_connection)
        connection = self.random.choice(connections)
        carried_out = self.random.randint(0, connection.queued)
        self._note("connection breaks, carried out", carried_out, "of", connection.queued)
        connection.lose(carried_out)

    def _kill_worker(self) -> None:
        worker = self._any_worker()
        carried_out = self.random.randint(0, worker.connection.queued)
        self._note("worker killed, carried out", carried_out, "of", worker.connection.queued)
        worker.kill(carried_out)

    def _stop_store(self) -> None:
        """A worker cannot reach the store, for as long as others do their steps."""
        away = [worker for worker in self.workers if worker.connection.is_down]
        if not away and self.random.random() < 0.7:
            return
        worker = self.random.choice(away) if away else self._any_worker()
        worker.connection.is_down = not worker.connection.is_down
        if worker.connection.is_down:
            worker.connection.lose(self.random.randint(0, worker.connection.queued))
        self._note(
            "store", "away" if worker.connection.is_down else "back", "for", self.workers.index(worker)
        )

    def _vanish(self) -> None:
        if self._callers:
            caller = self._callers.pop(self.random.randrange(len(self._callers)))
            self._note("vanishes", caller.session_id)
            self._silent.append(caller)

    def _speak_late(self) -> None:
        silent = [caller for caller in self._silent if not caller.is_over]
        if silent:
            caller = self.random.choice(silent)
            self._note("comes back", caller.session_id)
            self._say(caller)

    def _sweep(self) -> None:
        self._any_worker().supervisor.sweep()

    def _top_up(self) -> None:
        for topup in self._topups:
            if not topup.is_done and self.random.random() < 0.5:
                topup.try_now()
        account_id = self.random.choice(self._accounts)
        reference = f"card-{next(self._names)}"
        amount = self.random.randint(1, 400_000)
        self._note("tops up", account_id, amount)
        self._topups.append(TopUp(self, self._topup_connection, account_id, amount, reference))

    def _pass_ms(self, elapsed_ms: int) -> None:
        self.clock.advance_ms(elapsed_ms)
        self.outage_ms += elapsed_ms  # at most: whether anybody was heard meanwhile, the store knows
        self._mock_clock.jump(elapsed_ms / 1000)

    def _pass_a_moment(self) -> None:
        self._pass_ms(self.random.randint(1, 1500))

    def _pass_a_while(self) -> None:
        """Minutes or hours go by: with somebody beating it is silence of gateways, else it was our outage."""
        is_outage = self.random.random() < 0.3
        seconds = self.random.choice((10, 60, 400, 800))
        self._note(seconds, "s of", "outage" if is_outage else "silence")
        if is_outage:
            self._pass_ms(seconds * 1000)
            return
        for _ in range(seconds // 4):
            self._pass_ms(4000)
            for worker in self.workers:
                worker.supervisor.sweep()
                if not worker.connection.is_down:
                    worker.connection.run()

    def _pass_a_day(self) -> None:
        """Nobody is there, neither gateways nor we; allowances end, those that sessions hold as well."""
        self._note("a day goes by")
        self._callers, self._silent, self._to_engines = [], [], []
        for worker in self.workers:
            worker.kill(0)
        self._pass_ms(86_400_000 + self.random.randint(0, 3_600_000))

    # --- The end ----------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Repair everything, let what is on its way arrive, and wait until supervision has closed the rest."""
        self._note("settles")
        for worker in self.workers:
            worker.connection.is_down = False
            worker.run()
        while self._to_engines:
            self._deliver_request()
            for worker in self.workers:
                worker.run()
        give_up_ms = self.clock.now_ms() + 1000 * (SETTINGS.supervision_time_s + 600) + 2 * self.outage_ms
        while any(self.store.deadlines.values()) and self.clock.now_ms() < give_up_ms:
            self._pass_ms(4000)
            for worker in self.workers:
                worker.supervisor.sweep()
                worker.run()
        for topup in self._topups:
            if not topup.is_done:
                topup.try_now()
        self._topup_connection.run()
        assert all(topup.is_done for topup in self._topups)
        for worker in self.workers:
            assert worker.engine.in_flight == 0, worker.engine.in_flight
        self.auditor.close_the_books()


def simulate(random: Random, steps: int) -> World:
    """Play one story to its end.

    Raises:
        AuditError: the auditor found something; the story so far is printed.
    """
    mock_clock = trio.testing.MockClock()

    async def play() -> World:
        world = World(random, mock_clock)
        try:
            for _ in range(steps):
                world.step()
            world.settle()
        except BaseException:
            print("\n".join(world.trace))
            raise
        return world

    return trio.run(play, clock=mock_clock)
