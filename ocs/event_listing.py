"""Accounts' events and other records for people at a terminal, and for programs as JSON."""

import json
import sys
import textwrap
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from ocs.balance.model import Subscriber
from ocs.events import ChargeEvent, EventKind, Notice, NoticeKind
from ocs.rating import Catalogue, explain
from ocs.rating.unit_words import units_in_words
from ocs.subscribers.operations import MAIN_BUCKET
from ocs.units import UnitType, format_micro

_LINE_WIDTH: Final = 80  # of what is no table: folded here, whatever the terminal
_INDENT: Final = " " * 6
_PERIODS: Final = {"billing": "billing period"}


def shown(text: str) -> str:
    """A text that somebody else chose, for a terminal: what would move its cursor or hide letters is escaped."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def fields(record: msgspec.Struct) -> dict[str, Any]:
    """A record's fields by name, whatever shape it has in the store."""
    return {name: getattr(record, name) for name in record.__struct_fields__}


def print_json(value: Any) -> None:
    """Write a record to standard output."""
    json.dump(value, sys.stdout, default=msgspec.structs.asdict, indent=2)
    sys.stdout.write("\n")


def event_lines(
    events: list[ChargeEvent], currency: str, catalogue: Catalogue, *, is_explained: bool = False
) -> Iterator[str]:
    """A table of events, each with its details below.

    Args:
        catalogue: today's; its clock is the list's.
        is_explained: why each cost what it cost is told step by step.
    """
    amounts = _aligned([event.amount_micro for event in events], f"{currency} moved")
    balances = _aligned([event.balance_after_micro for event in events], "balance")
    zone = ZoneInfo(catalogue.time_zone)
    yield f"{'#':>4} {'time':<24} {'what':<12} {'units':>11} {amounts[0]} {balances[0]}".rstrip()
    for event, amount, balance in zip(events, amounts[1:], balances[1:], strict=True):
        units = _event_units(event)
        time = _event_time(event, zone)
        yield f"{event.sequence:>4} {time:<24} {_event_kind(event):<12} {units:>11} {amount} {balance}"
        details = [_event_details(event)]
        if is_explained:
            is_current = event.catalogue_version == catalogue.version
            rate = catalogue.rate_at_path(event.tariff_path) if is_current else None
            details += explain(event, rate)
        yield from (_folded(shown(detail)) for detail in details if detail)


def _aligned(amounts_micro: list[int], heading: str) -> list[str]:
    """A column of money under its heading, all with as many decimals as the finest needs."""
    written = [format_micro(micro) for micro in amounts_micro]
    decimals = max((len(text.partition(".")[2]) for text in written), default=2)
    padded = [text + "0" * (decimals - len(text.partition(".")[2])) for text in written]
    width = max(map(len, (heading, *padded)))
    return [text.rjust(width) for text in (heading, *padded)]


def _event_time(event: ChargeEvent, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(event.event_time_ms / 1000, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def _event_kind(event: ChargeEvent) -> str:
    """In a word what happened: the service for a charge, else the kind of the event."""
    if event.kind == EventKind.DEBIT:
        return shown(event.service) or "charge"
    kind = event.kind.name.lower().replace("_", " ")
    return f"{kind} {shown(event.service)}".rstrip()


def _event_units(event: ChargeEvent) -> str:
    if event.trace is None:
        return ""
    return units_in_words(event.units, event.unit_type, like=event.trace.price_units)


def _event_details(event: ChargeEvent) -> str:
    """Whose it was, which session or payment, and what it moved beside the main money."""
    parts: list[str] = []
    if event.subscriber_id not in {"", event.account_id}:
        parts.append(f"subscriber {event.subscriber_id}")
    if event.rating_group is not None:
        parts.append(f"rating group {event.rating_group}")
    for movement in event.movements:
        is_money = movement.unit_type == UnitType.MONEY
        if not movement.amount or (is_money and movement.bucket_id == MAIN_BUCKET):
            continue
        like = event.trace.price_units if event.trace else 0
        units = (
            f"{format_micro(abs(movement.amount))} {event.currency}"
            if is_money
            else units_in_words(abs(movement.amount), movement.unit_type, like=like)
        )
        parts.append(f"{units} {'from' if movement.amount < 0 else 'to'} {movement.bucket_id}")
    if event.notice is not None:
        parts.append(_notice_details(event.notice))
    if event.session_id:
        parts.append(f"session {event.session_id}")
    elif event.kind == EventKind.TOP_UP:
        parts.append(f"reference {event.event_id.split(':', 2)[-1]}")
    if event.kind == EventKind.TRANSFER:
        parts.append(f"{'to' if event.amount_micro < 0 else 'from'} {event.reason}")
    elif event.kind == EventKind.FEE:  # the second part of its id is the offer that charges it
        parts.append(f"{event.event_id.split(':')[1]}, {event.reason}")
    elif event.reason:
        parts.append(event.reason)
    return ", ".join(parts)


def _notice_details(notice: Notice) -> str:
    """What a notice tells, in a few words."""
    match notice.kind:
        case NoticeKind.BUNDLE | NoticeKind.SPENDING_LIMIT:
            return f"{notice.threshold} % of {notice.subject}"
        case NoticeKind.CREDIT_LIMIT:
            return f"{notice.threshold} % of the credit limit"
        case NoticeKind.LOW_BALANCE:
            return f"balance below {format_micro(notice.threshold)}"
        case NoticeKind.AUTO_TOP_UP:
            return f"{format_micro(notice.value)} to be paid {notice.subject}".rstrip()
        case _:
            return notice.subject


def _folded(text: str) -> str:
    """A long text on lines of its own, indented; no letter of a session's id is lost."""
    return textwrap.fill(
        text, _LINE_WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT + "  ", break_on_hyphens=False
    )


def limits_in_words(subscriber: Subscriber, currency: str) -> Iterator[str]:
    """What a subscriber may take from the account that it shares, limit by limit."""
    for limit in subscriber.limits:
        if limit.unit_type == UnitType.MONEY:
            amount = f"{format_micro(limit.amount)} {currency}"
        else:
            amount = units_in_words(limit.amount, limit.unit_type)
        yield f"{amount} a {_PERIODS.get(limit.period, limit.period)}"


def event_record(event: ChargeEvent) -> dict[str, Any]:
    """An event for programs, with the sentences of its price."""
    record = fields(event)
    record["kind"] = event.kind.name.lower()
    record["unit_type"] = event.unit_type.name.lower()
    record["movements"] = [
        {**fields(movement), "unit_type": movement.unit_type.name.lower()} for movement in event.movements
    ]
    record["trace"] = None if event.trace is None else fields(event.trace)
    record["explanation"] = list(explain(event))
    return record
