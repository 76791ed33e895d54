"""What clients send about resources, for the description of the API."""

from typing import Any, Final

from ocs.api.resource_inventory.resources import LOGICAL_RESOURCE, PHYSICAL_RESOURCE, RESOURCE

_INTERFACE: Final = {
    "name": "pe1/if/ge-0/0/3",
    "category": "interface",
    "lifecycle": "planned",
    "resourceCharacteristic": [{"name": "speed_mbit_s", "value": 1000}],
}
CREATE: Final[dict[str, Any]] = {
    RESOURCE.path: _INTERFACE,
    PHYSICAL_RESOURCE.path: _INTERFACE,
    LOGICAL_RESOURCE.path: {"name": "qos-profile/gold", "category": "logical"},
}
PATCH: Final = {"administrativeState": "locked", "lifecycle": "as-built"}
