"""Work of the kind ``adoption``: a service that is in the network already is recorded, and nothing is sent.

What the service wants must stand there. An entry that holds more than the service wants is not its alone: it counts as
having been there before, and stays when the service goes.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from sqlalchemy import Connection

from ocs.limits import ADOPTION_DIFFERENCES_TOLD
from ocs.provisioning.configuration import (
    Configuration,
    ConfigurationDiff,
    changed,
    diff_lines,
    difference,
    entries_above,
    restricted,
)
from ocs.provisioning.services.planner import ServiceOrder, ServicePlanner, encode_order
from ocs.provisioning.transactions.planner import WorkRefusedError
from ocs.provisioning.transactions.record import Plan, Work

KIND: Final = "adoption"


class AdoptionWork(msgspec.Struct, frozen=True):
    """The payload.

    Attributes:
        order: to create the service. standing: element -> what it runs at, and in, what the service wants.
    """

    order: ServiceOrder
    standing: dict[str, dict[str, str | None]]

    def work(self) -> Work:
        """As a transaction has it."""
        return Work(KIND, msgspec.msgpack.encode(self))


class AdoptionEffects(msgspec.Struct, frozen=True):
    """What is recorded: what the planner of services records, and what was there before the service."""

    effects: bytes
    before: dict[str, dict[str, str | None]]


_decode_work: Final = msgspec.msgpack.Decoder(AdoptionWork).decode
_decode_effects: Final = msgspec.msgpack.Decoder(AdoptionEffects).decode


def missing(forward: ConfigurationDiff, standing: Configuration) -> ConfigurationDiff:
    """What an element lacks of what a service wants; empty: the service can be adopted there."""
    there = restricted(standing, forward.paths)
    return difference(there, changed(there, forward))


def shared_entries(forward: ConfigurationDiff, standing: Configuration) -> dict[str, str | None]:
    """The entries that hold more than the service wants."""
    more = {above for path in standing if path not in forward.set for above in entries_above(path)}
    return {path: None for path, value in forward.set.items() if value is None and path in more}


class AdoptionPlanner:
    """See :class:`~ocs.provisioning.transactions.planner.Planner`.

    Args:
        services: who knows what a service wants.
    """

    def __init__(self, services: ServicePlanner) -> None:
        self._services = services

    def plan(self, connection: Connection, payload: bytes) -> Plan:
        """Nothing for the elements; what is recorded.

        Raises:
            WorkRefusedError: the service cannot be, or an element differs from what it wants; names the first lines.
        """
        work = _decode_work(payload)
        planned = self._services.plan(connection, encode_order(work.order))
        before: dict[str, dict[str, str | None]] = {}
        lines: list[str] = []
        for plan in planned.elements:
            standing = work.standing.get(plan.element, {})
            lacking = missing(plan.forward, standing)
            lines += [f"{plan.element}: {line}" for line in diff_lines(standing, lacking)]
            before[plan.element] = shared_entries(plan.forward, standing)
        if lines:
            more = len(lines) - ADOPTION_DIFFERENCES_TOLD
            told = "; ".join(lines[:ADOPTION_DIFFERENCES_TOLD])
            raise WorkRefusedError(
                f"the network differs from what the service wants: {told}{f'; and {more} more' if more > 0 else ''}"
            )
        return Plan((), msgspec.msgpack.encode(AdoptionEffects(planned.effects, before)))

    def record(
        self, connection: Connection, effects: bytes, before: Mapping[str, Configuration], now_ms: int
    ) -> None:
        """The service, and what it owns."""
        del before  # no element took part
        decided = _decode_effects(effects)
        self._services.record(connection, decided.effects, decided.before, now_ms)

    def refuse(self, connection: Connection, payload: bytes, reason: str, now_ms: int) -> None:
        """Give back what was reserved."""
        self._services.refuse(connection, encode_order(_decode_work(payload).order), reason, now_ms)
