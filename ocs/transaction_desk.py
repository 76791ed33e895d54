"""What commands about network elements work with: the queue of transactions, and watching one come to its end."""

import argparse
import getpass
import re
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import trio
from sqlalchemy import Connection

from ocs.alarm_terminal import duration_ms, make_console, moment_ms
from ocs.clock import SystemClock
from ocs.inventory.elements import get_element
from ocs.inventory.errors import InventoryError
from ocs.limits import TRANSACTION_LOOK_S
from ocs.log import configure_logging
from ocs.process_commands import NotRunningError
from ocs.provisioning.element import Element
from ocs.provisioning.sessions import Sessions
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.batches import Batch, add_batch
from ocs.provisioning.transactions.record import Transaction, Work
from ocs.provisioning.transactions.states import TransactionState
from ocs.provisioning_setup import open_database, open_sessions
from ocs.settings import Settings
from ocs.settings_file import SettingsError
from ocs.sql import Database
from ocs.subscribers.operations import OperationError
from ocs.worker_channel import WorkerChannel, WorkerSilentError

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
# So many transactions are named to whoever stops waiting.
_TOLD_MAX: Final = 3
_decode_progress: Final = msgspec.msgpack.Decoder(dict[str, dict[str, str]]).decode

# Is told of a transaction's element and its step, and of a change of state.
Tell = Callable[[str], None]


class TransactionDesk:
    """What every command here needs: the settings, the database, a console; ways to elements when they are needed."""

    def __init__(self, options: argparse.Namespace) -> None:
        settings, launch = options.open(options)
        # To stderr: what is printed may be read by a program.
        configure_logging(settings.log, style="console")
        self.settings: Settings = settings
        self.data_dir: Path = launch.data_dir
        self.database: Database = open_database(settings, launch.data_dir)
        self.now_ms = SystemClock().now_ms()
        self.console = make_console()

    def sessions(self) -> Sessions:
        """Ways to elements.

        Raises:
            SettingsError, SecretFileError: as :func:`~ocs.provisioning_setup.open_sessions`.
        """
        return open_sessions(self.settings)

    def element(self, name: str) -> Element:
        """How an element is reached.

        Raises:
            InventoryError: the inventory has none of that name, or does not say how it is managed.
        """
        record = self.database.read_blocking(lambda connection: get_element(connection, name))
        if record.management is None:
            raise InventoryError(
                f"{name}: the inventory does not say how this element is managed: `ocs inventory update`"
            )
        return record.management

    # --- The queue --------------------------------------------------------------------------------------

    def add(
        self, transactions: Sequence[Transaction], batch: Batch | None = None, *, is_watched: bool
    ) -> None:
        """Put transactions into the queue.

        Args:
            is_watched: somebody will wait for their end: then it is no use when nobody works on them.

        Raises:
            NotRunningError: nobody does; nothing was queued.
        """

        def work(connection: Connection) -> None:
            if is_watched and not journal.queue_owner(connection, self.now_ms):
                raise NotRunningError(
                    "nobody works off the queue: start `ocs up` with provisioning.sessions_max above 0, or leave it"
                    " in the queue with --no-wait"
                )
            if batch is not None:
                add_batch(connection, batch)
            for transaction in transactions:
                journal.add_transaction(connection, transaction)

        self.database.write_blocking(work)
        trio.run(self._ask, "wake")

    async def _ask(self, question: str) -> bytes | None:
        """Ask the element process of this data folder; another node may have the queue."""
        channel = WorkerChannel("elements", self.data_dir / "run" / "elements.sock")
        try:
            return await channel.ask(question)
        except WorkerSilentError:
            return None

    def watch(self, transaction_ids: Sequence[str], tell: Tell, *, patience_ms: int) -> list[Transaction]:
        """Wait until transactions have ended, or patience has; returns how they stand.

        Raises:
            KeyboardInterrupt: in a group: somebody waits no longer; standard error tells that the transactions go on.
        """
        try:
            return trio.run(partial(self._watch, transaction_ids, tell, patience_ms=patience_ms))
        except* KeyboardInterrupt:
            for one in transaction_ids[:_TOLD_MAX]:
                sys.stderr.write(
                    f"transaction {one} goes on: `ocs provision show {one}`, `ocs provision cancel {one}`\n"
                )
            if len(transaction_ids) > _TOLD_MAX:
                sys.stderr.write("and the others go on: `ocs provision list`\n")
            raise

    async def _watch(
        self, transaction_ids: Sequence[str], tell: Tell, *, patience_ms: int
    ) -> list[Transaction]:
        told: dict[tuple[str, str], str] = {}
        ended: dict[str, Transaction] = {}

        def say(transaction_id: str, element: str, words: str) -> None:
            if told.get((transaction_id, element)) != words:
                told[transaction_id, element] = words
                whose = f"{transaction_id} " if len(transaction_ids) > 1 else ""
                tell(f"{whose}{element}: {words}" if element else f"{whose}{words}")

        def read(connection: Connection) -> list[Transaction]:
            return [journal.read_transaction(connection, one) for one in transaction_ids if one not in ended]

        with trio.move_on_after(patience_ms / 1000):
            while len(ended) < len(transaction_ids):
                found = await self.database.read(read)
                answer = await self._ask("progress")
                steps: Mapping[str, Mapping[str, str]] = {} if answer is None else _decode_progress(answer)
                for one in found:
                    for element, step in steps.get(one.transaction_id, {}).items():
                        if element:
                            say(one.transaction_id, element, step)
                    is_first = (one.transaction_id, "") not in told
                    name = (
                        f"transaction {one.transaction_id} is "
                        if is_first and len(transaction_ids) == 1
                        else ""
                    )
                    say(one.transaction_id, "", f"{name}{standing(one)}")
                    if journal.is_final(one.state):
                        ended[one.transaction_id] = one
                await trio.sleep(TRANSACTION_LOOK_S if len(ended) < len(transaction_ids) else 0)
        left = await self.database.read(read)
        ended.update({one.transaction_id: one for one in left})
        return [ended[transaction_id] for transaction_id in transaction_ids]

    def transaction(self, transaction_id: str) -> Transaction:
        """A transaction by its id.

        Raises:
            OperationError: there is none.
        """
        try:
            return self.database.read_blocking(
                lambda connection: journal.read_transaction(connection, transaction_id)
            )
        except journal.UnknownTransactionError:
            raise OperationError(
                f"there is no transaction {transaction_id!r}: `ocs provision list` shows those that there are"
            ) from None


def standing(transaction: Transaction) -> str:
    """How a transaction stands, in a line."""
    return (
        f"{transaction.state.value}: {transaction.reason}" if transaction.reason else transaction.state.value
    )


# --- Options that every change has ----------------------------------------------------------------------------------


def add_change_options(parser: argparse.ArgumentParser) -> None:
    """Add how and when a change is made."""
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be sent and what undoes it; send nothing"
    )
    parser.add_argument(
        "--live", action="store_true", help="with --dry-run: ask the elements what stands there"
    )
    parser.add_argument("--no-wait", action="store_true", help="leave it in the queue and end")
    parser.add_argument(
        "--for",
        dest="patience_ms",
        type=duration_ms,
        default=600_000,
        metavar="TIME",
        help="wait so long (10m)",
    )
    parser.add_argument("--priority", type=int, default=0, help="higher first")
    parser.add_argument(
        "--not-before", type=moment_ms, default=0, metavar="MOMENT", help="such as 2026-11-22T22:00Z"
    )
    parser.add_argument(
        "--window",
        type=duration_ms,
        default=0,
        metavar="TIME",
        help="not begun later than that after --not-before",
    )
    parser.add_argument(
        "--reference",
        default="",
        help="what you call this change: a repeat under the same name changes nothing",
    )
    parser.add_argument("--json", action="store_true")


def new_transaction(
    options: argparse.Namespace, work: Work, elements: Sequence[str], description: str, now_ms: int
) -> Transaction:
    """A transaction for the queue, as the options want it.

    Raises:
        SettingsError: the reference is none, or the priority is out of bounds.
    """
    reference: str = options.reference or secrets.token_hex(6)
    if not _ID.fullmatch(reference):
        raise SettingsError("--reference: expected 1 to 32 of a-z 0-9 -")
    if not -1_000 <= options.priority <= 1_000:
        raise SettingsError("--priority: expected -1000 to 1000")
    not_before_ms: int = options.not_before
    return Transaction(
        transaction_id=reference,
        state=TransactionState.QUEUED,
        work=work,
        description=description,
        requested_by=getpass.getuser(),
        elements=tuple(elements),
        priority=options.priority,
        not_before_ms=not_before_ms,
        not_after_ms=(not_before_ms or now_ms) + options.window if options.window else 0,
        created_ms=now_ms,
    )


def make_change(desk: TransactionDesk, options: argparse.Namespace, transaction: Transaction) -> Transaction:
    """Queue a transaction, and unless told otherwise watch it to its end; returns how it stands.

    Raises:
        OperationError: it ended otherwise than done, or has not ended in time.
        NotRunningError: as :meth:`TransactionDesk.add`.
    """
    is_watched = not options.no_wait and transaction.not_before_ms <= desk.now_ms
    desk.add([transaction], is_watched=is_watched)
    if not is_watched:
        return desk.transaction(transaction.transaction_id)
    tell: Tell = (lambda _: None) if options.json else desk.console.print
    (ended,) = desk.watch([transaction.transaction_id], tell, patience_ms=options.patience_ms)
    if ended.state is not TransactionState.DONE:
        raise OperationError(f"transaction {ended.transaction_id} is {standing(ended)}")
    return ended


def as_record(transaction: Transaction) -> dict[str, Any]:
    """A transaction for programs: without what only we can read."""
    record: dict[str, Any] = msgspec.to_builtins(transaction)
    del record["effects"]
    record["work"] = transaction.work.kind
    return record
