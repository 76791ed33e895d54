"""Who promises a sign of life and gives none is silent; an outage of ours is no silence of theirs."""

from ocs.faults.alarm import AlarmKey, AlarmSignal, Severity
from ocs.faults.supervision.silence import SILENT_ELEMENT, Silence

HEARTBEATS = {"core": 10_000, "cell": 60_000}
NOW_MS = 1_790_000_000_000


def silence(kept: bytes | None = None, silent: tuple[str, ...] = (), at_ms: int = 0) -> Silence:
    return Silence(HEARTBEATS, kept, silent, steady_ms=at_ms)


def said(signals: list[AlarmSignal]) -> dict[str, Severity]:
    assert all(signal.key == AlarmKey(signal.key.resource, SILENT_ELEMENT) for signal in signals)
    return {signal.key.resource: signal.severity for signal in signals}


def test_element_is_silent_after_two_intervals_and_told_once() -> None:
    watch = silence()
    assert watch.look(20_000, NOW_MS) == []
    assert said(watch.look(20_001, NOW_MS)) == {"core": Severity.MAJOR}
    assert watch.look(90_000, NOW_MS) == []
    assert said(watch.look(120_001, NOW_MS)) == {"cell": Severity.MAJOR}


def test_element_that_is_heard_of_is_not_silent_and_one_that_was_is_no_longer() -> None:
    watch = silence()
    assert watch.hear(["core", "stranger"], 15_000, NOW_MS) == []
    assert watch.look(35_000, NOW_MS) == []
    watch.look(35_001, NOW_MS)
    assert said(watch.hear(["core"], 36_000, NOW_MS)) == {"core": Severity.CLEARED}
    assert watch.look(40_000, NOW_MS) == []


def test_outage_of_ours_makes_nobody_silent_but_does_not_forget_who_was_on_the_way() -> None:
    before = silence()
    before.hear(["cell"], 15_000, NOW_MS)
    kept = before.keep(15_000)
    # An hour later, on another machine's clock.
    after = silence(kept, at_ms=3_600_000)
    assert after.look(3_605_000, NOW_MS) == []
    assert said(after.look(3_605_001, NOW_MS)) == {"core": Severity.MAJOR}


def test_time_in_which_we_heard_nobody_does_not_count() -> None:
    watch = silence()
    watch.look(5_000, NOW_MS)
    watch.pause(65_000)
    assert watch.look(80_000, NOW_MS) == []
    assert said(watch.look(80_001, NOW_MS)) == {"core": Severity.MAJOR}


def test_alarm_that_stood_before_a_restart_is_cleared_by_the_next_sign_of_life() -> None:
    watch = silence(silent=("core",))
    assert watch.look(100_000, NOW_MS) == []
    assert said(watch.hear(["core"], 100_001, NOW_MS)) == {"core": Severity.CLEARED}


def test_alarm_of_an_element_that_is_no_longer_supervised_is_cleared() -> None:
    watch = silence(silent=("removed",))
    assert said(watch.look(0, NOW_MS)) == {"removed": Severity.CLEARED}
    assert watch.look(1, NOW_MS) == []


def test_silent_element_that_answers_when_asked_lives_and_is_less_severe() -> None:
    watch = silence()
    watch.look(20_001, NOW_MS)
    assert watch.note_answer("core", answers=False, now_ms=NOW_MS) == []
    (lives,) = watch.note_answer("core", answers=True, now_ms=NOW_MS)
    assert lives.severity is Severity.WARNING
    assert "answers" in lives.text
    assert watch.note_answer("core", answers=True, now_ms=NOW_MS) == []
    assert said(watch.note_answer("core", answers=False, now_ms=NOW_MS)) == {"core": Severity.MAJOR}


def test_answer_of_an_element_that_is_not_silent_says_nothing() -> None:
    watch = silence()
    assert watch.note_answer("core", answers=True, now_ms=NOW_MS) == []
    assert watch.note_answer("core", answers=False, now_ms=NOW_MS) == []
    assert watch.silent == frozenset()


def test_what_cannot_be_read_of_before_is_nothing() -> None:
    assert silence(b"\xc1junk").look(1_000, NOW_MS) == []
