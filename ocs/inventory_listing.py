"""The inventory for people: tables, trees, an impact in words."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from rich.table import Table
from rich.tree import Tree

from ocs.alarm_terminal import make_console, print_table
from ocs.inventory.impact import Affected, Impact
from ocs.inventory.model import ElementRecord, Lifecycle, Resource, Service, Use
from ocs.inventory.reservations import Reservation


def print_rows(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, folded: Collection[str] = ()
) -> None:
    """Print a table.

    Args:
        folded: headings of columns that take several lines where the terminal is narrow; the others stay whole as long
            as that makes room.
    """
    table = Table()
    for heading in headings:
        if heading in folded:
            table.add_column(heading, overflow="fold")
        else:
            table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    print_table(table)


def print_resources(resources: Iterable[Resource]) -> None:
    """Print resources, one a line."""
    print_rows(
        ("resource", "kind", "in", "lifecycle", "state", "attributes"),
        (
            (
                one.resource_id,
                one.kind,
                one.parent,
                one.lifecycle,
                f"{one.administrative_state}, {one.operational_state}",
                _attributes(one),
            )
            for one in resources
        ),
    )


def print_resource(
    resource: Resource,
    element: ElementRecord | None,
    reservation: Reservation | None,
    services: Sequence[Service],
) -> None:
    """Print all that is known of one resource."""
    lines: list[tuple[str, object]] = [
        ("kind", resource.kind),
        ("in", resource.parent),
        ("lifecycle", resource.lifecycle),
        ("state", f"{resource.administrative_state}, {resource.operational_state}"),
        ("depends on", ", ".join(resource.depends_on)),
        ("ends", ", ".join(resource.ends)),
        ("attributes", _attributes(resource)),
    ]
    if element is not None:
        lines += [("role", element.role), ("addresses", ", ".join(element.addresses))]
        management = element.management
        if management is not None:
            lines += [
                ("managed as", f"{management.type_name} at {management.address} port {management.port}"),
                ("credential", management.credential),
                ("host key", management.host_key or "none trusted: `ocs inventory trust`"),
            ]
    if reservation is not None:
        until = "for good" if reservation.expires_ms is None else f"until {reservation.expires_ms} ms"
        lines.append(("held by", f"{reservation.holder} ({reservation.purpose}), {until}"))
    lines.append(("used by", ", ".join(service.service_id for service in services)))
    lines.append(("version", resource.version))
    console = make_console()
    console.print(resource.resource_id)
    for label, value in lines:
        if value:
            console.print(f"  {label:<11} {value}")


def print_tree(top: str, resources: Iterable[Resource]) -> None:
    """Print what lies in a resource, and in that, as a tree; without a top, everything."""
    children: dict[str, list[Resource]] = {}
    for one in resources:
        children.setdefault(one.parent, []).append(one)
    tree = Tree(top or "inventory", guide_style="")
    waiting = [(tree, top)]
    while waiting:
        branch, name = waiting.pop()
        for child in children.get(name, ()):
            said = "" if child.lifecycle is Lifecycle.AS_BUILT else f" ({child.lifecycle})"
            waiting.append((branch.add(f"{child.resource_id}{said}"), child.resource_id))
    make_console().print(tree)


def print_impact(impact: Impact) -> None:
    """Print what and who suffers when a resource fails."""
    console = make_console()
    suffering = f"{impact.services:,} services with {impact.subscribers:,} subscribers"
    console.print(f"{impact.resource_id}: when it fails, {suffering} suffer")
    _print_affected("fail with it", impact.failing)
    _print_affected("may not be reached any more", impact.unreachable)
    if impact.first_services:
        print_rows(
            ("service", "model", "customer", "state", "subscribers"),
            (
                (one.service_id, one.model, one.customer, one.state, f"{one.subscribers:,}")
                for one in impact.first_services
            ),
        )
        if impact.services > len(impact.first_services):
            console.print(f"and {impact.services - len(impact.first_services):,} more")


def print_services(services: Iterable[Service]) -> None:
    """Print services, one a line."""
    print_rows(
        ("service", "model", "customer", "state", "subscribers", "allocations"),
        (
            (
                one.service_id,
                one.model,
                one.customer,
                one.state,
                f"{one.subscribers:,}",
                ", ".join(f"{name}={value}" for name, value in one.allocations.items()),
            )
            for one in services
        ),
    )


def print_service(service: Service, uses: Sequence[Use]) -> None:
    """Print all that is known of one service."""
    print_services([service])
    print_rows(("uses", "as"), ((use.resource_id, use.role) for use in uses))
    for name, value in service.parameters.items():
        make_console().print(f"  {name} = {value}")


def _print_affected(said: str, affected: Affected) -> None:
    if not affected.count:
        return
    more = affected.count - len(affected.first)
    rest = f", and {more:,} more" if more else ""
    make_console().print(f"{affected.count:,} {said}: {', '.join(affected.first)}{rest}")


def _attributes(resource: Resource) -> str:
    attributes: Mapping[str, object] = resource.attributes
    return ", ".join(f"{name}={value}" for name, value in attributes.items())
