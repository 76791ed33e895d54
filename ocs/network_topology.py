"""The topology that the settings mean: a folder of files, or the inventory."""

from pathlib import Path
from typing import Final

from ocs.faults.topology.toml_topology import TomlTopology, load_topology
from ocs.settings import FaultsSettings, Settings, resolve_path

# In place of a folder's name.
FROM_INVENTORY: Final = "inventory"


def open_topology(settings: Settings, data_dir: Path) -> TomlTopology:
    """Read the topology; blocks.

    Raises:
        TopologyError: it cannot be read or used; one line. SqlError: the inventory does not answer.
    """
    if settings.faults.topology != FROM_INVENTORY:
        return load_topology(resolve_path(settings, settings.faults.topology))
    # SQLAlchemy burdens only those whose topology is there.
    from ocs.inventory.topology import load_inventory_topology
    from ocs.migrations import upgrade_schema
    from ocs.sql import Database, database_url

    database = Database(database_url(settings, data_dir))
    try:
        upgrade_schema(database)
        return database.read_blocking(load_inventory_topology)
    finally:
        database.close()


def policy_folder(settings: Settings) -> Path:
    """Where the policy of alarms is: beside the files of topology, wherever the topology itself comes from."""
    folder = settings.faults.topology
    return resolve_path(settings, FaultsSettings().topology if folder == FROM_INVENTORY else folder)
