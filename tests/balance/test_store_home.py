"""Marks of partitions: made once, missed when they are gone, made again only when the loss was accepted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ocs.balance.keys import META, home_key
from ocs.balance.store_admin import connect
from ocs.balance.store_client import StoreClient
from ocs.balance.store_home import mark_partitions
from tests.support.calls import PARTITIONS, set_up
from tests.support.store_servers import single


@pytest.fixture
def client(tmp_path: Path) -> Iterator[StoreClient]:
    with single(tmp_path) as server:
        set_up(server.url)
        with connect(server.url) as client:
            yield client


def mark(client: StoreClient) -> tuple[int, ...]:
    return mark_partitions(client, partitions=PARTITIONS, created_s=1)


def test_every_partition_is_marked_when_the_store_is_set_up(client: StoreClient):
    assert client.mget([home_key(partition) for partition in range(PARTITIONS)]) == [b"1"] * PARTITIONS
    assert mark(client) == ()


def test_mark_that_was_lost_is_told_and_not_made_again(client: StoreClient):
    client.delete(home_key(3), home_key(5))
    client.set(home_key(7), b"2")
    for _ in range(2):
        with capture_logs() as lines:
            assert mark(client) == (3, 5, 7)
        (line,) = lines
        assert line["event"] == "store_partitions_lost" and "[3, 5, 7]" in line["reason"] and line["remedy"]
    assert client.exists(home_key(3)) == 0


def test_store_of_an_earlier_release_is_marked(client: StoreClient):
    client.hdel(META, "marked")
    client.delete(*[home_key(partition) for partition in range(PARTITIONS)])
    assert mark(client) == ()
    client.delete(home_key(3))
    assert mark(client) == (3,)


def test_loss_that_was_accepted_is_over(client: StoreClient):
    client.delete(home_key(3))
    client.hdel(META, "marked")
    assert mark(client) == () and client.get(home_key(3)) == b"1"
