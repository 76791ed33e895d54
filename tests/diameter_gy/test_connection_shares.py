"""Workers that accept from the same listeners share their connections fairly, and never wait for the dead."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from ocs.diameter_gy import connection_shares
from ocs.diameter_gy.connection_shares import ConnectionShares
from ocs.diameter_gy.server import DiameterServer, Listener, ServerPolicy, bind_listeners
from ocs.limits import ACCEPT_YIELD_S, WORKERS_SHARING_MAX
from ocs.settings import DiameterSettings, Settings

OTHER = """
import sys
from pathlib import Path
from ocs.diameter_gy.connection_shares import ConnectionShares
shares = ConnectionShares(Path(sys.argv[1]))
shares.note(1)
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "connections"


def test_worker_alone_never_waits(path: Path) -> None:
    shares = ConnectionShares(path)
    assert shares.pause_s() == 0.0
    shares.note(1_000)
    assert shares.pause_s() == 0.0


def test_worker_that_holds_more_than_another_lets_it_go_first(path: Path) -> None:
    first, second = ConnectionShares(path), ConnectionShares(path)
    assert first.pause_s() == second.pause_s() == 0.0
    first.note(1)
    assert (first.pause_s(), second.pause_s()) == (ACCEPT_YIELD_S, 0.0)
    second.note(2)
    assert (first.pause_s(), second.pause_s()) == (0.0, ACCEPT_YIELD_S)


def test_worker_that_has_left_is_not_waited_for_and_its_seat_is_free(path: Path) -> None:
    first, leaving = ConnectionShares(path), ConnectionShares(path)
    first.note(5)
    leaving.leave()
    leaving.note(1)
    assert leaving.pause_s() == first.pause_s() == 0.0
    with ConnectionShares(path) as newcomer:
        assert newcomer._seat == 2
        assert first.pause_s() == ACCEPT_YIELD_S
    assert first.pause_s() == 0.0


def test_worker_that_was_killed_is_not_waited_for(path: Path) -> None:
    first = ConnectionShares(path)
    first.note(5)
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout is not None
        other.stdout.readline()
        assert first.pause_s() == ACCEPT_YIELD_S
        other.kill()
    assert first.pause_s() == 0.0
    assert ConnectionShares(path)._seat == 2


def test_worker_of_another_user_counts_as_alive(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _second = ConnectionShares(path), ConnectionShares(path)
    first.note(1)

    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert first.pause_s() == ACCEPT_YIELD_S


def test_worker_without_a_seat_serves_all_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seated = [ConnectionShares(path) for _ in range(WORKERS_SHARING_MAX)]
    late = ConnectionShares(path)
    late.note(9)
    assert late.pause_s() == 0.0
    late.leave()
    assert len({shares._seat for shares in seated}) == WORKERS_SHARING_MAX


@pytest.fixture
async def pair(lab, path: Path, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch):
    """Two servers on one listener, as two workers have it."""
    # The machine that runs the tests may be slow to wake a sibling; here it has all the time that it needs.
    monkeypatch.setattr(connection_shares, "ACCEPT_YIELD_S", 1.0)
    settings = Settings(diameter=DiameterSettings(port=0))
    (listener,) = bind_listeners(settings.diameter)
    servers = [
        DiameterServer(
            lab.identity, ServerPolicy.from_settings(settings), lab.handler, shares=ConnectionShares(path)
        )
        for _ in range(2)
    ]
    with trio.fail_after(60):
        for server in servers:
            await nursery.start(server.serve, [Listener(listener.socket.dup())])
        yield servers, listener
        for gateway in lab.gateways:
            await trio.aclose_forcefully(gateway.stream)
        listener.socket.close()
        nursery.cancel_scope.cancel()


async def test_connections_spread_over_the_workers(lab, pair) -> None:
    servers, listener = pair
    counts: list[int] = []
    for number in range(8):
        await (await lab.connect(listener, f"pgw{number}.example")).opens()
        counts = [len(server.peers()) for server in servers]
        assert abs(counts[0] - counts[1]) <= 1
    assert counts == [4, 4]


async def test_connections_of_a_worker_that_lost_its_own_come_back_to_it(lab, pair) -> None:
    servers, listener = pair
    gateways = [await (await lab.connect(listener)).opens() for _ in range(4)]
    remotes = {peer.remote for peer in servers[0].peers()}
    for gateway in gateways:
        host, port = gateway.stream.socket.getsockname()
        if f"{host}:{port}" in remotes:
            await gateway.stream.aclose()
    while servers[0].peers():
        await trio.sleep(0.001)
    for _ in range(2):
        await (await lab.connect(listener)).opens()
    assert [len(server.peers()) for server in servers] == [2, 2]


async def test_worker_that_stops_leaves_all_to_the_other(lab, pair) -> None:
    servers, listener = pair
    await (await lab.connect(listener)).opens()
    holder = next(server for server in servers if server.peers())
    idle = next(server for server in servers if not server.peers())
    idle.request_stop()
    # Not one pause: it would take as long as the whole time that the connection has for its CER.
    with trio.fail_after(10):
        for _ in range(20):
            await (await lab.connect(listener)).opens()
    assert len(holder.peers()) == 21
