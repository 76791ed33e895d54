"""Service models: what a service wants on each element, as a pure function of the service and of the inventory.

A model says what is to be there while the service lasts, and nothing about how to get there: creating, modifying and
deleting follow from it (:mod:`.ownership`).
"""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, ClassVar, Final, Protocol, TypeAlias, TypeVar

import msgspec

from ocs.inventory.errors import InventoryError
from ocs.inventory.model import ElementRecord, Resource, Service, Use
from ocs.inventory.naming import prefix_of, vlan_id_of
from ocs.limits import SERVICE_PARAMETER_CHARACTERS_MAX, VLAN_MAX, VLAN_MIN
from ocs.provisioning.configuration import Configuration, Step, format_path, parse_path

_T = TypeVar("_T")

# What a customer may have written. A value that began like a secret's would be replaced by that secret when it is sent.
Text: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=SERVICE_PARAMETER_CHARACTERS_MAX, pattern=r"^(?!secret:)[^\x00-\x1f\x7f]*\Z"
    ),
]
# Names that stand in keys and in names of files.
Name: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=64, pattern=r"^(?!secret:)[A-Za-z0-9][A-Za-z0-9._-]*\Z")
]
OptionalName: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=64, pattern=r"^(?:[A-Za-z0-9][A-Za-z0-9._-]*)?\Z")
]
# What stands for a secret in a configuration: this, and its name.
SECRET: Final = "secret:"  # noqa: S105


class ServiceError(Exception):
    """A service cannot be made as it was ordered; one line that names the parameter or the resource."""


class VlanAllocation(msgspec.Struct, frozen=True, kw_only=True):
    """A VLAN of a site, from a range.

    Attributes:
        name: the model's word for it, the key in :attr:`~ocs.inventory.model.Service.allocations`.
    """

    name: str
    site: str
    first: int = VLAN_MIN
    last: int = VLAN_MAX

    def fits(self, resource_id: str) -> bool:
        """Whether a resource is one of those that were asked for."""
        try:
            site, vlan_id = vlan_id_of(resource_id)
        except InventoryError:
            return False
        return f"site/{site}" == self.site and self.first <= vlan_id <= self.last


class PrefixAllocation(msgspec.Struct, frozen=True, kw_only=True):
    """A prefix of a pool, or an address: one of full length.

    Attributes:
        name: as in :class:`VlanAllocation`. pool: the resource of a prefix. length: in bits.
    """

    name: str
    pool: str
    length: int

    def fits(self, resource_id: str) -> bool:
        """As :meth:`VlanAllocation.fits`."""
        try:
            vrf, network = prefix_of(resource_id)
            pool_vrf, pool = prefix_of(self.pool)
        except InventoryError:
            return False
        inner, outer = ip_network(network), ip_network(pool)
        return (
            vrf == pool_vrf
            and inner.prefixlen == self.length
            and inner.version == outer.version
            and int(outer.network_address) <= int(inner.network_address) <= int(outer.broadcast_address)
        )


Allocation: TypeAlias = VlanAllocation | PrefixAllocation


class NetworkView(Protocol):
    """What models see of the inventory."""

    def element(self, name: str) -> ElementRecord | None:
        """An element by its name."""
        ...

    def elements(self, role: str, site: str = "") -> tuple[ElementRecord, ...]:
        """Built elements of a role, by name; at a site, or at one that lies in it, when one is given."""
        ...

    def resource(self, resource_id: str) -> Resource | None:
        """A resource by its name."""
        ...


class ServiceModel(Protocol):
    """What one kind of service means. Every method is pure and raises :class:`ServiceError`, nothing else.

    Attributes:
        name: by which orders name it. parameters_type: what is ordered, with its bounds.
    """

    name: ClassVar[str]
    parameters_type: ClassVar[type[msgspec.Struct]]

    def elements(self, service: Service, network: NetworkView) -> tuple[str, ...]:
        """Names of the elements that it configures; known before anything is allocated."""
        ...

    def allocations(self, service: Service, network: NetworkView) -> tuple[Allocation, ...]:
        """What must be reserved for it before the rest can be said."""
        ...

    def wanted(self, service: Service, network: NetworkView) -> dict[str, dict[str, str | None]]:
        """Element -> configuration, for exactly the elements of :meth:`elements`."""
        ...

    def uses(self, service: Service, network: NetworkView) -> tuple[Use, ...]:
        """Resources of the inventory that it uses: what it fails with."""
        ...


# --- What models are made of --------------------------------------------------------------------------------------


def read_parameters(service: Service, parameters_type: type[_T]) -> _T:
    """A service's parameters in their form.

    Raises:
        ServiceError: one is missing, unknown or out of bounds; says which.
    """
    try:
        return msgspec.convert(service.parameters, parameters_type)
    except msgspec.ValidationError as error:
        raise ServiceError(f"{service.service_id}: parameters: {error}") from None


def read_attributes(network: NetworkView, resource_id: str, attributes_type: type[_T]) -> _T:
    """What the inventory says of a resource that a service refers to, such as a profile.

    Raises:
        ServiceError: there is no such resource, or one of its attributes is missing or out of bounds.
    """
    resource = network.resource(resource_id)
    if resource is None:
        needed = msgspec.structs.fields(attributes_type)  # type: ignore[arg-type]
        said = "".join(f" --set {one.name}=..." for one in needed if one.required)
        raise ServiceError(
            f"{resource_id}: no such resource in the inventory: `ocs inventory add {resource_id} --kind logical{said}`"
        )
    try:
        return msgspec.convert(resource.attributes, attributes_type)
    except msgspec.ValidationError as error:
        raise ServiceError(f"{resource_id}: attributes in the inventory: {error}") from None


def elements_of_role(network: NetworkView, roles: tuple[str, ...], region: str) -> tuple[str, ...]:
    """Names of the elements of some roles in a region.

    Raises:
        ServiceError: there is none.
    """
    names = {record.name for role in roles for record in network.elements(role, region)}
    if not names:
        raise ServiceError(
            f"no element of role {' or '.join(roles)}{f' in {region}' if region else ''}:"
            f" `ocs inventory update ELEMENT --role {roles[0]}`"
        )
    return tuple(sorted(names))


def pool_of(network: NetworkView, resource_id: str) -> tuple[str, IPv4Network | IPv6Network]:
    """VRF and network of a pool of addresses.

    Raises:
        ServiceError: there is no such resource, or it is no prefix.
    """
    if network.resource(resource_id) is None:
        raise ServiceError(
            f"{resource_id}: no such resource in the inventory: `ocs inventory add {resource_id} --kind prefix`"
        )
    try:
        vrf, text = prefix_of(resource_id)
    except InventoryError as error:
        raise ServiceError(str(error)) from None
    return vrf, ip_network(text)


def allocated(service: Service, name: str) -> str:
    """The resource that was reserved for a service.

    Raises:
        ServiceError: none was.
    """
    try:
        return service.allocations[name]
    except KeyError:
        raise ServiceError(f"{service.service_id}: nothing is reserved as its {name}") from None


def entry(list_path: str, **keys: str) -> str:
    """The path of a list's entry; keys by their names, with underscores where those have hyphens.

    Raises:
        PathError: a key holds both kinds of quotes.
    """
    *above, last = parse_path(list_path)
    named = tuple((name.replace("_", "-"), value) for name, value in keys.items())
    return format_path((*above, Step(last.name, named)))


def leaf_list_entry(path: str, value: str) -> str:
    """The path of a leaf-list's entry."""
    *above, last = parse_path(path)
    return format_path((*above, Step(last.name, ((".", value),))))


def within(path: str, configuration: Configuration) -> dict[str, str | None]:
    """A configuration whose paths are said from another path on: ``within("/m:a/b[k='1']", {"leaf": "2"})``."""
    return {f"{path}/{rest}" if rest else path: value for rest, value in configuration.items()}
