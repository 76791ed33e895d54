"""`ocs reload` and `ocs peer` on a folder on which nothing, something silent or something strange runs."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from ocs import cli
from ocs.diameter_gy.server import PeerSnapshot
from ocs.reload import ReloadOutcome
from ocs.worker_channel import serve_worker_channel
from tests.support.processes import write_config

CONNECTION = PeerSnapshot(
    "pgw.example", "example", "[gw]", 7, "127.0.0.1:50000", True, "open", "okay", 1_000, 12, 12, 0, 3
)
STOPPED_THERE = "the next worker did not come up, and the others go on as they were"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]):
    """Runs a command; returns its status, what it printed, and its line on stderr."""
    config = write_config(tmp_path)

    def _run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main([*arguments, "--config", str(config), "--data-dir", str(data_dir)])
        output, errors = capsys.readouterr()
        return int(ended.value.code or 0), output, errors

    return _run


class Processes:
    """Processes of a data folder, as their local sockets show them, served beside a command that blocks."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self.answers: dict[str, dict[str, Callable[[], Any]]] = {}

    def while_they_run(self, command: Callable[[], Any]) -> Any:
        async def main() -> Any:
            async with trio.open_nursery() as nursery:
                for name, answers in self.answers.items():
                    path = self._run_dir / f"{name}.sock"
                    await nursery.start(partial(serve_worker_channel, path, answers))
                with trio.fail_after(60):
                    result = await trio.to_thread.run_sync(command)
                nursery.cancel_scope.cancel()
            return result

        return trio.run(main)


@pytest.fixture
def processes(data_dir: Path) -> Processes:
    return Processes(data_dir / "run")


@pytest.mark.parametrize("command", [("reload",), ("peer", "list"), ("peer", "disconnect", "pgw.example")])
def test_folder_on_which_nothing_runs_is_one_line_with_the_remedy(run, data_dir: Path, command) -> None:
    status, output, errors = run(*command)
    assert (status, output) == (2, "")
    assert errors.startswith(f"ocs: {data_dir}: no ")
    assert "runs on this data folder: start" in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("outcome", "status", "printed", "line"),
    [
        (ReloadOutcome(("worker-0", "worker-1")), 0, "replaced worker-0, worker-1\n", ""),
        (
            ReloadOutcome(("worker-0",), ("worker-1", "worker-2")),
            0,
            "replaced worker-0\nended worker-1, worker-2\n",
            "",
        ),
        (
            ReloadOutcome(refused="ocs.toml: diameter.prot: unknown key"),
            2,
            "",
            "ocs: ocs.toml: diameter.prot: unknown key\n",
        ),
        (
            ReloadOutcome(("worker-0",), failed="worker-1 did not start"),
            1,
            "",
            f"ocs: replaced worker-0; {STOPPED_THERE}: worker-1 did not start\n",
        ),
    ],
)
def test_reload_says_what_happened(run, processes: Processes, outcome, status, printed, line) -> None:
    processes.answers["up"] = {"health": dict, "reload": lambda: outcome}
    assert processes.while_they_run(lambda: run("reload")) == (status, printed, line)


def test_reload_that_up_does_not_finish_is_told(run, processes: Processes) -> None:
    processes.answers["up"] = {"health": dict}
    status, _, errors = processes.while_they_run(lambda: run("reload"))
    assert status == 2
    assert errors.startswith("ocs: `ocs up` does not say how the reload ended")


def test_peers_of_all_workers_are_listed_and_silent_workers_named(run, processes: Processes) -> None:
    processes.answers["up"] = {"workers": lambda: ["worker-0", "worker-1", "worker-2"]}
    processes.answers["worker-0"] = {"peers": lambda: [CONNECTION]}
    processes.answers["worker-1"] = {"peers": lambda: 5}
    status, output, _ = processes.while_they_run(lambda: run("peer", "list", "--json"))
    assert status == 0
    found = json.loads(output)
    assert found["connections"] == [{"worker": "worker-0", **msgspec.structs.asdict(CONNECTION)}]
    assert found["silent_workers"][0] == "worker-1: it speaks another release's language"
    assert found["silent_workers"][1].startswith("worker-2: ")
    _, output, _ = processes.while_they_run(lambda: run("peer", "list"))
    assert "pgw.example" in output
    assert "worker-2: " in output


def test_it_is_said_that_no_gateway_is_connected(run, processes: Processes) -> None:
    processes.answers["up"] = {"workers": lambda: ["worker-0"]}
    processes.answers["worker-0"] = {"peers": list}
    _, output, _ = processes.while_they_run(lambda: run("peer", "list"))
    assert output == "no gateway is connected\n"


def test_names_of_peers_are_never_broken_over_two_lines(run, processes: Processes, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = "pgw-0123456789.region-north.epc.mnc001.mcc262.3gppnetwork.org"
    long = msgspec.structs.replace(CONNECTION, origin_host=name, remote="[2001:db8:1234:5678::9]:50000")
    processes.answers["up"] = {"workers": lambda: ["worker-0"]}
    processes.answers["worker-0"] = {"peers": lambda: [long]}
    _, output, _ = processes.while_they_run(lambda: run("peer", "list"))
    (line,) = [line for line in output.splitlines() if name in line]
    assert "[2001:db8:1234:5678::9]:50000 (TLS)" in line
    assert "okay" in line


def test_cause_that_the_standard_does_not_know_is_refused(run) -> None:
    status, _, errors = run("peer", "disconnect", "pgw.example", "--cause", "bored")
    assert status == 2
    assert "'bored'" in errors
