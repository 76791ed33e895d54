"""Gateways that keep sending while something happens to the system, and what their books say afterwards."""

from itertools import count
from typing import Self

from bench.accounts import audit_accounts, create_accounts
from bench.load import LoadGenerator
from bench.pump import PhaseResult
from bench.templates import LoadPlan
from tests.endtoend.lab import System, wait_until

_runs = count(1_000)


class Traffic:
    """Gateways that keep sending: they follow DPR, reconnect, and send again what was not answered.

    It sends from entering its block until :meth:`settle`.
    """

    def __init__(
        self, system: System, *, connections: int = 4, accounts: int = 40, in_flight: int = 8
    ) -> None:
        host, port = system.address
        self._system = system
        self._in_flight = in_flight
        run = next(_runs)
        self.plan = LoadPlan(
            host=host,
            port=port,
            run=run,
            accounts=accounts,
            connections=connections,
            # Accounts of its own: another's use would be in the same books.
            msisdn_from=491_730_000_000 + run * 10_000,
            imsi_from=262_020_000_000_000 + run * 10_000,
            answer_timeout_s=5.0,
        )
        create_accounts(system.data_dir, self.plan, accounts)
        self.generator = LoadGenerator(self.plan)

    def __enter__(self) -> Self:
        self.generator.__enter__()
        assert self.generator.open_sessions().results == {2001: self.plan.accounts}
        self.generator.start(in_flight=self._in_flight)
        return self

    def __exit__(self, *_: object) -> None:
        self.generator.close()

    def advance(self, answers: int = 50) -> None:
        """Wait for so many more answers."""
        goal = self.generator.progress() + answers
        wait_until(lambda: self.generator.progress() >= goal, "more answers")

    def settle(self) -> PhaseResult:
        """End all sessions; the books of both sides must agree to the unit. Returns what became of the updates."""
        updates = self.generator.stop(drain_s=60.0)
        closing = self.generator.close_sessions(drain_s=60.0)
        tally = self.generator.tally()
        assert updates.unanswered == closing.unanswered == 0
        assert sum(tally.refused_octets) == sum(tally.unanswered_octets) == 0
        assert sum(tally.acknowledged_octets) > 0
        assert audit_accounts(self._system.data_dir, self.plan, tally.acknowledged_octets) == []
        return updates
