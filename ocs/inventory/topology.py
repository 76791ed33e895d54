"""The topology of alarms, from the inventory: complete in memory, with the version of the inventory that it is of."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, select

from ocs.faults.topology.schema import AgentAccess, Element, Interface, Link, Service, Site, TopologyError
from ocs.faults.topology.toml_topology import TomlTopology
from ocs.inventory.elements import list_elements
from ocs.inventory.model import Attribute, ElementRecord, Kind, Resource
from ocs.inventory.naming import element_of, is_part, topology_name
from ocs.inventory.resources import ResourceQuery, list_resources, names_of
from ocs.inventory.statements import read_version
from ocs.inventory.tables import FOOTPRINT, FOOTPRINT_ANCHOR, RESOURCE, SERVICE, SERVICE_USE
from ocs.limits import INVENTORY_PAGE_MAX, SERVICES_NAMED_MAX

AGENT_PREFIX: Final = "agent."
_INTERFACE: Final = "/if/"


class InventoryTopology(TomlTopology):
    """A :class:`~ocs.faults.topology.port.Topology`. Made by :func:`load_inventory_topology`.

    Attributes:
        version: of the inventory when it was read; :func:`~ocs.inventory.statements.read_version` says whether that
            is outdated.
    """

    def __init__(self, version: tuple[int, int]) -> None:
        super().__init__()
        self.version = version

    def add_part(self, resource: Resource) -> None:
        """Take in a part of an element, the element being known."""
        held = (topology_name(resource.parent), *map(topology_name, resource.depends_on))
        self._parents[resource.resource_id] = held


def load_inventory_topology(connection: Connection) -> InventoryTopology:
    """Read the topology.

    Services are known by their ids; when there are very many, those of one model on the same elements are one, called
    ``MODEL at ELEMENT``.

    Raises:
        TopologyError: attributes of an element that say how it is looked after are none.
    """
    topology = InventoryTopology(read_version(connection))
    resources = list(_every(connection))
    interfaces: dict[str, list[Resource]] = {}
    for resource in resources:
        if resource.kind is Kind.INTERFACE:
            interfaces.setdefault(element_of(resource.resource_id), []).append(resource)
        elif resource.kind is Kind.SITE:
            held = (resource.parent, *resource.depends_on) if resource.parent else resource.depends_on
            topology.add_site(
                Site(name=topology_name(resource.resource_id), depends_on=tuple(map(topology_name, held)))
            )
    for record in list_elements(connection):
        topology.add_element(element_entry(record, interfaces.get(record.name, ())))
    for resource in resources:
        if is_part(resource.kind):
            topology.add_part(resource)
    links = [link_entry(resource) for resource in resources if resource.kind is Kind.LINK]
    ends_of = {link.name: link.ends for link in links}
    for link in links:
        topology.add_link(link, ends_of)
    topology.add_services(_services(connection))
    return topology


def element_entry(record: ElementRecord, interfaces: Iterable[Resource]) -> Element:
    """An element as a file of topology would describe it.

    Raises:
        TopologyError: as :func:`load_inventory_topology`.
    """
    known = [(interface.resource_id.partition(_INTERFACE)[2], interface) for interface in interfaces]
    attributes = record.resource.attributes
    described: dict[str, Any] = {
        "name": record.name,
        "addresses": record.addresses,
        "site": topology_name(record.site),
        "depends_on": tuple(map(topology_name, record.resource.depends_on)),
        "interfaces": tuple(
            Interface(
                name=name,
                index=int(interface.attributes.get("index", 0)),
                card=interface.parent.partition("/card/")[2],
            )
            for name, interface in known
        ),
        "uplinks": tuple(name for name, interface in known if interface.attributes.get("is_uplink")),
        "heartbeat_s": attributes.get("heartbeat_s", 0.0),
        "agent": _agent(attributes),
    }
    try:
        return msgspec.convert(described, Element, from_attributes=True)
    except (msgspec.ValidationError, ValueError) as error:
        raise TopologyError("inventory", f"elements[{record.name}]", str(error)) from None


def link_entry(resource: Resource) -> Link:
    """A link as a file of topology would describe it."""
    return Link(
        name=topology_name(resource.resource_id),
        ends=resource.ends,
        over=tuple(map(topology_name, resource.depends_on)),
    )


def agent_attributes(agent: AgentAccess | None) -> dict[str, Attribute]:
    """How an agent is asked, as attributes of its element."""
    if agent is None:
        return {}
    told = {name: getattr(agent, name) for name in agent.__struct_fields__}
    defaults = AgentAccess()
    return {
        f"{AGENT_PREFIX}{name}": " ".join(agent.walks) if name == "walks" else value
        for name, value in told.items()
        if value != getattr(defaults, name)
    }


def _agent(attributes: Mapping[str, Attribute]) -> dict[str, object] | None:
    told: dict[str, object] = {
        name.removeprefix(AGENT_PREFIX): value
        for name, value in attributes.items()
        if name.startswith(AGENT_PREFIX)
    }
    if not told:
        return None
    if "walks" in told:
        told["walks"] = str(told["walks"]).split()
    return told


def _every(connection: Connection) -> Iterable[Resource]:
    """All resources that can fail, a page at a time."""
    kinds = (Kind.SITE, Kind.CARD, Kind.INTERFACE, Kind.PART, Kind.LINK)
    after = ""
    while page := list_resources(
        connection, ResourceQuery(kinds=kinds, after=after, limit=INVENTORY_PAGE_MAX)
    ):
        yield from page
        after = page[-1].resource_id


def _services(connection: Connection) -> list[Service]:
    count = connection.scalar(select(func.count()).select_from(SERVICE)) or 0
    return _each_service(connection) if count <= SERVICES_NAMED_MAX else _services_by_place(connection)


def _each_service(connection: Connection) -> list[Service]:
    uses: dict[str, list[str]] = {}
    subscribers: dict[str, int] = {}
    rows = connection.execute(
        select(SERVICE.c.service_id, SERVICE.c.subscribers, RESOURCE.c.resource_id, RESOURCE.c.kind)
        .join(SERVICE_USE, SERVICE_USE.c.service == SERVICE.c.number)
        .join(RESOURCE, RESOURCE.c.number == SERVICE_USE.c.resource)
        .order_by(SERVICE.c.service_id)
    )
    for name, count, resource, kind in rows:
        subscribers[name] = count
        used = uses.setdefault(name, [])
        used.append(topology_name(resource))
        if is_part(Kind(kind)):
            # Who uses a port suffers too when its element is not reached.
            used.append(element_of(resource))
    return [
        Service(name=name, uses=tuple(dict.fromkeys(used)), subscribers=subscribers[name])
        for name, used in uses.items()
    ]


def _services_by_place(connection: Connection) -> list[Service]:
    anchors: dict[int, list[int]] = {}
    for footprint, anchor in connection.execute(
        select(FOOTPRINT_ANCHOR.c.footprint, FOOTPRINT_ANCHOR.c.anchor)
        .join(FOOTPRINT, FOOTPRINT.c.number == FOOTPRINT_ANCHOR.c.footprint)
        .where(FOOTPRINT.c.services > 0)
        .order_by(FOOTPRINT_ANCHOR.c.footprint, FOOTPRINT_ANCHOR.c.anchor)
    ):
        anchors.setdefault(footprint, []).append(anchor)
    names = names_of(connection, {anchor for used in anchors.values() for anchor in used})
    rows = connection.execute(
        select(SERVICE.c.model, SERVICE.c.footprint, func.sum(SERVICE.c.subscribers))
        .group_by(SERVICE.c.model, SERVICE.c.footprint)
        .order_by(SERVICE.c.model, SERVICE.c.footprint)
    )
    found: list[Service] = []
    for model, footprint, count in rows:
        used = tuple(topology_name(names[anchor]) for anchor in anchors.get(footprint, ()))
        if used:
            found.append(Service(name=f"{model} at {' + '.join(used)}", uses=used, subscribers=int(count)))
    return found
