"""The lab's network as models see it, in memory."""

from ocs.inventory.model import ElementRecord, Resource
from tests.support.service_lab import ELEMENTS, lab_element, lab_resources


class DescribedNetwork:
    """See :class:`~ocs.provisioning.services.model.NetworkView`; every resource may be taken away or replaced."""

    def __init__(self) -> None:
        self.records = {name: lab_element(name) for name in ELEMENTS}
        self.resources = {one.resource_id: one for one in lab_resources()}

    def element(self, name: str) -> ElementRecord | None:
        """An element."""
        return self.records.get(name)

    def elements(self, role: str, site: str = "") -> tuple[ElementRecord, ...]:
        """Elements of a role; a site holds what stands at it."""
        return tuple(
            one for one in self.records.values() if one.role == role and (not site or one.site == site)
        )

    def resource(self, resource_id: str) -> Resource | None:
        """A resource."""
        return self.resources.get(resource_id)
