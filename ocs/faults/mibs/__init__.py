"""What object identifiers are called and how their values read: standard MIBs and the operator's own."""

from ocs.faults.mibs.errors import MibError
from ocs.faults.mibs.folder import open_mib_names
from ocs.faults.mibs.names import MibNames

__all__ = ["MibError", "MibNames", "open_mib_names"]
