"""The board: what it tells, once, and that it fits a terminal of a hundred columns."""

from io import StringIO

from rich.console import Console
from rich.text import Text

from ocs.messages import CCRequestType, FinalUnitAction, RequestedAction, Service
from simulators.demo_audit import Statement
from simulators.demo_cast import CAST
from simulators.demo_view import DemoView, credit_bar, describe_grant, print_statements
from simulators.gateway.model import CreditAnswer, CreditRequest, ServiceReport, ServiceResult, Units
from simulators.gateway.run import Exchange, RunReport
from simulators.operator import AccountView

CEM, DORA = CAST[2], CAST[3]
MIB = 1_048_576


def view() -> tuple[DemoView, StringIO]:
    out = StringIO()
    return DemoView(Console(file=out, width=100), "Online charging"), out


def exchange(
    kind: CCRequestType, *results: ServiceResult, code: int = 2001, sendings: int = 1, used: int = 0
) -> Exchange:
    reports = (ServiceReport(1, requested=Units(), used=Units(total_octets=used)),)
    request = CreditRequest(CEM.subscriber, "g;1", kind, 0, Service.DATA, reports)
    return Exchange(request, CreditAnswer("g;1", code, int(kind), 0, services=results), 0.002, sendings)


def event(action: RequestedAction, answer: CreditAnswer) -> Exchange:
    request = CreditRequest(
        CEM.subscriber, "g;2", CCRequestType.EVENT, 0, Service.SMS, (), requested_action=action
    )
    return Exchange(request, answer, 0.002, 1)


def test_story_tells_grant_final_unit_refusal_and_top_up() -> None:
    board, out = view()
    granted = Units(total_octets=10 * MIB)
    board.exchange(exchange(CCRequestType.INITIAL, ServiceResult(1, 2001, granted=granted)))
    final = ServiceResult(1, 2001, granted=granted, final_unit_action=FinalUnitAction.TERMINATE)
    board.exchange(exchange(CCRequestType.UPDATE, final, used=MIB))
    for _ in range(3):
        board.exchange(exchange(CCRequestType.INITIAL, code=4012))
    board.topped_up(CEM, "5.00")
    board.exchange(exchange(CCRequestType.INITIAL, code=4012))
    told = out.getvalue()
    assert "Cem   starts data: granted 10.0 MiB" in told
    assert "final unit: 10.0 MiB is the last grant, then terminate" in told
    assert "tops up 5.00 EUR" in told
    assert told.count("4012") == 2


def test_story_tells_repeats_and_events() -> None:
    board, out = view()
    board.exchange(exchange(CCRequestType.UPDATE, ServiceResult(1, 2001), sendings=2))
    board.exchange(event(RequestedAction.PRICE_ENQUIRY, CreditAnswer("g;2", 2001, 4, 0, cost_micro=90_000)))
    board.exchange(event(RequestedAction.CHECK_BALANCE, CreditAnswer("g;2", 2001, 4, 0, enough_credit=True)))
    board.exchange(event(RequestedAction.REFUND_ACCOUNT, CreditAnswer("g;2", 2001, 4, 0, cost_micro=-90_000)))
    board.exchange(event(RequestedAction.DIRECT_DEBITING, CreditAnswer("g;2", 2001, 4, 0)))
    told = out.getvalue()
    for words in (
        "first answer again",
        "costs (0.09 EUR)",
        "can be paid: yes",
        "refunded 0.09 EUR",
        "sends a message",
    ):
        assert words in told


def test_board_fits_a_terminal_of_a_hundred_columns() -> None:
    out = StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system=None, legacy_windows=False)
    with DemoView(console, "Online charging   Diameter 127.0.0.1:3868   http://127.0.0.1:8080") as board:
        board.say("Cem", "something that is told at great length, " * 5)
        board.balance(CEM, AccountView(123_456_789, 3))
        board.balance(DORA, AccountView(1_000_000, 0, allowance_octets=30_000_000_000))
        board.balance(DORA, AccountView(1_000_000, 0, allowance_octets=19_800_000_000))
        board.exchange(
            exchange(CCRequestType.UPDATE, ServiceResult(1, 2001, granted=Units(total_octets=MIB)))
        )
    text = out.getvalue()
    assert "123.46" in text
    assert "granted 1.0 MiB" in text
    assert "19.80 GB + 1.00" in text
    (row,) = [line for line in text.splitlines() if "19.80 GB" in line]
    assert row.count("█") == 12
    assert all(len(line) <= 100 for line in Text.from_ansi(text).plain.splitlines())


def test_money_is_what_burns_when_the_allowance_is_used_up() -> None:
    out = StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system=None, legacy_windows=False)
    with DemoView(console, "Online charging") as board:
        board.balance(DORA, AccountView(1_000_000, 0, allowance_octets=1))
        board.balance(DORA, AccountView(500_000, 0))
    rows = [line for line in out.getvalue().splitlines() if "0.00 GB + 0.50" in line]
    assert rows
    assert rows[-1].count("█") == 9


def test_bar_is_as_long_as_what_is_left() -> None:
    assert credit_bar(50, 100).plain.count("█") == 9
    assert credit_bar(-5, 100).plain.count("█") == 0
    assert credit_bar(5, 0).plain.count("█") == 0
    assert credit_bar(200, 100).plain.count("░") == 0


def test_grants_are_in_the_unit_people_use() -> None:
    assert describe_grant(Service.DATA, ServiceResult(granted=Units(total_octets=MIB))) == "1.0 MiB"
    assert describe_grant(Service.VOICE, ServiceResult(granted=Units(time_s=60))) == "60 s"
    assert describe_grant(Service.SMS, ServiceResult(granted=Units(service_specific_units=2))) == "2 messages"
    assert describe_grant(Service.SMS, ServiceResult()) == "nothing"


def test_summary_names_what_differs() -> None:
    out = StringIO()
    statements = [
        Statement("Anna", 1, 0, 0, 0, 1, 0, 1, (), allowance_octets=29_050_000_000),
        Statement("Ben", 1, 0, 0, 0, 2, 0, 1, ("events lead to 1, the balance is 2",)),
    ]
    report = RunReport(failed=1, failures=["one thing"])
    print_statements(Console(file=out, width=100), statements, report)
    told = out.getvalue()
    assert "agree" in told
    assert "Anna has 29.05 GB of included data left." in told
    assert "mean answer -;" in told
    assert "DIFFER" in told
    assert "Ben: events lead to 1, the balance is 2" in told
    assert "expectation failed: one thing" in told
