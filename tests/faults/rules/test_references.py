"""A varbind is found by its object identifier wherever it stands."""

import itertools

import pytest

from ocs.faults.notification import Syntax, Varbind
from ocs.faults.rules.errors import EntryError
from ocs.faults.rules.references import Reference
from tests.support.notifications import standard_names

NAMES = standard_names()
INDEX = Varbind("1.3.6.1.2.1.2.2.1.1.3", Syntax.INTEGER, 3)
STATUS = Varbind("1.3.6.1.2.1.2.2.1.8.3", Syntax.INTEGER, 2)
DESCR = Varbind("1.3.6.1.2.1.2.2.1.2.3", Syntax.OCTET_STRING, b"Gi0/3")


def test_varbind_is_found_in_any_order_also_when_the_order_changes() -> None:
    reference = Reference("IF-MIB::ifOperStatus", NAMES, None)
    for order in itertools.permutations([INDEX, STATUS, DESCR]):
        assert reference.find(order) is STATUS
    assert reference.find([INDEX]) is None
    assert reference.find([]) is None
    assert reference.find([INDEX, DESCR, STATUS]) is STATUS


def test_place_counts_from_one() -> None:
    reference = Reference("#2", NAMES, None)
    assert reference.find([INDEX, STATUS]) is STATUS
    assert reference.find([INDEX]) is None
    assert reference.text(STATUS) == "down"
    assert reference.index(STATUS) == STATUS.name


def test_unqualified_name_is_first_looked_for_among_the_trap_s_own_objects() -> None:
    trap = NAMES.notification(NAMES.oid_of("IF-MIB::linkDown"))
    assert Reference("ifIndex", NAMES, trap).oid == "1.3.6.1.2.1.2.2.1.1"
    # OSPF-TRAP-MIB is said to define what it imports from OSPF-MIB.
    ospf = NAMES.notification(NAMES.oid_of("OSPF-TRAP-MIB::ospfNbrStateChange"))
    assert Reference("ospfNbrState", NAMES, ospf).oid == NAMES.oid_of("OSPF-MIB::ospfNbrState")


def test_value_is_shown_as_its_type_says_also_when_another_type_came() -> None:
    status = Reference("IF-MIB::ifOperStatus", NAMES, None)
    assert status.text(STATUS) == "down"
    assert status.text(Varbind(STATUS.name, Syntax.OCTET_STRING, b"sleepy")) == "sleepy"
    assert status.text(Varbind(STATUS.name, Syntax.NO_SUCH_OBJECT, None)) == "noSuchObject"
    descr = Reference("IF-MIB::ifDescr", NAMES, None)
    assert descr.text(DESCR) == "Gi0/3"
    assert descr.text(Varbind(DESCR.name, Syntax.OCTET_STRING, b"\x00\xff")) == "0x00ff"
    assert descr.text(Varbind(DESCR.name, Syntax.IP_ADDRESS, b"ABCD")) == "65.66.67.68"
    unknown = Reference("1.3.6.1.4.1.32473.1", NAMES, None)
    assert unknown.text(Varbind("1.3.6.1.4.1.32473.1.0", Syntax.OCTET_STRING, b"text")) == "text"


def test_unknown_name_is_refused() -> None:
    with pytest.raises(EntryError, match="no MIB module has an object 'nothing'"):
        Reference("nothing", NAMES, None)
