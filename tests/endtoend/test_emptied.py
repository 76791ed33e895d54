"""The store is emptied under open sessions: nobody is told that he is unknown, and nothing is made of the rest."""

import os
import signal
from pathlib import Path

from tests.endtoend.lab import System, running, wait_until
from tests.endtoend.wire import (
    INITIAL,
    UPDATE,
    Gateway,
    new_session,
    requested,
    service,
    subscription,
    used,
)
from tests.endtoend.wireshark import Capture

NUMBER = "4915300000002"


def lines_of(system: System, event: str) -> list[dict[str, object]]:
    return [line for line in system.log_lines() if line["event"] == event]


def test_emptied_store_is_3004_to_old_and_new_sessions_also_after_a_worker_was_started_again(
    tmp_path: Path,
) -> None:
    with running(tmp_path / "data") as system:
        system.open_account("E", f"e164:{NUMBER}")
        with Gateway(system.address, Capture()).opened() as gateway:
            who = (subscription(0, NUMBER),)
            session = new_session()
            asked = service(10, requested())
            assert gateway.ask(gateway.credit(session, INITIAL, 0, asked, subscriptions=who)).result == 2001
            store = system.client._redis
            store.flushall()
            update = gateway.credit(session, UPDATE, 1, service(10, requested(), used(total=1)))
            assert gateway.ask(update).result == 3004
            # Known here, known to nobody, and a session whose number is not said.
            for subscriptions in (who, (subscription(0, "4900000000000"),)):
                fresh = gateway.credit(new_session(), INITIAL, 0, asked, subscriptions=subscriptions)
                assert gateway.ask(fresh).result == 3004
            unknown = gateway.credit(new_session(), UPDATE, 1, service(10, requested(), used(total=1)))
            assert gateway.ask(unknown).result == 3004
        assert store.exists("meta") == 0
        assert len(lines_of(system, "store_is_empty")) == len(system.workers())
        (worker, *_) = system.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: lines_of(system, "process_not_restarted"), "a worker that does not come up")
        assert store.exists("meta") == 0
        assert not system.tracebacks()
