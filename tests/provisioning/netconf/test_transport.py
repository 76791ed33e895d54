"""SSH as it really is: asyncssh against a server of its own, over loopback."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncssh
import pytest
import trio

from ocs.asyncio_bridge import asyncio_loop, call_asyncio
from ocs.limits import NETCONF_UNREAD_OCTETS_MAX
from ocs.provisioning.credentials import Credential
from ocs.provisioning.element import Element
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.netconf.transport import Transport, host_key_fault, open_transport

HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
USER_KEY = asyncssh.generate_private_key("ssh-ed25519")
LAB = Credential(user="ocs", password="hunter22")


class Server(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (LAB.user, LAB.password)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key.public_data == USER_KEY.public_data


async def serve(process: Any) -> None:
    """Echoes; `flood` is answered with much, `stop` with the end, and stderr says what no NETCONF is."""
    if process.subsystem != "netconf":
        process.exit(1)
        return
    process.stderr.write(b"no NETCONF")
    while data := await process.stdin.read(65_536):
        if data.startswith(b"flood"):
            process.stdout.write(b"x" * 4_000_000)
            await process.stdout.drain()
        elif data.startswith(b"stop"):
            break
        else:
            process.stdout.write(data)
    process.exit(0)


@asynccontextmanager
async def server(**options: Any) -> AsyncGenerator[Element]:
    async def listen() -> Any:
        return await asyncssh.create_server(
            Server,
            "127.0.0.1",
            0,
            server_host_keys=options.pop("server_host_keys", [HOST_KEY]),
            process_factory=serve,
            encoding=None,
            **options,
        )

    with trio.fail_after(30):
        async with asyncio_loop():
            listener = await call_asyncio(listen)
            yield element(listener.get_port())
            listener.close()


def element(port: int, trusted: asyncssh.SSHKey = HOST_KEY) -> Element:
    return Element(
        name="box",
        type_name="netconf",
        address="127.0.0.1",
        port=port,
        credential="lab",
        host_key=trusted.export_public_key().decode().strip(),
    )


async def received(transport: Transport, octets: int) -> bytes:
    data = b""
    while len(data) < octets:
        part = await transport.receive()
        assert part, "the stream ended too early"
        data += part
    return data


@pytest.mark.parametrize(
    "credential",
    [LAB, Credential(user="x", key=USER_KEY.export_private_key().decode())],
    ids=["password", "key"],
)
async def test_octets_go_there_and_back(credential: Credential) -> None:
    async with server() as box, open_transport(box, credential, keepalive_s=15) as transport:
        await transport.send(b"hello")
        assert await received(transport, 5) == b"hello"
        await transport.send(b"y" * 1_000_000)
        assert await received(transport, 1_000_000) == b"y" * 1_000_000
        await transport.send(b"stop")
        assert await transport.receive() == b""
        with pytest.raises(OSError):
            await transport.send(b"more")


async def test_who_does_not_read_is_not_sent_without_end() -> None:
    async with server() as box, open_transport(box, LAB, keepalive_s=0) as transport:
        await transport.send(b"flood")
        await trio.sleep(0)
        first = await transport.receive()
        for _ in range(50):
            await call_asyncio(asyncio.sleep, 0.002)
        channel: Any = transport
        # The window of SSH, and what had been on its way when reading was paused.
        assert channel._unread_octets <= 3 * NETCONF_UNREAD_OCTETS_MAX
        assert len(first) + len(await received(transport, 4_000_000 - len(first))) == 4_000_000


async def refused(box: Element, credential: Credential = LAB) -> ElementError:
    with pytest.raises(ElementError) as caught:
        async with open_transport(box, credential, keepalive_s=0):
            pass
    assert caught.value.element == "box"
    assert caught.value.operation == "connect"
    return caught.value


async def test_a_wrong_password_and_a_useless_key_are_matters_of_access() -> None:
    async with server() as box:
        wrong = await refused(box, Credential(user="ocs", password="wrong"))
        assert wrong.fault is ElementFault.ACCESS
        assert "wrong" not in wrong.reason
        useless = await refused(box, Credential(user="ocs", key="no key"))
        assert (useless.fault, "lab" in useless.reason) == (ElementFault.ACCESS, True)


async def test_a_changed_host_key_even_of_another_kind_names_both_fingerprints() -> None:
    old = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    async with server() as box:
        changed = await refused(element(box.port, old))
        assert changed.fault is ElementFault.ACCESS
        assert old.get_fingerprint() in changed.reason
        assert HOST_KEY.get_fingerprint() in changed.reason


async def test_rsa_host_keys_are_known_again() -> None:
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    async with (
        server(server_host_keys=[HOST_KEY, key]) as box,
        open_transport(element(box.port, key), LAB, keepalive_s=0) as transport,
    ):
        await transport.send(b"hello")
        assert await received(transport, 5) == b"hello"


def test_a_host_key_that_nobody_trusts_yet_or_that_is_none_says_what_to_do() -> None:
    assert HOST_KEY.get_fingerprint() in host_key_fault("", HOST_KEY)
    assert "OpenSSH" in host_key_fault("nonsense", HOST_KEY)
    assert host_key_fault(HOST_KEY.export_public_key().decode(), HOST_KEY) == ""


async def test_where_nobody_listens_is_unreachable() -> None:
    async with server() as box:
        port = box.port
    with trio.fail_after(30):
        async with asyncio_loop():
            assert (await refused(element(port))).fault is ElementFault.UNREACHABLE


async def test_what_speaks_no_SSH_is_told_from_what_does() -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]

    async def greet(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.aclose()

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery, asyncio_loop():
            nursery.start_soon(trio.serve_listeners, greet, [listener])
            assert (await refused(element(port))).fault in {ElementFault.UNREACHABLE, ElementFault.PROTOCOL}
            nursery.cancel_scope.cancel()


async def test_no_common_algorithm_is_a_matter_of_protocol() -> None:
    async with server(encryption_algs=["aes256-cbc"]) as box:
        assert (await refused(box)).fault is ElementFault.PROTOCOL


async def test_a_peer_that_falls_silent_is_found_out_by_keepalive() -> None:
    """Somebody pulled the plug: no octet comes any more, and no end of the stream either."""
    async with server() as box, trio.open_nursery() as nursery:
        is_dead = False

        async def carry(source: trio.SocketStream, target: trio.SocketStream) -> None:
            async for data in source:
                if not is_dead:
                    await target.send_all(data)

        async def relay(stream: trio.SocketStream) -> None:
            async with (
                await trio.open_tcp_stream("127.0.0.1", box.port) as beyond,
                trio.open_nursery() as both,
            ):
                both.start_soon(carry, stream, beyond)
                both.start_soon(carry, beyond, stream)

        listeners = await nursery.start(partial(trio.serve_tcp, relay, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        async with open_transport(element(port), LAB, keepalive_s=0.1) as transport:
            await transport.send(b"hello")
            assert await received(transport, 5) == b"hello"
            is_dead = True
            with pytest.raises(OSError):
                await transport.receive()
        nursery.cancel_scope.cancel()
