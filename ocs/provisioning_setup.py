"""What provisioning is put together from: the ways to elements, the inventory's elements, who plans which work."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ocs.clock import SystemClock
from ocs.inventory.elements import find_element as find_record
from ocs.log import get_logger
from ocs.migrations import upgrade_schema
from ocs.provisioning import configuration_work
from ocs.provisioning.compliance import adoption
from ocs.provisioning.compliance.adoption import AdoptionPlanner
from ocs.provisioning.configuration_work import ConfigurationPlanner
from ocs.provisioning.credentials import load_credential, load_secrets
from ocs.provisioning.element import Element
from ocs.provisioning.element_type import ElementType, ElementTypeError, load_element_types
from ocs.provisioning.services import planner as services_planner
from ocs.provisioning.services.baseline import Baseline
from ocs.provisioning.services.mobile_data import MobileData
from ocs.provisioning.services.model import ServiceModel
from ocs.provisioning.services.planner import ServicePlanner
from ocs.provisioning.services.voice import Voice
from ocs.provisioning.services.vpn_site import VpnSite
from ocs.provisioning.sessions import Sessions
from ocs.provisioning.transactions.planner import Planner
from ocs.settings import Settings, resolve_path
from ocs.settings_file import SettingsError
from ocs.sql import Database, database_url

log = get_logger(__name__)

# All kinds of services that can be ordered, by name.
MODELS: Final = MappingProxyType[str, ServiceModel](
    {model.name: model for model in (Baseline(), MobileData(), Voice(), VpnSite())}
)


def service_planner() -> ServicePlanner:
    """Who knows orders for services."""
    return ServicePlanner(MODELS.values(), SystemClock())


def planners() -> dict[str, Planner]:
    """Kind of work -> who knows it."""
    return {
        services_planner.KIND: service_planner(),
        configuration_work.KIND: ConfigurationPlanner(),
        adoption.KIND: AdoptionPlanner(service_planner()),
    }


def open_sessions(settings: Settings) -> Sessions:
    """The ways to elements, as the configuration says; blocks.

    Raises:
        SettingsError: an element type cannot be used; names its file. SecretFileError: a secret cannot be read.
    """
    provisioning = settings.provisioning
    folder = resolve_path(settings, provisioning.types)
    types: Mapping[str, ElementType] = {}
    if folder.is_dir():
        try:
            types = load_element_types(folder)
        except ElementTypeError as error:
            raise SettingsError(f"provisioning.types: {error}") from None
    else:
        remedy = "no element can be reached: name the folder with element types in provisioning.types"
        log.warning("no_element_types", folder=str(folder), remedy=remedy)
    secrets = resolve_path(settings, provisioning.secrets_dir) if provisioning.secrets_dir else None
    return Sessions(
        types,
        {one.name: load_credential(one, settings.directory) for one in provisioning.credentials},
        load_secrets(secrets),
        yang_folders=[resolve_path(settings, provisioning.yang)],
        sessions_max=max(1, provisioning.sessions_max),
    )


def open_database(settings: Settings, data_dir: Path) -> Database:
    """The database, with our schema; blocks.

    Raises:
        SqlError: it cannot be used.
    """
    database = Database(database_url(settings, data_dir))
    upgrade_schema(database)
    return database


def element_finder(database: Database) -> Callable[[str], Awaitable[Element | None]]:
    """Looks elements up in the inventory: how they are reached; None: it has none of that name that we manage."""

    async def find(name: str) -> Element | None:
        record = await database.read(lambda connection: find_record(connection, name))
        return None if record is None else record.management

    return find
