"""Which name a resource of each kind may have."""

import pytest

from ocs.inventory.errors import InventoryError
from ocs.inventory.model import Kind, Resource
from ocs.inventory.naming import anchor_of, check_resource, element_of, prefix_of, topology_name, vlan_id_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pe1", Kind.ELEMENT),
        ("pe1/card/3", Kind.CARD),
        ("pe1/if/ge-0/0/1.100", Kind.INTERFACE),
        ("pe1/psu/1", Kind.PART),
        ("site/berlin", Kind.SITE),
        ("vlan/berlin/4094", Kind.VLAN),
        ("prefix/core/10.1.0.0/16", Kind.PREFIX),
        ("prefix/core/2001:db8::/32", Kind.PREFIX),
        ("apn/internet", Kind.LOGICAL),
    ],
)
def test_name_that_fits_its_kind_is_taken(name: str, kind: Kind) -> None:
    check_resource(Resource(resource_id=name, kind=kind))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pe1/x", Kind.ELEMENT),
        ("site", Kind.ELEMENT),
        ("~pe1", Kind.ELEMENT),
        (" pe1", Kind.ELEMENT),
        ("pe1\n", Kind.ELEMENT),
        ("p" * 201, Kind.ELEMENT),
        ("pe1/if/0", Kind.CARD),
        ("pe1/if/", Kind.INTERFACE),
        ("site/if/0", Kind.INTERFACE),
        ("berlin", Kind.SITE),
        ("vlan/berlin/0", Kind.VLAN),
        ("vlan/berlin/4095", Kind.VLAN),
        ("vlan/berlin/007", Kind.VLAN),
        ("vlan/berlin", Kind.VLAN),
        ("prefix/core/10.1.0.1/16", Kind.PREFIX),
        ("prefix/core/2001:DB8::/32", Kind.PREFIX),
        ("prefix/10.0.0.0/8", Kind.PREFIX),
        ("vlan/x", Kind.LOGICAL),
        ("apn", Kind.LOGICAL),
    ],
)
def test_name_that_does_not_fit_is_refused_in_one_line(name: str, kind: Kind) -> None:
    with pytest.raises(InventoryError, match="expected") as refused:
        check_resource(Resource(resource_id=name, kind=kind))
    assert "\n" not in str(refused.value)


def test_parts_of_a_name() -> None:
    assert element_of("pe1/if/ge-0/0/1") == "pe1"
    assert topology_name("site/berlin") == "berlin"
    assert topology_name("vlan/berlin/7") == "vlan/berlin/7"
    assert vlan_id_of("vlan/berlin/mitte/7") == ("berlin/mitte", 7)
    assert prefix_of("prefix/core/10.0.0.0/8") == ("core", "10.0.0.0/8")
    assert anchor_of(Resource(resource_id="pe1/card/1", kind=Kind.CARD)) == "pe1"
    assert anchor_of(Resource(resource_id="vlan/b/1", kind=Kind.VLAN)) == ""
