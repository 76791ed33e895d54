"""The topology of a folder of ``*.toml`` files; what it reads is checked before."""

from collections.abc import Collection, Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from ocs.faults.topology.check import check_topology
from ocs.faults.topology.dependencies import Dependencies, element_name
from ocs.faults.topology.schema import Element, Link, Service, Site, TopologyError, TopologyFile
from ocs.faults.topology.toml_file import read_toml

# Beside the topology in the same folder, and read by others.
POLICY_FILE: Final = "policy.toml"


class TomlTopology:
    """A :class:`~ocs.faults.topology.port.Topology`, complete in memory. Made by :func:`load_topology`."""

    def __init__(self) -> None:
        self._elements: dict[str, str] = {}
        # As they were written: who supervises them reads more of them than the alarm list does.
        self.elements: dict[str, Element] = {}
        self._names: dict[str, str] = {}
        self._parents: dict[str, tuple[str, ...]] = {}
        self._peers: dict[str, tuple[str, ...]] = {}
        self._uplinks: dict[str, tuple[str, ...]] = {}
        self._services: dict[str, tuple[str, ...]] = {}
        self._subscribers: dict[str, int] = {}

    def element_of(self, address: str) -> str | None:
        """The element that has an address; None when nobody has."""
        return self._elements.get(address)

    def is_stranger(self, source: str) -> bool:
        """Whether an address, or an element by its name, is nobody's; False where no element is described at all."""
        return (
            bool(self.elements) and source not in self._elements and element_name(source) not in self.elements
        )

    def canonical(self, resource: str) -> str:
        """The name of an interface that is known by its number; any other name as it is."""
        return self._names.get(resource, resource)

    def parents(self, resource: str) -> tuple[str, ...]:
        """What holds, feeds or carries a resource; empty for what is not described."""
        return self._parents.get(resource, ())

    def peers(self, resource: str) -> tuple[str, ...]:
        """The other ends of an interface's links."""
        return self._peers.get(resource, ())

    def uplinks(self, element: str) -> tuple[str, ...]:
        """The interfaces through which an element is reached."""
        return self._uplinks.get(element, ())

    def services(self, resource: str) -> tuple[str, ...]:
        """Names of the services that suffer when a resource fails, by name."""
        return self._services.get(resource, ())

    def subscribers(self, services: Iterable[str]) -> int:
        """How many use them."""
        return sum(self._subscribers.get(service, 0) for service in services)

    def resources(self) -> Collection[str]:
        """Names of all that is described: sites, elements, cards, interfaces, links."""
        return self._parents.keys()

    # --- Built ------------------------------------------------------------------------------------------------

    def add_element(self, element: Element) -> None:
        """Take in an element that was checked."""
        name = element.name
        self.elements[name] = element
        for address in element.addresses:
            self._elements[str(ip_address(address))] = name
        self._parents[name] = (*((element.site,) if element.site else ()), *element.depends_on)
        for card in element.cards:
            self._parents[f"{name}/card/{card}"] = (name,)
        for interface in element.interfaces:
            resource = f"{name}/if/{interface.name}"
            self._parents[resource] = (f"{name}/card/{interface.card}" if interface.card else name,)
            if interface.index:
                self._names[f"{name}/if/{interface.index}"] = resource
        self._uplinks[name] = tuple(self.canonical(f"{name}/if/{uplink}") for uplink in element.uplinks)

    def add_site(self, site: Site) -> None:
        """Take in a site that was checked."""
        self._parents[site.name] = site.depends_on

    def add_link(self, link: Link, ends_of: dict[str, tuple[str, ...]]) -> None:
        """Take in a link that was checked, the elements being known.

        Args:
            ends_of: the ends of every link by its name: what carries a link fails with its own ends.
        """
        ends = tuple(self.canonical(end) for end in link.ends)
        carriers = [self.canonical(end) for name in link.over for end in ends_of[name]]
        self._parents[link.name] = (*link.over, *carriers)
        for end in ends:
            held = self._parents.get(end) or (element_name(end),)
            self._parents[end] = (*held, link.name)
            others = tuple(other for other in ends if other != end)
            self._peers[end] = (*self._peers.get(end, ()), *others)

    def add_services(self, services: Iterable[Service]) -> None:
        """Take in services that were checked, everything else being known."""
        dependencies = Dependencies(self)
        suffering: dict[str, set[str]] = {}
        for service in services:
            self._subscribers[service.name] = service.subscribers
            for used in service.uses:
                node = dependencies.node(self.canonical(used), is_reached=True)
                for place in dependencies.upstream(node):
                    suffering.setdefault(place, set()).add(service.name)
        self._services = {place: tuple(sorted(names)) for place, names in suffering.items()}


def load_topology(folder: Path) -> TomlTopology:
    """Read all ``*.toml`` files of a folder as one topology.

    Without folder or files it is a network that nobody described.

    Raises:
        TopologyError: a file cannot be read or used; one line naming file, entry and expectation.
    """
    try:
        paths = sorted(
            path for path in folder.iterdir() if path.suffix == ".toml" and path.name != POLICY_FILE
        )
    except FileNotFoundError:
        paths = []
    except OSError as error:
        raise TopologyError(
            str(folder), "", f"expected a folder with topology files: {error.strerror}"
        ) from None
    return topology_of({str(path): read_toml(path, TopologyFile) for path in paths})


def topology_of(files: Mapping[str, TopologyFile]) -> TomlTopology:
    """The topology of files that were read, by their paths.

    Raises:
        TopologyError: they do not fit together.
    """
    check_topology(files)
    topology = TomlTopology()
    links = [link for file in files.values() for link in file.links]
    for file in files.values():
        for site in file.sites:
            topology.add_site(site)
        for element in file.elements:
            topology.add_element(element)
    ends_of = {link.name: link.ends for link in links}
    for link in links:
        topology.add_link(link, ends_of)
    topology.add_services(service for file in files.values() for service in file.services)
    return topology
