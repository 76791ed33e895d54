"""One element that services own something of, a record in a real database, and an alarm list that remembers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import trio
from sqlalchemy import delete, insert, select

from ocs.clock import Clock
from ocs.faults.alarm import AlarmSignal
from ocs.provisioning.compliance import record
from ocs.provisioning.compliance.drift_policy import DriftAction, DriftRule
from ocs.provisioning.compliance.examiner import Compliance, Examiner
from ocs.provisioning.compliance.record import Drift
from ocs.provisioning.configuration_work import KIND, ConfigurationPlanner
from ocs.provisioning.services.ownership import complete
from ocs.provisioning.transactions.means import Means
from ocs.provisioning.transactions.tables import ORIGINAL, OWNER, TRANSACTION
from ocs.sql import Database

REVERT = (DriftRule(action=DriftAction.REVERT),)
ACCEPT = (DriftRule(action=DriftAction.ACCEPT),)
SERVICE = "vpn-1"


class AlarmListAwayError(Exception):
    """The alarm list cannot be reached."""


class DriftLab:
    """What a comparison is made with.

    Attributes:
        signals: what the alarm list was told. is_away: it cannot be told.
    """

    def __init__(self, database: Database, sessions: Any, clock: Clock) -> None:
        self.database = database
        self.sessions = sessions
        self.clock = clock
        self.signals: list[AlarmSignal] = []
        self.is_away = False
        self.woken = 0

    def compliance(
        self, rules: Sequence[DriftRule] = (), wake: Callable[[], None] | None = None
    ) -> Compliance:
        """What elements are looked at with."""

        def note() -> None:
            self.woken += 1
            if wake is not None:
                wake()

        return Compliance(
            self.database, self.sessions, self.clock, rules, self._tell, note, (AlarmListAwayError,)
        )

    def examiner(self, rules: Sequence[DriftRule] = ()) -> Examiner:
        """Looks at elements."""
        return Examiner(self.compliance(rules))

    def means(self, find: Any) -> Means:
        """What reverts are run with."""
        return Means(self.database, self.sessions, find, {KIND: ConfigurationPlanner()}, self.clock, 60)

    def own(
        self,
        element: str,
        configuration: Mapping[str, str | None],
        *,
        service: str = SERVICE,
        originals: Mapping[str, str | None] | None = None,
    ) -> None:
        """Have a service own something."""
        rows = [
            {"element": element, "path": path, "service_id": service, "value": value}
            for path, value in complete(configuration).items()
        ]

        def work(connection: Any) -> None:
            connection.execute(delete(OWNER).where(OWNER.c.element == element, OWNER.c.service_id == service))
            connection.execute(insert(OWNER), rows)
            for path, value in (originals or {}).items():
                connection.execute(insert(ORIGINAL).values(element=element, path=path, value=value))

        self.database.write_blocking(work)

    def owned(self, element: str) -> dict[str, str | None]:
        """Path -> value of what is owned."""
        return dict(
            self.database.read_blocking(lambda connection: record.read_owned(connection, element)).values
        )

    def drift(self, element: str = "") -> list[Drift]:
        """What is recorded."""
        return self.database.read_blocking(lambda connection: record.read_drift(connection, element))

    def transactions(self) -> list[tuple[str, str]]:
        """Id and state of all."""
        rows = self.database.read_blocking(
            lambda connection: connection.execute(
                select(TRANSACTION.c.transaction_id, TRANSACTION.c.state).order_by(TRANSACTION.c.created_ms)
            ).all()
        )
        return [(row.transaction_id, row.state) for row in rows]

    async def _tell(self, signal: AlarmSignal) -> None:
        await trio.lowlevel.checkpoint()
        if self.is_away:
            raise AlarmListAwayError("away")
        self.signals.append(signal)


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; bounded by the caller."""
    while not holds():
        await trio.sleep(0.01)


def copy_of(template: Path, folder: Path) -> Path:
    """A folder with a database that has our schema."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ocs.db").write_bytes((template / "ocs.db").read_bytes())
    return folder
