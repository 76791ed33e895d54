"""Supervision (Tcc): closes, once, the sessions whose gateway has vanished, whichever worker sees it first."""

import trio

from ocs import limits
from ocs.balance.keys import parse_deadline_member
from ocs.balance.store import BalanceStore, Heartbeat, Unavailable
from ocs.charging.engine import Engine
from ocs.clock import Clock


class Supervisor:
    """Looks at the deadlines of every partition and hands what is due to the engine.

    Several workers may look at the same session: the commit lets one of them close it.
    """

    def __init__(self, engine: Engine, store: BalanceStore, clock: Clock, *, partitions: int) -> None:
        self._engine = engine
        self._store = store
        self._clock = clock
        self._partitions = partitions

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            self.sweep()
            await trio.sleep(limits.SWEEP_INTERVAL_S)

    def sweep(self) -> None:
        """Beat, then ask for what is due: without the store's time nothing is closed."""
        self._store.heartbeat(self._beaten)

    def _beaten(self, beat: Heartbeat | Unavailable) -> None:
        if isinstance(beat, Unavailable):
            return
        steady_ms = self._clock.steady_ms()
        self._engine.supervision.adjust(beat, steady_ms)
        until_ms = self._engine.supervision.at(steady_ms)
        for partition in range(self._partitions):
            self._store.due(partition, until_ms, limits.EXPIRIES_PER_SWEEP, self._due)

    def _due(self, members: tuple[str, ...] | Unavailable) -> None:
        if isinstance(members, Unavailable):
            return
        for member in members:
            account_id, session_id = parse_deadline_member(member)
            self._engine.expire(account_id, session_id)
