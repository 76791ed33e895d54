"""``ocs provision``: services made, changed and taken away in the network, and the queue in which that waits.

Libraries of SSH and YANG are loaded for these commands only.
"""

import argparse
import getpass
import secrets
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from ocs.alarm_terminal import Subcommands, add_json, print_json
from ocs.change_preview import preview, read_elements
from ocs.inventory.model import Service, ServiceState
from ocs.inventory.services import find_service
from ocs.limits import BATCH_TRANSACTIONS_MAX
from ocs.provision_listing import print_parameters, print_previews, print_transaction, print_transactions
from ocs.provisioning.services.planner import KIND, ServiceAction, ServiceOrder, ServicePlanner, encode_order
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.batches import Batch
from ocs.provisioning.transactions.planner import WorkRefusedError, tell_refused
from ocs.provisioning.transactions.record import ElementPlan, Transaction, Work
from ocs.provisioning.transactions.states import TransactionEvent, TransactionState
from ocs.provisioning_setup import MODELS, planners, service_planner
from ocs.service_parameters import described, said_parameters
from ocs.settings_file import SettingsError
from ocs.subscribers.operations import OperationError
from ocs.transaction_desk import (
    TransactionDesk,
    add_change_options,
    as_record,
    make_change,
    new_transaction,
    standing,
)

_BATCH_FILE_OCTETS_MAX: Final = 16 * 1_048_576
EXIT_FAILED: Final = 1


def add_commands(commands: Subcommands, common: argparse.ArgumentParser) -> None:
    """Add ``provision`` to the command line."""
    actions = commands.add_parser(
        "provision", help="make, change and delete services in the network"
    ).add_subparsers(required=True, metavar="ACTION")
    for action, about in (
        (ServiceAction.CREATE, "make a service on every element that it needs, or on none"),
        (ServiceAction.MODIFY, "change a service; what is not said stays as it is"),
        (ServiceAction.DELETE, "take a service out of the network"),
        (ServiceAction.RECONCILE, "send again what a service owns, whatever stands there"),
    ):
        parser = actions.add_parser(str(action), parents=[common], help=about)
        parser.add_argument("service")
        _add_service_options(parser, action)
        add_change_options(parser)
        parser.set_defaults(run=_order, action=action)
    _add_queue(actions, common)
    batch = actions.add_parser(
        "batch",
        parents=[common],
        help="many services from a file: canaries first, stopped when too many fail",
    )
    batch.add_argument(
        "file", type=Path, help="[[services]] with service, action, model, parameters, customer"
    )
    batch.add_argument(
        "--canaries", type=int, default=1, help="so many first; the rest when all of them succeeded (1)"
    )
    batch.add_argument(
        "--failures-max", type=int, default=0, help="more failures than that stop the rest (0)"
    )
    add_change_options(batch)
    batch.set_defaults(run=_batch)
    models = actions.add_parser(
        "models", parents=[common], help="the kinds of services, and what each is told"
    )
    add_json(models)
    models.set_defaults(run=_models)


def _add_service_options(parser: argparse.ArgumentParser, action: ServiceAction) -> None:
    if action in {ServiceAction.CREATE, ServiceAction.MODIFY}:
        needed = action is ServiceAction.CREATE
        parser.add_argument("--model", choices=sorted(MODELS), required=needed, default="", help="its kind")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a parameter, as `ocs provision models` tells; a list as often as it has words, or as JSON",
        )
        parser.add_argument("--unset", action="append", default=[], metavar="NAME")
        parser.add_argument("--customer", default=None, help="who pays")
        parser.add_argument("--subscribers", type=int, default=None, help="how many use it (1)")
    if action is ServiceAction.RECONCILE:
        parser.add_argument("--element", action="append", default=[], help="only there")


def _add_queue(actions: Subcommands, common: argparse.ArgumentParser) -> None:
    listing = actions.add_parser("list", parents=[common], help="transactions, the youngest first")
    listing.add_argument(
        "--state", choices=[state.value for state in TransactionState], action="append", default=[]
    )
    listing.add_argument("--batch", default="", metavar="ID")
    listing.add_argument("--limit", type=int, default=50)
    add_json(listing)
    listing.set_defaults(run=_list)
    show = actions.add_parser("show", parents=[common], help="all that the journal has of a transaction")
    show.add_argument("transaction")
    add_json(show)
    show.set_defaults(run=_show)
    cancel = actions.add_parser(
        "cancel", parents=[common], help="take a transaction that waits out of the queue"
    )
    cancel.add_argument("transaction")
    cancel.set_defaults(run=_cancel)
    retry = actions.add_parser(
        "retry",
        parents=[common],
        help="queue the work of a transaction that ended without being done once more",
    )
    retry.add_argument("transaction")
    add_change_options(retry)
    retry.set_defaults(run=_retry)


# --- Services -------------------------------------------------------------------------------------------------------


class _DryRunDone(Exception):  # noqa: N818 - no error: it leaves a unit of work without its effects
    def __init__(self, plans: tuple[ElementPlan, ...]) -> None:
        super().__init__()
        self.plans = plans


def _order(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    known = desk.database.read_blocking(lambda connection: find_service(connection, options.service))
    transaction = _transaction(desk, options, _said(options, known))
    if options.dry_run:
        _dry_run(desk, options, transaction)
        return
    _say_end(desk, options, make_change(desk, options, transaction))


def _said(options: argparse.Namespace, known: Service | None) -> ServiceOrder:
    """The order that the options mean: of a service that is there, what is not said stays as it is."""
    action: ServiceAction = options.action
    if action in {ServiceAction.DELETE, ServiceAction.RECONCILE}:
        elements = tuple(getattr(options, "element", ()))
        return ServiceOrder(reference="", service_id=options.service, action=action, elements=elements)
    is_there = known is not None and known.state is ServiceState.ACTIVE
    base = known if is_there and known is not None and action is ServiceAction.MODIFY else None
    model = options.model or (base.model if base is not None else "")
    parameters: dict[str, object] = dict(base.parameters) if base is not None else {}
    for name in options.unset:
        parameters.pop(name, None)
    parameters |= said_parameters(model, options.set)
    return ServiceOrder(
        reference="",
        service_id=options.service,
        action=action,
        model=model,
        parameters=read_parameters(model, parameters),
        customer=options.customer if options.customer is not None else (base.customer if base else ""),
        subscribers=options.subscribers
        if options.subscribers is not None
        else (base.subscribers if base else 1),
    )


def read_parameters(model: str, parameters: dict[str, object]) -> dict[str, object]:
    """Parameters in the types of their model: ``"100"`` is a number where one is wanted.

    Raises:
        SettingsError: one is missing, unknown or none; says which.
    """
    if model not in MODELS:
        return parameters  # the planner refuses it, and names those that there are
    try:
        read = msgspec.convert(parameters, MODELS[model].parameters_type, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{model}: {error}: `ocs provision models` tells its parameters") from None
    # As the inventory keeps them; what has its default stays unsaid, as whoever ordered it left it.
    whole = msgspec.json.decode(msgspec.json.encode(read), type=dict[str, object])
    return {name: value for name, value in whole.items() if name in parameters}


def _transaction(desk: TransactionDesk, options: argparse.Namespace, order: ServiceOrder) -> Transaction:
    """An order as a transaction that waits its turn by the elements that it concerns now.

    Raises:
        OperationError: it cannot be done as things stand.
    """
    planner = service_planner()
    empty = new_transaction(options, Work(KIND, b""), (), f"{order.action} {order.service_id}", desk.now_ms)
    order = msgspec.structs.replace(order, reference=empty.transaction_id)
    try:
        elements = desk.database.read_blocking(lambda connection: planner.elements_of(connection, order))
    except WorkRefusedError as error:
        raise OperationError(str(error)) from None
    return msgspec.structs.replace(empty, work=Work(KIND, encode_order(order)), elements=elements)


def _dry_run(desk: TransactionDesk, options: argparse.Namespace, transaction: Transaction) -> None:
    """Plan it in a unit of work that is given up, and show what would be sent."""
    planner: ServicePlanner = service_planner()

    def work(connection: Connection) -> None:
        raise _DryRunDone(planner.plan(connection, transaction.work.payload).elements)

    plans: tuple[ElementPlan, ...] = ()
    try:
        desk.database.write_blocking(work)
    except _DryRunDone as done:
        plans = done.plans
    except WorkRefusedError as error:
        raise OperationError(str(error)) from None
    sessions = desk.sessions()
    running = None
    if options.live:
        touched = {desk.element(plan.element): plan.forward.paths for plan in plans if plan.forward}
        running = read_elements(sessions, touched)
    print_previews(preview(plans, sessions, desk.element, running), as_json=options.json)


def _say_end(desk: TransactionDesk, options: argparse.Namespace, ended: Transaction) -> None:
    if options.json:
        print_json(as_record(ended))
    else:
        desk.console.print(f"transaction {ended.transaction_id} is {standing(ended)}")


def _models(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    _, schemas = msgspec.json.schema_components([one.parameters_type for one in MODELS.values()])
    told: dict[str, Any] = {
        name: schemas[model.parameters_type.__name__] for name, model in sorted(MODELS.items())
    }
    if options.json:
        print_json(told)
        return
    for name in told:
        desk.console.print(f"{name}: {(MODELS[name].__doc__ or '').partition(chr(10))[0]}")
        print_parameters(described(MODELS[name].parameters_type))


# --- The queue --------------------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    found = desk.database.read_blocking(
        lambda connection: journal.list_transactions(
            connection,
            states=[TransactionState(state) for state in options.state],
            batch_id=options.batch,
            limit=max(1, options.limit),
        )
    )
    if options.json:
        print_json([as_record(one) for one in found])
    else:
        print_transactions(found)


def _show(options: argparse.Namespace) -> None:
    found = TransactionDesk(options).transaction(options.transaction)
    if options.json:
        print_json(as_record(found))
    else:
        print_transaction(found)


def _cancel(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    name: str = options.transaction
    desk.transaction(name)
    reason = f"cancelled by {getpass.getuser()}"

    def work(connection: Connection) -> None:
        transaction = journal.read_transaction(connection, name)
        if transaction.state is not TransactionState.QUEUED:
            raise OperationError(
                f"transaction {name} is {standing(transaction)}: only what waits can be cancelled"
            )
        journal.move(connection, name, TransactionEvent.CANCELLED, now_ms=desk.now_ms, reason=reason)
        tell_refused(planners(), connection, transaction, reason, desk.now_ms)

    desk.database.write_blocking(work)
    desk.console.print(f"transaction {name} is cancelled")


def _retry(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    before = desk.transaction(options.transaction)
    if not journal.is_final(before.state):
        raise OperationError(
            f"transaction {before.transaction_id} is {standing(before)}: it goes on by itself"
        )
    if before.state is TransactionState.DONE:
        raise OperationError(f"transaction {before.transaction_id} is done")
    again = new_transaction(options, before.work, before.elements, before.description, desk.now_ms)
    _say_end(desk, options, make_change(desk, options, again))


# --- Batches ----------------------------------------------------------------------------------------------------------


class _BatchEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``[[services]]``."""

    service: str
    action: ServiceAction = ServiceAction.CREATE
    model: str = ""
    parameters: dict[str, object] = {}
    customer: str = ""
    subscribers: int = 1


class _BatchFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    services: tuple[_BatchEntry, ...]
    description: str = ""


def _batch(options: argparse.Namespace) -> None:
    desk = TransactionDesk(options)
    file = _read_batch(options.file)
    batch_id: str = options.reference or secrets.token_hex(6)
    transactions: list[Transaction] = []
    for place, entry in enumerate(file.services):
        options.reference = f"{batch_id[:24]}-{place}"
        order = ServiceOrder(
            reference="",
            service_id=entry.service,
            action=entry.action,
            model=entry.model,
            parameters=read_parameters(entry.model, dict(entry.parameters)),
            customer=entry.customer,
            subscribers=entry.subscribers,
        )
        transaction = _transaction(desk, options, order)
        transactions.append(msgspec.structs.replace(transaction, batch_id=batch_id, batch_place=place))
        if options.dry_run:
            _dry_run(desk, options, transaction)
    if options.dry_run:
        return
    batch = Batch(
        batch_id=batch_id,
        description=file.description or options.file.name,
        requested_by=getpass.getuser(),
        canaries=max(0, options.canaries),
        failures_max=max(0, options.failures_max),
        created_ms=desk.now_ms,
    )
    is_watched = not options.no_wait and options.not_before <= desk.now_ms
    desk.add(transactions, batch, is_watched=is_watched)
    ids = [one.transaction_id for one in transactions]
    if is_watched:
        desk.watch(
            ids, (lambda _: None) if options.json else desk.console.print, patience_ms=options.patience_ms
        )
    ended = [desk.transaction(name) for name in ids]
    if options.json:
        print_json({"batch": batch_id, "transactions": [as_record(one) for one in ended]})
    else:
        done = sum(one.state is TransactionState.DONE for one in ended)
        desk.console.print(f"batch {batch_id}: {done} of {len(ended)} are done")
    if is_watched and any(one.state is not TransactionState.DONE for one in ended):
        sys.exit(EXIT_FAILED)


def _read_batch(path: Path) -> _BatchFile:
    with path.open("rb") as file:
        content = file.read(_BATCH_FILE_OCTETS_MAX + 1)
    if len(content) > _BATCH_FILE_OCTETS_MAX:
        raise SettingsError(f"{path}: expected at most {_BATCH_FILE_OCTETS_MAX} octets")
    try:
        read = msgspec.convert(tomllib.loads(content.decode()), _BatchFile)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{path}: {' '.join(str(error).split())}") from None
    if not 1 <= len(read.services) <= BATCH_TRANSACTIONS_MAX:
        raise SettingsError(f"{path}: services: expected 1 to {BATCH_TRANSACTIONS_MAX}")
    names = [one.service for one in read.services]
    if len(set(names)) != len(names):
        raise SettingsError(f"{path}: services: expected each service once")
    return read
