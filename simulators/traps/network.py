"""The simulated network: elements with addresses of their own on the loopback, and what connects them.

Read from the same files as the server's topology, by a reader of its own. An element can speak when one of its
addresses is in 127.0.0.0/8, which is all local: each element then sends from where the server knows it.
"""

import ipaddress
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

_POLICY_FILE: Final = "policy.toml"
_LOOPBACK: Final = ipaddress.ip_network("127.0.0.0/8")


class NetworkError(ValueError):
    """The folder does not describe a network that can be played; the message says why."""


class Port(msgspec.Struct, frozen=True):
    """An interface with a number."""

    element: str
    name: str
    index: int
    card: str = ""

    @property
    def resource(self) -> str:
        """As the alarm list calls it: IF-MIB's notifications say the number."""
        return f"{self.element}/if/{self.index}"

    @property
    def place(self) -> str:
        """As the topology calls it."""
        return f"{self.element}/if/{self.name}"


class Element(msgspec.Struct, frozen=True):
    """An element; ``address`` is empty for one that cannot speak here."""

    name: str
    address: str
    ports: tuple[Port, ...]
    uplinks: tuple[str, ...]


class Cable(msgspec.Struct, frozen=True):
    """A link with its two ends, the server's side of the network first."""

    name: str
    ends: tuple[Port, ...]


class Network(msgspec.Struct, frozen=True):
    """Everything that scenarios need to know."""

    elements: dict[str, Element]
    cables: tuple[Cable, ...]

    def speakers(self) -> list[Element]:
        """Elements that can send, by name."""
        return [element for _, element in sorted(self.elements.items()) if element.address]

    def beyond(self, cable: Cable) -> list[Element]:
        """Elements that are reached over a link, by name: through uplinks that lead over it, directly or not."""
        # Whose uplink ends this link; then whose uplinks lead to one of those.
        found = {end.element for end in cable.ends if end.name in self.elements[end.element].uplinks}
        grown = True
        while grown:
            grown = False
            for other in self.cables:
                for end in other.ends:
                    is_uplink = end.name in self.elements[end.element].uplinks
                    if (
                        is_uplink
                        and end.element not in found
                        and any(far.element in found for far in other.ends)
                    ):
                        found.add(end.element)
                        grown = True
        return [self.elements[name] for name in sorted(found)]

    def widest_cable(self) -> Cable:
        """The link beyond which most elements lie that can speak, its own ends among the speakers.

        Raises:
            NetworkError: there is none.
        """
        able = [
            cable
            for cable in self.cables
            if len(cable.ends) == 2 and all(self.elements[end.element].address for end in cable.ends)
        ]
        best = max(able, key=lambda cable: len(self.beyond(cable)), default=None)
        if best is None or not self.beyond(best):
            raise NetworkError("no link has ends with loopback addresses and an element beyond it")
        return best


def read_network(folder: Path) -> Network:
    """Read a folder such as ``config/topology``.

    Raises:
        NetworkError: it describes no network.
        OSError: it cannot be read.
    """
    paths = sorted(path for path in folder.glob("*.toml") if path.name != _POLICY_FILE)
    if not paths:
        raise NetworkError(f"{folder} holds no topology")
    documents = [tomllib.loads(path.read_text(encoding="utf-8")) for path in paths]

    def entries(kind: str) -> Iterable[dict[str, Any]]:
        return (entry for document in documents for entry in document.get(kind, ()))

    elements = {entry["name"]: _element(entry) for entry in entries("elements")}
    cables = [_cable(entry, elements) for entry in entries("links")]
    return Network(elements, tuple(cable for cable in cables if cable is not None))


def _element(entry: dict[str, Any]) -> Element:
    name = entry["name"]
    ports = tuple(
        Port(name, port["name"], port["index"], port.get("card", ""))
        for port in entry.get("interfaces", ())
        if port.get("index")
    )
    own = [address for address in entry.get("addresses", ()) if ipaddress.ip_address(address) in _LOOPBACK]
    return Element(name, own[0] if own else "", ports, tuple(entry.get("uplinks", ())))


def _cable(entry: dict[str, Any], elements: dict[str, Element]) -> Cable | None:
    """A link between interfaces that have numbers; others send nothing."""
    found: list[Port] = []
    for end in entry["ends"]:
        name, _, interface = end.partition("/if/")
        port = next(
            (port for port in elements[name].ports if interface in {port.name, str(port.index)}), None
        )
        if port is None:
            return None
        found.append(port)
    return Cable(entry["name"], tuple(found))


def metro_topology(towers: int) -> str:
    """A topology file: a core, a fibre to one aggregation router, and so many cell towers behind it.

    For scenarios with more elements than the lab has; all of 127.32.0.0/16.
    """
    ports = "".join(
        f'    {{ name = "ge-{number}", index = {number + 1}, card = "2" }},\n'
        for number in range(1, towers + 1)
    )
    lines = [
        f"""\
[[elements]]
name = "metro-core"
addresses = ["127.32.0.1"]
interfaces = [{{ name = "xe-0", index = 1 }}]

[[elements]]
name = "metro-agg"
addresses = ["127.32.0.2"]
uplinks = ["xe-0"]
cards = ["1", "2"]
interfaces = [
    {{ name = "xe-0", index = 1, card = "1" }},
{ports}]

[[links]]
name = "metro-fibre"
ends = ["metro-core/if/xe-0", "metro-agg/if/xe-0"]
"""
    ]
    for number in range(1, towers + 1):
        address = f"127.32.{1 + number // 250}.{1 + number % 250}"
        lines.append(
            f"""\
[[elements]]
name = "tower-{number}"
addresses = ["{address}"]
uplinks = ["eth0"]
interfaces = [{{ name = "eth0", index = 1 }}]

[[links]]
name = "radio-{number}"
ends = ["metro-agg/if/ge-{number}", "tower-{number}/if/eth0"]

[[services]]
name = "mobile-{number}"
uses = ["tower-{number}"]
subscribers = 100
"""
        )
    return "\n".join(lines)
