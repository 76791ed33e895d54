"""What is free is taken once, by whoever comes first, and comes back when it is not kept."""

import threading

import pytest
from sqlalchemy import Connection

from ocs.inventory.errors import ExhaustedError, InUseError, InventoryError, NotInInventoryError
from ocs.inventory.model import Kind, Lifecycle, Resource, Service, Use
from ocs.inventory.registry import add_resource
from ocs.inventory.reservations import (
    Reservation,
    find_reservation,
    keep,
    release,
    reservations_of,
    reserve_prefix,
    reserve_vlan,
    take_back_expired,
)
from ocs.inventory.resources import find_resource, get_resource
from ocs.inventory.services import record_service
from ocs.sql import Database

_POOL = "prefix/core/10.0.0.0/29"


@pytest.fixture
def pools(database: Database) -> Database:
    def fill(connection: Connection) -> None:
        add_resource(connection, Resource(resource_id="site/berlin", kind=Kind.SITE))
        add_resource(connection, Resource(resource_id=_POOL, kind=Kind.PREFIX))
        add_resource(connection, Resource(resource_id="prefix/core/2001:db8::/48", kind=Kind.PREFIX))

    database.write_blocking(fill)
    return database


def vlan(database: Database, holder: str, purpose: str = "vlan", **more: int) -> Reservation:
    return database.write_blocking(
        lambda connection: reserve_vlan(
            connection, "site/berlin", holder=holder, purpose=purpose, **{"expires_ms": 1_000, **more}
        )
    )


def prefix(database: Database, holder: str, length: int, pool: str = _POOL) -> Reservation:
    return database.write_blocking(
        lambda connection: reserve_prefix(connection, pool, length, holder=holder, expires_ms=1_000)
    )


def test_vlans_are_taken_from_the_lowest_and_again_for_the_same_purpose(pools: Database) -> None:
    assert vlan(pools, "a").resource_id == "vlan/berlin/1"
    assert vlan(pools, "b", first=100, last=101).resource_id == "vlan/berlin/100"
    assert vlan(pools, "a", expires_ms=2_000) == Reservation(
        resource_id="vlan/berlin/1", holder="a", purpose="vlan", expires_ms=2_000
    )
    assert vlan(pools, "a", "second").resource_id == "vlan/berlin/2"
    assert vlan(pools, "c", first=100, last=101).resource_id == "vlan/berlin/101"
    with pytest.raises(ExhaustedError, match="from 100 to 101 is taken"):
        vlan(pools, "d", first=100, last=101)
    with pytest.raises(InventoryError, match="1 to 4094"):
        vlan(pools, "d", first=0, last=5)


def test_addresses_leave_out_those_of_the_network_itself(pools: Database) -> None:
    taken = [prefix(pools, f"h{number}", 32).resource_id for number in range(6)]
    assert taken == [f"prefix/core/10.0.0.{host}/32" for host in range(1, 7)]
    with pytest.raises(ExhaustedError, match="length 32"):
        prefix(pools, "h7", 32)


def test_prefixes_of_several_lengths_never_meet(pools: Database) -> None:
    assert prefix(pools, "a", 32).resource_id == "prefix/core/10.0.0.1/32"
    assert prefix(pools, "b", 30).resource_id == "prefix/core/10.0.0.4/30"
    assert prefix(pools, "c", 31).resource_id == "prefix/core/10.0.0.2/31"
    with pytest.raises(ExhaustedError):
        prefix(pools, "d", 30)
    assert prefix(pools, "a", 64, "prefix/core/2001:db8::/48") == prefix(pools, "a", 32)
    assert prefix(pools, "e", 64, "prefix/core/2001:db8::/48").resource_id == "prefix/core/2001:db8::/64"


def test_nothing_is_taken_from_what_somebody_has_as_a_whole(pools: Database) -> None:
    whole = prefix(pools, "a", 30).resource_id
    with pytest.raises(InUseError, match="as a whole"):
        prefix(pools, "b", 32, whole)
    with pytest.raises(InventoryError, match="from 29 to 32"):
        prefix(pools, "b", 28)
    with pytest.raises(NotInInventoryError):
        prefix(pools, "b", 28, "prefix/core/192.0.2.0/24")


def test_reserved_is_planned_and_kept_is_built(pools: Database) -> None:
    name = vlan(pools, "a").resource_id
    get = lambda: pools.read_blocking(lambda connection: get_resource(connection, name)).lifecycle  # noqa: E731
    assert get() is Lifecycle.PLANNED
    with pytest.raises(InUseError, match="a has it, not b"):
        pools.write_blocking(lambda connection: keep(connection, name, "b"))
    for _ in range(2):
        pools.write_blocking(lambda connection: keep(connection, name, "a"))
    assert get() is Lifecycle.AS_BUILT
    assert pools.write_blocking(lambda connection: take_back_expired(connection, 10**15)) == []
    assert vlan(pools, "a").expires_ms is None


def test_expired_comes_back_and_is_taken_again(pools: Database) -> None:
    name = vlan(pools, "a").resource_id
    assert pools.write_blocking(lambda connection: take_back_expired(connection, 999)) == []
    (taken,) = pools.write_blocking(lambda connection: take_back_expired(connection, 1_000))
    assert (taken.resource_id, taken.holder) == (name, "a")
    assert pools.read_blocking(lambda connection: find_resource(connection, name)) is None
    assert vlan(pools, "b").resource_id == name
    with pytest.raises(InUseError):
        pools.write_blocking(lambda connection: keep(connection, name, "a"))


def test_what_a_service_uses_meanwhile_is_kept(pools: Database) -> None:
    name = vlan(pools, "a").resource_id
    service = Service(service_id="a", model="vpn")
    pools.write_blocking(lambda connection: record_service(connection, service, [Use(name)]))
    pools.write_blocking(lambda connection: take_back_expired(connection, 5_000))
    kept = pools.read_blocking(lambda connection: find_reservation(connection, name))
    assert kept is not None
    assert kept.expires_ms is None
    with pytest.raises(InUseError):
        pools.write_blocking(lambda connection: release(connection, name, "a"))


def test_released_is_gone_and_what_nobody_has_is_told(pools: Database) -> None:
    name = vlan(pools, "a").resource_id
    pools.write_blocking(lambda connection: release(connection, name, "a"))
    assert pools.read_blocking(lambda connection: reservations_of(connection, "a")) == []
    with pytest.raises(NotInInventoryError):
        pools.write_blocking(lambda connection: release(connection, name, "a"))
    with pytest.raises(NotInInventoryError, match="nobody has it"):
        pools.write_blocking(lambda connection: keep(connection, _POOL, "a"))


def test_many_at_once_never_get_the_same(pools: Database) -> None:
    taken: list[str] = []

    def take(holder: int) -> None:
        taken.append(vlan(pools, f"holder-{holder}").resource_id)
        taken.append(prefix(pools, f"holder-{holder}", 64, "prefix/core/2001:db8::/48").resource_id)

    threads = [threading.Thread(target=take, args=(holder,)) for holder in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(taken) == len(set(taken)) == 16
