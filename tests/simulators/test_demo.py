"""The demo, played against a fake charging system and its operator."""

from io import StringIO
from typing import Any

from rich.console import Console

from simulators.demo import play


def played(ocs: Any, operator: Any) -> tuple[bool, str]:
    out = StringIO()
    console = Console(file=out, width=100)
    held = play(
        console,
        operator,
        diameter=("127.0.0.1", ocs.port),
        http="http://127.0.0.1:8080",
        play_s=2.0,
        time_scale=60.0,
    )
    return held, out.getvalue()


def test_demo_tells_its_story_and_the_books_agree(ocs: Any, operator: Any) -> None:
    held, told = played(ocs, operator)
    assert held, told
    for words in ("starts data", "final unit", "4012", "tops up 5.00 EUR", "every micro-unit", "agree"):
        assert words.lower() in told.lower()
    assert operator.topped_up == [("C1", "5.00")]


def test_money_that_is_missing_fails_the_demo(ocs: Any, operator: Any) -> None:
    true_account = operator.account

    def short(account: str) -> Any:
        view = true_account(account)
        return type(view)(money_micro=view.money_micro - 1, reserved=view.reserved)

    operator.account = short
    held, told = played(ocs, operator)
    assert not held
    assert "DIFFER" in told
