"""Engines on a store in memory, stepped by hand, beside an auditor that checks each commit."""

import msgspec

from ocs.balance import keys
from ocs.balance.model import Account, LifecycleState, Subscriber, encode_value
from ocs.balance.store import Commit, Committed, TokenSource, Write
from ocs.charging.engine import Engine
from ocs.charging.supervisor import Supervisor
from ocs.charging.tariffs import Tariffs
from ocs.clock import ManualClock
from ocs.events import ChargeEvent, decode_event
from ocs.messages import ChargingAnswer, ChargingRequest, Outcome
from ocs.settings import ChargingSettings
from tests.support.auditor import Auditor, key_of
from tests.support.catalogue import lab_catalogue
from tests.support.connection import Connection, WatchedStore
from tests.support.ledger import MORNING_S, account_with, money
from tests.support.requests import ANNA

PARTITIONS = 4
BERT = "e164:491710000002"
SETTINGS = ChargingSettings(queue_requests=8, grant_share_percent=100)


class Lab:
    """Two accounts (``a`` of Anna, ``b`` of Bert), a store, and as many engines as a test wants."""

    def __init__(self) -> None:
        self.clock = ManualClock(MORNING_S * 1000)
        self.store = WatchedStore(self.clock)
        self.auditor = Auditor(self.clock, supervision_time_s=SETTINGS.supervision_time_s, store=self.store)
        self.tokens = TokenSource(b"testlab")
        for account_id, name, identity in (("a", "anna", ANNA), ("b", "bert", BERT)):
            account = msgspec.structs.replace(account_with(money(1_000_000)), account_id=account_id)
            book = self.auditor.books[account_id]
            book.values, book.credited = {"main": 1_000_000}, 1_000_000
            self.put(keys.account_key(self.partition(account_id), account_id), account)
            self.put_subscriber(account_id, name, identity)
            self.store.hints[keys.identity_key(identity)] = keys.encode_location(account_id, name)

    def partition(self, account_id: str) -> int:
        return keys.partition_of(account_id, PARTITIONS)

    def put_subscriber(self, account_id: str, name: str, *identities: str) -> None:
        subscriber = Subscriber(name, account_id, LifecycleState.ACTIVE, identities, ("packs", "basic"))
        self.put(keys.subscriber_key(self.partition(account_id), name), subscriber)

    def put(self, key: str, value: msgspec.Struct) -> None:
        """Write past the engines, as another worker or an operation would."""
        (current,) = self.store.apply(Commit(0, (key,), (b"?" * 12,), b"")).current  # type: ignore[union-attr]
        write = (Write(0, encode_value(value)),)
        assert isinstance(
            self.store.apply(Commit(0, (key,), (current.token,), self.tokens.next(), write)), Committed
        )

    def worker(self) -> "Worker":
        return Worker(self)

    def account(self, account_id: str = "a") -> Account:
        return self.auditor.account(account_id)

    def events(self) -> list[ChargeEvent]:
        return [decode_event(e) for stream in self.store.events.values() for e in stream]

    def reserved(self, account_id: str = "a") -> int:
        return sum(b.reserved for b in self.account(account_id).buckets)

    def balance(self, account_id: str = "a") -> int:
        return sum(b.value for b in self.account(account_id).buckets)


class Worker:
    """One engine with its supervision; what it answers is kept."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.connection = Connection(lab.store)
        self.engine = Engine(
            self.connection, Tariffs(lab_catalogue()), SETTINGS, lab.clock, partitions=PARTITIONS
        )
        self.supervisor = Supervisor(self.engine, self.connection, lab.clock, partitions=PARTITIONS)
        self.answers: list[tuple[ChargingRequest, ChargingAnswer]] = []

    def send(self, *requests: ChargingRequest) -> None:
        for request in requests:
            self.lab.auditor.sent[key_of(request)] = request
            self.engine.submit(request, lambda answer, r=request: self._answered(r, answer))

    def _answered(self, request: ChargingRequest, answer: ChargingAnswer) -> None:
        self.answers.append((request, answer))

    def run(self) -> None:
        """Do everything there is to do now, without waiting for a store that is away."""
        self.engine.run_group()
        while self.connection.step() or self.engine._pending:
            self.engine.run_group()

    def ask(self, request: ChargingRequest) -> ChargingAnswer:
        self.send(request)
        self.run()
        assert self.answers[-1][0] is request
        return self.answers[-1][1]

    @property
    def outcomes(self) -> list[Outcome]:
        return [answer.outcome for _, answer in self.answers]
