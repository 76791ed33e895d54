"""Rating cases computed by hand, as ``tests/data/rating/*.toml`` has them: event and state -> price, buckets, trace."""

import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from ocs.balance.model import Counter
from ocs.charging.tariffs import Tariffs
from ocs.events import ChargeEvent
from ocs.messages import Profile, RoleOfNode, Service, UsageContext
from ocs.rating import Catalogue
from ocs.rating.quantities import parse_quantity
from ocs.rating.rate import CountingPeriod
from ocs.rating.schema import CatalogueSource
from ocs.rehearsal import ME, Rehearsal, Use
from ocs.units import Money, UnitType, parse_micro

FOLDER = Path(__file__).resolve().parents[1] / "data" / "rating"
UNIT_TYPES = {"data": UnitType.TOTAL_OCTETS, "voice": UnitType.TIME}
KEYS = {
    "name", "offers", "service", "units", "at", "to", "calling", "network", "apn", "rat", "role", "recipients",
    "media", "message_type", "application", "rating_group", "service_identifiers", "friends", "groups", "currency",
    "money", "credit_limit", "buckets", "counters", "earlier", "path", "cost", "billed", "drawn", "refused", "trace", "why",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One row; ``fields`` has what the row says and, where it says nothing, its group."""

    name: str
    fields: dict[str, Any]

    def get(self, key: str, default: Any = None) -> Any:
        return self.fields.get(key, default)


def cases() -> list[Case]:
    """All rows of all files."""
    found: list[Case] = []
    for path in sorted(FOLDER.glob("*.toml")):
        for group in tomllib.loads(path.read_text(encoding="utf-8"))["groups"]:
            rows = group.pop("rows")
            for number, row in enumerate(rows, 1):
                fields = {**group, **row}
                assert fields.keys() <= KEYS, (path.name, fields.keys() - KEYS)
                assert fields.get("why"), (path.name, group["name"], number)
                found.append(Case(f"{path.stem}: {group['name'].partition(':')[0]}, {number}", fields))
    return found


@dataclass(frozen=True)
class Result:
    """What the decision came to: its priced events, and why it was refused."""

    events: tuple[ChargeEvent, ...]
    refusal: str

    @property
    def cost_micro(self) -> int:
        return -sum(event.amount_micro for event in self.events)

    @property
    def paths(self) -> list[str]:
        return [event.tariff_path for event in self.events]

    @property
    def billed(self) -> int:
        return sum(event.billed_units for event in self.events)

    def drawn(self) -> dict[str, int]:
        """What buckets other than money paid."""
        found: dict[str, int] = {}
        for event in self.events:
            for movement in event.movements:
                if movement.unit_type != UnitType.MONEY and movement.amount:
                    bucket_id = bucket_of(movement.bucket_id)
                    found[bucket_id] = found.get(bucket_id, 0) - movement.amount
        return found

    def paid_micro(self) -> int:
        """What buckets of money paid."""
        return -sum(m.amount for e in self.events for m in e.movements if m.unit_type == UnitType.MONEY)


def charge(catalogue: Catalogue, case: Case) -> Result:
    """Open an account in the case's state and charge its event as a worker would."""
    zone = ZoneInfo(catalogue.time_zone)
    at_ms = int(datetime.fromisoformat(case.get("at")).replace(tzinfo=zone).timestamp()) * 1000
    currency = case.get("currency", catalogue.currency)
    rehearsal = Rehearsal(
        Tariffs(catalogue),
        Money(parse_micro(case.get("money", "1000")), currency),
        credit_limit_micro=parse_micro(case.get("credit_limit", "0")),
    )
    profile = Profile(
        currency=case.get("currency", ""),
        favourites=tuple(case.get("friends", ())),
        groups=tuple(case.get("groups", ())),
    )
    rehearsal.join(tuple(case.get("offers")), at_ms, profile=profile)
    set_buckets(rehearsal, case.get("buckets", {}))
    set_counters(rehearsal, catalogue, case.get("counters", {}), at_ms)
    for units in case.get("earlier", ()):
        rehearsal.use(use_of(case, units, at_ms))
    events = rehearsal.use(use_of(case, case.get("units"), at_ms))
    refusal = rehearsal.refusal
    return Result(
        tuple(event for event in events if event.trace is not None), refusal.name.lower() if refusal else ""
    )


def use_of(case: Case, units: int | str, at_ms: int) -> Use:
    role = case.get("role")
    return Use(
        service=Service(case.get("service")),
        units=parse_quantity(
            "units", units, UNIT_TYPES.get(case.get("service"), UnitType.SERVICE_SPECIFIC_UNITS)
        ),
        at_ms=at_ms,
        rating_group=case.get("rating_group"),
        service_identifiers=tuple(case.get("service_identifiers", ())),
        context=UsageContext(
            called_party=case.get("to", "").removeprefix("+"),
            calling_party=case.get("calling", ""),
            access_point_name=case.get("apn", ""),
            serving_network=case.get("network", ""),
            rat_type=case.get("rat", ""),
            role_of_node=RoleOfNode[role.upper()] if role else None,
            recipients=case.get("recipients", 1),
            media=tuple(case.get("media", ())),
            message_type=case.get("message_type", ""),
            application=case.get("application", ""),
        ),
        session_id="s" if case.get("earlier") else "",
    )


def bucket_of(bucket_id: str) -> str:
    """A bucket as a price list knows it: by offer and allowance, whichever member brought it."""
    return bucket_id.removeprefix(f"{ME}.")


def set_buckets(rehearsal: Rehearsal, values: dict[str, Any]) -> None:
    """Leave so much in buckets as the case says."""
    account = rehearsal.account
    known = {bucket_of(bucket.bucket_id) for bucket in account.buckets}
    assert values.keys() <= known, (values.keys(), known)
    buckets = tuple(
        msgspec.structs.replace(
            bucket,
            value=parse_quantity("buckets", values[bucket_of(bucket.bucket_id)], bucket.unit_type, least=0),
        )
        if bucket_of(bucket.bucket_id) in values
        else bucket
        for bucket in account.buckets
    )
    rehearsal.account = msgspec.structs.replace(account, buckets=buckets)


def set_counters(rehearsal: Rehearsal, catalogue: Catalogue, values: dict[str, Any], at_ms: int) -> None:
    """Have the subscriber used or spent so much as the case says, in the present periods."""
    source = msgspec.json.decode(catalogue.to_bytes(), type=CatalogueSource)
    tables = {table.id: table for table in source.counters}
    counters: list[Counter] = []
    for counter_id, written in values.items():
        table = tables[counter_id]
        value = (
            parse_micro(written)
            if table.unit == "money"
            else parse_quantity("counters", written, UNIT_TYPES_OF_COUNTERS[table.unit], least=0)
        )
        start = catalogue.period_start_ms(CountingPeriod(table.period), at_ms)
        counters.append(Counter(counter_id, start, value))
    subscriber = rehearsal.subscribers[ME]
    rehearsal.subscribers[ME] = msgspec.structs.replace(subscriber, counters=tuple(counters))


UNIT_TYPES_OF_COUNTERS = {
    "octets": UnitType.TOTAL_OCTETS,
    "seconds": UnitType.TIME,
    "events": UnitType.SERVICE_SPECIFIC_UNITS,
}
