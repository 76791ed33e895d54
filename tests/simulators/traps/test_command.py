"""The command line of the trap simulator; whole runs are in tests/endtoend/test_traps.py."""

from pathlib import Path

import pytest

from simulators.cli import main, parser
from simulators.reports import Expectation
from simulators.traps.command import SetupError, chosen_speech, chosen_target, describe
from simulators.traps.packets import V3, Speech, User
from simulators.traps.play import Played
from simulators.traps.sender import Sent


def options(*words: str):
    return parser().parse_args(["traps", *words])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--target", "nowhere"], "--target must be HOST:PORT"),
        (["--count", "0"], "--count"),
        (["--duration", "-1"], "--duration"),
        (["--version", "3", "--informs"], "--informs"),
        (["--privacy-file", "x"], "--privacy-file needs"),
        (["--topology", "/nonexistent"], "holds no topology"),
        (["--version", "3", "--authentication-file", "/nonexistent"], "/nonexistent"),
    ],
)
def test_options_that_describe_no_run_end_with_status_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["traps", *words]) == 2
    assert said in capsys.readouterr().err


def test_passwords_are_read_from_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("authpass12\n")
    (tmp_path / "p").write_text("privpass12")
    files = ["--authentication-file", str(tmp_path / "a"), "--privacy-file", str(tmp_path / "p")]
    speech = chosen_speech(options("--version", "3", "--user", "noc", *files))
    assert speech == Speech(V3, user=User("noc", "authpass12", "privpass12"))


def test_target_is_host_and_port() -> None:
    assert chosen_target("127.0.0.1:162") == ("127.0.0.1", 162)
    with pytest.raises(SetupError):
        chosen_target("127.0.0.1:")


def test_summary_tells_what_did_not_hold() -> None:
    faults = [f"fault {number}" for number in range(12)]
    told = describe(
        Played(
            "storm", 1.5, Sent(sent=9), [Expectation("good", 1, (), 0), Expectation("bad", 12, faults, 12)], 7
        )
    )
    assert "storm, seed 7, 1.5 s" in told
    assert "ok     good" in told and "FAILED bad" in told
    assert "fault 9" in told and "fault 10" not in told and "and 2 more" in told
