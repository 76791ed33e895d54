"""Asking a command line, whatever comes back or does not."""

from collections import deque

import pytest
import trio
from trio.testing import MockClock

from ocs.limits import CLI_QUESTIONS_MAX
from ocs.provisioning.cli.cli_conversation import CliConversation, Typed
from ocs.provisioning.errors import ElementError, ElementFault
from tests.support.command_lines import shipped_command_line

IOS = shipped_command_line("ios-like")
LOGIN = ("box#", "terminal length 0\r\nbox#", "terminal width 511\r\nbox#")


class ScriptedBox:
    """A transport: each line that is sent gets the next answer; without one, nothing ever comes.

    Attributes:
        sent: everything that was typed.
    """

    def __init__(self, *answers: str | None) -> None:
        self.sent: list[str] = []
        self._answers = deque(answers)
        self._waiting: deque[bytes] = deque()
        self._answer()

    def _answer(self) -> None:
        answer = self._answers.popleft() if self._answers else ""
        if answer is None:
            self._waiting.append(b"")
        elif answer:
            self._waiting.append(answer.encode())

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.sent.append(data.decode())
        self._answer()

    async def receive(self) -> bytes:
        if not self._waiting:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        return self._waiting.popleft()


async def talk(*answers: str | None) -> tuple[CliConversation, ScriptedBox]:
    box = ScriptedBox(*LOGIN, *answers)
    conversation = CliConversation("ce1", box, IOS)
    await conversation.open(10)
    return conversation, box


async def test_a_line_is_typed_and_its_answer_returned() -> None:
    conversation, box = await talk("show clock\r\n12:00\r\nbox#")
    assert await conversation.ask(Typed("show clock"), 10) == "12:00"
    assert box.sent[-1] == "show clock\r"
    assert conversation.is_open
    assert not conversation.is_configuring


async def test_a_page_is_turned_with_a_key_alone() -> None:
    conversation, box = await talk("show x\r\none\r\n --More-- ", "\r          \rtwo\r\nbox#")
    assert await conversation.ask(Typed("show x"), 10) == "one\ntwo"
    assert box.sent[-1] == " "


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("% Configuration is locked by somebody", ElementFault.BUSY),
        ("% Access denied", ElementFault.ACCESS),
        ("% Invalid input detected at '^' marker.", ElementFault.UNSUPPORTED),
        ("% policy map x not configured", ElementFault.REQUEST),
    ],
)
async def test_an_error_has_its_fault_and_the_boxs_words_and_the_session_goes_on(
    said: str, fault: ElementFault
) -> None:
    conversation, _ = await talk(f"do it\r\n   ^\r\n{said}\r\nbox#", "again\r\nbox#")
    with pytest.raises(ElementError) as refused:
        await conversation.ask(Typed("do it"), 10)
    assert (refused.value.fault, refused.value.tag, refused.value.operation) == (fault, said, "do it")
    assert await conversation.ask(Typed("again"), 10) == ""


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("", "before it had echoed the line"),
        ("show x\r\nhalf of", "after 15 octets"),
        ("show x\r\n\x1b[2J\0~~~", "no prompt within 10 s"),
    ],
)
async def test_an_answer_that_stops_is_waited_for_and_not_for_ever(
    answer: str, words: str, autojump_clock: MockClock
) -> None:
    conversation, _ = await talk(answer)
    with pytest.raises(ElementError) as refused:
        await conversation.ask(Typed("show x"), 10)
    assert refused.value.fault is ElementFault.UNREACHABLE
    assert words in refused.value.reason
    assert not conversation.is_open
    with pytest.raises(ElementError, match="over"):
        await conversation.ask(Typed("show y"), 10)


async def test_a_stream_that_ends_says_where() -> None:
    conversation, _ = await talk(None)
    with pytest.raises(ElementError, match="show x: the element ended the connection before") as refused:
        await conversation.ask(Typed("show x"), 10)
    assert refused.value.fault is ElementFault.UNREACHABLE


async def test_an_echo_of_something_else_ends_the_session() -> None:
    conversation, _ = await talk("%SYS-5-RESTART\r\n")
    with pytest.raises(ElementError, match="out of step") as refused:
        await conversation.ask(Typed("show x"), 10)
    assert refused.value.fault is ElementFault.PROTOCOL
    assert not conversation.is_open


async def test_a_cancelled_question_leaves_nobody_to_take_its_answer(autojump_clock: MockClock) -> None:
    conversation, _ = await talk("")
    with trio.move_on_after(1):
        await conversation.ask(Typed("show x"), 10)
    assert not conversation.is_open


async def test_a_box_that_asks_on_and_on_is_left() -> None:
    question = "Destination filename [startup-config]? "
    conversation, box = await talk(f"copy\r\n{question}", *[f"\r\n{question}"] * 20)
    with pytest.raises(ElementError, match="keeps asking") as refused:
        await conversation.ask(Typed("copy"), 10)
    assert refused.value.fault is ElementFault.PROTOCOL
    assert box.sent.count("\r") == CLI_QUESTIONS_MAX + 1


async def test_what_is_not_to_be_shown_is_in_no_error() -> None:
    conversation, _ = await talk("user x hunter22\r\n% Bad password hunter22\r\nbox#")
    with pytest.raises(ElementError) as refused:
        await conversation.ask(Typed("user x hunter22", "user x ***"), 10)
    assert "hunter22" not in str(refused.value) + refused.value.tag
    assert refused.value.operation == "user x ***"
