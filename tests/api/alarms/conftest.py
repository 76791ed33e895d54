"""A client of the alarm APIs on a real store whose list a test writes as its owner would."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import trio

from ocs.alarm_history import SqlAlarmHistory
from ocs.api.alarms.announcer import GROUP, AlarmAnnouncer
from ocs.api.alarms.native import native_alarm_api
from ocs.api.alarms.office import AlarmOffice, AlarmSide
from ocs.api.alarms.resources import BASE
from ocs.api.alarms.routes import alarm_management_api
from ocs.api.alarms.tasks import AlarmTasks
from ocs.api.event_stream import EventStreams
from ocs.api.reader import StoreBalanceReader
from ocs.api.tmf.callback import CallbackPolicy
from ocs.api.tmf.hub_routes import HubDesk
from ocs.api.tmf.hubs import HubStore
from ocs.balance.redis_stream import StoreServers
from ocs.clock import ManualClock
from ocs.faults.alarm import Alarm
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.store import keys
from ocs.faults.store.batch import commit_command
from ocs.faults.store.change_group import ChangeGroup
from ocs.faults.store.desk import AlarmDesk
from ocs.faults.store.desk_door import RedisDeskDoor
from ocs.faults.store.reader import AlarmReader
from ocs.faults.view.follower import AlarmFollower
from ocs.limits import ALARM_LEASE_MS
from ocs.settings import Settings
from ocs.store_setup import library_text
from tests.support.alarms import NOW_MS, batch_of


class Owner:
    """Writes the list of a store by blocking calls, and waits until a view has it."""

    def __init__(self, client: Any, follower: AlarmFollower) -> None:
        self.client = client
        self._follower = follower
        client.function_load(library_text(), replace=True)
        client.fcall("ocs_alarms_lease", 1, keys.OWNER, "lab", "lease", ALARM_LEASE_MS, "take")
        self._number = int(client.hget(keys.OWNER, "number"))

    def write(self, *alarms: Alarm, kind: ChangeKind = ChangeKind.RAISED, **more: Any) -> None:
        self._number += 1
        batch = batch_of(*alarms, kind=kind, **more)
        command = commit_command(batch, lease="lease", number=self._number, lease_ms=ALARM_LEASE_MS)
        assert self.client.execute_command(*command) == 1

    async def put(self, *alarms: Alarm, kind: ChangeKind = ChangeKind.RAISED, **more: Any) -> None:
        await trio.to_thread.run_sync(partial(self.write, *alarms, kind=kind, **more))
        await self.settle()

    async def settle(self) -> None:
        (entry,) = await trio.to_thread.run_sync(lambda: self.client.xrevrange(keys.CHANGES, count=1))
        while self._follower.last_id != entry[0].decode():
            await trio.sleep(0.002)


@pytest.fixture
def history(tmp_path):
    history = SqlAlarmHistory(Settings(), tmp_path)
    yield history
    history.close()


@pytest.fixture
def side(store, history) -> AlarmSide:
    follower = AlarmFollower(AlarmReader(StoreServers(store.address)))
    return AlarmSide(follower, AlarmDesk(RedisDeskDoor(store)), history)


@pytest.fixture
def owner(store, side) -> Owner:
    return Owner(store, side.follower)


@pytest.fixture
def office(store, side) -> AlarmOffice:
    return AlarmOffice(side, AlarmTasks(store), HubStore(store), ManualClock(NOW_MS))


@pytest.fixture
def announcer(store) -> AlarmAnnouncer:
    return AlarmAnnouncer(ChangeGroup(store, GROUP), HubStore(store))


@pytest.fixture
def parts(make_parts, store, balance, office, announcer):
    made = make_parts(
        StoreBalanceReader(store, partitions=balance.partitions), None, store=store, client=balance
    )
    hubs = HubDesk(HubStore(store), CallbackPolicy(), office.deeds.clock, BASE, announcer.open)
    apis = (native_alarm_api(office, EventStreams()), alarm_management_api(office, hubs))
    return replace(made, apis=apis)


@pytest.fixture
async def client(nursery, parts, side, owner, connect_to, token):
    await nursery.start(side.follower.run)
    async with connect_to(parts, token) as client:
        yield client
