"""What a file of ``config/topology`` may hold; references are checked in :mod:`ocs.faults.topology.toml_topology`."""

import msgspec


class TopologyError(ValueError):
    """A topology cannot be used; the text is one line for the operator.

    Attributes:
        file: its path, as the folder was named. entry: which of it: ``elements[core-1].uplinks``.
        expectation: what should be there.
    """

    def __init__(self, file: str, entry: str, expectation: str) -> None:
        super().__init__(": ".join(part for part in (file, entry, expectation) if part))
        self.file = file
        self.entry = entry
        self.expectation = expectation


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str


class Site(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place with power and cooling of its own; a resource by its name.

    Attributes:
        depends_on: resources without which everything here is down.
    """

    depends_on: tuple[str, ...] = ()


class Interface(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An interface of an element: ``ELEMENT/if/NAME``.

    Attributes:
        index: ifIndex, under which it is known as ``ELEMENT/if/INDEX`` too; 0: none that lasts.
        card: which of the element's cards it is on; empty: none.
    """

    index: int = 0
    card: str = ""


class AgentAccess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an element's SNMP agent is asked what stands: one of ``community_file`` (v2c) and ``user`` (v3) is said.

    Attributes:
        address: empty: the first of the element's addresses.
        community_file: one community in a file of its own, by the configuration file. user: one of ``[[snmp.users]]``.
        walks: which of its tables are read: ``alarms`` are RFC 3877's, others are described in ``config/walks``.
        resync_s: it is asked so often without an occasion; 0: never.
    """

    address: str = ""
    port: int = 161
    community_file: str = ""
    user: str = ""
    walks: tuple[str, ...] = ("alarms", "interfaces")
    resync_s: float = 0.0


class Element(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network element.

    Attributes:
        addresses: all that its notifications may come from.
        site: where it stands. depends_on: what else it fails with: a host, a power supply.
        cards: names of its cards: ``ELEMENT/card/NAME``.
        interfaces: those that are on cards or known by number too; others need no entry.
        uplinks: names of the interfaces through which the network reaches it.
        heartbeat_s: it sends something at least so often; 0: it may be silent for ever.
        agent: how it is asked for its alarms; None: it is not.
    """

    addresses: tuple[str, ...] = ()
    site: str = ""
    depends_on: tuple[str, ...] = ()
    cards: tuple[str, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    uplinks: tuple[str, ...] = ()
    heartbeat_s: float = 0.0
    agent: AgentAccess | None = None


class Link(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What connects interfaces; a resource by its name.

    Attributes:
        ends: two interfaces or more: ``ELEMENT/if/NAME``.
        over: links that carry this one.
    """

    ends: tuple[str, ...]
    over: tuple[str, ...] = ()


class Service(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What subscribers use.

    Attributes:
        uses: resources without any of which it suffers. subscribers: how many use it.
    """

    uses: tuple[str, ...]
    subscribers: int = 0


class TopologyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file; all files of the folder together are the topology."""

    sites: tuple[Site, ...] = ()
    elements: tuple[Element, ...] = ()
    links: tuple[Link, ...] = ()
    services: tuple[Service, ...] = ()
