"""The watch over elements' configurations, put together for the process that configures them."""

from collections.abc import Callable
from typing import NamedTuple

import trio

from ocs.clock import Clock
from ocs.faults.alarm import AlarmSignal
from ocs.faults.store.batch import AlarmStoreError
from ocs.faults.store.desk import AlarmDesk
from ocs.faults.store.desk_door import DeskDoor
from ocs.inventory.elements import list_elements
from ocs.provisioning.compliance.examiner import Compliance, Examiner
from ocs.provisioning.compliance.rule_folder import (
    ComplianceRules,
    ComplianceRulesError,
    load_compliance_rules,
)
from ocs.provisioning.compliance.watch import DriftWatch, Pace
from ocs.provisioning.element import Element
from ocs.provisioning.sessions import Sessions
from ocs.settings import Settings, resolve_path
from ocs.settings_file import SettingsError
from ocs.sql import Database


class WatchMeans(NamedTuple):
    """What the watch works with.

    Attributes:
        door: to the alarm list; None: nobody keeps one. wake: is called when a revert was queued.
        is_active: whether this process works off the queue: it alone watches.
    """

    database: Database
    sessions: Sessions
    clock: Clock
    door: DeskDoor | None
    wake: Callable[[], None]
    is_active: Callable[[], bool]


def read_compliance_rules(settings: Settings) -> ComplianceRules:
    """The rules of ``[provisioning] golden``; blocks.

    Raises:
        SettingsError: names file, place and expectation.
    """
    try:
        return load_compliance_rules(resolve_path(settings, settings.provisioning.golden))
    except ComplianceRulesError as error:
        raise SettingsError(f"provisioning.golden: {error}") from None


def make_drift_watch(settings: Settings, rules: ComplianceRules, means: WatchMeans) -> DriftWatch:
    """Watches every element of the inventory that we manage, by half of the sessions that there may be."""

    async def elements() -> list[Element]:
        records = await means.database.read(list_elements)
        return [record.management for record in records if record.management is not None]

    async def tell(signal: AlarmSignal) -> None:
        if means.door is not None:
            await trio.to_thread.run_sync(AlarmDesk(means.door).report, signal)

    compliance = Compliance(
        means.database,
        means.sessions,
        means.clock,
        rules.drift,
        None if means.door is None else tell,
        means.wake,
        (AlarmStoreError,),
    )
    pace = Pace(settings.provisioning.drift_interval_s, max(1, settings.provisioning.sessions_max // 2))
    return DriftWatch(
        Examiner(compliance),
        means.sessions,
        elements,
        pace,
        is_ours=means.sessions.is_ours,
        is_active=means.is_active,
    )
