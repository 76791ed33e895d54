"""An element as provisioning knows it: how to reach it, and of which type it is."""

import msgspec


class Element(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a network element for management. The inventory has it.

    Attributes:
        name: as in the topology; holds no slash. type_name: which description of ``config/network/types`` fits it.
        address: IP address or host name. port: TCP, of NETCONF over SSH (830 by RFC 6242) or of SSH.
        credential: name of an entry of ``[[provisioning.credentials]]``.
        host_key: the only one accepted, as a line of OpenSSH's form ``ssh-ed25519 AAAA...``; empty: none is, and the
            element cannot be reached before an operator has trusted its key.
    """

    name: str
    type_name: str
    address: str
    port: int
    credential: str
    host_key: str = ""


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an element can do: read from its hello, less what its type is known to do badly.

    Attributes:
        candidate: changes are collected in a candidate configuration. confirmed: a commit that undoes itself unless it
            is confirmed. persistent: such a commit outlives the session and is confirmed or cancelled from another by
            its persist-id (RFC 6241 section 8.4).
        validates: a staged change can be validated before it is committed. locks: others are kept out meanwhile.
        startup: what runs must be copied to be there after a restart. notifies: it tells of changes as they happen.
    """

    candidate: bool = False
    confirmed: bool = False
    persistent: bool = False
    validates: bool = False
    locks: bool = False
    startup: bool = False
    notifies: bool = False
