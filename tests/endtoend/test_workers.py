"""Several workers on one machine: any serves any session, they share, are replaced without a refused request, and one
that is killed leaves its gateways to the others."""

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from simulators.system import lab_config, ocs_command
from tests.endtoend.lab import System, running, wait_until
from tests.endtoend.traffic import Traffic
from tests.endtoend.wire import (
    DISCONNECT,
    INITIAL,
    TERMINATION,
    UPDATE,
    Answer,
    Gateway,
    new_session,
    requested,
    service,
    subscription,
    used,
)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Generator[System]:
    """Two workers that the tests of this file share; each test leaves them ready."""
    with running(tmp_path_factory.mktemp("workers") / "data", OCS_CHARGING__WORKERS="2") as system:
        yield system


def peers(system: System) -> dict[str, set[str]]:
    """Origin-Hosts that are open, by worker."""
    found: dict[str, set[str]] = {}
    for connection in json.loads(system.command("peer", "list", "--json"))["connections"]:
        if connection["state"] == "open":
            found.setdefault(connection["worker"], set()).add(connection["origin_host"])
    return found


def failed(system: System, *arguments: str) -> tuple[int, str]:
    """Run a command that is refused; returns its status and its one line."""
    command = [str(ocs_command()), *arguments, "--config", str(lab_config())]
    done = subprocess.run(
        [*command, "--data-dir", str(system.data_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (line,) = done.stderr.splitlines()
    return done.returncode, line


def leave_when_told(gateway: Gateway) -> int:
    """Wait for a DPR, answer it; returns its cause."""
    for frame in gateway.frames():
        message = Answer(frame)
        if message.command == DISCONNECT and message.is_request:
            gateway.answer_base(message)
            return message.one(273)
    raise AssertionError("the connection ended without Disconnect-Peer")


# --- any worker, any session ----------------------------------------------------------------------------------------


def test_connections_spread_and_a_session_goes_on_at_another_worker(system: System, capture) -> None:
    with ExitStack() as stack:
        gateways = [
            stack.enter_context(Gateway(system.address, capture, host=f"pgw{number}.example").opened())
            for number in range(8)
        ]
        found = peers(system)
        assert set(found) == {"worker-0", "worker-1"}
        # A machine that is busy may wake a worker too late for its turn; sharing evens it out all the same.
        assert min(map(len, found.values())) >= 2
        where = {host: worker for worker, hosts in found.items() for host in hosts}
        system.open_account("roaming", "e164:4915299000001")
        who = (subscription(0, "4915299000001"),)
        session = new_session()
        first = gateways[0]
        other = next(g for n, g in enumerate(gateways) if where[f"pgw{n}.example"] != where["pgw0.example"])
        assert (
            first.ask(first.credit(session, INITIAL, 0, service(10, requested()), subscriptions=who)).result
            == 2001
        )
        for number in range(1, 9):
            gateway = (first, other)[number % 2]
            update = gateway.credit(session, UPDATE, number, service(10, requested(), used(total=1_000)))
            assert gateway.ask(update).result == 2001
        end = other.credit(session, TERMINATION, 9, service(10, used(total=1_000)))
        assert other.ask(end).result == 2001
        assert system.reserved("roaming") == 0
        assert len(system.debits("roaming")) >= 9


def test_peer_with_one_connection_only_is_served(system: System) -> None:
    with Traffic(system, connections=1) as traffic:
        traffic.advance()
        updates = traffic.settle()
    assert (set(updates.results), updates.reconnected) == ({2001}, 0)


# --- what an operator does ------------------------------------------------------------------------------------------


def test_peer_is_sent_away_from_whichever_worker_holds_it(system: System, capture) -> None:
    with ExitStack() as stack:
        leaving = [
            stack.enter_context(Gateway(system.address, capture, host="pgw.example").opened())
            for _ in range(3)
        ]
        other = stack.enter_context(Gateway(system.address, capture, host="other.example").opened())
        told = system.command("peer", "disconnect", "PGW.example", "--cause", "busy")
        sent = Counter({line.split("@")[0]: int(line.split()[-2]) for line in told.splitlines()})
        assert sum(sent.values()) == 3
        assert [leave_when_told(gateway) for gateway in leaving] == [1, 1, 1]
        assert other.ask(other.watchdog()).get(268) == 2001
    status, line = failed(system, "peer", "disconnect", "nobody.example")
    assert status == 1
    assert line.startswith("ocs: no worker has an open connection of 'nobody.example'")


def test_reload_under_traffic_refuses_and_loses_nothing(system: System) -> None:
    before = system.workers()
    with Traffic(system) as traffic:
        traffic.advance()
        assert system.command("reload").splitlines() == ["replaced worker-0, worker-1"]
        assert not before & system.workers()
        assert len(system.workers()) == 2
        traffic.advance()
        updates = traffic.settle()
    assert set(updates.results) == {2001}
    assert updates.reconnected >= 4


def test_hangup_signal_reloads_and_a_second_reload_during_it_takes_place_too(system: System) -> None:
    reloads = len(lines_of(system, "reloaded"))
    with Traffic(system) as traffic:
        traffic.advance()
        os.kill(system.process.pid, signal.SIGHUP)
        wait_until(lambda: lines_of(system, "reloading"), "the signal")
        first = system.workers()
        assert system.command("reload").splitlines() == ["replaced worker-0, worker-1"]
        assert not first & system.workers()
        traffic.advance()
        updates = traffic.settle()
    assert set(updates.results) == {2001}
    assert len(lines_of(system, "reloaded")) == reloads + 2


def lines_of(system: System, event: str) -> list[dict[str, object]]:
    return [line for line in system.log_lines() if line["event"] == event]


def test_stop_during_a_reload_ends_everything_in_order(tmp_path: Path, capture) -> None:
    # A gateway that does not answer DPR holds the old worker up: the reload is still under way when the signal comes.
    with (
        running(tmp_path / "data", OCS_CHARGING__WORKERS="2") as system,
        Gateway(system.address, capture).opened(),
    ):
        os.kill(system.process.pid, signal.SIGHUP)
        wait_until(
            lambda: lines_of(system, "peer_closing") or lines_of(system, "stopping"), "an old worker's leave"
        )
        children = system.workers()
        system.stop()
    assert children
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert not list((system.data_dir / "run").glob("*.sock"))


# --- what dies ------------------------------------------------------------------------------------------------------


def test_gateways_of_a_killed_worker_go_on_at_the_other_and_it_is_replaced(system: System) -> None:
    with Traffic(system) as traffic:
        traffic.advance()
        before = system.workers()
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        traffic.advance()
        wait_until(lambda: len(system.workers() - {victim}) == 2, "another worker")
        updates = traffic.settle()
    assert set(updates.results) <= {2001, 3002, 3004}
    assert updates.reconnected >= 1


def test_worker_started_by_hand_is_in_readiness_and_metrics_until_it_ends(system: System) -> None:
    def checks() -> list[str]:
        try:
            with urlopen(f"http://{system.listeners['http']}/readyz", timeout=30) as answer:
                found = json.load(answer)
        except HTTPError as error:
            found = json.load(error)
        return [check["name"] for check in found["checks"] if check["ok"]]

    wait_until(lambda: checks() == ["store", "worker-0", "worker-1", "up"], "readiness")
    command = [
        str(ocs_command()),
        "charging",
        "--config",
        str(lab_config()),
        "--data-dir",
        str(system.data_dir),
    ]
    hand = subprocess.Popen(
        command,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "OCS_DIAMETER__PORT": "0"},
    )  # fmt: skip
    with hand:
        assert hand.stdout is not None
        assert hand.stdout.readline().startswith(b"ready ")
        assert checks() == ["store", "worker-0", "worker-1", "worker-2", "up"]
        with urlopen(f"http://{system.listeners['http']}/metrics", timeout=30) as answer:
            assert b'ocs_worker_up{worker="worker-2"} 1.0' in answer.read()
        hand.terminate()
        assert hand.wait(60) == 0
    assert checks() == ["store", "worker-0", "worker-1", "up"]
