"""What the inventory has as TMF639 shows it. Pure. Nothing of a SIM's key is ever at hand here."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ocs.api.resource_inventory.resources import (
    LOGICAL_RESOURCE,
    NUMBER,
    PHYSICAL_KINDS,
    PHYSICAL_RESOURCE,
    RESOURCE,
    SIM,
)
from ocs.api.tmf.characteristics import shown_characteristics
from ocs.api.tmf.resources import Attributes, ResourceType, date_time, identified
from ocs.inventory.model import AdministrativeState, Lifecycle, OperationalState, Resource
from ocs.inventory.number_states import NumberState

if TYPE_CHECKING:
    from ocs.inventory.numbers import DirectoryNumber
    from ocs.inventory.sims import Sim

CONTAINED_IN: Final = "isContainedIn"
DEPENDS_ON: Final = "dependsOn"
CONNECTS: Final = "connects"
# TMF639 has no word for an operational state that nobody knows: it is left out then.
ADMINISTRATIVE: Final = {
    "unlocked": AdministrativeState.UNLOCKED,
    "shutdown": AdministrativeState.SHUTTING_DOWN,
    "locked": AdministrativeState.LOCKED,
}
OPERATIONAL: Final = {"enable": OperationalState.ENABLED, "disable": OperationalState.DISABLED}
STATUS: Final = {
    "standby": Lifecycle.PLANNED,
    "available": Lifecycle.AS_BUILT,
    "suspended": Lifecycle.RETIRED,
}
NUMBER_STATUS: Final = {
    NumberState.AVAILABLE: "available",
    NumberState.RESERVED: "reserved",
    NumberState.ASSIGNED: "available",
    NumberState.QUARANTINED: "suspended",
    NumberState.PORTED_OUT: "suspended",
}
SIM_STATUS: Final = {
    "available": "available",
    "assigned": "available",
    "blocked": "suspended",
    "retired": "suspended",
}
_WORDS: Final = {
    **{state: word for word, state in ADMINISTRATIVE.items()},
    **{state: word for word, state in OPERATIONAL.items()},
    **{state: word for word, state in STATUS.items()},
}


def resource_view(resource: Resource, site: str) -> Attributes:
    """A resource; ``site`` is where it stands, empty when nobody said."""
    kind = PHYSICAL_RESOURCE if resource.kind in PHYSICAL_KINDS else LOGICAL_RESOURCE
    serial = resource.attributes.get("serial_number") if kind is PHYSICAL_RESOURCE else None
    return _view(
        kind,
        resource.resource_id,
        {
            "category": str(resource.kind),
            "resourceVersion": str(resource.version),
            "administrativeState": _WORDS[resource.administrative_state],
            "operationalState": _WORDS.get(resource.operational_state),
            "resourceStatus": _WORDS[resource.lifecycle],
            "lifecycle": str(resource.lifecycle),
            "serialNumber": None if serial is None else str(serial),
            "place": place_of(site) if site and site != resource.resource_id else None,
            "resourceRelationship": list(_relationships(resource)) or None,
            "resourceCharacteristic": shown_characteristics(resource.attributes),
        },
    )


def number_view(number: "DirectoryNumber") -> Attributes:
    """A directory number."""
    is_used = number.state is NumberState.ASSIGNED
    said = {
        "state": str(number.state),
        "range": number.range_name,
        "service": number.holder,
        "network": number.network,
        "until": date_time(number.until_ms) if number.until_ms is not None else "",
    }
    return _view(
        LOGICAL_RESOURCE,
        f"{NUMBER}/{number.msisdn}",
        {
            "category": NUMBER,
            "value": number.msisdn,
            "resourceStatus": NUMBER_STATUS[number.state],
            "usageState": "active" if is_used else "idle",
            "resourceCharacteristic": shown_characteristics(
                {name: text for name, text in said.items() if text}
            ),
        },
    )


def sim_view(sim: "Sim") -> Attributes:
    """A SIM."""
    said = {"iccid": sim.iccid, "imsi": sim.imsi, "state": str(sim.state), "service": sim.holder}
    return _view(
        PHYSICAL_RESOURCE,
        f"{SIM}/{sim.iccid}",
        {
            "category": SIM,
            "serialNumber": sim.iccid,
            "resourceStatus": SIM_STATUS[str(sim.state)],
            "usageState": "active" if str(sim.state) == "assigned" else "idle",
            "resourceCharacteristic": shown_characteristics(
                {name: text for name, text in said.items() if text}
            ),
        },
    )


def place_of(site: str) -> Attributes:
    """A site as the place of something."""
    return {"id": site, "href": RESOURCE.href(site), "name": site.partition("/")[2], "role": "site"}


def _view(kind: ResourceType, identifier: str, attributes: Attributes) -> Attributes:
    shown = identified(RESOURCE, identifier, {"name": identifier, **attributes})
    return shown | {"@type": kind.name, "@baseType": RESOURCE.name}


def _relationships(resource: Resource) -> Iterator[Attributes]:
    """What holds it, what it depends on, what it connects; a site that holds it is its place."""
    if resource.parent and not resource.parent.startswith("site/"):
        yield _relationship(CONTAINED_IN, resource.parent)
    for name in resource.depends_on:
        yield _relationship(DEPENDS_ON, name)
    for name in resource.ends:
        yield _relationship(CONNECTS, name)


def _relationship(kind: str, name: str) -> Attributes:
    return {"id": name, "href": RESOURCE.href(name), "relationshipType": kind}
