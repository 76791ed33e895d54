"""Group ``provisioning``: sessions with many elements, a baseline on all of them with verification, edits of one.

The elements are simulated, in a process of their own; what is counted is ours: processor time, and the memory that a
session takes while it is idle. Each baseline is a transaction with journal, confirmed commit, reading back and record.
"""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Final

import msgspec
import trio

from bench.figures import Figure
from bench.gy import BenchError, Say
from bench.processes import process_use
from ocs.asyncio_bridge import asyncio_loop
from ocs.clock import SystemClock
from ocs.inventory.elements import add_elements
from ocs.inventory.model import ElementRecord, Kind, Resource
from ocs.provisioning.configuration import ConfigurationDiff
from ocs.provisioning.credentials import Credential, Secrets
from ocs.provisioning.element import Element
from ocs.provisioning.element_type import load_element_types
from ocs.provisioning.services.planner import KIND, ServiceAction, ServiceOrder, encode_order
from ocs.provisioning.sessions import Sessions
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.engine import Engine
from ocs.provisioning.transactions.means import Means
from ocs.provisioning.transactions.record import Transaction, Work
from ocs.provisioning.transactions.states import TransactionState
from ocs.provisioning_setup import element_finder, open_database, planners
from ocs.settings import Settings
from ocs.sql import Database

_ELEMENTS: Final = 500
_EDITS: Final = 200
_NETWORK: Final = Path(__file__).resolve().parent.parent / "config" / "network"
_TYPE: Final = "netconf"
_CONFIRM_TIMEOUT_S: Final = 600
_PATIENCE_S: Final = 3_600.0
_LOCATION: Final = "/ietf-system:system/location"


def run_provisioning(folder: Path, *, say: Say, count: int = _ELEMENTS, edits: int = _EDITS) -> list[Figure]:
    """Measure.

    Args:
        folder: an empty folder for the database. count: elements; tests take few. edits: of one of them.

    Raises:
        BenchError: the elements did not start, or a transaction was not done.
    """
    say(f"provisioning: {count} simulated elements start")
    with _elements(count) as elements:
        database = open_database(Settings(), folder)
        try:
            records = [
                ElementRecord(
                    resource=Resource(resource_id=one.name, kind=Kind.ELEMENT), management=one, role="ne"
                )
                for one in elements
            ]
            database.write_blocking(lambda connection: add_elements(connection, records))
            return trio.run(_measure, database, elements, edits, say)
        finally:
            database.close()


@contextmanager
def _elements(count: int) -> Generator[list[Element]]:
    command = [sys.executable, "-m", "simulators.cli", "element", "--count", str(count), "--one-host-key"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().split(maxsplit=2) for _ in range(count)]
        if not all(len(line) == 3 for line in lines):
            raise BenchError("provisioning: the simulated elements did not start")
        yield [_element(*line) for line in lines]
    finally:
        process.terminate()
        process.communicate()


def _element(name: str, address: str, host_key: str) -> Element:
    host, _, port = address.rpartition(":")
    return Element(
        name=name, type_name=_TYPE, address=host, port=int(port), credential="lab", host_key=host_key.strip()
    )


async def _measure(database: Database, elements: list[Element], edits: int, say: Say) -> list[Figure]:
    types = load_element_types(_NETWORK / "types")
    credentials = {"lab": Credential(user="admin", password="admin")}  # noqa: S106 - of the simulated elements
    sessions = Sessions(
        types, credentials, Secrets({}), yang_folders=[_NETWORK / "yang"], sessions_max=len(elements) + 8
    )
    with trio.fail_after(_PATIENCE_S):
        async with asyncio_loop():
            async with sessions.session(elements[0]) as session:
                await session.read()  # the schema is loaded, whatever is loaded once
            figures = await _open_all(sessions, elements, say)
            figures += await _baselines(database, sessions, elements, say)
            figures += await _edit_one(sessions, elements[0], edits, say)
    return figures


async def _open_all(sessions: Sessions, elements: list[Element], say: Say) -> list[Figure]:
    before_octets, begin_s = _resident_octets(), time.monotonic()
    async with AsyncExitStack() as stack:
        places = [trio.Event() for _ in elements]

        async def hold(element: Element, is_open: trio.Event, end: trio.Event) -> None:
            async with sessions.session(element):
                is_open.set()
                await end.wait()

        end = trio.Event()
        nursery = await stack.enter_async_context(trio.open_nursery())
        for element, is_open in zip(elements, places, strict=True):
            nursery.start_soon(hold, element, is_open, end)
        for is_open in places:
            await is_open.wait()
        elapsed_s = time.monotonic() - begin_s
        each_kb = (_resident_octets() - before_octets) / len(elements) / 1_000
        end.set()
    say(f"provisioning: {len(elements)} sessions up in {elapsed_s:.1f} s, {each_kb:.0f} kB each")
    note = f"{len(elements)} elements, SSH key exchange and hello, at once"
    return [
        Figure("provisioning_sessions_up_s", elapsed_s, "s", "under 10", note),
        Figure("provisioning_session_kb", each_kb, "kB", "at most 100", "resident memory of ours, idle"),
    ]


def _resident_octets() -> int:
    return process_use(os.getpid()).resident_octets


async def _baselines(
    database: Database, sessions: Sessions, elements: list[Element], say: Say
) -> list[Figure]:
    clock = SystemClock()
    transactions = [_baseline(element, clock.now_ms()) for element in elements]

    def queue(connection: object) -> None:
        for one in transactions:
            journal.add_transaction(connection, one)  # type: ignore[arg-type]

    await database.write(queue)
    left = {one.transaction_id for one in transactions}
    failed: list[Transaction] = []
    begin_s, begin_cpu_s = time.monotonic(), time.process_time()
    async with trio.open_nursery() as nursery:

        def note_end(transaction: Transaction) -> None:
            if journal.is_final(transaction.state):
                left.discard(transaction.transaction_id)
                if transaction.state is not TransactionState.DONE:
                    failed.append(transaction)
            if not left:
                nursery.cancel_scope.cancel()

        means = Means(database, sessions, element_finder(database), planners(), clock, _CONFIRM_TIMEOUT_S)
        await Engine(means, owner="bench", note_standing=note_end).run()
    elapsed_s, cpu_s = time.monotonic() - begin_s, time.process_time() - begin_cpu_s
    if failed:
        raise BenchError(f"provisioning: {len(failed)} were not done: {failed[0].reason}")
    per_core = len(elements) / cpu_s * 60
    say(
        f"provisioning: {per_core:,.0f} elements a minute and core, {len(elements) / elapsed_s * 60:,.0f} in all"
    )
    note = "a baseline each: journal, confirmed commit, read back, record; processor time of ours"
    return [
        Figure("provisioning_elements_per_min_core", per_core, "1/min", "at least 200", note),
        Figure(
            "provisioning_elements_per_min",
            len(elements) / elapsed_s * 60,
            "1/min",
            "",
            "likewise, by the clock",
        ),
    ]


def _baseline(element: Element, now_ms: int) -> Transaction:
    order = ServiceOrder(
        reference=f"t-{element.name}",
        service_id=f"base-{element.name}",
        action=ServiceAction.CREATE,
        model="baseline",
        parameters={"element": element.name, "ntp_servers": ["192.0.2.1", "192.0.2.2"]},
    )
    return Transaction(
        transaction_id=order.reference,
        state=TransactionState.QUEUED,
        work=Work(KIND, encode_order(order)),
        description="baseline",
        requested_by="bench",
        elements=(element.name,),
        created_ms=now_ms,
    )


async def _edit_one(sessions: Sessions, element: Element, edits: int, say: Say) -> list[Figure]:
    async with sessions.session(element) as session:
        begin_s = time.monotonic()
        for number in range(edits):
            await session.begin()
            await session.stage(ConfigurationDiff({_LOCATION: f"rack {number}"}))
            await session.commit()
            await session.release()
        per_s = edits / (time.monotonic() - begin_s)
        found = await session.read([_LOCATION])
    if found != {_LOCATION: f"rack {edits - 1}"}:
        raise BenchError(f"provisioning: the last edit is not there: {msgspec.json.encode(found).decode()}")
    say(f"provisioning: {per_s:.0f} edits a second of one element")
    note = "lock, edit, commit, unlock on one session, simulated element"
    return [Figure("provisioning_edits_per_s", per_s, "1/s", "", note)]
