"""What an element says that it consists of: its tables read as resources. Pure.

Over SNMP from IF-MIB (RFC 2863), ENTITY-MIB (RFC 6933) and LLDP-MIB (IEEE 802.1AB); over NETCONF from ietf-interfaces
(RFC 8343) and ietf-hardware (RFC 8348). A row that makes no sense is left out: an element's nonsense about one port is
no reason to know nothing of the others.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from ocs.inventory.model import Attribute, Kind
from ocs.limits import DISCOVERED_RESOURCES_MAX, INVENTORY_NAME_CHARACTERS_MAX
from ocs.provisioning.configuration import Configuration, PathError, parse_path

# By object identifier.
Values: TypeAlias = Mapping[str, int | bytes | str | None]

_IF_ENTRY: Final = "1.3.6.1.2.1.2.2.1"
_IF_X_ENTRY: Final = "1.3.6.1.2.1.31.1.1.1"
_ENTITY: Final = "1.3.6.1.2.1.47.1.1.1.1"
_LOCAL_PORT: Final = "1.0.8802.1.1.2.1.3.7.1"
_REMOTE: Final = "1.0.8802.1.1.2.1.4.1.1"
# What is walked for :func:`from_snmp`.
SNMP_TABLES: Final = (
    f"{_IF_ENTRY}.2",
    f"{_IF_ENTRY}.6",
    f"{_IF_X_ENTRY}.1",
    f"{_IF_X_ENTRY}.15",
    f"{_IF_X_ENTRY}.18",
    f"{_ENTITY}.4",
    f"{_ENTITY}.5",
    f"{_ENTITY}.7",
    f"{_ENTITY}.11",
    f"{_ENTITY}.13",
    f"{_LOCAL_PORT}.3",
    f"{_REMOTE}.7",
    f"{_REMOTE}.9",
)
# IANA-ENTITY-MIB: what has a place of its own in the inventory; ports are interfaces already.
_MODULE: Final = 9
_CLASSES: Final = {6: "psu", 7: "fan", _MODULE: "card"}
_CLASSES_BY_NAME: Final = {"power-supply": "psu", "fan": "fan", "module": "card"}
_MAC_OCTETS: Final = 6


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an element said it has.

    Attributes:
        neighbour: of an interface, the one at the other end of its cable, as ``ELEMENT/if/PORT`` by what that element
            calls itself; empty: it did not say.
    """

    resource_id: str
    kind: Kind
    parent: str
    attributes: dict[str, Attribute] = {}
    neighbour: str = ""


def from_snmp(element: str, values: Values) -> list[Discovered]:
    """What tables of an agent, walked as :data:`SNMP_TABLES`, say."""
    neighbours = _neighbours(values)
    found: dict[str, Discovered] = {}
    names = _column(values, f"{_IF_ENTRY}.2") | _column(values, f"{_IF_X_ENTRY}.1")
    for index, raw in names.items():
        name = _text(raw)
        if not name or not index.isdecimal():
            continue
        attributes: dict[str, Attribute] = {"index": int(index)}
        alias = _text(values.get(f"{_IF_X_ENTRY}.18.{index}"))
        speed = values.get(f"{_IF_X_ENTRY}.15.{index}")
        mac = values.get(f"{_IF_ENTRY}.6.{index}")
        if alias:
            attributes["description"] = alias
        if isinstance(speed, int) and speed > 0:
            attributes["speed_mbit_s"] = speed
        if isinstance(mac, bytes) and len(mac) == _MAC_OCTETS and any(mac):
            attributes["mac"] = mac.hex(":")
        _put(found, element, f"if/{name}", Kind.INTERFACE, attributes, neighbours.get(name, ""))
    for index, entity_class in _column(values, f"{_ENTITY}.5").items():
        word = _CLASSES.get(entity_class) if isinstance(entity_class, int) else None
        name = _text(values.get(f"{_ENTITY}.7.{index}")) or index
        if word:
            attributes = {
                key: text
                for key, column in (("serial", 11), ("model", 13))
                if (text := _text(values.get(f"{_ENTITY}.{column}.{index}")))
            }
            _put(found, element, f"{word}/{name}", _kind(word), attributes)
    return list(found.values())[:DISCOVERED_RESOURCES_MAX]


def from_netconf(element: str, state: Configuration) -> list[Discovered]:
    """What an element's state says below ``/ietf-interfaces:interfaces`` and ``/ietf-hardware:hardware``."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for path, value in state.items():
        try:
            steps = parse_path(path)
        except PathError:
            continue
        # A leaf of an entry of a top-level list.
        if len(steps) == 3 and value is not None and steps[1].keys:
            table = steps[1].name
            rows.setdefault((table, dict(steps[1].keys).get("name", "")), {})[steps[2].local_name] = value
    found: dict[str, Discovered] = {}
    for (table, name), leaves in rows.items():
        if table == "ietf-interfaces:interface" and name:
            _put(found, element, f"if/{name}", Kind.INTERFACE, _interface_attributes(leaves))
        elif table == "ietf-hardware:component" and name:
            word = _CLASSES_BY_NAME.get(leaves.get("class", "").rpartition(":")[2])
            if word:
                attributes: dict[str, Attribute] = {
                    key: leaves[leaf]
                    for key, leaf in (("serial", "serial-num"), ("model", "model-name"))
                    if leaves.get(leaf)
                }
                _put(found, element, f"{word}/{name}", _kind(word), attributes)
    return list(found.values())[:DISCOVERED_RESOURCES_MAX]


def _interface_attributes(leaves: Mapping[str, str]) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {}
    if leaves.get("if-index", "").isdecimal():
        attributes["index"] = int(leaves["if-index"])
    if leaves.get("description"):
        attributes["description"] = leaves["description"]
    if leaves.get("speed", "").isdecimal():
        attributes["speed_mbit_s"] = int(leaves["speed"]) // 1_000_000
    if leaves.get("phys-address"):
        attributes["mac"] = leaves["phys-address"].lower()
    return attributes


def _neighbours(values: Values) -> dict[str, str]:
    """The other ends that LLDP has heard of, by the name of the local port."""
    ports = {number: _text(raw) for number, raw in _column(values, f"{_LOCAL_PORT}.3").items()}
    found: dict[str, str] = {}
    for index, raw in _column(values, f"{_REMOTE}.7").items():
        # lldpRemTimeMark, lldpRemLocalPortNum, lldpRemIndex
        parts = index.split(".")
        system = _text(values.get(f"{_REMOTE}.9.{index}"))
        port = _text(raw)
        if len(parts) == 3 and system and port and ports.get(parts[1]):
            found[ports[parts[1]]] = f"{system}/if/{port}"
    return found


def _put(
    found: dict[str, Discovered],
    element: str,
    name: str,
    kind: Kind,
    attributes: dict[str, Attribute],
    neighbour: str = "",
) -> None:
    resource_id = f"{element}/{name}"
    if len(resource_id) > INVENTORY_NAME_CHARACTERS_MAX or resource_id.endswith("/"):
        return
    found[resource_id] = Discovered(
        resource_id=resource_id,
        kind=kind,
        parent=element,
        attributes=attributes,
        neighbour=neighbour[:INVENTORY_NAME_CHARACTERS_MAX],
    )


def _kind(word: str) -> Kind:
    return Kind.CARD if word == "card" else Kind.PART


def _column(values: Values, column: str) -> dict[str, int | bytes | str | None]:
    below = f"{column}."
    return {name.removeprefix(below): value for name, value in values.items() if name.startswith(below)}


def _text(value: int | bytes | str | None) -> str:
    """Octets as text for people; nothing of what cannot be printed."""
    if not isinstance(value, bytes):
        return ""
    text = value.rstrip(b"\0").decode("utf-8", "replace").strip()
    return text if text.isprintable() else ""
