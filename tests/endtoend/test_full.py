"""The store's disk or memory is full: gateways hear 3004, nothing is lost, and it goes on when there is room again."""

import resource
from collections.abc import Generator
from pathlib import Path

import pytest

from ocs.balance.embedded import find_store
from tests.endtoend.lab import EURO, System, browsing_micro, is_alive, running, wait_until
from tests.endtoend.wire import (
    INITIAL,
    TERMINATION,
    UPDATE,
    Gateway,
    new_session,
    requested,
    retransmitted,
    service,
    subscription,
    used,
)
from tests.endtoend.wireshark import Capture

USED = 10_000
NUMBER = "4915300000001"
UNABLE_TO_DELIVER = 3002, 3004


@pytest.fixture
def system(tmp_path: Path) -> Generator[System]:
    with running(tmp_path / "data") as system:
        system.open_account("F", f"e164:{NUMBER}")
        # The store's file is to be the longest that anybody writes: the limit below concerns every file.
        system.client._redis.set("padding", b"x" * 1_000_000)
        yield system


@pytest.fixture
def gateway(system: System) -> Generator[Gateway]:
    with Gateway(system.address, Capture()).opened() as gateway:
        yield gateway


def begun(gateway: Gateway) -> str:
    session = new_session()
    who = (subscription(0, NUMBER),)
    assert (
        gateway.ask(gateway.credit(session, INITIAL, 0, service(10, requested()), subscriptions=who)).result
        == 2001
    )
    return session


def settled(system: System, gateway: Gateway, session: str, update: bytes) -> None:
    """The request that was refused is sent again until it is served; then the session ends, and all is charged once."""
    wait_until(lambda: gateway.ask(retransmitted(update)).result == 2001, "an answer with credit")
    assert gateway.ask(gateway.credit(session, TERMINATION, 2, service(10, used(total=1)))).result == 2001
    assert 5 * EURO - system.balance("F") == browsing_micro(USED + 1)
    assert len(system.debits("F")) == 2
    assert system.reserved("F") == 0
    assert system.command("verify").startswith("clean: ")


def limit_files(pid: int, octets: int) -> None:
    """No file of this process may grow beyond: what it writes there fails as on a full disk."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (octets, hard))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="this system has no prlimit")
def test_full_disk_is_refused_with_3004_and_nothing_is_lost(system: System, gateway: Gateway) -> None:
    session = begun(gateway)
    file = next((system.data_dir / "appendonlydir").glob("*.incr.aof"))
    first, full = system.store.pid, file.stat().st_size + 100
    limit_files(system.process.pid, full)  # for the stores that it will start
    limit_files(first, full)
    update = gateway.credit(session, UPDATE, 1, service(10, requested(), used(total=USED)))
    assert gateway.ask(update).result in UNABLE_TO_DELIVER
    wait_until(lambda: not is_alive(first), "end of the store that could not write")
    assert gateway.ask(retransmitted(update)).result in UNABLE_TO_DELIVER
    limit_files(system.process.pid, resource.RLIM_INFINITY)
    wait_until(lambda: has_room(system, first), "a store with room")
    settled(system, gateway, session, update)


def has_room(system: System, first: int) -> bool:
    """Whether a store runs that was started again; one that was started on the full disk gets room too."""
    address = find_store(system.data_dir)
    if address is None or address.pid in {0, first}:
        return False
    limit_files(address.pid, resource.RLIM_INFINITY)
    return True


def test_full_memory_is_refused_with_3004_and_nothing_is_lost(system: System, gateway: Gateway) -> None:
    session = begun(gateway)
    store = system.client._redis
    store.config_set("maxmemory", 1)
    update = gateway.credit(session, UPDATE, 1, service(10, requested(), used(total=USED)))
    assert gateway.ask(update).result in UNABLE_TO_DELIVER
    assert len(system.debits("F")) == 0
    store.config_set("maxmemory", 0)
    settled(system, gateway, session, update)
