"""Clients of redis-py for one server or one Sentinel of a store: times, TLS, who we are."""

from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ocs.balance.store_address import StoreAddress
from ocs.store_url import Endpoint


def connect_node(address: StoreAddress, endpoint: Endpoint, timeout_s: float) -> "redis.Redis":
    """A client of one server of the store; it connects with its first command and answers in bytes."""
    options = node_options(address, endpoint, timeout_s)
    options["retry"] = Retry(NoBackoff(), 0)  # it has no connection that could be stale
    return redis.Redis(**options)


def connect_sentinel(address: StoreAddress, endpoint: Endpoint, timeout_s: float) -> "redis.Redis":
    """A client of one Sentinel, which has a password of its own."""
    return redis.Redis(
        **_common_options(address, endpoint, timeout_s), password=address.sentinel_password or None
    )


def node_options(address: StoreAddress, endpoint: Endpoint, timeout_s: float) -> dict[str, Any]:
    """What redis-py must be told for one server of the store."""
    return _common_options(address, endpoint, timeout_s) | {
        "username": address.username or None,
        "password": address.password or None,
        "db": address.database,
    }


def _common_options(address: StoreAddress, endpoint: Endpoint, timeout_s: float) -> dict[str, Any]:
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        # The replies of RESP2 are the same in all releases of servers and of redis-py.
        "protocol": 2,
        # One more try, at once: a pooled connection may have died with the store's last run. Where another server may
        # have taken over, the caller looks for it first.
        "retry": Retry(NoBackoff(), 1 if address.kind == "single" else 0),
    }
    if endpoint.path:
        return options | {"unix_socket_path": endpoint.path}
    options |= {"socket_connect_timeout": timeout_s, "host": endpoint.host, "port": endpoint.port}
    if address.is_tls:
        options |= {
            "ssl": True,
            "ssl_ca_certs": _text_of(address.tls_ca_file),
            "ssl_certfile": _text_of(address.tls_certificate_file),
            "ssl_keyfile": _text_of(address.tls_key_file),
        }
    return options


def _text_of(path: Path | None) -> str | None:
    return None if path is None else str(path)
