"""The first rule that fits decides; without one there is an alarm."""

from ocs.provisioning.compliance.drift_policy import DriftAction, DriftRule, decide
from tests.support.elements import interface

DESCRIPTION = f"{interface('ge-0')}/description"
DESCRIPTIONS = "/ietf-interfaces:interfaces/interface/description"


def test_without_a_rule_people_decide() -> None:
    assert decide((), "pe1", DESCRIPTION, ("vpn-1",)) is DriftAction.ALARM


def test_the_first_rule_that_fits_decides() -> None:
    rules = (
        DriftRule(action=DriftAction.ACCEPT, path=DESCRIPTIONS, element="lab-*"),
        DriftRule(action=DriftAction.ALARM, service="vpn-vip-*"),
        DriftRule(action=DriftAction.REVERT, path=DESCRIPTIONS),
    )
    assert decide(rules, "lab-1", DESCRIPTION, ("vpn-1",)) is DriftAction.ACCEPT
    assert decide(rules, "pe1", DESCRIPTION, ("vpn-1", "vpn-vip-2")) is DriftAction.ALARM
    assert decide(rules, "pe1", DESCRIPTION, ("vpn-1",)) is DriftAction.REVERT
    assert decide(rules, "pe1", f"{interface('ge-0')}/enabled", ("vpn-1",)) is DriftAction.ALARM
