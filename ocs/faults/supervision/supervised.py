"""Which elements are looked after, and how: from the topology, with secrets and tables read."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from ocs.faults.mibs import MibNames
from ocs.faults.resync.agent import Agent, agents_of
from ocs.faults.resync.walks import ALARMS, Walk, load_walks
from ocs.faults.topology.schema import Element
from ocs.settings import Settings, resolve_path

# What the network process is asked on its socket, before the element's name.
RESYNC_QUESTION: Final = "resync "


class Supervised(NamedTuple):
    """What is known of the elements that are looked after.

    Attributes:
        heartbeats_ms: how often an element sends something at least.
        agents: how an element is asked. walks: the tables that may be read, by name.
    """

    heartbeats_ms: Mapping[str, int]
    agents: Mapping[str, Agent]
    walks: Mapping[str, Walk]


def load_supervised(elements: Collection[Element], settings: Settings, names: MibNames) -> Supervised:
    """Read what is needed to look after the elements of a topology.

    Raises:
        TopologyError: a table or an element's access cannot be used; one line.
    """
    walks = load_walks(resolve_path(settings, settings.faults.walks), names)
    return Supervised(
        {element.name: int(element.heartbeat_s * 1000) for element in elements if element.heartbeat_s},
        agents_of(elements, settings, (ALARMS, *walks)),
        walks,
    )
