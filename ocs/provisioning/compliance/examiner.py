"""Looks at one element: compares what it runs with what services want, records what differs, and acts on it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import msgspec
import trio
from sqlalchemy import Connection

from ocs.clock import Clock
from ocs.faults.alarm import AlarmSignal
from ocs.limits import DRIFT_ATTEMPTS_MAX, DRIFT_BUSY_WAIT_S
from ocs.log import get_logger
from ocs.metrics import Counter
from ocs.provisioning.compliance import record
from ocs.provisioning.compliance.backups import store_backup
from ocs.provisioning.compliance.drift import (
    FOREIGN_SECRET,
    Finding,
    OwnedConfiguration,
    compare,
    concealed,
    is_readable,
)
from ocs.provisioning.compliance.drift_alarm import DriftStory, drift_signal
from ocs.provisioning.compliance.drift_policy import DriftAction, DriftRule, decide
from ocs.provisioning.compliance.record import Drift, Standing
from ocs.provisioning.compliance.reverting import BY_POLICY, TooManyRevertsError, queue_revert
from ocs.provisioning.configuration import Configuration, ConfigurationDiff
from ocs.provisioning.driver import ElementSession, ElementSessions
from ocs.provisioning.element import Element
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.sql import Database

log = get_logger(__name__)

_LOOKS: Final = Counter(
    "ocs_configuration_looks_total", "Comparisons of elements with what services want.", ("outcome",)
)
_FINDINGS: Final = Counter(
    "ocs_configuration_drift_total", "Paths that were found to differ from what services want.", ("action",)
)


class Compliance(NamedTuple):
    """What elements are looked at with.

    Attributes:
        rules: the policy for drift. tell: tells the alarm list; what it raises is tried again with the next look.
        wake: is called when a revert was queued. unavailable: what ``tell`` raises when the list cannot be reached.
    """

    database: Database
    sessions: ElementSessions
    clock: Clock
    rules: Sequence[DriftRule] = ()
    tell: Callable[[AlarmSignal], Awaitable[None]] | None = None
    wake: Callable[[], None] = lambda: None
    unavailable: tuple[type[Exception], ...] = ()


class Look(NamedTuple):
    """What a look has found.

    Attributes:
        drifts: all that is recorded of the element now. is_whole: everything was read. revert: the transaction that is
            to revert it, if the policy says so. backup: the version that was stored; 0: nothing new.
        was_put_off: a transaction holds the element: look later.
    """

    drifts: Sequence[Drift] = ()
    is_whole: bool = False
    revert: str = ""
    backup: int = 0
    was_put_off: bool = False


class _Seen(NamedTuple):
    """What an element ran, of which part (None: all), in whose hands the record was then."""

    standing: Standing
    owned: OwnedConfiguration
    running: dict[str, str | None]
    native: str
    scope: tuple[str, ...] | None


class Examiner:
    """Looks at elements, each look on a session of its own. May be used by many tasks at once, one for each element."""

    def __init__(self, means: Compliance) -> None:
        self._means = means
        self._database = means.database

    async def look(
        self, element: Element, paths: Sequence[str] | None = None, *, who: str = "", cause: str = "in turn"
    ) -> Look:
        """Compare an element with the record, and do what the policy says.

        Args:
            paths: what was changed: only what services own there is compared. None: everything, and the configuration
                is backed up when it has changed. who, cause: for the record and the backup's.

        Raises:
            ElementError: it cannot be read now; that is recorded. SqlError: the database is away.
        """
        try:
            look = await self._look(element, paths, who, cause)
        except ElementError as error:
            _LOOKS.inc(error.fault.value)
            trouble = str(error)
            await self._database.write(
                lambda connection: record.write_look(connection, element.name, trouble=trouble)
            )
            raise
        _LOOKS.inc("put-off" if look.was_put_off else "drift" if look.drifts else "equal")
        if not look.was_put_off:
            await self._tell(element, look)
        return look

    async def outdated(self) -> list[str]:
        """Elements whose alarm stands although nothing of them differs: somebody has accepted what did. Look again.

        Raises:
            SqlError: the database is away.
        """
        return await self._database.read(record.outdated)

    async def _look(self, element: Element, paths: Sequence[str] | None, who: str, cause: str) -> Look:
        scope = None if paths is None else tuple(paths)
        for _ in range(DRIFT_ATTEMPTS_MAX):
            standing, owned = await self._database.read(
                lambda connection, scope=scope: (
                    record.read_standing(connection, element.name),
                    record.read_owned(connection, element.name, scope),
                )
            )
            if standing.is_held:
                await trio.sleep(DRIFT_BUSY_WAIT_S)
                continue
            if scope is not None and not is_readable(scope, owned):
                scope = None
                continue
            if scope is not None and not owned.values:
                drifts = await self._database.read(
                    lambda connection: record.read_drift(connection, element.name)
                )
                return Look(drifts)
            try:
                async with self._means.sessions.session(element) as session:
                    seen = await _see(session, standing, owned, scope)
            except ElementError as error:
                if scope is None or error.fault is not ElementFault.UNSUPPORTED:
                    raise
                scope = None  # it names what we cannot read by itself
                continue
            look = await self._database.write(
                lambda connection, seen=seen: self._settle(connection, element.name, seen, who, cause)
            )
            if look is not None:
                if look.revert:
                    self._means.wake()
                return look
        return Look(was_put_off=True)

    def _settle(self, connection: Connection, element: str, seen: _Seen, who: str, cause: str) -> Look | None:
        """Record what was seen; None when a transaction came between: it says nothing then."""
        if record.read_standing(connection, element) != seen.standing:
            return None
        now_ms = self._means.clock.now_ms()
        known = {drift.finding.path: drift for drift in record.read_drift(connection, element)}
        found = record.with_owners(connection, element, compare(seen.owned, seen.running, seen.scope))
        drifts = [self._judged(element, finding, known, who, now_ms) for finding in found]
        accepted = [drift.finding for drift in drifts if drift.action is DriftAction.ACCEPT]
        if accepted:
            record.accept(connection, element, accepted)
            log.info("drift_accepted", element=element, paths=[finding.path for finding in accepted], who=who)
        record.write_drift(
            connection, element, [one for one in drifts if one.action is not DriftAction.ACCEPT], seen.scope
        )
        standing = record.read_drift(connection, element)
        backup = 0
        if seen.scope is None:
            record.write_look(connection, element, looked_ms=now_ms, trouble="")
            backup = store_backup(connection, element, seen.running, seen.native, cause=cause, now_ms=now_ms)
        return Look(standing, seen.scope is None, self._revert(connection, element, standing, now_ms), backup)

    def _judged(
        self, element: str, finding: Finding, known: dict[str, Drift], who: str, now_ms: int
    ) -> Drift:
        action = decide(self._means.rules, element, finding.path, finding.owners)
        if action is DriftAction.ACCEPT and finding.found == FOREIGN_SECRET:
            action = (
                DriftAction.ALARM
            )  # what nobody may know cannot be recorded, and any other would be equal to it
        before = known.get(finding.path)
        if before is not None and before.finding == finding:
            return msgspec.structs.replace(before, action=action)
        _FINDINGS.inc(action.value)
        log.warning("drift_found", element=element, lines=finding.lines, owners=finding.owners, who=who)
        return Drift(element, finding, now_ms, who, action)

    def _revert(self, connection: Connection, element: str, drifts: Sequence[Drift], now_ms: int) -> str:
        findings = [drift.finding for drift in drifts if drift.action is DriftAction.REVERT]
        if not findings:
            return ""
        try:
            return queue_revert(connection, element, findings, requested_by=BY_POLICY, now_ms=now_ms)
        except TooManyRevertsError as error:
            log.warning("drift_not_reverted", element=element, reason=str(error))
            return ""

    # --- The alarm --------------------------------------------------------------------------------------

    async def _tell(self, element: Element, look: Look) -> None:
        """Tell the alarm list, if it was told something else last; again with the next look, if it is away."""
        if self._means.tell is None:
            return
        story = DriftStory([drift.finding for drift in look.drifts], _remark(look.drifts))
        known = await self._database.read(lambda connection: record.read_look(connection, element.name))
        if known.told == story.text:
            return
        signal = drift_signal(element.name, element.address, story, self._means.clock.now_ms())
        try:
            await self._means.tell(signal)
        except self._means.unavailable as error:
            log.warning("drift_alarm_late", element=element.name, reason=str(error))
            return
        await self._database.write(
            lambda connection: record.write_look(connection, element.name, told=story.text)
        )


async def _see(
    session: ElementSession, standing: Standing, owned: OwnedConfiguration, scope: tuple[str, ...] | None
) -> _Seen:
    read: Configuration = await session.read(() if scope is None else scope)
    running = concealed(read, owned)
    native = session.native(ConfigurationDiff(running)) if scope is None else ""
    return _Seen(standing, owned, running, native, scope)


def _remark(drifts: Sequence[Drift]) -> str:
    who = sorted({drift.who for drift in drifts if drift.who})
    reverted = any(drift.action is DriftAction.REVERT for drift in drifts)
    return "; ".join(
        [*([f"changed by {', '.join(who[:3])}"] if who else []), *(["to be reverted"] if reverted else [])]
    )
