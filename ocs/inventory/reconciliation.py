"""What the inventory says of an element against what the element says itself, and what to do about it.

Attributes are compared as far as the inventory has them: what nobody recorded is no difference. What is planned and was
found has arrived. Of cards and parts nothing is missing unless the element told of any: many tell of none.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, delete, select

from ocs.inventory.discovery import Discovered
from ocs.inventory.errors import InventoryError, NotInInventoryError
from ocs.inventory.model import Attribute, Kind, Lifecycle, Resource
from ocs.inventory.naming import is_part
from ocs.inventory.registry import add_resource, update_resource
from ocs.inventory.resources import ResourceQuery, list_resources, resources_named
from ocs.inventory.statements import insert_rows
from ocs.inventory.tables import DISCOVERED
from ocs.limits import INVENTORY_PAGE_MAX

_decode_attributes = msgspec.json.Decoder(dict[str, Attribute]).decode


class Source(enum.StrEnum):
    """Where it was found; of two that speak of one thing the first is believed."""

    NETCONF = "netconf"
    SNMP = "snmp"


class FindingKind(enum.StrEnum):
    """How the two differ."""

    MISSING = "missing"  # recorded, and the element does not have it
    UNEXPECTED = "unexpected"  # the element has it, and nobody recorded it
    DIFFERENT = "different"
    ARRIVED = "arrived"  # planned, and there by now
    MISWIRED = "miswired"  # its cable ends elsewhere than the recorded link


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One difference.

    Attributes:
        recorded, found: what is said of it, for people. attributes: which the element has otherwise.
    """

    resource_id: str
    finding: FindingKind
    kind: Kind
    recorded: str = ""
    found: str = ""
    attributes: dict[str, Attribute] = {}


def compare(
    resources: Iterable[Resource], links: Iterable[Resource], discovered: Iterable[Discovered]
) -> list[Finding]:
    """Compare what is recorded of an element's parts with what was found, by name. Pure.

    Args:
        resources: the parts that are recorded. links: those that end at one of them.
    """
    found = {one.resource_id: one for one in discovered}
    told = {one.kind for one in found.values()}
    recorded = {one.resource_id: one for one in resources}
    ends = _other_ends(links)
    findings: list[Finding] = []
    for name in sorted(recorded.keys() | found.keys()):
        own, seen = recorded.get(name), found.get(name)
        if own is None or own.lifecycle is Lifecycle.RETIRED:
            if seen is not None:
                findings.append(_unexpected(seen))
        elif seen is not None:
            findings += _differences(own, seen, ends.get(name, ()))
        elif own.lifecycle is Lifecycle.AS_BUILT and own.kind in told:
            findings.append(Finding(resource_id=name, finding=FindingKind.MISSING, kind=own.kind))
    return findings


def _other_ends(links: Iterable[Resource]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for link in links:
        for end in link.ends:
            found[end] = (*found.get(end, ()), *(other for other in link.ends if other != end))
    return found


def _unexpected(seen: Discovered) -> Finding:
    return Finding(
        resource_id=seen.resource_id,
        finding=FindingKind.UNEXPECTED,
        kind=seen.kind,
        found=_said(seen.attributes),
        attributes=seen.attributes,
    )


def _differences(own: Resource, seen: Discovered, other_ends: Sequence[str]) -> list[Finding]:
    findings: list[Finding] = []
    if own.lifecycle is Lifecycle.PLANNED:
        findings.append(
            Finding(
                resource_id=own.resource_id, finding=FindingKind.ARRIVED, kind=own.kind, recorded="planned"
            )
        )
    changed = {
        name: value
        for name, value in seen.attributes.items()
        if name in own.attributes and own.attributes[name] != value
    }
    if changed:
        findings.append(
            Finding(
                resource_id=own.resource_id,
                finding=FindingKind.DIFFERENT,
                kind=own.kind,
                recorded=_said({name: own.attributes[name] for name in changed}),
                found=_said(changed),
                attributes=changed,
            )
        )
    # An element may call itself by its full name in the domain.
    system, _, port = seen.neighbour.partition("/if/")
    heard = f"{system.partition('.')[0]}/if/{port}"
    if seen.neighbour and other_ends and not {seen.neighbour, heard} & set(other_ends):
        findings.append(
            Finding(
                resource_id=own.resource_id,
                finding=FindingKind.MISWIRED,
                kind=own.kind,
                recorded=", ".join(other_ends),
                found=seen.neighbour,
            )
        )
    return findings


def _said(attributes: Mapping[str, Attribute]) -> str:
    return ", ".join(f"{name}={value}" for name, value in attributes.items())


# --- Over a connection --------------------------------------------------------------------------------------------


def record_discovery(
    connection: Connection, element: str, source: Source, discovered: Iterable[Discovered], *, seen_ms: int
) -> int:
    """Keep what was found of an element, in place of what the source said before; returns how much it is."""
    rows = [
        {
            "element": element,
            "resource_id": one.resource_id,
            "kind": str(one.kind),
            "parent": one.parent,
            "attributes": msgspec.json.encode(one.attributes).decode(),
            "neighbour": one.neighbour,
            "source": str(source),
            "seen_ms": seen_ms,
        }
        for one in discovered
    ]
    connection.execute(
        delete(DISCOVERED).where(DISCOVERED.c.element == element, DISCOVERED.c.source == str(source))
    )
    insert_rows(connection, DISCOVERED, rows)
    return len(rows)


def reconcile(connection: Connection, element: str) -> list[Finding]:
    """Compare what is recorded of an element with what was found of it.

    Raises:
        NotInInventoryError: nothing was found of it yet.
    """
    discovered = _discovered(connection, element)
    if not discovered:
        raise NotInInventoryError(
            f"{element}: it was not asked yet what it consists of: `ocs inventory discover {element}`"
        )
    resources: list[Resource] = []
    after = ""
    while page := list_resources(
        connection, ResourceQuery(within=element, after=after, limit=INVENTORY_PAGE_MAX)
    ):
        resources += [one for one in page if is_part(one.kind)]
        after = page[-1].resource_id
    return compare(resources, _links(connection), discovered)


def accept(connection: Connection, finding: Finding) -> Resource:
    """Have the inventory say what was found; returns the resource as it is there now.

    What is missing is retired, not forgotten: services may use it still. A cable is not accepted, for either of both
    ends may be wrong.

    Raises:
        InventoryError: a miswired port. NotInInventoryError: it is not there any more.
    """
    name = finding.resource_id
    known = resources_named(connection, [name]).get(name)
    match finding.finding:
        case FindingKind.UNEXPECTED if known is None:
            return add_resource(
                connection, Resource(resource_id=name, kind=finding.kind, attributes=finding.attributes)
            )
        case FindingKind.MISWIRED:
            raise InventoryError(f"{name}: a cable cannot be accepted: correct the link, or the cable")
        case _:
            if known is None:
                raise NotInInventoryError(f"{name}: no such resource in the inventory")
    gone = finding.finding is FindingKind.MISSING
    return update_resource(
        connection,
        msgspec.structs.replace(
            known,
            lifecycle=Lifecycle.RETIRED if gone else Lifecycle.AS_BUILT,
            attributes={**known.attributes, **finding.attributes},
        ),
    )


def _discovered(connection: Connection, element: str) -> list[Discovered]:
    found: dict[str, Discovered] = {}
    rows = connection.execute(
        select(DISCOVERED).where(DISCOVERED.c.element == element).order_by(DISCOVERED.c.source.desc())
    )
    for row in rows:
        before = found.get(row.resource_id)
        found[row.resource_id] = Discovered(
            resource_id=row.resource_id,
            kind=Kind(row.kind),
            parent=row.parent,
            attributes={**(before.attributes if before else {}), **_decode_attributes(row.attributes)},
            neighbour=row.neighbour or (before.neighbour if before else ""),
        )
    return list(found.values())


def _links(connection: Connection) -> list[Resource]:
    found: list[Resource] = []
    after = ""
    while page := list_resources(
        connection, ResourceQuery(kinds=(Kind.LINK,), after=after, limit=INVENTORY_PAGE_MAX)
    ):
        found += page
        after = page[-1].resource_id
    return found
