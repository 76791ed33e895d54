"""What every element has: its port, its key, who may log in, its life."""

from typing import Any

import paramiko
import pytest

from simulators.element.faults import Fault, FaultKind
from simulators.element.park import Park
from simulators.element.ssh import Login, new_host_key, public_line
from tests.support.element_clients import client, wait_until


def seen_key(element: Any) -> str:
    transport = paramiko.Transport((element.address, element.port))
    try:
        transport.start_client(timeout=10)
        key = transport.get_remote_server_key()
        return f"{key.get_name()} {key.get_base64()}"
    finally:
        transport.close()


def test_an_element_shows_the_key_that_it_says_it_has(park: Park) -> None:
    one, other = park.netconf("pe1"), park.cli("ce1")
    assert seen_key(one) == one.host_key
    assert seen_key(other) == other.host_key
    assert one.host_key != other.host_key


def test_several_may_share_a_key(park: Park) -> None:
    key = new_host_key()
    assert (
        park.netconf("a", host_key=key).host_key
        == park.netconf("b", host_key=key).host_key
        == public_line(key)
    )


def test_a_changed_key_is_another_at_the_same_port(park: Park) -> None:
    element = park.netconf("pe1")
    before, port = element.host_key, element.port
    element.change_host_key()
    assert element.port == port
    assert seen_key(element) == element.host_key != before


def test_who_does_not_know_the_password_stays_outside(park: Park) -> None:
    element = park.netconf("pe1", login=Login(user="noc", password="right"))
    with pytest.raises(Exception, match=r"(?i)auth"), client(element, username="noc", password="wrong"):
        pass
    with pytest.raises(Exception, match=r"(?i)auth"), client(element, username="admin", password="right"):
        pass
    with client(element, username="noc", password="right") as session:
        assert session.connected
        assert element.sessions() == [(int(session.session_id), "noc")]


def test_a_public_key_lets_in(park: Park, tmp_path: Any) -> None:
    private = new_host_key()
    file = tmp_path / "key"
    file.write_text(private)
    element = park.netconf(
        "pe1", login=Login(password="", keys=(public_line(private) + " somebody@somewhere",))
    )
    with client(element, password=None, key_filename=str(file)) as session:
        assert session.connected
    with pytest.raises(Exception, match=r"(?i)auth"), client(element):
        pass


def test_connections_are_broken_and_new_ones_taken(park: Park) -> None:
    element = park.netconf("pe1")
    with client(element) as session:
        assert element.connections == 1
        element.drop_connections()
        assert wait_until(lambda: not session.connected)
    with client(element) as session:
        assert session.get_config("running").ok


def test_a_stopped_element_takes_no_connection(park: Park) -> None:
    element = park.netconf("pe1")
    element.stop()
    with pytest.raises(Exception, match=r"(?i)connect|socket"), client(element):
        pass
    element.start()
    with client(element) as session:
        assert session.connected


@pytest.mark.parametrize("step", ["connect", "login"])
def test_the_way_in_fails_on_command(park: Park, step: str) -> None:
    element = park.netconf("pe1")
    element.faults.add(Fault(kind=FaultKind.DROP_BEFORE, on=step))
    with pytest.raises(Exception, match=r"."), client(element):
        pass
    with client(element) as session:
        assert session.connected
