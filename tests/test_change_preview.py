"""What a change is shown as before it is made."""

from ocs.change_preview import preview
from ocs.provisioning.configuration import ConfigurationDiff
from ocs.provisioning.credentials import Credential
from ocs.provisioning.element import Element
from ocs.provisioning.transactions.record import ElementPlan
from tests.support.elements import lab_sessions

NTP = "/ietf-system:system/ntp"
SERVER = f"{NTP}/server[name='192.0.2.1']"
OWNED: dict[str, str | None] = {
    NTP: None,
    f"{NTP}/enabled": "true",
    SERVER: None,
    f"{SERVER}/udp/address": "192.0.2.1",
}
SESSIONS = lab_sessions(Credential(user="ocs", password="x"))


def of_type(type_name: str) -> Element:
    return Element(name="sw1", type_name=type_name, address="::1", port=22, credential="lab")


def test_lines_that_a_command_line_loses_with_a_container_are_those_that_services_own() -> None:
    plan = ElementPlan("sw1", ConfigurationDiff({}, (NTP,)), OWNED)
    (shown,) = preview([plan], SESSIONS, lambda _: of_type("ios-like"))
    assert shown.forward == "no ntp server 192.0.2.1"
    assert shown.reverse == "ntp server 192.0.2.1"


def test_lines_that_come_anew_go_again_in_the_reverse() -> None:
    plan = ElementPlan("sw1", ConfigurationDiff(OWNED))
    (shown,) = preview([plan], SESSIONS, lambda _: of_type("ios-like"))
    assert (shown.forward, shown.reverse) == ("ntp server 192.0.2.1", "no ntp server 192.0.2.1")


def test_lines_are_those_that_an_element_runs_when_it_was_asked() -> None:
    other = f"{NTP}/server[name='192.0.2.9']"
    running: dict[str, str | None] = {**OWNED, other: None, f"{other}/udp/address": "192.0.2.9"}
    plan = ElementPlan("sw1", ConfigurationDiff({}, (NTP,)), OWNED)
    (shown,) = preview([plan], SESSIONS, lambda _: of_type("ios-like"), {"sw1": running})
    assert sorted(shown.forward.split("\n")) == ["no ntp server 192.0.2.1", "no ntp server 192.0.2.9"]
    assert shown.drift == ()


def test_a_container_goes_as_a_whole_where_the_language_has_it() -> None:
    plan = ElementPlan("sw1", ConfigurationDiff({}, (NTP,)), OWNED)
    (shown,) = preview([plan], SESSIONS, lambda _: of_type("netconf"))
    assert "192.0.2.1" not in shown.forward
    assert "192.0.2.1" in shown.reverse
