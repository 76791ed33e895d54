"""Names for object identifiers and back; what is unknown keeps its numbers; what is remembered is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.mibs import MibError, MibNames, names
from ocs.faults.mibs.model import BaseType, MibModule, MibObject, MibType, NodeKind
from ocs.faults.notification import Syntax
from tests.support.notifications import standard_names

IF_DESCR = "1.3.6.1.2.1.2.2.1.2"


def test_object_identifier_is_named_with_module_and_instance() -> None:
    known = standard_names()
    assert known.name_of(f"{IF_DESCR}.3") == "IF-MIB::ifDescr.3"
    assert known.name_of(IF_DESCR) == "IF-MIB::ifDescr"
    assert known.name_of("1.3.6.1.4.1.99999.1") == "SNMPv2-SMI::enterprises.99999.1"
    assert known.name_of("9.9.9") == "9.9.9"


def test_newer_module_names_what_an_older_one_defines_too() -> None:
    assert standard_names().name_of("1.3.6.1.2.1.1.5.0") == "SNMPv2-MIB::sysName.0"


@pytest.mark.parametrize("name", ["IF-MIB::ifDescr.3", f"{IF_DESCR}.3", f".{IF_DESCR}.3"])
def test_name_leads_to_its_object_identifier(name) -> None:
    assert standard_names().oid_of(name) == f"{IF_DESCR}.3"


def test_unqualified_name_is_enough_where_it_means_one_object() -> None:
    assert standard_names().oid_of("upsAlarmDescr") == "1.3.6.1.2.1.33.1.6.2.1.2"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("IF-MIB::ifDescription", "module IF-MIB has no object 'ifDescription', perhaps ifDescr"),
        ("IF-MIBS::ifDescr", "no MIB module is called 'IF-MIBS', perhaps IF-MIB"),
        ("QUITE-OTHER-MIB::x", "`ocs faults mib add FILE` adds one"),
        ("linkDow", "no MIB module has an object 'linkDow', perhaps linkDown"),
        ("no name", "expected a name such as IF-MIB::ifDescr"),
        ("", "expected a name"),
    ],
)
def test_unknown_name_is_refused_with_what_may_have_been_meant(name, says) -> None:
    with pytest.raises(MibError, match=r"^[^\n]*$") as refused:
        standard_names().oid_of(name)
    assert says in str(refused.value)


def test_name_that_means_several_objects_is_refused() -> None:
    two = MibNames(
        MibModule(module, (), (MibObject("state", f"1.3.{number}", NodeKind.NODE),))
        for number, module in enumerate(["A-MIB", "B-MIB"])
    )
    with pytest.raises(MibError, match="say which of A-MIB::state, B-MIB::state"):
        two.oid_of("state")
    assert two.oid_of("B-MIB::state") == "1.3.1"


def test_name_of_a_single_instance_does_not_hide_its_scalar() -> None:
    assert standard_names().name_of("1.3.6.1.2.1.1.3.0") == "SNMPv2-MIB::sysUpTime.0"
    assert standard_names().oid_of("sysUpTimeInstance") == "1.3.6.1.2.1.1.3.0"


def test_value_is_shown_by_the_type_of_its_object() -> None:
    known = standard_names()
    assert known.value_text("1.3.6.1.2.1.2.2.1.8.3", Syntax.INTEGER, 2) == "down"
    assert known.value_text("1.3.6.1.2.1.2.2.1.6.3", Syntax.OCTET_STRING, bytes(6)) == "00:00:00:00:00:00"
    assert known.value_text("1.3.6.1.4.1.99999.1.0", Syntax.INTEGER, 2) == "2"


def test_index_is_shown_by_the_types_of_its_row() -> None:
    known = standard_names()
    column = known.oid_of("OSPF-MIB::ospfNbrState")
    assert known.index_texts(f"{column}.10.0.0.2.0") == ("10.0.0.2", "0")
    assert known.index_names(column) == ("OSPF-MIB::ospfNbrIpAddr", "OSPF-MIB::ospfNbrAddressLessIndex")
    assert known.index_texts(f"{column}.10.0") == ("10", "0")  # does not fit: the numbers as they are
    assert known.index_texts(known.oid_of("IF-MIB::ifName.3")) == ("3",)  # of a row that augments another
    assert known.index_texts("1.3.6.1.2.1.1.5.0") == ("0",)


def test_type_is_found_in_the_module_of_the_object() -> None:
    kind = MibType("Colour", BaseType.INTEGER, "", {1: "red"})
    module = MibModule(
        "A-MIB",
        (kind,),
        (MibObject("colour", "1.3.9", NodeKind.SCALAR, 0), MibObject("a", "1.3", NodeKind.NODE)),
    )
    assert module.type_of(module.objects[0]) is kind
    assert module.type_of(module.objects[1]) is None


def test_what_is_remembered_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(names, "MIB_NAMES_REMEMBERED", 10)
    known = MibNames([])
    for number in range(25):
        known.name_of(f"1.{number}")
    assert len(known._places) <= 10


@given(st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,9}){0,128}", fullmatch=True))
def test_every_object_identifier_has_a_name_that_leads_back(oid) -> None:
    known = standard_names()
    assert known.oid_of(known.name_of(oid)) == oid
