"""What every element of ours has."""

import pytest

from ocs.inventory.model import Service
from ocs.provisioning.services.baseline import Baseline
from ocs.provisioning.services.model import ServiceError
from tests.support.described_network import DescribedNetwork
from tests.support.service_lab import BASELINE, TRAP_RECEIVER

SYSTEM = "/ietf-system:system"
SNMP = "/ietf-snmp:snmp"
USER = f"{SNMP}/usm/local/user[name='ocs-traps']"


def wanted(**parameters: object) -> dict[str, str | None]:
    service = Service(service_id="s", model="baseline", parameters=BASELINE | parameters)
    return Baseline().wanted(service, DescribedNetwork())["pe1"]


def test_element_keeps_time_by_our_servers_and_shows_our_banner() -> None:
    configuration = wanted()
    assert configuration[f"{SYSTEM}/clock/timezone-name"] == "Europe/Berlin"
    assert configuration[f"{SYSTEM}/ntp/server[name='192.0.2.123']/udp/address"] == "192.0.2.123"
    assert configuration[f"{SYSTEM}/ntp/server[name='ntp.example.net']/udp/address"] == "ntp.example.net"
    assert configuration[f"{SYSTEM}/ocs-system:login-banner"] == "For those who may.\nNobody else."
    log_server = f"{SYSTEM}/ocs-system:logging/server[address='192.0.2.51']"
    assert configuration[f"{log_server}/minimum-severity"] == "notice"


def test_notifications_go_to_our_receiver_authenticated_and_encrypted() -> None:
    configuration = wanted()
    assert configuration[f"{SNMP}/target[name='ocs']/udp/ip"] == "192.0.2.162"
    assert configuration[f"{SNMP}/target[name='ocs']/udp/port"] == "162"
    assert configuration[f"{SNMP}/target-params[name='ocs']/usm/security-level"] == "auth-priv"
    access = "access[context=''][security-model='usm'][security-level='auth-priv']"
    assert configuration[f"{SNMP}/vacm/group[name='ocs']/{access}/notify-view"] == "ocs"


def test_keys_are_only_named() -> None:
    configuration = wanted()
    assert configuration[f"{USER}/auth/sha/key"] == "secret:pe1-auth"
    assert configuration[f"{USER}/priv/aes/key"] == "secret:pe1-priv"


def test_what_is_not_ordered_is_left_as_it_is() -> None:
    service = Service(service_id="s", model="baseline", parameters={"element": "pe1"})
    assert Baseline().wanted(service, DescribedNetwork()) == {"pe1": {}}


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"element": "pe9"}, "pe9: no such element"),
        ({"trap_receiver": TRAP_RECEIVER | {"address": "nms"}}, "expected an IP address, not 'nms'"),
        ({"login_banner": "secret:pe1-auth"}, "login_banner"),
        ({"ntp_servers": ["192.0.2.1"] * 17}, "ntp_servers"),
        ({"ntp_servers": ["a'b"]}, "ntp_servers"),
    ],
)
def test_what_is_out_of_bounds_is_refused(parameters: dict[str, object], reason: str) -> None:
    with pytest.raises(ServiceError, match=reason):
        wanted(**parameters)
