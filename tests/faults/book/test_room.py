"""The list under attack: whoever forges datagrams leaves room for the elements, and it is said when there is none."""

import msgspec
import pytest

from ocs.faults.alarm import Alarm, AlarmSignal, Severity
from ocs.faults.book import room
from ocs.faults.book.room import FULL_TYPE, LIST_RESOURCE
from ocs.faults.topology.port import NoTopology, Topology
from tests.support.signals import Office, chain, cleared, raised

CORE, AGG = "10.0.0.1", "10.0.0.2"


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ALARMS_MAX", 20)
    monkeypatch.setattr(room, "ALARMS_OF_STRANGERS_MAX", 8)
    monkeypatch.setattr(room, "ALARMS_PER_STRANGER_MAX", 3)


class Lab(Office):
    """An office that says who sends."""

    def __init__(self, topology: Topology | None = None) -> None:
        super().__init__(chain() if topology is None else topology)
        self._now_ms = 1_000

    def raise_of(self, source: str, number: int = 1, *, is_vouched: bool = False) -> int:
        """How many of them the list refused."""
        signal = raised(f"{source}/if/{number}", at_ms=self._tick())
        return self.take(_from(signal, source, is_vouched=is_vouched)).refused

    def clear_of(self, source: str, number: int = 1) -> None:
        self.take(_from(cleared(f"{source}/if/{number}", at_ms=self._tick()), source))

    def held(self, prefix: str = "") -> int:
        return sum(alarm.key.resource.startswith(prefix) for alarm in self.book.alarms())

    def full(self, qualifier: str = "") -> Alarm | None:
        """What is said of the list."""
        found = [alarm for alarm in self.book.alarms() if alarm.key.resource == LIST_RESOURCE]
        assert {alarm.key.alarm_type for alarm in found} <= {FULL_TYPE}
        return next((alarm for alarm in found if alarm.key.qualifier == qualifier), None)

    def _tick(self) -> int:
        self._now_ms += 1
        return self._now_ms


def _from(signal: AlarmSignal, source: str, *, is_vouched: bool = False) -> AlarmSignal:
    return msgspec.structs.replace(signal, source=source, is_vouched=is_vouched)


def flood(lab: Lab, sources: int = 30, each: int = 2) -> int:
    return sum(
        lab.raise_of(f"198.51.100.{source}", number) for source in range(sources) for number in range(each)
    )


def test_forged_sources_leave_the_elements_their_room() -> None:
    lab = Lab()
    assert flood(lab) > 0
    assert lab.held("198.") == 8
    assert sum(lab.raise_of(CORE, number) for number in range(11)) == 0
    assert lab.held("10.") == 11


def test_one_stranger_has_a_share_of_its_own() -> None:
    lab = Lab()
    assert [lab.raise_of("198.51.100.1", number) for number in range(5)] == [0, 0, 0, 1, 1]
    assert lab.raise_of("198.51.100.2") == 0


def test_strangers_at_their_share_make_room_among_themselves() -> None:
    lab = Lab()
    for number in range(3):
        lab.raise_of(CORE, number)
        lab.clear_of(CORE, number)
        lab.raise_of("198.51.100.1", number)
    lab.clear_of("198.51.100.1", 1)
    assert lab.raise_of("198.51.100.1", 7) == 0, "its own that is over goes"
    assert lab.book.alarm(raised("198.51.100.1/if/1").key.alarm_id) is None
    flood(lab)
    assert lab.held(CORE) == 3


def test_full_list_gives_what_strangers_have_cleared_for_an_element() -> None:
    lab = Lab()
    lab.raise_of(CORE, 50)
    lab.clear_of(CORE, 50)
    for number in range(3):
        lab.raise_of("198.51.100.1", number)
    lab.clear_of("198.51.100.1", 2)
    for number in range(18):
        assert lab.raise_of(AGG, number) == 0
    assert lab.held("198.") == 2
    assert lab.held(CORE) == 0, "and then the oldest of the elements'"
    assert lab.raise_of(AGG, 99) == 1
    assert lab.raise_of("198.51.100.2") == 1


def test_who_has_proved_who_it_is_is_no_stranger() -> None:
    lab = Lab()
    flood(lab)
    assert lab.raise_of("198.51.100.99") == 1
    assert lab.raise_of("198.51.100.99", is_vouched=True) == 0


def test_where_nothing_is_described_all_share_alike() -> None:
    lab = Lab(NoTopology())
    assert [lab.raise_of("198.51.100.1", number) for number in range(20)] == [0] * 20
    assert lab.raise_of(CORE) == 1


def test_that_strangers_find_no_room_is_an_alarm_until_there_is_some() -> None:
    lab = Lab()
    flood(lab)
    said = lab.full("unknown-sources")
    assert said is not None
    assert (said.severity, said.is_cleared, said.occurrences) == (Severity.MINOR, False, 1)
    assert lab.full() is None
    lab.clear_of("198.51.100.0", 0)
    lab.clear_of("198.51.100.0", 1)
    assert _is_cleared(lab.full("unknown-sources"))
    flood(lab)
    said = lab.full("unknown-sources")
    assert said is not None
    assert (said.is_cleared, said.occurrences) == (False, 2)


def test_a_stranger_that_fills_its_own_share_is_told_until_it_has_cleared() -> None:
    lab = Lab()
    for number in range(4):
        lab.raise_of("198.51.100.1", number)
    said = lab.full("unknown-sources")
    assert said is not None
    assert "198.51.100.1" in said.text
    lab.raise_of("198.51.100.2")
    assert not said.is_cleared
    lab.clear_of("198.51.100.1", 0)
    assert _is_cleared(lab.full("unknown-sources"))


def test_that_the_list_is_full_is_an_alarm_that_always_has_room() -> None:
    lab = Lab()
    refused = sum(lab.raise_of(CORE, number) for number in range(25))
    assert refused == 5
    said = lab.full()
    assert said is not None
    assert (said.severity, said.is_cleared) == (Severity.CRITICAL, False)
    assert len(lab.book) == 21
    lab.clear_of(CORE, 0)
    assert not _is_cleared(lab.full()), "it stays near its bound"
    lab.clear_of(CORE, 1)
    assert _is_cleared(lab.full())


def test_what_was_said_before_a_restart_is_taken_back_after_it() -> None:
    lab = Lab()
    for number in range(25):
        lab.raise_of(CORE, number)
    lab.restart()
    assert lab.raise_of(CORE, 99) == 1
    said = lab.full()
    assert said is not None
    assert said.occurrences == 1
    for number in range(3):
        lab.clear_of(CORE, number)
    assert _is_cleared(lab.full())
    lab.restart()
    assert lab.raise_of("198.51.100.1") == 0


def test_strangers_of_before_a_restart_count_after_it() -> None:
    lab = Lab()
    flood(lab)
    lab.restart()
    assert lab.raise_of("198.51.100.200") == 1
    assert lab.raise_of(CORE) == 0


def test_very_many_that_flap_are_not_all_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_PASSED_OVER_MAX", 2)
    lab = Lab()
    now_ms = 2_000
    for number in range(20):
        for _ in range(10):
            now_ms += 1
            lab.take(_from(raised(f"core/if/{number}", at_ms=now_ms), CORE))
            lab.take(_from(cleared(f"core/if/{number}", at_ms=now_ms), CORE))
    assert all(alarm.is_flapping for alarm in lab.book.alarms())
    assert lab.take(_from(raised("agg/if/1", at_ms=now_ms), AGG)).refused == 0


def _is_cleared(alarm: Alarm | None) -> bool:
    assert alarm is not None
    return alarm.is_cleared
