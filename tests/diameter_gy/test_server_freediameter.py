"""freeDiameterd (Debian), a stack that we did not write, as peer and as relay."""

import shutil
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trustme

from ocs.diameter_gy.avp import split_avps
from ocs.diameter_gy.base_commands import Result, encode_capabilities_exchange_answer
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import parse_header

FREE_DIAMETER = shutil.which("freeDiameterd") or "/usr/bin/freeDiameterd"
EXTENSIONS = Path("/usr/lib/freeDiameter")

pytestmark = pytest.mark.skipif(
    not Path(FREE_DIAMETER).exists() or not (EXTENSIONS / "dict_dcca.fdx").exists(),
    reason="freeDiameterd is not installed (Debian: freediameterd, freediameter-extensions)",
)

# It opens every connection itself, as it would listen on all addresses of the machine.
CONFIGURATION = """
Identity = "relay.lab.example";
Realm = "lab.example";
Port = 0;
SecPort = 0;
No_SCTP;
No_IPv6;
TLS_Cred = "{folder}/relay.pem", "{folder}/relay.key";
TLS_CA = "{folder}/ca.pem";
LoadExtension = "{extensions}/dict_nasreq.fdx";
LoadExtension = "{extensions}/dict_dcca.fdx";
LoadExtension = "{extensions}/dict_dcca_3gpp.fdx";
"""
PEER = """
ConnectPeer = "{name}" {{ ConnectTo = "127.0.0.1"; Port = {port}; No_TLS; TwTimer = 6; TcTimer = 1; }};
"""


class Relay:
    """A running freeDiameterd and what it has logged."""

    def __init__(self, process):
        self.process = process
        self.stdout = process.stdout
        self.log = b""

    async def collect(self):
        async for data in self.stdout:
            self.log += data

    async def has_open(self, *names):
        """Wait until it takes connections as open: it answers 3002 until then, though its peer may send already."""
        while not all(b"-> 'STATE_OPEN'\t'" + name.encode() + b"'" in self.log for name in names):
            await trio.sleep(0.02)

    async def stop(self):
        self.process.terminate()
        await self.process.wait()


@asynccontextmanager
async def running_relay(folder, **ports):
    """Run freeDiameterd with a peer on each port; the names of the arguments are the peers' (_ for a dot)."""
    authority = trustme.CA()
    certificate = authority.issue_cert("relay.lab.example")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "relay.key")
    (folder / "relay.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    configuration = folder / "freediameter.conf"
    peers = [PEER.format(name=name.replace("_", "."), port=port) for name, port in ports.items()]
    configuration.write_text(CONFIGURATION.format(folder=folder, extensions=EXTENSIONS) + "".join(peers))
    process = await trio.lowlevel.open_process(
        [FREE_DIAMETER, "-c", str(configuration)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    relay = Relay(process)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(relay.collect)
            yield relay
            await relay.stop()
    except BaseException:
        print(relay.log.decode(errors="replace"))  # pytest shows it with the failure
        raise
    finally:
        with trio.CancelScope(shield=True):
            await relay.stop()
            await relay.stdout.aclose()


@asynccontextmanager
async def relay_between(lab, folder, listener):
    """A relay with our server behind it and a gateway, already open, before it."""
    (gateway_listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    ports = {
        "ocs_lab_example": listener.socket.getsockname()[1],
        "pgw_example": gateway_listener.socket.getsockname()[1],
    }
    async with gateway_listener, running_relay(folder, **ports) as relay:
        gateway = lab.gateway(await gateway_listener.accept())
        cer = await gateway.receive()
        identity = NodeIdentity("pgw.example", "example", "gateway", origin_state_id=1)
        await gateway.send(
            encode_capabilities_exchange_answer(
                parse_header(cer), identity, Result(), host_ip_addresses=("127.0.0.1",)
            )
        )
        await relay.has_open("ocs.lab.example", "pgw.example")
        yield relay, gateway
        await trio.aclose_forcefully(gateway.stream)


async def is_open(server):
    while [peer.state for peer in server.peers()] != ["open"]:
        await trio.sleep(0.02)
    return server.peers()[0]


def spy_on(server):
    """Collect every credit-control request as it arrives."""
    arrived, serve = [], server._service.serve

    def spy(message, header, connection):
        arrived.append(message)
        serve(message, header, connection)

    server._service.serve = spy
    return arrived


async def test_freediameter_exchanges_capabilities_answers_watchdogs_and_leaves_in_order(lab, tmp_path):
    async with lab.serving(watchdog_interval_s=0.3) as (server, listeners):
        port = listeners[0].socket.getsockname()[1]
        async with running_relay(tmp_path, ocs_lab_example=port) as relay:
            peer = await is_open(server)
            assert (peer.origin_host, peer.origin_realm) == ("relay.lab.example", "lab.example")
            assert peer.product_name == "freeDiameter"
            (connection,) = server._connections
            while connection.peer._watchdog._answers < 3:
                await trio.sleep(0.02)
            commands, send = [], connection.send
            connection.send = lambda message: (
                commands.append(parse_header(message).command_code),
                send(message),
            )
            await relay.stop()
            while server.peers():
                await trio.sleep(0.02)
            assert commands[-1] == 282
            assert connection.close_reason == "the peer closed the connection"
            assert b"ERROR" not in relay.log
            assert b"STATE_OPEN" in relay.log


async def test_freediameter_relays_a_request_and_its_answer(lab, tmp_path):
    async with lab.serving() as (server, listeners):
        arrived = spy_on(server)
        async with relay_between(lab, tmp_path, listeners[0]) as (relay, gateway):
            await is_open(server)
            header, result, avps = await gateway.answer_to(gateway.ccr(4711))
            assert (header.command_code, header.hop_by_hop_id, result) == (272, 4711, 2001)
            assert header.end_to_end_id == 4711
            assert avps[264] == b"ocs.lab.example"
            (message,) = arrived
            assert parse_header(message).hop_by_hop_id != 4711
            assert [avp.data for avp in split_avps(message, 20) if avp.code == 282] == [b"pgw.example"]
            assert lab.handler.requests[0].origin_host == "pgw.example"
            assert b"ERROR" not in relay.log


async def test_freediameter_tells_the_gateway_when_we_have_shut_down(lab, tmp_path):
    async with (
        lab.serving() as (server, listeners),
        relay_between(lab, tmp_path, listeners[0]) as (_, gateway),
    ):
        await is_open(server)
        server.request_stop()
        while server.peers():
            await trio.sleep(0.02)
        header, result, _ = await gateway.answer_to(gateway.ccr())
        assert header.is_error
        assert result == 3002


@pytest.mark.long
async def test_freediameter_s_own_watchdog_is_answered(lab, tmp_path):
    async with lab.serving(watchdog_interval_s=600) as (server, listeners):
        port = listeners[0].socket.getsockname()[1]
        async with running_relay(tmp_path, ocs_lab_example=port) as relay:
            await is_open(server)
            await trio.sleep(20)  # three times its shortest interval
            assert [peer.state for peer in server.peers()] == ["open"]
            assert b"ERROR" not in relay.log
            assert b"SUSPECT" not in relay.log
