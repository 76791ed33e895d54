"""What the demo shows: a live board on a terminal, plain lines elsewhere. It tells a story, not a log."""

import time
from collections import deque
from typing import Final, Self

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ocs.messages import CCRequestType, RequestedAction, Service
from ocs.units import format_micro, parse_micro
from simulators.demo_audit import Statement
from simulators.demo_cast import CAST, Character
from simulators.gateway.model import CREDIT_LIMIT_REACHED, CreditRequest, ServiceResult
from simulators.gateway.run import Exchange, RunReport
from simulators.operator import AccountView

_WIDTH: Final = 98
_BAR: Final = 18
_STORY_LINES: Final = 9
_LEFT: Final = 16
_MIB: Final = 1_048_576
_GB: Final = 1_000_000_000


class _Line(msgspec.Struct):
    """One subscriber on the board; ``full_...`` is the most there has been."""

    balance_micro: int
    full_micro: int
    allowance_octets: int = 0
    full_octets: int = 0
    doing: str = ""
    style: str = "dim"
    requests: int = 0


class DemoView:
    """The board. Use it in a ``with`` block; feed it exchanges and balances; it draws itself.

    Its methods may be called from several threads: each only sets values that the next drawing reads.
    """

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._begin_s = time.monotonic()
        self._story: deque[Text] = deque(maxlen=_STORY_LINES)
        self._lines = {
            character.subscriber.msisdn: _Line(parse_micro(character.balance), parse_micro(character.balance))
            for character in CAST
        }
        self._told: set[tuple[str, str]] = set()
        self._requests = 0
        self._grants = 0
        self._repeats = 0
        self._slowest_s = 0.0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, get_renderable=self._board, refresh_per_second=8, transient=False
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def restart_clock(self) -> None:
        """The play begins now."""
        self._begin_s = time.monotonic()

    def say(self, who: str, what: str, style: str = "") -> None:
        """Add a line to the story."""
        line = Text(f"{time.monotonic() - self._begin_s:5.1f} s  ", style="dim")
        line.append(f"{who:<6}", style="bold")
        line.append(what, style=style)
        line.truncate(_WIDTH - 4, overflow="ellipsis")
        self._story.append(line)
        if self._live is None:
            self._console.print(line.plain, highlight=False, soft_wrap=True)

    def topped_up(self, character: Character, amount: str) -> None:
        """Tell of a top-up; what is refused after it is news again."""
        self._told = {(name, topic) for name, topic in self._told if name != character.name}
        self.say(character.name, f"tops up {amount} EUR", "bold cyan")

    def balance(self, character: Character, account: AccountView) -> None:
        """Show an account as the system has it."""
        line = self._lines[character.subscriber.msisdn]
        line.balance_micro, line.allowance_octets = account.money_micro, account.allowance_octets
        line.full_micro = max(line.full_micro, account.money_micro)
        line.full_octets = max(line.full_octets, account.allowance_octets)

    def exchange(self, exchange: Exchange) -> None:
        """Show one request and its answer; tell what is worth telling."""
        request, answer = exchange.request, exchange.answer
        line = self._lines[request.subscriber.msisdn]
        line.requests += 1
        self._requests += 1
        if answer is None:
            line.doing, line.style = "no answer", "red"
            return
        self._grants += sum(result.granted is not None for result in answer.services)
        if exchange.sendings == 1:
            self._slowest_s = max(self._slowest_s, exchange.elapsed_s)
        refused = answer.result_code == CREDIT_LIMIT_REACHED or any(
            result.result_code == CREDIT_LIMIT_REACHED for result in answer.services
        )
        line.doing, line.style = _doing(request, answer.services, refused=refused)
        self._tell(exchange, refused=refused)

    def _tell(self, exchange: Exchange, *, refused: bool) -> None:
        request, answer = exchange.request, exchange.answer
        if answer is None:
            return
        name = name_of(request)
        if exchange.sendings > 1:
            self._repeats += 1
            self._once(
                name,
                "repeat",
                "answer lost, sent again with T: first answer again, charged once",
            )
        for result in answer.services:
            if result.final_unit_action is not None and result.granted is not None:
                amount = describe_grant(request.service, result)
                self.say(
                    name,
                    f"final unit: {amount} is the last grant, then {result.final_unit_action.name.lower()}",
                    "yellow",
                )
        if request.ends_a_final_unit:
            self.say(name, "credit used up: redirected to the page for topping up", "red")
        elif request.was_demanded:
            grants = ", ".join(describe_grant(request.service, result) for result in answer.services)
            self.say(name, f"told to ask again (RAR): granted {grants}", "green")
        elif refused:
            self._once(
                name,
                "4012",
                f"refused: credit limit reached (4012), no more {_PLURALS[request.service]}",
                "red",
            )
        elif request.request_type is CCRequestType.INITIAL and answer.services:
            grants = ", ".join(describe_grant(request.service, result) for result in answer.services)
            self._once(
                name,
                f"first {request.service}",
                f"starts {_NOUNS[request.service]}: granted {grants}",
                "green",
            )
        elif request.requested_action is not None:
            self._tell_event(name, request.requested_action, exchange)

    def _tell_event(self, name: str, action: RequestedAction, exchange: Exchange) -> None:
        answer = exchange.answer
        if answer is None:
            return
        if not answer.succeeded:
            return
        cost = f" ({format_micro(answer.cost_micro)} EUR)" if answer.cost_micro is not None else ""
        match action:
            case RequestedAction.DIRECT_DEBITING:
                self._once(name, "sms", f"sends a message{cost}", "green")
            case RequestedAction.REFUND_ACCOUNT:
                # The system tells what comes back as a cost below zero.
                back = f" {format_micro(abs(answer.cost_micro))} EUR" if answer.cost_micro is not None else ""
                self.say(name, f"message not delivered: refunded{back}", "cyan")
            case RequestedAction.CHECK_BALANCE:
                self._once(
                    name,
                    "balance",
                    "asks whether a message can be paid: " + ("yes" if answer.enough_credit else "no"),
                    "cyan",
                )
            case RequestedAction.PRICE_ENQUIRY:
                self.say(name, f"asks what a message costs{cost}", "cyan")

    def _once(self, name: str, topic: str, what: str, style: str = "") -> None:
        """Tell a thing the first time only."""
        if (name, topic) not in self._told:
            self._told.add((name, topic))
            self.say(name, what, style)

    def _board(self) -> RenderableType:
        head = Text(self._title, style="bold")
        head.append(f"   {time.monotonic() - self._begin_s:4.1f} s", style="dim")
        figures = Text(
            f"{self._requests} requests   {self._grants} grants   {self._repeats} repeats recognised   "
            f"slowest answer {self._slowest_s * 1e3:.0f} ms",
            style="dim",
        )
        table = Table(box=None, padding=(0, 1), show_edge=False, width=_WIDTH)
        table.add_column("", width=5)
        table.add_column("credit", width=_BAR)
        table.add_column("EUR", justify="right", width=_LEFT)
        table.add_column("doing", no_wrap=True, ratio=1)
        table.add_column("requests", justify="right", width=8)
        for character in CAST:
            line = self._lines[character.subscriber.msisdn]
            table.add_row(
                Text(character.name, style="bold"),
                credit_bar(*_burning(line)),
                _left(line),
                Text(line.doing or character.about, style=line.style),
                str(line.requests),
            )
        story = Group(*self._story, *(Text("") for _ in range(_STORY_LINES - len(self._story))))
        return Padding(Group(head, figures, Text(""), table, Text(""), story), (1, 1))


def _burning(line: _Line) -> tuple[int, int]:
    """What is used first and how much of it there has been: the allowance, where there is any left, else money."""
    if line.allowance_octets > 0:
        return line.allowance_octets, line.full_octets
    return line.balance_micro, line.full_micro


def _left(line: _Line) -> str:
    """What an account has left: money, after the allowance of one that has or had any."""
    money = format_micro(round(line.balance_micro, -4))
    return f"{line.allowance_octets / _GB:.2f} GB + {money}" if line.full_octets else money


def credit_bar(left: int, full: int) -> Text:
    """A bar as long as what is left; red when little is."""
    share = min(1.0, max(0.0, left / full)) if full > 0 else 0.0
    filled = round(share * _BAR)
    style = "green" if share > 0.4 else "yellow" if share > 0.12 else "red"
    bar = Text("█" * filled, style=style)
    bar.append("░" * (_BAR - filled), style="dim")
    return bar


_NOUNS: Final = {
    Service.DATA: "data",
    Service.VOICE: "a call",
    Service.SMS: "messages",
    Service.MMS: "messages",
}
_EVENTS: Final = {
    RequestedAction.DIRECT_DEBITING: "sent a message",
    RequestedAction.REFUND_ACCOUNT: "got a message refunded",
    RequestedAction.CHECK_BALANCE: "asked for the balance",
    RequestedAction.PRICE_ENQUIRY: "asked for a price",
}
_PLURALS: Final = {
    Service.DATA: "data",
    Service.VOICE: "calls",
    Service.SMS: "messages",
    Service.MMS: "messages",
}
_NAMES: Final = {character.subscriber.msisdn: character.name for character in CAST}


def name_of(request: CreditRequest) -> str:
    """Whose request it is."""
    return _NAMES.get(request.subscriber.msisdn, request.subscriber.msisdn)


def describe_grant(service: Service, result: ServiceResult) -> str:
    """A grant in the unit that people use for it."""
    amount = result.granted.amount(service) if result.granted else 0
    if not amount:
        return "nothing"
    match service:
        case Service.DATA:
            return f"{amount / _MIB:.1f} MiB"
        case Service.VOICE:
            return f"{amount} s"
        case Service.SMS | Service.MMS:
            return f"{amount} message{'s' if amount > 1 else ''}"


def _doing(request: CreditRequest, results: tuple[ServiceResult, ...], *, refused: bool) -> tuple[str, str]:
    """What a subscriber does, in a few words, and in which colour."""
    if refused:
        return "refused: credit limit reached (4012)", "red"
    if any(result.final_unit_action is not None for result in results):
        return f"on the final unit of {_NOUNS[request.service]}", "yellow"
    match request.request_type:
        case CCRequestType.TERMINATION:
            return f"ended {_NOUNS[request.service]}", "dim"
        case CCRequestType.EVENT:
            action = request.requested_action or RequestedAction.DIRECT_DEBITING
            return _EVENTS[action], "cyan"
        case CCRequestType.INITIAL | CCRequestType.UPDATE:
            used = sum(report.used.amount(request.service) for report in request.reports if report.used)
            reported = f"reported {_amount(request.service, used)}, " if used else ""
            grants = " + ".join(
                describe_grant(request.service, result) for result in results if result.granted
            )
            return f"{_NOUNS[request.service]}: {reported}granted {grants or 'nothing'}", "green"


def _amount(service: Service, units: int) -> str:
    return f"{units / _MIB:.1f} MiB" if service is Service.DATA else f"{units} s"


def print_statements(console: Console, statements: list[Statement], report: RunReport) -> None:
    """The summary: each account's money, and whether the books agree."""
    table = Table(
        title="Every micro-unit accounted for", title_justify="left", title_style="bold", width=_WIDTH
    )
    table.add_column("")
    for heading in ("opening", "+ top-ups", "+ refunds", "- charges", "= balance", "reserved", "events"):
        table.add_column(heading, justify="right")
    table.add_column("books")
    for statement in statements:
        table.add_row(
            statement.name,
            format_micro(statement.opening_micro),
            format_micro(statement.top_ups_micro),
            format_micro(statement.refunds_micro),
            format_micro(statement.charges_micro),
            format_micro(statement.balance_micro),
            str(statement.reserved),
            str(statement.events),
            Text("DIFFER", style="red") if statement.problems else Text("agree", style="green"),
        )
    console.print(table)
    for statement in statements:
        if statement.allowance_octets:
            left = f"{statement.allowance_octets / _GB:.2f} GB"
            console.print(f"{statement.name} has {left} of included data left.", highlight=False)
    mean = f"{report.latency_mean_s * 1e3:.1f} ms" if report.latency_mean_s is not None else "-"
    console.print(
        f"{report.requests} requests, {report.sendings} sendings, {report.repeats_checked} repeats compared, "
        f"mean answer {mean}; units charged = units the gateway reported, session by session.",
        highlight=False,
    )
    for statement in statements:
        for problem in statement.problems:
            console.print(f"{statement.name}: {problem}", style="red", highlight=False)
    for failure in report.failures[:10]:
        console.print(f"expectation failed: {failure}", style="red", highlight=False)
