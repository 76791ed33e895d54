"""Clients are found by address; the smallest network decides."""

from ocs.radius.clients import Client, Clients, parse_address, parse_network

WIDE = Client("wide", parse_network("192.0.2.0/24"), b"w")
ONE = Client("one", parse_network("192.0.2.7"), b"o")
SIX = Client("six", parse_network("2001:db8::/32"), b"s")
CLIENTS = Clients((WIDE, ONE, SIX))


def test_the_smallest_network_that_holds_the_address_decides():
    assert CLIENTS.find("192.0.2.7") is ONE
    assert CLIENTS.find("192.0.2.8") is WIDE
    assert CLIENTS.find("2001:db8::5") is SIX


def test_strangers_are_nobody():
    assert CLIENTS.find("198.51.100.1") is None
    assert CLIENTS.find("2001:db9::5") is None


def test_an_ipv4_address_that_ipv6_carries_is_itself():
    assert CLIENTS.find("::ffff:192.0.2.7") is ONE
    assert str(parse_address("::ffff:192.0.2.7")) == "192.0.2.7"


def test_clients_are_found_by_name():
    assert CLIENTS.named("one") is ONE
    assert CLIENTS.named("two") is None
