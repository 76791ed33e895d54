"""How elements are asked, read from topology and settings with their secrets."""

from pathlib import Path

import msgspec
import pytest

from ocs.faults.resync.agent import Secrets, agents_of
from ocs.faults.topology.schema import AgentAccess, Element, TopologyError
from ocs.settings import Settings, SnmpSettings, SnmpUserSettings

WALKS = ("alarms", "interfaces")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name in ("community", "authentication", "privacy"):
        (tmp_path / name).write_text(f"{name}-secret\n")
        (tmp_path / name).chmod(0o600)
    user = SnmpUserSettings(
        name="noc",
        authentication="sha256",
        authentication_file="authentication",
        privacy="aes128",
        privacy_file="privacy",
    )
    return msgspec.structs.replace(Settings(), directory=tmp_path, snmp=SnmpSettings(users=(user,)))


def element(access: AgentAccess | None) -> Element:
    return Element(name="core", addresses=("10.0.0.1", "2001:DB8::1"), agent=access)


def test_community_and_user_are_read_with_their_secrets(settings: Settings) -> None:
    by_community = agents_of([element(AgentAccess(community_file="community"))], settings, WALKS)["core"]
    assert (by_community.host, by_community.port) == ("10.0.0.1", 161)
    assert by_community.secrets == Secrets(community="community-secret")
    assert by_community.sources == ("10.0.0.1", "2001:db8::1")
    by_user = agents_of(
        [element(AgentAccess(address="10.9.9.9", port=1161, user="noc", resync_s=600))], settings, WALKS
    )["core"]
    assert (by_user.host, by_user.port, by_user.resync_ms) == ("10.9.9.9", 1161, 600_000)
    assert by_user.secrets == Secrets(
        user="noc",
        authentication="sha256",
        authentication_password="authentication-secret",
        privacy="aes128",
        privacy_password="privacy-secret",
    )
    assert by_user.sources[0] == "10.9.9.9"


def test_secrets_are_not_shown(settings: Settings) -> None:
    agent = agents_of([element(AgentAccess(user="noc"))], settings, WALKS)["core"]
    assert "-secret" not in repr(agent)


def test_element_without_an_agent_is_not_asked(settings: Settings) -> None:
    assert agents_of([element(None)], settings, WALKS) == {}


@pytest.mark.parametrize(
    ("access", "message"),
    [
        (
            AgentAccess(user="nobody"),
            r"elements\[core\].agent.user: expected one of \[\[snmp.users\]\], not nobody",
        ),
        (AgentAccess(user="noc", walks=("alarms", "fans")), "expected some of alarms, interfaces, not fans"),
        (AgentAccess(community_file="missing"), r"elements\[core\].agent: .*cannot read this secret"),
    ],
)
def test_mistake_is_one_line(access: AgentAccess, message: str, settings: Settings) -> None:
    with pytest.raises(TopologyError, match=message):
        agents_of([element(access)], settings, WALKS)
