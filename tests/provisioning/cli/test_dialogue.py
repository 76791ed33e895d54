"""The dialogue with a command line, octet by octet."""

import pytest

from ocs.provisioning.cli.dialogue import (
    Answered,
    Dialogue,
    DialogueError,
    Event,
    Mode,
    More,
    PasswordWanted,
    Question,
    rendered,
)
from tests.support.command_lines import shipped_command_line

IOS = shipped_command_line("ios-like")


def dialogue(octets_max: int = 10_000) -> Dialogue:
    """One that has seen the first prompt."""
    one = Dialogue(IOS, octets_max=octets_max)
    assert one.receive(b"\r\nWelcome\r\nbox#") == Answered(Mode.PRIVILEGED, "\nWelcome")
    one.typed("terminal length 0")
    assert one.receive(b"terminal length 0\r\nbox#") == Answered(Mode.PRIVILEGED, "")
    return one


def feed(one: Dialogue, data: bytes, *, whole: bool) -> list[Event]:
    pieces = [data] if whole else [data[at : at + 1] for at in range(len(data))]
    return [event for piece in pieces if (event := one.receive(piece)) is not None]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("prompt", "mode"),
    [
        (b"box>", Mode.USER),
        (b"box#", Mode.PRIVILEGED),
        (b"box(config)#", Mode.CONFIGURE),
        (b"box(config-if)# ", Mode.CONFIGURE),
        (b"RP/0/RSP0/CPU0:box(config-if)#", Mode.CONFIGURE),
    ],
)
def test_an_answer_ends_with_a_prompt_however_the_octets_come(prompt: bytes, mode: Mode, whole: bool) -> None:
    one = dialogue()
    one.typed("show clock")
    events = feed(one, b"show clock\r\n12:00\r\nUTC\r\n" + prompt, whole=whole)
    assert events[0] == Answered(mode, "12:00\nUTC")


def test_no_prompt_is_seen_before_the_line_was_echoed() -> None:
    one = dialogue()
    one.typed("box#")
    assert feed(one, b"box#", whole=False) == [], "a slow echo that looks like a prompt"
    assert one.receive(b"\r\nbox#") == Answered(Mode.PRIVILEGED, "")


def test_what_looks_like_a_prompt_in_the_middle_of_an_answer_is_none() -> None:
    one = dialogue()
    one.typed("show running-config", until="end")
    assert one.receive(b"show running-config\r\nbanner\r\nbox#") is None
    assert one.receive(b"\r\nbox(config)#\r\nend of it\r\nbox#") is None
    answer = one.receive(b"\r\nend\r\nbox#")
    assert answer == Answered(Mode.PRIVILEGED, "banner\nbox#\nbox(config)#\nend of it\nbox#\nend")


def test_an_error_ends_an_answer_whose_end_never_comes() -> None:
    one = dialogue()
    one.typed("show running-config", until="end")
    answer = one.receive(b"show running-config\r\n% Invalid input detected at '^' marker.\r\nbox#")
    assert isinstance(answer, Answered)


def test_a_greeting_that_looks_like_a_prompt_is_passed_over_at_the_first_echo() -> None:
    one = Dialogue(IOS, octets_max=1_000)
    assert isinstance(one.receive(b"gateway#"), Answered)
    one.typed("terminal length 0")
    assert one.receive(b" is what you are on\r\nbox>terminal length 0\r\nbox>") == Answered(Mode.USER, "")


@pytest.mark.parametrize("whole", [True, False])
def test_pages_are_turned_and_leave_no_trace(whole: bool) -> None:
    one = dialogue()
    one.typed("show x")
    assert feed(one, b"show x\r\nfirst\r\n --More-- ", whole=whole)[:1] == [More()]
    (answer,) = feed(one, b"\r          \r second\r\nbox#", whole=whole)
    assert isinstance(answer, Answered)
    assert [line for line in answer.text.split("\n") if line.strip()] == ["first", " second"]


def test_a_password_is_asked_for_and_not_echoed() -> None:
    one = dialogue()
    one.typed("enable")
    assert one.receive(b"enable\r\nPassword: ") == PasswordWanted()
    one.typed_answer("s3cret", is_echoed=False)
    assert one.receive(b"\r\n% Access denied\r\nbox>") == Answered(Mode.USER, "% Access denied")


def test_a_box_may_say_nothing_after_a_password_not_even_a_new_line() -> None:
    one = dialogue()
    one.typed("enable")
    assert one.receive(b"enable\r\nPassword: ") == PasswordWanted()
    one.typed_answer("s3cret", is_echoed=False)
    assert one.receive(b"% Access denied\r\nbox>") == Answered(Mode.USER, "% Access denied")


def test_a_question_that_is_foreseen_has_its_answer() -> None:
    one = dialogue()
    one.typed("copy running-config startup-config")
    event = one.receive(b"copy running-config startup-config\r\nDestination filename [startup-config]? ")
    assert event == Question("")
    one.typed_answer("", is_echoed=True)
    assert one.receive(b"\r\n[OK]\r\nbox#") == Answered(Mode.PRIVILEGED, "[OK]")


def test_another_echo_than_what_was_typed_is_out_of_step_and_not_quoted() -> None:
    one = dialogue()
    one.typed("username x secret hunter22")
    with pytest.raises(DialogueError, match="out of step") as refused:
        one.receive(b"%SYS-5: something\r\n")
    assert "hunter22" not in str(refused.value)


def test_an_answer_without_end_is_refused() -> None:
    one = dialogue(octets_max=1_000)
    one.typed("show x")
    one.receive(b"show x\r\n")
    with pytest.raises(DialogueError, match="1000 octets"):
        one.receive(b"x" * 1_001)


def test_a_bound_is_for_one_answer_and_not_for_the_session() -> None:
    one = dialogue(octets_max=1_000)
    for _ in range(5):
        one.typed("show x")
        assert one.receive(b"show x\r\n" + b"x" * 900 + b"\r\nbox#") == Answered(Mode.PRIVILEGED, "x" * 900)


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("plain text  ", "plain text"),
        ("\x1b[1;32mbox\x1b[0m#", "box#"),
        ("\x1b]0;title\x07box#", "box#"),
        ("abc\b\b12", "a12"),
        ("old text\rnew", "new text"),
        (" --More-- \r          \rinterface", "interface"),
        ("a\0\ab", "ab"),
        ("trailing\r", "trailing"),
    ],
)
def test_a_line_is_what_a_terminal_shows(raw: str, seen: str) -> None:
    assert rendered(raw) == seen
