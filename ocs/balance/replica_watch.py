"""Looks again and again whether the replicas cover what is acknowledged under ``replicated``, and tells when not."""

from collections.abc import Callable
from typing import Final

import redis
import structlog
import trio

from ocs.balance.replicas import REMEDY_MISSING, REMEDY_UNCOVERABLE, ReplicaReport, check_replicas
from ocs.balance.store_address import StoreAddress
from ocs.balance.store_admin import StoreRefusedError, connect, explain
from ocs.limits import REPLICA_WATCH_INTERVAL_S
from ocs.metrics import Gauge
from ocs.settings import StoreSettings

log = structlog.get_logger()

# Both are 0 where nobody watches, and the worst of what workers see counts.
_MISSING: Final = Gauge(
    "ocs_store_replicas_missing", "Replicas that the primary with the fewest lacks for a write.", merge="max"
)
_NOT_COVERED: Final = Gauge(
    "ocs_store_not_covered", "1 while what is acknowledged may be missing after a promotion.", merge="max"
)


def watched_by(address: StoreAddress, settings: StoreSettings) -> "ReplicaWatch":
    """A watch over a store's replicas."""

    def check() -> ReplicaReport:
        client = connect(address)
        try:
            return check_replicas(client, settings)
        except redis.RedisError as error:
            raise explain(address, error) from None
        finally:
            client.close()

    return ReplicaWatch(check)


class ReplicaWatch:
    """Checks every few seconds, and at once when it is told that the topology changed.

    Args:
        check: looks; blocks; raises StoreRefusedError when it cannot.
    """

    def __init__(self, check: Callable[[], ReplicaReport]) -> None:
        self._check = check
        self._wake = trio.Event()
        self._told = ""
        self._faults: tuple[str, ...] = ()

    def look_now(self) -> None:
        """The topology changed: do not wait for the next time."""
        self._wake.set()

    async def run(self) -> None:
        """Watch for ever. Cancellation leaves nothing behind."""
        while True:
            self._wake = trio.Event()
            await self._look()
            with trio.move_on_after(REPLICA_WATCH_INTERVAL_S):
                await self._wake.wait()

    async def _look(self) -> None:
        try:
            report = await trio.to_thread.run_sync(self._check, abandon_on_cancel=True)
        except StoreRefusedError as error:
            _NOT_COVERED.set(1)
            self._tell(str(error), "see why the store cannot be asked")
            return
        _MISSING.set(max(0, report.wanted - report.connected))
        _NOT_COVERED.set(int(not report.is_covered))
        self._tell(
            report.uncoverable or report.missing,
            REMEDY_UNCOVERABLE if report.uncoverable else REMEDY_MISSING,
        )
        if report.faults != self._faults:
            self._faults = report.faults
            for fault in report.faults:
                log.error("store_replica_unsafe", reason=fault, remedy="set the replica up as its primary is")

    def _tell(self, reason: str, remedy: str) -> None:
        """Say it once: when it begins, when its reason changes, when it ends."""
        if reason == self._told:
            return
        self._told = reason
        if reason:
            log.error("store_not_covered", reason=reason, remedy=remedy)
        else:
            log.info("store_covered")
