"""Brings descriptions of a network into the inventory: files of topology, and what :func:`export` wrote. Repeatable."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from sqlalchemy import Connection

from ocs.faults.topology.schema import Element, TopologyFile
from ocs.faults.topology.toml_topology import TomlTopology, topology_of
from ocs.inventory.elements import add_elements, find_element, list_elements, update_element
from ocs.inventory.errors import InventoryError
from ocs.inventory.model import Attribute, ElementRecord, Kind, Resource, Service, Use
from ocs.inventory.registry import update_resource
from ocs.inventory.resources import ResourceQuery, list_resources, resources_named
from ocs.inventory.services import (
    ServiceQuery,
    find_service,
    get_service,
    list_services,
    record_service,
    record_services,
    uses_of,
)
from ocs.inventory.topology import agent_attributes
from ocs.limits import INVENTORY_PAGE_MAX

# The model of services that files of topology describe: nothing makes their configuration.
TOPOLOGY_MODEL: Final = "described"
_KINDS: Final = {"card": Kind.CARD, "if": Kind.INTERFACE}


class ServiceEntry(msgspec.Struct, frozen=True):
    """A service with what it uses."""

    service: Service
    uses: tuple[Use, ...]


class InventoryDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """An inventory as one value: without SIMs and numbers, which have secrets and rules of their own."""

    resources: tuple[Resource, ...] = ()
    elements: tuple[ElementRecord, ...] = ()
    services: tuple[ServiceEntry, ...] = ()


class Imported(msgspec.Struct, frozen=True):
    """What an import did."""

    added: int
    changed: int
    unchanged: int


def described(files: Mapping[str, TopologyFile]) -> InventoryDocument:
    """What files of topology, by their names, say of the network. Pure.

    Raises:
        TopologyError: they do not fit together.
    """
    return _Described(files).document()


def bring_in(connection: Connection, document: InventoryDocument) -> Imported:
    """Have the inventory hold what a document says; what it does not speak of stays.

    Elements keep how they are managed, their role and their trusted key where the document does not say any.

    Raises:
        InventoryError: it does not fit; the transaction is to be given up.
    """
    names = [resource.resource_id for resource in document.resources]
    names += [record.name for record in document.elements]
    known = resources_named(connection, names)
    new = [_new(resource) for resource in document.resources if resource.resource_id not in known]
    elements = [_without_version(record) for record in document.elements if record.name not in known]
    add_elements(connection, elements, new)
    changed = sum(
        _change_resource(connection, known[resource.resource_id], resource)
        for resource in document.resources
        if resource.resource_id in known
    )
    changed += sum(
        _change_element(connection, record) for record in document.elements if record.name in known
    )
    added_services, changed_services = _services(connection, document.services)
    added = len(new) + len(elements) + added_services
    changed += changed_services
    total = len(names) + len(document.services)
    return Imported(added, changed, total - added - changed)


def export(connection: Connection) -> InventoryDocument:
    """The whole inventory; for one that fits into memory."""
    resources: list[Resource] = []
    after = ""
    while page := list_resources(connection, ResourceQuery(after=after, limit=INVENTORY_PAGE_MAX)):
        resources += [one for one in page if one.kind is not Kind.ELEMENT]
        after = page[-1].resource_id
    services: list[ServiceEntry] = []
    after = ""
    while found := list_services(connection, ServiceQuery(after=after, limit=INVENTORY_PAGE_MAX)):
        services += [ServiceEntry(one, uses_of(connection, one.service_id)) for one in found]
        after = found[-1].service_id
    return InventoryDocument(tuple(resources), tuple(list_elements(connection)), tuple(services))


# --- What differs -------------------------------------------------------------------------------------------------


def _new(resource: Resource) -> Resource:
    return msgspec.structs.replace(resource, version=0)


def _without_version(record: ElementRecord) -> ElementRecord:
    return msgspec.structs.replace(record, resource=_new(record.resource))


def _change_resource(connection: Connection, before: Resource, wanted: Resource) -> bool:
    parent = wanted.parent or before.parent
    wanted = msgspec.structs.replace(wanted, version=before.version, parent=parent)
    if wanted == before:
        return False
    update_resource(connection, wanted)
    return True


def _change_element(connection: Connection, wanted: ElementRecord) -> bool:
    before = find_element(connection, wanted.name)
    if before is None:
        raise InventoryError(f"{wanted.name}: expected an element, and it is a resource of another kind")
    management = wanted.management or before.management
    if management is not None and before.management is not None and not management.host_key:
        management = msgspec.structs.replace(management, host_key=before.management.host_key)
    wanted = msgspec.structs.replace(
        wanted,
        resource=msgspec.structs.replace(wanted.resource, version=before.resource.version),
        management=management,
        role=wanted.role or before.role,
    )
    if wanted == before:
        return False
    update_element(connection, wanted)
    return True


def _services(connection: Connection, entries: Iterable[ServiceEntry]) -> tuple[int, int]:
    new: list[tuple[Service, tuple[Use, ...]]] = []
    changed = 0
    for entry in entries:
        name = entry.service.service_id
        if find_service(connection, name) is None:
            new.append((msgspec.structs.replace(entry.service, version=0), entry.uses))
            continue
        before = get_service(connection, name)
        wanted = msgspec.structs.replace(entry.service, version=before.version)
        if (wanted, set(entry.uses)) != (before, set(uses_of(connection, name))):
            record_service(connection, wanted, entry.uses)
            changed += 1
    record_services(connection, new)
    return len(new), changed


# --- Files of topology --------------------------------------------------------------------------------------------


class _Described:
    """Turns files into resources, adding what they take for granted: interfaces without an entry, say."""

    def __init__(self, files: Mapping[str, TopologyFile]) -> None:
        self._files = tuple(files.values())
        self._topology: TomlTopology = topology_of(files)
        self._sites = {site.name for file in self._files for site in file.sites}
        self._links = {link.name for file in self._files for link in file.links}
        self._described = {
            f"{element.name}/{part}"
            for file in self._files
            for element in file.elements
            for part in (
                *(f"card/{card}" for card in element.cards),
                *(f"if/{interface.name}" for interface in element.interfaces),
            )
        }
        self._resources: dict[str, Resource] = {}

    def document(self) -> InventoryDocument:
        elements: list[ElementRecord] = []
        services: list[ServiceEntry] = []
        for file in self._files:
            for site in file.sites:
                self._add(f"site/{site.name}", Kind.SITE, depends_on=self._names(site.depends_on))
            elements += map(self._element, file.elements)
        for file in self._files:
            for link in file.links:
                ends = self._names(link.ends)
                self._add(f"link/{link.name}", Kind.LINK, depends_on=self._names(link.over), ends=ends)
            for service in file.services:
                record = Service(
                    service_id=service.name, model=TOPOLOGY_MODEL, subscribers=service.subscribers
                )
                services.append(ServiceEntry(record, tuple(Use(name) for name in self._names(service.uses))))
        return InventoryDocument(tuple(self._resources.values()), tuple(elements), tuple(services))

    def _element(self, element: Element) -> ElementRecord:
        name = element.name
        for card in element.cards:
            self._add(f"{name}/card/{card}", Kind.CARD, parent=name)
        uplinks = set(self._topology.uplinks(name))
        for interface in element.interfaces:
            attributes: dict[str, Attribute] = {"index": interface.index} if interface.index else {}
            if f"{name}/if/{interface.name}" in uplinks:
                attributes["is_uplink"] = True
            parent = f"{name}/card/{interface.card}" if interface.card else name
            self._add(f"{name}/if/{interface.name}", Kind.INTERFACE, parent=parent, attributes=attributes)
        for uplink in uplinks:
            if uplink not in self._resources:
                self._add(uplink, Kind.INTERFACE, parent=name, attributes={"is_uplink": True})
        attributes = agent_attributes(element.agent)
        if element.heartbeat_s:
            attributes["heartbeat_s"] = element.heartbeat_s
        return ElementRecord(
            resource=Resource(
                resource_id=name,
                kind=Kind.ELEMENT,
                parent=f"site/{element.site}" if element.site else "",
                depends_on=self._names(element.depends_on),
                attributes=attributes,
            ),
            addresses=element.addresses,
        )

    def _names(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(self._name(name) for name in names)

    def _name(self, name: str) -> str:
        """The resource that a topology calls so; a part that nobody described comes into being."""
        if name in self._sites:
            return f"site/{name}"
        if name in self._links:
            return f"link/{name}"
        name = self._topology.canonical(name)
        word, _, rest = name.partition("/")
        if rest and name not in self._described:
            self._add(name, _KINDS.get(rest.partition("/")[0], Kind.PART), parent=word)
        return name

    def _add(
        self,
        name: str,
        kind: Kind,
        *,
        parent: str = "",
        depends_on: tuple[str, ...] = (),
        ends: tuple[str, ...] = (),
        attributes: Mapping[str, Attribute] | None = None,
    ) -> None:
        if name in self._resources and kind is Kind.INTERFACE and not attributes:
            return  # known already, and said better
        self._resources[name] = Resource(
            resource_id=name,
            kind=kind,
            parent=parent,
            depends_on=depends_on,
            ends=ends,
            attributes=dict(attributes or {}),
        )
