"""Our driver and simulated elements, which share no code: every kind of node, every profile, every fault."""

import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager

import pytest
import trio

from ocs.asyncio_bridge import asyncio_loop
from ocs.provisioning.configuration import Configuration, ConfigurationDiff, changed, difference, reverse
from ocs.provisioning.credentials import Credential, Secrets
from ocs.provisioning.element import Element
from ocs.provisioning.element_type import ElementType, NetconfDescription, load_element_types
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.netconf.netconf_session import NetconfSession
from ocs.provisioning.sessions import Sessions
from simulators.element.errors import Dialect
from simulators.element.faults import Fault, FaultKind
from simulators.element.netconf_element import NetconfElement
from simulators.element.park import Park
from tests.support.elements import TYPES, YANG, ethernet, interface

PATIENCE_S = 60
LAB = Credential(user="admin", password="admin")
NTP = "/ietf-system:system/ntp"
WIDE: Configuration = ethernet("ge-0/0/1", "<&> to Berlin") | {
    interface("ge-0/0/1") + "/enabled": "false",
    interface("ge-0/0/1") + "/ietf-ip:ipv4": None,
    interface("ge-0/0/1") + "/ietf-ip:ipv4/mtu": "1500",
    interface("ge-0/0/1") + "/ietf-ip:ipv4/address[ip='192.0.2.1']": None,
    interface("ge-0/0/1") + "/ietf-ip:ipv4/address[ip='192.0.2.1']/prefix-length": "30",
    interface("ge-0/0/1") + "/ietf-ip:ipv6": None,
    interface("ge-0/0/1") + "/ietf-ip:ipv6/address[ip='2001:db8::1']": None,
    interface("ge-0/0/1") + "/ietf-ip:ipv6/address[ip='2001:db8::1']/prefix-length": "64",
    "/ietf-system:system/hostname": "pe1",
    "/ietf-system:system/dns-resolver/search[.='example.net']": None,
    NTP: None,
    f"{NTP}/server[name='a']": None,
    f"{NTP}/server[name='a']/udp/address": "192.0.2.9",
}


@pytest.fixture(scope="module")
def park() -> Generator[Park]:
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
    with Park() as opened:
        yield opened


def lab(timeout_s: float = 30) -> Sessions:
    shipped = load_element_types(TYPES)["netconf"].netconf
    assert shipped is not None
    patient = NetconfDescription(modules=shipped.modules, timeout_s=timeout_s, commit_timeout_s=timeout_s)
    types = {"netconf": ElementType(name="netconf", netconf=patient)}
    return Sessions(types, {"lab": LAB}, Secrets({}), yang_folders=[YANG])


def known(simulated: NetconfElement) -> Element:
    return Element(
        name=simulated.name,
        type_name="netconf",
        address="127.0.0.1",
        port=simulated.port,
        credential="lab",
        host_key=simulated.host_key,
    )


@asynccontextmanager
async def session_with(simulated: NetconfElement, timeout_s: float = 30) -> AsyncGenerator[NetconfSession]:
    with trio.fail_after(PATIENCE_S):
        async with asyncio_loop(), lab(timeout_s).netconf(known(simulated)) as session:
            yield session


async def configure(session: NetconfSession, diff: ConfigurationDiff) -> None:
    await session.begin()
    await session.stage(diff)
    await session.validate()
    await session.commit()
    await session.release()


@pytest.mark.parametrize(
    "profile", ["candidate", "writable-running", "confirmed-1.0", "no-persist", "no-confirmed"]
)
async def test_every_kind_of_node_is_written_read_changed_and_removed(park: Park, profile: str) -> None:
    simulated = park.netconf(f"wide-{profile}", profile=profile)
    async with session_with(simulated) as session:
        assert session.abilities.candidate is (profile != "writable-running")
        assert session.abilities.persistent is (profile == "candidate")
        await configure(session, ConfigurationDiff(dict(WIDE)))
        assert await session.read() == WIDE
        assert simulated.running() == WIDE, "the judge has the same words for it"
        wanted = {
            path: value for path, value in WIDE.items() if not path.startswith(NTP) and "ipv6" not in path
        } | {interface("ge-0/0/1") + "/description": "changed"}
        there = difference(WIDE, wanted)
        back = reverse(there, WIDE)
        await configure(session, there)
        assert await session.read() == wanted == changed(WIDE, there)
        await configure(session, back)
        assert await session.read() == WIDE
        some = [
            NTP,
            "/ietf-system:system/hostname",
            interface("ge-0/0/1") + "/ietf-ip:ipv4",
            interface("gone"),
        ]
        assert await session.read(some) == {
            path: value
            for path, value in WIDE.items()
            if path.startswith((NTP, "/ietf-system:system/hostname")) or "ipv4" in path
        }
        if profile == "writable-running":
            assert simulated.startup() == WIDE


@pytest.mark.parametrize("profile", ["no-persist", "confirmed-1.0"])
async def test_a_confirmed_commit_that_does_not_persist_ends_with_its_session(
    park: Park, profile: str
) -> None:
    simulated = park.netconf(f"fleeting-{profile}", profile=profile)
    with trio.fail_after(PATIENCE_S):
        async with asyncio_loop():
            sessions = lab()
            async with sessions.netconf(known(simulated)) as session:
                await session.begin()
                await session.stage(ConfigurationDiff(ethernet("a")))
                await session.commit_confirmed("t", 60)
                assert simulated.running() == ethernet("a")
                assert await session.confirm("t")
                await session.stage(ConfigurationDiff(ethernet("b")))
                await session.commit_confirmed("t", 60)
                assert simulated.running() == ethernet("a") | ethernet("b")
                assert await session.cancel("t")
            async with sessions.netconf(known(simulated)) as session:
                assert await session.read() == ethernet("a")


@pytest.mark.parametrize(
    ("kind", "fault", "was_done"),
    [
        (FaultKind.DROP_BEFORE, ElementFault.UNREACHABLE, False),
        (FaultKind.DROP_AFTER, ElementFault.UNREACHABLE, True),
        (FaultKind.STALL, ElementFault.UNREACHABLE, None),
        (FaultKind.STOP_MID_REPLY, ElementFault.UNREACHABLE, None),
        (FaultKind.HUGE_REPLY, ElementFault.PROTOCOL, None),
        (FaultKind.WRONG_ID, ElementFault.PROTOCOL, None),
        (FaultKind.GARBAGE, ElementFault.PROTOCOL, None),
    ],
)
async def test_a_commit_that_goes_wrong_is_told_and_reading_tells_the_truth(
    park: Park, kind: FaultKind, fault: ElementFault, was_done: bool | None
) -> None:
    simulated = park.netconf(f"faulty-{kind.value}")
    simulated.faults.add(Fault(kind=kind, on="commit"))
    with trio.fail_after(PATIENCE_S):
        async with asyncio_loop():
            sessions = lab(timeout_s=2)
            with pytest.raises(ElementError) as caught:
                async with sessions.netconf(known(simulated)) as session:
                    await session.begin()
                    await session.stage(ConfigurationDiff(ethernet("a")))
                    await session.commit()
            assert (caught.value.fault, caught.value.operation) == (fault, "commit")
            assert caught.value.element == simulated.name
            assert not caught.value.is_outcome_known
            async with sessions.netconf(known(simulated)) as session:
                found = await session.read()
    assert found == simulated.running()
    if was_done is not None:
        assert found == (ethernet("a") if was_done else {})


async def test_lies_are_seen_by_reading_back(park: Park) -> None:
    simulated = park.netconf("liar")
    simulated.faults.add(Fault(kind=FaultKind.LIE, on="commit"))
    simulated.faults.add(Fault(kind=FaultKind.LIE_OTHER, on="commit", skip=1, other=ethernet("other")))
    async with session_with(simulated) as session:
        await configure(session, ConfigurationDiff(ethernet("a")))
        assert await session.read() == {}
        await configure(session, ConfigurationDiff(ethernet("a")))
        assert await session.read() == ethernet("other")


@pytest.mark.parametrize("dialect", Dialect)
async def test_servers_of_every_dialect_are_understood(park: Park, dialect: Dialect) -> None:
    simulated = park.netconf(f"speaks-{dialect.value}", dialect=dialect)
    async with session_with(simulated) as session:
        simulated.hold_lock("candidate", 77)
        with pytest.raises(ElementError) as held:
            await session.begin()
        assert (held.value.fault, held.value.holder) == (ElementFault.BUSY, 77)
        with pytest.raises(ElementError) as locked:
            await session.stage(ConfigurationDiff(ethernet("a")))
        assert locked.value.fault is ElementFault.BUSY
        simulated.release_lock("candidate")
        simulated.dirty_candidate(ethernet("left"))
        await session.begin()
        assert not simulated.is_dirty(), "what somebody left was discarded"
        with pytest.raises(ElementError) as incomplete:
            await session.stage(ConfigurationDiff({interface("a"): None}))
            await session.validate()
        assert incomplete.value.fault is ElementFault.REQUEST
        await session.abandon()
        await session.begin()
        await session.stage(ConfigurationDiff(ethernet("a")))
        await session.commit_confirmed("ours", 60)
        await session.release()
        assert not await session.confirm("theirs")
        assert await session.confirm("ours")
        assert not await session.confirm("ours")
        assert not await session.cancel("ours")
        assert simulated.running() == ethernet("a")


async def test_a_foreign_change_is_told_with_its_place(park: Park) -> None:
    simulated = park.netconf("watched")
    async with session_with(simulated) as session:
        changes = session.changes()
        async with trio.open_nursery() as nursery:
            told: list[tuple[str, ...]] = []

            async def watch() -> None:
                told.append((await anext(changes)).paths)
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            for number in range(200):
                simulated.change(ethernet("a", f"by hand {number}"))
                await trio.sleep(0.05)
        await changes.aclose()
    assert told[0]
    assert all(path.startswith(interface("a")) for path in told[0])


async def test_a_changed_host_key_keeps_us_out_before_anything_is_said(park: Park) -> None:
    simulated = park.netconf("replaced")
    trusted = known(simulated)
    simulated.change_host_key()
    with trio.fail_after(PATIENCE_S):
        async with asyncio_loop():
            with pytest.raises(ElementError, match="SHA256") as refused:
                async with lab().netconf(trusted):
                    pass
    assert refused.value.fault is ElementFault.ACCESS
    assert "login" not in simulated.faults.steps
