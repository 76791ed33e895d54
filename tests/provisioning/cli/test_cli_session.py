"""Sessions with boxes that we did not write, over SSH, with everything that can go wrong."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

from ocs.asyncio_bridge import asyncio_loop
from ocs.provisioning.cli.cli_session import CliSession
from ocs.provisioning.configuration import Configuration, ConfigurationDiff, reverse
from ocs.provisioning.credentials import Credential, Secrets
from ocs.provisioning.driver import ElementSession
from ocs.provisioning.element import Element
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.transactions.carrying import Carrier
from ocs.provisioning.transactions.record import Participant
from ocs.provisioning.transactions.steps import note_nothing
from simulators.element.cli_element import CliElement
from simulators.element.faults import Fault, FaultKind
from simulators.element.park import Park
from tests.support.command_lines import VRF
from tests.support.elements import interface, lab_sessions

PATIENCE_S = 60
STYLES = {"direct": "ios-like", "commit": "candidate-cli"}
GE0 = interface("ge0")
LINES = (
    "vrf definition red",
    "interface ge0",
    " description old",
    " ip address 10.0.0.1 255.255.255.0",
    " mtu 9000",
)
KEY = "aa:bb:cc:dd:ee"
CREDENTIAL = Credential(user="admin", password="admin", enable_password="enable")
NEW = ConfigurationDiff({f"{GE0}/description": "new", VRF.format("blue"): None}, (VRF.format("red"),))


def element_of(box: CliElement, style: str, host_key: str = "") -> Element:
    return Element(
        name=box.name,
        type_name=STYLES[style],
        address=box.address,
        port=box.port,
        credential="lab",
        host_key=host_key or box.host_key,
    )


@asynccontextmanager
async def session_with(
    box: CliElement, style: str, credential: Credential = CREDENTIAL
) -> AsyncGenerator[ElementSession]:
    """An error that is not caught inside arrives in a group."""
    with trio.fail_after(PATIENCE_S):
        async with asyncio_loop():
            sessions = lab_sessions(credential, Secrets({"trap-auth": KEY, "trap-priv": KEY[::-1]}))
            async with sessions.session(element_of(box, style)) as session:
                yield session


async def refused_connection(
    box: CliElement, element: Element, credential: Credential = CREDENTIAL
) -> ElementError:
    with trio.fail_after(PATIENCE_S):
        async with asyncio_loop():
            with pytest.raises(ElementError) as refused:
                async with lab_sessions(credential).session(element):
                    pass
    return refused.value


async def change(session: ElementSession, diff: ConfigurationDiff) -> None:
    await session.begin()
    await session.stage(diff)
    await session.validate()
    await session.commit()
    await session.release()


@pytest.fixture(params=sorted(STYLES))
def style(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_what_types_can_do_is_told_by_their_description(park: Park) -> None:
    async with session_with(park.cli("ce1"), "direct") as session:
        assert not session.abilities.candidate
        assert session.abilities.startup
        assert session.abilities.locks
    async with session_with(park.cli("ce2", style="commit"), "commit") as session:
        assert session.abilities.candidate
        assert session.abilities.persistent


async def test_a_change_runs_is_read_back_and_survives_a_restart(park: Park, style: str) -> None:
    box = park.cli("ce1", style=style, lines=LINES)
    async with session_with(box, style) as session:
        before = await session.read()
        assert before[f"{GE0}/description"] == "old"
        assert list(await session.read([f"{GE0}/description"])) == [f"{GE0}/description"]
        await change(session, NEW)
        after = await session.read()
        assert after[f"{GE0}/description"] == "new"
        assert VRF.format("blue") in after
        assert VRF.format("red") not in after
        box.restart()
    assert " mtu 9000" in box.running()
    async with session_with(box, style) as session:
        assert await session.read() == after
        await change(session, reverse(NEW, before))
        assert await session.read() == before


async def test_nothing_runs_before_the_commit_and_abandoning_leaves_nothing(park: Park, style: str) -> None:
    box = park.cli("ce1", style=style, lines=LINES)
    before = box.running()
    async with session_with(box, style) as session:
        await session.begin()
        await session.stage(NEW)
        assert box.running() == before
        await session.abandon()
        await session.abandon()
        await session.begin()
        await session.release()
    assert box.running() == before
    assert not box.box.locked_by


async def test_what_is_staged_twice_adds_up(park: Park, style: str) -> None:
    box = park.cli("ce1", style=style, lines=LINES)
    async with session_with(box, style) as session:
        await session.begin()
        await session.stage(NEW)
        await session.stage(ConfigurationDiff({f"{GE0}/description": "newer"}))
        await session.commit()
        await session.release()
    assert " description newer" in box.running()
    assert "vrf definition blue" in box.running()


@pytest.mark.parametrize("step", ["vrf definition", "interface", "description", "no vrf definition"])
async def test_after_a_refused_line_nothing_of_the_change_runs(park: Park, style: str, step: str) -> None:
    box = park.cli("ce1", style=style, lines=LINES)
    before = box.running()
    box.faults.add(Fault(kind=FaultKind.REFUSE, on=step, message="Bad thing"))
    async with session_with(box, style) as session:
        with pytest.raises(ElementError) as refused:
            await change(session, NEW)
        await session.abandon()
    assert refused.value.fault is ElementFault.REQUEST
    assert refused.value.operation.startswith(step)
    assert refused.value.tag == "% Bad thing"
    assert "ce1" in str(refused.value)
    assert box.running() == before


async def test_a_line_that_the_box_only_says_to_have_taken_is_found_out(park: Park) -> None:
    box = park.cli("ce1", lines=LINES)
    before = box.running()
    box.faults.add(Fault(kind=FaultKind.LIE, on="description"))
    async with session_with(box, "direct") as session:
        with pytest.raises(ElementError, match="description new") as refused:
            await change(session, NEW)
    assert refused.value.fault is ElementFault.UNTRUE
    assert box.running() == before
    assert box.startup() == before


async def test_a_connection_that_breaks_in_configuration_mode_leaves_the_outcome_unknown(
    park: Park, style: str
) -> None:
    box = park.cli("ce1", style=style, lines=LINES)
    box.faults.add(Fault(kind=FaultKind.DROP_AFTER, on="description"))
    async with session_with(box, style) as session:
        with pytest.raises(ElementError, match="description new") as refused:
            await change(session, NEW)
        assert refused.value.fault is ElementFault.UNREACHABLE
        assert not refused.value.is_outcome_known
        with pytest.raises(ElementError, match="over"):
            await session.read()
    async with session_with(box, style) as session:
        now = await session.read()
        await change(session, NEW)
        assert (now[f"{GE0}/description"] == "new") is (style == "direct")
        assert (await session.read())[f"{GE0}/description"] == "new"


async def test_a_confirmed_commit_lasts_when_confirmed_even_from_another_session(park: Park) -> None:
    box = park.cli("ce1", style="commit", lines=LINES)
    async with session_with(box, "commit") as session:
        await session.begin()
        await session.stage(NEW)
        await session.commit_confirmed("t1", 600)
        assert box.is_confirmation_pending()
        assert (await session.read())[f"{GE0}/description"] == "new"
    assert box.is_confirmation_pending()
    async with session_with(box, "commit") as session:
        assert await session.confirm("t1")
        assert not await session.confirm("t1"), "there is none any more"
        await session.begin()
    assert not box.is_confirmation_pending()
    assert " description new" in box.running()


async def test_a_confirmed_commit_that_nobody_confirms_is_undone(park: Park) -> None:
    box = park.cli("ce1", style="commit", lines=LINES)
    before = box.running()
    async with session_with(box, "commit") as session:
        await session.begin()
        await session.stage(NEW)
        await session.commit_confirmed("t1", 600)
        assert not await session.cancel("t1"), "it has no ids: time or the reverse undoes it"
        assert box.expire_confirmed_commit()
        assert box.running() == before
        assert not await session.confirm("t1")
        await session.release()


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("is_decided", [False, True])
async def test_what_a_crash_left_pending_is_settled_or_undone_from_a_new_session(
    park: Park, is_decided: bool, is_late: bool
) -> None:
    box = park.cli("ce1", style="commit", lines=LINES)
    old = box.running()
    async with session_with(box, "commit") as session:
        await session.begin()
        before = await session.read(NEW.paths)
        await session.stage(NEW)
        await session.commit_confirmed("t1", 600)
    new = box.running()
    if is_late:
        box.expire_confirmed_commit()
    participant = Participant(element="ce1", forward=NEW, before=dict(before))
    with trio.fail_after(PATIENCE_S):
        async with asyncio_loop():
            carrier = Carrier(lab_sessions(CREDENTIAL), note_nothing, trio.lowlevel.checkpoint)
            carry = carrier.settle if is_decided else carrier.undo
            assert await carry("t1", element_of(box, "commit"), participant) == ()
    assert not box.is_confirmation_pending()
    assert sorted(box.running()) == sorted(new if is_decided else old)


async def test_a_box_without_confirmed_commit_says_so(park: Park) -> None:
    async with session_with(park.cli("ce1"), "direct") as session:
        with pytest.raises(ElementError) as refused:
            await session.commit_confirmed("t1", 600)
        assert not await session.confirm("t1")
    assert refused.value.fault is ElementFault.UNSUPPORTED


async def test_a_box_that_somebody_else_holds_is_busy(park: Park, style: str) -> None:
    box = park.cli("ce1", style=style)
    box.hold_lock("operator on console")
    async with session_with(box, style) as session:
        with pytest.raises(ElementError, match="operator on console") as refused:
            await session.begin()
        assert refused.value.is_retryable
        box.release_lock()
        await session.begin()


async def test_a_wrong_enable_password_is_our_fault_and_is_not_told(park: Park) -> None:
    box = park.cli("ce1")
    wrong = Credential(user="admin", password="admin", enable_password="not-this-one")
    error = await refused_connection(box, element_of(box, "direct"), wrong)
    assert error.fault is ElementFault.ACCESS
    assert error.operation == "enable"
    assert "not-this-one" not in str(error)
    nothing = Credential(user="admin", password="admin")
    error = await refused_connection(box, element_of(box, "direct"), nothing)
    assert error.fault is ElementFault.ACCESS
    assert "credential has none" in error.reason


async def test_a_changed_host_key_is_refused(park: Park) -> None:
    box = park.cli("ce1")
    trusted = box.host_key
    box.change_host_key()
    error = await refused_connection(box, element_of(box, "direct", trusted))
    assert error.fault is ElementFault.ACCESS
    assert "host key" in error.reason


async def test_slow_echoes_do_no_harm(park: Park) -> None:
    box = park.cli("ce1", lines=LINES, echo_delay_s=0.002)
    async with session_with(box, "direct") as session:
        await change(session, NEW)
        assert (await session.read())[f"{GE0}/description"] == "new"


async def test_pages_are_turned_where_paging_cannot_be_turned_off(park: Park) -> None:
    lines = [
        line for number in range(60) for line in (f"interface ge{number}", f" description number {number}")
    ]
    box = park.cli("ce1", lines=lines)
    box.faults.add(Fault(kind=FaultKind.LIE, on="terminal length"))
    async with session_with(box, "direct") as session:
        found: Configuration = await session.read()
    assert [found[f"{interface(f'ge{number}')}/description"] for number in range(60)] == [
        f"number {number}" for number in range(60)
    ]


async def test_text_that_looks_like_a_prompt_is_only_text(park: Park) -> None:
    lines = ["interface ge0", " description ce1(config)#", "interface ge1", " description ce1#"]
    async with session_with(park.cli("ce1", lines=lines), "direct") as session:
        found = await session.read()
        await change(session, ConfigurationDiff({f"{GE0}/description": "ce1>"}))
        again = await session.read()
    assert found[f"{GE0}/description"] == "ce1(config)#"
    assert again == {**found, f"{GE0}/description": "ce1>"}


async def test_an_answer_of_ten_megabytes_ends_the_session(park: Park) -> None:
    box = park.cli("ce1")
    box.faults.add(Fault(kind=FaultKind.HUGE_REPLY, on="show running-config", megabytes=10))
    async with session_with(box, "direct") as session:
        with pytest.raises(ElementError, match="8388608 octets") as refused:
            await session.read()
    assert refused.value.fault is ElementFault.PROTOCOL
    assert refused.value.operation == "show running-config"


async def test_secrets_are_sent_by_value_read_by_name_and_told_by_neither_error_nor_native(
    park: Park,
) -> None:
    box = park.cli("ce1")
    user = "/ietf-snmp:snmp/usm/local/user[name='traps']"
    diff = ConfigurationDiff(
        {
            user: None,
            f"{user}/auth/sha/key": "secret:trap-auth",
            f"{user}/priv/aes/key": "secret:trap-priv",
        }
    )
    async with session_with(box, "direct") as session:
        await change(session, diff)
        found = await session.read([user])
        assert found[f"{user}/auth/sha/key"] == "secret:trap-auth"
        assert any(KEY in line for line in box.running())
        shown = session.native(diff)
        assert "secret:trap-auth" in shown
        box.faults.add(Fault(kind=FaultKind.REFUSE, on="snmp-server", message=f"Bad {KEY}"))
        other = ConfigurationDiff({f"{user}/auth/sha/key": "secret:trap-priv"})
        with pytest.raises(ElementError) as refused:
            await change(
                session,
                ConfigurationDiff({**diff.set, **other.set, f"{user}/priv/aes/key": "secret:trap-auth"}),
            )
        for secret in (KEY, KEY[::-1]):
            assert secret not in shown + str(refused.value) + refused.value.tag
        with pytest.raises(ElementError, match="no secret 'nobody'"):
            await session.stage(ConfigurationDiff({f"{GE0}/description": "secret:nobody"}))


async def test_a_command_line_tells_of_no_changes_and_shows_what_its_type_does_not_know(park: Park) -> None:
    async with session_with(park.cli("ce1", lines=LINES), "direct") as session:
        with pytest.raises(ElementError):
            async for _ in session.changes():
                pass
        assert isinstance(session, CliSession)
        assert " mtu 9000" in (await session.read_text()).splitlines()
