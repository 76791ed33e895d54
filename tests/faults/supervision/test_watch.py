"""The task that finds silent elements: what it is told and what it says, as time passes."""

from collections.abc import Sequence

import trio
import trio.testing

from ocs.clock import ManualClock
from ocs.faults.alarm import AlarmSignal, Severity
from ocs.faults.supervision.silence import Silence
from ocs.faults.supervision.watch import SILENCES, SilenceWatch
from ocs.limits import SILENCES_KEPT_INTERVAL_S

NOW_MS = 1_790_000_000_000


class Pump:
    def __init__(self) -> None:
        self.is_stuck = False
        self.heard: set[str] = set()
        self.signals: list[AlarmSignal] = []
        self.kept: dict[str, bytes] = {}

    def take_heard(self) -> set[str]:
        heard, self.heard = self.heard, set()
        return heard

    def put_signals(self, signals: Sequence[AlarmSignal]) -> None:
        self.signals += signals

    def keep(self, name: str, octets: bytes) -> None:
        self.kept[name] = octets

    @property
    def said(self) -> list[tuple[str, Severity]]:
        return [(signal.key.resource, signal.severity) for signal in self.signals]


class Lab:
    def __init__(self) -> None:
        self.pump = Pump()
        self.clock = ManualClock(NOW_MS)
        self.silent: list[str] = []
        self.watch = SilenceWatch(
            {"core": 10_000},
            None,
            (),
            pump=self.pump,
            clock=self.clock,
            element_of=lambda source: {"10.0.0.1": "core"}.get(source, source),
            on_silent=self.silent.append,
        )

    def pass_ms(self, elapsed_ms: int) -> None:
        self.clock.advance_ms(elapsed_ms)
        self.watch.look()


def test_sign_of_life_from_any_address_counts_for_the_element() -> None:
    lab = Lab()
    lab.pass_ms(15_000)
    lab.pump.heard = {"10.0.0.1"}
    lab.pass_ms(1_000)
    lab.pass_ms(20_000)
    assert lab.pump.said == []
    lab.pass_ms(1)
    assert lab.pump.said == [("core", Severity.MAJOR)]
    assert lab.silent == ["core"], "it is asked"


def test_nobody_becomes_silent_while_the_store_does_not_answer() -> None:
    lab = Lab()
    lab.pump.is_stuck = True
    for _ in range(100):
        lab.pass_ms(1_000)
    lab.pump.is_stuck = False
    lab.pass_ms(10_000)
    assert lab.pump.said == []


def test_nobody_becomes_silent_when_the_clock_is_set() -> None:
    lab = Lab()
    lab.clock.leap_ms(86_400_000)
    lab.pass_ms(1_000)
    assert lab.pump.said == []


def test_nobody_becomes_silent_because_we_stood_still() -> None:
    lab = Lab()
    lab.clock.advance_ms(3_600_000)
    lab.watch.look(is_late=True)
    assert lab.pump.said == []


def test_answer_of_a_silent_element_is_told() -> None:
    lab = Lab()
    lab.pass_ms(20_001)
    lab.watch.note_answer("core", answers=True)
    assert lab.pump.said == [("core", Severity.MAJOR), ("core", Severity.WARNING)]


async def test_silences_are_kept_for_the_next_life(autojump_clock: trio.testing.MockClock) -> None:
    del autojump_clock
    lab = Lab()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lab.watch.run)
        await trio.sleep(SILENCES_KEPT_INTERVAL_S + 2)
        nursery.cancel_scope.cancel()
    restored = Silence({"core": 10_000}, lab.pump.kept[SILENCES], (), steady_ms=0)
    assert restored.look(20_000, NOW_MS) == []
    assert restored.look(20_001, NOW_MS) != []
