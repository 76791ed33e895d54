"""Where events are posted, and where never: no registration makes this server call its own network."""

import ipaddress
import ssl
from functools import partial

import pytest
import trio
import trustme

from ocs.api.tmf.callback import CallbackError, CallbackFailedError, CallbackPolicy, Target, is_public, post

pytestmark = pytest.mark.bounded(20)


@pytest.mark.parametrize(
    "callback",
    [
        "https://crm.example/events",
        "https://crm.example",
        "https://crm.example:8443/a?b=c",
        "https://93.184.216.34/x",
    ],
)
def test_https_to_the_outside_world_is_called(callback: str):
    assert CallbackPolicy().target(callback).scheme == "https"


@pytest.mark.parametrize(
    "callback",
    [
        "http://crm.example/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/",
        "https://192.168.1.1:6379/", "https://[fe80::1]/", "https://[::ffff:127.0.0.1]/", "https://0.0.0.0/",
        "https://user@crm.example/", "https://crm.example/#x", "ftp://crm.example/", "crm.example", "https://",
        "https:///x", "https://crm.example:99999/", "https://[::1", "https://a b/", "https://ä.example/", "",
        "https://crm.example/\r\nX: y", "https://crm.example/" + "x" * 3_000, "file:///etc/passwd", "https://[64:ff9b::7f00:1]/",
    ],
)  # fmt: skip
def test_other_addresses_are_not_called(callback: str):
    with pytest.raises(CallbackError):
        CallbackPolicy().target(callback)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "ocs.localhost",
        "printer.local",
        "x.invalid",
        "127.1",
        "2130706433",
        "0x7f.1",
    ],
)
def test_name_that_never_leads_outside_is_refused_at_once(host: str):
    with pytest.raises(CallbackError, match="public"):
        CallbackPolicy().target(f"https://{host}/x")
    assert CallbackPolicy((f"https://{host}",)).target(f"https://{host}/x").is_configured


@pytest.mark.parametrize("host", ["localhost.example", "local.example", "93.184.34", "93.184.216.34"])
def test_name_that_may_lead_outside_is_taken(host: str):
    assert not CallbackPolicy().target(f"https://{host}/x").is_configured


def test_configured_address_is_called_as_it_stands():
    policy = CallbackPolicy(("http://127.0.0.1:9000",))
    assert policy.target("http://127.0.0.1:9000/x?y") == Target(
        "http", "127.0.0.1", 9000, "/x?y", is_configured=True
    )
    for other in (
        "http://127.0.0.1:9001/",
        "http://127.0.0.1/",
        "https://127.0.0.1:9000/",
        "http://localhost:9000/",
    ):
        with pytest.raises(CallbackError):
            policy.target(other)


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2001:0:1::1",
        "ff02::1",
        "224.0.0.1",
        "100.64.0.1",
        "::127.0.0.1",
        "::ffff:0:7f00:1",
        "64:ff9b:1::7f00:1",
        "fec0::1",
    ],
)
def test_address_within_an_address_counts(address: str):
    assert not is_public(ipaddress.ip_address(address))


def test_public_addresses_are_public():
    assert is_public(ipaddress.ip_address("93.184.216.34"))
    assert is_public(ipaddress.ip_address("2606:2800:220:1::1"))
    assert is_public(ipaddress.ip_address("64:ff9b::5db8:d822"))


async def test_name_that_leads_inside_is_not_connected_to():
    policy = CallbackPolicy()
    target = Target("https", "localhost", 443, "/", is_configured=False)
    with pytest.raises(CallbackFailedError, match="not public"):
        await policy.resolve(target)


# --- Posting -----------------------------------------------------------------------------------------------------


async def listener(
    nursery: trio.Nursery, answer: bytes, tls: ssl.SSLContext | None = None
) -> tuple[int, list[bytes]]:
    """Answers every request so; returns its port and what it got."""
    got: list[bytes] = []

    async def serve(stream: trio.abc.Stream) -> None:
        async with stream:
            octets = b""
            try:
                while b"\r\n\r\n" not in octets or not octets.endswith(b"}"):
                    octets += await stream.receive_some(4_096) or b"}"
            except trio.BrokenResourceError:
                return
            got.append(octets)
            await stream.send_all(answer)

    async def secure(stream: trio.SocketStream) -> None:
        await serve(trio.SSLStream(stream, tls, server_side=True, https_compatible=True) if tls else stream)

    opened = await nursery.start(partial(trio.serve_tcp, secure, 0, host="127.0.0.1"))
    return opened[0].socket.getsockname()[1], got


async def test_event_is_posted_with_its_headers(nursery):
    port, got = await listener(nursery, b"HTTP/1.1 204 No Content\r\n\r\n")
    policy = CallbackPolicy((f"http://127.0.0.1:{port}",))
    target = policy.target(f"http://127.0.0.1:{port}/events?x=1")
    assert await post(policy, target, b'{"a": 1}', {"X-Hub-Signature": "sha256=1"}) == 204
    (request,) = got
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == b'{"a": 1}'
    assert head.startswith(b"POST /events?x=1 HTTP/1.1\r\n")
    assert b"X-Hub-Signature: sha256=1" in head and f"Host: 127.0.0.1:{port}".encode() in head


async def test_redirect_is_an_answer_and_is_not_followed(nursery):
    port, got = await listener(nursery, b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n")
    policy = CallbackPolicy((f"http://127.0.0.1:{port}",))
    assert await post(policy, policy.target(f"http://127.0.0.1:{port}/"), b"{}", {}) == 302
    assert len(got) == 1


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example", "..."])
async def test_name_that_can_be_none_has_not_taken_it(host: str):
    policy = CallbackPolicy()
    with pytest.raises(CallbackFailedError, match="name"):
        await post(policy, policy.target(f"https://{host}/"), b"{}", {})


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000])
async def test_listener_that_does_not_speak_http_has_not_taken_it(nursery, answer: bytes):
    port, _ = await listener(nursery, answer)
    policy = CallbackPolicy((f"http://127.0.0.1:{port}",))
    with pytest.raises(CallbackFailedError):
        await post(policy, policy.target(f"http://127.0.0.1:{port}/"), b"{}", {})


async def test_listener_that_is_not_there_has_not_taken_it():
    policy = CallbackPolicy(("http://127.0.0.1:1",))
    with pytest.raises(CallbackFailedError, match="not reached"):
        await post(policy, policy.target("http://127.0.0.1:1/"), b"{}", {})


async def test_silent_listener_has_not_taken_it(nursery, autojump_clock):
    policy = CallbackPolicy(("http://127.0.0.1:9",))

    async def never(host: object, port: object, **_: object) -> None:
        await trio.sleep_forever()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio, "open_tcp_stream", never)
        with pytest.raises(CallbackFailedError, match="no answer within"):
            await post(policy, policy.target("http://127.0.0.1:9/"), b"{}", {})


async def test_https_listener_must_show_a_certificate_that_is_trusted(nursery):
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    port, got = await listener(nursery, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    address = f"https://127.0.0.1:{port}"
    policy = CallbackPolicy((address,), lambda: trusting)
    assert await post(policy, policy.target(address), b"{}", {}) == 200
    with pytest.raises(CallbackFailedError):
        await post(CallbackPolicy((address,)), policy.target(address), b"{}", {})
    assert len(got) == 1
