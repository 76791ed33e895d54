"""Golden rules against configurations."""

from datetime import date
from typing import Any

import pytest

from ocs.limits import GOLDEN_PROBLEMS_MAX
from ocs.provisioning.compliance.golden import GoldenException, GoldenRule, Judgement, Subject, Verdict, judge
from tests.support.elements import ethernet, interface

NTP = "/ietf-system:system/ntp"
PE1 = Subject(element="pe1", type_name="netconf", role="pe", site="site/berlin")
TODAY = date(2026, 11, 22)
CONFIGURATION = {
    **ethernet("ge-0", "to core"),
    **ethernet("ge-1"),
    **ethernet("lo"),
    f"{NTP}/enabled": "true",
    f"{NTP}/server[name='a']": None,
    f"{NTP}/server[name='b']": None,
}


def verdict(**fields: Any) -> Judgement:
    rule = GoldenRule(id="r", **fields)
    assert rule.check() == ""
    (judgement,) = judge([rule], [], PE1, CONFIGURATION, TODAY)
    return judgement


@pytest.mark.parametrize(
    "fields",
    [
        {"path": f"{NTP}/server", "at_least": 2},
        {"path": f"{NTP}/server", "at_most": 2},
        {"path": f"{NTP}/enabled", "one_of": ["true"], "at_least": 1},
        {"path": f"{NTP}/enabled", "matches": "tr.*"},
        {"path": "/ietf-system:system/contact", "is_absent": True},
        {"path": "/ietf-system:system/contact", "one_of": ["noc"]},
        {"path": "description", "each": "/ietf-interfaces:interfaces/interface[name='ge-0']", "at_least": 1},
        {"path": "type", "each": "/ietf-interfaces:interfaces/interface", "one_of": ["iana-if-type:ethernetCsmacd"]},
        {"path": "description", "each": "/ietf-interfaces:interfaces/interface[name='xe-*']", "at_least": 1},
    ],
)  # fmt: skip
def test_a_rule_is_kept(fields: dict[str, Any]) -> None:
    assert verdict(**fields).verdict is Verdict.KEPT


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({"path": f"{NTP}/server", "at_least": 3}, [f"{NTP}/server: expected at least 3, found 2"]),
        ({"path": f"{NTP}/server", "at_most": 1}, [f"{NTP}/server: expected at most 1, found 2"]),
        ({"path": f"{NTP}/enabled", "one_of": ["false"]}, [f"{NTP}/enabled is true; expected false"]),
        ({"path": f"{NTP}/enabled", "matches": "t"}, [f"{NTP}/enabled is true; expected what fits t"]),
        (
            {"path": f"{NTP}/enabled", "one_of": ["false"], "at_least": 1},
            [
                f"{NTP}/enabled is true; expected false",
                f"{NTP}/enabled: expected at least 1, found 0",
            ],
        ),
        ({"path": f"{NTP}/enabled", "is_absent": True}, [f"{NTP}/enabled should not be there"]),
        (
            {"path": "description", "each": "/ietf-interfaces:interfaces/interface[name='ge-*']", "at_least": 1},
            [f"description in {interface('ge-1')}: expected at least 1, found 0"],
        ),
    ],
)  # fmt: skip
def test_a_rule_is_broken_and_says_where(fields: dict[str, Any], problems: list[str]) -> None:
    judgement = verdict(**fields)
    assert judgement.verdict is Verdict.BROKEN
    assert list(judgement.problems) == problems


@pytest.mark.parametrize(
    ("field", "mine", "other"),
    [("element", "pe*", "pgw*"), ("type", "netconf", "yuma"), ("role", "p?", "pgw"), ("site", "*berlin", "*paris")],
)  # fmt: skip
def test_a_rule_is_for_those_whom_it_names(field: str, mine: str, other: str) -> None:
    def count(value: str) -> int:
        named: Any = {field: value}
        rule = GoldenRule(id="r", path=NTP, at_least=1, **named)
        return len(judge([rule], [], PE1, {}, TODAY))

    assert (count(mine), count(other)) == (1, 0)


@pytest.mark.parametrize(
    ("rule", "element", "until", "verdict"),
    [
        ("r", "pe*", date(2026, 11, 22), Verdict.EXCEPTED),
        ("r", "pe*", date(2026, 11, 21), Verdict.BROKEN),
        ("r", "pgw*", date(2026, 11, 22), Verdict.BROKEN),
        ("s", "pe*", date(2026, 11, 22), Verdict.BROKEN),
    ],
)
def test_an_exception_holds_where_and_while_it_says(
    rule: str, element: str, until: date, verdict: Verdict
) -> None:
    broken = GoldenRule(id="r", path=NTP, at_least=1)
    exception = GoldenException(rule=rule, element=element, until=until, reason="it moves")
    (judgement,) = judge([broken], [exception], PE1, {}, TODAY)
    assert judgement.verdict is verdict
    assert judgement.problems, "what is excepted is told all the same"
    assert judgement.reason == ("until 2026-11-22: it moves" if verdict is Verdict.EXCEPTED else "")


def test_a_rule_that_is_kept_needs_no_exception() -> None:
    rule = GoldenRule(id="r", path=f"{NTP}/server", at_least=1)
    exception = GoldenException(rule="r", element="*", until=TODAY, reason="old")
    assert judge([rule], [exception], PE1, CONFIGURATION, TODAY)[0].reason == ""


def test_a_report_names_no_more_than_people_read() -> None:
    many = {interface(f"ge-{number}"): None for number in range(GOLDEN_PROBLEMS_MAX + 5)}
    rule = GoldenRule(id="r", path="/ietf-interfaces:interfaces/interface", is_absent=True)
    (judgement,) = judge([rule], [], PE1, many, TODAY)
    assert judgement.problems[-1] == "and 5 more"
    assert len(judgement.problems) == GOLDEN_PROBLEMS_MAX + 1
