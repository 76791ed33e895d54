"""What everybody in a story shares: its chance, its time, its stores, its auditor, and the story as it is told."""

import hashlib
from dataclasses import dataclass, field
from random import Random

from ocs.clock import ManualClock
from ocs.subscribers.office import AccountChange
from tests.simulation.sites import Sites
from tests.support.auditor import Auditor

START_MS = 1_800_000_000_000  # nine in the morning in Berlin


@dataclass
class Scene:
    """Where a story plays.

    Attributes:
        trace: what was done, in words, to be printed when the story ends badly.
        changed: accounts whose gateways are to be asked something, and how they have changed.
    """

    random: Random
    clock: ManualClock
    sites: Sites
    auditor: Auditor
    trace: list[str] = field(default_factory=list[str])
    changed: dict[tuple[str, AccountChange], None] = field(
        default_factory=dict[tuple[str, AccountChange], None]
    )

    def note(self, *what: object) -> None:
        """Tell what is done."""
        self.trace.append(f"{self.clock.now_ms() - START_MS:>8} " + " ".join(str(part) for part in what))

    def account_changed(self, account_id: str, change: AccountChange) -> None:
        """What its sessions may get is another, for those who bring it to gateways."""
        self.changed[account_id, change] = None

    @property
    def digest(self) -> str:
        """Of the whole story: two runs of one seed have the same."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]
