"""Transactions over a network in memory, with a journal in a real database and a planner that takes what it is told."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import trio
from sqlalchemy import Connection, delete, insert, select

from ocs.clock import ManualClock
from ocs.migrations import upgrade_schema
from ocs.provisioning.configuration import Configuration, ConfigurationDiff
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.coordinator import Coordinator
from ocs.provisioning.transactions.means import Means
from ocs.provisioning.transactions.planner import WorkRefusedError
from ocs.provisioning.transactions.record import ElementPlan, Plan, Transaction, Work
from ocs.provisioning.transactions.states import TransactionState
from ocs.provisioning.transactions.steps import Step
from ocs.provisioning.transactions.tables import OWNER
from ocs.settings import Settings
from ocs.sql import Database, database_url
from tests.support.fake_network import FakeNetwork

CONFIRM_TIMEOUT_S = 120


class CrashedError(BaseException):
    """Our process dies here. No handler of errors may see it."""


class TrioClock(ManualClock):
    """Passes as trio's own clock does, and by what it is advanced."""

    def now_ms(self) -> int:
        """Milliseconds."""
        return super().now_ms() + round(trio.current_time() * 1000)


class InlineDatabase(Database):
    """Works in trio's own thread, so that a mocked clock stands still meanwhile.

    Attributes:
        is_dead: the process that used it has died; its tasks that are still being cancelled reach nothing any more.
    """

    is_dead = False

    async def read(self, work: Any) -> Any:
        """At once."""
        await trio.lowlevel.checkpoint()
        self._check_alive()
        return self.read_blocking(work)

    async def write(self, work: Any) -> Any:
        """At once."""
        await trio.lowlevel.checkpoint()
        self._check_alive()
        return self.write_blocking(work)

    def _check_alive(self) -> None:
        if self.is_dead:
            raise CrashedError


def make_template(folder: Path) -> Path:
    """A database file with the schema, to be copied: the schema's steps take longer than a test."""
    database = Database(database_url(Settings(), folder))
    upgrade_schema(database)
    database.close()
    return folder / "ocs.db"


class WantedChange(msgspec.Struct):
    """The payload of the lab's work: element -> change, and what is expected there; refused when it says why."""

    service: str
    changes: dict[str, ConfigurationDiff]
    expected: dict[str, dict[str, str | None]] = {}
    refusal: str = ""


class LabPlanner:
    """Plans what it is told; records that a service owns a path on each element, so that the record can be compared."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def plan(self, connection: Connection, payload: bytes) -> Plan:
        """What the payload says."""
        del connection
        wanted = msgspec.msgpack.decode(payload, type=WantedChange)
        if wanted.refusal:
            raise WorkRefusedError(wanted.refusal)
        plans = tuple(
            ElementPlan(element, diff, wanted.expected.get(element, {}))
            for element, diff in sorted(wanted.changes.items())
        )
        return Plan(plans, payload)

    def record(
        self, connection: Connection, effects: bytes, before: Mapping[str, Configuration], now_ms: int
    ) -> None:
        """The service owns what it set."""
        del now_ms
        wanted = msgspec.msgpack.decode(effects, type=WantedChange)
        assert before.keys() == wanted.changes.keys()
        connection.execute(delete(OWNER).where(OWNER.c.service_id == wanted.service))
        for element, diff in wanted.changes.items():
            for path, value in diff.set.items():
                connection.execute(
                    insert(OWNER).values(element=element, path=path, service_id=wanted.service, value=value)
                )

    def refuse(self, connection: Connection, payload: bytes, reason: str, now_ms: int) -> None:
        """Remember why."""
        del connection, payload, now_ms
        self.refused.append(reason)


class ProvisioningLab:
    """One network, one journal, and processes of ours that come and go.

    Attributes:
        steps: what was noted. crash_at: the number of the step at which our process dies; None: it does not.
    """

    def __init__(self, folder: Path, template: Path, *elements: Any) -> None:
        folder.mkdir(exist_ok=True)
        shutil.copy(template, folder / "ocs.db")
        self.network = FakeNetwork(*elements)
        self.database = InlineDatabase(database_url(Settings(), folder))
        self.clock = TrioClock(1_800_000_000_000)
        self.planner = LabPlanner()
        self.steps: list[tuple[str, Step]] = []
        self.crash_at: int | None = None
        self._happenings: dict[tuple[str, Step], Callable[[], object]] = {}

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def note(self, transaction_id: str, element: str, step: Step) -> None:
        """A step is about to happen; here our process may die."""
        del transaction_id
        if self.database.is_dead:
            raise CrashedError
        if self.crash_at is not None and len(self.steps) == self.crash_at:
            self.database.is_dead = True
            self.network.break_all()
            raise CrashedError
        self.steps.append((element, step))
        happening = self._happenings.pop((element, step), None)
        if happening is not None:
            happening()

    def once(self, step: Step, element: str, happening: Callable[[], object]) -> None:
        """Have something happen just before a step, the first time; the journal's steps have no element."""
        self._happenings[element, step] = happening

    def revive(self) -> None:
        """Another process of ours may begin; it does not die."""
        self.database.is_dead = False
        self.crash_at = None

    def means(self) -> Means:
        """What transactions are run with."""
        return Means(
            self.database,
            self.network,
            self.network.find,
            {"lab": self.planner},
            self.clock,
            CONFIRM_TIMEOUT_S,
            self.note,
        )

    def coordinator(self) -> Coordinator:
        """A new process of ours takes the queue."""
        now_ms = self.clock.now_ms()
        owner = f"process-{now_ms}"
        self.clock.advance_ms(1_000_000)
        fence = self.database.write_blocking(
            lambda connection: journal.take_lease(
                connection, owner, now_ms=self.clock.now_ms(), until_ms=self.clock.now_ms() + 1_000
            )
        )
        assert fence is not None
        return Coordinator(self.means(), fence=fence)

    def queue(self, transaction_id: str, wanted: WantedChange, **fields: Any) -> None:
        """Put work into the queue."""
        transaction = Transaction(
            transaction_id=transaction_id,
            state=TransactionState.QUEUED,
            work=Work("lab", msgspec.msgpack.encode(wanted)),
            description="a change",
            requested_by="test",
            elements=tuple(wanted.changes),
            created_ms=self.clock.now_ms(),
            **fields,
        )
        self.database.write_blocking(lambda connection: journal.add_transaction(connection, transaction))

    def transaction(self, transaction_id: str) -> Transaction:
        """What the journal says."""
        return self.database.read_blocking(
            lambda connection: journal.read_transaction(connection, transaction_id)
        )

    def owned(self) -> dict[str, set[str]]:
        """Element -> paths that a service owns by the record."""
        rows = self.database.read_blocking(
            lambda connection: connection.execute(select(OWNER.c.element, OWNER.c.path)).all()
        )
        found: dict[str, set[str]] = {}
        for element, path in rows:
            found.setdefault(element, set()).add(path)
        return found

    async def run_to_the_end(self, transaction_id: str, coordinator: Coordinator) -> Transaction:
        """Bring it to a final state, as the engine does: again while it is queued or an element is in doubt."""
        for _ in range(40):
            transaction = self.transaction(transaction_id)
            if transaction.state is TransactionState.QUEUED:
                await coordinator.run(transaction_id)
            elif journal.is_final(transaction.state):
                return transaction
            else:
                await coordinator.finish(transaction_id)
            await trio.sleep(20)
        raise AssertionError(f"no end: {self.transaction(transaction_id)}")
