"""Posts an event to a listener's address, and only to addresses that we may be made to call.

Whoever registers a listener chooses where this server connects to, so that nothing but the outside world is reached:
``https`` to a host all of whose addresses are public, checked on the address that is connected to; redirects are not
followed. What ``[http] hub_callbacks`` names (``"http://127.0.0.1:9000"``) is called as it stands.
"""

import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import h11
import msgspec
import trio

from ocs.limits import HUB_ANSWER_OCTETS_MAX, HUB_CALLBACK_CHARACTERS_MAX, HUB_POST_TIMEOUT_S

_PORTS: Final = {"http": 80, "https": 443}
# Prefixes under which an IPv4 address is written as IPv6 (RFC 6052 section 2.1, RFC 4291 section 2.5.5.1, RFC 2765
# section 2.1): the inner one counts.
_IPV4_WITHIN: Final = tuple(
    ipaddress.IPv6Network(prefix) for prefix in ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")
)
# Names of which the last part says that they are this host's, this link's, or nobody's (RFC 6761 section 6.3 and 6.4,
# RFC 6762 section 3).
_LOCAL_NAMES: Final = frozenset({"localhost", "local", "invalid"})
# For translation within one network alone (RFC 8215); Python counts it among the public ones before 3.13.
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")


class CallbackError(ValueError):
    """An address is none that we call; ``str()`` says why."""


class CallbackFailedError(Exception):
    """A listener was not reached, or did not take the event."""


class Target(msgspec.Struct, frozen=True):
    """Where an event is posted.

    Attributes:
        is_configured: the operator named it, so that its addresses are not looked at.
    """

    scheme: str
    host: str
    port: int
    path: str
    is_configured: bool


class CallbackPolicy:
    """Which addresses are called.

    Args:
        configured: origins (``scheme://host:port``) that the operator allows as they are.
        make_tls: gives the context for ``https``.
    """

    def __init__(
        self,
        configured: Sequence[str] = (),
        make_tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._configured = frozenset(_origin_of(urlsplit(text)) for text in configured)
        self.make_tls = make_tls

    def target(self, callback: str) -> Target:
        """Where a callback leads.

        Raises:
            CallbackError: it is no address, or none that we call.
        """
        if (
            len(callback) > HUB_CALLBACK_CHARACTERS_MAX
            or not callback.isascii()
            or not callback.isprintable()
        ):
            raise CallbackError(
                f"callback: an address of printable ASCII, {HUB_CALLBACK_CHARACTERS_MAX} characters at most"
            )
        try:
            parts = urlsplit(callback)
            origin = _origin_of(parts)
        except ValueError:
            raise CallbackError("callback: it is no address") from None
        if parts.username is not None or parts.fragment or " " in callback:
            raise CallbackError("callback: an address without a user, a fragment or spaces is expected")
        is_configured = origin in self._configured
        if not is_configured and origin[0] != "https":
            raise CallbackError(
                "callback: https is expected; other addresses are named in [http] hub_callbacks"
            )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        target = Target(*origin, path, is_configured)
        literal = _address(target.host) or _short_address(target.host)
        is_outside = not _is_local_name(target.host) if literal is None else is_public(literal)
        if not is_configured and not is_outside:
            raise CallbackError(
                "callback: a public address is expected; others are named in [http] hub_callbacks"
            )
        return target

    async def resolve(self, target: Target) -> str:
        """The address to connect to.

        Raises:
            CallbackFailedError: the name is unknown, or leads to an address that we do not call.
        """
        try:
            found = await trio.socket.getaddrinfo(target.host, target.port, type=trio.socket.SOCK_STREAM)
        except OSError as error:
            raise CallbackFailedError(f"its name is not known: {error.strerror}") from None
        except UnicodeError:  # a label that is empty or too long is refused before anybody is asked
            raise CallbackFailedError("its name can be none") from None
        addresses = [str(entry[4][0]) for entry in found]
        if not target.is_configured:
            parsed = [_address(address.partition("%")[0]) for address in addresses]
            if not all(address is not None and is_public(address) for address in parsed):
                raise CallbackFailedError("its name leads to an address that is not public")
        return addresses[0]


def _is_local_name(host: str) -> bool:
    """Whether a name never leads to a public address, whoever resolves it."""
    return host.rstrip(".").rpartition(".")[2].lower() in _LOCAL_NAMES


def _short_address(host: str) -> ipaddress.IPv4Address | None:
    """An IPv4 address in one of the forms of old that resolvers take too: ``127.1``, ``0x7f000001``."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address lies in the outside world, an IPv4 address within IPv6 included."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in prefix for prefix in _IPV4_WITHIN):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local or address in _LOCAL_NAT64:
            return False
    return address.is_global and not address.is_multicast


async def post(policy: CallbackPolicy, target: Target, body: bytes, headers: dict[str, str]) -> int:
    """Post once; returns the status. Cancellation closes the connection: the listener may have the event.

    Raises:
        CallbackFailedError: not reached, not trusted, no HTTP, or no answer in time.
    """
    try:
        with trio.fail_after(HUB_POST_TIMEOUT_S):
            address = await policy.resolve(target)
            stream: Any = await trio.open_tcp_stream(address, target.port)
            async with stream:
                if target.scheme == "https":
                    stream = trio.SSLStream(
                        stream, policy.make_tls(), server_hostname=target.host, https_compatible=True
                    )
                return await _converse(stream, target, body, headers)
    except trio.TooSlowError:
        raise CallbackFailedError(f"no answer within {HUB_POST_TIMEOUT_S:g} s") from None
    except (OSError, trio.BrokenResourceError) as error:
        raise CallbackFailedError(f"it was not reached: {type(error.__cause__ or error).__name__}") from None
    except h11.ProtocolError:
        raise CallbackFailedError("what it answered is no HTTP") from None


async def _converse(stream: trio.abc.Stream, target: Target, body: bytes, headers: dict[str, str]) -> int:
    host = f"[{target.host}]" if ":" in target.host else target.host
    is_usual = target.port == _PORTS[target.scheme]
    sent = {
        "Host": host if is_usual else f"{host}:{target.port}",
        "Content-Type": "application/json;charset=utf-8",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=HUB_ANSWER_OCTETS_MAX)
    request = h11.Request(method="POST", target=target.path, headers=list(sent.items()))
    octets = b"".join(
        connection.send(event) or b"" for event in (request, h11.Data(data=body), h11.EndOfMessage())
    )
    await stream.send_all(octets)
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            return event.status_code
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some(HUB_ANSWER_OCTETS_MAX)))
        elif not isinstance(event, h11.InformationalResponse):
            raise CallbackFailedError("it closed the connection without an answer")


def _origin_of(parts: Any) -> tuple[str, str, int]:
    if parts.scheme not in _PORTS or not parts.hostname:
        raise CallbackError("callback: an address such as https://crm.example/events is expected")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
