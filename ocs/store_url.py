"""Reads the address of a store: one server, a Sentinel group, or a cluster."""

import re
from typing import Final, Literal
from urllib.parse import unquote

import msgspec

StoreKind = Literal["single", "sentinel", "cluster"]

_TLS: Final = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
_KINDS: Final[dict[str, StoreKind]] = {"": "single", "sentinel": "sentinel", "cluster": "cluster"}
_DEFAULT_PORT: Final[dict[StoreKind, int]] = {"single": 6379, "sentinel": 26379, "cluster": 6379}
_NODE: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[A-Za-z0-9_.-]+))(?::(?P<port>\d{1,5}))?"
)
_FORMS: Final[dict[StoreKind, str]] = {
    "single": "redis://HOST:PORT/0 or unix:///PATH",
    "sentinel": "redis+sentinel://HOST:PORT,HOST:PORT/NAME",
    "cluster": "redis+cluster://HOST:PORT,HOST:PORT",
}


class StoreUrlError(ValueError):
    """An address is none of a store; ``str()`` says what was expected and repeats no secret."""


class Endpoint(msgspec.Struct, frozen=True, order=True):
    """Where one server or Sentinel listens; ``path`` is a Unix socket, and then the others are empty."""

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class StoreUrl(msgspec.Struct, frozen=True):
    """What ``[store] url`` says.

    Attributes:
        nodes: the server; the Sentinels; or some of the cluster's nodes, which know the others.
        name: what the Sentinels call the primary.
        database: always 0 on a cluster.
    """

    kind: StoreKind
    nodes: tuple[Endpoint, ...]
    is_tls: bool = False
    name: str = ""
    username: str = ""
    password: str = ""
    database: int = 0

    def __repr__(self) -> str:
        return f"StoreUrl({str(self)!r})"

    def __str__(self) -> str:
        """As a user wrote it, without the password."""
        user = f"{self.username}@" if self.username else ""
        if self.nodes[0].path:
            return f"unix://{user}{self.nodes[0].path}"
        scheme = ("rediss" if self.is_tls else "redis") + ("" if self.kind == "single" else f"+{self.kind}")
        tail = f"/{self.name}" if self.name else ""
        tail += f"/{self.database}" if self.database else ""
        return f"{scheme}://{user}{','.join(map(str, self.nodes))}{tail}"


def parse_store_url(url: str) -> StoreUrl:
    """Read ``[store] url``.

    Raises:
        StoreUrlError: with what was expected.
    """
    scheme, separator, rest = url.partition("://")
    base, _, suffix = scheme.partition("+")
    known = scheme == "unix" or (base in _TLS and suffix in _KINDS and not scheme.endswith("+"))
    if not separator or not known:
        raise StoreUrlError(
            f"expected an address that begins with {', '.join(_TLS)} or unix,"
            f" such as {', '.join(_FORMS.values())}"
        )
    authority, _, path = rest.partition("/")
    userinfo, _, hosts = authority.rpartition("@")
    username, _, password = userinfo.partition(":")
    parsed = StoreUrl(
        "single", (), username=unquote(username), password=unquote(password), is_tls=_TLS.get(base, False)
    )
    if base == "unix":
        if hosts or not path:
            raise StoreUrlError(f"expected {_FORMS['single']}")
        return msgspec.structs.replace(parsed, nodes=(Endpoint("", 0, "/" + unquote(path)),))
    return _parse_servers(parsed, _KINDS[suffix], hosts, unquote(path))


def _parse_servers(parsed: StoreUrl, kind: StoreKind, hosts: str, path: str) -> StoreUrl:
    form = _FORMS[kind]
    nodes = tuple(_parse_node(text, kind) for text in hosts.split(","))
    if len(set(nodes)) != len(nodes) or (kind == "single" and len(nodes) > 1):
        raise StoreUrlError(f"expected {form}, each server once")
    name, database = "", path.strip("/")
    if kind == "sentinel":
        name, _, database = database.partition("/")
        if not name:
            raise StoreUrlError(f"expected {form}: what the Sentinels call the primary comes last")
    if database and not re.fullmatch(r"[0-9]{1,5}", database):
        raise StoreUrlError(f"expected {form}, and the number of a database is none")
    if kind == "cluster" and int(database or 0):
        raise StoreUrlError(f"expected {form}: a cluster has database 0 only")
    return msgspec.structs.replace(parsed, kind=kind, nodes=nodes, name=name, database=int(database or 0))


def _parse_node(text: str, kind: StoreKind) -> Endpoint:
    match = _NODE.fullmatch(text)
    port = int(match["port"] or _DEFAULT_PORT[kind]) if match else 0
    if match is None or not 0 < port < 65_536:
        raise StoreUrlError(f"expected {_FORMS[kind]}, and a host or port is none")
    return Endpoint(match["v6"] or match["host"], port)
