"""Plays a story against a running system: writes its packets, sends them, and waits until the list is as it must be."""

import time
from collections.abc import Callable
from typing import Final

import msgspec

from simulators.reports import Expectation
from simulators.traps.alarm_list import AlarmList
from simulators.traps.judging import differences
from simulators.traps.packets import PacketWriter, Speech, Templates
from simulators.traps.sender import Datagram, Sender, Sent
from simulators.traps.stories import Act, Story

# Of four octets in BER, which is what templates have room for.
_REQUEST_ID_MIN: Final = 1 << 24
_REQUEST_IDS: Final = 1 << 30
_LOOK_EVERY_S: Final = 0.2
# The elements' uptime follows this machine's clock, so that what is played later is later for the server too: between
# two days and four months, which is four octets in BER.
_UPTIME_TICKS_MIN: Final = 1 << 24
_UPTIME_PERIOD_TICKS: Final = 1 << 30

Say = Callable[[str], None]


class Played(msgspec.Struct):
    """What a play came to: what ``--json`` holds."""

    scenario: str
    elapsed_s: float
    sent: Sent
    expectations: list[Expectation]
    seed: int = 0


def uptime_ticks(now_s: float) -> int:
    """The uptime of all elements at a time."""
    return _UPTIME_TICKS_MIN + int(now_s * 100) % _UPTIME_PERIOD_TICKS


def packets(act: Act, speech: Speech, begin_ticks: int, first_request: int = 0) -> list[Datagram]:
    """An act's datagrams; one that is sent twice is the same datagram twice."""
    templates = Templates(speech)
    writers = {
        address: PacketWriter(speech, address, templates=templates)
        for address in sorted({sending.address for sending in act.sendings})
    }
    written: dict[int, Datagram] = {}
    found: list[Datagram] = []
    for sending in act.sendings:
        datagram = written.get(id(sending))
        if datagram is None:
            request_id = _REQUEST_ID_MIN + (first_request + len(written)) % _REQUEST_IDS
            octets = writers[sending.address].write(
                sending.notice, begin_ticks + sending.at_ticks, request_id
            )
            datagram = Datagram(sending.address, octets, request_id if speech.is_inform else 0)
            written[id(sending)] = datagram
        found.append(datagram)
    return found


def play(
    story: Story,
    alarms: AlarmList,
    sender: Sender,
    speech: Speech,
    *,
    duration_s: float = 0.0,
    patience_s: float = 20.0,
    say: Say = print,
    watch: Callable[[Act], None] = lambda _: None,
) -> Played:
    """Play all acts and judge the list after each.

    Args:
        duration_s: how long the sending of all acts lasts; 0: as fast as it goes.
        patience_s: how long the list may take to come to what is expected.
        watch: called after each act, when the list is as expected or patience is over.

    Raises:
        AlarmListError: the list cannot be read.
    """
    begin_s = time.monotonic()
    # Written before anything is sent: behind the elements' clocks by as long as it takes.
    begin_ticks = story.begin_ticks or uptime_ticks(time.time())
    written: list[list[Datagram]] = []
    for act in story.acts:
        written.append(packets(act, speech, begin_ticks, begin_ticks + sum(map(len, written))))
    before = alarms.of(story.elements)
    per_s = story.sendings / duration_s if duration_s else 0.0
    expectations: list[Expectation] = []
    for act, datagrams in zip(story.acts, written, strict=True):
        say(f"  {act.name}: {len(datagrams)} notifications")
        sender.play(datagrams, per_s=per_s)
        faults: list[str] = []
        give_up_s = time.monotonic() + patience_s
        while True:
            faults = differences(act.expected, alarms.of(story.elements), story.elements, before=before)
            if not faults or time.monotonic() > give_up_s:
                break
            time.sleep(_LOOK_EVERY_S)
        name = f'after "{act.name}" the alarm list is exactly as expected'
        expectations.append(Expectation(name, len(act.expected), faults, len(faults)))
        watch(act)
    sent = sender.sent
    if speech.is_inform:
        lost = [f"request-id {request_id}" for request_id in sent.lost]
        expectations.append(
            Expectation("every inform is acknowledged", sent.acknowledged + len(lost), lost, len(lost))
        )
    # No element's clock is ahead of the next play.
    time.sleep(max(0.0, story.ticks / 100 - (time.monotonic() - begin_s)))
    return Played(story.name, time.monotonic() - begin_s, sent, expectations)
