"""What people call a resource, and that it is found by both of its names."""

import pytest

from ocs.faults.view.alarm_view import AlarmView
from ocs.faults.view.naming import ResourceNames
from ocs.faults.view.selection import AlarmFilter, Order, PageRequest
from tests.support.alarms import NOW_MS, alarm_of

TOPOLOGY = {"pe1/if/3": "pe1/if/xe-0/0/1"}
NAMES = ResourceNames(lambda resource: TOPOLOGY.get(resource, resource))


@pytest.mark.parametrize(
    ("resource", "details", "name"),
    [
        ("pe1/if/3", (), "pe1/if/xe-0/0/1"),
        ("pe1/if/3", (("IF-MIB::ifName", "other"),), "pe1/if/xe-0/0/1"),  # the topology knows better
        ("pe1/if/4", (), "pe1/if/4"),
        ("pe1/if/4", (("ifDescr", "GigabitEthernet0/4"),), "pe1/if/GigabitEthernet0/4"),
        ("pe1/if/4", (("ifDescr", "GigabitEthernet0/4"), ("IF-MIB::ifName", "Gi0/4")), "pe1/if/Gi0/4"),
        ("pe1/if/4", (("IF-MIB::ifName.4", "Gi0/4"),), "pe1/if/Gi0/4"),
        ("pe1/if/4", (("IF-MIB::ifName", ""), ("ifAlias", "to customer")), "pe1/if/4"),
        ("pe1/if/Gi0/4", (("ifDescr", "GigabitEthernet0/4"),), "pe1/if/Gi0/4"),
        ("pe1/card/4", (("ifDescr", "GigabitEthernet0/4"),), "pe1/card/4"),
    ],
)
def test_interface_is_called_by_its_name_where_somebody_tells_it(resource: str, details: tuple, name: str):
    assert NAMES.name_of(alarm_of(resource, details=details)) == name


@pytest.mark.parametrize("resource", ["pe1", "pe1/if", "pe1/if/3", "pe1/if/xe-0/0/1", "pe1/if/xe-0"])
def test_alarm_is_found_by_both_names_of_its_resource(resource: str):
    view = AlarmView([alarm_of("pe1/if/3"), alarm_of("pe2/if/3")], names=NAMES)
    (row,) = view.find(AlarmFilter(resource=resource), PageRequest(), NOW_MS).rows
    assert (row.name, row.alarm.key.resource) == ("pe1/if/xe-0/0/1", "pe1/if/3")
    assert AlarmFilter(resource=resource).matches(row, NOW_MS)


def test_text_and_order_are_those_of_the_name_that_is_shown():
    view = AlarmView([alarm_of("pe1/if/3"), alarm_of("pe1/if/5")], names=NAMES)
    assert len(view.ids(AlarmFilter(text="XE-0"), NOW_MS)) == 1
    page = view.find(AlarmFilter(), PageRequest(order=Order.RESOURCE, is_descending=False), NOW_MS)
    assert [row.name for row in page.rows] == ["pe1/if/5", "pe1/if/xe-0/0/1"]
