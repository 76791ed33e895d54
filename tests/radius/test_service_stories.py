"""Two workers on one store, servers that repeat until they are heard, a network that doubles, delays and reorders.

Hypothesis tells the story. Whatever happens in it, each session has paid in the end for what its last counters say.
"""

from collections.abc import Callable
from itertools import count

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from ocs.balance import keys
from ocs.balance.memory_store import MemoryStore
from ocs.balance.model import Account, LifecycleState, Subscriber, decode_account, encode_value
from ocs.balance.purse import check_invariants
from ocs.balance.store import Commit, TokenSource, Write
from ocs.charging.engine import Engine
from ocs.charging.tariffs import Tariffs
from ocs.clock import ManualClock
from ocs.events import decode_event
from ocs.log import RepeatLimiter
from ocs.radius.clients import Client, Clients, parse_network
from ocs.radius.known_sessions import KnownSessions
from ocs.radius.packet import decode, is_genuine_reply
from ocs.radius.service import Door, RadiusService
from ocs.settings import ChargingSettings
from tests.radius.access_server import SECRET, AccessServer
from tests.support.catalogue import lab_catalogue
from tests.support.connection import Connection
from tests.support.ledger import MORNING_S, account_with, money

PARTITIONS = 2
ANNA = "nai:anna@a.example"
HOST = "192.0.2.1"
CLIENT = Client("lab", parse_network(HOST), SECRET)


class NoOrders:
    def submit(self, code: object, session_id: str, place: object, attributes: object = ()) -> bool:
        return True


class Worker:
    """One engine with RADIUS before it."""

    def __init__(self, world: "World") -> None:
        self.connection = Connection(world.store)
        self.engine = Engine(
            self.connection, world.tariffs, ChargingSettings(), world.clock, partitions=PARTITIONS
        )
        self.service = RadiusService(
            Clients((CLIENT,)),
            self.engine,
            NoOrders(),
            KnownSessions(Clients((CLIENT,))),
            world.clock,
            RepeatLimiter(world.clock),
            on_nas_restarted=lambda *_: None,
            interim_interval_s=600,
        )

    def run(self) -> None:
        for _ in range(100):
            self.engine.retry_stalled()
            self.engine.run_group()
            if not self.connection.step() and not self.engine.has_work:
                return


class Session:
    """What an access server counts, and which of its packets have not been answered."""

    def __init__(self, nas: AccessServer, name: str, class_value: bytes) -> None:
        self._nas, self._name = nas, name
        self._told = {"User_Name": "anna@a.example", **({"Class": class_value} if class_value else {})}
        self.octets = self.time_s = 0
        self.is_over = False

    def report(self, status: str, octets: int, elapsed_s: int) -> bytes:
        self.octets += octets
        self.time_s += elapsed_s
        self.is_over = status == "Stop"
        counters = {"Acct_Output_Octets": self.octets, "Acct_Session_Time": self.time_s}
        return self._nas.accounting_request(status, self._name, **self._told, **counters).RequestPacket()


class World:
    """One account, a store, two workers, and the packets in between."""

    def __init__(self) -> None:
        self.clock = ManualClock(MORNING_S * 1000)
        self.store = MemoryStore(self.clock)
        self.tariffs = Tariffs(lab_catalogue())
        self._tokens = TokenSource(b"stories")
        subscriber = Subscriber("anna", "a", LifecycleState.ACTIVE, (ANNA,), ("packs", "basic"))
        self._put(keys.account_key(self.partition, "a"), account_with(money(1_000_000_000)))
        self._put(keys.subscriber_key(self.partition, "anna"), subscriber)
        self.store.hints[keys.identity_key(ANNA)] = keys.encode_location("a", "anna")
        self.workers = [Worker(self), Worker(self)]
        self.unanswered: dict[bytes, Door] = {}
        self.sent: list[tuple[Door, bytes]] = []
        self.replies: dict[bytes, bytes] = {}
        self._ports = count(1024)

    @property
    def partition(self) -> int:
        return keys.partition_of("a", PARTITIONS)

    def _put(self, key: str, value: Account | Subscriber) -> None:
        self.store.apply(Commit(0, (key,), (b"",), self._tokens.next(), (Write(0, encode_value(value)),)))

    def send(self, door: Door, octets: bytes) -> None:
        self.unanswered[octets] = door
        self.sent.append((door, octets))

    def deliver(self, worker: Worker, door: Door, octets: bytes) -> None:
        """Let a packet arrive, from a port of its own where it is a late copy."""

        def heard(reply: bytes) -> None:
            assert is_genuine_reply(decode(reply), octets[4:20], SECRET)
            self.replies[octets] = reply
            self.unanswered.pop(octets, None)

        worker.service.take(door, octets, HOST, next(self._ports), heard)

    def until_heard(self, pick: Callable[[int], int] = lambda _: 0) -> None:
        """Repeat what has no reply until all has one."""
        for attempt in range(20):
            if not self.unanswered:
                return
            for octets, door in list(self.unanswered.items()):
                worker = self.workers[pick(attempt) % 2]
                self.deliver(worker, door, octets)
                worker.run()
            self.clock.advance_ms(100)
        raise AssertionError(f"{len(self.unanswered)} packets are never answered")

    def account(self) -> Account:
        (stored,) = self.store.apply(
            Commit(0, (keys.account_key(self.partition, "a"),), (b"?" * 12,), b"")
        ).current  # type: ignore[union-attr]
        return decode_account(stored.content)

    def charged(self) -> int:
        events = [decode_event(event) for stream in self.store.events.values() for event in stream]
        assert len({event.event_id for event in events}) == len(events)
        return sum(event.units for event in events)


class Story:
    """What happens, one draw after the other."""

    def __init__(self, data: st.DataObject, nas: AccessServer) -> None:
        self._data, self._nas = data, nas
        self.world = World()
        self.sessions: list[Session] = []

    def draw(self, below: int) -> int:
        return self._data.draw(st.integers(0, below - 1))

    def begin(self) -> None:
        """A session begins: asked for, or just there."""
        name = f"s{len(self.sessions)}"
        class_value = b""
        if self.draw(2):
            request = self._nas.access_request("anna@a.example").RequestPacket()
            self.world.send(Door.AUTHORISATION, request)
            self.world.until_heard(self.draw_worker)
            class_value = next(
                found.value for found in decode(self.world.replies[request]).attributes if found.type == 25
            )
        session = Session(self._nas, name, class_value)
        self.sessions.append(session)
        if self.draw(2):
            self.world.send(Door.ACCOUNTING, session.report("Start", 0, 0))

    def draw_worker(self, _attempt: int) -> int:
        return self.draw(2)

    def go_on(self) -> None:
        live = [session for session in self.sessions if not session.is_over]
        if live:
            session = live[self.draw(len(live))]
            elapsed_s = 1 + self.draw(120)
            self.world.clock.advance_ms(elapsed_s * 1000)
            status = "Stop" if self.draw(6) == 0 else "Interim-Update"
            self.world.send(Door.ACCOUNTING, session.report(status, self.draw(100_000), elapsed_s))

    def arrive(self) -> None:
        """Some packet that was sent, early or long ago, arrives (again)."""
        if self.world.sent:
            door, octets = self.world.sent[self.draw(len(self.world.sent))]
            self.world.deliver(self.worker(), door, octets)

    def work(self) -> None:
        worker = self.worker()
        worker.engine.run_group()
        worker.connection.step()

    def lose(self) -> None:
        worker = self.worker()
        worker.connection.lose(self.draw(3))

    def die(self) -> None:
        place = self.draw(2)
        self.world.workers[place].connection.die(self.draw(3))
        self.world.workers[place] = Worker(self.world)

    def worker(self) -> Worker:
        return self.world.workers[self.draw(2)]

    def tell(self, steps: int) -> None:
        happenings = (
            self.begin, self.go_on, self.go_on, self.arrive, self.arrive, self.arrive,
            self.work, self.work, self.work, self.lose, self.die,
        )  # fmt: skip
        self.begin()
        for _ in range(steps):
            happenings[self.draw(len(happenings))]()
        for session in self.sessions:
            if not session.is_over:
                self.world.send(Door.ACCOUNTING, session.report("Stop", self.draw(100_000), 1))
        self.world.until_heard(self.draw_worker)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_each_session_pays_for_its_last_counters_whatever_happens_on_the_way(data: st.DataObject) -> None:
    nas = AccessServer()

    async def main() -> None:
        story = Story(data, nas)
        story.tell(40)
        account = story.world.account()
        check_invariants(account)
        assert story.world.charged() == sum(session.octets for session in story.sessions)

    try:
        trio.run(main, clock=trio.testing.MockClock())
    finally:
        nas.close()
