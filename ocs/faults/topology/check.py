"""Whether the entries of a topology fit together: names, addresses and what they refer to. Pure."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import NoReturn

from ocs.faults.topology.schema import Element, Interface, Link, Site, TopologyError, TopologyFile
from ocs.limits import HEARTBEAT_MIN_S, RESYNC_INTERVAL_MIN_S


def check_topology(files: Mapping[str, TopologyFile]) -> None:
    """Accept the files of one topology, by their names.

    Raises:
        TopologyError: the first thing that does not fit; one line naming file, entry and expectation.
    """
    _Check(files).run()


class _Check:
    def __init__(self, files: Mapping[str, TopologyFile]) -> None:
        self._files = files
        self._file = ""
        # Sites, elements and links are resources by their names: no two may have one.
        self._names: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._elements: dict[str, Element] = {}
        self._links: set[str] = set()

    def run(self) -> None:
        services: set[str] = set()
        for name, file in self._files.items():
            self._file = name
            for site in file.sites:
                self._add(f"sites[{site.name}]", site.name)
            for element in file.elements:
                self._add(f"elements[{element.name}]", element.name)
                self._check_parts(element)
            for link in file.links:
                self._add(f"links[{link.name}]", link.name)
                self._links.add(link.name)
            for service in file.services:
                if service.name in services:
                    self._fail(f"services[{service.name}].name", "expected a name that no other service has")
                services.add(service.name)
                if service.subscribers < 0:
                    self._fail(f"services[{service.name}].subscribers", "expected 0 or more")
        for name, file in self._files.items():
            self._file = name
            self._check_references(file)

    # --- Entries by themselves --------------------------------------------------------------------------------

    def _add(self, entry: str, name: str) -> None:
        if not name or "/" in name or name.startswith("~"):
            self._fail(f"{entry}.name", "expected a name without a slash and without ~ before it")
        if name in self._names:
            self._fail(
                f"{entry}.name", f"expected a name that no other entry has, {self._names[name]} has it"
            )
        self._names[name] = f"{entry} of {self._file}"

    def _check_parts(self, element: Element) -> None:
        """An element's addresses, cards and interfaces."""
        entry = f"elements[{element.name}]"
        self._elements[element.name] = element
        for address in element.addresses:
            try:
                known = str(ip_address(address))
            except ValueError:
                self._fail(f"{entry}.addresses", f"expected IP addresses, not {address}")
            if known in self._addresses:
                self._fail(f"{entry}.addresses", f"{address} is an address of {self._addresses[known]} too")
            self._addresses[known] = element.name
        self._check_supervision(entry, element)
        self._check_distinct(f"{entry}.cards", element.cards)
        names = [interface.name for interface in element.interfaces]
        numbers = [str(interface.index) for interface in element.interfaces if interface.index]
        self._check_distinct(f"{entry}.interfaces", names)
        # An interface that is called by its own number has one name twice, which is fine.
        others = [n for n in numbers if not any(i.name == n == str(i.index) for i in element.interfaces)]
        self._check_distinct(f"{entry}.interfaces", [*names, *others])
        for interface in element.interfaces:
            self._check_interface(f"{entry}.interfaces[{interface.name}]", interface, element)

    def _check_supervision(self, entry: str, element: Element) -> None:
        """How an element is heard of, and asked."""
        if not (element.heartbeat_s == 0 or element.heartbeat_s >= HEARTBEAT_MIN_S):
            self._fail(f"{entry}.heartbeat_s", f"expected {HEARTBEAT_MIN_S} or more, or 0 for none")
        agent = element.agent
        if agent is None:
            return
        if bool(agent.community_file) == bool(agent.user):
            self._fail(f"{entry}.agent", "expected one of community_file and user")
        try:
            ip_address(agent.address or element.addresses[0])
        except (ValueError, IndexError):
            self._fail(f"{entry}.agent.address", "expected an IP address, or one of the element itself")
        if not 1 <= agent.port <= 65_535:
            self._fail(f"{entry}.agent.port", "expected 1 to 65535")
        if not (agent.resync_s == 0 or agent.resync_s >= RESYNC_INTERVAL_MIN_S):
            self._fail(f"{entry}.agent.resync_s", f"expected {RESYNC_INTERVAL_MIN_S} or more, or 0 for never")

    def _check_interface(self, entry: str, interface: Interface, element: Element) -> None:
        if not interface.name:
            self._fail(f"{entry}.name", "expected a name")
        if interface.card and interface.card not in element.cards:
            self._fail(f"{entry}.card", f"expected one of its cards, not {interface.card}")
        if interface.index < 0:
            self._fail(f"{entry}.index", "expected 1 or more, or 0 for none")

    def _check_distinct(self, entry: str, names: Iterable[str]) -> None:
        seen: set[str] = set()
        for name in names:
            if name in seen:
                self._fail(entry, f"expected each name and number once, {name} is there twice")
            seen.add(name)

    # --- What they refer to -----------------------------------------------------------------------------------

    def _check_references(self, file: TopologyFile) -> None:
        sites = {site.name for known in self._files.values() for site in known.sites}
        for site in file.sites:
            self._check_site(site)
        for element in file.elements:
            entry = f"elements[{element.name}]"
            if element.site and element.site not in sites:
                self._fail(f"{entry}.site", f"expected a site, not {element.site}")
            self._check_resources(f"{entry}.depends_on", element.depends_on)
        for link in file.links:
            self._check_link(link)
        for service in file.services:
            entry = f"services[{service.name}].uses"
            if not service.uses:
                self._fail(entry, "expected at least one resource")
            self._check_resources(entry, service.uses)

    def _check_site(self, site: Site) -> None:
        self._check_resources(f"sites[{site.name}].depends_on", site.depends_on)

    def _check_link(self, link: Link) -> None:
        entry = f"links[{link.name}]"
        if len(set(link.ends)) < 2:
            self._fail(f"{entry}.ends", "expected two interfaces or more")
        for end in link.ends:
            element, _, rest = end.partition("/")
            if element not in self._elements or not rest.startswith("if/") or rest == "if/":
                self._fail(f"{entry}.ends", f"expected ELEMENT/if/NAME of an element, not {end}")
        for carrier in link.over:
            if carrier not in self._links or carrier == link.name:
                self._fail(f"{entry}.over", f"expected another link, not {carrier}")

    def _check_resources(self, entry: str, resources: Iterable[str]) -> None:
        for resource in resources:
            if resource.partition("/")[0] not in self._names:
                self._fail(entry, f"expected a site, an element, a part of one, or a link, not {resource}")

    def _fail(self, entry: str, expectation: str) -> NoReturn:
        raise TopologyError(self._file, entry, expectation)
