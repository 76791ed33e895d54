"""Recorded uses rated again: what a day or a month would have cost under another catalogue, or with another offer.

The result depends on the record alone: accounts are taken in the order of their names and the uses of one in the order
in which they were charged, whatever the order of the file; a use that is there twice counts once.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final

import msgspec

from ocs.charging.tariffs import Tariffs
from ocs.events import ChargeEvent, EventKind
from ocs.limits import BALANCE_MICRO_MAX
from ocs.messages import NO_CONTEXT, NO_PROFILE, Outcome, Profile, Service, UsageContext
from ocs.rating import Catalogue, Rate
from ocs.rehearsal import Rehearsal, Use
from ocs.subscribers.operations import OperationError
from ocs.units import Money, UnitType, format_micro


class RecordedUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A charge that was made, with all that is needed to make it again: one line of a record.

    Attributes:
        account: of the charge; subscriber: likewise, with the ``offers`` and ``profile`` that it had.
        sequence: of the account: the order in which its uses were charged.
        units: reported, in what the service is measured in; messages before they are multiplied by recipients.
        amount_micro: what it cost; a charge is positive.
    """

    event_id: str
    account: str
    subscriber: str
    offers: tuple[str, ...]
    sequence: int
    session: str
    service: Service
    units: int
    at_ms: int
    amount_micro: int
    currency: str
    rating_group: int | None = None
    service_identifiers: tuple[int, ...] = ()
    context: UsageContext = NO_CONTEXT
    profile: Profile = NO_PROFILE


class RatedAgain(msgspec.Struct, frozen=True):
    """A recorded use, what it cost and what it would have cost."""

    event_id: str
    account: str
    sequence: int
    service: str
    units: int
    before_micro: int
    after_micro: int
    currency: str
    tariff_path: str
    refusal: str = ""


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(RecordedUse).decode


class Rerated(msgspec.Struct, frozen=True):
    """A whole record rated again, in the order of accounts and charges."""

    catalogue_version: str
    uses: tuple[RatedAgain, ...]

    def lines(self) -> Iterator[str]:
        """One JSON object for each use; the same record and catalogue give the same letters."""
        return (_encode(use).decode() for use in self.uses)


def record_of(
    event: ChargeEvent, offers: tuple[str, ...], rate: Rate | None, profile: Profile = NO_PROFILE
) -> RecordedUse | None:
    """Record a charge event; None for one that is no charge for a use.

    Args:
        offers: of the subscriber. profile: likewise.
        rate: that the event was charged by; without it messages are taken to be counted once for each recipient.
    """
    if event.kind != EventKind.DEBIT or event.trace is None or event.service not in set(Service):
        return None
    context = event.context or NO_CONTEXT
    is_multiplied = event.unit_type is UnitType.SERVICE_SPECIFIC_UNITS and (
        rate is None or rate.is_per_recipient
    )
    return RecordedUse(
        event_id=event.event_id,
        account=event.account_id,
        subscriber=event.subscriber_id,
        offers=offers,
        sequence=event.sequence,
        session=event.session_id,
        service=Service(event.service),
        units=event.units // max(1, context.recipients) if is_multiplied else event.units,
        at_ms=event.event_time_ms,
        amount_micro=-event.amount_micro,
        currency=event.currency,
        rating_group=event.rating_group,
        service_identifiers=event.service_identifiers,
        context=context,
        profile=profile,
    )


def record_line(use: RecordedUse) -> bytes:
    """A recorded use as a line of a file, with its line end."""
    return _encode(use) + b"\n"


def rerate(catalogue: Catalogue, lines: Iterable[bytes], replaced: Mapping[str, str]) -> Rerated:
    """Rate recorded uses again, each account from its first recorded use on, with what its offers bring then.

    Nobody runs out of money: what is asked is what it would have cost.

    Args:
        lines: of a record, in any order.
        replaced: offers in whose place others are taken.

    Raises:
        OperationError: a line that is none, or an offer that the catalogue lacks.
    """
    uses: dict[str, RecordedUse] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            use = _read(line, number)
            uses.setdefault(use.event_id, use)
    in_order = sorted(uses.values(), key=lambda use: (use.account, use.sequence, use.event_id))
    tariffs = Tariffs(catalogue)
    rated = [
        again
        for account, charged in groupby(in_order, key=lambda use: use.account)
        for again in _rate_account(tariffs, account, list(charged), replaced)
    ]
    return Rerated(catalogue.version, tuple(rated))


def _read(line: bytes, number: int) -> RecordedUse:
    try:
        return _decode(line)
    except msgspec.DecodeError as error:
        raise OperationError(f"line {number} is no recorded use: {error}") from None


def _rate_account(
    tariffs: Tariffs, account: str, charged: list[RecordedUse], replaced: Mapping[str, str]
) -> Iterator[RatedAgain]:
    rehearsal = Rehearsal(
        tariffs, Money(0, charged[0].currency), credit_limit_micro=BALANCE_MICRO_MAX, account_id=account
    )
    for use in charged:
        if use.subscriber not in rehearsal.subscribers:
            offers = tuple(dict.fromkeys(replaced.get(offer, offer) for offer in use.offers))
            rehearsal.join(offers, use.at_ms, subscriber_id=use.subscriber, profile=use.profile)
        events = rehearsal.use(
            Use(
                service=use.service,
                units=use.units,
                at_ms=use.at_ms,
                rating_group=use.rating_group,
                service_identifiers=use.service_identifiers,
                context=use.context,
                session_id=use.session,
                subscriber_id=use.subscriber,
            )
        )
        priced = [event for event in events if event.trace is not None]
        refusal = rehearsal.refusal
        is_refused = not priced and refusal not in {None, Outcome.CREDIT_CONTROL_NOT_APPLICABLE}
        yield RatedAgain(
            use.event_id,
            account,
            use.sequence,
            use.service,
            use.units,
            use.amount_micro,
            -sum(event.amount_micro for event in priced),
            use.currency,
            "+".join(event.tariff_path for event in priced),
            refusal.name.lower() if is_refused and refusal is not None else "",
        )


def summary_of(rerated: Rerated) -> tuple[str, ...]:
    """The whole in a few lines: each service, then all together."""
    lines: list[str] = []
    by_service = sorted({(use.currency, use.service) for use in rerated.uses})
    for currency, service in by_service:
        uses = [use for use in rerated.uses if (use.currency, use.service) == (currency, service)]
        lines.append(_sum_line(f"{service}", uses, currency))
    lines += [
        _sum_line("all", [use for use in rerated.uses if use.currency == currency], currency)
        for currency in sorted({currency for currency, _ in by_service})
    ]
    refused = sum(bool(use.refusal) for use in rerated.uses)
    if refused:
        lines.append(f"{refused} could not be priced: --details names them")
    return (f"catalogue {rerated.catalogue_version}, {len(rerated.uses)} uses", *lines)


def _sum_line(what: str, uses: list[RatedAgain], currency: str) -> str:
    before = sum(use.before_micro for use in uses)
    after = sum(use.after_micro for use in uses)
    change = after - before
    sign = "-" if change < 0 else "+"
    return (
        f"{what:<6} {len(uses):>8} uses  {format_micro(before):>14} -> {format_micro(after):>14} {currency}"
        f"  ({sign}{format_micro(abs(change))})"
    )
