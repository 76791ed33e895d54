"""Starting the system as a user would."""

import sys
from pathlib import Path

import pytest

from simulators import system
from simulators.system import RunningSystem, SystemStartError, parse_ready, running_system


def fake_command(tmp_path: Path, body: str) -> Path:
    """A script that stands for ``ocs``."""
    path = tmp_path / "ocs"
    path.write_text(f"#!{sys.executable}\nimport os, signal, sys, time\n{body}\n")
    path.chmod(0o755)
    return path


def test_ready_line_names_listeners() -> None:
    line = "ready diameter=127.0.0.1:3868 http=[::1]:8080"
    running = RunningSystem(pid=1, data_dir=Path(), listeners=parse_ready(line))
    assert running.address("diameter") == ("127.0.0.1", 3868)
    assert running.address("http") == ("::1", 8080)


@pytest.mark.parametrize("line", ["", "starting", "ready diameter"])
def test_other_lines_are_not_ready(line: str) -> None:
    with pytest.raises(ValueError):
        parse_ready(line)


def test_system_runs_for_the_block_on_free_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (
        "print('ready', f'diameter=127.0.0.1:{os.environ[\"OCS_DIAMETER__PORT\"]}', 'http=' + sys.argv[-1], flush=True)\n"
        "signal.sigwait([signal.SIGTERM])\n"
    )
    body = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n" + body
    command = fake_command(tmp_path, body)
    monkeypatch.setattr(system, "ocs_command", lambda: command)
    with running_system(config=tmp_path / "c.toml", data_dir=tmp_path / "d", overrides={}) as running:
        assert running.listeners == {"diameter": "127.0.0.1:0", "http": str(tmp_path / "d")}
        assert Path(f"/proc/{running.pid}").exists()
    assert not Path(f"/proc/{running.pid}").exists()


def test_system_that_does_not_start_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = fake_command(tmp_path, "sys.stderr.write('port taken'); sys.exit(2)")
    monkeypatch.setattr(system, "ocs_command", lambda: command)
    started = running_system(config=tmp_path, data_dir=tmp_path, overrides={})
    with pytest.raises(SystemStartError, match="port taken"), started:
        pass
