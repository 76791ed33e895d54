"""Peers that are broken or mean harm, each beside a good one that goes on charging. Thousands of them: tests/long."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
from contextlib import asynccontextmanager
from functools import partial

import pytest
import structlog
import trio
import trio.testing
import trustme

from ocs.diameter_gy.avp import encode_avp, enumerated, grouped, unsigned32, utf8
from ocs.diameter_gy.message import encode_message, parse_header
from ocs.diameter_gy.server import DiameterServer, ServerPolicy
from ocs.limits import (
    AVPS_PER_MESSAGE_MAX,
    CAPABILITIES_UPDATES_MAX,
    CONNECTIONS_PER_PEER_MAX,
    ERRORS_PER_CONNECTION_MAX,
    MESSAGE_OCTETS_MAX,
    REQUESTS_ADMITTED_MIN,
)
from ocs.messages import CCRequestType
from ocs.settings import DiameterSettings, Settings

CHARGED = 2001


async def is_charged(gateway, number=1):
    _, result, _ = await gateway.answer_to(gateway.ccr(number))
    return result == CHARGED


@asynccontextmanager
async def without_sockets(lab, **diameter):
    """A server whose connections are streams in memory, so that the clock may jump; gives (server, connect)."""
    settings = Settings(diameter=DiameterSettings(watchdog_interval_s=30.0, **diameter))
    server = DiameterServer(
        lab.identity, ServerPolicy.from_settings(settings), lab.handler, draw_jitter_s=lambda: 0.0
    )
    with trio.fail_after(1000):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, [])

            def connect(origin_host="pgw.example"):
                ours, theirs = trio.testing.memory_stream_pair()
                serve = partial(server.serve_stream, remote="192.0.2.9:5", host_ip_addresses=("192.0.2.1",))
                nursery.start_soon(serve, ours)
                return lab.gateway(theirs, origin_host)

            yield server, connect
            for gateway in lab.gateways:
                await trio.aclose_forcefully(gateway.stream)
            server.request_stop()


# --- who opens, and then ---


async def test_good_peer_is_charged_beside_idle_connections_and_lets_none_of_them_in_its_way(
    lab, monkeypatch
):
    monkeypatch.setattr("ocs.diameter_gy.server.CONNECTIONS_UNIDENTIFIED_MAX", 20)
    async with lab.serving() as (server, listeners):
        good = await (await lab.connect(listeners[0])).opens()
        for number in range(60):
            await lab.connect(listeners[0])
            assert await is_charged(good, number)
        while len(server.peers()) > 21:  # who had to give way is on the way out
            await trio.sleep(0.01)
        late = await (await lab.connect(listeners[0], "late.example")).opens()
        assert await is_charged(late)


async def test_peer_that_opens_connection_after_connection_leaves_room_for_others(lab):
    async with lab.serving() as (server, listeners):
        for _ in range(CONNECTIONS_PER_PEER_MAX):
            await (await lab.connect(listeners[0], "greedy.example")).opens()
        one_more = await lab.connect(listeners[0], "greedy.example")
        _, result, _ = await one_more.answer_to(one_more.cer())
        assert result == 5006
        await one_more.sees_the_end()
        assert await is_charged(await (await lab.connect(listeners[0])).opens())
        opened = [peer.origin_host for peer in server.peers() if peer.state == "open"]
        assert opened == ["greedy.example"] * CONNECTIONS_PER_PEER_MAX + ["pgw.example"]


@pytest.fixture
def certified(tmp_path):
    """Settings with a certificate of ours."""
    trustme.CA().issue_cert("ocs.lab.example").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "ocs.pem"
    )
    (tmp_path / "ocs.pem").chmod(0o600)
    return {"tls_certificate_file": str(tmp_path / "ocs.pem")}


def client_hello():
    hello = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="ocs.lab.example")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return hello.read()


async def connect_tls(lab, listener, origin_host="pgw.example"):
    """A gateway that does its handshake, whatever our certificate is."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port, *_ = listener.socket.getsockname()
    stream = trio.SSLStream(await trio.open_tcp_stream(host, port), context)
    return lab.gateway(stream, origin_host)


def is_answered(gateway):
    """Whether anything has come that was not read yet."""
    with socket.socket(fileno=os.dup(gateway.stream.socket.fileno())) as reader:
        reader.setblocking(False)
        try:
            return bool(reader.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False


async def ends(gateway):
    with contextlib.suppress(EOFError, trio.BrokenResourceError):
        while await gateway.stream.receive_some():
            pass


async def test_connection_that_never_finishes_tls_is_closed_in_time(lab, certified, monkeypatch):
    monkeypatch.setattr("ocs.diameter_gy.handshakes.TLS_HANDSHAKE_TIMEOUT_S", 0.3)
    async with lab.serving(**certified) as (server, (plain, tls)):
        good = await (await lab.connect(plain)).opens()
        silent, begun, dribbling = [await lab.connect(tls) for _ in range(3)]
        await begun.send(client_hello())
        await dribbling.send(b"\x16\x03\x01")
        for gateway in (silent, begun, dribbling):
            await ends(gateway)
        assert await is_charged(good)
        assert len(server.peers()) == 1


async def test_silent_tls_connections_give_way_and_a_good_peer_gets_in_beside_them(
    lab, certified, monkeypatch
):
    monkeypatch.setattr("ocs.diameter_gy.handshakes.TLS_PLACES_PER_SOURCE_MAX", 10)
    monkeypatch.setattr("ocs.diameter_gy.handshakes.TLS_HANDSHAKE_TIMEOUT_S", 1e6)
    with structlog.testing.capture_logs() as lines:
        async with lab.serving(**certified) as (_, (_, tls)):
            silent = [await lab.connect(tls) for _ in range(30)]
            good = await (await connect_tls(lab, tls)).opens()
            assert await is_charged(good)
            for gateway in silent[:20]:  # the oldest, and only they
                await ends(gateway)
    (line,) = [line for line in lines if line["event"] == "connection_turned_away"]
    assert line["remote"] == "127.0.0.1"


async def test_flood_of_tls_handshakes_is_taken_one_after_the_other(lab, certified, monkeypatch):
    monkeypatch.setattr("ocs.diameter_gy.handshakes.TLS_HANDSHAKE_INTERVAL_S", 1e6)
    monkeypatch.setattr("ocs.diameter_gy.handshakes.TLS_HANDSHAKE_TIMEOUT_S", 1e6)
    async with lab.serving(**certified) as (_, (plain, tls)):
        good = await (await lab.connect(plain)).opens()
        flood = [await lab.connect(tls) for _ in range(30)]
        for gateway in flood:
            await gateway.send(client_hello())
        while not any(map(is_answered, flood)):
            await trio.sleep(0.001)
        for number in range(50):
            assert await is_charged(good, number)
        assert [is_answered(gateway) for gateway in flood].count(True) == 1


async def test_peer_that_vanishes_without_a_word_is_noticed_by_the_watchdog(lab, autojump_clock):
    async with without_sockets(lab) as (server, connect):
        good = await connect().opens()
        await connect("vanished.example").opens()
        for number in range(30):
            await trio.sleep(5)
            assert await is_charged(good, number)
        assert [peer.origin_host for peer in server.peers()] == ["pgw.example"]


async def test_kernel_gives_up_on_peers_that_vanished(lab, monkeypatch):
    accepted = []
    real = trio.SocketStream
    monkeypatch.setattr(trio, "SocketStream", lambda sock: accepted.append(sock) or real(sock))
    async with lab.serving() as (_, listeners):
        await (await lab.connect(listeners[0])).opens()
        ours = next(s for s in accepted if s.getsockname() == listeners[0].socket.getsockname())
        for level, option in (
            (trio.socket.SOL_SOCKET, trio.socket.SO_KEEPALIVE),
            (trio.socket.IPPROTO_TCP, trio.socket.TCP_USER_TIMEOUT),
        ):
            assert ours.getsockopt(level, option) > 0


# --- what they send ---


async def test_flood_of_capabilities_requests_ends_with_the_connection_and_in_few_lines(lab):
    with structlog.testing.capture_logs() as lines:
        async with lab.serving() as (_, listeners):
            good = await (await lab.connect(listeners[0])).opens()
            flood = await (await lab.connect(listeners[0], "flood.example")).opens()
            count = CAPABILITIES_UPDATES_MAX + ERRORS_PER_CONNECTION_MAX + 50
            await flood.send(*[flood.cer()] * count)
            await flood.sees_the_end()
            assert await is_charged(good)
    assert (
        len([line for line in lines if line.get("peer") == "flood.example"]) < CAPABILITIES_UPDATES_MAX + 10
    )


def nested(depth):
    avps = utf8(264, "x")
    for _ in range(depth):
        avps = grouped(456, avps)
    return avps


@pytest.mark.parametrize(
    "extra",
    [
        encode_avp(1, bytes(MESSAGE_OCTETS_MAX - 2_000)),
        encode_avp(1, bytes(MESSAGE_OCTETS_MAX - 2_000), flags=0),
        nested(2_000),
        encode_avp(9999, b"", flags=0) * (AVPS_PER_MESSAGE_MAX + 1),
        grouped(873, encode_avp(9999, b"", flags=0) * 7_000),
        grouped(456, unsigned32(432, 10)) * 2_000,
        utf8(263, "again") * 1_000,
        grouped(284, encode_avp(33, bytes(60_000))),
    ],
    ids=["huge", "huge optional", "nested", "many", "many inside", "services", "session ids", "proxy info"],
)
async def test_huge_and_nested_requests_are_answered_within_bounds_beside_a_good_peer(lab, extra):
    async with lab.serving() as (_, listeners):
        good = await (await lab.connect(listeners[0])).opens()
        bad = await (await lab.connect(listeners[0], "bad.example")).opens()
        for number in range(20):
            await bad.send(bad.ccr(number, extra=extra))
            answer = await bad.receive()
            assert parse_header(answer).hop_by_hop_id == number
            assert len(answer) <= MESSAGE_OCTETS_MAX
            assert await is_charged(good, number)


async def test_message_longer_than_any_may_be_is_not_waited_for(lab):
    async with lab.serving() as (_, listeners):
        good = await (await lab.connect(listeners[0])).opens()
        bad = await (await lab.connect(listeners[0], "bad.example")).opens()
        await bad.send(b"\x01\xff\xff\xfc\xc0\x00\x01\x10" + bytes(12))
        _, result, _ = bad.read(await bad.receive())
        assert result == 5015
        await bad.sees_the_end()
        assert await is_charged(good)


async def test_identifiers_used_again_while_in_flight_get_an_answer_each(lab):
    lab.handler.holds = True
    async with lab.serving() as (_, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        sessions = [f"pgw.example;1;{number}" for number in range(5)]
        await gateway.send(*(gateway.ccr(7, session=session) for session in sessions))
        while len(lab.handler.held) < len(sessions):
            await trio.sleep(0.01)
        for _ in sessions:
            lab.handler.release()
        answered = []
        for _ in sessions:
            header, result, avps = gateway.read(await gateway.receive())
            assert (header.hop_by_hop_id, result) == (7, CHARGED)
            answered.append(avps[263].decode())
        assert sorted(answered) == sessions


async def test_slow_reader_is_cut_and_costs_bounded_memory(lab, monkeypatch):
    monkeypatch.setattr("ocs.diameter_gy.connection.SEND_BUFFER_OCTETS_MAX", 50_000)
    monkeypatch.setattr("ocs.diameter_gy.connection.SEND_STALL_TIMEOUT_S", 0.2)
    async with lab.serving() as (server, listeners):
        good = await (await lab.connect(listeners[0])).opens()
        slow = await (await lab.connect(listeners[0], "slow.example")).opens()
        with pytest.raises(trio.BrokenResourceError):
            while True:  # until the kernel's buffers are full, and then ours
                await slow.send(*[slow.ccr()] * 100)
        assert await is_charged(good)
        assert [peer.origin_host for peer in server.peers()] == ["pgw.example"]


async def test_flooding_peer_is_refused_and_the_quiet_one_is_charged(lab):
    lab.handler.holds = True
    with structlog.testing.capture_logs() as lines:
        async with lab.serving() as (server, listeners):
            quiet = await (await lab.connect(listeners[0], "quiet.example")).opens()
            flood = [await (await lab.connect(listeners[0], "flood.example")).opens() for _ in range(3)]
            server._overload.bound = REQUESTS_ADMITTED_MIN  # as after a time of late answers
            for number, gateway in enumerate(flood):
                await gateway.send(*(gateway.ccr(1000 * number + n) for n in range(200)))
            refused = [gateway.read(await gateway.receive())[1] for gateway in flood for _ in range(100)]
            assert set(refused) == {3004}
            assert len(lab.handler.requests) == REQUESTS_ADMITTED_MIN // 2  # of all its connections together
            lab.handler.holds = False
            for number in range(20):
                assert await is_charged(quiet, number)
            ending = flood[0].ccr(9_999).replace(enumerated(416, 1), enumerated(416, 3))
            await flood[0].send(ending)
            while CCRequestType.TERMINATION not in {request.request_type for request in lab.handler.requests}:
                await trio.sleep(0.01)
    (line,) = [line for line in lines if line["event"] == "overloaded"]
    assert line["peer"] == "flood.example"


def flood_of(kind, gateway):
    """One message of a flood that costs the server work and brings it nothing."""
    match kind:
        case "watchdogs":
            return gateway.dwr()
        case "stray answers":
            return encode_message(280, 0, 0, 9, 9, gateway.origin)
        case "unknown commands":
            return encode_message(999, 0, 0x80, 9, 9, gateway.origin)
        case "requests with nothing in them":
            return encode_message(272, 4, 0xC0, 9, 9, utf8(263, "flood;1") + gateway.origin)
        case "requests with what we do not know":
            return gateway.ccr(extra=unsigned32(999, 1))
        case "capabilities":
            return gateway.cer()
        case _:
            return gateway.ccr()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("watchdogs", "flood.example"),
        ("watchdogs", "flood{}.example"),
        ("stray answers", "flood.example"),
        ("unknown commands", "flood.example"),
        ("requests with nothing in them", "flood.example"),
        ("requests with what we do not know", "flood.example"),
        ("capabilities", "flood{}.example"),
        ("requests", "flood{}.example"),
    ],
)
async def test_quiet_peer_does_not_wait_behind_what_many_flooding_connections_send(
    lab, monkeypatch, kind, name
):
    worked_off = []
    monkeypatch.setattr(
        "ocs.diameter_gy.connection.parse_header",
        lambda message: worked_off.append(message) or parse_header(message),
    )
    monkeypatch.setattr("ocs.diameter_gy.connection.ERRORS_PER_CONNECTION_MAX", 1_000_000)
    async with lab.serving() as (_, listeners):
        quiet = await (await lab.connect(listeners[0], "quiet.example")).opens()
        floods = [
            await (await lab.connect(listeners[0], name.format(number))).opens() for number in range(16)
        ]
        sent = 0
        for flood in floods:  # all of it lies in the kernel before the server has a look
            message = flood_of(kind, flood)
            sent += pour_in(flood, message * (100_000 // len(message))) // len(message)
        worked_off.clear()
        assert await is_charged(quiet)
        assert len(worked_off) < sent / 2


def pour_in(gateway, octets):
    """Write what the kernel takes, without giving way to anybody; says how much that was."""
    with socket.socket(fileno=os.dup(gateway.stream.socket.fileno())) as writer:
        return writer.send(octets)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
async def test_renegotiation_is_not_done_and_harms_nobody(lab, tmp_path):
    authority = trustme.CA()
    authority.issue_cert("ocs.lab.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "ocs.pem")
    (tmp_path / "ocs.pem").chmod(0o600)
    async with lab.serving(tls_certificate_file=str(tmp_path / "ocs.pem")) as (_, (plain, tls)):
        good = await (await lab.connect(plain)).opens()
        command = ["openssl", "s_client", "-tls1_2", "-connect", tls.address, "-msg"]
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert process.stdin
        assert process.stdout
        seen = b""
        while b"Verify return code" not in seen:
            seen += await process.stdout.receive_some()
        await process.stdin.send_all(b"R\n")
        async for octets in process.stdout:
            seen += octets
            assert await is_charged(good)
        await process.wait()
    assert b"no_renegotiation" in seen


async def test_garbage_and_half_messages_from_many_connections_leave_a_good_peer_alone(lab):
    async with lab.serving() as (_, listeners):
        good = await (await lab.connect(listeners[0])).opens()
        cer = good.cer()
        for number, octets in enumerate(
            (b"\xff" * 5000, cer[:-1], cer * 2, b"\0" * 20, b"GET / HTTP/1.0\r\n\r\n" * 9)
        ):
            bad = await lab.connect(listeners[0], "bad.example")
            await bad.send(octets, encode_message(272, 4, 0x40, 1, 1, b""))
            assert await is_charged(good, number)
