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


def test_help_lists_every_simulator(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert all(simulator.name in printed for simulator in SIMULATORS)
