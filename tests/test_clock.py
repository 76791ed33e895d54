"""The clock port: wall time comes in here, and only here."""

import time

from ocs.clock import Clock, ManualClock, SystemClock


def test_system_clock_tells_milliseconds_since_1970() -> None:
    clock: Clock = SystemClock()
    before, now, after = time.time_ns(), clock.now_ms(), time.time_ns()
    assert before // 1_000_000 <= now <= after // 1_000_000


def test_manual_clock_stands_still_until_it_is_told_to_move() -> None:
    clock = ManualClock(1_000)
    assert clock.now_ms() == clock.now_ms() == 1_000
    clock.advance_ms(86_400_000)
    assert clock.now_ms() == 86_401_000
