"""History and notices have a process of their own: what fails there never touches an alarm.

Covers ``followers_process`` too.
"""

import contextlib
import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
import trio

from bench.processes import family
from ocs.faults.store import keys
from tests.endtoend.alarm_list import COMMUNITY, alarm, taking_traps, trap_port
from tests.endtoend.lab import System, running, wait_until
from tests.support import net_snmp
from tests.support.net_snmp import LINK_DOWN, needs_net_snmp

pytestmark = [needs_net_snmp, pytest.mark.bounded(120)]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the history is to be; its folder is not there yet."""
    return tmp_path / "sql" / "ocs.db"


@pytest.fixture
def system(tmp_path: Path, database: Path) -> Iterator[System]:
    with running(tmp_path / "data", **taking_traps(tmp_path, OCS_SQL__URL=f"sqlite:///{database}")) as system:
        yield system


def inform(system: System, folder: Path, index: int) -> None:
    entry = "1.3.6.1.2.1.2.2.1"
    varbinds = [f"{entry}.1.{index}", "i", str(index), f"{entry}.8.{index}", "i", "2"]
    who = ["-v2c", "-c", COMMUNITY, f"127.0.0.1:{trap_port(system)}"]
    done = trio.run(net_snmp.run, folder, "snmpinform", *who, str(1_000 + index), LINK_DOWN, *varbinds)
    assert done.returncode == 0, done.stderr


def followers_pid(system: System) -> int | None:
    below = family(system.process.pid).values()
    return next((use.pid for use in below if "ocs followers" in use.name), None)


def raised_in_history(database: Path) -> set[str]:
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            rows = connection.execute("select resource from alarm_change where kind = 'raised'").fetchall()
    except sqlite3.OperationalError:
        return set()
    return {resource for (resource,) in rows}


def test_alarms_go_on_without_history_and_its_process_and_it_has_everything_afterwards(
    system: System, tmp_path: Path, database: Path
) -> None:
    inform(system, tmp_path, 1)
    assert alarm(system, "127.0.0.1/if/1")
    with urlopen(f"http://{system.listeners['http']}/readyz", timeout=30) as answer:
        checks = {check["name"]: check["ok"] for check in json.load(answer)["checks"]}
    assert checks["followers"]
    assert checks["network"]
    # What it will write is kept for it.
    wait_until(lambda: system.client._redis.xinfo_groups(keys.CHANGES), "a group of readers")

    database.parent.mkdir()
    wait_until(lambda: raised_in_history(database) == {"127.0.0.1/if/1"}, "history of the first alarm")

    before = followers_pid(system)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    inform(system, tmp_path, 2)
    everything = {"127.0.0.1/if/1", "127.0.0.1/if/2"}
    wait_until(lambda: raised_in_history(database) == everything, "history of both alarms")
    assert followers_pid(system) not in {before, None}
    with urlopen(f"http://{system.listeners['http']}/metrics", timeout=30) as answer:
        assert 'ocs_process_cpu_seconds{process="followers"}' in answer.read().decode()
