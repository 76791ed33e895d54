"""Outboxes: first in, first out; bounded; what was given up stays to be seen."""

import pytest

from ocs.faults.notices import outbox as module
from ocs.faults.notices.outbox import Outbox
from tests.support.alarm_lab import alarm_server, lab
from tests.support.alarms import NOW_MS, alarm_of, change_of

__all__ = ["alarm_server", "lab"]

pytestmark = pytest.mark.bounded(60)

CHANGES = [change_of(alarm_of(f"router{number}")) for number in range(5)]


@pytest.fixture
def outbox(lab) -> Outbox:
    return Outbox(lab.client)


def test_what_waits_longest_comes_first_and_leaves_when_it_is_done(outbox):
    outbox.put("noc", CHANGES)
    first = outbox.waiting("noc", 2)
    assert first == CHANGES[:2]
    outbox.done("noc", first)
    assert outbox.waiting("noc", 10) == CHANGES[2:]
    assert outbox.length("noc") == 3


def test_recipients_have_outboxes_of_their_own(outbox):
    outbox.put("noc", CHANGES)
    outbox.put("night", [])
    assert outbox.waiting("night", 10) == []


def test_too_many_lose_the_oldest_even_while_they_are_sent(outbox, monkeypatch):
    monkeypatch.setattr(module, "NOTICES_WAITING_MAX", 3)
    outbox.put("noc", CHANGES[:3])
    sending = outbox.waiting("noc", 2)
    outbox.put("noc", CHANGES[3:])
    outbox.done("noc", sending)
    assert outbox.waiting("noc", 10) == CHANGES[2:]


def test_what_was_given_up_is_kept_the_latest_first(outbox, monkeypatch):
    monkeypatch.setattr(module, "NOTICES_DEAD_MAX", 2)
    outbox.put("noc", CHANGES)
    for number, change in enumerate(CHANGES[:3]):
        outbox.bury("noc", [change], f"reason {number}", NOW_MS)
    assert [(one.change, one.reason) for one in outbox.dead("noc")] == [
        (CHANGES[2], "reason 2"),
        (CHANGES[1], "reason 1"),
    ]
    assert outbox.waiting("noc", 10) == CHANGES[3:]
