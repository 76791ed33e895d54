"""The table of standard MIBs that we ship."""

from ocs.faults.mibs.model import NodeKind
from ocs.faults.mibs.standard import standard_modules


def test_every_module_that_the_shipped_rules_need_is_there() -> None:
    modules = {module.name: module for module in standard_modules()}
    needed = {
        "SNMPv2-MIB", "IF-MIB", "ENTITY-MIB", "ENTITY-STATE-MIB", "ALARM-MIB", "ITU-ALARM-MIB", "UPS-MIB", "BGP4-MIB",
        "OSPF-TRAP-MIB", "RADIUS-AUTH-CLIENT-MIB", "HOST-RESOURCES-MIB", "UCD-SNMP-MIB", "NET-SNMP-AGENT-MIB",
        "DISMAN-EVENT-MIB",
    }  # fmt: skip
    assert needed <= modules.keys()
    assert (
        sum(one.kind is NodeKind.NOTIFICATION for module in modules.values() for one in module.objects) > 300
    )


def test_types_and_names_fit_together() -> None:
    for module in standard_modules():
        for one in module.objects:
            assert -1 <= one.type_index < len(module.types)
            assert (one.type_index >= 0) == (one.kind in (NodeKind.SCALAR, NodeKind.COLUMN))
