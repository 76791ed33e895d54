"""The CLI box over SSH (cli_element, cli_channel), as paramiko sees it: lines, faults, restarts."""

from pathlib import Path

import paramiko
import pytest

from simulators.element.cli_box import COMMIT, Dialogue
from simulators.element.cli_config import LineError
from simulators.element.faults import Fault, FaultKind
from simulators.element.park import Park
from tests.support.element_clients import read_until, terminal, wait_until

CONFIG = b"(config)#"


def says(channel: paramiko.Channel, line: str, end: bytes) -> str:
    channel.sendall(line.encode() + b"\n")
    return read_until(channel, end).decode()


def configuring(channel: paramiko.Channel, name: str = "ce1") -> None:
    read_until(channel, b">")
    says(channel, "enable", b"Password: ")
    says(channel, "enable", b"#")
    says(channel, "terminal length 0", f"{name}#".encode())
    says(channel, "configure terminal", CONFIG)


def test_a_change_is_typed_and_shown(park: Park) -> None:
    box = park.cli("ce1", lines=["interface ge0", " description old"])
    with terminal(box) as channel:
        configuring(channel)
        says(channel, "interface ge0", b"(config-if)#")
        says(channel, "description new", b"(config-if)#")
        says(channel, "end", b"ce1#")
        shown = says(channel, "show running-config", b"ce1#")
    assert "interface ge0\r\n description new\r\n!\r\n" in shown
    assert box.running() == ["hostname ce1", "interface ge0", " description new"]
    assert "answer" in box.faults.steps
    assert "description new" in box.faults.steps


def test_somebody_at_the_console_changes_it_and_holds_its_lock(park: Park) -> None:
    box = park.cli("ce1")
    box.change(["interface ge0", " shutdown", "ntp server 10.0.0.1"])
    assert box.running() == ["hostname ce1", "interface ge0", " shutdown", "ntp server 10.0.0.1"]
    with pytest.raises(LineError):
        box.change(["nonsense"])
    box.hold_lock("somebody")
    with terminal(box) as channel:
        read_until(channel, b">")
        says(channel, "enable", b"Password: ")
        says(channel, "enable", b"#")
        assert "% Configuration is locked by somebody" in says(channel, "configure terminal", b"ce1#")
        box.release_lock()
        assert "(config)#" in says(channel, "configure terminal", CONFIG)


def test_echo_may_be_slow(park: Park) -> None:
    box = park.cli("ce1", echo_delay_s=0.001)
    with terminal(box) as channel:
        read_until(channel, b">")
        assert says(channel, "show version", b"ce1>").startswith("show version\r\n")


@pytest.mark.parametrize(
    ("kind", "name"),
    [("drop-before", "ce1"), ("drop-after", "new"), ("die-before", "ce1"), ("die-after", "ce1")],
)
def test_a_line_may_be_the_last_one(park: Park, kind: str, name: str) -> None:
    box = park.cli("ce1")
    box.faults.add(Fault(kind=FaultKind(kind), on="hostname", seconds=-1))
    with terminal(box) as channel:
        configuring(channel)
        assert says(channel, "hostname new", b"#") in {"hostname new\r\n", ""}
    # What was not saved is gone with the power.
    box.start()
    assert box.running() == [f"hostname {name}"]


def test_a_line_is_refused_or_lied_about(park: Park) -> None:
    box = park.cli("ce1")
    box.faults.add(Fault(kind=FaultKind.REFUSE, on="hostname", message="Not today"))
    box.faults.add(Fault(kind=FaultKind.LIE, on="vlan 7"))
    box.faults.add(Fault(kind=FaultKind.LIE_OTHER, on="vlan 8", other={"vlan 9": None}))
    with terminal(box) as channel:
        configuring(channel)
        assert "% Not today\r\n" in says(channel, "hostname new", CONFIG)
        assert "%" not in says(channel, "vlan 7", b"#")
        says(channel, "vlan 8", b"#")
    assert box.running() == ["hostname ce1", "vlan 9"]


def test_an_answer_stops_midway_or_is_garbage(park: Park) -> None:
    box = park.cli("ce1")
    box.faults.add(Fault(kind=FaultKind.STOP_MID_REPLY, on="show version"))
    with terminal(box) as channel:
        read_until(channel, b">")
        got = says(channel, "show version", b"element")
        assert got.endswith("element")
    box.faults.add(Fault(kind=FaultKind.GARBAGE, on="show version"))
    with terminal(box) as channel:
        read_until(channel, b">")
        assert says(channel, "show version", b"~~~").endswith("~~~")


def test_a_confirmed_commit_is_undone_by_time_or_restart(park: Park) -> None:
    box = park.cli("ce1", style=COMMIT)
    for undo in (box.expire_confirmed_commit, box.restart):
        with terminal(box) as channel:
            configuring(channel)
            says(channel, "hostname new", CONFIG)
            says(channel, "commit confirmed 600", b"new(config)#")
            assert box.is_confirmation_pending()
            undo()
        assert box.running() == ["hostname ce1"]
        assert not box.is_confirmation_pending()


def test_what_was_saved_or_committed_is_there_in_the_next_process(tmp_path: Path) -> None:
    with Park(tmp_path) as park:
        direct, commit = park.cli("ce1"), park.cli("ce2", style=COMMIT)
        with terminal(direct) as channel:
            configuring(channel)
            says(channel, "vlan 7", b"#")
            says(channel, "do write memory", b"[OK]\r\nce1(config-vlan)#")
            says(channel, "vlan 8", b"#")
        with terminal(commit) as channel:
            configuring(channel, "ce2")
            says(channel, "vlan 7", b"#")
            says(channel, "commit", b"#")
    with Park(tmp_path) as park:
        assert park.cli("ce1").running() == ["hostname ce1", "vlan 7"]
        assert park.cli("ce2", style=COMMIT).running() == ["hostname ce2", "vlan 7"]


def test_a_session_that_ends_leaves_nothing_locked(park: Park) -> None:
    box = park.cli("ce1")
    with terminal(box) as channel:
        configuring(channel)
        says(channel, "end", b"#")
        says(channel, "configure exclusive", CONFIG)
        assert box.box.locked_by == "admin on vty1"
    assert wait_until(lambda: not box.box.locked_by)


def test_an_exception_in_a_line_is_its_answer_and_the_session_goes_on(
    park: Park, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(dialogue: Dialogue, line: str) -> str:
        raise ZeroDivisionError(type(dialogue).__name__ + line)

    box = park.cli("ce1")
    with terminal(box) as channel, monkeypatch.context() as broken:
        read_until(channel, b">")
        broken.setattr(Dialogue, "run", fail)
        assert "% Internal error: ZeroDivisionError" in says(channel, "enable", b">")
        broken.undo()
        says(channel, "enable", b"Password: ")
    assert "Traceback" in capfd.readouterr().err
