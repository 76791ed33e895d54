"""``ocs-sim element``."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from simulators.cli import main
from simulators.element.control import tell
from tests.support.element_clients import terminal

ROOT = Path(__file__).parents[3]


def test_each_element_is_told_with_its_address_and_host_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    summary = tmp_path / "summary.json"
    arguments = ["element", "--count", "3", "--name", "pe", "--one-host-key", "--duration", "0.01"]
    assert main([*arguments, "--json", str(summary)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["pe1", "pe2", "pe3"]
    assert len({line.split()[1] for line in lines[:3]}) == 3
    assert len({line.split()[3] for line in lines[:3]}) == 1
    assert re.fullmatch(r"element: 3 elements, \d+\.\d s", lines[3])
    assert json.loads(summary.read_text())["elements"] == 3


@pytest.mark.parametrize(
    ("kind", "text", "status"),
    [
        ("netconf", '{"/ietf-system:system/hostname": "pe1"}', 0),
        ("netconf", '{"/ietf-system:system/hostname": "no host name"}', 2),
        ("netconf", '{"/no:path": "1"}', 2),
        ("netconf", "nonsense", 2),
        ("cli", "interface ge0\n description to core\n", 0),
        ("cli", "nonsense", 2),
    ],
)
def test_what_elements_run_at_first_is_read_from_a_file(
    kind: str, text: str, status: int, tmp_path: Path
) -> None:
    (tmp_path / "initial").write_text(text)
    arguments = ["--type", kind, "--initial", str(tmp_path / "initial"), "--duration", "0.01"]
    assert main(["element", *arguments, "--folder", str(tmp_path / "kept")]) == status


def test_cli_boxes_run_until_they_are_told_to_end_and_take_commands(tmp_path: Path) -> None:
    control = tmp_path / "control.sock"
    password = tmp_path / "password"
    password.write_text("other\n")
    command = [sys.executable, "-m", "simulators.cli", "element", "--type", "cli", "--folder", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--control", str(control)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            name, address, *_ = process.stdout.readline().split()
            host, _, port = address.rpartition(":")

            class Box:
                address = host

            Box.port = int(port)  # pyright: ignore[reportAttributeAccessIssue]
            with terminal(Box) as channel:
                assert channel.recv(1)
            assert tell(control, f'{{"element": "{name}", "do": "steps"}}')["ok"][0] == "connect"
            order = '{"element": "ne1", "do": "change", "lines": ["vlan 7"]}'
            assert main(["element", "--control", str(control), "--tell", order]) == 0
            assert main(["element", "--control", str(control), "--tell", '{"do": "no"}']) == 1
        finally:
            process.terminate()
        assert process.wait(30) == 0
        assert "1 elements" in process.stdout.read()
    assert "vlan 7" in (tmp_path / "ne1.json").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--count", "0"],
        ["--duration", "-1"],
        ["--port", "65535", "--count", "2"],
        ["--tell", "{}"],
        ["--tell", "{}", "--control", "nowhere.sock"],
        ["--password-file", "nowhere"],
    ],
)
def test_a_set_up_that_is_wrong_ends_with_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["element", *arguments]) == 2
    assert capsys.readouterr().err.startswith("ocs-sim element: ")
