"""Sessions by type, so many at a time, and none with who is away."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest
import trio
import trio.testing

from ocs.limits import BREAKER_FAILURES_MAX, BREAKER_PAUSE_S, ELEMENT_CONNECT_TIMEOUT_S
from ocs.provisioning import sessions as sessions_module
from ocs.provisioning.configuration import ConfigurationDiff
from ocs.provisioning.credentials import Credential, Secrets
from ocs.provisioning.element import Element
from ocs.provisioning.element_type import ElementType, NetconfDescription, load_element_types
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.netconf.transport import Transport
from ocs.provisioning.sessions import Sessions
from tests.support.elements import TYPES, YANG, ethernet, interface, lab_sessions
from tests.support.scripted_element import ScriptedElement

Clock: TypeAlias = trio.testing.MockClock
LAB = Credential(user="ocs", password="x")


def box(name: str = "box", type_name: str = "netconf", credential: str = "lab") -> Element:
    return Element(name=name, type_name=type_name, address="::1", port=830, credential=credential)


class Network:
    """Instead of SSH: who is there, and how often each was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.away: ElementFault | None = None
        self.silent = False
        self.calls = 0
        self.open = 0
        self.most_open = 0
        self.elements: list[ScriptedElement] = []
        monkeypatch.setattr(sessions_module, "open_transport", self.open_transport)

    @asynccontextmanager
    async def open_transport(
        self, element: Element, credential: Credential, *, keepalive_s: float
    ) -> AsyncGenerator[Transport]:
        self.calls += 1
        await trio.sleep(0.1)
        if self.silent:
            await trio.sleep_forever()
        if self.away is not None:
            raise ElementError(element=element.name, operation="connect", fault=self.away, reason="away")
        self.elements.append(ScriptedElement())
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            yield self.elements[-1]
        finally:
            self.open -= 1


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(monkeypatch)


async def fault_of(sessions: Sessions, element: Element) -> ElementError:
    with pytest.raises(ElementError) as caught:
        async with sessions.session(element):
            pass
    return caught.value


async def test_a_session_greets_and_says_goodbye(network: Network, autojump_clock: Clock) -> None:
    async with lab_sessions(LAB).session(box()) as session:
        assert session.abilities.candidate
        assert session.element == box()
    assert network.elements[0].said == ["close-session"]
    assert network.open == 0


@pytest.mark.parametrize(
    ("element", "words"), [(box(type_name="toaster"), "toaster"), (box(credential="gone"), "gone")]
)
async def test_what_the_configuration_lacks_is_named_without_a_call(
    network: Network, autojump_clock: Clock, element: Element, words: str
) -> None:
    fault = await fault_of(lab_sessions(LAB), element)
    assert words in fault.reason
    assert not fault.is_retryable
    assert network.calls == 0


async def test_an_element_that_is_away_is_soon_left_alone_and_tried_again_later(
    network: Network, autojump_clock: Clock
) -> None:
    sessions = lab_sessions(LAB)
    network.away = ElementFault.UNREACHABLE
    for _ in range(BREAKER_FAILURES_MAX):
        assert (await fault_of(sessions, box())).reason == "away"
    left = await fault_of(sessions, box())
    assert left.fault is ElementFault.UNREACHABLE
    assert "left alone" in left.reason
    assert "away" in left.reason
    assert network.calls == BREAKER_FAILURES_MAX
    network.away = None
    async with sessions.session(box("other")):
        pass
    await trio.sleep(BREAKER_PAUSE_S)
    async with sessions.session(box()):
        pass
    assert sessions._breakers == {}, "nothing is remembered of who is well"


async def test_who_comes_while_one_tries_is_refused_at_once(network: Network, autojump_clock: Clock) -> None:
    sessions = lab_sessions(LAB)
    network.away = ElementFault.ACCESS
    for _ in range(BREAKER_FAILURES_MAX):
        await fault_of(sessions, box())
    await trio.sleep(BREAKER_PAUSE_S)
    network.away, network.calls = None, 0

    async def try_it() -> None:
        async with sessions.session(box()):
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(try_it)
        await trio.testing.wait_all_tasks_blocked()
        assert "left alone" in (await fault_of(sessions, box())).reason
    assert network.calls == 1


async def test_what_goes_wrong_inside_a_session_is_not_the_way_s_fault(
    network: Network, autojump_clock: Clock
) -> None:
    sessions = lab_sessions(LAB)
    for _ in range(BREAKER_FAILURES_MAX + 1):
        with pytest.raises(ElementError, match="in the middle"):
            async with sessions.session(box()):
                raise ElementError(
                    element="box", operation="commit", fault=ElementFault.UNREACHABLE, reason="in the middle"
                )
    assert network.calls == BREAKER_FAILURES_MAX + 1
    assert network.open == 0


async def test_connecting_is_bounded_in_time(network: Network, autojump_clock: Clock) -> None:
    network.silent = True
    before_s = trio.current_time()
    fault = await fault_of(lab_sessions(LAB), box())
    assert fault.fault is ElementFault.UNREACHABLE
    assert trio.current_time() - before_s == ELEMENT_CONNECT_TIMEOUT_S


async def test_who_gives_up_while_connecting_leaves_no_trace(network: Network, autojump_clock: Clock) -> None:
    network.silent = True
    sessions = lab_sessions(LAB)
    for _ in range(BREAKER_FAILURES_MAX + 1):
        with trio.move_on_after(1):
            await fault_of(sessions, box())
    assert sessions._breakers == {}
    assert sessions._of_element == {}


async def test_an_element_has_no_more_sessions_than_its_type_bears(
    network: Network, autojump_clock: Clock
) -> None:
    types = {
        "netconf": ElementType(
            name="netconf", sessions_max=2, netconf=NetconfDescription(modules=("ietf-system",))
        )
    }
    sessions = Sessions(types, {"lab": LAB}, Secrets({}), yang_folders=[YANG], sessions_max=3)

    async def use(name: str) -> None:
        async with sessions.session(box(name)):
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(use, "one")
    assert network.most_open == 2
    network.most_open = 0
    async with trio.open_nursery() as nursery:
        for number in range(9):
            nursery.start_soon(use, f"box-{number}")
    assert network.most_open == 3, "with all elements together"
    assert sessions._of_element == {}


def test_native_and_canonical_need_no_connection() -> None:
    sessions: Any = lab_sessions(LAB)
    assert "<name>a</name>" in sessions.native(box(), ConfigurationDiff(ethernet("a")))
    path = interface("a") + "/ietf-ip:ipv4/mtu"
    assert sessions.canonical(box(), {path: "+1500"}) == {path: "1500"}
    with pytest.raises(ElementError) as refused:
        sessions.canonical(box(type_name="yuma"), {path: "1500"})
    assert (refused.value.fault, "ietf-ip" in refused.value.reason) == (ElementFault.UNSUPPORTED, True)
    with pytest.raises(ElementError):
        sessions.native(box(), ConfigurationDiff({"/nowhere:x": "1"}))


def test_modules_that_are_not_there_are_named(tmp_path: Any) -> None:
    sessions = Sessions(load_element_types(TYPES), {}, Secrets({}), yang_folders=[tmp_path])
    with pytest.raises(ElementError, match="iana-if-type") as refused:
        sessions.schema(box())
    assert refused.value.fault is ElementFault.UNSUPPORTED


async def test_a_session_may_last_longer_than_connecting_may(network: Network, autojump_clock: Clock) -> None:
    async with lab_sessions(LAB).session(box()):
        await trio.sleep(10 * ELEMENT_CONNECT_TIMEOUT_S)
    assert network.elements[0].said == ["close-session"]


async def test_who_gives_up_a_trial_leaves_it_to_the_next(network: Network, autojump_clock: Clock) -> None:
    sessions = lab_sessions(LAB)
    network.away = ElementFault.UNREACHABLE
    for _ in range(BREAKER_FAILURES_MAX):
        await fault_of(sessions, box())
    await trio.sleep(BREAKER_PAUSE_S)
    network.away, network.silent = None, True
    with trio.move_on_after(1):
        await fault_of(sessions, box())
    network.silent = False
    async with sessions.session(box()):
        pass
