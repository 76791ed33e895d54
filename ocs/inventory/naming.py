"""Names of resources: which form the name of each kind has. Pure."""

import re
from ipaddress import ip_network
from typing import Final

from ocs.inventory.errors import InventoryError
from ocs.inventory.model import Kind, Resource
from ocs.limits import INVENTORY_NAME_CHARACTERS_MAX, VLAN_MAX, VLAN_MIN

# Of kinds that are no parts of elements: the first word of their names.
PREFIXES: Final = {Kind.SITE: "site", Kind.LINK: "link", Kind.PREFIX: "prefix", Kind.VLAN: "vlan"}
_PARTS: Final = {Kind.CARD: "card", Kind.INTERFACE: "if"}
_KIND_OF_PREFIX: Final = {prefix: kind for kind, prefix in PREFIXES.items()}
_PRINTABLE: Final = re.compile(r"[^\s~/][^\x00-\x1f\x7f]*")


def is_part(kind: Kind) -> bool:
    """Whether resources of a kind are parts of elements."""
    return kind in {Kind.CARD, Kind.INTERFACE, Kind.PART}


def element_of(resource_id: str) -> str:
    """The element that a part belongs to, or the element itself."""
    return resource_id.partition("/")[0]


def anchor_of(resource: Resource) -> str:
    """What a resource fails with as a whole: a part's element; an element, a site or a link itself; else empty."""
    if is_part(resource.kind):
        return element_of(resource.resource_id)
    return resource.resource_id if resource.kind in {Kind.ELEMENT, Kind.SITE, Kind.LINK} else ""


def topology_name(resource_id: str) -> str:
    """The name under which alarms know a resource: sites and links have no first word there."""
    word, _, name = resource_id.partition("/")
    return name if word in {"site", "link"} else resource_id


def vlan_id_of(resource_id: str) -> tuple[str, int]:
    """Site and VLAN-ID (IEEE 802.1Q) of ``vlan/SITE/VLAN-ID``.

    Raises:
        InventoryError: the name has another form.
    """
    _, _, rest = resource_id.partition("/")
    site, _, number = rest.rpartition("/")
    if not site or not number.isascii() or not number.isdecimal() or not VLAN_MIN <= int(number) <= VLAN_MAX:
        raise InventoryError(
            f"{resource_id}: expected vlan/SITE/NUMBER, numbers being {VLAN_MIN} to {VLAN_MAX}"
        )
    if str(int(number)) != number:
        raise InventoryError(f"{resource_id}: expected the number without zeros before it")
    return site, int(number)


def prefix_of(resource_id: str) -> tuple[str, str]:
    """VRF and network of ``prefix/VRF/NETWORK/LENGTH``.

    Raises:
        InventoryError: the name has another form, or bits beyond the length are set.
    """
    parts = resource_id.split("/")
    try:
        if len(parts) != 4 or not parts[1]:
            raise ValueError
        network = str(ip_network(f"{parts[2]}/{parts[3]}"))
    except ValueError:
        raise InventoryError(f"{resource_id}: expected prefix/VRF/NETWORK/LENGTH") from None
    if f"prefix/{parts[1]}/{network}" != resource_id:
        raise InventoryError(f"{resource_id}: expected its usual form, prefix/{parts[1]}/{network}")
    return parts[1], network


def check_resource(resource: Resource) -> None:
    """Accept a resource as it stands, whatever else there is.

    Raises:
        InventoryError: its name does not fit its kind, or it has what its kind does not have.
    """
    name, kind = resource.resource_id, resource.kind
    if len(name) > INVENTORY_NAME_CHARACTERS_MAX or not _PRINTABLE.fullmatch(name) or name.endswith("/"):
        raise InventoryError(
            f"{name!r:.80}: expected a name of at most {INVENTORY_NAME_CHARACTERS_MAX} printable characters"
        )
    word, _, rest = name.partition("/")
    expected = _expected_form(kind, word, rest)
    if expected:
        raise InventoryError(f"{name}: expected the name of a resource of kind {kind}: {expected}")
    if kind is Kind.VLAN:
        vlan_id_of(name)
    if kind is Kind.PREFIX:
        prefix_of(name)
    if kind is Kind.LINK and len(set(resource.ends)) < 2:
        raise InventoryError(f"{name}: expected two ends or more")
    if resource.ends and kind is not Kind.LINK:
        raise InventoryError(f"{name}: only links have ends")
    if name in (resource.parent, *resource.depends_on):
        raise InventoryError(f"{name}: expected it not to depend on itself")


def _expected_form(kind: Kind, word: str, rest: str) -> str:
    """What form a name should have had; empty when it has it."""
    if kind in PREFIXES:
        return "" if word == PREFIXES[kind] and rest else f"{PREFIXES[kind]}/NAME"
    if kind is Kind.ELEMENT:
        return (
            ""
            if not rest and word not in _KIND_OF_PREFIX
            else "NAME, without a slash, none of " + ", ".join(_KIND_OF_PREFIX)
        )
    if kind is Kind.LOGICAL:
        return "" if rest and word not in _KIND_OF_PREFIX else "KIND/NAME"
    middle, _, last = rest.partition("/")
    if word in _KIND_OF_PREFIX or not last:
        return "ELEMENT/KIND/NAME"
    wanted = _PARTS.get(kind)
    if wanted is not None and wanted != middle:
        return f"ELEMENT/{wanted}/NAME"
    return ""
