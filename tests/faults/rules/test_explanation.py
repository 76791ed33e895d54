"""What becomes of a trap, in words."""

from tests.support.notifications import ELEMENT, shipped_rules, trap


def test_each_rule_that_was_tried_says_why() -> None:
    explanation = shipped_rules().explain(
        trap("IF-MIB::linkDown", "IF-MIB::ifIndex.3=3", "IF-MIB::ifAdminStatus.3=up")
    )
    assert explanation.trap == "IF-MIB::linkDown"
    assert explanation.varbinds == (("IF-MIB::ifIndex.3", "3"), ("IF-MIB::ifAdminStatus.3", "up"))
    assert explanation.steps == (
        (
            "rule link-down-by-administrator is about 1.3.6.1.6.3.1.1.5.3, and wants that ifAdminStatus is down or testing: "
            "it is up, so the next rule is tried"
        ),
        "rule link-down is about 1.3.6.1.6.3.1.1.5.3: it applies",
        f"link-down of {ELEMENT}/if/3 is major (lossOfSignal): Interface 3 is down (ifOperStatus unknown)",
    )


def test_missing_varbind_clear_and_resynchronisation_are_told() -> None:
    steps = shipped_rules().explain(trap("IF-MIB::linkDown")).steps
    assert steps[0].endswith("it was not sent, so the next rule is tried")
    start = shipped_rules().explain(trap("NET-SNMP-AGENT-MIB::nsNotifyStart"))
    assert start.steps[1:] == (
        f"agent-shutdown of {ELEMENT} is over: The agent runs again",
        "the device lost its state: its alarms are looked up again",
    )
    assert start.wants_resync


def test_unknown_trap_is_told_as_one() -> None:
    explanation = shipped_rules().explain(trap("1.3.6.1.4.1.32473.0.1"))
    assert explanation.rule == ""
    assert explanation.steps[0].startswith("no rule applies")
    assert explanation.steps[1].endswith("the device will not say when it is over")
