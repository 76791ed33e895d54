"""The dialogue of a CLI box."""

import pytest

from simulators.element.cli_box import COMMIT, DIRECT, MORE, CliBox, Dialogue
from simulators.element.cli_config import parse_lines, written


class Desk:
    """A box and somebody at it; ``now`` is its clock."""

    def __init__(self, style: str = DIRECT) -> None:
        lines = parse_lines(["hostname ce1"])
        self.box = CliBox("ce1", style, "enable", lines, lines)
        self.now = 0.0
        self.dialogue = self.another()

    def another(self, line: str = "vty1") -> Dialogue:
        return Dialogue(self.box, "admin", line, lambda: self.now)

    def types(self, text: str, dialogue: Dialogue | None = None) -> str:
        """Everything that appears while lines are typed."""
        dialogue = dialogue or self.dialogue
        shown = ""
        for key in text:
            echo, line = dialogue.key(key)
            shown += echo + ("" if line is None else dialogue.run(line))
        return shown

    def privileged(self, dialogue: Dialogue | None = None) -> None:
        self.types("enable\renable\rterminal length 0\r", dialogue)

    def running(self) -> list[str]:
        return [line for line in written(self.box.running) if line != "!"]


@pytest.fixture(params=[DIRECT, COMMIT])
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(request.param)


def test_the_way_in_ends_with_a_prompt(desk: Desk) -> None:
    assert desk.dialogue.greeting().endswith("\r\nce1>")


def test_enable_asks_for_the_password_and_does_not_show_it(desk: Desk) -> None:
    assert desk.types("enable\r") == "enable\r\nPassword: "
    assert desk.types("wrong\r") == "\r\n% Access denied\r\nce1>"
    assert desk.types("enable\renable\r").endswith("Password: \r\nce1#")
    assert desk.types("disable\r").endswith("ce1>")


def test_without_enable_nothing_is_shown_or_changed(desk: Desk) -> None:
    for line in ("show running-config", "configure terminal", "write memory"):
        assert "% Invalid input" in desk.types(f"{line}\r")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_lines_end_as_terminals_end_them(desk: Desk, end: str) -> None:
    desk.privileged()
    assert desk.types(f"show version{end}show version{end}").count("Simulated element") == 2


def test_keys_are_echoed_and_taken_back(desk: Desk) -> None:
    assert desk.types("exix\x7ft") == "exix\b \bt"
    assert desk.types("\r") == "\r\n"
    assert desk.dialogue.is_over


def test_sections_change_the_prompt_and_a_line_of_the_top_leaves_them(desk: Desk) -> None:
    desk.privileged()
    assert desk.types("configure terminal\r").endswith("ce1(config)#")
    assert desk.types("interface ge0\r").endswith("ce1(config-if)#")
    assert desk.types("description a\r").endswith("ce1(config-if)#")
    assert desk.types("vlan 7\r").endswith("ce1(config-vlan)#")
    assert desk.types("exit\r").endswith("ce1(config)#")
    assert "% Invalid input" in desk.types("nonsense\r")
    assert "hostname ce1" in desk.types("do show running-config\r")


def test_a_long_answer_comes_in_pages(desk: Desk) -> None:
    desk.types("enable\renable\rterminal length 3\r")
    assert desk.types("show running-config\r").endswith(MORE)
    assert desk.types(" ").startswith(f"\r{' ' * len(MORE)}\r")
    assert desk.types("q").endswith("ce1#")
    desk.types("show running-config\r")
    one = desk.types("\r")
    assert one.count("\r\n") == 1
    assert one.endswith(MORE)
    assert desk.types("x") == ""
    shown = desk.types(" ")
    assert shown.endswith("ce1#")


def test_exclusive_configuration_keeps_others_out_until_it_is_left(desk: Desk) -> None:
    other = desk.another("vty2")
    desk.privileged()
    desk.privileged(other)
    desk.types("configure exclusive\r")
    assert "% Configuration is locked by admin on vty1" in desk.types("configure terminal\r", other)
    desk.types("end\r")
    assert desk.types("configure terminal\r", other).endswith("(config)#")
    desk.types("end\r", other)
    desk.types("configure exclusive\r")
    desk.dialogue.hang_up()
    assert desk.box.locked_by == ""


# --- direct ------------------------------------------------------------------------------------------------------


def test_direct_each_line_runs_at_once_and_is_saved_apart() -> None:
    desk = Desk(DIRECT)
    desk.privileged()
    assert desk.types("configure terminal\rhostname new\r").endswith("new(config)#")
    assert desk.running() == ["hostname new"]
    assert "hostname ce1" in desk.types("end\rshow startup-config\r")
    assert desk.types("copy running-config startup-config\r").endswith("[startup-config]? ")
    assert "[OK]" in desk.types("\r")
    assert "hostname new" in desk.types("show startup-config\r")
    assert "[OK]" in desk.types("write memory\r")


def test_direct_there_is_no_commit() -> None:
    desk = Desk(DIRECT)
    desk.privileged()
    assert "% Invalid input" in desk.types("configure terminal\rcommit\r")


# --- commit ------------------------------------------------------------------------------------------------------


def configuring() -> Desk:
    desk = Desk(COMMIT)
    desk.privileged()
    desk.types("configure terminal\r")
    return desk


def test_collected_lines_run_at_the_commit_and_not_before() -> None:
    desk = configuring()
    desk.types("interface ge0\rdescription a\r")
    assert desk.running() == ["hostname ce1"]
    assert "interface ge0\r\n description a\r\n" in desk.types("show configuration\r")
    assert "%" not in desk.types("commit\r")
    assert desk.running() == ["hostname ce1", "interface ge0", " description a"]
    assert "% No configuration changes" in desk.types("commit\r")


def test_clear_and_abort_drop_what_was_collected() -> None:
    desk = configuring()
    desk.types("hostname a\rclear\r")
    assert "% No configuration changes" in desk.types("commit\r")
    assert desk.types("hostname a\rabort\r").endswith("ce1#")
    assert desk.running() == ["hostname ce1"]


@pytest.mark.parametrize(("answer", "name"), [("yes", "new"), ("no", "ce1"), ("cancel", "ce1")])
def test_the_end_asks_what_to_do_with_collected_lines(answer: str, name: str) -> None:
    desk = configuring()
    assert desk.types("hostname new\rend\r").endswith("[cancel]:")
    shown = desk.types(f"{answer}\r")
    assert desk.running() == [f"hostname {name}"]
    assert shown.endswith("(config)#" if answer == "cancel" else f"{name}#")


def test_a_confirmed_commit_is_undone_at_its_time() -> None:
    desk = configuring()
    desk.now = 100
    desk.types("hostname new\rcommit confirmed 60\r")
    assert desk.running() == ["hostname new"]
    assert not desk.box.expire(159)
    assert desk.box.expire(160)
    assert desk.running() == ["hostname ce1"]


def test_a_confirmed_commit_is_confirmed_from_any_session() -> None:
    desk = configuring()
    desk.types("hostname new\rcommit confirmed 60\r")
    other = desk.another("vty2")
    desk.privileged(other)
    assert "%" not in desk.types("configure terminal\rcommit\r", other)
    assert not desk.box.expire(1e9)
    assert desk.running() == ["hostname new"]


def test_a_commit_that_others_made_impossible_fails_and_keeps_the_lines() -> None:
    desk = configuring()
    desk.types("vrf definition blue\rexit\rcommit\rinterface ge0\rvrf forwarding blue\r")
    desk.box.run(parse_lines(["hostname ce1"]))
    assert "% Failed to commit" in desk.types("commit\r")
    assert "vrf forwarding blue" in desk.types("show configuration\r")


def test_commits_are_taken_back() -> None:
    desk = configuring()
    desk.types("hostname a\rcommit\rhostname b\rcommit\rend\r")
    assert "rolled back" in desk.types("rollback configuration last 2\r")
    assert desk.running() == ["hostname ce1"]
    assert "% No such commit" in desk.types("rollback configuration last 99\r")
