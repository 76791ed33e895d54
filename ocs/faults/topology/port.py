"""What the alarm list asks about the network; served from files now, from the inventory later.

A resource is named element first, narrower after slashes: ``router7``, ``router7/card/3``, ``router7/if/ge-0/0/1``. An
element's name holds no slash. Links and sites are resources too.
"""

from collections.abc import Iterable
from typing import Protocol


class Topology(Protocol):
    """Read only, in memory, never an error: what it does not know it answers with nothing."""

    def element_of(self, address: str) -> str | None:
        """The element that has an address; None when nobody has, and then the address is its name."""
        ...

    def is_stranger(self, source: str) -> bool:
        """Whether an address, or an element by its name, is nobody's; False where no element is described at all."""
        ...

    def canonical(self, resource: str) -> str:
        """The one name of a resource that has several, such as an interface by index and by name."""
        ...

    def parents(self, resource: str) -> tuple[str, ...]:
        """What feeds, holds or carries it: its failure takes the resource down. Direct ones only.

        Empty for what is not described; the caller then goes by the name's own hierarchy.
        """
        ...

    def peers(self, resource: str) -> tuple[str, ...]:
        """The other ends of the links that end at an interface."""
        ...

    def uplinks(self, element: str) -> tuple[str, ...]:
        """The element's own interfaces through which the rest of the network reaches it."""
        ...

    def services(self, resource: str) -> tuple[str, ...]:
        """Names of the services that suffer when a resource fails, by name."""
        ...

    def subscribers(self, services: Iterable[str]) -> int:
        """How many subscribers use any of some services; one who uses two is counted twice."""
        ...


class NoTopology:
    """A network of which nothing is known: each resource stands for itself."""

    def element_of(self, address: str) -> str | None:
        """Nobody has it."""
        del address
        return None

    def is_stranger(self, source: str) -> bool:
        """Nobody is: all are alike."""
        del source
        return False

    def canonical(self, resource: str) -> str:
        """The name itself."""
        return resource

    def parents(self, resource: str) -> tuple[str, ...]:
        """None."""
        del resource
        return ()

    def peers(self, resource: str) -> tuple[str, ...]:
        """None."""
        del resource
        return ()

    def uplinks(self, element: str) -> tuple[str, ...]:
        """None."""
        del element
        return ()

    def services(self, resource: str) -> tuple[str, ...]:
        """None."""
        del resource
        return ()

    def subscribers(self, services: Iterable[str]) -> int:
        """Nobody."""
        del services
        return 0
