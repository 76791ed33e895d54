"""A server that is not ours shows what our NETCONF does, and ours shows what the server does badly."""

from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncssh
import pytest
import trio

from ocs.asyncio_bridge import asyncio_loop
from ocs.provisioning.configuration import ConfigurationDiff, difference
from ocs.provisioning.credentials import Credential, Secrets
from ocs.provisioning.driver import ConfigurationChange
from ocs.provisioning.element_type import NetconfDescription
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.netconf.conversation import Conversation
from ocs.provisioning.netconf.netconf_session import NetconfSession
from ocs.provisioning.netconf.transport import open_transport
from ocs.provisioning.schema.schema import Schema
from ocs.provisioning.schema.yang import load_schema
from ocs.provisioning.sessions import Sessions
from tests.support.elements import YANG, ethernet, interface, lab_sessions, standard_schema
from tests.support.netconfd import Netconfd, needs_netconfd, netconfd

pytestmark = needs_netconfd

PATIENCE_S = 60


@pytest.fixture(scope="module")
def server() -> Generator[Netconfd]:
    with netconfd() as running:
        yield running


@asynccontextmanager
async def sessions_with(server: Netconfd, count: int = 1) -> AsyncGenerator[list[NetconfSession]]:
    """So many sessions with a server, of which nothing is configured."""
    with trio.fail_after(PATIENCE_S):
        async with asyncio_loop(), AsyncExitStack() as stack:
            sessions = lab_sessions(server.credential)
            opened = [
                await stack.enter_async_context(sessions.netconf(server.element())) for _ in range(count)
            ]
            await empty(opened[0])
            yield opened


async def empty(session: NetconfSession) -> None:
    there = await session.read()
    if there:
        await configure(session, difference(there, {}))


async def configure(session: NetconfSession, diff: ConfigurationDiff) -> None:
    await session.begin()
    await session.stage(diff)
    await session.commit()
    await session.release()


async def test_hello_tells_what_it_can_and_messages_are_chunked(server: Netconfd) -> None:
    async with sessions_with(server) as (session,):
        assert session.session_id > 0
        assert session.capabilities.base == {"1.0", "1.1"}
        assert session.capabilities.confirmed_commit == "1.1"
        assert session.capabilities.default_mode == "explicit"
        assert session.capabilities.modules["ietf-interfaces"].features
        assert session.abilities.candidate
        assert session.abilities.persistent
        assert session.abilities.notifies
        assert not session.abilities.validates, "announced, and known to be done badly"


async def test_a_change_runs_after_its_commit_and_not_before(server: Netconfd) -> None:
    wanted = ethernet("ge-0/0/1", "to Berlin: <&> äöü 'quoted'")
    async with sessions_with(server, 2) as (session, other):
        await session.begin()
        await session.stage(ConfigurationDiff(wanted))
        assert await other.read() == {}
        await session.commit()
        await session.release()
        assert await other.read() == wanted
        assert await other.read([interface("ge-0/0/1") + "/description"]) == {
            interface("ge-0/0/1") + "/description": wanted[interface("ge-0/0/1") + "/description"]
        }
        assert await other.read([interface("nobody")]) == {}


async def test_what_is_removed_is_gone_and_what_was_absent_does_not_matter(server: Netconfd) -> None:
    async with sessions_with(server) as (session,):
        await configure(session, ConfigurationDiff(ethernet("a", "one") | ethernet("b", "two")))
        gone = (interface("a"), interface("b") + "/description", interface("never"))
        await configure(session, ConfigurationDiff({}, gone))
        assert await session.read() == ethernet("b")
        await configure(session, ConfigurationDiff({}, gone))
        assert await session.read() == ethernet("b")


async def test_an_entry_that_is_set_anew_is_replaced_as_a_whole(server: Netconfd) -> None:
    async with sessions_with(server) as (session,):
        await configure(
            session, ConfigurationDiff(ethernet("a", "old") | {interface("a") + "/enabled": "false"})
        )
        await configure(session, ConfigurationDiff(ethernet("a"), (interface("a"),)))
        assert await session.read() == ethernet("a")


async def test_a_lock_names_its_holder_and_is_gone_with_it(server: Netconfd) -> None:
    async with sessions_with(server, 2) as (session, other):
        await session.begin()
        with pytest.raises(ElementError) as denied:
            await other.begin()
        assert denied.value.fault is ElementFault.BUSY
        assert denied.value.is_retryable
        assert denied.value.holder == session.session_id
        assert str(session.session_id) in str(denied.value)
        await session.abandon()
        await other.begin()
        await other.abandon()


async def test_a_candidate_that_somebody_left_dirty_is_cleaned_before_it_is_used(server: Netconfd) -> None:
    async with sessions_with(server, 2) as (session, careless):
        await careless.stage(ConfigurationDiff(ethernet("left")))  # without a lock
        await configure(session, ConfigurationDiff(ethernet("ours")))
        assert await session.read() == ethernet("ours")


async def test_an_edit_under_somebody_s_lock_may_be_tried_again_later(server: Netconfd) -> None:
    async with sessions_with(server, 2) as (session, careless):
        await session.begin()
        with pytest.raises(ElementError) as denied:
            await careless.stage(ConfigurationDiff(ethernet("x")))
        assert denied.value.fault is ElementFault.BUSY
        await session.abandon()


async def test_a_confirmed_commit_outlives_its_session_and_is_confirmed_from_another(
    server: Netconfd,
) -> None:
    async with sessions_with(server) as (session,):
        async with lab_sessions(server.credential).netconf(server.element()) as first:
            await first.begin()
            await first.stage(ConfigurationDiff(ethernet("kept")))
            await first.commit_confirmed("transaction-1", 60)
            await first.release()
        assert await session.read() == ethernet("kept")
        assert not await session.confirm("another")
        assert await session.confirm("transaction-1")
        assert not await session.confirm("transaction-1")
        assert await session.read() == ethernet("kept")


async def test_a_confirmed_commit_is_cancelled_from_another_session(server: Netconfd) -> None:
    async with sessions_with(server, 2) as (session, other):
        await session.begin()
        await session.stage(ConfigurationDiff(ethernet("undone")))
        await session.commit_confirmed("transaction-2", 60)
        assert await other.read() == ethernet("undone")
        with pytest.raises(ElementError) as locked:
            await other.cancel("transaction-2")
        assert locked.value.fault is ElementFault.BUSY
        await session.release()
        assert not await other.cancel("another")
        assert await other.cancel("transaction-2")
        assert await other.read() == {}
        assert not await other.cancel("transaction-2")


async def test_a_confirmed_commit_is_undone_when_its_time_is_over(server: Netconfd) -> None:
    async with sessions_with(server) as (session,):
        await session.begin()
        await session.stage(ConfigurationDiff(ethernet("short")))
        await session.commit_confirmed("transaction-3", 1)
        await session.release()
        assert await session.read() == ethernet("short")
        # netconfd looks at its clock only when nobody has said anything for a second: who asks more often is told
        # for ever that the commit stands.
        while await session.read():
            await trio.sleep(1.5)
        assert not await session.confirm("transaction-3"), "the caller must find out that it was undone"


async def test_while_a_confirmed_commit_is_pending_others_are_told_to_come_later(server: Netconfd) -> None:
    async with sessions_with(server, 2) as (session, other):
        await session.begin()
        await session.stage(ConfigurationDiff(ethernet("pending")))
        await session.commit_confirmed("transaction-4", 60)
        await session.release()
        with pytest.raises(ElementError) as denied:
            await other.commit()
        assert denied.value.fault is ElementFault.BUSY
        assert await session.cancel("transaction-4")


async def test_changes_of_others_are_told_with_who_and_where(server: Netconfd) -> None:
    async with sessions_with(server, 2) as (watching, changing):
        changes = watching.changes()
        # The subscription begins with the first step; the change comes until one was told.
        async with trio.open_nursery() as nursery:
            told: list[ConfigurationChange] = []

            async def watch() -> None:
                told.append(await anext(changes))
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            for number in range(100):
                await configure(changing, ConfigurationDiff(ethernet(f"foreign-{number}")))
                await trio.sleep(0.05)
        await changes.aclose()
        (change,) = told
        assert change.session_id == changing.session_id
        assert change.user == changing_user(server)
        assert change.at
        assert all(path.startswith("/ietf-interfaces:interfaces") for path in change.paths), change.paths
        assert change.paths


def changing_user(server: Netconfd) -> str:
    return server.credential.user


async def test_a_session_is_killed_with_its_lock_but_never_our_own(server: Netconfd) -> None:
    async with sessions_with(server, 2) as (session, holder):
        await holder.begin()
        assert await session.kill(holder.session_id)
        await session.begin()
        await session.abandon()
        with pytest.raises(ElementError) as gone:
            await holder.read()
        assert gone.value.fault is ElementFault.UNREACHABLE
        with pytest.raises(ElementError) as own:
            await session.kill(session.session_id)
        assert own.value.fault is ElementFault.REQUEST
        assert await session.read() == {}, "the session lives on"
        assert not await session.kill(999_999)


async def test_half_a_megabyte_is_one_edit(server: Netconfd) -> None:
    wanted: dict[str, str | None] = {}
    for number in range(2_500):
        wanted |= ethernet(f"ge-{number}", "x" * 60)
    diff = ConfigurationDiff(wanted)
    async with sessions_with(server) as (session,):
        assert len(session.native(diff)) > 500_000
        await configure(session, diff)
        assert await session.read() == wanted


async def test_yang_of_an_unknown_element_is_fetched_from_it(server: Netconfd) -> None:
    async with sessions_with(server) as (session,):
        text = await session.yang("ietf-interfaces")
        assert text.lstrip().startswith("module ietf-interfaces {")
        with pytest.raises(ElementError) as unknown:
            await session.yang("no-such-module")
        assert not unknown.value.is_retryable
        assert "no matches" in unknown.value.reason


@asynccontextmanager
async def session_as(
    server: Netconfd, description: NetconfDescription, schema: Schema
) -> AsyncGenerator[NetconfSession]:
    """A session with a server that is taken for another type than it is."""
    async with open_transport(server.element(), server.credential, keepalive_s=0) as transport:
        conversation = Conversation("netconfd", transport)
        await conversation.open(PATIENCE_S)
        yield NetconfSession(server.element(), description, conversation, schema=schema, secrets=Secrets({}))


async def test_state_is_read_apart_from_configuration(server: Netconfd) -> None:
    modules = ("ietf-netconf-monitoring",)
    with trio.fail_after(PATIENCE_S):
        async with (
            asyncio_loop(),
            session_as(server, NetconfDescription(modules=modules), load_schema([YANG], modules)) as session,
        ):
            entries = "/ietf-netconf-monitoring:netconf-state/sessions"
            own = f"{entries}/session[session-id='{session.session_id}']"
            found = await session.read_state([entries])
            assert found[f"{own}/username"] == server.credential.user
            assert found[f"{own}/transport"] == "ietf-netconf-monitoring:netconf-ssh"
            assert await session.read([entries]) == {}


async def test_a_wrong_value_is_the_caller_s_fault_and_names_its_place(server: Netconfd) -> None:
    async with sessions_with(server) as (session,):
        await session.begin()
        # What our schema lets pass and the server does not: an interface without its mandatory type.
        with pytest.raises(ElementError) as refused:
            await session.stage(ConfigurationDiff({interface("untyped"): None}))
            await session.commit()
        assert refused.value.fault is ElementFault.REQUEST
        assert "untyped" in refused.value.path
        assert refused.value.element == "netconfd"
        await session.abandon()
        assert await session.read() == {}


async def test_a_module_that_the_element_lacks_is_named_before_anything_is_sent(server: Netconfd) -> None:
    path = interface("a") + "/ietf-ip:ipv4/mtu"
    with trio.fail_after(PATIENCE_S):
        async with (
            asyncio_loop(),
            lab_sessions(server.credential).netconf(server.element(type_name="netconf")) as session,
        ):
            with pytest.raises(ElementError) as refused:
                await session.stage(ConfigurationDiff({path: "1500"}))
            assert refused.value.fault is ElementFault.UNSUPPORTED
            assert refused.value.path == path
            assert "ietf-ip" in refused.value.reason


async def test_the_commit_after_validate_that_says_ok_and_does_nothing_is_seen_by_reading_back(
    server: Netconfd,
) -> None:
    """What `distrusted` in config/network/types/yuma.toml is for: with trust, the server deceives us."""
    trusting = NetconfDescription(modules=("iana-if-type", "ietf-interfaces", "ietf-system"))
    async with sessions_with(server) as (session,):
        async with session_as(server, trusting, standard_schema()) as deceived:
            assert deceived.abilities.validates
            await deceived.begin()
            await deceived.stage(ConfigurationDiff(ethernet("nowhere")))
            await deceived.validate()
            await deceived.commit()
            assert await deceived.read() == {}, "mended by the server's makers: take the quirk away"
            await deceived.abandon()
        await session.begin()
        await session.stage(ConfigurationDiff(ethernet("there")))
        await session.validate()
        await session.commit()
        await session.release()
        assert await session.read() == ethernet("there")


async def refusal(sessions: Sessions, server: Netconfd, **changes: str) -> ElementError:
    with pytest.raises(ElementError) as refused:
        async with sessions.netconf(server.element(**changes)):
            pass
    return refused.value


async def test_a_changed_host_key_is_refused_naming_both_fingerprints(server: Netconfd) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    trusted = other.export_public_key().decode()
    presented = asyncssh.import_public_key(server.host_key)
    with trio.fail_after(PATIENCE_S):
        async with asyncio_loop():
            refused = await refusal(lab_sessions(server.credential), server, host_key=trusted)
            assert refused.fault is ElementFault.ACCESS
            assert other.get_fingerprint() in refused.reason
            assert presented.get_fingerprint() in refused.reason
            unknown = await refusal(lab_sessions(server.credential), server, host_key="")
            assert unknown.fault is ElementFault.ACCESS
            assert presented.get_fingerprint() in unknown.reason


async def test_a_key_that_the_element_does_not_know_is_a_matter_of_access(server: Netconfd) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    with trio.fail_after(PATIENCE_S):
        async with asyncio_loop():
            credential = Credential(user=server.credential.user, key=stranger)
            refused = await refusal(lab_sessions(credential), server)
            assert refused.fault is ElementFault.ACCESS
            assert credential.user in refused.reason


async def test_an_element_that_dies_is_unreachable_and_what_was_asked_is_in_doubt() -> None:
    with netconfd() as mortal:
        async with sessions_with(mortal) as (session,):
            await session.begin()
            await session.stage(ConfigurationDiff(ethernet("a")))
            mortal.kill()
            with pytest.raises(ElementError) as gone:
                await session.commit()
            assert gone.value.fault is ElementFault.UNREACHABLE
            assert not gone.value.is_outcome_known
            mortal.start()
            async with lab_sessions(mortal.credential).netconf(mortal.element()) as again:
                assert await again.read() == {}
