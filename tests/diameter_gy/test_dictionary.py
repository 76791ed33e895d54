"""Names, types and flags of AVPs."""

import pytest

from ocs.diameter_gy.dictionary import (
    AVPS_FILE,
    BY_NAME,
    DEFINITIONS,
    VENDOR_3GPP,
    AvpType,
    minimum_data_octets,
)
from ocs.diameter_gy.package_tables import avps_text, package_definitions


@pytest.mark.parametrize(
    ("vendor_id", "code", "name", "avp_type", "mandatory"),
    [
        (0, 263, "Session-Id", AvpType.UTF8_STRING, True),
        (0, 264, "Origin-Host", AvpType.DIAMETER_IDENTITY, True),
        (0, 268, "Result-Code", AvpType.UNSIGNED32, True),
        (0, 269, "Product-Name", AvpType.UTF8_STRING, False),
        (0, 281, "Error-Message", AvpType.UTF8_STRING, False),
        (0, 416, "CC-Request-Type", AvpType.ENUMERATED, True),
        (0, 421, "CC-Total-Octets", AvpType.UNSIGNED64, True),
        (0, 438, "Restriction-Filter-Rule", AvpType.IP_FILTER_RULE, True),
        (0, 456, "Multiple-Services-Credit-Control", AvpType.GROUPED, True),
        (0, 653, "User-Equipment-Info-Extension", AvpType.GROUPED, False),
        (0, 659, "Subscription-Id-Extension", AvpType.GROUPED, False),
        (0, 660, "Subscription-Id-E164", AvpType.UTF8_STRING, False),
        (0, 664, "Subscription-Id-Private", AvpType.UTF8_STRING, False),
        (0, 669, "QoS-Final-Unit-Indication", AvpType.GROUPED, False),
        (VENDOR_3GPP, 868, "Time-Quota-Threshold", AvpType.UNSIGNED32, True),
        (VENDOR_3GPP, 869, "Volume-Quota-Threshold", AvpType.UNSIGNED32, True),
        (VENDOR_3GPP, 870, "Trigger-Type", AvpType.ENUMERATED, True),
        (VENDOR_3GPP, 872, "Reporting-Reason", AvpType.ENUMERATED, True),
        (VENDOR_3GPP, 873, "Service-Information", AvpType.GROUPED, True),
        (VENDOR_3GPP, 1264, "Trigger", AvpType.GROUPED, False),
        (VENDOR_3GPP, 2021, "Remaining-Balance", AvpType.GROUPED, False),
        (VENDOR_3GPP, 3904, "Announcement-Information", AvpType.GROUPED, True),
    ],
)
def test_definition_is_that_of_the_standard(vendor_id, code, name, avp_type, mandatory):
    definition = DEFINITIONS[vendor_id, code]
    assert definition == (code, vendor_id, name, avp_type, mandatory)
    assert BY_NAME[name] == definition


def test_every_credit_control_avp_of_rfc8506_is_known():
    codes = {*range(411, 462), *range(653, 670)}
    assert codes <= {code for vendor_id, code in DEFINITIONS if vendor_id == 0}


def test_table_is_what_the_package_says_with_our_corrections():
    remedy = "python -m ocs.diameter_gy.package_tables"
    assert AVPS_FILE.read_text(encoding="ascii") == avps_text(), f"write it anew: {remedy}"
    assert package_definitions() == DEFINITIONS


def test_shortest_data_follow_from_the_type():
    assert minimum_data_octets(0, 268) == 4
    assert minimum_data_octets(0, 421) == 8
    assert minimum_data_octets(0, 257) == 6
    assert minimum_data_octets(0, 263) == 0
    assert minimum_data_octets(0, 456) == 0
    assert minimum_data_octets(4711, 1) == 0
