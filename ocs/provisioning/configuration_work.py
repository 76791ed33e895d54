"""Work of the kind ``configuration``: a change of some elements as somebody wrote it down, past the service models.

What a service owns is the service's: a change that would take it away or give it another value is refused, unless who
asks says that he means it. A value that services own anyway may be sent again: that repairs drift.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, or_, select

from ocs.inventory.statements import in_batches
from ocs.provisioning.configuration import Configuration, ConfigurationDiff, is_within
from ocs.provisioning.transactions.planner import WorkRefusedError
from ocs.provisioning.transactions.record import ElementPlan, Plan, Work
from ocs.provisioning.transactions.tables import OWNER

KIND: Final = "configuration"


class ConfigurationWork(msgspec.Struct, frozen=True, omit_defaults=True):
    """The payload.

    Attributes:
        changes: element -> change. expected: element -> values that must stand there beforehand.
        is_forced: also what services own is changed; their record stays as it is, so it is drift from then on.
    """

    changes: dict[str, ConfigurationDiff]
    expected: dict[str, dict[str, str | None]] = {}
    is_forced: bool = False

    def work(self) -> Work:
        """As a transaction has it."""
        return Work(KIND, msgspec.msgpack.encode(self))


def read_configuration_work(payload: bytes) -> ConfigurationWork:
    """The work of a transaction of this kind."""
    return msgspec.msgpack.decode(payload, type=ConfigurationWork)


class ConfigurationPlanner:
    """See :class:`~ocs.provisioning.transactions.planner.Planner`; there is nothing to record but the change itself."""

    def plan(self, connection: Connection, payload: bytes) -> Plan:
        """What was written down, less elements of which nothing was said.

        Raises:
            WorkRefusedError: a service owns something of it; names both.
        """
        work = read_configuration_work(payload)
        for element, diff in work.changes.items():
            if not work.is_forced:
                _refuse_owned(connection, element, diff)
        return Plan(
            tuple(
                ElementPlan(element, diff, work.expected.get(element, {}))
                for element, diff in sorted(work.changes.items())
                if diff
            )
        )

    def record(
        self, connection: Connection, effects: bytes, before: Mapping[str, Configuration], now_ms: int
    ) -> None:
        """Nothing: the journal has the change."""

    def refuse(self, connection: Connection, payload: bytes, reason: str, now_ms: int) -> None:
        """Nothing: the journal has the reason."""


def owned_values(
    connection: Connection, element: str, diff: ConfigurationDiff
) -> dict[str, dict[str, str | None]]:
    """What services own of what a change touches: path -> service -> value."""
    found: dict[str, dict[str, str | None]] = {}
    for batch in in_batches(diff.paths):
        _collect(found, connection, element, OWNER.c.path.in_(batch))
    for path in diff.removed:
        below = or_(
            OWNER.c.path.startswith(f"{path}/", autoescape=True),
            OWNER.c.path.startswith(f"{path}[", autoescape=True),
        )
        _collect(found, connection, element, below)
    return found


def _collect(
    found: dict[str, dict[str, str | None]], connection: Connection, element: str, which: Any
) -> None:
    rows = connection.execute(
        select(OWNER.c.path, OWNER.c.service_id, OWNER.c.value).where(OWNER.c.element == element, which)
    )
    for path, service, value in rows:
        found.setdefault(path, {})[service] = value


def _refuse_owned(connection: Connection, element: str, diff: ConfigurationDiff) -> None:
    for path, owners in sorted(owned_values(connection, element, diff).items()):
        service, value = min(owners.items())
        if any(is_within(path, gone) for gone in diff.removed):
            raise WorkRefusedError(f"{element}: {path} is owned by {service}, and would be removed")
        if path in diff.set and diff.set[path] != value:
            raise WorkRefusedError(
                f"{element}: {path}: {service} owns it with the value {value}, not {diff.set[path]}"
            )
