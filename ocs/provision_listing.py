"""Changes of network elements for people: what would be sent, what is queued, how far it has come."""

import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from ocs.alarm_terminal import make_console, print_json
from ocs.change_preview import Preview
from ocs.inventory_listing import print_rows
from ocs.provisioning.configuration import diff_lines
from ocs.provisioning.transactions.record import Transaction
from ocs.provisioning.transactions.states import HOLDS_ELEMENTS, TransactionState
from ocs.service_parameters import ParameterDescription

_STYLES: Final = {"+": "green", "-": "red"}
_ELEMENTS_SHOWN: Final = 3


def print_transactions(transactions: Iterable[Transaction]) -> None:
    """Print transactions: whole ids; what is longer than a terminal has room for is folded."""
    print_rows(
        ("transaction", "state", "changed", "elements", "what", "by", "reason"),
        (
            (
                one.transaction_id,
                one.state.value,
                _short_time(one.changed_ms),
                _elements(one.elements),
                one.description,
                one.requested_by,
                _waits_for(one),
            )
            for one in transactions
        ),
        folded=("elements", "what", "by", "reason"),
    )


def _waits_for(transaction: Transaction) -> str:
    """Why it stands as it does; of what waits for its hour, when that is."""
    if transaction.state is not TransactionState.QUEUED or not transaction.not_before_ms:
        return transaction.reason
    hour = f"not before {_short_time(transaction.not_before_ms)}"
    return f"{hour}; {transaction.reason}" if transaction.reason else hour


def print_parameters(parameters: Iterable[ParameterDescription]) -> None:
    """Print what a kind of service is told."""
    console = make_console()
    for one in parameters:
        needed = "needed" if one.is_needed else f"default {one.default}" if one.default else "may be left out"
        console.print(f"  {one.name} ({one.form}; {needed})")
        console.print(f"      {one.about}")
        console.print(f"      --set {shlex.quote(f'{one.name}={one.example}')}")


def print_transaction(transaction: Transaction) -> None:
    """Print all that the journal has of one transaction."""
    console = make_console()
    console.print(transaction.transaction_id)
    for label, value in (
        ("state", transaction.state.value),
        ("reason", transaction.reason),
        ("what", transaction.description),
        ("by", transaction.requested_by),
        ("queued", _time(transaction.created_ms)),
        ("changed", _time(transaction.changed_ms)),
        ("not before", _time(transaction.not_before_ms)),
        ("not after", _time(transaction.not_after_ms)),
        ("batch", transaction.batch_id),
        ("attempts", str(transaction.attempts)),
    ):
        if value:
            console.print(f"  {label:<10} {value}")
    if not transaction.participants:
        console.print(f"  {'elements':<10} {', '.join(transaction.elements) or 'none'}")
    for one in transaction.participants:
        if one.is_settled:
            how = "settled"
        elif transaction.state in HOLDS_ELEMENTS and one.reason:
            how = f"in doubt: {one.reason}"
        else:
            how = one.reason or "not settled"
        console.print(Text(f"{one.element}: {how}", style="bold"))
        print_lines(diff_lines(one.before or {}, one.forward))


def _elements(names: Sequence[str]) -> str:
    more = len(names) - _ELEMENTS_SHOWN
    return ", ".join(names[:_ELEMENTS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}" if at_ms else ""


def _short_time(at_ms: int) -> str:
    """A moment without its year, in UTC; a row has little room."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%m-%d %H:%M}" if at_ms else ""


def print_lines(lines: Sequence[str]) -> None:
    """Print the lines of a difference, what comes in green and what goes in red."""
    console = make_console()
    for line in lines:
        console.print(Text(line, style=_STYLES.get(line[:1], "")))


def print_previews(previews: Sequence[Preview], *, as_json: bool) -> None:
    """Print what a change would send, and what would undo it."""
    if as_json:
        print_json(previews)
        return
    console = make_console()
    if not any(one.lines or one.forward for one in previews):
        console.print("nothing would be sent")
    for one in previews:
        console.print(Text(one.element, style="bold"))
        print_lines(one.lines)
        for path in one.drift:
            console.print(Text(f"! {path} is not as it was left: this would be refused", style="yellow"))
        for heading, native in (("sent", one.forward), ("undone by", one.reverse)):
            if native:
                console.print(Text(f"{one.element}, {heading}:", style="bold"))
                console.print(Text(native.rstrip("\n")))
