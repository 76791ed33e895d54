"""A story is played act by act, and the list is judged after each."""

from random import Random
from typing import Any

from simulators.traps.notices import link
from simulators.traps.packets import V2C, Speech
from simulators.traps.play import packets, play, uptime_ticks
from simulators.traps.scenarios import card_failure
from simulators.traps.sender import Datagram, Sent
from simulators.traps.stories import Act, Sending
from tests.support.trap_lab import TrapLab, lab


class Wire:
    """Takes datagrams to the fault room without sockets; ``lose`` drops every so-many-th."""

    def __init__(self, laboratory: TrapLab, lose: int = 0) -> None:
        self.sent = Sent()
        self._laboratory = laboratory
        self._lose = lose

    def play(self, datagrams: list[Datagram], *, per_s: float = 0.0) -> None:
        for number, datagram in enumerate(datagrams, 1):
            self.sent.sent += 1
            if not self._lose or number % self._lose:
                self._laboratory.take([datagram.octets], datagram.address)
        self._laboratory.settle()


class Shown:
    def __init__(self, laboratory: TrapLab) -> None:
        self._laboratory = laboratory

    def of(self, elements: frozenset[str]) -> Any:
        return [seen for seen in self._laboratory.seen() if seen.resource.partition("/")[0] in elements]


def played(lose: int = 0) -> list[bool]:
    network, topology = lab()
    laboratory = TrapLab(topology)
    wire: Any = Wire(laboratory, lose)
    alarms: Any = Shown(laboratory)
    story = card_failure(network, Random(1), 10)
    result = play(story, alarms, wire, Speech(V2C), patience_s=0.1, say=lambda _: None)
    assert result.sent.sent == story.sendings
    return [expectation.met for expectation in result.expectations]


def test_story_that_arrives_is_as_expected() -> None:
    assert played() == [True, True]


def test_story_of_which_traps_are_lost_is_not() -> None:
    assert played(lose=2) != [True, True]


def test_notice_that_is_sent_twice_is_one_datagram_twice() -> None:
    sending = Sending("127.0.0.7", link(1, "a", is_up=False), 1)
    other = Sending("127.0.0.7", link(1, "a", is_up=False), 1)
    first, second, third = packets(
        Act("x", [sending, sending, other], []), Speech(V2C, is_inform=True), 20_000_000
    )
    assert first == second
    assert third.request_id == first.request_id + 1 and third.octets != first.octets


def test_uptime_of_elements_goes_with_time() -> None:
    assert uptime_ticks(1_790_000_001.0) - uptime_ticks(1_790_000_000.0) == 100
    assert all(1 << 24 <= uptime_ticks(now_s) < 1 << 31 for now_s in range(0, 2_000_000_000, 1_234_567))
