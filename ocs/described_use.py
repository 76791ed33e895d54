"""A use described in words, and what it would cost: the price with every step of it, without account or store."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ocs.charging.tariffs import Tariffs
from ocs.events import ChargeEvent
from ocs.messages import Outcome, Profile, RoleOfNode, Service, UsageContext
from ocs.rating import Catalogue, explain
from ocs.rating.errors import ExpectationError
from ocs.rating.quantities import parse_quantity
from ocs.rating.unit_words import units_in_words
from ocs.rehearsal import ME, Rehearsal, Use
from ocs.subscribers.operations import OperationError
from ocs.units import Money, UnitType, format_micro, parse_micro

_UNIT_TYPES: Final = {
    Service.DATA: UnitType.TOTAL_OCTETS,
    Service.VOICE: UnitType.TIME,
    Service.SMS: UnitType.SERVICE_SPECIFIC_UNITS,
    Service.MMS: UnitType.SERVICE_SPECIFIC_UNITS,
}
_REASONS: Final = {
    Outcome.RATING_FAILED: "no price of these offers applies: the network is told that rating failed",
    Outcome.CREDIT_LIMIT_REACHED: "not one unit can be paid: the network is told that the credit limit is reached",
    Outcome.CREDIT_CONTROL_NOT_APPLICABLE: "it costs nothing and is not metered: the network is told to ask no more",
    Outcome.END_USER_SERVICE_DENIED: "the subscriber may not use this service",
}


class DescribedUse(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to know the price of.

    Attributes:
        units: as a price list writes them: ``"75"``, ``"10 MiB"``, ``"2 min"``.
        at_s: epoch second.
        role: ``originating``, ``terminating`` or ``forwarding``; empty where the network does not say.
        balance: money on the account before, as a decimal text.
    """

    offers: tuple[str, ...]
    service: str
    units: str
    at_s: int
    called_party: str = ""
    calling_party: str = ""
    serving_network: str = ""
    access_point_name: str = ""
    rat_type: str = ""
    role: str = ""
    recipients: int = 1
    media: tuple[str, ...] = ()
    message_type: str = ""
    application: str = ""
    rating_group: int | None = None
    service_identifiers: tuple[int, ...] = ()
    favourites: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    currency: str = ""
    balance: str = "1000.00"


class Drawn(msgspec.Struct, frozen=True):
    """What a bucket paid, and what is left in it, in its unit; money in micro-units."""

    bucket_id: str
    unit_type: str
    amount: int
    left: int


class Quote(msgspec.Struct, frozen=True):
    """What a use would cost.

    Attributes:
        refusal: why it would be refused, empty when it is charged.
        amount_micro: what money would pay.
        paths: tariff path of each charge.
        steps: the price trace in words.
        verdict: all of it in one line.
    """

    refusal: str
    amount_micro: int
    currency: str
    paths: tuple[str, ...]
    drawn: tuple[Drawn, ...]
    steps: tuple[str, ...]
    verdict: str


def quote(catalogue: Catalogue, described: DescribedUse) -> Quote:
    """Price a described use on a new account of a subscriber who has the offers and nothing else.

    Raises:
        OperationError: no such offer, or units that cannot be read.
        AmountError: a balance that cannot be read.
    """
    currency = described.currency or catalogue.currency
    rehearsal = Rehearsal(Tariffs(catalogue), Money(parse_micro(described.balance), currency))
    profile = Profile(
        currency=described.currency,
        favourites=tuple(number.removeprefix("+") for number in described.favourites),
        groups=described.groups,
    )
    rehearsal.join(described.offers, described.at_s * 1000, profile=profile)
    events = tuple(_plain(event) for event in rehearsal.use(_use(described)) if event.trace is not None)
    refusal = rehearsal.refusal
    if not events:
        reason = _REASONS.get(refusal, refusal.name.lower()) if refusal is not None else "nothing was used"
        return Quote(reason, 0, currency, (), (), (), f"not charged: {reason}")
    amount_micro = -sum(event.amount_micro for event in events)
    steps = [step for event in events for step in explain(event, catalogue.rate_at_path(event.tariff_path))]
    return Quote(
        "",
        amount_micro,
        currency,
        tuple(event.tariff_path for event in events),
        tuple(_drawn(events)),
        tuple(steps),
        f"costs {format_micro(amount_micro)} {currency} by {', '.join(event.tariff_path for event in events)}",
    )


def _plain(event: ChargeEvent) -> ChargeEvent:
    """The event with buckets called as a price list does: nobody asked which member they are."""
    movements = tuple(
        msgspec.structs.replace(movement, bucket_id=movement.bucket_id.removeprefix(f"{ME}."))
        for movement in event.movements
    )
    return msgspec.structs.replace(event, movements=movements)


def _use(described: DescribedUse) -> Use:
    service = Service(described.service)
    try:
        units = parse_quantity("--units", described.units, _UNIT_TYPES[service])
    except ExpectationError as error:
        raise OperationError(str(error)) from None
    context = UsageContext(
        called_party=described.called_party.removeprefix("+"),
        calling_party=described.calling_party.removeprefix("+"),
        access_point_name=described.access_point_name.lower(),
        serving_network=described.serving_network,
        rat_type=described.rat_type,
        role_of_node=RoleOfNode[described.role.upper()] if described.role else None,
        recipients=described.recipients,
        media=tuple(sorted(described.media)),
        message_type=described.message_type,
        application=described.application,
    )
    return Use(
        service=service,
        units=units,
        at_ms=described.at_s * 1000,
        rating_group=described.rating_group,
        service_identifiers=described.service_identifiers,
        context=context,
    )


def _drawn(events: tuple[ChargeEvent, ...]) -> list[Drawn]:
    return [
        Drawn(
            movement.bucket_id,
            movement.unit_type.name.lower(),
            -movement.amount,
            movement.balance_after,
        )
        for event in events
        for movement in event.movements
        if movement.amount
    ]


def describe(catalogue: Catalogue, described: DescribedUse) -> str:
    """Say a described use in a line, with the zone that the called number lies in."""
    service = Service(described.service)
    use = _use(described)
    parts = [f"{service} {units_in_words(use.units, _UNIT_TYPES[service])}"]
    if described.called_party:
        zone = catalogue.zone(use.context.called_party)
        parts.append(f"to {described.called_party} ({f'zone {zone}' if zone else 'in no zone'})")
    if described.calling_party:
        parts.append(f"from {described.calling_party}")
    for word, value in (
        ("in network", described.serving_network),
        ("by", described.access_point_name),
        ("over", described.rat_type),
        ("", described.role),
        ("to recipients:", str(described.recipients) if described.recipients != 1 else ""),
        ("with", " and ".join(described.media)),
        ("as", described.message_type),
        ("of application", described.application),
        ("in rating group", "" if described.rating_group is None else str(described.rating_group)),
    ):
        if value:
            parts.append(f"{word} {value}".strip())
    local = datetime.fromtimestamp(described.at_s, ZoneInfo(catalogue.time_zone))
    parts.append(local.strftime("at %Y-%m-%d %H:%M:%S %Z"))
    return f"{', '.join(parts)}; offers {', '.join(described.offers)}"
