"""Texts with places: values, instances, choices; what was not sent reads unknown; keys stay bounded and distinct."""

import pytest

from ocs.faults.notification import Notification
from ocs.faults.rules.errors import EntryError
from ocs.faults.rules.templates import Template, key_text
from ocs.limits import ALARM_KEY_CHARACTERS_MAX
from tests.support.notifications import standard_names, trap

NAMES = standard_names()
LINK_DOWN = trap(
    "IF-MIB::linkDown", "IF-MIB::ifIndex.3=3", "IF-MIB::ifOperStatus.3=down", "IF-MIB::ifDescr.3=Gi0/3"
)
NEIGHBOUR = trap(
    "OSPF-TRAP-MIB::ospfNbrStateChange",
    "OSPF-MIB::ospfNbrState.10.0.0.2.0=full",
    "UPS-MIB::upsAlarmDescr.1=1.3.6.7",
)


def text(written: str, notification: Notification = LINK_DOWN) -> str:
    definition = NAMES.notification(notification.trap_oid)
    return Template(written, NAMES, definition).text(notification, "router7")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{element}/if/{ifIndex}", "router7/if/3"),
        ("{ifDescr} is {ifOperStatus} ({ifOperStatus.number})", "Gi0/3 is down (2)"),
        ("{IF-MIB::ifDescr}", "Gi0/3"),
        ("{1.3.6.1.2.1.2.2.1.2}", "Gi0/3"),
        ("{#1} {#3} {#9}", "3 Gi0/3 unknown"),
        ("{ifOperStatus.index}", "3"),
        ("{IF-MIB::ifName|ifDescr|ifIndex}", "Gi0/3"),
        ("{IF-MIB::ifName|'nothing'}", "nothing"),
        ("{ IF-MIB::ifName | ifIndex }", "3"),
        ("{IF-MIB::ifName}", "unknown"),
        ("{trap} {trap.oid} {source} {peer}", "IF-MIB::linkDown 1.3.6.1.6.3.1.1.5.3 192.0.2.7 192.0.2.7"),
        ("{ifDescr.number}", "unknown"),
        ("{ifIndex.above}", "unknown"),
    ],
)
def test_places_are_filled_from_the_notification(written, expected) -> None:
    assert text(written) == expected


def test_parts_of_an_instance_are_read_by_the_index_of_their_row() -> None:
    written = "{OSPF-MIB::ospfNbrState.index} {OSPF-MIB::ospfNbrState.index.1} {OSPF-MIB::ospfNbrState.index.3|'none'}"
    assert text(written, NEIGHBOUR) == "10.0.0.2.0 10.0.0.2 none"


def test_what_stands_above_an_object_identifier_leaves_its_last_number_out() -> None:
    assert text("{UPS-MIB::upsAlarmDescr.above}", NEIGHBOUR) == "1.3.6"


@pytest.mark.parametrize(
    "written", ["{", "}", "{a}}", "{{a}", "{}", "{ifIndex.}", "{ifIndex.index.0}", "{ifIndex.number.x}"]
)
def test_broken_place_is_refused(written) -> None:
    with pytest.raises(EntryError):
        text(written)


def test_long_keys_are_cut_and_stay_distinct() -> None:
    assert key_text("short") == "short"
    one, other = key_text("x" * 500 + "1"), key_text("x" * 500 + "2")
    assert len(one) == len(other) == ALARM_KEY_CHARACTERS_MAX
    assert one != other
