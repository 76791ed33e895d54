"""Asking and waiting, with elements that answer badly or not at all."""

import pytest
import trio
import trio.testing

from ocs.limits import ELEMENT_FAREWELL_TIMEOUT_S, NETCONF_NOTIFICATIONS_MAX
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.netconf import operations
from ocs.provisioning.netconf.conversation import Conversation
from ocs.provisioning.netconf.documents import XmlElement, names_of
from ocs.provisioning.netconf.framing import frame
from tests.support.scripted_element import ScriptedElement

NOTE = frame(
    b"<notification xmlns='urn:ietf:params:xml:ns:netconf:notification:1.0'><eventTime>t</eventTime></notification>",
    is_chunked=True,
)


async def conversation_with(element: ScriptedElement) -> Conversation:
    conversation = Conversation("box", element, octets_max=100_000)
    await conversation.open(5)
    return conversation


@pytest.mark.parametrize("cuts", [1, 3, 1_000])
async def test_an_answer_comes_back_however_it_is_cut(cuts: int) -> None:
    element = ScriptedElement()
    element.cuts = cuts
    conversation = await conversation_with(element)
    reply = await conversation.call(operations.discard_changes(), 5)
    assert reply.errors == ()
    assert conversation.is_open
    assert conversation.session_id == 5


async def test_no_hello_no_answer_and_half_an_answer_are_waited_for_so_long(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with pytest.raises(ElementError, match="no answer within 5 s") as silent:
        await conversation_with(ScriptedElement(hello=b"<hel"))
    assert (silent.value.operation, silent.value.fault) == ("hello", ElementFault.UNREACHABLE)
    for inside in (None, b"\n#1000\n<rpc-re"):
        conversation = await conversation_with(ScriptedElement(script=lambda _, inside=inside: inside))
        before_s = trio.current_time()
        with pytest.raises(ElementError, match="box: discard-changes: no answer within 7 s") as late:
            await conversation.call(operations.discard_changes(), 7)
        assert trio.current_time() - before_s == 7
        assert late.value.fault is ElementFault.UNREACHABLE
        assert not late.value.is_outcome_known
        assert not conversation.is_open
        with pytest.raises(ElementError, match="over"):
            await conversation.call(operations.discard_changes(), 7)
    assert autojump_clock


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\n#104857600\n", "more than 100000 octets"),
        (
            frame(
                b"<rpc-reply xmlns='urn:ietf:params:xml:ns:netconf:base:1.0' message-id='99'/>",
                is_chunked=True,
            ),
            "99",
        ),
        (frame(b"<html/>", is_chunked=True), "html"),
        (b"% Invalid input", "chunk"),
        (frame(b"<!DOCTYPE x><rpc-reply/>", is_chunked=True), "document type"),
    ],
)
async def test_what_is_no_answer_ends_the_session_with_what_came(answer: bytes, words: str) -> None:
    conversation = await conversation_with(ScriptedElement(script=lambda _: answer))
    with pytest.raises(ElementError) as broken:
        await conversation.call(operations.discard_changes(), 5)
    assert broken.value.fault is ElementFault.PROTOCOL
    assert words in broken.value.reason
    assert not conversation.is_open


@pytest.mark.parametrize(
    ("given", "words"), [(b"", "before its answer"), (b"\n#9\n<rpc", "in the middle of a message")]
)
async def test_an_element_that_hangs_up_is_unreachable_and_where_is_told(given: bytes, words: str) -> None:
    element = ScriptedElement(script=lambda _: given)
    conversation = await conversation_with(element)

    async def hang_up() -> None:
        await trio.testing.wait_all_tasks_blocked()
        element.hang_up()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hang_up)
        with pytest.raises(ElementError, match=words) as gone:
            await conversation.call(operations.discard_changes(), 5)
    assert gone.value.fault is ElementFault.UNREACHABLE


async def test_notifications_between_answers_are_kept_in_their_order() -> None:
    element = ScriptedElement()
    conversation = await conversation_with(element)
    element.give(NOTE + NOTE)
    await conversation.call(operations.discard_changes(), 5)
    element.give(NOTE)
    for _ in range(3):
        assert (await conversation.notification()).event_time == "t"
    element.hang_up()
    with pytest.raises(ElementError):
        await conversation.notification()


async def test_notifications_without_end_before_an_answer_end_the_session() -> None:
    element = ScriptedElement()
    conversation = await conversation_with(element)
    element.give(NOTE * (NETCONF_NOTIFICATIONS_MAX + 1))
    with pytest.raises(ElementError, match="notifications"):
        await conversation.call(operations.discard_changes(), 5)
    assert not conversation.is_open


async def test_who_is_cancelled_leaves_a_session_that_nobody_uses(
    autojump_clock: trio.testing.MockClock,
) -> None:
    conversation = await conversation_with(ScriptedElement(script=lambda _: None))
    with trio.move_on_after(1):
        await conversation.call(operations.discard_changes(), 100)
    assert not conversation.is_open
    assert autojump_clock


async def test_goodbye_is_said_and_not_waited_for_long(autojump_clock: trio.testing.MockClock) -> None:
    def silent_at_the_end(operation: XmlElement) -> str | None:
        return None if names_of(operation)[1] == "close-session" else "<ok/>"

    element = ScriptedElement(script=silent_at_the_end)
    conversation = await conversation_with(element)
    before_s = trio.current_time()
    await conversation.close()
    assert element.said == ["close-session"]
    assert trio.current_time() - before_s == ELEMENT_FAREWELL_TIMEOUT_S
    await conversation.close()
    assert element.said == ["close-session"]
    assert autojump_clock
