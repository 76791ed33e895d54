"""The SSH side of an element: its host key, who may log in, its listener and connections (asyncio)."""

import asyncio
import hmac
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import asyncssh

from simulators.element.faults import SHUTS_OUT, FaultKind, Faults

_KEY_TYPE: Final = "ssh-ed25519"
_LOGIN_S: Final = 30
EXIT_STATUS: Final = 70  # of a process that EXIT_BEFORE or EXIT_AFTER ends


@dataclass(frozen=True, kw_only=True)
class Login:
    """Who may log in: a name with a password, keys as lines of OpenSSH's form; both empty: anybody without either."""

    user: str = "admin"
    password: str = "admin"  # noqa: S105  # of a simulator
    keys: tuple[str, ...] = ()


def new_host_key() -> str:
    """A host key as text in OpenSSH's form."""
    key: asyncssh.SSHKey = cast("Any", asyncssh).generate_private_key(_KEY_TYPE)
    return key.export_private_key().decode()


def public_line(host_key: str) -> str:
    """The public half as ``ssh-ed25519 AAAA...``."""
    key = asyncssh.import_private_key(host_key)
    return " ".join(key.export_public_key().decode().split()[:2])


@dataclass
class Listener:
    """Takes connections on one port and gives each channel to a session that ``session_factory`` makes.

    Attributes:
        host_key: private, as text. port: 0 before it is open the first time, then always the same.
    """

    host: str
    port: int
    host_key: str
    login: Login
    faults: Faults
    session_factory: Callable[[asyncssh.SSHServerConnection], asyncssh.SSHServerSession[Any]]
    connections: set[asyncssh.SSHServerConnection] = field(default_factory=set[asyncssh.SSHServerConnection])
    _acceptor: asyncssh.SSHAcceptor | None = None

    async def open(self) -> None:
        """Take connections from now on."""
        self._acceptor = await asyncssh.listen(
            self.host,
            self.port,
            server_host_keys=[asyncssh.import_private_key(self.host_key)],
            server_factory=lambda: _Server(self),
            config=None,
            encoding=None,
            line_editor=False,
            login_timeout=_LOGIN_S,
            reuse_address=True,
            gss_host=None,
            agent_forwarding=False,
            x11_forwarding=False,
            compression_algs=["none"],
        )
        self.port = self._acceptor.get_port()

    @property
    def is_open(self) -> bool:
        """Whether connections are taken."""
        return self._acceptor is not None

    async def close(self) -> None:
        """Break every connection and take no more."""
        self.stop()
        if self.connections:
            closing = [connection.wait_closed() for connection in self.connections]
            await asyncio.gather(*closing, return_exceptions=True)

    def stop(self) -> None:
        """As :meth:`close`, without waiting for the end of connections."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        self.abort()

    def abort(self) -> None:
        """Break every connection, as a cable that is cut."""
        for connection in list(self.connections):
            connection.abort()


class _Server(asyncssh.SSHServer):
    """One connection before it has a channel."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._listener.connections.add(conn)
        if self._is_shut("connect"):
            conn.abort()

    def _is_shut(self, step: str) -> bool:
        """Whether a fault keeps the client out at a step."""
        kinds = {fault.kind for fault in self._listener.faults.take(step)}
        if kinds & {FaultKind.EXIT_BEFORE, FaultKind.EXIT_AFTER}:
            os._exit(EXIT_STATUS)
        return bool(kinds & SHUTS_OUT)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._connection is not None:
            self._listener.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        del username
        login = self._listener.login
        return bool(login.password or login.keys)

    def password_auth_supported(self) -> bool:
        return bool(self._listener.login.password)

    def validate_password(self, username: str, password: str) -> bool:
        login = self._listener.login
        known = username == login.user and hmac.compare_digest(password, login.password)
        return known and not self._is_shut("login")

    def public_key_auth_supported(self) -> bool:
        return bool(self._listener.login.keys)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        line = " ".join(key.export_public_key().decode().split()[:2])
        known = {" ".join(one.split()[:2]) for one in self._listener.login.keys}
        # Asked twice: for the offer of a key, and for its signature.
        return username == self._listener.login.user and line in known

    def session_requested(self) -> asyncssh.SSHServerSession[Any]:
        assert self._connection is not None
        return self._listener.session_factory(self._connection)


def user_of(connection: asyncssh.SSHServerConnection) -> tuple[str, str]:
    """Who logged in, and from which address."""
    peer: Sequence[Any] = connection.get_extra_info("peername") or ("",)
    return str(connection.get_extra_info("username") or ""), str(peer[0])
