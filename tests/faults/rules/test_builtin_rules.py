"""Every rule of ``config/alarms``: a notification as a device sends it, and the alarm that it moves."""

import pytest

from ocs.faults.alarm import EventType, Severity
from tests.support.notifications import ELEMENT, shipped_rules, trap

E = ELEMENT
MTE = "DISMAN-EVENT-MIB::mteTriggerFired"
ENVMON = "1.3.6.1.4.1.9.9.13"
RADIUS = "1.3.6.1.4.1.11344.4"


def mte(oid: str, value: int, *more: str) -> list[str]:
    names = [f"{name}.0" for name in ("mteHotTrigger", "mteHotOID", "mteHotValue")]
    values = ["watch it", oid, str(value)]
    return [f"DISMAN-EVENT-MIB::{name}={one}" for name, one in zip(names, values, strict=True)] + list(more)


# trap, varbinds; the rule that applies; then for each signal resource, type, qualifier, severity.
LAB = "1.3.6.1.4.1.32473.1"
CASES: list[tuple[str, list[str], str, list[tuple[str, str, str, str]]]] = [
    ("SNMPv2-MIB::coldStart", [], "cold-start", [(E, "restarted", "cold", "WARNING"), (E, "agent-shutdown", "", "CLEARED")]),
    ("SNMPv2-MIB::warmStart", [], "warm-start", [(E, "restarted", "warm", "WARNING"), (E, "agent-shutdown", "", "CLEARED")]),
    ("IF-MIB::linkDown", ["ifIndex.3=3", "ifAdminStatus.3=up", "ifOperStatus.3=down"], "link-down", [(f"{E}/if/3", "link-down", "", "MAJOR")]),
    ("IF-MIB::linkDown", ["ifDescr.3=Gi0/3", "ifIndex.3=3"], "link-down", [(f"{E}/if/3", "link-down", "", "MAJOR")]),
    ("IF-MIB::linkDown", ["ifOperStatus.3=down"], "link-down", [(f"{E}/if/3", "link-down", "", "MAJOR")]),
    ("IF-MIB::linkDown", [], "link-down", [(f"{E}/if/unknown", "link-down", "", "MAJOR")]),
    ("IF-MIB::linkDown", ["ifIndex.3=3", "ifAdminStatus.3=down"], "link-down-by-administrator", [(f"{E}/if/3", "link-down", "", "CLEARED")]),
    ("IF-MIB::linkUp", ["ifIndex.3=3", "ifAdminStatus.3=up", "ifOperStatus.3=up"], "link-up", [(f"{E}/if/3", "link-down", "", "CLEARED")]),
    ("SNMPv2-MIB::authenticationFailure", [], "authentication-failure", [(E, "authentication-failure", "", "WARNING")]),
    ("1.3.6.1.6.3.1.1.5.6", ["1.3.6.1.2.1.8.5.1.2.10.0.0.9=10.0.0.9"], "egp-neighbour-loss", [(E, "egp-neighbour-loss", "10.0.0.9", "MINOR")]),
    ("ENTITY-MIB::entConfigChange", [], "entity-configuration-changed", [(E, "entity-configuration-changed", "", "CLEARED")]),
    ("ENTITY-STATE-MIB::entStateOperDisabled", ["entStateAdmin.7=unlocked", "entStateAlarm.7=warning critical"], "entity-disabled", [(f"{E}/entity/7", "entity-disabled", "", "CRITICAL")]),
    ("ENTITY-STATE-MIB::entStateOperDisabled", ["entStateAdmin.7=unlocked", "entStateAlarm.7=warning"], "entity-disabled", [(f"{E}/entity/7", "entity-disabled", "", "WARNING")]),
    ("ENTITY-STATE-MIB::entStateOperDisabled", ["entStateAdmin.7=unlocked"], "entity-disabled", [(f"{E}/entity/7", "entity-disabled", "", "MAJOR")]),
    ("ENTITY-STATE-MIB::entStateOperDisabled", ["entStateAdmin.7=locked", "entStateAlarm.7=critical"], "entity-disabled-by-administrator", [(f"{E}/entity/7", "entity-disabled", "", "CLEARED")]),
    ("ENTITY-STATE-MIB::entStateOperEnabled", ["entStateAdmin.7=unlocked", "entStateAlarm.7="], "entity-enabled", [(f"{E}/entity/7", "entity-disabled", "", "CLEARED")]),
    ("ALARM-MIB::alarmActiveState", ["alarmActiveModelPointer.1=1.3.6.1.2.1.118.1.1.2.1.3.0.9.5", "alarmActiveResourceId.1=IF-MIB::ifIndex.3"], "alarm-active", [(f"{E}/IF-MIB::ifIndex.3", "alarm-model", "1.3.6.1.2.1.118.1.1.2.1.3.0.9", "MAJOR")]),
    ("ALARM-MIB::alarmActiveState", ["alarmActiveModelPointer.1=1.3.6.1.2.1.118.1.1.2.1.3.0.9.2", "alarmActiveResourceId.1=IF-MIB::ifIndex.3", "ITU-ALARM-MIB::ituAlarmProbableCause.0.9.3=lossOfSignal", "ITU-ALARM-MIB::ituAlarmEventType.0.9.3=equipmentAlarm"], "alarm-active-itu", [(f"{E}/IF-MIB::ifIndex.3", "alarm-model", "1.3.6.1.2.1.118.1.1.2.1.3.0.9", "CRITICAL")]),
    ("ALARM-MIB::alarmClearState", ["alarmActiveModelPointer.1=1.3.6.1.2.1.118.1.1.2.1.3.0.9.1", "alarmActiveResourceId.1=IF-MIB::ifIndex.3"], "alarm-clear", [(f"{E}/IF-MIB::ifIndex.3", "alarm-model", "1.3.6.1.2.1.118.1.1.2.1.3.0.9", "CLEARED")]),
    ("UPS-MIB::upsTrapAlarmEntryAdded", ["upsAlarmId.4=4", "upsAlarmDescr.4=UPS-MIB::upsAlarmLowBattery"], "ups-alarm-added", [(f"{E}/ups", "ups-alarm", "UPS-MIB::upsAlarmLowBattery", "CRITICAL")]),
    ("UPS-MIB::upsTrapAlarmEntryAdded", ["upsAlarmId.4=4", "upsAlarmDescr.4=UPS-MIB::upsAlarmFanFailure"], "ups-alarm-added", [(f"{E}/ups", "ups-alarm", "UPS-MIB::upsAlarmFanFailure", "MAJOR")]),
    ("UPS-MIB::upsTrapAlarmEntryRemoved", ["upsAlarmId.4=4", "upsAlarmDescr.4=UPS-MIB::upsAlarmOnBattery"], "ups-alarm-removed", [(f"{E}/ups", "ups-alarm", "UPS-MIB::upsAlarmOnBattery", "CLEARED")]),
    ("UPS-MIB::upsTrapOnBattery", ["upsEstimatedMinutesRemaining.0=12", "upsSecondsOnBattery.0=60"], "ups-on-battery", [(f"{E}/ups", "ups-alarm", "UPS-MIB::upsAlarmOnBattery", "MAJOR")]),
    ("UPS-MIB::upsTrapTestCompleted", ["upsTestResultsSummary.0=doneError"], "ups-test-completed", [(f"{E}/ups", "ups-test-failed", "", "MAJOR")]),
    ("UPS-MIB::upsTrapTestCompleted", ["upsTestResultsSummary.0=donePass"], "ups-test-completed", [(f"{E}/ups", "ups-test-failed", "", "CLEARED")]),
    ("BGP4-MIB::bgpBackwardTransNotification", ["bgpPeerRemoteAddr.10.0.0.2=10.0.0.2", "bgpPeerLastError.10.0.0.2=0x0604", "bgpPeerState.10.0.0.2=idle"], "bgp-backward-transition", [(f"{E}/bgp/10.0.0.2", "bgp-peer-down", "", "MAJOR")]),
    ("BGP4-MIB::bgpEstablishedNotification", ["bgpPeerRemoteAddr.10.0.0.2=10.0.0.2", "bgpPeerState.10.0.0.2=established"], "bgp-established", [(f"{E}/bgp/10.0.0.2", "bgp-peer-down", "", "CLEARED")]),
    ("BGP4-MIB::bgpBackwardTransition", ["bgpPeerLastError.10.0.0.2=0x0604", "bgpPeerState.10.0.0.2=idle"], "bgp-backward-transition-rfc1657", [(f"{E}/bgp/10.0.0.2", "bgp-peer-down", "", "MAJOR")]),
    ("BGP4-MIB::bgpEstablished", ["bgpPeerLastError.10.0.0.2=0x0000", "bgpPeerState.10.0.0.2=established"], "bgp-established-rfc1657", [(f"{E}/bgp/10.0.0.2", "bgp-peer-down", "", "CLEARED")]),
    ("OSPF-TRAP-MIB::ospfNbrStateChange", ["OSPF-MIB::ospfNbrRtrId.10.0.0.2.0=1.1.1.1", "OSPF-MIB::ospfNbrState.10.0.0.2.0=down"], "ospf-neighbour-state", [(f"{E}/ospf/10.0.0.2", "ospf-neighbour-down", "", "MAJOR")]),
    ("OSPF-TRAP-MIB::ospfNbrStateChange", ["OSPF-MIB::ospfNbrIpAddr.10.0.0.2.0=10.0.0.2", "OSPF-MIB::ospfNbrState.10.0.0.2.0=exchange"], "ospf-neighbour-state", [(f"{E}/ospf/10.0.0.2", "ospf-neighbour-down", "", "MINOR")]),
    ("OSPF-TRAP-MIB::ospfNbrStateChange", ["OSPF-MIB::ospfNbrState.10.0.0.2.0=full"], "ospf-neighbour-state", [(f"{E}/ospf/10.0.0.2", "ospf-neighbour-down", "", "CLEARED")]),
    ("OSPF-TRAP-MIB::ospfVirtNbrStateChange", ["OSPF-MIB::ospfVirtNbrState.0.0.0.1.2.2.2.2=down"], "ospf-virtual-neighbour-state", [(f"{E}/ospf/2.2.2.2", "ospf-neighbour-down", "virtual", "MAJOR")]),
    ("OSPF-TRAP-MIB::ospfIfStateChange", ["OSPF-MIB::ospfIfState.10.0.0.1.0=down"], "ospf-interface-state", [(f"{E}/ospf-interface/10.0.0.1", "ospf-interface-down", "", "MAJOR")]),
    ("OSPF-TRAP-MIB::ospfIfStateChange", ["OSPF-MIB::ospfIfState.10.0.0.1.0=backupDesignatedRouter"], "ospf-interface-state", [(f"{E}/ospf-interface/10.0.0.1", "ospf-interface-down", "", "CLEARED")]),
    ("OSPF-TRAP-MIB::ospfIfConfigError", ["OSPF-MIB::ospfIfIpAddress.10.0.0.1.0=10.0.0.1", "OSPF-TRAP-MIB::ospfConfigErrorType.0=mtuMismatch"], "ospf-configuration-error", [(f"{E}/ospf-interface/10.0.0.1", "ospf-configuration-error", "mtuMismatch", "MINOR")]),
    ("OSPF-TRAP-MIB::ospfIfAuthFailure", ["OSPF-MIB::ospfIfIpAddress.10.0.0.1.0=10.0.0.1"], "ospf-authentication-failure", [(f"{E}/ospf-interface/10.0.0.1", "ospf-authentication-failure", "", "MINOR")]),
    ("OSPF-TRAP-MIB::ospfLsdbOverflow", ["OSPF-MIB::ospfExtLsdbLimit.0=100"], "ospf-database-overflow", [(E, "ospf-database-overflow", "", "MAJOR")]),
    ("OSPF-TRAP-MIB::ospfLsdbApproachingOverflow", [], "ospf-database-nearly-full", [(E, "ospf-database-overflow", "", "WARNING")]),
    ("OSPF-TRAP-MIB::ospfOriginateLsa", [], "ospf-lsa-originated", [(E, "ospf-activity", "", "CLEARED")]),
    ("OSPF-TRAP-MIB::ospfMaxAgeLsa", [], "ospf-lsa-aged", [(E, "ospf-activity", "", "CLEARED")]),
    ("OSPF-TRAP-MIB::ospfTxRetransmit", [], "ospf-retransmission", [(E, "ospf-activity", "", "CLEARED")]),
    ("NET-SNMP-AGENT-MIB::nsNotifyStart", [], "net-snmp-start", [(E, "agent-shutdown", "", "CLEARED")]),
    ("NET-SNMP-AGENT-MIB::nsNotifyShutdown", [], "net-snmp-shutdown", [(E, "agent-shutdown", "", "MINOR")]),
    ("NET-SNMP-AGENT-MIB::nsNotifyRestart", [], "net-snmp-restart", [(E, "agent-shutdown", "", "CLEARED")]),
    ("UCD-SNMP-MIB::ucdStart", [], "ucd-start", [(E, "agent-shutdown", "", "CLEARED")]),
    ("UCD-SNMP-MIB::ucdShutdown", [], "ucd-shutdown", [(E, "agent-shutdown", "", "MINOR")]),
    # As SNMPv1 sends it: enterprise ucdTraps, specific 2.
    ("1.3.6.1.4.1.2021.251.0.2", [], "ucd-shutdown", [(E, "agent-shutdown", "", "MINOR")]),
    (MTE, mte("UCD-SNMP-MIB::prErrorFlag.1", 1, "UCD-SNMP-MIB::prNames.1=sshd", "UCD-SNMP-MIB::prErrMessage.1=No sshd process running"), "host-process-count", [(E, "process-count", "sshd", "MAJOR")]),
    (MTE, mte("UCD-SNMP-MIB::prErrorFlag.1", 0, "UCD-SNMP-MIB::prNames.1=sshd"), "host-process-count", [(E, "process-count", "sshd", "CLEARED")]),
    (MTE, mte("UCD-SNMP-MIB::dskErrorFlag.1", 1, "UCD-SNMP-MIB::dskPath.1=/var"), "host-disk-space", [(f"{E}/disk//var", "disk-space", "", "MAJOR")]),
    (MTE, mte("UCD-SNMP-MIB::laErrorFlag.2", 1, "UCD-SNMP-MIB::laNames.2=Load-5"), "host-load", [(E, "load-average", "Load-5", "MINOR")]),
    (MTE, mte("UCD-SNMP-MIB::memSwapError.0", 1), "host-memory", [(E, "memory", "", "MAJOR")]),
    (MTE, mte("HOST-RESOURCES-MIB::hrStorageUsed.31", 99), "host-resource", [(f"{E}/HOST-RESOURCES-MIB::hrStorageUsed.31", "host-resource", "watch it", "MINOR")]),
    (MTE, mte("IF-MIB::ifInErrors.3", 9), "trigger-fired", [(f"{E}/IF-MIB::ifInErrors.3", "trigger-fired", "watch it", "MINOR")]),
    ("DISMAN-EVENT-MIB::mteTriggerRising", mte("IF-MIB::ifInErrors.3", 9), "trigger-rising", [(f"{E}/IF-MIB::ifInErrors.3", "threshold-crossed", "watch it", "MINOR")]),
    ("DISMAN-EVENT-MIB::mteTriggerFalling", mte("IF-MIB::ifInErrors.3", 1), "trigger-falling", [(f"{E}/IF-MIB::ifInErrors.3", "threshold-crossed", "watch it", "CLEARED")]),
    (f"{RADIUS}.1.1", [], "radius-server-started", [(E, "radius-server-stopped", "", "CLEARED")]),
    (f"{RADIUS}.1.2", [], "radius-server-stopped", [(E, "radius-server-stopped", "", "MAJOR")]),
    (f"{RADIUS}.1.3", [], "radius-requests-exhausted", [(E, "radius-overload", "requests", "MAJOR")]),
    (f"{RADIUS}.1.5.3", [], "radius-thread-unresponsive", [(E, "radius-overload", "threads", "MAJOR")]),
    (f"{RADIUS}.1.5.4", [], "radius-threads-exhausted", [(E, "radius-overload", "threads", "MAJOR")]),
    (f"{RADIUS}.3.1", ["RADIUS-AUTH-CLIENT-MIB::radiusAuthServerAddress.1=10.0.0.5", "RADIUS-AUTH-CLIENT-MIB::radiusAuthClientServerPortNumber.1=1812"], "radius-home-server-alive", [(f"{E}/radius-server/10.0.0.5:1812", "radius-home-server-down", "", "CLEARED")]),
    (f"{RADIUS}.3.2", ["RADIUS-AUTH-CLIENT-MIB::radiusAuthServerAddress.1=10.0.0.5", "RADIUS-AUTH-CLIENT-MIB::radiusAuthClientServerPortNumber.1=1812"], "radius-home-server-zombie", [(f"{E}/radius-server/10.0.0.5:1812", "radius-home-server-down", "", "MINOR")]),
    (f"{RADIUS}.3.3", ["RADIUS-AUTH-CLIENT-MIB::radiusAuthServerAddress.1=10.0.0.5", "RADIUS-AUTH-CLIENT-MIB::radiusAuthClientServerPortNumber.1=1812"], "radius-home-server-dead", [(f"{E}/radius-server/10.0.0.5:1812", "radius-home-server-down", "", "MAJOR")]),
    (f"{RADIUS}.4.1", ["1.3.6.1.4.1.11344.1.1.9.0=mypool"], "radius-pool-normal", [(f"{E}/radius-pool/mypool", "radius-pool-fallback", "", "CLEARED")]),
    (f"{RADIUS}.4.2", ["1.3.6.1.4.1.11344.1.1.9.0=mypool"], "radius-pool-fallback", [(f"{E}/radius-pool/mypool", "radius-pool-fallback", "", "MAJOR")]),
    (f"{ENVMON}.3.0.9", [f"{ENVMON}.1.5.1.2.1=PS1", f"{ENVMON}.1.5.1.3.1=6"], "cisco-power-supply", [(f"{E}/power-supply/1", "power-supply-failure", "", "MAJOR")]),
    (f"{ENVMON}.3.0.9", [f"{ENVMON}.1.5.1.2.1=PS1", f"{ENVMON}.1.5.1.3.1=1"], "cisco-power-supply", [(f"{E}/power-supply/1", "power-supply-failure", "", "CLEARED")]),
    (f"{ENVMON}.3.0.8", [f"{ENVMON}.1.4.1.3.2=3"], "cisco-fan", [(f"{E}/fan/2", "fan-failure", "", "CRITICAL")]),
    (f"{ENVMON}.3.0.7", [f"{ENVMON}.1.3.1.2.2=intake", f"{ENVMON}.1.3.1.3.2=61", f"{ENVMON}.1.3.1.6.2=2"], "cisco-temperature", [(f"{E}/temperature/2", "high-temperature", "", "MINOR")]),
    (f"{LAB}.0.1", [f"{LAB}.1.1.0=2"], "lab-card-failed", [(f"{E}/card/2", "card-failed", "", "CRITICAL")]),
    (f"{LAB}.0.2", [f"{LAB}.1.1.0=2"], "lab-card-works", [(f"{E}/card/2", "card-failed", "", "CLEARED")]),
    (f"{LAB}.0.3", [f"{LAB}.2.1.4=2"], "lab-fan", [(f"{E}/fan/4", "fan-failed", "", "MINOR")]),
    (f"{LAB}.0.3", [f"{LAB}.2.1.4=1"], "lab-fan", [(f"{E}/fan/4", "fan-failed", "", "CLEARED")]),
]  # fmt: skip


def qualified(name: str, varbinds: list[str]) -> list[str]:
    """Varbinds without a module belong to the trap's own."""
    module = name.partition("::")[0]
    return [
        one if "::" in one.partition("=")[0] or one[0].isdigit() else f"{module}::{one}" for one in varbinds
    ]


@pytest.mark.parametrize(
    ("name", "varbinds", "rule", "expected"), CASES, ids=[f"{case[2]}-{n}" for n, case in enumerate(CASES)]
)
def test_notification_moves_the_alarm_that_its_rule_says(name, varbinds, rule, expected) -> None:
    notification = trap(name, *qualified(name, varbinds))
    explanation = shipped_rules().explain(notification)
    assert explanation.rule == rule
    said = [
        (one.key.resource, one.key.alarm_type, one.key.qualifier, one.severity.name)
        for one in explanation.signals
    ]
    assert said == expected
    assert not any(one.is_catch_all for one in explanation.signals)


def test_each_rule_is_in_the_table() -> None:
    assert {rule.rule_id for rule in shipped_rules().rules} == {case[2] for case in CASES}


def test_raise_and_clear_of_one_fault_have_one_key() -> None:
    """A type that is raised and will clear is cleared by some rule with the same key, and never has two meanings."""
    raised: set[tuple[str, str, str]] = set()
    cleared: set[tuple[str, str, str]] = set()
    for name, varbinds, _, _ in CASES:
        for signal in shipped_rules().signals(trap(name, *qualified(name, varbinds)), 0):
            key = (signal.key.resource, signal.key.alarm_type, signal.key.qualifier)
            if signal.severity is Severity.CLEARED:
                cleared.add(key)
            elif signal.will_clear:
                raised.add(key)
    types_cleared = {key[1] for key in cleared}
    assert {key[1] for key in raised} <= types_cleared | {"fan-failure", "high-temperature"}
    assert raised & cleared


def test_severity_and_kind_come_from_the_objects_of_ITU_ALARM_MIB() -> None:
    (name, varbinds, _, _) = next(case for case in CASES if case[2] == "alarm-active-itu")
    (signal,) = shipped_rules().signals(trap(name, *qualified(name, varbinds)), 0)
    assert signal.event_type is EventType.EQUIPMENT_ALARM
    assert signal.probable_cause == 8  # lossOfSignal
    assert signal.text == "lossOfSignal at IF-MIB::ifIndex.3"


def test_text_says_what_a_person_needs() -> None:
    notification = trap(
        "IF-MIB::linkDown", "IF-MIB::ifIndex.3=3", "IF-MIB::ifOperStatus.3=down", "IF-MIB::ifName.3=ge-0/0/3"
    )
    (signal,) = shipped_rules().signals(notification, 77)
    assert signal.text == "Interface ge-0/0/3 is down (ifOperStatus down)"
    assert signal.details == (("ifIndex", "3"), ("ifOperStatus", "down"), ("IF-MIB::ifName", "ge-0/0/3"))
    assert (signal.at_ms, signal.source, signal.will_clear) == (77, ELEMENT, True)
    assert signal.repair == "Check cable, optics and the other end."


@pytest.mark.parametrize(
    "name", ["SNMPv2-MIB::coldStart", "SNMPv2-MIB::warmStart", "NET-SNMP-AGENT-MIB::nsNotifyRestart"]
)
def test_restart_asks_for_a_resynchronisation(name) -> None:
    assert shipped_rules().wants_resync(trap(name))
    assert not shipped_rules().wants_resync(trap("IF-MIB::linkDown"))
