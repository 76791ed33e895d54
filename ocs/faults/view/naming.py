"""What people call a resource: by the topology, or by what its own notification said. Pure.

A rule names an interface by its number, which every notification has and which makes the alarm's key. People know it by
its name: ``pe1/if/3`` is ``pe1/if/xe-0/0/1``.
"""

from collections.abc import Callable
from typing import Final

from ocs.faults.alarm import Alarm

_INTERFACE: Final = "/if/"
# Objects that name an interface, the better one first (RFC 2863 section 3.1.2).
_NAMING: Final = ("ifName", "ifDescr")


class ResourceNames:
    """Names the resources of alarms.

    Args:
        canonical: the topology's name of a resource, or the resource itself where it has none.
    """

    def __init__(self, canonical: Callable[[str], str] = str) -> None:
        self._canonical = canonical

    def name_of(self, alarm: Alarm) -> str:
        """What people call an alarm's resource; the resource itself when nobody calls it otherwise."""
        resource = alarm.key.resource
        name = self._canonical(resource)
        if name != resource:
            return name
        element, separator, interface = resource.partition(_INTERFACE)
        if separator and interface.isdecimal():
            said = _said_of_interface(alarm)
            if said:
                return f"{element}{separator}{said}"
        return resource


def _said_of_interface(alarm: Alarm) -> str:
    said = {label.rpartition("::")[2].partition(".")[0]: value for label, value in alarm.details}
    return next((said[name] for name in _NAMING if said.get(name)), "")
