"""Clients of simulated elements that others have written - ncclient, paramiko - and what they say."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import paramiko
from ncclient import manager

SYSTEM = "urn:ietf:params:xml:ns:yang:ietf-system"
INTERFACES = "urn:ietf:params:xml:ns:yang:ietf-interfaces"
BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
IANA = "urn:ietf:params:xml:ns:yang:iana-if-type"
HOSTNAME = "/ietf-system:system/hostname"
GE0 = "/ietf-interfaces:interfaces/interface[name='ge-0']"
ETHERNET = "iana-if-type:ethernetCsmacd"
FIRST = {HOSTNAME: "pe1", f"{GE0}/type": ETHERNET, f"{GE0}/description": "to core"}
STEP_S = 10.0


def config(inside: str) -> str:
    return f'<config xmlns="{BASE}" xmlns:nc="{BASE}">{inside}</config>'


def hostname(value: str, attributes: str = "") -> str:
    return config(f'<system xmlns="{SYSTEM}"><hostname {attributes}>{value}</hostname></system>')


def interface(name: str, inside: str = "", attributes: str = "") -> str:
    return config(
        f'<interfaces xmlns="{INTERFACES}"><interface {attributes}><name>{name}</name>{inside}</interface></interfaces>'
    )


@contextmanager
def client(element: Any, **options: Any) -> Generator[Any]:
    """A session of ncclient's."""
    settings: dict[str, Any] = {
        "username": "admin",
        "password": "admin",
        "hostkey_verify": False,
        "allow_agent": False,
        "look_for_keys": False,
        "timeout": STEP_S,
    }
    connection: Any = manager.connect(host=element.address, port=element.port, **settings | options)
    connection.timeout = STEP_S
    try:
        yield connection
    except BaseException:
        # A farewell would wait for an answer that does not come.
        connection._session.close()
        raise
    if connection.connected:
        connection.close_session()


@contextmanager
def subsystem(element: Any, name: str = "netconf") -> Generator[paramiko.Channel]:
    """A bare channel with the subsystem: bytes in, bytes out."""
    transport = paramiko.Transport((element.address, element.port))
    try:
        transport.connect(username="admin", password="admin")
        channel = transport.open_session(timeout=STEP_S)
        channel.settimeout(STEP_S)
        channel.invoke_subsystem(name)
        yield channel
    finally:
        transport.close()


def wait_until(holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold in time; clients notice in threads of their own what a server does."""
    deadline = time.monotonic() + STEP_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    return holds()


def read_until(channel: paramiko.Channel, end: bytes) -> bytes:
    """What comes up to an end mark; b"" at the end when the connection breaks."""
    got = b""
    while not got.endswith(end):
        piece = channel.recv(1 if len(got) < 100_000 else 4096)
        if not piece:
            return got
        got += piece
    return got


@contextmanager
def terminal(element: Any) -> Generator[paramiko.Channel]:
    """A shell of a CLI box."""
    transport = paramiko.Transport((element.address, element.port))
    try:
        transport.connect(username="admin", password="admin")
        channel = transport.open_session(timeout=STEP_S)
        channel.settimeout(STEP_S)
        channel.get_pty()
        channel.invoke_shell()
        yield channel
    finally:
        transport.close()
