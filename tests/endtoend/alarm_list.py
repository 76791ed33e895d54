"""The alarm list of a running system as its store holds it, and what makes a system take traps."""

import json
import os
import signal
from pathlib import Path

from bench.processes import ProcessUse, family
from ocs.faults.alarm import Alarm
from ocs.faults.store import keys
from ocs.faults.store.batch import decode_alarm
from tests.endtoend.lab import System, wait_until
from tests.support.net_snmp import PASSWORD, PRIVACY_PASSWORD, Protection

COMMUNITY = "public"


def taking_traps(folder: Path, *users: Protection, **more: str) -> dict[str, str]:
    """Settings of a system that takes traps of one community and of these users; their secrets lie in ``folder``."""

    def secret(name: str, text: str) -> str:
        path = folder / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    authentication, privacy = secret("authentication", PASSWORD), secret("privacy", PRIVACY_PASSWORD)
    entries = [
        {
            "name": user.user_name,
            "authentication": user.authentication,
            "authentication_file": authentication if user.level > 1 else "",
            "privacy": user.privacy,
            "privacy_file": privacy if user.level > 2 else "",
        }
        for user in users
    ]
    return {
        "OCS_SNMP__PORT": "0",
        "OCS_SNMP__COMMUNITIES_FILE": secret("communities", COMMUNITY),
        "OCS_SNMP__USERS": json.dumps(entries),
        **more,
    }


def trap_port(system: System) -> int:
    return int(system.listeners["snmp"].rpartition(":")[2])


def alarms(system: System) -> dict[tuple[str, str], Alarm]:
    """Every alarm by its resource and type; qualifiers are not told apart."""
    found = map(decode_alarm, system.client._redis.hvals(keys.LIST))
    return {(alarm.key.resource, alarm.key.alarm_type): alarm for alarm in found}


def alarm(system: System, resource: str, alarm_type: str = "link-down") -> Alarm:
    """One alarm, once it is in the list."""
    return wait_until(lambda: alarms(system).get((resource, alarm_type)), f"{alarm_type} of {resource}")


def network_process(system: System) -> ProcessUse:
    """The process that takes traps."""

    def found() -> ProcessUse | None:
        below = family(system.process.pid).values()
        return next((use for use in below if "ocs network" in use.name), None)

    return wait_until(found, "a network process")


def kill_network_process(system: System) -> None:
    """SIGKILL; `ocs up` starts another."""
    os.kill(network_process(system).pid, signal.SIGKILL)
