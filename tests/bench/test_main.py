"""``python -m bench``: options, and the file it leaves."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench import __main__ as command


def test_system_elsewhere_is_measured_without_creating_accounts(server: Any) -> None:
    options = command.parser().parse_args(
        ["--host", "127.0.0.1", "--port", str(server.port), "--seconds", "0.05", "--accounts", "300"]
    )
    out = StringIO()
    figures = command.run(options, Console(file=out, width=200))
    assert any(figure.name == "gy_ccr_per_s_64" for figure in figures)
    assert "64 in flight" in out.getvalue()


def test_failure_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, server: Any
) -> None:
    server.reply = lambda request: 5012
    results = tmp_path / "results.json"
    arguments = ["bench", "--host", "127.0.0.1", "--port", str(server.port), "--accounts", "10"]
    monkeypatch.setattr("sys.argv", [*arguments, "--results", str(results)])
    assert command.main() == 1
    assert "opening" in capsys.readouterr().err
    assert not results.exists()


def test_results_are_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Any) -> None:
    results = tmp_path / "results.json"
    arguments = [
        "bench",
        "--only",
        "gy",
        "--host",
        "127.0.0.1",
        "--port",
        str(server.port),
        "--seconds",
        "0.05",
    ]
    monkeypatch.setattr("sys.argv", [*arguments, "--accounts", "300", "--results", str(results)])
    assert command.main() == 0
    assert {"name", "value", "unit", "goal", "note"} == set(json.loads(results.read_text())[0])
