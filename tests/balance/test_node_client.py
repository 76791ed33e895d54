"""Clients of one server or one Sentinel: each is shown its own secret."""

from pathlib import Path

import pytest
import redis

from ocs.balance.node_client import connect_node, connect_sentinel
from ocs.balance.store_address import StoreAddress
from ocs.store_url import parse_store_url
from tests.support.store_servers import single


def test_sentinel_and_server_each_get_their_own_password(tmp_path: Path):
    with single(tmp_path) as server:
        server.admin.config_set("requirepass", "hunter2")
        url = f"redis+sentinel://:hunter2@{server.endpoint}/m"
        of_server = StoreAddress(parse_store_url(url), sentinel_password="horse")
        with connect_node(of_server, server.endpoint, 5) as client:
            assert client.ping()
        with (
            connect_sentinel(of_server, server.endpoint, 5) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()
        of_sentinel = StoreAddress(parse_store_url(url), sentinel_password="hunter2")
        with connect_sentinel(of_sentinel, server.endpoint, 5) as client:
            assert client.ping()
