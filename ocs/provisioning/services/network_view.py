"""What models see of the inventory, read when it is asked for and remembered as long as the view lasts."""

from typing import Final

from sqlalchemy import Connection

from ocs.inventory.elements import find_element, list_elements
from ocs.inventory.model import ElementRecord, Lifecycle, Resource
from ocs.inventory.resources import resources_named

_SITE: Final = "site/"


class InventoryView:
    """The inventory as one unit of work sees it; see :class:`~ocs.provisioning.services.model.NetworkView`.

    Args:
        connection: of the unit of work; the view is not used after it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._elements: dict[str, ElementRecord | None] = {}
        self._roles: dict[tuple[str, str], tuple[ElementRecord, ...]] = {}
        self._resources: dict[str, Resource | None] = {}

    def element(self, name: str) -> ElementRecord | None:
        """An element by its name."""
        if name not in self._elements:
            self._elements[name] = find_element(self._connection, name)
        return self._elements[name]

    def elements(self, role: str, site: str = "") -> tuple[ElementRecord, ...]:
        """Built elements of a role, by name; at a site, or at one that lies in it, when one is given."""
        key = role, site
        if key not in self._roles:
            self._roles[key] = tuple(
                record
                for record in list_elements(self._connection, role=role)
                if record.resource.lifecycle is Lifecycle.AS_BUILT
                and (not site or self._lies_in(record.site, site))
            )
        return self._roles[key]

    def resource(self, resource_id: str) -> Resource | None:
        """A resource by its whole name."""
        if resource_id not in self._resources:
            found = resources_named(self._connection, [resource_id])
            self._resources[resource_id] = found.get(resource_id)
        return self._resources[resource_id]

    def _lies_in(self, at: str, site: str) -> bool:
        # The inventory refuses resources that hold themselves.
        while at.startswith(_SITE):
            if at == site:
                return True
            resource = self.resource(at)
            at = resource.parent if resource is not None else ""
        return False
