"""Supervision time: the store's clock less our own outages."""

from ocs.balance.store import Heartbeat
from ocs.charging.supervision_clock import SupervisionClock


def test_before_the_first_heartbeat_the_store_s_clock_is_thought_to_be_ours() -> None:
    clock = SupervisionClock(4_000)
    assert clock.at(1_000) == clock.store_time_of(5_000) == 5_000


def test_store_s_clock_counts_and_not_ours() -> None:
    clock = SupervisionClock()
    clock.adjust(Heartbeat(100_000, 0), 70_000)
    assert clock.at(71_000) == 101_000


def test_an_outage_moves_every_deadline_by_its_length() -> None:
    clock = SupervisionClock()
    clock.adjust(Heartbeat(100_000, 0), 100_000)
    deadline_ms = clock.at(100_000) + 60_000
    clock.adjust(Heartbeat(400_000, 300_000), 400_000)
    assert clock.at(400_000) == 100_000
    assert clock.at(459_999) < deadline_ms <= clock.at(460_000)
    assert clock.store_time_of(deadline_ms) == 460_000
