"""A small network in the inventory: core ==fibre== agg ==radio== cell, with a card in agg, and a site under agg."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from ocs.inventory.elements import add_elements
from ocs.inventory.model import Attribute, ElementRecord, Kind, Resource, Service, Use
from ocs.inventory.registry import add_resources
from ocs.inventory.services import record_service
from ocs.provisioning.element import Element


def element(name: str, site: str = "", role: str = "", **more: Any) -> ElementRecord:
    return ElementRecord(
        resource=Resource(resource_id=name, kind=Kind.ELEMENT, parent=site), role=role, **more
    )


def managed(name: str, address: str = "192.0.2.1") -> Element:
    return Element(name=name, type_name="router", address=address, port=830, credential="lab")


def interface(name: str, parent: str = "", **attributes: Attribute) -> Resource:
    return Resource(resource_id=name, kind=Kind.INTERFACE, parent=parent, attributes=attributes)


def link(name: str, *ends: str, over: Sequence[str] = ()) -> Resource:
    return Resource(resource_id=f"link/{name}", kind=Kind.LINK, ends=ends, depends_on=tuple(over))


def add_chain(connection: Connection) -> None:
    add_resources(connection, [Resource(resource_id="site/hill", kind=Kind.SITE)])
    add_elements(
        connection,
        [
            element("core", role="pgw", addresses=("10.0.0.1",)),
            element("agg", "site/hill", role="pe", addresses=("10.0.0.2", "2001:db8::2")),
            element("cell"),
        ],
    )
    add_resources(
        connection,
        [
            link("fibre", "core/if/0", "agg/if/up"),
            link("radio", "agg/if/down", "cell/if/0"),
            interface("core/if/0"),
            interface("agg/if/up", "agg/card/1", index=1, is_uplink=True),
            interface("agg/if/down", "agg/card/1", index=2),
            interface("cell/if/0", is_uplink=True),
            Resource(resource_id="agg/card/1", kind=Kind.CARD),
        ],
    )
    record_service(connection, Service(service_id="mobile", model="mobile", subscribers=1_200), [Use("cell")])
    record_service(connection, Service(service_id="leased line", model="line", subscribers=14), [Use("agg")])
