"""Any order of signals, deeds, restarts and resynchronisations ends in the state that RFC 8632's rules give.

The reference is naive: it keeps every signal that was ever delivered and looks for the newest one, and it keeps what an
operator did as a list. What may be told is checked against what stands, after everything that waits has settled.
"""

from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ocs.faults.alarm import AlarmSignal, Severity
from ocs.faults.book import operator_rules
from ocs.faults.book.administration import PurgeFilter
from ocs.faults.book.maintenance import MaintenanceWindow
from ocs.faults.book.operator_rules import OperatorRuleError
from ocs.faults.book.policy import BookPolicy, EscalationStep
from ocs.faults.operator_axis import OperatorState
from tests.support.signals import COMMUNICATIONS, EQUIPMENT, Office, chain, id_of, raised

# Small steps: everything that waits, waits for a few of them.
POLICY: Final = BookPolicy(
    settling_ms=300,
    flapping_raises=3,
    flapping_half_life_ms=400,
    flapping_ends_below=1.2,
    escalations=(EscalationStep(Severity.MAJOR, 900), EscalationStep(Severity.CRITICAL, 1_500)),
    cleared_kept_ms=0,
)
KEYS: Final = (
    ("agg/card/1", "card-failed"),
    ("agg/if/up", "link-down"),
    ("core/if/0", "link-down"),
    ("agg/if/down", "link-down"),
    ("cell/bgp/10.0.0.1", "bgp-peer-down"),
    ("stranger", "link-down"),
)
# What explains what on this network, written down by hand from the drawing: symptom -> its possible causes.
CAUSES: Final = {
    KEYS[0]: (),
    KEYS[1]: (KEYS[0],),
    KEYS[2]: (KEYS[0], KEYS[1]),
    KEYS[3]: (KEYS[0],),
    KEYS[4]: (KEYS[0], KEYS[1], KEYS[2], KEYS[3]),
    KEYS[5]: (),
}
SEVERITIES: Final = (Severity.CLEARED, Severity.MINOR, Severity.MAJOR, Severity.CRITICAL)
keys = st.sampled_from(KEYS)


def order_of(signal: AlarmSignal) -> tuple[int, bool, Severity, str]:
    return signal.at_ms, signal.severity is Severity.CLEARED, signal.severity, signal.text


class AlarmListMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.office = Office(chain(), POLICY)
        self.now_ms = 1_000_000
        self.heard: dict[tuple[str, str], list[AlarmSignal]] = {key: [] for key in KEYS}
        # Older than this does not count: the alarm was purged.
        self.floor: dict[tuple[str, str], int] = dict.fromkeys(KEYS, 0)
        self.states: dict[str, list[OperatorState]] = {}

    # --- What may happen --------------------------------------------------------------------------------------

    @rule(
        batch=st.lists(
            st.tuples(keys, st.sampled_from(SEVERITIES), st.integers(0, 60), st.sampled_from(["a", "b"])),
            min_size=1,
            max_size=6,
        )
    )
    def signals_come(self, batch) -> None:
        self.deliver(
            [self.signal(key, severity, self.now_ms - 10 * age, text) for key, severity, age, text in batch]
        )

    @rule(key=keys, count=st.integers(1, 12))
    def an_alarm_flaps(self, key, count) -> None:
        for i in range(count):
            self.now_ms += 20
            self.deliver([self.signal(key, SEVERITIES[2 * (i % 2)], self.now_ms, "a")])

    @rule(seed=st.randoms(use_true_random=False))
    def old_signals_come_again(self, seed) -> None:
        """Copies from the network; none from before a purge, which are another matter (see test_book)."""
        old = [s for key, signals in self.heard.items() for s in signals if s.at_ms > self.floor[key]]
        self.deliver(seed.sample(old, min(5, len(old))))

    @rule(standing=st.lists(keys, unique=True))
    def a_table_is_walked(self, standing) -> None:
        """Resynchronisation: what the elements have is raised, what they have not is cleared, as of now."""
        signals = [self.signal(key, Severity.MAJOR, self.now_ms, "a") for key in standing]
        signals += [
            self.signal(key, Severity.CLEARED, self.now_ms, "")
            for key in KEYS
            if key not in standing and id_of(*key) in self.office.alarms
        ]
        self.deliver(signals)

    @rule(key=keys, deed=st.sampled_from(["acknowledge", "unacknowledge", "close", "unshelve", "shelve"]))
    def an_operator_does_something(self, key, deed) -> None:
        alarm = self.office.alarms.get(id_of(*key))
        if alarm is None:
            return
        record = self.office.operators.get(alarm.alarm_id)
        more = {"until_ms": self.now_ms + 500} if deed == "shelve" else {}
        try:
            after = getattr(operator_rules, deed)(record, alarm, "ann", "", self.now_ms, **more)
        except OperatorRuleError:
            return
        self.office.note(after, self.now_ms)

    @rule(resource=st.sampled_from(["agg", "core", "cell/bgp", "hill"]), length=st.integers(1, 800))
    def a_window_opens(self, resource, length) -> None:
        window = MaintenanceWindow("w", resource, self.now_ms, self.now_ms + length)
        self.office.keep(self.office.book.set_windows([window], self.now_ms))

    @precondition(lambda self: self.office.alarms)
    @rule(clearance=st.sampled_from(["cleared", "not-cleared"]))
    def an_operator_purges(self, clearance) -> None:
        gone = self.office.keep(self.office.book.purge(PurgeFilter(clearance=clearance), self.now_ms)).purged
        for key in KEYS:
            if id_of(*key) in gone:
                self.floor[key] = max(s.at_ms for s in self.heard[key])
        self.now_ms += 1_000

    @rule()
    def it_is_restarted(self) -> None:
        self.office.restart()

    @rule(length=st.integers(1, 1_000))
    def time_passes(self, length) -> None:
        self.now_ms += length
        self.office.tick(self.now_ms)

    @rule()
    def everything_settles(self) -> None:
        self.office.keep(self.office.book.set_windows([], self.now_ms))
        # Flapping ends, then what it had held back is looked at.
        for _ in range(3):
            self.now_ms += 20_000
            self.office.tick(self.now_ms)
        self.check_groups_and_notices()

    # --- What must hold ---------------------------------------------------------------------------------------

    @invariant()
    def the_device_s_axis_is_what_the_newest_signal_says(self) -> None:
        for key in KEYS:
            alarm = self.office.alarms.get(id_of(*key))
            known = [s for s in self.heard[key] if s.at_ms > self.floor[key]]
            if all(s.severity is Severity.CLEARED for s in known):
                assert alarm is None, "an entry appears with the first raise"
                continue
            assert alarm is not None
            newest = max(known, key=order_of)
            assert alarm.is_cleared is (newest.severity is Severity.CLEARED)
            assert alarm.last_signal_ms == newest.at_ms
            if not alarm.is_cleared:
                assert (alarm.severity, alarm.text) == (newest.severity, newest.text)

    @invariant()
    def the_store_has_what_the_book_has(self) -> None:
        in_book = {alarm.alarm_id: alarm for alarm in self.office.book.alarms()}
        assert in_book == self.office.alarms

    @invariant()
    def who_is_told_that_it_stands_is_told_its_end(self) -> None:
        announced = {a.alarm_id for a in self.office.alarms.values() if a.is_announced}
        assert self.office.told == announced

    # --- Helpers ----------------------------------------------------------------------------------------------

    def signal(self, key, severity: Severity, at_ms: int, text: str) -> AlarmSignal:
        kind = EQUIPMENT if key[1] == "card-failed" else COMMUNICATIONS
        return raised(*key, at_ms=at_ms, severity=severity, event_type=kind, text=text)

    def deliver(self, signals: list[AlarmSignal]) -> None:
        signals = [s for s in signals if s.at_ms > self.floor[s.key.resource, s.key.alarm_type]]
        for signal in signals:
            self.heard[signal.key.resource, signal.key.alarm_type].append(signal)
        self.office.take(*signals, now_ms=self.now_ms) if signals else None

    def check_groups_and_notices(self) -> None:
        standing = {key for key in KEYS if (a := self.office.alarms.get(id_of(*key))) and not a.is_cleared}
        for key in standing:
            alarm = self.office.alarm(*key)
            causes = [cause for cause in CAUSES[key] if cause in standing]
            roots = [cause for cause in causes if not any(other in standing for other in CAUSES[cause])]
            assert (alarm.root_cause in {id_of(*root) for root in roots}) if roots else alarm.root_cause == ""
            assert alarm.symptoms == sum(
                self.office.alarm(*other).root_cause == alarm.alarm_id for other in standing
            )
            expected = "symptom" if roots else ""
            assert (alarm.suppression, alarm.is_flapping) == (expected, False)
            if not roots:
                assert alarm.is_announced
        cleared_ones = [a for a in self.office.alarms.values() if a.is_cleared]
        assert not any(alarm.is_announced for alarm in cleared_ones)
        for record in self.office.operators.values():
            assert record.state is not OperatorState.SHELVED


TestAlarmList = AlarmListMachine.TestCase
TestAlarmList.settings = settings(max_examples=80, stateful_step_count=30)
