"""NETCONF's way to an element: a subsystem of SSH (RFC 6242), by asyncssh."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

import asyncssh
import trio

from ocs.asyncio_bridge import call_asyncio
from ocs.limits import CLI_COLUMNS, CLI_ROWS, ELEMENT_KEEPALIVES_MISSED, NETCONF_UNREAD_OCTETS_MAX
from ocs.provisioning.credentials import Credential
from ocs.provisioning.element import Element
from ocs.provisioning.errors import ElementError, ElementFault

# Modern and cheap: one key exchange is a millisecond of CPU. What old boxes have besides stands behind them.
_KEY_EXCHANGES: Final = (
    "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521", "diffie-hellman-group14-sha256", "diffie-hellman-group16-sha512",
)  # fmt: skip
_CIPHERS: Final = (
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr", "aes256-ctr",
)  # fmt: skip
_MACS: Final = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
_HOST_KEYS: Final = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-256", "rsa-sha2-512",
)  # fmt: skip
_KEEPALIVE_OFF_S: Final = 0


class Transport(Protocol):
    """A stream of octets to and from an element."""

    async def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            OSError: the way is broken.
        """
        ...

    async def receive(self) -> bytes:
        """Some octets, as they come; empty at the end of the stream.

        Raises:
            OSError: the way is broken; says how.
        """
        ...


class _Channel(asyncssh.SSHClientSession[bytes]):
    """The subsystem's channel: asyncssh puts octets in, a task of trio's takes them out."""

    def __init__(self) -> None:
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._unread: deque[bytes] = deque()
        self._unread_octets = 0
        self._is_paused = False
        self._is_over = False
        self._reason: OSError | None = None  # why it is over; None: in order
        self._news = trio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    # --- asyncssh's side: all of it runs in the thread of trio -------------------------------------------

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is not None:  # what a subsystem writes to stderr is no NETCONF
            return
        self._unread.append(data)
        self._unread_octets += len(data)
        if self._unread_octets > NETCONF_UNREAD_OCTETS_MAX and self._channel is not None:
            self._is_paused = True
            self._channel.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        self._end(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(None if exc is None else OSError(str(exc) or type(exc).__name__))
        self._may_write.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def _end(self, error: OSError | None) -> None:
        if not self._is_over:
            self._is_over, self._reason = True, error
        self._news.set()

    # --- trio's side ------------------------------------------------------------------------------------

    async def send(self, data: bytes) -> None:
        await call_asyncio(self._send, data)

    async def _send(self, data: bytes) -> None:
        channel: Any = self._channel
        if channel is None or self._is_over:
            raise OSError(str(self._reason or "the element has ended the connection"))
        try:
            channel.write(data)
        except (BrokenPipeError, asyncssh.Error) as error:
            raise OSError(str(error)) from None
        await self._may_write.wait()

    async def receive(self) -> bytes:
        while not self._unread and not self._is_over:
            self._news = trio.Event()
            await self._news.wait()
        if self._unread:
            data = b"".join(self._unread)
            self._unread.clear()
            self._unread_octets = 0
            if self._is_paused and self._channel is not None:
                self._is_paused = False
                self._channel.resume_reading()
            return data
        if self._reason is not None:
            raise self._reason
        return b""


class _Client(asyncssh.SSHClient):
    """Looks at the host key."""

    def __init__(self, element: Element) -> None:
        self._element = element
        self.refused = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        del host, addr, port
        self.refused = host_key_fault(self._element.host_key, key)
        if self.refused and not self._element.host_key.strip():
            self.refused += f": `ocs inventory trust {self._element.name}`"
        return not self.refused


def host_key_fault(trusted: str, presented: asyncssh.SSHKey) -> str:
    """Why a host key is not accepted; empty when it is the one that we trust.

    Args:
        trusted: a line of OpenSSH's form; empty: none is trusted yet.
        presented: what the element showed.
    """
    shown = f"{presented.algorithm.decode()} {presented.get_fingerprint()}"
    if not trusted.strip():
        return f"no host key of it is trusted yet; it presents {shown}"
    try:
        expected = asyncssh.import_public_key(trusted)
    except asyncssh.KeyImportError:
        return "the host key that the inventory has of it is no key in OpenSSH's form"
    if expected.public_data == presented.public_data:
        return ""
    return (
        f"its host key is not the one that is trusted: expected {expected.algorithm.decode()}"
        f" {expected.get_fingerprint()}, it presents {shown}"
    )


@asynccontextmanager
async def open_transport(
    element: Element, credential: Credential, *, keepalive_s: float, is_shell: bool = False
) -> AsyncGenerator[Transport]:
    """Connect to an element's NETCONF; inside :func:`~ocs.asyncio_bridge.asyncio_loop`. The caller bounds the time.

    Args:
        element: which one. credential: who we are. keepalive_s: an idle connection is tried so often; 0: never.
        is_shell: its command line is wanted instead, on a terminal of wide lines.

    Raises:
        ElementError: ACCESS, UNREACHABLE or PROTOCOL.
    """
    client = _Client(element)

    def fail(fault: ElementFault, reason: str) -> ElementError:
        return ElementError(element=element.name, operation="connect", fault=fault, reason=reason)

    connection: asyncssh.SSHClientConnection | None = None
    try:
        try:
            connection = await call_asyncio(_connect, element, credential, client, keepalive_s)
            channel = await call_asyncio(_open_shell if is_shell else _open_subsystem, connection)
        except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
            if client.refused:
                raise fail(ElementFault.ACCESS, client.refused) from None
            raise fail(ElementFault.PROTOCOL, f"no agreement on SSH's algorithms: {error.reason}") from None
        except asyncssh.PermissionDenied:
            raise fail(
                ElementFault.ACCESS,
                f"it does not accept user {credential.user} with credential {element.credential}",
            ) from None
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError) as error:
            raise fail(
                ElementFault.ACCESS, f"credential {element.credential} cannot be used: {error}"
            ) from None
        except asyncssh.ChannelOpenError as error:
            what = "shell" if is_shell else "subsystem netconf"
            raise fail(ElementFault.PROTOCOL, f"it has no {what}: {error.reason}") from None
        except asyncssh.Error as error:
            raise fail(ElementFault.UNREACHABLE, error.reason or type(error).__name__) from None
        except OSError as error:
            raise fail(
                ElementFault.UNREACHABLE, error.strerror or str(error) or type(error).__name__
            ) from None
        yield channel
    finally:
        if connection is not None:
            # Says goodbye if there is room for it, and waits for nobody.
            connection.abort()


async def _connect(
    element: Element, credential: Credential, client: _Client, keepalive_s: float
) -> asyncssh.SSHClientConnection:
    first = element.host_key.split(" ", 1)[0]
    # The type of the key that we know comes first; others only so that a changed one can be named.
    host_keys = sorted(
        _HOST_KEYS, key=lambda name: not (name == first or (first == "ssh-rsa" and "rsa" in name))
    )
    more: dict[str, Any] = {}
    if credential.key:
        more["client_keys"] = [asyncssh.import_private_key(credential.key, credential.key_passphrase or None)]
    elif not credential.agent:
        more["client_keys"] = None
    if not credential.agent:
        more["agent_path"] = None
    return await asyncssh.connect(
        element.address,
        element.port,
        config=None,  # nothing of whoever runs us: not their keys, not their list of hosts
        known_hosts=b"",
        client_factory=lambda: client,
        username=credential.user,
        password=credential.password or None,
        gss_host=None,
        kex_algs=_KEY_EXCHANGES,
        encryption_algs=_CIPHERS,
        mac_algs=_MACS,
        compression_algs=None,
        server_host_key_algs=host_keys,
        keepalive_interval=keepalive_s or _KEEPALIVE_OFF_S,
        keepalive_count_max=ELEMENT_KEEPALIVES_MISSED,
        **more,
    )


async def _open_subsystem(connection: asyncssh.SSHClientConnection) -> _Channel:
    channel = _Channel()
    # Half annotated.
    creating: Any = connection
    await creating.create_session(
        lambda: channel, subsystem="netconf", encoding=None, window=2 * NETCONF_UNREAD_OCTETS_MAX
    )
    return channel


async def _open_shell(connection: asyncssh.SSHClientConnection) -> _Channel:
    channel = _Channel()
    creating: Any = connection
    await creating.create_session(
        lambda: channel,
        request_pty="force",
        term_type="vt100",
        term_size=(CLI_COLUMNS, CLI_ROWS),
        encoding=None,
        window=2 * NETCONF_UNREAD_OCTETS_MAX,
    )
    return channel
