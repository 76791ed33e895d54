"""Services over a network in memory, with the inventory, the journal and the ownership in a real database."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from ocs.inventory.elements import add_elements
from ocs.inventory.model import ElementRecord, Kind, Resource, Service
from ocs.inventory.reservations import reservations_of
from ocs.inventory.services import find_service
from ocs.provisioning.schema.schema import Schema
from ocs.provisioning.schema.yang import load_schema
from ocs.provisioning.services.baseline import Baseline
from ocs.provisioning.services.mobile_data import MobileData
from ocs.provisioning.services.owned_paths import owned_on
from ocs.provisioning.services.planner import KIND, ServiceAction, ServiceOrder, ServicePlanner, encode_order
from ocs.provisioning.services.voice import Voice
from ocs.provisioning.services.vpn_site import VpnSite
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.coordinator import Coordinator
from ocs.provisioning.transactions.means import Means
from ocs.provisioning.transactions.record import Transaction, Work
from ocs.provisioning.transactions.states import TransactionState
from ocs.settings import Settings
from ocs.sql import Database, database_url
from tests.support.elements import YANG
from tests.support.fake_network import CONFIRMED, DIRECT, PERSISTENT, FakeElement
from tests.support.inventory import element, interface, managed
from tests.support.provisioning_lab import ProvisioningLab, make_template

MODELS = (MobileData(), Voice(), VpnSite(), Baseline())
# What every element of the lab can express.
MODULES = (
    "iana-if-type",
    "ietf-interfaces",
    "ietf-ip",
    "ietf-network-instance",
    "ietf-snmp",
    "ietf-system",
    "ocs-mobile-gateway",
    "ocs-qos",
    "ocs-system",
    "ocs-vlan",
    "ocs-voice",
    "ocs-vpn",
)
ELEMENTS = {
    "pgw1": ("pgw", "site/berlin", PERSISTENT),
    "smf1": ("smf", "site/kreuzberg", CONFIRMED),
    "pgw2": ("pgw", "site/hamburg", PERSISTENT),
    "ims1": ("ims", "site/berlin", DIRECT),
    "pe1": ("pe", "site/berlin", PERSISTENT),
    "pe2": ("pe", "site/hamburg", PERSISTENT),
    "cpe1": ("cpe", "", DIRECT),
}
POOL = "prefix/acme/10.1.0.0/24"
SUBSCRIBER_POOL = "prefix/internet/198.51.100.0/29"

MOBILE: dict[str, object] = {
    "imsi": "262011234567890",
    "access_point": "internet",
    "qos_profile": "gold",
    "region": "site/berlin",
}
VOICE: dict[str, object] = {
    "public_identity": "sip:alice@ims.example.net",
    "private_identity": "alice@ims.example.net",
    "service_profile": "residential",
}
VPN_SITE: dict[str, object] = {
    "vpn": "acme",
    "port": "pe1/if/ge-0/0/1",
    "address_pool": POOL,
    "qos_policy": "business-100",
    "customer_port": "cpe1/if/eth0",
}
TRAP_RECEIVER: dict[str, object] = {
    "address": "192.0.2.162",
    "user_name": "ocs-traps",
    "authentication_key": "pe1-auth",
    "privacy_key": "pe1-priv",
}
BASELINE: dict[str, object] = {
    "element": "pe1",
    "ntp_servers": ["192.0.2.123", "ntp.example.net"],
    "trap_receiver": TRAP_RECEIVER,
    "log_servers": ["192.0.2.51"],
    "timezone": "Europe/Berlin",
    "login_banner": "For those who may.\nNobody else.",
}


def services_schema() -> Schema:
    """What the lab's elements can express."""
    return load_schema([YANG], MODULES)


def fill_inventory(connection: Connection) -> None:
    """The elements, and what services refer to."""
    add_elements(connection, [lab_element(name) for name in ELEMENTS], lab_resources())


def lab_element(name: str) -> ElementRecord:
    """An element's record."""
    role, site, _ = ELEMENTS[name]
    return element(name, site, role, management=managed(name))


def lab_resources() -> list[Resource]:
    """Everything else."""

    def logical(name: str, **attributes: str | int) -> Resource:
        return Resource(resource_id=name, kind=Kind.LOGICAL, attributes=dict(attributes))

    return [
        Resource(resource_id="site/berlin", kind=Kind.SITE),
        Resource(resource_id="site/hamburg", kind=Kind.SITE),
        Resource(resource_id="site/kreuzberg", kind=Kind.SITE, parent="site/berlin"),
        *(interface(f"pe{number}/if/ge-0/0/{port}") for number in (1, 2) for port in (1, 2)),
        interface("cpe1/if/eth0"),
        Resource(resource_id=POOL, kind=Kind.PREFIX),
        Resource(resource_id="prefix/other/10.1.0.0/24", kind=Kind.PREFIX),
        Resource(resource_id=SUBSCRIBER_POOL, kind=Kind.PREFIX),
        logical("access-point/internet", pdn_type="ipv4"),
        logical("access-point/corporate", network_instance="acme"),
        *(
            logical(
                f"qos-profile/{name}",
                qos_class_identifier=number,
                priority_level=number,
                uplink_bits_per_s=10**number,
                downlink_bits_per_s=10**number,
                colour=name,
            )
            for name, number in (("gold", 8), ("silver", 7))
        ),
        logical("voice-profile/residential", application_server="sip:tas.example.net"),
        logical(
            "voice-profile/office", application_server="sip:tas.example.net", simultaneous_sessions_max=4
        ),
        logical("vpn/acme", route_distinguisher="64500:1", route_target="64500:1"),
        logical("qos-policy/business-100", committed_bits_per_s=10**7, peak_bits_per_s=10**8, dscp=26),
        logical("qos-policy/best-effort", committed_bits_per_s=1, peak_bits_per_s=10**8),
    ]


def make_service_template(folder: Path) -> Path:
    """A database with our schema and the lab's inventory, to be copied."""
    path = make_template(folder)
    database = Database(database_url(Settings(), folder))
    database.write_blocking(fill_inventory)
    database.close()
    return path


class ServiceLab(ProvisioningLab):
    """A provider's network: orders go through the engine's own coordinator."""

    def __init__(self, folder: Path, template: Path, running: dict[str, dict[str, str | None]]) -> None:
        elements = [
            FakeElement(name, abilities, running.get(name, {}))
            for name, (_, _, abilities) in ELEMENTS.items()
        ]
        super().__init__(folder, template, *elements)
        self.service_planner = ServicePlanner(MODELS, self.clock)
        self._orders = 0

    def means(self) -> Means:
        """With the planner of services."""
        return super().means()._replace(planners={KIND: self.service_planner})

    def queue_order(self, service_id: str, action: ServiceAction, **fields: Any) -> str:
        """Put an order into the queue, as whoever sells would; returns the transaction's id."""
        self._orders += 1
        reference = fields.pop("reference", f"t{self._orders}")
        order = ServiceOrder(reference=reference, service_id=service_id, action=action, **fields)
        transaction = Transaction(
            transaction_id=f"t{self._orders}",
            state=TransactionState.QUEUED,
            work=Work(KIND, encode_order(order)),
            description=f"{action} {service_id}",
            requested_by="test",
            elements=(),
            created_ms=self.clock.now_ms(),
        )
        self.database.write_blocking(lambda connection: journal.add_transaction(connection, transaction))
        return transaction.transaction_id

    async def order(
        self, coordinator: Coordinator, service_id: str, action: ServiceAction, **fields: Any
    ) -> Transaction:
        """Have an order done, or refused."""
        return await self.run_to_the_end(self.queue_order(service_id, action, **fields), coordinator)

    # --- What there is by now ---------------------------------------------------------------------------

    def service(self, service_id: str) -> Service | None:
        """As the inventory has it."""
        return self.database.read_blocking(lambda connection: find_service(connection, service_id))

    def running(self) -> dict[str, dict[str, str | None]]:
        """What the elements run."""
        return {name: dict(one.running) for name, one in self.network.elements.items()}

    def recorded(self, name: str) -> dict[str, str | None]:
        """What services own of an element."""
        return self.database.read_blocking(lambda connection: owned_on(connection, name))

    def held(self, service_id: str) -> dict[str, bool]:
        """Resource -> whether it is kept (or only reserved), of what a service has."""
        found = self.database.read_blocking(lambda connection: reservations_of(connection, service_id))
        return {one.resource_id: one.expires_ms is None for one in found}
