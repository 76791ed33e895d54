"""The trap receiver and the alarm list behind a real socket: who is heard, what is acknowledged, what ends what."""

import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from ocs.clock import SystemClock
from ocs.faults.alarm import Alarm
from ocs.faults.alarm_owner import AlarmOwner, Meaning, SnmpAccess
from ocs.faults.book.policy import BookPolicy
from ocs.faults.mibs import open_mib_names
from ocs.faults.receiver.udp import bind_snmp
from ocs.faults.rules import RuleBook, load_rules
from ocs.faults.snmp.engine import TrapEngine
from ocs.faults.snmp.usm import UsmUser
from ocs.faults.store.batch import AlarmBatch, LeaseLostError
from ocs.faults.store.memory import MemoryAlarmList, MemoryAlarmStore
from ocs.faults.supervision.supervised import Supervised
from ocs.faults.topology.port import NoTopology
from ocs.metrics import REGISTRY
from ocs.settings import SnmpSettings
from tests.support.pysnmp_messages import Said, v2c_message
from tests.support.snmp_sender import trap

pytestmark = pytest.mark.bounded(30)

RULES = Path(__file__).parents[2] / "config" / "alarms"
LINK_DOWN, LINK_UP = "1.3.6.1.6.3.1.1.5.3", "1.3.6.1.6.3.1.1.5.4"


@pytest.fixture(scope="module")
def rules() -> RuleBook:
    return load_rules(RULES, open_mib_names(None))


def message(
    oid: str, index: int, *, request_id: int = 1, is_inform: bool = True, community: bytes = b"public"
) -> bytes:
    state = 2 if oid == LINK_DOWN else 1
    said: list[Said] = [
        ("1.3.6.1.2.1.1.3.0", 0x43, 4_242 + request_id),
        ("1.3.6.1.6.3.1.1.4.1.0", 0x06, oid),
        (f"1.3.6.1.2.1.2.2.1.1.{index}", 0x02, index),
        (f"1.3.6.1.2.1.2.2.1.7.{index}", 0x02, 1),
        (f"1.3.6.1.2.1.2.2.1.8.{index}", 0x02, state),
    ]
    octets = v2c_message(said, request_id=request_id, is_inform=is_inform)
    return octets.replace(b"public", community)


class Network:
    """An owner on a socket, and an element that talks to it."""

    def __init__(self, element: trio.socket.SocketType, port: int, shared: MemoryAlarmList) -> None:
        self._element = element
        self._port = port
        self._shared = shared

    async def send(self, octets: bytes) -> None:
        await self._element.sendto(octets, ("127.0.0.1", self._port))

    async def acknowledged(self) -> bytes:
        """What comes back; the test's own bound ends the wait."""
        return await self._element.recv(65_535)

    async def inform(self, oid: str, index: int, *, request_id: int = 1) -> bytes:
        await self.send(message(oid, index, request_id=request_id))
        return await self.acknowledged()

    def alarms(self) -> dict[str, Alarm]:
        """What the store holds, by resource and type."""
        held = self._shared.look(list(self._shared.alarms))
        return {
            f"{one.alarm.key.resource} {one.alarm.key.alarm_type}": one.alarm
            for one in held
            if one.alarm is not None
        }

    async def until(self, holds: Callable[[dict[str, Alarm]], bool]) -> dict[str, Alarm]:
        while not holds(found := self.alarms()):
            await trio.sleep(0.01)
        return found


@asynccontextmanager
async def network(
    rules: RuleBook,
    make: Callable[[MemoryAlarmList], MemoryAlarmStore] = lambda shared: shared.owner("node-a"),
    *,
    per_source_s: int = 0,
    users: tuple[UsmUser, ...] = (),
    shared: MemoryAlarmList | None = None,
) -> AsyncGenerator[Network]:
    shared = shared or MemoryAlarmList()
    bound = bind_snmp(SnmpSettings(port=0))
    assert bound is not None

    async def nothing_else() -> None:
        await trio.sleep_forever()

    with bound, trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as element:
        await element.bind(("127.0.0.1", 0))
        owner = AlarmOwner(
            make(shared),
            bound,
            SnmpAccess(b"", users, lambda community: community == b"public", lambda _: False, per_source_s),
            Meaning(rules, NoTopology(), BookPolicy(), Supervised({}, {}, {})),
            clock=SystemClock(),
            beside=nothing_else,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(owner.run)
            yield Network(element, bound.getsockname()[1], shared)
            nursery.cancel_scope.cancel()


async def test_inform_raises_an_alarm_and_is_acknowledged(rules: RuleBook) -> None:
    async with network(rules) as net:
        acknowledgement = await net.inform(LINK_DOWN, 7, request_id=99)
        assert acknowledgement.startswith(b"\x30") and b"\xa2" in acknowledgement
        assert not net.alarms()["127.0.0.1/if/7 link-down"].is_cleared
        await net.inform(LINK_UP, 7, request_id=100)
        assert net.alarms()["127.0.0.1/if/7 link-down"].is_cleared


async def test_repeated_inform_counts_once_and_is_acknowledged_again(rules: RuleBook) -> None:
    async with network(rules) as net:
        first = await net.inform(LINK_DOWN, 7, request_id=99)
        assert await net.inform(LINK_DOWN, 7, request_id=99) == first
        assert net.alarms()["127.0.0.1/if/7 link-down"].occurrences == 1


async def test_junk_and_strangers_harm_nobody_and_are_told_once(rules: RuleBook) -> None:
    async with network(rules) as net:
        for junk in (b"", b"\x30", b"\xff" * 60_000, message(LINK_DOWN, 1, community=b"secret")):
            await net.send(junk)
        await net.inform(LINK_DOWN, 7)
        found = await net.until(lambda alarms: "127.0.0.1 snmp-discard" in alarms)
        assert found["127.0.0.1 snmp-discard"].occurrences == 1
        assert "127.0.0.1/if/1 link-down" not in found


async def test_babbling_source_is_cut_and_its_clear_still_counts(rules: RuleBook) -> None:
    async with network(rules, per_source_s=1) as net:
        await net.inform(LINK_DOWN, 7)
        for index in range(100, 200):
            await net.send(message(LINK_DOWN, index, request_id=index, is_inform=False))
        await net.inform(LINK_UP, 7, request_id=500)
        found = await net.until(lambda alarms: "127.0.0.1 trap-storm" in alarms)
        assert found["127.0.0.1/if/7 link-down"].is_cleared
        assert len(found) < 20


async def test_list_that_was_lost_is_opened_again_with_what_it_held(rules: RuleBook) -> None:
    losses = [True]

    class Losing(MemoryAlarmStore):
        async def commit(self, batch: AlarmBatch) -> None:
            if len(batch.alarms) and batch.alarms[0].key.resource.endswith("/8") and losses:
                losses.pop()
                raise LeaseLostError("another had it for a moment")
            await super().commit(batch)

    async with network(rules, lambda shared: Losing(shared, "node-a")) as net:
        await net.inform(LINK_DOWN, 7)
        await net.send(message(LINK_DOWN, 8, request_id=2))
        with trio.move_on_after(0.2) as waiting:
            await net.acknowledged()
        assert waiting.cancelled_caught and not losses
        # Its sender repeats it, as senders do.
        await net.inform(LINK_DOWN, 8, request_id=2)
        assert {"127.0.0.1/if/7 link-down", "127.0.0.1/if/8 link-down"} <= net.alarms().keys()


async def test_replies_tell_the_engine_of_a_new_start(
    rules: RuleBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 3414 section 2.2: boots rise with each opening, so that no protected answer is made twice."""
    boots: list[int] = []
    made = TrapEngine.__init__

    def watched(self: TrapEngine, **arguments: object) -> None:
        boots.append(int(str(arguments["boots"])))
        made(self, **arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(TrapEngine, "__init__", watched)

    class Losing(MemoryAlarmStore):
        async def commit(self, batch: AlarmBatch) -> None:
            if len(boots) == 1:
                raise LeaseLostError("another had it for a moment")
            await super().commit(batch)

    async with network(rules, lambda shared: Losing(shared, "node-a")) as net:
        await net.send(message(LINK_DOWN, 7, is_inform=False))
        while len(boots) < 2:
            await trio.sleep(0.01)
        assert boots == [1, 2]


async def test_element_that_cannot_be_asked_is_told_in_words(rules: RuleBook) -> None:
    bound = bind_snmp(SnmpSettings(port=0))
    assert bound is not None
    with bound:
        owner = AlarmOwner(
            MemoryAlarmList().owner("node-a"),
            bound,
            SnmpAccess(b"", (), lambda _: True, lambda _: False, 0),
            Meaning(rules, NoTopology(), BookPolicy(), Supervised({}, {}, {})),
            clock=SystemClock(),
            beside=trio.sleep_forever,
        )
        assert "another node" in (await owner.look_up("router7")).failure
        async with trio.open_nursery() as nursery:
            nursery.start_soon(owner.run)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert "no agent" in (await owner.look_up("router7")).failure
            nursery.cancel_scope.cancel()


def refused(reason: str) -> float:
    families = {family.name: family for family in REGISTRY.snapshot().families}
    samples = families["ocs_snmp_discarded_total"].samples
    return sum(sample.value for sample in samples if reason in sample.labels)


async def test_recorded_trap_that_is_sent_again_after_our_restart_is_dropped_and_counted(
    rules: RuleBook,
) -> None:
    """RFC 3414 section 3.2 (7): what the former process took, from an engine that has restarted since."""
    shared = MemoryAlarmList()
    proved = UsmUser("proved", authentication="sha1", authentication_password=b"authentication")
    recorded = [trap(proved, boots=boots) for boots in (5, 6)]
    async with network(rules, users=(proved,), shared=shared) as net:
        for octets in recorded:
            await net.send(octets)
        (before,) = (
            await net.until(lambda found: any(one.occurrences == 2 for one in found.values()))
        ).values()
    count = refused("not_in_time_window")
    async with network(rules, users=(proved,), shared=shared) as net:
        await net.send(recorded[0])
        found = await net.until(lambda alarms: "127.0.0.1 snmp-discard" in alarms)
        assert found.pop("127.0.0.1 snmp-discard").occurrences == 1
        assert list(found.values()) == [before]
    assert refused("not_in_time_window") == count + 1
