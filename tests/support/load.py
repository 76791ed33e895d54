"""Load on a real system while it suffers, and the comparison of the three books in the end.

The generator sends again what was not answered, with the T flag, as gateways do.
"""

import itertools
from typing import Self

from bench.accounts import audit_accounts, create_accounts
from bench.load import LoadGenerator
from bench.pump import PhaseResult
from bench.templates import LoadPlan
from tests.endtoend.lab import System, wait_until

ACCOUNTS = 500
IN_FLIGHT = 32
BETWEEN_FAULTS = 500
_runs = itertools.count(1)


class Load:
    """A generator at work on a system, and the comparison of the three books in the end."""

    def __init__(self, system: System, standby: System | None = None) -> None:
        host, port = system.address
        self._system = system
        self.plan = LoadPlan(
            host=host,
            port=port,
            run=next(_runs),
            accounts=ACCOUNTS,
            answer_timeout_s=5.0,
            standby_port=standby.address[1] if standby else 0,
        )
        create_accounts(system.data_dir, self.plan, ACCOUNTS, system.store_url)
        self.generator = LoadGenerator(self.plan)

    def __enter__(self) -> Self:
        self.generator.__enter__()
        assert self.generator.open_sessions(in_flight=IN_FLIGHT).results[2001] == ACCOUNTS
        self.generator.start(in_flight=IN_FLIGHT)
        return self

    def __exit__(self, *_: object) -> None:
        self.generator.close()

    def advance(self) -> None:
        """Wait for so many more answers."""
        goal = self.generator.progress() + BETWEEN_FAULTS
        wait_until(lambda: self.generator.progress() >= goal, f"{BETWEEN_FAULTS} more answers")

    def settle_books(self, at: System | None = None) -> PhaseResult:
        """Stop, close all sessions, and compare the generator's tally with balances and streams, to the unit.

        Args:
            at: the system that is left, when it is not the one that load began on.
        """
        system = at or self._system
        updates = self.generator.stop(drain_s=60.0)
        closing = self.generator.close_sessions(in_flight=IN_FLIGHT, drain_s=60.0)
        tally = self.generator.tally()
        assert set(updates.results) <= {2001, 3002, 3004}
        assert updates.unanswered == closing.unanswered == 0
        assert sum(tally.refused_octets) == sum(tally.unanswered_octets) == 0
        assert sum(tally.acknowledged_octets) > 0
        octets = tally.acknowledged_octets
        assert audit_accounts(system.data_dir, self.plan, octets, system.store_url) == []
        return updates

    def verify(self, at: System | None = None) -> None:
        """`ocs verify` finds nothing."""
        (at or self._system).command("verify")
