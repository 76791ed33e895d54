"""``ocs account adjust|transfer|...`` and ``ocs offer``: what an operator changes by hand beside top-ups."""

import argparse
from typing import Any, Final

from ocs import admin_commands
from ocs.admin_commands import Desk, add_reference, identities_of
from ocs.balance.model import AutoTopUp, LifecycleState, MemberLimit
from ocs.event_listing import event_lines, event_record, fields, limits_in_words, print_json, shown
from ocs.messages import Profile
from ocs.subscribers.administration import Administration, SubscriberChanges
from ocs.subscribers.office import Receipt
from ocs.subscribers.operations import OperationError
from ocs.subscribers.plans import Plans
from ocs.units import Money, UnitType, format_micro, parse_micro

_UNITS: Final = {
    "money": UnitType.MONEY,
    "octets": UnitType.TOTAL_OCTETS,
    "seconds": UnitType.TIME,
    "events": UnitType.SERVICE_SPECIFIC_UNITS,
}


def add_commands(
    commands: "argparse._SubParsersAction[Any]",  # pyright: ignore[reportPrivateUsage] - argparse has no public name
    common: argparse.ArgumentParser,
) -> None:
    """Add ``account``, ``topup``, ``session`` and ``offer`` to the command line."""
    account = admin_commands.add_commands(commands, common)
    _add_money(account, common)
    _add_terms(account, common)
    _add_offers(commands, common)


def _command(actions: Any, name: str, run: Any, common: argparse.ArgumentParser, help_text: str) -> Any:
    """A command on one account; with a reference of its own it can be repeated without being done again."""
    parser = actions.add_parser(name, parents=[common], help=help_text)
    parser.add_argument("account_id")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=run)
    return parser


def _add_money(account: Any, common: argparse.ArgumentParser) -> None:
    adjust = _command(account, "adjust", _adjust, common, "correct a balance, for a reason")
    adjust.add_argument("amount", help="such as 5.00, or -5.00 to take money away")
    adjust.add_argument("--reason", required=True, help="a code such as goodwill or billing-error")
    add_reference(adjust, moves_money=True)
    transfer = _command(account, "transfer", _transfer, common, "send money to another account")
    transfer.add_argument("to_account_id")
    transfer.add_argument("amount", help="such as 5.00")
    add_reference(transfer, moves_money=True)
    history = _command(account, "history", _history, common, "what moved a balance, newest first")
    history.add_argument("--limit", type=int, default=20, help="events on a page (default 20)")
    history.add_argument("--cursor", default="", help="of the page before")
    members = _command(account, "members", _members, common, "list an account's subscribers")
    members.add_argument("--limit", type=int, default=100, help="how many at most (default 100)")


def _add_terms(account: Any, common: argparse.ArgumentParser) -> None:
    for name, help_text in (
        ("bar", "stop all services of an account or subscriber"),
        ("unbar", "let it in again"),
        ("close", "close it, for good; its numbers become free"),
    ):
        state = _command(account, name, _set_state, common, help_text)
        state.add_argument(
            "--subscriber", dest="subscriber_id", default="", help="only this one of the account"
        )
        if name == "bar":
            state.add_argument("--one-way", action="store_true", help="it may still be reached")
        add_reference(state, moves_money=False)
        state.set_defaults(action=name)
    limit = _command(account, "credit-limit", _credit_limit, common, "how far money may go below zero")
    limit.add_argument("amount", help="such as 50.00")
    add_reference(limit, moves_money=False)
    order = _command(account, "auto-top-up", _auto_top_up, common, "top up by itself when money runs low")
    order.add_argument("--below", default=None, help="threshold, such as 5.00")
    order.add_argument("--amount", default=None, help="what is paid then, such as 20.00")
    order.add_argument("--method", default="", help="how it is paid, in the words of the payment side")
    order.add_argument("--off", action="store_true", help="end the order")
    add_reference(order, moves_money=False)
    change = _command(account, "change", _change, common, "change a subscriber's names, profile or limits")
    change.add_argument("subscriber_id")
    change.add_argument(
        "--msisdn", action="append", default=[], help="with the others, all its names from now on"
    )
    change.add_argument("--imsi", action="append", default=[])
    change.add_argument("--identity", action="append", default=[])
    change.add_argument("--favourite", action="append", default=None, help="friends & family number")
    change.add_argument("--group", action="append", default=None, help="closed user group")
    change.add_argument(
        "--limit",
        action="append",
        default=None,
        metavar="UNIT:PERIOD:AMOUNT",
        help="what it may take, such as money:month:20.00 or octets:day:1000000; 'none' lifts all",
    )
    add_reference(change, moves_money=False)


def _add_offers(commands: Any, common: argparse.ArgumentParser) -> None:
    offer = commands.add_parser(
        "offer", help="buy, change and cancel offers, and order what they sell by the piece"
    ).add_subparsers(required=True, metavar="ACTION")
    for name, run, help_text in (
        ("buy", _buy, "put an offer in effect"),
        ("cancel", _cancel, "end an offer"),
        ("change", _change_offer, "put another offer in its place"),
        ("order", _order, "order what an offer charges by the piece"),
    ):
        parser = _command(offer, name, run, common, help_text)
        parser.add_argument("offer_id")
        if name == "change":
            parser.add_argument("new_offer_id")
        if name == "order":
            parser.add_argument("charge_id")
        if name == "cancel":
            parser.add_argument("--at-period-end", action="store_true", help="when what is paid has been had")
        parser.add_argument(
            "--subscriber", dest="subscriber_id", default="", help="default: the account's own"
        )
        add_reference(parser, moves_money=True)


# --- Money ------------------------------------------------------------------------------------------------


def print_receipt(desk: Desk, receipt: Receipt, what: str, *, as_json: bool) -> None:
    """Say what an operation did, or that it had been done before."""
    if as_json:
        print_json({**fields(receipt), "amount": str(receipt.amount)})
        return
    done = ": was done already" if receipt.repeated else ""
    amount = f" {receipt.amount}" if receipt.amount.micro else ""
    balance = f"{format_micro(receipt.balance_micro)} {receipt.amount.currency}"
    desk.console.print(f"{shown(receipt.account_id)}: {shown(what)}{amount}{done}; balance {balance}")


def _money(desk: Desk, account_id: str, text: str) -> Money:
    return Money(parse_micro(text), desk.account(account_id).currency)


def _adjust(options: argparse.Namespace) -> None:
    desk = Desk(options)
    amount = _money(desk, options.account_id, options.amount)
    receipt = desk.service.adjust(
        options.account_id, amount, reason=options.reason, reference=options.reference
    )
    print_receipt(desk, receipt, "adjustment", as_json=options.json)


def _transfer(options: argparse.Namespace) -> None:
    desk = Desk(options)
    amount = _money(desk, options.account_id, options.amount)
    receipt = desk.service.transfer(
        options.account_id, options.to_account_id, amount, reference=options.reference
    )
    print_receipt(desk, receipt, f"transfer to {options.to_account_id}", as_json=options.json)


def _history(options: argparse.Namespace) -> None:
    desk = Desk(options)
    page = desk.service.history(options.account_id, limit=options.limit, cursor=options.cursor)
    if options.json:
        print_json({"events": [event_record(event) for event in page.events], "cursor": page.cursor})
        return
    for line in event_lines(list(page.events), desk.account(options.account_id).currency, desk.catalogue):
        desk.console.print(line)
    if page.cursor:
        desk.console.print(f"more: --cursor {page.cursor}")


def _members(options: argparse.Namespace) -> None:
    desk = Desk(options)
    currency = desk.account(options.account_id).currency
    members = desk.service.members(options.account_id, limit=options.limit)
    if options.json:
        print_json([{**fields(member), "state": member.state.name.lower()} for member in members])
        return
    for member in members:
        names = shown(", ".join(member.identities)) or "no names"
        offers = shown(", ".join(member.offers)) or "no offer"
        limits = "".join(f"; at most {limit}" for limit in limits_in_words(member, currency))
        desk.console.print(
            f"{shown(member.subscriber_id)} ({member.state.name.lower()}): {names}; {offers}{limits}"
        )


# --- Terms ------------------------------------------------------------------------------------------------


def _set_state(options: argparse.Namespace) -> None:
    desk = Desk(options)
    states = {"unbar": LifecycleState.ACTIVE, "close": LifecycleState.CLOSED}
    barred = LifecycleState.ONE_WAY_BARRED if getattr(options, "one_way", False) else LifecycleState.SUSPENDED
    state = states.get(options.action, barred)
    administration = Administration(desk.service.office)
    if options.subscriber_id:
        receipt = administration.set_subscriber_state(
            options.account_id, options.subscriber_id, state, reference=options.reference
        )
    else:
        receipt = administration.set_account_state(options.account_id, state, reference=options.reference)
    whose = f"{options.subscriber_id} " if options.subscriber_id else ""
    print_receipt(desk, receipt, f"{whose}{state.name.lower().replace('_', ' ')}", as_json=options.json)
    if options.action == "close" and not (options.subscriber_id or options.json):
        _print_closed(desk, options.account_id, receipt)


def _print_closed(desk: Desk, account_id: str, receipt: Receipt) -> None:
    """Say what closing an account leaves: its numbers are free, its money is still there."""
    desk.console.print("  for good: its numbers may be given to others, and nothing can be put on it")
    left = format_micro(receipt.balance_micro)
    if receipt.balance_micro > 0:
        adjusting = f"ocs account adjust {shown(account_id)} -{left} --reason ... --reference ..."
        desk.console.print(f"  {left} {receipt.amount.currency} is left: `{adjusting}` pays it out")


def _credit_limit(options: argparse.Namespace) -> None:
    desk = Desk(options)
    limit = _money(desk, options.account_id, options.amount)
    administration = Administration(desk.service.office)
    receipt = administration.set_credit_limit(options.account_id, limit, reference=options.reference)
    print_receipt(desk, receipt, f"credit limit {limit}", as_json=options.json)


def _auto_top_up(options: argparse.Namespace) -> None:
    desk = Desk(options)
    if options.off == bool(options.below or options.amount):
        raise OperationError("say --below and --amount, or --off")
    order = None
    if not options.off:
        if not (options.below and options.amount):
            raise OperationError("say --below and --amount, or --off")
        order = AutoTopUp(parse_micro(options.below), parse_micro(options.amount), options.method)
    administration = Administration(desk.service.office)
    receipt = administration.set_auto_top_up(options.account_id, order, reference=options.reference)
    print_receipt(desk, receipt, "automatic top-up", as_json=options.json)


def _change(options: argparse.Namespace) -> None:
    desk = Desk(options)
    identities = identities_of(options)
    before = desk.client.subscriber(options.account_id, options.subscriber_id)
    profile = None
    if before is not None and (options.favourite is not None or options.group is not None):
        kept = before.profile
        profile = Profile(
            kept.currency,
            kept.favourites if options.favourite is None else tuple(options.favourite),
            kept.groups if options.group is None else tuple(options.group),
        )
    changes = SubscriberChanges(
        identities=identities or None,
        profile=profile,
        limits=None if options.limit is None else _limits(options.limit),
    )
    receipt = Administration(desk.service.office).change_subscriber(
        options.account_id, options.subscriber_id, changes, reference=options.reference
    )
    print_receipt(desk, receipt, f"{options.subscriber_id} changed", as_json=options.json)


def _limits(written: list[str]) -> tuple[MemberLimit, ...]:
    """Limits as they are written on the command line."""
    limits: list[MemberLimit] = []
    for text in written:
        if text == "none":
            continue
        unit, _, rest = text.partition(":")
        period, _, amount = rest.partition(":")
        if unit not in _UNITS or not amount or (unit != "money" and not amount.isdecimal()):
            raise OperationError(f"{text!r} is no limit such as money:month:20.00 or octets:day:1000000")
        units = parse_micro(amount) if unit == "money" else int(amount)
        limits.append(MemberLimit(f"limit.{unit}.{period}", _UNITS[unit], period, units))
    return tuple(limits)


# --- Offers -----------------------------------------------------------------------------------------------


def _plans(options: argparse.Namespace) -> tuple[Desk, Plans, str]:
    desk = Desk(options)
    return desk, Plans(desk.service.office), options.subscriber_id or options.account_id


def _buy(options: argparse.Namespace) -> None:
    desk, plans, subscriber_id = _plans(options)
    receipt = plans.buy(options.account_id, subscriber_id, options.offer_id, reference=options.reference)
    print_receipt(desk, receipt, f"{options.offer_id} bought", as_json=options.json)


def _cancel(options: argparse.Namespace) -> None:
    desk, plans, subscriber_id = _plans(options)
    receipt = plans.cancel(
        options.account_id,
        subscriber_id,
        options.offer_id,
        reference=options.reference,
        at_period_end=options.at_period_end,
    )
    print_receipt(desk, receipt, f"{options.offer_id} cancelled", as_json=options.json)


def _change_offer(options: argparse.Namespace) -> None:
    desk, plans, subscriber_id = _plans(options)
    receipt = plans.change(
        options.account_id, subscriber_id, options.offer_id, options.new_offer_id, reference=options.reference
    )
    print_receipt(desk, receipt, f"{options.new_offer_id} for {options.offer_id}", as_json=options.json)


def _order(options: argparse.Namespace) -> None:
    desk, plans, subscriber_id = _plans(options)
    receipt = plans.order(
        options.account_id, subscriber_id, options.offer_id, options.charge_id, reference=options.reference
    )
    print_receipt(desk, receipt, f"{options.charge_id} ordered", as_json=options.json)
