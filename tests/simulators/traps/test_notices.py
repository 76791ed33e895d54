"""What elements say is understood as what is meant, by the rules that come with the system."""

import pytest

from simulators.traps import notices
from simulators.traps.notices import Notice
from simulators.traps.stories import CARD_FAILED, FAN_FAILED, LINK_DOWN, PEER_DOWN, Sending
from tests.support.trap_lab import TrapLab, lab

TOLD = [
    (notices.link(2, "xe-2/0", is_up=False), "core-1/if/2", LINK_DOWN),
    (notices.neighbour("10.1.2.3", is_up=False), "core-1/bgp/10.1.2.3", PEER_DOWN),
    (notices.card("2", is_up=False), "core-1/card/2", CARD_FAILED),
    (notices.fan(4, state=2), "core-1/fan/4", FAN_FAILED),
]


@pytest.mark.parametrize(("notice", "resource", "alarm_type"), TOLD, ids=[case[2] for case in TOLD])
def test_notice_raises_its_alarm(notice: Notice, resource: str, alarm_type: str) -> None:
    laboratory = TrapLab(lab()[1])
    laboratory.play([Sending("127.255.0.1", notice, 1)])
    assert [(seen.key, seen.is_cleared) for seen in laboratory.seen()] == [((resource, alarm_type), False)]


def test_start_is_a_cold_start() -> None:
    laboratory = TrapLab(lab()[1])
    laboratory.play([Sending("127.255.0.1", notices.start(), 1)])
    assert [seen.key for seen in laboratory.seen()] == [("core-1", "restarted")]
