"""Datagrams that net-snmp sent, recorded (tests/data/snmp/ORIGIN.md)."""

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.support.net_snmp import Protection

FILE = Path(__file__).parent.parent / "data" / "snmp" / "net-snmp.tsv"


class Recording(NamedTuple):
    """One datagram; ``kind`` is trap, inform, or probe (what an inform of version 3 begins with)."""

    case: str
    kind: str
    protection: Protection | None
    octets: bytes

    @property
    def name(self) -> str:
        return "-".join([self.case, self.kind, *([self.protection.user_name] if self.protection else [])])


@cache
def recordings() -> tuple[Recording, ...]:
    with FILE.open(encoding="ascii") as file:
        return tuple(
            Recording(
                row["case"],
                row["kind"],
                None if row["privacy"] == "-" else Protection(row["authentication"], row["privacy"]),
                bytes.fromhex(row["octets"]),
            )
            for row in csv.DictReader(file, delimiter="\t")
        )
