"""`ocs up` over time: what the business side has acknowledged goes, and the books can still be audited."""

from pathlib import Path

from ocs.balance import keys
from ocs.balance.checkpoints import decode_checkpoint
from ocs.events import BILLING_GROUP
from tests.endtoend.lab import System, running, wait_until
from tests.endtoend.wire import (
    INITIAL,
    TERMINATION,
    Gateway,
    new_session,
    requested,
    service,
    subscription,
    used,
)
from tests.endtoend.wireshark import Capture

NUMBER = "4915300000002"


def charged(system: System) -> None:
    """One session from its beginning to its end."""
    session, who = new_session(), (subscription(0, NUMBER),)
    with Gateway(system.address, Capture()).opened() as gateway:
        for request in (
            gateway.credit(session, INITIAL, 0, service(10, requested()), subscriptions=who),
            gateway.credit(session, TERMINATION, 1, service(10, used(total=20_000))),
        ):
            assert gateway.ask(request).result == 2001


def test_running_system_trims_what_the_business_side_has_acknowledged(tmp_path: Path) -> None:
    with running(tmp_path / "data") as system:
        system.open_account("L", f"e164:{NUMBER}")
        charged(system)
        partition = system.client.partition_of("L")
        store, stream = system.client._redis, keys.events_key(partition)
        store.xgroup_create(stream, BILLING_GROUP, "0")
        ((_, entries),) = store.xreadgroup(BILLING_GROUP, "bss", {stream: ">"})
        store.xack(stream, BILLING_GROUP, entries[0][0])
        wait_until(lambda: store.xlen(stream) == 1, "trim of what was acknowledged")
        checkpoint = decode_checkpoint(store.hget(keys.checkpoints_key(partition), "L"))
        assert checkpoint.sequence == 1
        assert [event.sequence for event in system.client.events("L")] == [2]
        charged(system)
        assert [event.sequence for event in system.client.events("L")] == [2, 3]
        assert system.command("verify").startswith("clean: ")
