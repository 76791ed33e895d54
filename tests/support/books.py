"""What an auditor keeps: books and meters, and what a report or a request is to it."""

from dataclasses import dataclass, field

from ocs.balance.model import Session
from ocs.events import ChargeEvent
from ocs.messages import ChargingRequest, ServiceUnit, TariffChangeUsage
from ocs.units import UnitType


class AuditError(BaseException):
    """The books do not agree. No bulkhead of the product, which catches exceptions, may swallow it."""


def check(truth: bool, *what: object) -> None:
    if not truth:
        raise AuditError(" ".join(str(part) for part in what))


@dataclass
class Meter:
    """Everything reported for one service of one session under one price.

    Attributes:
        earlier: charged under prices before it.
    """

    counted: int = 0
    earlier: int = 0
    covered: int = 0  # billed units that allowances paid
    charged: int = 0
    fee: int = 0
    path: str = ""
    account_id: str = ""


@dataclass
class Book:
    """One account as the events tell it."""

    values: dict[str, int] = field(default_factory=dict)
    sequence: int = 0
    credited: int = 0  # money: opening, top-ups, refunds
    debited: int = 0
    dealt: int = 0  # part of it: not used, but fees, corrections, and money sent to others


Place = tuple[str, int, int | None]  # session, request number, rating group
Key = tuple[str, int, int, bytes]  # session, type, number, fingerprint
Use = tuple[str, bytes, int, int, int | None, int]  # what an event is about, whatever it is called


def key_of(request: ChargingRequest) -> Key:
    return request.session_id, int(request.request_type), request.request_number, request.fingerprint


def reported(units: tuple[ServiceUnit, ...], unit_type: UnitType) -> int:
    total = 0
    for unit in units:
        amount = {
            UnitType.TOTAL_OCTETS: unit.total_octets,
            UnitType.TIME: unit.time_s,
            UnitType.SERVICE_SPECIFIC_UNITS: unit.service_specific_units,
        }[unit_type]
        total += amount or 0
    return total


def sides(units: tuple[ServiceUnit, ...]) -> list[tuple[ServiceUnit, ...]]:
    """The parts of a report that are charged apart: by side of a tariff switch, what came before it first."""
    used = [unit for unit in units if unit.total_octets or unit.time_s]
    if any(unit.tariff_change_usage is not None for unit in units):
        used.sort(key=lambda unit: unit.tariff_change_usage == TariffChangeUsage.AFTER)
        return [(unit,) for unit in used]
    return [tuple(used)] if used else []


def as_decided(
    requests: list[tuple[ChargingRequest, bytes, Session]], events: list[ChargeEvent]
) -> list[tuple[ChargingRequest, bytes, Session]]:
    """The requests of one commit as they were decided: counters of a subscriber go on from one session to another."""
    first = dict[tuple[str, int], int]()
    for event in events:
        first.setdefault((event.session_id, event.request_number), event.sequence)
    reached = dict[str, int]()
    order: list[int] = []
    for request, _, _ in requests:
        name = request.session_id
        reached[name] = max(reached.get(name, 0), first.get((name, request.request_number), 0))
        order.append(reached[name])
    return [requests[place] for place in sorted(range(len(requests)), key=order.__getitem__)]
