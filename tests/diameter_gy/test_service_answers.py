"""What an answer says of services, read back by the `diameter` package and judged by Wireshark."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from diameter.message import Avp, Message
from diameter.message.commands import CreditControlAnswer

from ocs.diameter_gy.avp import split_avps, unsigned32, utf8
from ocs.diameter_gy.message import encode_message
from ocs.diameter_gy.service_answers import plain_avps, services_avp
from ocs.messages import (
    FinalUnitAction,
    FinalUnitIndication,
    Outcome,
    PoolReference,
    RedirectAddressType,
    ServiceAnswer,
    ServiceUnit,
)
from ocs.units import Money
from tests.endtoend import wireshark

SWITCH_S = 1_790_000_000
RULE = "permit out ip from 10.0.0.1 to any"
FULL = ServiceAnswer(
    Outcome.SUCCESS,
    10,
    (7, 8),
    ServiceUnit(total_octets=1000, time_s=60, money=Money(1_500_000, "EUR"), service_specific_units=3),
    600,
    200,
    10,
    FinalUnitIndication(FinalUnitAction.RESTRICT_ACCESS, None, "", (RULE,), ("topup",), is_qos=True),
    SWITCH_S,
    (PoolReference(1, 2, 15, -1), PoolReference(2, 0, 1)),
    300,
    20,
    (1, 61),
)
REDIRECTS = [
    (RedirectAddressType.IPV4, "192.0.2.7"),
    (RedirectAddressType.IPV6, "2001:db8::7"),
    (RedirectAddressType.URL, "http://topup.example/"),
    (RedirectAddressType.SIP_URI, "sip:topup@example"),
]


def codes_of(avp: bytes) -> list[int]:
    [group] = split_avps(avp)
    return [part.code for part in split_avps(group.data)]


def names_of(avp: bytes) -> dict[str, Any]:
    return {part.name: part.value for part in Avp.from_bytes(avp).value}


def answer_of(*avps: bytes) -> bytes:
    head = utf8(263, "pgw;1"), unsigned32(268, 2001), utf8(264, "ocs.example"), utf8(296, "example")
    body = b"".join((*head, unsigned32(258, 4), unsigned32(416, 2), unsigned32(415, 1), *avps))
    return encode_message(272, 4, 0x40, 1, 1, body)


def service_of(answer: ServiceAnswer) -> Any:
    """The MSCC as the package reads it."""
    found = Message.from_bytes(answer_of(services_avp(answer)))
    assert isinstance(found, CreditControlAnswer)
    [service] = found.multiple_services_credit_control
    return service


def test_service_has_its_avps_in_the_order_of_the_grammar():
    assert codes_of(services_avp(FULL)) == [
        431, 439, 439, 432, 457, 457, 448, 268, 430, 669, 868, 869, 871, 881, 1264,
    ]  # fmt: skip
    grant = split_avps(split_avps(services_avp(FULL))[0].data)[0]
    assert [avp.code for avp in split_avps(grant.data)] == [451, 420, 413, 421, 417]


def test_3gpp_avps_and_those_of_rfc_8506_go_without_m_bit():
    [group] = split_avps(services_avp(FULL))
    flags = {avp.code: avp.flags & 0x40 for avp in split_avps(group.data)}
    assert [code for code, mandatory in flags.items() if not mandatory] == [669, 868, 869, 871, 881, 1264]


def test_grant_across_a_tariff_change_names_it():
    grant = names_of(services_avp(FULL))["Granted-Service-Unit"]
    changes = [part.value for part in grant if part.name == "Tariff-Time-Change"]
    assert [change.replace(tzinfo=UTC) for change in changes] == [datetime.fromtimestamp(SWITCH_S, UTC)]


def test_plain_form_names_the_tariff_change_too():
    grant = split_avps(
        plain_avps(ServiceAnswer(Outcome.SUCCESS, granted=ServiceUnit(1), tariff_time_change_s=SWITCH_S))
    )
    assert [avp.code for avp in split_avps(grant[0].data)] == [451, 421]


def test_pools_are_told_with_their_multipliers():
    pools = service_of(FULL).g_s_u_pool_reference
    told = [
        (
            pool.g_s_u_pool_identifier,
            pool.cc_unit_type,
            pool.unit_value.value_digits,
            pool.unit_value.exponent,
        )
        for pool in pools
    ]
    assert told == [(1, 2, 15, -1), (2, 0, 1, 0)]


def test_holding_and_consumption_time_are_told():
    service = service_of(FULL)
    assert (service.quota_holding_time, service.quota_consumption_time) == (300, 20)
    assert (service.time_quota_threshold, service.volume_quota_threshold) == (10, 200)


def test_triggers_are_told():
    assert service_of(FULL).trigger.trigger_type == [1, 61]


@pytest.mark.parametrize(("kind", "address"), REDIRECTS)
def test_redirection_is_told_for_each_type_of_address(kind: RedirectAddressType, address: str) -> None:
    final_unit = FinalUnitIndication(FinalUnitAction.REDIRECT, kind, address)
    indication = service_of(ServiceAnswer(Outcome.SUCCESS, 1, final_unit=final_unit)).final_unit_indication
    server = indication.redirect_server
    assert (server.redirect_address_type, server.redirect_server_address) == (kind, address)


@pytest.mark.parametrize(("kind", "address"), REDIRECTS)
def test_redirection_is_told_in_the_qos_form_beside_the_old_one(
    kind: RedirectAddressType, address: str
) -> None:
    final_unit = FinalUnitIndication(FinalUnitAction.REDIRECT, kind, address, is_qos=True)
    told = names_of(services_avp(ServiceAnswer(Outcome.SUCCESS, 1, final_unit=final_unit)))
    assert "Final-Unit-Indication" in told
    action, server = told["QoS-Final-Unit-Indication"]
    assert (action.name, action.value) == ("Final-Unit-Action", 1)
    [avp] = server.value
    expected = {
        RedirectAddressType.IPV4: ("Redirect-Address-IPAddress", (1, address)),
        RedirectAddressType.IPV6: ("Redirect-Address-IPAddress", (2, address)),
        RedirectAddressType.URL: ("Redirect-Address-URL", address),
        RedirectAddressType.SIP_URI: ("Redirect-Address-SIP-URI", address),
    }
    assert (avp.name, avp.value) == expected[kind]


def test_restriction_is_told_in_the_qos_form_with_rules_and_filters():
    parts = names_of(services_avp(FULL))["QoS-Final-Unit-Indication"]
    assert [part.name for part in parts] == ["Final-Unit-Action", "Filter-Rule", "Filter-Id"]


def test_rule_that_the_qos_form_cannot_hold_is_told_in_the_old_one_alone():
    final_unit = FinalUnitIndication(
        FinalUnitAction.RESTRICT_ACCESS, None, "", ("permit out ip from any to any frag",), is_qos=True
    )
    assert codes_of(services_avp(ServiceAnswer(Outcome.SUCCESS, 1, final_unit=final_unit))) == [432, 268, 430]


def test_termination_stands_alone_in_its_indication():
    final_unit = FinalUnitIndication(FinalUnitAction.TERMINATE, None, "", (RULE,), ("a",), is_qos=True)
    indications = [
        [part.name for part in avps]
        for name, avps in names_of(
            services_avp(ServiceAnswer(Outcome.SUCCESS, 1, final_unit=final_unit))
        ).items()
        if "Final" in name
    ]
    assert indications == [["Final-Unit-Action"], ["Final-Unit-Action"]]


@pytest.mark.skipif(not wireshark.TSHARK, reason="tshark is not installed (Debian: tshark)")
def test_wireshark_finds_no_fault(tmp_path: Path) -> None:
    redirects = [
        services_avp(ServiceAnswer(Outcome.SUCCESS, 1, final_unit=FinalUnitIndication(FinalUnitAction.REDIRECT, *to, is_qos=True)))
        for to in REDIRECTS
    ]  # fmt: skip
    capture = wireshark.Capture()
    capture.connection().received(answer_of(services_avp(FULL), *redirects))
    capture.write(tmp_path / "answers.pcap")
    assert wireshark.messages_seen(tmp_path / "answers.pcap") == {(272, False)}
    assert wireshark.faults(tmp_path / "answers.pcap") == []
