"""The ``ocs-sim`` command line."""

import pytest

from simulators.cli import SIMULATORS, main


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["gateway", "--port", "x"]])
def test_wrong_command_line_ends_with_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: ocs-sim" in capsys.readouterr().err


def test_help_shows_defaults_where_there_are_any(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["gateway", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "Diameter port (TCP) (default: 3868)" in printed
    assert "the same behaviour; timing decides how answers interleave (default: 1)" in printed
    assert "None" not in printed


def test_help_lists_every_simulator(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert all(simulator.name in printed for simulator in SIMULATORS)
