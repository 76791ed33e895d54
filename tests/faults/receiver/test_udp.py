"""The trap socket, on IPv4, on IPv6, and on both."""

import socket

import pytest

from ocs.faults.receiver.udp import address_text, bind_snmp, drain, send
from ocs.settings import SnmpSettings


def bound(host: str) -> socket.socket:
    opened = bind_snmp(SnmpSettings(host=host, port=0))
    assert opened is not None
    return opened


@pytest.mark.parametrize(
    ("host", "family", "target"),
    [
        ("127.0.0.1", socket.AF_INET, "127.0.0.1"),
        ("::1", socket.AF_INET6, "::1"),
        ("::", socket.AF_INET6, "127.0.0.1"),
    ],
)
def test_datagrams_are_read_with_where_they_came_from_and_answered(
    host: str, family: socket.AddressFamily, target: str
) -> None:
    sender_family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with bound(host) as ours, socket.socket(sender_family, socket.SOCK_DGRAM) as sender:
        assert ours.family == family
        sender.settimeout(5)
        sender.bind((target, 0))
        port = ours.getsockname()[1]
        for number in range(3):
            sender.sendto(bytes([number]), (target, port))
        read = drain(ours, 2) + drain(ours, 10)
        assert [(octets, address) for octets, address, _ in read] == [(bytes([n]), target) for n in range(3)]
        assert send(ours, b"ok", target, read[0][2])
        assert sender.recv(10) == b"ok"


def test_nothing_to_read_is_an_empty_list() -> None:
    with bound("127.0.0.1") as ours:
        assert drain(ours, 10) == []


def test_no_traps_are_taken_with_port_minus_one() -> None:
    assert bind_snmp(SnmpSettings(port=-1)) is None


def test_taken_port_is_named() -> None:
    with (
        bound("127.0.0.1") as ours,
        pytest.raises(OSError, match=r"cannot listen on 127\.0\.0\.1 port"),
    ):
        bind_snmp(SnmpSettings(port=ours.getsockname()[1]))


def test_address_is_shown_as_it_is_bound() -> None:
    with bound("::1") as ours:
        assert address_text(ours) == f"[::1]:{ours.getsockname()[1]}"


def test_reply_to_where_nobody_listens_is_no_error() -> None:
    with bound("127.0.0.1") as ours, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
        gone.close()
        send(ours, b"ok", "127.0.0.1", port)
        assert drain(ours, 1) == []
