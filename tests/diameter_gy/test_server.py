import socket

import pytest
import structlog
import trio

from ocs.diameter_gy.avp import grouped, unsigned32, utf8
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import encode_message, parse_header
from ocs.diameter_gy.server import bind_listeners
from ocs.diameter_gy.session_demand import DemandKind, SessionDemand
from ocs.settings import DiameterSettings, PeerSettings


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_gateway_is_let_in_and_gets_units(lab):
    async with lab.serving() as (_, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        header, result, _ = await gateway.answer_to(gateway.ccr(77))
        assert (header.command_code, header.hop_by_hop_id, result) == (272, 77, 2001)
        assert [request.session_id for request in lab.handler.requests] == ["pgw.example;1;2"]


async def test_cea_names_the_local_address_of_the_connection(lab):
    async with lab.serving() as (_, listeners):
        gateway = await lab.connect(listeners[0])
        _, _, avps = await gateway.answer_to(gateway.cer())
        assert avps[257] == b"\0\1\x7f\0\0\1"


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on loopback")
async def test_ipv4_and_ipv6_are_served_on_one_port(lab):
    async with lab.serving(hosts=("::1",)) as (_, listeners):
        assert [listener.address.rpartition(":")[0] for listener in listeners] == ["127.0.0.1", "[::1]"]
        assert len({listener.socket.getsockname()[1] for listener in listeners}) == 1
        gateway = await lab.connect(listeners[1])
        _, result, avps = await gateway.answer_to(gateway.cer())
        assert result == 2001
        assert avps[257] == b"\0\2" + bytes(15) + b"\1"


def test_address_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}"):
            bind_listeners(DiameterSettings(port=port))


def test_failure_of_one_address_leaves_none_bound():
    with pytest.raises(OSError, match=r"203\.0\.113\.1"):
        bind_listeners(DiameterSettings(port=0, hosts=("203.0.113.1",)))


async def test_several_connections_of_one_peer_are_served_and_shown(lab):
    async with lab.serving() as (server, listeners):
        first = await (await lab.connect(listeners[0])).opens()
        second = await (await lab.connect(listeners[0])).opens()
        await first.answer_to(first.ccr(1))
        await second.answer_to(second.ccr(2))
        peers = server.peers()
        assert [(peer.origin_host, peer.state, peer.requests, peer.answers) for peer in peers] == [
            ("pgw.example", "open", 1, 1)
        ] * 2
        assert all(peer.watchdog == "okay" and not peer.tls and peer.in_flight == 0 for peer in peers)
        assert peers[0].remote != peers[1].remote


async def test_snapshot_shows_a_stranger_as_waiting(lab):
    async with lab.serving() as (server, listeners):
        await lab.connect(listeners[0])
        await trio.testing.wait_all_tasks_blocked(0.05)
        ((peer),) = server.peers()
        assert (peer.origin_host, peer.state) == ("", "wait_cer")


async def test_garbage_on_one_connection_disturbs_no_other(lab):
    async with lab.serving() as (_, listeners):
        good, bad = await lab.connect(listeners[0]), await lab.connect(listeners[0], "bad.example")
        await good.opens()
        await bad.opens()
        await bad.send(b"\xff" * 5000)
        await bad.sees_the_end()
        for number in range(10):
            _, result, _ = await good.answer_to(good.ccr(number))
            assert result == 2001


async def test_peer_refused_and_request_refused_are_one_explained_line_each(lab):
    with structlog.testing.capture_logs() as lines:
        async with lab.serving(peers=(PeerSettings(origin_host="pgw.example"),)) as (_, listeners):
            for _ in range(3):
                stranger = await lab.connect(listeners[0], "stranger.example")
                _, result, _ = await stranger.answer_to(stranger.cer())
                assert result == 3010
            gateway = await (await lab.connect(listeners[0])).opens()
            for number in range(3):
                _, result, _ = await gateway.answer_to(gateway.ccr(number, realm="elsewhere.example"))
                assert result == 3003
    (refused,) = [line for line in lines if line["event"] == "peer_refused"]
    assert refused["reason"] == "unknown peer stranger.example"
    assert "[[diameter.peers]]" in refused["remedy"]
    (request,) = [line for line in lines if line["event"] == "request_refused"]
    assert request["result_code"] == 3003
    assert (request["session_id"], request["request_number"]) == ("pgw.example;1;2", 0)
    assert "origin_realm" in request["remedy"]


async def test_stop_takes_leave_of_every_peer_and_loses_no_answer(lab):
    lab.handler.holds = True
    async with lab.serving() as (server, listeners):
        gateways = [await (await lab.connect(listeners[0], f"pgw{n}.example")).opens() for n in range(3)]
        for number, gateway in enumerate(gateways):
            await gateway.send(gateway.ccr(number))
        while len(lab.handler.held) < 3:
            await trio.sleep(0.01)
        server.request_stop()
        for gateway in gateways:
            header = parse_header(await gateway.receive())
            assert (header.command_code, header.is_request) == (282, True)
            await gateway.send(
                encode_message(282, 0, 0, header.hop_by_hop_id, header.end_to_end_id, gateway.origin)
            )
        with pytest.raises(OSError):
            await lab.connect(listeners[0])
        for _ in range(3):
            lab.handler.release()
        for number, gateway in enumerate(gateways):
            header, result, _ = gateway.read(await gateway.receive())
            assert (header.command_code, header.hop_by_hop_id, result) == (272, number, 2001)
            await gateway.sees_the_end()


async def test_stop_without_peers_returns_at_once(lab):
    async with lab.serving() as (server, _):
        server.request_stop()


async def test_new_identity_is_told_from_the_next_message_on(lab):
    async with lab.serving() as (server, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        server.identity = NodeIdentity("ocs.lab.example", "lab.example", "ocs-bss", origin_state_id=8)
        _, _, avps = await gateway.answer_to(gateway.dwr())
        assert avps[278] == (8).to_bytes(4)


async def test_flood_of_strangers_shuts_out_no_gateway(lab, monkeypatch):
    monkeypatch.setattr("ocs.diameter_gy.server.CONNECTIONS_UNIDENTIFIED_MAX", 5)
    async with lab.serving() as (server, listeners):
        strangers = [await lab.connect(listeners[0]) for _ in range(20)]
        await (await lab.connect(listeners[0])).opens()
        assert len(server.peers()) <= 6
        await strangers[0].sees_the_end()


async def test_connections_beyond_the_bound_are_turned_away_and_those_inside_served(lab, monkeypatch):
    monkeypatch.setattr("ocs.diameter_gy.server.CONNECTIONS_MAX", 2)
    async with lab.serving() as (_, listeners):
        inside = [await (await lab.connect(listeners[0])).opens() for _ in range(2)]
        outside = await lab.connect(listeners[0])
        await outside.sees_the_end()
        _, result, _ = await inside[0].answer_to(inside[0].ccr())
        assert result == 2001


async def test_ten_thousand_requests_in_one_stream_are_answered_in_order(lab):
    async with lab.serving() as (_, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        count = 10_000
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.send, *(gateway.ccr(number) for number in range(count)))
            seen = [parse_header(await gateway.receive()).hop_by_hop_id for _ in range(count)]
        assert seen == list(range(count))


# --- through agents, and everything that is not ours ---


async def test_route_record_and_proxy_info_come_back_as_agents_need_them(lab):
    async with lab.serving() as (_, listeners):
        gateway = await (await lab.connect(listeners[0], "relay.example")).opens()
        proxies = [grouped(284, utf8(280, f"proxy{n}.example"), utf8(33, f"state{n}")) for n in (2, 1)]
        extra = utf8(282, "pgw.example") + b"".join(proxies)
        await gateway.send(gateway.ccr(5, extra=extra, flags=0xD0))
        answer = await gateway.receive()
        assert b"".join(proxies) in answer
        assert parse_header(answer)[2:] == (0x40, 272, 4, 5, 5)
        assert lab.handler.requests[0].retransmitted


@pytest.mark.parametrize(
    ("extra", "realm", "result_code"),
    [
        (utf8(282, "OCS.lab.example"), "lab.example", 3005),
        (utf8(293, "other.lab.example"), "lab.example", 3002),
        (b"", "other.example", 3003),
        (utf8(293, "OCS.LAB.EXAMPLE"), "LAB.example", 2001),
    ],
)
async def test_request_for_another_node_is_refused(lab, extra, realm, result_code):
    async with lab.serving() as (_, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        header, result, _ = await gateway.answer_to(gateway.ccr(extra=extra, realm=realm))
        assert result == result_code
        assert header.is_error == (result_code // 1000 == 3)


@pytest.mark.parametrize(
    ("command", "application", "flags", "result_code"),
    [
        (258, 4, 0xC0, 3001),  # Re-Auth-Request
        (274, 0, 0xC0, 3001),  # Abort-Session-Request
        (275, 4, 0xC0, 3001),  # Session-Termination-Request
        (8388635, 4, 0xC0, 3001),
        (272, 16777238, 0xC0, 3007),  # Gx
        (275, 16777302, 0xC0, 3007),
        (271, 3, 0xC0, 3007),
        (272, 4, 0xE0, 3008),
        (272, 4, 0xC1, 5013),
    ],
)
async def test_what_is_not_served_is_refused_with_its_code(lab, command, application, flags, result_code):
    async with lab.serving() as (_, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        body = utf8(263, "s") + gateway.origin
        header, result, avps = await gateway.answer_to(
            encode_message(command, application, flags, 9, 8, body)
        )
        assert (header.command_code, header.application_id) == (command, application)
        assert (header.hop_by_hop_id, header.end_to_end_id) == (9, 8)
        assert result == result_code
        assert header.is_error == (result_code // 1000 == 3)
        assert avps[264] == b"ocs.lab.example"
        assert lab.handler.requests == []


@pytest.mark.parametrize(("command", "application"), [(258, 4), (274, 0), (272, 4), (280, 0)])
async def test_answer_to_nothing_that_we_asked_is_ignored(lab, command, application):
    async with lab.serving() as (_, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        stray = encode_message(command, application, 0x40, 3, 3, utf8(263, "s") + unsigned32(268, 2001))
        await gateway.send(stray)
        _, result, _ = await gateway.answer_to(gateway.dwr())
        assert result == 2001


# --- what we ask of gateways ---


async def test_demand_goes_to_the_gateway_and_its_answer_is_heard(lab):
    gone = []
    async with lab.serving() as (server, listeners):
        server.demands.on_gone = lambda account, session: gone.append((account, session))
        gateway = await (await lab.connect(listeners[0])).opens()
        demand = SessionDemand(DemandKind.REAUTHORISE, "a1", "pgw.example;1;2", "pgw.example", "example")
        assert server.demands.submit([demand]) == 1
        header, _, avps = gateway.read(await gateway.receive())
        assert (header.command_code, header.is_request, avps[263]) == (258, True, b"pgw.example;1;2")
        body = utf8(263, "pgw.example;1;2") + unsigned32(268, 5002) + gateway.origin
        await gateway.send(encode_message(258, 4, 0x40, header.hop_by_hop_id, header.end_to_end_id, body))
        await gateway.answer_to(gateway.dwr())
        assert gone == [("a1", "pgw.example;1;2")]


async def test_demand_goes_the_way_that_the_gateway_s_requests_come(lab):
    async with lab.serving() as (server, listeners):
        relay = await (await lab.connect(listeners[0], "relay.example")).opens()
        assert server.demands.rank("pgw.example") == 0
        behind = lab.gateway(relay.stream, "pgw.example")
        await relay.answer_to(behind.ccr())
        assert server.demands.rank("pgw.example") == 3
        demand = SessionDemand(DemandKind.ABORT, "a1", "pgw.example;1;2", "pgw.example", "example")
        assert server.demands.submit([demand]) == 1
        header, _, avps = relay.read(await relay.receive())
        assert (header.command_code, avps[293]) == (274, b"pgw.example")


async def test_gateway_that_hangs_up_takes_its_way_with_it(lab):
    async with lab.serving() as (server, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        await gateway.answer_to(gateway.ccr())
        await trio.aclose_forcefully(gateway.stream)
        while server.peers():
            await trio.sleep(0.01)
        assert server.demands.rank("pgw.example") == 0
