"""``ocs account|topup|session``: what an operator does by hand, on a running store."""

import argparse
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from rich.console import Console
from rich.table import Column, Table

from ocs import session_commands
from ocs.balance.client import BalanceClient
from ocs.balance.model import (
    Account,
    Bucket,
    Session,
    SessionService,
    SessionState,
    Subscriber,
    SubscriptionState,
)
from ocs.balance.purse import money_balance
from ocs.catalogue_schedule import in_force, read_catalogue, read_schedule
from ocs.clock import SystemClock
from ocs.event_listing import event_lines, event_record, fields, limits_in_words, print_json, shown
from ocs.rating import Catalogue, load_catalogue
from ocs.rating.unit_words import units_in_words
from ocs.settings import Settings, resolve_path
from ocs.store_setup import open_client
from ocs.subscribers.operations import NewAccount, NewSubscriber, OperationError, account_rules
from ocs.subscribers.service import SubscriberService
from ocs.units import Money, UnitType, format_micro, parse_micro

_LINE_WIDTH: Final = 80  # of what is no table: folded here, whatever the terminal
_SUBSCRIBERS_SHOWN_MAX: Final = 100  # a pool of ten thousand SIMs is read over HTTP, by the page
_INDENT: Final = " " * 6


class Desk:
    """What every command here needs: the settings, a client of the store, the catalogue of today."""

    def __init__(self, options: argparse.Namespace) -> None:
        settings, launch = options.open(options)
        self.settings: Settings = settings
        self.data_dir: Path = launch.data_dir
        self.client: BalanceClient = open_client(settings, launch.data_dir)
        # Literal: names come from the network, and a style in one of them is none of ours.
        self.console = Console(soft_wrap=True, markup=False, highlight=False, emoji=False)

    @property
    def catalogue(self) -> Catalogue:
        """Offers and prices of today: what workers use, or the folder that they will when none has run yet."""
        store = self.client.connection
        publication = in_force(read_schedule(store), SystemClock().now_ms() // 1000)
        if publication is not None:
            return read_catalogue(store, publication.version)
        return load_catalogue(resolve_path(self.settings, self.settings.catalogue.path))

    @property
    def service(self) -> SubscriberService:
        """Opens accounts and tops them up."""
        tell = session_commands.tell_at_once(self.settings, self.data_dir)
        rules = account_rules(self.settings.accounts)
        return SubscriberService(self.client, self.catalogue, SystemClock(), rules=rules, on_change=tell)

    def account(self, account_id: str) -> Account:
        """The account, or one clear line."""
        account = self.client.account(account_id)
        if account is None:
            raise OperationError(f"there is no account {account_id!r}")
        return account


def add_reference(parser: argparse.ArgumentParser, *, moves_money: bool) -> None:
    """Add ``--reference``, which means the same everywhere: done once under it, and a repeat changes nothing.

    Args:
        moves_money: then it must be said, since only who asks knows whether it is the same payment again.
    """
    about = (
        "what you call this request, such as a payment's number: a repeat under the same name changes nothing"
    )
    parser.add_argument(
        "--reference",
        required=moves_money,
        default=None if moves_money else f"by-hand-{uuid4()}",
        help=about if moves_money else f"{about} (default: a new one)",
    )


def add_commands(
    commands: "argparse._SubParsersAction[Any]",  # pyright: ignore[reportPrivateUsage] - argparse has no public name
    common: argparse.ArgumentParser,
) -> "argparse._SubParsersAction[Any]":  # pyright: ignore[reportPrivateUsage] - likewise
    """Add ``account``, ``topup`` and ``session`` to the command line; returns the actions of ``account``."""
    account = commands.add_parser("account", help="open, show, change and close accounts").add_subparsers(
        required=True, metavar="ACTION"
    )
    create = account.add_parser("create", parents=[common], help="open an account with one subscriber")
    create.add_argument("--id", required=True, dest="account_id", help="account id, also the subscriber's")
    _add_subscriber_options(create)
    create.add_argument(
        "--balance", default=None, help="opening balance, such as 10.00 (default: the first offer's)"
    )
    create.add_argument("--credit-limit", default=None, help="how far below zero money may go, such as 50.00")
    create.set_defaults(run=_create)
    listing = account.add_parser("list", parents=[common], help="list accounts")
    listing.add_argument("--limit", type=_count, default=100, help="how many at most (default 100)")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list_accounts)
    show = account.add_parser("show", parents=[common], help="show an account's subscribers and balances")
    show.add_argument("account_id")
    show.add_argument("--json", action="store_true")
    show.set_defaults(run=_show)
    events = account.add_parser(
        "events", parents=[common], help="what moved a balance, oldest first; with --explain, why so much"
    )
    events.add_argument("account_id")
    events.add_argument("--last", type=_count, default=None, metavar="N", help="only the last N events")
    events.add_argument("--explain", action="store_true", help="why each cost what it cost, step by step")
    events.add_argument("--json", action="store_true")
    events.set_defaults(run=_events)
    add = account.add_parser(
        "add", parents=[common], help="add a subscriber who shares the account's balance"
    )
    add.add_argument("account_id")
    add.add_argument("--subscriber", required=True, dest="subscriber_id", help="id of the subscriber")
    _add_subscriber_options(add)
    add.set_defaults(run=_add)
    topup = commands.add_parser("topup", parents=[common], help="put money on an account, once per reference")
    topup.add_argument("account_id")
    topup.add_argument("amount", help="such as 5.00")
    add_reference(topup, moves_money=True)
    topup.add_argument("--json", action="store_true")
    topup.set_defaults(run=_top_up)
    session = commands.add_parser(
        "session", help="list and show live sessions, have one come again, end one"
    ).add_subparsers(required=True, metavar="ACTION")
    sessions = session.add_parser("list", parents=[common], help="list open sessions")
    sessions.add_argument("--all", action="store_true", help="ended sessions that are still remembered too")
    sessions.add_argument("--limit", type=_count, default=100, help="how many at most (default 100)")
    sessions.add_argument("--json", action="store_true")
    sessions.set_defaults(run=_list_sessions)
    one = session.add_parser("show", parents=[common], help="show one session")
    one.add_argument("session_id")
    one.set_defaults(run=_show_session)
    session_commands.add_commands(session, common)
    return account


def _add_subscriber_options(parser: argparse.ArgumentParser) -> None:
    """Who the subscriber is, and what was bought."""
    parser.add_argument(
        "--offer", action="append", default=[], help="offer of the catalogue; may be repeated"
    )
    parser.add_argument("--msisdn", action="append", default=[], help="E.164 number, with or without +")
    parser.add_argument("--imsi", action="append", default=[])
    parser.add_argument(
        "--identity", action="append", default=[], help="other identity, such as sip:USER@REALM"
    )


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count


_count.__name__ = "count"  # argparse says: invalid count value: '0'


# --- Accounts -------------------------------------------------------------------------------------------


def _offers_and_identities(
    options: argparse.Namespace, catalogue: Catalogue
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a new subscriber bought, and the names by which requests call it; neither may be empty."""
    offers = tuple(options.offer)
    if not offers:
        known = ", ".join(offer.offer_id for offer in catalogue.offers)
        raise OperationError(f"a subscriber needs an --offer; the catalogue has {known}")
    identities = identities_of(options)
    if not identities:
        raise OperationError(
            "a subscriber needs a name that requests can give: --msisdn, --imsi or --identity"
        )
    return offers, identities


def identities_of(options: argparse.Namespace) -> tuple[str, ...]:
    """The names that ``--msisdn``, ``--imsi`` and ``--identity`` give a subscriber."""
    return (
        *(f"e164:{number.removeprefix('+')}" for number in options.msisdn),
        *(f"imsi:{number}" for number in options.imsi),
        *options.identity,
    )


def _add(options: argparse.Namespace) -> None:
    desk = Desk(options)
    offers, identities = _offers_and_identities(options, desk.catalogue)
    new = NewSubscriber(options.account_id, options.subscriber_id, identities, offers)
    _print_account(desk, desk.service.add_subscriber(new))


def _create(options: argparse.Namespace) -> None:
    desk = Desk(options)
    catalogue = desk.catalogue
    offers, identities = _offers_and_identities(options, catalogue)
    first = catalogue.offer(offers[0])
    opening = (
        parse_micro(options.balance) if options.balance is not None else (first.opening_micro if first else 0)
    )
    limit = options.credit_limit
    credit_limit = parse_micro(limit) if limit is not None else (first.credit_limit_micro if first else 0)
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
        print_json([_account_record(found[account_id]) for account_id in sorted(found)])
        return
    table = Table(Column("account", overflow="fold"), "state", "money", "reserved", "allowances", "events")
    for account_id in sorted(found):
        account = found[account_id]
        record = _account_record(account)
        allowances = [
            f"{units_in_words(bucket.value, bucket.unit_type)} ({shown(bucket.allowance or bucket.bucket_id)})"
            for bucket in account.buckets
            if not _is_money(bucket)
        ]
        table.add_row(
            shown(account.account_id),
            record["state"],
            f"{record['balance']} {account.currency}",
            record["reserved"],
            "\n".join(allowances),
            str(account.sequence),
        )
    desk.console.print(table)


def _show(options: argparse.Namespace) -> None:
    desk = Desk(options)
    account = desk.account(options.account_id)
    if options.json:
        print_json({**_account_record(account), "subscribers": _subscriber_records(desk, account)})
    else:
        _print_account(desk, account)


def _subscriber_records(desk: Desk, account: Account) -> list[dict[str, Any]]:
    return [
        {**fields(subscriber), "state": subscriber.state.name.lower()}
        for subscriber in _members(desk, account)
    ]


def _members(desk: Desk, account: Account) -> tuple[Subscriber, ...]:
    """The first subscribers of an account, by id."""
    return tuple(desk.service.members(account.account_id, limit=_SUBSCRIBERS_SHOWN_MAX))


def _resting(subscriber: Subscriber) -> list[str]:
    """What was bought and brings nothing, because its charge could not be paid."""
    return [
        subscription.offer_id
        for subscription in subscriber.subscriptions
        if subscription.state == SubscriptionState.SUSPENDED
    ]


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
            {**fields(bucket), "unit_type": bucket.unit_type.name.lower()} for bucket in account.buckets
        ],
        "totals": [{**fields(total), "unit_type": total.unit_type.name.lower()} for total in account.totals],
    }


def _print_account(desk: Desk, account: Account) -> None:
    record = _account_record(account)
    desk.console.print(
        f"account {shown(account.account_id)} ({record['state']}): {record['balance']} {account.currency},"
        f" {record['reserved']} reserved, {_counted(account.sequence, 'event')}"
        + (
            f", credit limit {format_micro(limit_micro)}"
            if (limit_micro := account.credit_limit_micro)
            else ""
        )
    )
    for subscriber in _members(desk, account):
        desk.console.print(
            f"subscriber {shown(subscriber.subscriber_id)} ({subscriber.state.name.lower()}):"
            f" {shown(', '.join(subscriber.offers)) or 'no offer'}\n"
            f"  known as {shown(', '.join(subscriber.identities)) or 'nobody'}"
        )
        for resting in _resting(subscriber):
            desk.console.print(f"  {shown(resting)} rests until it can be paid: top up")
        for limit in limits_in_words(subscriber, account.currency):
            desk.console.print(f"  at most {limit}")
    for line in _bucket_lines(account):
        desk.console.print(line)


def _bucket_lines(account: Account) -> Iterator[str]:
    """A table of buckets, their ids last, so that however long they are nothing breaks them."""
    rows = [("holds", "reserved", "priority", "valid until (UTC)", "bucket")]
    for bucket in account.buckets:
        value, reserved = (
            f"{format_micro(amount)} {account.currency}"
            if _is_money(bucket)
            else units_in_words(amount, bucket.unit_type)
            for amount in (bucket.value, bucket.reserved)
        )
        until = _time(bucket.valid_until_ms) if bucket.valid_until_ms else "for ever"
        rows.append((value, reserved, str(bucket.priority), until, shown(bucket.bucket_id)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=False)) + f"  {row[4]}"


def _events(options: argparse.Namespace) -> None:
    desk = Desk(options)
    account = desk.account(options.account_id)
    events = list(deque(desk.client.events(account.account_id), maxlen=options.last))
    if options.json:
        print_json([event_record(event) for event in events])
        return
    for line in event_lines(events, account.currency, desk.catalogue, is_explained=options.explain):
        desk.console.print(line)


def _top_up(options: argparse.Namespace) -> None:
    desk = Desk(options)
    currency = desk.account(options.account_id).currency
    receipt = desk.service.top_up(
        options.account_id, Money(parse_micro(options.amount), currency), reference=options.reference
    )
    if options.json:
        print_json({**fields(receipt), "amount": str(receipt.amount)})
    elif receipt.repeated:
        names = shown(receipt.reference), shown(receipt.account_id)
        desk.console.print(
            f"already credited: {names[0]} put {receipt.amount} on {names[1]}; nothing changed"
        )
    else:
        balance = format_micro(receipt.balance_micro)
        desk.console.print(
            f"{receipt.amount} on {shown(receipt.account_id)} ({shown(receipt.reference)}): {balance} {currency} now"
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
        print_json([_session_record(session) for session in sessions])
        return
    if not sessions:
        desk.console.print("no session is open" if not options.all else "no session is remembered")
        return
    catalogue = desk.catalogue
    table = Table(Column("session", overflow="fold"), Column("account", overflow="fold"))
    for heading in (*(("state",) if options.all else ()), "service", "since (UTC)", "granted", "charged"):
        table.add_column(heading, no_wrap=heading.startswith("since"))
    for session in sessions:
        table.add_row(
            shown(session.session_id),
            shown(session.account_id),
            *((session.state.name.lower(),) if options.all else ()),
            shown(session.service),
            _time(session.opened_ms),
            ", ".join(_granted(service, catalogue) for service in session.services if service.granted_units),
            format_micro(session.charged_micro),
        )
    desk.console.print(table)


def _granted(service: SessionService, catalogue: Catalogue) -> str:
    """An open grant in its unit, which its tariff path tells as long as today's catalogue has it."""
    rate = catalogue.rate_at_path(service.tariff_path)
    if rate is None:
        return str(service.granted_units)
    return units_in_words(service.granted_units, rate.unit_type, like=rate.price_units)


def _show_session(options: argparse.Namespace) -> None:
    session = Desk(options).client.session(options.session_id)
    if session is None:
        raise OperationError(f"there is no session {options.session_id!r}")
    print_json(_session_record(session))


def _session_record(session: Session) -> dict[str, Any]:
    record = fields(session)
    record["state"] = session.state.name.lower()
    record["opening_fingerprint"] = session.opening_fingerprint.hex()
    record["services"] = [
        {**fields(service), "holds": [fields(hold) for hold in service.holds]} for service in session.services
    ]
    record["answers"] = [
        {"request_type": answer.request_type, "request_number": answer.request_number}
        for answer in session.answers
    ]
    return record


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _time(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
