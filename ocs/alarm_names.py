"""What people call resources, as the configured topology says, for those who only look at alarms."""

from ocs.faults.topology.schema import TopologyError
from ocs.faults.topology.toml_topology import TomlTopology, load_topology
from ocs.faults.view.naming import ResourceNames
from ocs.log import get_logger
from ocs.settings import Settings, resolve_path

log = get_logger(__name__)


def topology_to_look_by(settings: Settings) -> TomlTopology:
    """The topology; an empty one where it cannot be read, so that alarms can still be looked at."""
    try:
        return load_topology(resolve_path(settings, settings.faults.topology))
    except TopologyError as error:
        log.warning("topology_not_read", reason=str(error), remedy="mend it: interfaces are shown by number")
        return TomlTopology()


def resource_names(settings: Settings) -> ResourceNames:
    """The names of the topology; without one, those that devices tell themselves."""
    return ResourceNames(topology_to_look_by(settings).canonical)
