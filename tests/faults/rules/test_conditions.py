"""What a rule asks of a varbind, value by value; and that two rules exclude each other only where they do."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.notification import Syntax, Varbind
from ocs.faults.rules.conditions import Condition, exclude_each_other
from ocs.faults.rules.references import Reference
from ocs.faults.rules.schema import ConditionSource
from tests.support.notifications import standard_names

STATUS = "1.3.6.1.2.1.2.2.1.8"
NAMES = standard_names()


def condition(varbind: str = "ifOperStatus", **tests: Any) -> Condition:
    varbind = f"IF-MIB::{varbind}" if varbind.startswith("if") else varbind
    return Condition(ConditionSource(varbind=varbind, **tests), Reference(varbind, NAMES, None), NAMES)


def holds(which: Condition, value: int | bytes | str | None, oid: str = STATUS) -> bool:
    syntaxes = {
        int: Syntax.INTEGER,
        bytes: Syntax.OCTET_STRING,
        str: Syntax.OBJECT_IDENTIFIER,
        type(None): Syntax.NULL,
    }
    syntax = syntaxes[type(value)]
    return which.holds([Varbind("1.3.9.0", Syntax.INTEGER, 1), Varbind(f"{oid}.3", syntax, value)])


@pytest.mark.parametrize(
    ("tests", "yes", "no"),
    [
        ({"is_": "down"}, [2, b"down"], [1, b"up", None, "1.2"]),
        ({"is_": ("down", "up")}, [1, 2], [3]),
        ({"is_": 2}, [2], [1, b"2"]),
        ({"is_": "2"}, [2], [1]),
        ({"is_not": "down"}, [1, 3, b"x", None], [2]),
        ({"at_least": 3}, [3, 4], [2, b"9", None]),
        ({"below": 3}, [2, -1], [3, b"1"]),
        ({"at_least": 2, "below": 4}, [2, 3], [1, 4]),
        ({"contains": "ow"}, [2], [1]),
        ({"starts_with": "d"}, [2], [1]),
        ({"is_present": True}, [1, None], []),
        ({"is_present": False}, [], [1, None]),
        ({"is_": "down", "is_not": "up"}, [2], [1, 3]),
    ],
)
def test_condition_holds_for_what_it_says(tests, yes, no) -> None:
    which = condition(**tests)
    assert [holds(which, value) for value in yes] == [True] * len(yes)
    assert [holds(which, value) for value in no] == [False] * len(no)


def test_text_is_compared_as_it_is_without_the_end_of_a_C_string() -> None:
    which = condition("ifDescr", is_="eth0")
    oid = "1.3.6.1.2.1.2.2.1.2"
    assert holds(which, b"eth0", oid)
    assert holds(which, b"eth0\0", oid)
    assert not holds(which, b"eth01", oid)


def test_digits_are_a_number_or_a_text_where_nobody_knows() -> None:
    which = condition("1.3.6.1.4.1.32473.5", is_="7")
    assert holds(which, 7, "1.3.6.1.4.1.32473.5")
    assert holds(which, b"7", "1.3.6.1.4.1.32473.5")


def test_object_identifier_is_compared_by_its_numbers() -> None:
    which = condition("UPS-MIB::upsAlarmDescr", is_="UPS-MIB::upsAlarmLowBattery")
    assert holds(which, "1.3.6.1.2.1.33.1.6.3.3", "1.3.6.1.2.1.33.1.6.2.1.2")


@pytest.mark.parametrize(
    ("tests", "expected"),
    [({"is_": "down"}, False), ({"is_not": "down"}, True), ({"is_present": False}, True), ({"is_present": True}, False),
     ({"at_least": 0}, False), ({"contains": ""}, False)],
)  # fmt: skip
def test_varbind_that_was_not_sent_meets_only_is_not_and_its_absence(tests, expected) -> None:
    assert condition(**tests).holds([]) is expected


def test_object_of_a_longer_name_is_another_one() -> None:
    assert not condition("1.3.6.1.4.1.32473.5", is_present=True).holds(
        [Varbind("1.3.6.1.4.1.32473.51", 2, 1)]
    )
    assert condition("1.3.6.1.4.1.32473.5", is_present=True).holds([Varbind("1.3.6.1.4.1.32473.5", 2, 1)])


TESTS = st.fixed_dictionaries(
    {},
    optional={
        "is_": st.sampled_from(["up", "down", ("up", "down"), 3, ("down", 7)]),
        "is_not": st.sampled_from(["up", "down", ("up", "down", "testing")]),
        "at_least": st.integers(0, 4),
        "below": st.integers(5, 8),
        "starts_with": st.sampled_from(["u", "d", "down", "7"]),
    },
).filter(bool) | st.fixed_dictionaries({"is_present": st.booleans()})


@given(one=TESTS, other=TESTS)
def test_rules_that_are_said_to_exclude_each_other_are_never_met_together(one, other) -> None:
    first, second = condition(**one), condition(**other)
    sent = [[], *([Varbind(f"{STATUS}.3", Syntax.INTEGER, value)] for value in range(10))]
    sent += [[Varbind(f"{STATUS}.3", Syntax.OCTET_STRING, value)] for value in (b"up", b"down", b"7", b"")]
    if exclude_each_other([first], [second]):
        assert not any(first.holds(varbinds) and second.holds(varbinds) for varbinds in sent)


def test_plain_exclusions_are_seen() -> None:
    pairs: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"is_": "up"}, {"is_": "down"}),
        ({"is_": "up"}, {"is_not": ("up", "down")}),
        ({"is_": "up"}, {"at_least": 2}),
        ({"at_least": 5}, {"below": 5}),
        ({"is_present": False}, {"is_": "up"}),
        ({"starts_with": "u"}, {"starts_with": "d"}),
    ]
    for one, other in itertools.chain(pairs, ((b, a) for a, b in pairs)):
        assert exclude_each_other([condition(**one)], [condition(**other)])
    overlapping: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"at_least": 4}, {"below": 5}),
        ({"starts_with": "d"}, {"starts_with": "down"}),
        ({"is_": ("up", "down")}, {"is_not": "up"}),
        ({"is_": ("up", "down")}, {"at_least": 2}),
        ({"is_present": False}, {"is_not": "up"}),
        ({"contains": "a"}, {"contains": "b"}),
    ]
    for one, other in overlapping:
        assert not exclude_each_other([condition(**one)], [condition(**other)])
        assert not exclude_each_other([condition(**other)], [condition(**one)])
    assert not exclude_each_other([condition(is_="up")], [condition("ifAdminStatus", is_="down")])
    assert not exclude_each_other([], [condition(is_="up")])


def test_condition_reads_as_a_sentence() -> None:
    which = condition(
        is_=("up", "down"),
        at_least=1,
        below=9,
        contains="o",
        starts_with="d",
        is_not="testing",
        is_present=True,
    )
    assert which.describe() == (
        "IF-MIB::ifOperStatus is up or down and is not testing and is at least 1 and is below 9 and contains 'o' "
        "and starts with 'd' and was sent"
    )
    assert condition(is_present=False).describe() == "IF-MIB::ifOperStatus was not sent"
