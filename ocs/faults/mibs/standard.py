"""The table of standard MIBs that comes with us: some 290 modules of the IETF, IANA, net-snmp and others.

It is made by :mod:`ocs.faults.mibs.bundle` from pysnmp and pysnmp-mibs (both under the BSD licence).
"""

import zlib
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from ocs.faults.mibs.model import MibModule

STANDARD_TABLE: Final = Path(__file__).parent / "standard.mibs"


@cache
def standard_modules() -> tuple[MibModule, ...]:
    """All standard modules, those that others supersede first."""
    return msgspec.msgpack.decode(zlib.decompress(STANDARD_TABLE.read_bytes()), type=tuple[MibModule, ...])
