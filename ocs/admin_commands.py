"""``ocs account|topup|session``: what an operator does by hand, on a running store."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Column, Table

from ocs.balance.client import BalanceClient
from ocs.balance.model import Account, Bucket, Session, SessionState
from ocs.balance.purse import money_balance
from ocs.clock import SystemClock
from ocs.events import ChargeEvent
from ocs.rating import Catalogue, explain, load_catalogue
from ocs.settings import Settings
from ocs.settings_file import resolve_path
from ocs.store_setup import open_client
from ocs.subscribers.operations import NewAccount, OperationError
from ocs.subscribers.service import SubscriberService
from ocs.units import Money, UnitType, format_micro, parse_micro

_UNITS: Final = {
    UnitType.TIME: "s",
    UnitType.TOTAL_OCTETS: "octets",
    UnitType.INPUT_OCTETS: "octets in",
    UnitType.OUTPUT_OCTETS: "octets out",
    UnitType.SERVICE_SPECIFIC_UNITS: "events",
}


class Desk:
    """What every command here needs: the settings, a client of the store, the catalogue of today."""

    def __init__(self, options: argparse.Namespace) -> None:
        settings, launch = options.open(options)
        self.settings: Settings = settings
        self.client: BalanceClient = open_client(settings, launch.data_dir)
        # Literal: names come from the network, and a style in one of them is none of ours.
        self.console = Console(soft_wrap=True, markup=False, highlight=False, emoji=False)

    @property
    def catalogue(self) -> Catalogue:
        """Offers and prices of today."""
        return load_catalogue(resolve_path(self.settings, self.settings.catalogue.path))

    @property
    def service(self) -> SubscriberService:
        """Opens accounts and tops them up."""
        return SubscriberService(self.client, self.catalogue, SystemClock())

    def account(self, account_id: str) -> Account:
        """The account, or one clear line."""
        account = self.client.account(account_id)
        if account is None:
            raise OperationError(f"there is no account {account_id!r}")
        return account


def add_commands(
    commands: "argparse._SubParsersAction[Any]",  # pyright: ignore[reportPrivateUsage] - argparse has no public name
    common: argparse.ArgumentParser,
) -> None:
    """Add ``account``, ``topup`` and ``session`` to the command line."""
    account = commands.add_parser("account", help="open, list and show accounts").add_subparsers(
        required=True, metavar="ACTION"
    )
    create = account.add_parser("create", parents=[common], help="open an account with one subscriber")
    create.add_argument("--id", required=True, dest="account_id", help="account id, also the subscriber's")
    create.add_argument(
        "--offer", action="append", default=[], help="offer of the catalogue; may be repeated"
    )
    create.add_argument("--msisdn", action="append", default=[], help="E.164 number, with or without +")
    create.add_argument("--imsi", action="append", default=[])
    create.add_argument(
        "--identity", action="append", default=[], help="other identity, such as sip:USER@REALM"
    )
    create.add_argument(
        "--balance", default=None, help="opening balance, such as 10.00 (default: the first offer's)"
    )
    create.add_argument("--credit-limit", default=None, help="how far below zero money may go, such as 50.00")
    create.set_defaults(run=_create)
    listing = account.add_parser("list", parents=[common], help="list accounts")
    listing.add_argument("--limit", type=_count, default=100, help="how many at most (default 100)")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list_accounts)
    for name, action, text in (
        ("show", _show, "show an account's balances"),
        ("events", _events, "list charge events, with why each cost what it cost"),
    ):
        command = account.add_parser(name, parents=[common], help=text)
        command.add_argument("account_id")
        command.add_argument("--json", action="store_true")
        command.set_defaults(run=action)
    topup = commands.add_parser("topup", parents=[common], help="put money on an account, once per reference")
    topup.add_argument("account_id")
    topup.add_argument("amount", help="such as 5.00")
    topup.add_argument(
        "--reference", required=True, help="the payment's own reference; a repeat changes nothing"
    )
    topup.add_argument("--json", action="store_true")
    topup.set_defaults(run=_top_up)
    session = commands.add_parser("session", help="list and show live sessions").add_subparsers(
        required=True, metavar="ACTION"
    )
    sessions = session.add_parser("list", parents=[common], help="list open sessions")
    sessions.add_argument("--all", action="store_true", help="ended sessions that are still remembered too")
    sessions.add_argument("--limit", type=_count, default=100, help="how many at most (default 100)")
    sessions.add_argument("--json", action="store_true")
    sessions.set_defaults(run=_list_sessions)
    one = session.add_parser("show", parents=[common], help="show one session")
    one.add_argument("session_id")
    one.set_defaults(run=_show_session)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count


_count.__name__ = "count"  # argparse says: invalid count value: '0'


# --- Accounts -------------------------------------------------------------------------------------------


def _create(options: argparse.Namespace) -> None:
    desk = Desk(options)
    catalogue = desk.catalogue
    offers = tuple(options.offer)
    first = catalogue.offer(offers[0]) if offers else None
    opening = (
        parse_micro(options.balance) if options.balance is not None else (first.opening_micro if first else 0)
    )
    limit = options.credit_limit
    credit_limit = parse_micro(limit) if limit is not None else (first.credit_limit_micro if first else 0)
    identities = (
        *(f"e164:{number.removeprefix('+')}" for number in options.msisdn),
        *(f"imsi:{number}" for number in options.imsi),
        *options.identity,
    )
    account = desk.service.open_account(
        NewAccount(
            options.account_id,
            options.account_id,
            identities,
            offers,
            Money(opening, catalogue.currency),
            credit_limit,
        )
    )
    _print_account(desk, account)


def _pages(scan: Callable[[int], tuple[int, list[Any]]]) -> Iterator[Any]:
    cursor = 0
    while True:
        cursor, page = scan(cursor)
        yield from page
        if not cursor:
            return


def _list_accounts(options: argparse.Namespace) -> None:
    desk = Desk(options)
    found: dict[str, Account] = {}  # a scan may show one account twice
    for account in _pages(desk.client.scan_accounts):
        found[account.account_id] = account
        if len(found) >= options.limit:
            break
    if options.json:
        _print_json([_account_record(found[account_id]) for account_id in sorted(found)])
        return
    table = Table(Column("account", overflow="fold"), "state", "money", "reserved", "allowances", "events")
    for account_id in sorted(found):
        account = found[account_id]
        record = _account_record(account)
        allowances = [
            f"{bucket.value} {_UNITS[bucket.unit_type]}"
            for bucket in account.buckets
            if not _is_money(bucket)
        ]
        table.add_row(
            _shown(account.account_id),
            record["state"],
            f"{record['balance']} {account.currency}",
            record["reserved"],
            ", ".join(allowances),
            str(account.sequence),
        )
    desk.console.print(table)


def _show(options: argparse.Namespace) -> None:
    desk = Desk(options)
    account = desk.account(options.account_id)
    if options.json:
        _print_json(_account_record(account))
    else:
        _print_account(desk, account)


def _is_money(bucket: Bucket) -> bool:
    return bucket.unit_type == UnitType.MONEY


def _account_record(account: Account) -> dict[str, Any]:
    """An account for programs: amounts in micro-units, and once more as people read them."""
    balance = money_balance(account)
    reserved = sum(bucket.reserved for bucket in account.buckets if _is_money(bucket))
    return {
        "account_id": account.account_id,
        "state": account.state.name.lower(),
        "currency": account.currency,
        "balance_micro": balance,
        "reserved_micro": reserved,
        "balance": format_micro(balance),
        "reserved": format_micro(reserved),
        "credit_limit_micro": account.credit_limit_micro,
        "sequence": account.sequence,
        "buckets": [
            {**_fields(bucket), "unit_type": bucket.unit_type.name.lower()} for bucket in account.buckets
        ],
        "totals": [{**_fields(total), "unit_type": total.unit_type.name.lower()} for total in account.totals],
    }


def _fields(record: msgspec.Struct) -> dict[str, Any]:
    """A record's fields by name, whatever shape it has in the store."""
    return {name: getattr(record, name) for name in record.__struct_fields__}


def _print_account(desk: Desk, account: Account) -> None:
    record = _account_record(account)
    desk.console.print(
        f"account {_shown(account.account_id)} ({record['state']}): {record['balance']} {account.currency},"
        f" {record['reserved']} reserved, {account.sequence} events"
    )
    table = Table("bucket", "holds", "reserved", "priority", "valid until")
    for bucket in account.buckets:
        amounts = (bucket.value, bucket.reserved)
        shown = [
            f"{format_micro(a)} {account.currency}"
            if _is_money(bucket)
            else f"{a} {_UNITS[bucket.unit_type]}"
            for a in amounts
        ]
        until = _time(bucket.valid_until_ms) if bucket.valid_until_ms else "for ever"
        table.add_row(_shown(bucket.bucket_id), shown[0], shown[1], str(bucket.priority), until)
    desk.console.print(table)


def _events(options: argparse.Namespace) -> None:
    desk = Desk(options)
    account = desk.account(options.account_id)
    events = list(desk.client.events(account.account_id))
    if options.json:
        _print_json([_event_record(event) for event in events])
        return
    table = Table("#", Column("time", no_wrap=True), "kind", "amount", "balance", "why")
    for event in events:
        table.add_row(
            str(event.sequence),
            _time(event.event_time_ms),
            event.kind.name.lower(),
            format_micro(event.amount_micro),
            format_micro(event.balance_after_micro),
            "\n".join(map(_shown, explain(event))),
        )
    desk.console.print(table)


def _event_record(event: ChargeEvent) -> dict[str, Any]:
    record = _fields(event)
    record["kind"] = event.kind.name.lower()
    record["unit_type"] = event.unit_type.name.lower()
    record["movements"] = [
        {**_fields(movement), "unit_type": movement.unit_type.name.lower()} for movement in event.movements
    ]
    record["trace"] = None if event.trace is None else _fields(event.trace)
    record["explanation"] = list(explain(event))
    return record


def _top_up(options: argparse.Namespace) -> None:
    desk = Desk(options)
    currency = desk.account(options.account_id).currency
    receipt = desk.service.top_up(
        options.account_id, Money(parse_micro(options.amount), currency), reference=options.reference
    )
    if options.json:
        _print_json({**_fields(receipt), "amount": str(receipt.amount)})
    else:
        balance = format_micro(receipt.balance_micro)
        desk.console.print(
            f"{receipt.amount} on {_shown(receipt.account_id)} ({_shown(receipt.reference)}): {balance} {currency} now"
        )


# --- Sessions -------------------------------------------------------------------------------------------


def _list_sessions(options: argparse.Namespace) -> None:
    desk = Desk(options)
    found: dict[tuple[str, str], Session] = {}
    for session in _pages(desk.client.scan_sessions):
        if options.all or session.state == SessionState.OPEN:
            found[session.session_id, session.account_id] = session
            if len(found) >= options.limit:
                break
    sessions = [found[names] for names in sorted(found)]
    if options.json:
        _print_json([_session_record(session) for session in sessions])
        return
    table = Table(
        Column("session", overflow="fold"),
        Column("account", overflow="fold"),
        "state",
        "service",
        "since",
        "granted",
        "charged",
    )
    for session in sessions:
        granted = ", ".join(
            str(service.granted_units) for service in session.services if service.granted_units
        )
        table.add_row(
            _shown(session.session_id),
            _shown(session.account_id),
            session.state.name.lower(),
            _shown(session.service),
            _time(session.opened_ms),
            granted,
            format_micro(session.charged_micro),
        )
    desk.console.print(table)


def _show_session(options: argparse.Namespace) -> None:
    session = Desk(options).client.session(options.session_id)
    if session is None:
        raise OperationError(f"there is no session {options.session_id!r}")
    _print_json(_session_record(session))


def _session_record(session: Session) -> dict[str, Any]:
    record = _fields(session)
    record["state"] = session.state.name.lower()
    record["opening_fingerprint"] = session.opening_fingerprint.hex()
    record["services"] = [
        {**_fields(service), "holds": [_fields(hold) for hold in service.holds]}
        for service in session.services
    ]
    record["answers"] = [
        {"request_type": answer.request_type, "request_number": answer.request_number}
        for answer in session.answers
    ]
    return record


def _shown(text: str) -> str:
    """A text that somebody else chose, for a terminal: what would move its cursor or hide letters is escaped."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _time(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2)
    sys.stdout.write("\n")
