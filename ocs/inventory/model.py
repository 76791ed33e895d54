"""What the inventory knows: resources, how elements are reached, services and what they use. Values without behaviour.

A resource is named as in the topology of alarms, element first, narrower after slashes; what is no element or part of
one says first what it is::

    pe1   pe1/card/3   pe1/if/ge-0/0/1   site/berlin   link/fibre-7   prefix/core/10.1.0.0/16   vlan/berlin/100
"""

import enum
from typing import TypeAlias

import msgspec

from ocs.provisioning.element import Element

Attribute: TypeAlias = str | int | float | bool


class Kind(enum.StrEnum):
    """What a resource is."""

    SITE = "site"
    ELEMENT = "element"
    CARD = "card"
    INTERFACE = "interface"  # a port too; a sub-interface lies in its port
    PART = "part"  # of an element, anything else: a fan, a power supply, a module
    LINK = "link"
    PREFIX = "prefix"
    VLAN = "vlan"
    LOGICAL = "logical"  # what has no place: an APN, a cluster; named KIND/NAME


class Lifecycle(enum.StrEnum):
    """Whether it is there."""

    PLANNED = "planned"
    AS_BUILT = "as-built"
    RETIRED = "retired"


class AdministrativeState(enum.StrEnum):
    """Whether it may be used (X.731)."""

    UNLOCKED = "unlocked"
    SHUTTING_DOWN = "shutting-down"
    LOCKED = "locked"


class OperationalState(enum.StrEnum):
    """Whether it works (X.731), as far as somebody said so."""

    UNKNOWN = "unknown"
    ENABLED = "enabled"
    DISABLED = "disabled"


class Resource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that the network consists of.

    Attributes:
        resource_id: its name, for good.
        parent: what holds it, and takes it down when it fails: an interface's card or element, an element's site, a
            VLAN's site, a prefix's containing prefix; empty for none.
        depends_on: what it fails with besides: a host, a power supply; of a link the links that carry it.
        ends: of a link: two interfaces or more.
        attributes: the topology reads ``index`` (ifIndex) and ``is_uplink`` of interfaces, ``heartbeat_s`` and
            ``agent.*`` of elements; the rest is the operator's own.
        version: of what was read; an update says which it is about. 0: not yet in the inventory.
    """

    resource_id: str
    kind: Kind
    parent: str = ""
    lifecycle: Lifecycle = Lifecycle.AS_BUILT
    administrative_state: AdministrativeState = AdministrativeState.UNLOCKED
    operational_state: OperationalState = OperationalState.UNKNOWN
    depends_on: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    attributes: dict[str, Attribute] = {}
    version: int = 0


class ElementRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A network element: the resource, and how it is reached.

    Attributes:
        management: how it is configured; None: it is not, by us.
        role: what it is for, such as ``pe``, ``pgw``, ``ims``: services choose their elements by it.
        addresses: all that its notifications may come from.
    """

    resource: Resource
    management: Element | None = None
    role: str = ""
    addresses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The element's name."""
        return self.resource.resource_id

    @property
    def site(self) -> str:
        """The resource of the site where it stands; empty: nobody said."""
        return self.resource.parent


class ServiceState(enum.StrEnum):
    """Where a service is in its life (TMF638 ServiceStateType)."""

    DESIGNED = "designed"
    RESERVED = "reserved"
    INACTIVE = "inactive"
    ACTIVE = "active"
    TERMINATED = "terminated"


class Service(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was sold, as it is in the network.

    Attributes:
        model: which service model makes its configuration. parameters: what was ordered.
        allocations: what was reserved for it, by the model's word for it: ``{"vlan": "vlan/berlin/100"}``.
        customer: who pays. subscribers: how many use it.
        version: as in :class:`Resource`.
    """

    service_id: str
    model: str
    parameters: dict[str, object] = {}
    allocations: dict[str, str] = {}
    customer: str = ""
    state: ServiceState = ServiceState.ACTIVE
    subscribers: int = 1
    version: int = 0


class Use(msgspec.Struct, frozen=True):
    """A service uses a resource, in a role such as ``access`` or ``backup``."""

    resource_id: str
    role: str = ""
