"""Three elements that are really spoken to: netconfd, and two simulated ones of which one cannot undo by itself."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from pathlib import Path

import msgspec
import trio
from sqlalchemy import Connection, delete, select

from ocs.asyncio_bridge import asyncio_loop
from ocs.clock import SystemClock
from ocs.provisioning.configuration import Configuration, ConfigurationDiff, changed, difference
from ocs.provisioning.credentials import Credential, Secrets
from ocs.provisioning.element import Element
from ocs.provisioning.element_type import load_element_types
from ocs.provisioning.sessions import Sessions
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.coordinator import Coordinator
from ocs.provisioning.transactions.means import Means
from ocs.provisioning.transactions.record import Transaction, Work
from ocs.provisioning.transactions.states import TransactionState
from ocs.provisioning.transactions.steps import NoteStep, note_nothing
from ocs.provisioning.transactions.tables import OWNER
from ocs.settings import Settings
from ocs.sql import Database, database_url
from simulators.element.netconf_element import NetconfElement
from simulators.element.park import Park
from tests.support.elements import ROOT, TYPES, YANG, ethernet, interface
from tests.support.netconfd import SUBSYSTEM, Netconfd
from tests.support.processes import processes_with
from tests.support.provisioning_lab import LabPlanner, WantedChange

SIMULATED = {"pe1": "candidate", "pe2": "no-confirmed"}
NETCONFD = "netconfd"
NAMES = (NETCONFD, *SIMULATED)
BEFORE: dict[str, str | None] = {**ethernet("ge-0", "before"), **ethernet("ge-old", "goes")}
CHANGE = ConfigurationDiff(
    {f"{interface('ge-0')}/description": "after", **ethernet("ge-new", "came")}, (interface("ge-old"),)
)
AFTER = changed(BEFORE, CHANGE)
SERVICE = "service-1"
CONFIRM_TIMEOUT_S = 60
# Of an answer that never comes: the elements are on this machine.
_TIMEOUT_S = 10.0
_ATTEMPTS = 100
_CHILD_S = 120.0


def _patience_s(type_name: str) -> float:
    """Little with simulated elements, of which many stall on purpose; netconfd is only slow on a busy machine."""
    return 5 * _TIMEOUT_S if type_name == "yuma" else _TIMEOUT_S


class Reach(msgspec.Struct, frozen=True):
    """How the elements are reached, as data: another process of ours can be told.

    Attributes:
        credentials: name -> who we are. folder: of the database.
    """

    elements: dict[str, Element]
    credentials: dict[str, Credential]
    folder: str

    def sessions(self) -> Sessions:
        """Ways to them, with little patience."""
        types = {
            name: msgspec.structs.replace(
                kind,
                netconf=kind.netconf
                and msgspec.structs.replace(
                    kind.netconf, timeout_s=_patience_s(name), commit_timeout_s=_patience_s(name)
                ),
            )
            for name, kind in load_element_types(TYPES).items()
        }
        return Sessions(types, self.credentials, Secrets({}), yang_folders=[YANG])

    def database(self) -> Database:
        """The journal."""
        return Database(database_url(Settings(), Path(self.folder)))

    def means(self, sessions: Sessions, database: Database, note_step: NoteStep = note_nothing) -> Means:
        """What transactions are run with."""

        async def find(name: str) -> Element | None:
            return self.elements.get(name)

        return Means(
            database, sessions, find, {"lab": LabPlanner()}, SystemClock(), CONFIRM_TIMEOUT_S, note_step
        )


class RealNetwork:
    """The three elements, and a journal.

    Attributes:
        simulated: those whose faults are given.
    """

    def __init__(self, server: Netconfd, park: Park, folder: Path, template: Path) -> None:
        shutil.copy(template, folder / "ocs.db")
        self._server = server
        self.simulated: dict[str, NetconfElement] = {
            name: park.netconf(name, profile=profile, running=BEFORE) for name, profile in SIMULATED.items()
        }
        elements = {NETCONFD: server.element()}
        for name, one in self.simulated.items():
            elements[name] = Element(
                name=name,
                type_name="netconf",
                address=one.address,
                port=one.port,
                credential="simulated",
                host_key=one.host_key,
            )
        self.reach = Reach(
            elements,
            {"lab": server.credential, "simulated": Credential(user="admin", password="admin")},
            str(folder),
        )
        self._database = self.reach.database()
        self._number = 0

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    # --- The elements -----------------------------------------------------------------------------------

    async def reset(self) -> None:
        """Everything as it was before the first transaction."""
        for one in self.simulated.values():
            one.faults.clear()
            one.start()
            one.expire_confirmed_commit()
            diff = difference(one.running(), BEFORE)
            one.change(diff.set, diff.removed)
            one.faults.steps.clear()
        async with self.reach.sessions().session(self.reach.elements[NETCONFD]) as session:
            diff = difference(await session.read(), BEFORE)
            if diff:
                await session.begin()
                await session.stage(diff)
                await session.commit()
                await session.release()
        self._database.write_blocking(_forget_owners)

    async def running(self) -> dict[str, Configuration]:
        """What each element runs."""
        found: dict[str, Configuration] = {name: one.running() for name, one in self.simulated.items()}
        async with self.reach.sessions().session(self.reach.elements[NETCONFD]) as session:
            found[NETCONFD] = await session.read()
        return found

    def break_netconfd(self) -> None:
        """Break every connection with netconfd."""
        for pid, command in processes_with(f"830@{self._server.folder}").items():
            if SUBSYSTEM is not None and command.startswith(SUBSYSTEM):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    # --- Transactions -----------------------------------------------------------------------------------

    def queue(self) -> str:
        """Put the change of all three into the queue."""
        self._number += 1
        transaction_id = f"t{self._number}"
        work = Work("lab", msgspec.msgpack.encode(WantedChange(SERVICE, dict.fromkeys(NAMES, CHANGE))))
        transaction = Transaction(
            transaction_id=transaction_id,
            state=TransactionState.QUEUED,
            work=work,
            description="a change",
            requested_by="test",
            elements=NAMES,
        )
        self._database.write_blocking(lambda connection: journal.add_transaction(connection, transaction))
        return transaction_id

    def transaction(self, transaction_id: str) -> Transaction:
        """What the journal says."""
        return self._database.read_blocking(
            lambda connection: journal.read_transaction(connection, transaction_id)
        )

    async def run_to_the_end(self, transaction_id: str, note_step: NoteStep = note_nothing) -> Transaction:
        """Bring it to a final state, as a new process of ours does."""
        self._number += 1
        owner, until_ms = f"test-{self._number}", 2**62
        fence = self._database.write_blocking(
            lambda connection: journal.take_lease(connection, owner, now_ms=2**62 + 1, until_ms=until_ms)
        )
        assert fence is not None
        for _ in range(_ATTEMPTS):
            # As anew as a restart: no circuit breaker makes us wait.
            means = self.reach.means(self.reach.sessions(), self._database, note_step)
            coordinator = Coordinator(means, fence=fence)
            transaction = self.transaction(transaction_id)
            if journal.is_final(transaction.state):
                self._database.write_blocking(lambda connection: journal.give_lease_back(connection, owner))
                return transaction
            if transaction.state is TransactionState.QUEUED:
                await coordinator.run(transaction_id)
            else:
                await coordinator.finish(transaction_id)
            await trio.sleep(0.01)
        raise AssertionError(f"no end: {self.transaction(transaction_id)}")

    def run_killed(self, transaction_id: str, killed_at: int) -> str | None:
        """Have a process work on it that is killed before a step; returns which; None: it ended before."""
        orders = {"reach": self.reach, "transaction_id": transaction_id, "killed_at": killed_at}
        child = subprocess.run(
            [sys.executable, "-m", "tests.support.provisioning_child"],
            input=msgspec.json.encode(orders), capture_output=True, cwd=ROOT, timeout=_CHILD_S, check=False,
        )  # fmt: skip
        assert child.returncode in {0, -signal.SIGKILL}, child.stderr.decode()
        return child.stdout.decode().strip() or None

    async def check_all_or_nothing(self, transaction_id: str, story: str) -> TransactionState:
        """The journal, the elements and the record of the service agree, and nothing half done is left."""
        transaction = self.transaction(transaction_id)
        is_done = transaction.state is TransactionState.DONE
        assert journal.is_final(transaction.state), story
        wanted: Mapping[str, str | None] = AFTER if is_done else BEFORE
        for name, running in (await self.running()).items():
            assert running == wanted, (
                f"{story}: {transaction.state.value} ({transaction.reason}), but {name} differs"
            )
        owned = {element: paths for element, paths in self._owned().items() if paths}
        assert owned == ({name: set(CHANGE.set) for name in NAMES} if is_done else {}), story
        for name, one in self.simulated.items():
            assert one.pending() is None, f"{story}: {name} waits for a confirmation"
            assert not one.is_dirty(), f"{story}: {name}'s candidate is dirty"
        return transaction.state

    def _owned(self) -> dict[str, set[str]]:
        rows = self._database.read_blocking(_owner_rows)
        found: dict[str, set[str]] = {}
        for element, path in rows:
            found.setdefault(element, set()).add(path)
        return found


def _owner_rows(connection: Connection) -> list[tuple[str, str]]:
    return [(element, path) for element, path in connection.execute(select(OWNER.c.element, OWNER.c.path))]


def _forget_owners(connection: Connection) -> None:
    connection.execute(delete(OWNER))


@contextlib.contextmanager
def real_network(server: Netconfd, folder: Path, template: Path) -> Generator[RealNetwork]:
    """The network for the length of a block."""
    with Park() as park:
        network = RealNetwork(server, park, folder, template)
        try:
            yield network
        finally:
            network.close()


@contextlib.asynccontextmanager
async def patient_loop(patience_s: float = 120.0) -> AsyncGenerator[None]:
    """Elements can be spoken to within, for a bounded time."""
    with trio.fail_after(patience_s):
        async with asyncio_loop():
            yield
