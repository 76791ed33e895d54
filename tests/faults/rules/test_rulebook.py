"""Which rule comes first, both forms of a trap's object identifier, and that nothing is ever silent or an error."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.alarm import AlarmSignal, Severity
from ocs.faults.notification import Notification, Syntax, Varbind
from ocs.faults.rules import RuleBook, rulebook, rules_of
from ocs.limits import (
    ALARM_KEY_CHARACTERS_MAX,
    ALARM_TEXT_CHARACTERS_MAX,
    DETAILS_PER_SIGNAL_MAX,
    VALUE_CHARACTERS_MAX,
)
from tests.support.notifications import ELEMENT, shipped_rules, standard_names, trap

VENDOR = "1.3.6.1.4.1.32473"


def rule(name: str, about: str, when: str = "") -> str:
    return f"""
[[rules]]
id = "{name}"
trap = "{about}"
{when}
[[rules.signals]]
alarm = "{name}"
severity = "minor"
text = "x"
"""


def book(*rules: str) -> RuleBook:
    return rules_of({"a.toml": "".join(rules)}, standard_names())


def first(which: RuleBook, *arguments: str) -> str:
    found = which.rule_for(trap(*arguments))
    return "" if found is None else found.rule_id


def test_exact_trap_comes_before_a_prefix_and_a_longer_prefix_before_a_shorter_one() -> None:
    which = book(rule("all", f"{VENDOR}.*"), rule("some", f"{VENDOR}.1.*"), rule("one", f"{VENDOR}.1.0.5"))
    assert first(which, f"{VENDOR}.1.0.5") == "one"
    assert first(which, f"{VENDOR}.1.0.6") == "some"
    assert first(which, f"{VENDOR}.2.0.6") == "all"
    assert first(which, "1.3.6.1.4.1.324730.1") == ""


def test_rule_with_more_conditions_is_tried_first() -> None:
    when = 'when = [{ varbind = "sysName", is = "a" }]'
    both = 'when = [{ varbind = "sysName", is = "a" }, { varbind = "sysContact", is = "b" }]'
    which = book(
        rule("any", f"{VENDOR}.0.1"), rule("two", f"{VENDOR}.0.1", both), rule("one", f"{VENDOR}.0.1", when)
    )
    assert first(which, f"{VENDOR}.0.1") == "any"
    assert first(which, f"{VENDOR}.0.1", "sysName=a") == "one"
    assert first(which, f"{VENDOR}.0.1", "sysName=a", "sysContact=b") == "two"


def test_prefix_applies_where_no_exact_rule_s_conditions_are_met() -> None:
    which = book(
        rule("one", f"{VENDOR}.0.1", 'when = [{ varbind = "sysName", is = "a" }]'), rule("all", f"{VENDOR}.*")
    )
    assert first(which, f"{VENDOR}.0.1", "sysName=b") == "all"


def test_trap_is_known_with_and_without_the_zero_of_version_1() -> None:
    which = book(rule("new", f"{VENDOR}.1.0.5"), rule("old", f"{VENDOR}.2.6"))
    assert first(which, f"{VENDOR}.1.5") == "new"
    assert first(which, f"{VENDOR}.2.0.6") == "old"


def test_rule_that_names_a_form_itself_wins_over_the_other_form_of_a_rule() -> None:
    which = book(rule("with", f"{VENDOR}.1.0.5"), rule("without", f"{VENDOR}.1.5"))
    assert first(which, f"{VENDOR}.1.0.5") == "with"
    assert first(which, f"{VENDOR}.1.5") == "without"


def test_element_is_called_by_its_name_where_somebody_knows_it() -> None:
    which = rules_of(
        {"a.toml": rule("one", f"{VENDOR}.0.1")},
        standard_names(),
        element_of={"192.0.2.7": "router7"}.get,
    )
    (named,) = which.signals(trap(f"{VENDOR}.0.1"), 0)
    (stranger,) = which.signals(trap(f"{VENDOR}.0.1", source="192.0.2.8"), 0)
    assert (named.key.resource, named.source) == ("router7", "192.0.2.7")
    assert stranger.key.resource == "192.0.2.8"


def test_rules_of_kinds_that_were_looked_up_are_remembered_and_bounded(monkeypatch) -> None:
    monkeypatch.setattr(rulebook, "TRAP_KINDS_REMEMBERED", 10)
    which = book(rule("all", f"{VENDOR}.*"))
    for number in range(25):
        assert first(which, f"{VENDOR}.{number}") == "all"
    assert len(which._candidates) <= 10


NAMES = st.sampled_from(
    [
        "1.3.6.1.2.1.2.2.1.1.3", "1.3.6.1.2.1.2.2.1.7.3", "1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.15.3.1.2.10.0.0.1",
        "1.3.6.1.2.1.15.3.1.2.10", "1.3.6.1.2.1.131.1.1.1.5.7", "1.3.6.1.2.1.14.10.1.6.1", "1.3.6.1.2.1.88.2.1.4.0",
        "1.3.6.1.2.1.88.2.1.5.0", "1.3.6.1.2.1.118.1.2.2.1.13.1", "1.3.6.1.2.1.121.1.1.1.1.3.1.2.3",
        "1.3.6.1.2.1.33.1.6.2.1.2.4", "1.3.6.1.4.1.9.9.13.1.5.1.3.1",
    ]
) | st.from_regex(r"[0-2](\.[0-9]{1,10}){0,127}", fullmatch=True)  # fmt: skip
VALUES = st.one_of(
    st.integers(-(2**63), 2**64),
    st.binary(max_size=300),
    st.from_regex(r"[0-2](\.[0-9]{1,10}){0,127}", fullmatch=True),
    st.none(),
    st.integers(0, 9),
)
NOTIFICATIONS = st.builds(
    Notification,
    trap_oid=st.sampled_from(sorted({one.trap_oid for one in shipped_rules().rules}))
    | st.from_regex(r"[0-2](\.[0-9]{1,10}){0,127}", fullmatch=True),
    uptime_ticks=st.integers(0, 2**32 - 1),
    varbinds=st.lists(
        st.builds(Varbind, name=NAMES, syntax=st.sampled_from(Syntax) | st.integers(0, 255), value=VALUES),
        max_size=12,
    ).map(tuple),
    source=st.just(ELEMENT),
    peer=st.just(ELEMENT),
    version=st.just(1),
    security_name=st.just("public"),
    security_level=st.just(1),
    engine_id=st.just(b""),
    is_inform=st.booleans(),
    received_ms=st.just(0),
)


@given(NOTIFICATIONS)
def test_whatever_is_notified_gives_a_signal_of_bounded_size_and_an_explanation(notification) -> None:
    signals = shipped_rules().signals(notification, 5)
    assert signals
    for signal in signals:
        assert signal.key.resource.startswith(ELEMENT)
        for text in (signal.key.resource, signal.key.qualifier):
            assert len(text) <= ALARM_KEY_CHARACTERS_MAX
            assert text.isprintable()
        assert len(signal.text) <= ALARM_TEXT_CHARACTERS_MAX
        assert signal.text.isprintable()
        assert len(signal.details) <= DETAILS_PER_SIGNAL_MAX
        assert all(len(name) <= VALUE_CHARACTERS_MAX for name, _ in signal.details)
        assert all(len(value) <= VALUE_CHARACTERS_MAX for _, value in signal.details)
        assert signal.severity in Severity
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(signal), type=AlarmSignal) == signal
    assert shipped_rules().explain(notification).signals == msgspec.convert(
        [msgspec.structs.replace(one, at_ms=0) for one in signals], tuple[AlarmSignal, ...]
    )


@pytest.mark.parametrize("oid", ["", "1", "0.0", "not.an.oid", ".", "1..2"])
def test_trap_with_a_strange_object_identifier_is_an_unknown_one(oid) -> None:
    notification = msgspec.structs.replace(trap("SNMPv2-MIB::coldStart"), trap_oid=oid)
    (signal,) = shipped_rules().signals(notification, 0)
    assert signal.is_catch_all


def test_kinds_that_end_alarms_are_known() -> None:
    book = shipped_rules()
    assert book.may_clear("1.3.6.1.6.3.1.1.5.4")  # linkUp
    assert not book.may_clear(
        "1.3.6.1.6.3.1.1.5.3"
    )  # linkDown raises, though it clears what was switched off
    assert book.may_clear("1.3.6.1.2.1.118.0.3")  # alarmClearState
    assert not book.may_clear("1.3.6.1.4.1.99999.0.1")
