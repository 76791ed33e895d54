"""Hostile peers by the thousand against a running system: a good gateway is charged beside them, memory stays bounded.

The same peers one by one, and what each is answered: tests/diameter_gy/test_hostile_peers.py.
"""

import contextlib
import itertools
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.accounts import audit_accounts, create_accounts
from bench.load import LoadGenerator
from bench.processes import process_use
from bench.templates import FLAG_PROXIABLE, FLAG_REQUEST, LoadPlan, avp, message, unsigned32
from tests.endtoend.lab import System, running, wait_until

pytestmark = [pytest.mark.long, pytest.mark.alone]
ACCOUNTS = 200
IN_FLIGHT = 16
CONNECTIONS = 3_000
GREEDY = 200
ROUNDS = 20
# Beyond what a worker has after its first sessions: 512 strangers and 64 connections of each hostile peer with their
# buffers, full (64 KiB read, 1 MiB to be sent).
GROWTH_OCTETS_MAX = 256 << 20
SOCKET_TIMEOUT_S = 20.0
_runs = itertools.count(1)


def origin(host: str) -> bytes:
    return avp(264, host.encode()) + avp(296, b"bench.example")


def cer(host: str) -> bytes:
    return message(257, FLAG_REQUEST, 0, (1, 1), origin(host) + unsigned32(258, 4))


def ccr(host: str, number: int, *, extra: bytes = b"") -> bytes:
    """An INITIAL of somebody whom nobody knows."""
    body = (
        avp(263, f"{host};{number}".encode())
        + origin(host)
        + avp(283, b"lab.example")
        + unsigned32(258, 4)
        + avp(461, b"32251@3gpp.org")
        + unsigned32(416, 1)
        + unsigned32(415, 0)
        + avp(443, unsigned32(450, 1) + avp(444, b"999999999999999"))
        + avp(456, avp(437, b"") + unsigned32(432, 10))
        + extra
    )
    return message(272, FLAG_REQUEST | FLAG_PROXIABLE, 4, (number, number), body)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with running(tmp_path / "data", OCS_CHARGING__WORKERS="1") as system:
        yield system


def connect(system: System) -> socket.socket:
    return socket.create_connection(system.address, timeout=SOCKET_TIMEOUT_S)


def opened(system: System, host: str) -> socket.socket:
    """A connection whose CER was accepted."""
    opening = connect(system)
    opening.sendall(cer(host))
    assert opening.recv(65_536)[4] & FLAG_REQUEST == 0
    return opening


def send(to: socket.socket, octets: bytes) -> bool:
    """Whether the other side was still there; it need not read all of it."""
    to.settimeout(0.2)
    try:
        to.sendall(octets)
    except TimeoutError:
        return True
    except OSError:
        return False
    return True


# --- the hostile ---


def idle(system: System, stack: contextlib.ExitStack) -> None:
    for _ in range(CONNECTIONS):
        stack.enter_context(connect(system))


def flood_of_capabilities_requests(system: System, stack: contextlib.ExitStack) -> None:
    del stack
    for number in range(CONNECTIONS // 2):
        with connect(system) as flooding:
            send(flooding, cer(f"flood{number % 7}.example") * 50)


def greedy(system: System, stack: contextlib.ExitStack) -> None:
    for _ in range(GREEDY):
        stack.enter_context(connect(system)).sendall(cer("greedy.example"))


def slow_readers(system: System, stack: contextlib.ExitStack) -> None:
    readers = [stack.enter_context(opened(system, "slow.example")) for _ in range(32)]
    requests = b"".join(ccr("slow.example", number) for number in range(500))
    for _ in range(ROUNDS):
        readers = [reader for reader in readers if send(reader, requests)]


def huge_and_nested(system: System, stack: contextlib.ExitStack) -> None:
    nested = avp(264, b"x")
    for _ in range(2_000):
        nested = avp(456, nested)
    extras = (avp(1, bytes(60_000)), nested, avp(9_999, b"", mandatory=False) * 7_000)
    for number in range(ROUNDS * 5):
        with opened(system, f"huge{number % 5}.example") as hostile:
            for extra in extras:
                send(hostile, ccr("huge.example", number, extra=extra) * 3)
    del stack


def garbage_and_half_messages(system: System, stack: contextlib.ExitStack) -> None:
    for number in range(CONNECTIONS // 4):
        hostile = stack.enter_context(connect(system))
        send(
            hostile,
            (b"\xff" * 5_000, cer("half.example")[:-4], b"\1\0\xff\xfc\x80\0\1\1" + bytes(40_000))[
                number % 3
            ],
        )


def flood_of_requests(system: System, stack: contextlib.ExitStack) -> None:
    requests = b"".join(ccr("busy.example", number) for number in range(1_000))
    pour(system, stack, "busy.example", requests)


def flood_of_what_is_in_no_queue(system: System, stack: contextlib.ExitStack) -> None:
    """Watchdogs, stray answers, unknown commands, requests with nothing in them: no count of requests bounds them."""
    host = "mad.example"
    kinds = (
        (280, FLAG_REQUEST, 0),
        (280, 0, 0),
        (999, FLAG_REQUEST, 0),
        (272, FLAG_REQUEST | FLAG_PROXIABLE, 4),
    )
    messages = [message(command, flags, app, (9, 9), origin(host)) for command, flags, app in kinds]
    pour(system, stack, host, b"".join(messages) * 800)


def pour(system: System, stack: contextlib.ExitStack, host: str, octets: bytes) -> None:
    """Send on 16 connections again and again, and read what comes now and then."""
    floods = [stack.enter_context(opened(system, host)) for _ in range(16)]
    for _ in range(ROUNDS):
        for flood in floods:
            send(flood, octets)
            flood.settimeout(0.01)
            with contextlib.suppress(OSError):
                while flood.recv(1 << 20):
                    pass


@pytest.mark.parametrize(
    "attack",
    [
        idle,
        flood_of_capabilities_requests,
        greedy,
        slow_readers,
        huge_and_nested,
        garbage_and_half_messages,
        flood_of_requests,
        flood_of_what_is_in_no_queue,
    ],
)
def test_good_gateway_is_charged_and_memory_is_bounded_beside(
    system: System, attack: Callable[[System, contextlib.ExitStack], None]
) -> None:
    host, port = system.address
    plan = LoadPlan(host=host, port=port, run=next(_runs), accounts=ACCOUNTS, answer_timeout_s=10.0)
    create_accounts(system.data_dir, plan, ACCOUNTS)
    with LoadGenerator(plan) as load, contextlib.ExitStack() as stack:
        assert load.open_sessions(in_flight=IN_FLIGHT).results == {2001: ACCOUNTS}
        load.start(in_flight=IN_FLIGHT)
        wait_until(lambda: load.progress() >= 1_000, "the first answers")
        (worker,) = system.workers()
        before = process_use(worker).resident_octets
        attack(system, stack)
        peak = process_use(worker).resident_octets
        began = load.progress()
        wait_until(lambda: load.progress() >= began + 1_000, "a thousand more answers during the attack")
        peak = max(peak, process_use(worker).resident_octets)
        updates = load.stop(drain_s=60.0)
        assert set(updates.results) == {2001}
        assert updates.unanswered == updates.resent == updates.reconnected == 0
        closing = load.close_sessions(in_flight=IN_FLIGHT, drain_s=60.0)
        assert closing.results == {2001: ACCOUNTS}
        tally = load.tally()
    assert system.workers() == {worker}
    assert peak - before < GROWTH_OCTETS_MAX
    assert audit_accounts(system.data_dir, plan, tally.acknowledged_octets) == []
