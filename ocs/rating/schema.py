"""The catalogue as it is written: the tables and keys of ``config/catalogue/*.toml``.

Only shapes stand here. What the texts mean (amounts, sizes, references) is checked in :mod:`ocs.rating.compiler`.
A quantity is a whole number or a text with a suffix, such as ``"10 MiB"`` or ``"60 s"``.
"""

from datetime import date
from typing import Annotated, Literal

import msgspec

Unsigned32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]

Unit = Literal["octets", "input_octets", "output_octets", "seconds", "events"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday", "weekdays", "weekend", "daily"]
ServiceName = Literal["data", "voice", "sms"]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: a key that is not named here is an error."""


class CatalogueTable(_Table, frozen=True, kw_only=True):
    """``[catalogue]``: what holds for all offers; exactly one file has it.

    Attributes:
        effective: the date from which this catalogue is meant to be used; the first part of its version.
        country_code: digits of the own country, put in place of ``national_prefix``.
        international_prefix: what a dialled international number begins with, such as ``"00"``.
        national_prefix: what a dialled national number begins with, such as ``"0"``.
        holidays: local dates that count as day ``holiday`` instead of their day of the week.
    """

    name: str
    currency: str
    time_zone: str
    effective: date
    tax_class: str = "standard"
    country_code: str = ""
    international_prefix: str = ""
    national_prefix: str = ""
    holidays: tuple[date, ...] = ()


class ZoneTable(_Table, frozen=True, kw_only=True):
    """``[[zones]]``: a group of destinations.

    Attributes:
        prefixes: digits with country code; of all prefixes that a number begins with, the longest decides.
        numbers: whole numbers as dialled (short codes, emergency); they win over every prefix.
    """

    id: str
    name: str = ""
    prefixes: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


class PeriodTable(_Table, frozen=True, kw_only=True):
    """``[[periods]]``: a part of the week on the operator's clock.

    Attributes:
        days: on which days it begins; past midnight it reaches into the next day.
        start: local time ``HH:MM`` from which it is in effect (key ``from``).
        end: local time ``HH:MM`` at which it ends (key ``to``), up to ``24:00``.
    """

    id: str
    name: str = ""
    days: tuple[Day, ...] = ("daily",)
    start: str = msgspec.field(name="from", default="00:00")
    end: str = msgspec.field(name="to", default="24:00")


class QuotaTable(_Table, frozen=True, kw_only=True):
    """``[[quotas]]``: how large one grant may be.

    Attributes:
        unit: what the prices that use it count.
        standard: holds for every price of this unit that names none and whose rating group has none.
        rating_groups: holds for these rating groups, before the standard one.
        default: granted when the gateway leaves the size to us.
        validity_time: Validity-Time of a grant.
        volume_threshold: 3GPP Volume-Quota-Threshold, octets left at which the gateway asks again.
        time_threshold: 3GPP Time-Quota-Threshold, seconds left at which the gateway asks again.
    """

    id: str
    unit: Literal["octets", "seconds", "events"]
    standard: bool = False
    rating_groups: tuple[Unsigned32, ...] = ()
    default: int | str
    minimum: int | str
    maximum: int | str
    validity_time: int | str
    volume_threshold: int | str | None = None
    time_threshold: int | str | None = None


class FinalUnitTable(_Table, frozen=True, kw_only=True):
    """``final_unit``: what the gateway does after the last grant (RFC 8506 section 8.34)."""

    action: Literal["terminate", "redirect", "restrict"]
    redirect_address_type: Literal["ipv4", "ipv6", "url", "sip_uri"] | None = None
    redirect_address: str = ""
    filter_rules: tuple[str, ...] = ()
    filter_ids: tuple[str, ...] = ()


class AllowanceTable(_Table, frozen=True, kw_only=True):
    """``[[allowances]]``: what buckets of this id may pay for; an empty list means no restriction.

    Attributes:
        priority: of the buckets made from it; lower is drawn first.
    """

    id: str
    name: str = ""
    unit: Unit
    services: tuple[ServiceName, ...]
    rating_groups: tuple[Unsigned32, ...] = ()
    zones: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()
    priority: int = 100


class OfferAllowanceTable(_Table, frozen=True, kw_only=True):
    """``[[offers.allowances]]``: a bucket that a subscriber gets with the offer.

    Attributes:
        valid_days: how long the bucket can pay; 0 is for ever.
    """

    allowance: str
    amount: int | str
    valid_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 0


class PriceTable(_Table, frozen=True, kw_only=True):
    """``[[offers.prices]]``: what one use costs; an empty list means no restriction.

    Attributes:
        amount: decimal amount of the catalogue's currency, as text: ``"0.09"``.
        per: so many units cost ``amount``.
        rounding: first and later billing block, ``"60/1"`` or ``"10 KiB/10 KiB"``.
        connection_fee: once a session and service, with the first unit that money pays.
        allowance_only: no money may pay, only allowances.
        credit_control: false where a free service need not be metered: the gateway is told so and asks no more.
        quota: id of a quota rule, in place of the rating group's or the standard one.
        final_unit: in place of the offer's.
    """

    id: str
    name: str = ""
    service: ServiceName
    unit: Unit
    amount: str = "0"
    per: int | str = 1
    rounding: str = "1/1"
    connection_fee: str = "0"
    rating_groups: tuple[Unsigned32, ...] = ()
    service_identifiers: tuple[Unsigned32, ...] = ()
    zones: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()
    allowance_only: bool = False
    credit_control: bool = True
    quota: str = ""
    tax_class: str = ""
    final_unit: FinalUnitTable | None = None


class OfferTable(_Table, frozen=True, kw_only=True):
    """``[[offers]]``: what a subscriber buys.

    Attributes:
        priority: of two offers of one subscriber the lower is asked for a price first.
        opening_balance: money on a new account of this offer.
        credit_limit: how far money may go below zero.
        final_unit: of all its prices that name none; terminate when left out.
    """

    id: str
    name: str = ""
    priority: int = 100
    opening_balance: str = "0"
    credit_limit: str = "0"
    final_unit: FinalUnitTable | None = None
    allowances: tuple[OfferAllowanceTable, ...] = ()
    prices: tuple[PriceTable, ...] = ()


class CatalogueFile(_Table, frozen=True, kw_only=True):
    """One file of the folder."""

    catalogue: CatalogueTable | None = None
    zones: tuple[ZoneTable, ...] = ()
    periods: tuple[PeriodTable, ...] = ()
    quotas: tuple[QuotaTable, ...] = ()
    allowances: tuple[AllowanceTable, ...] = ()
    offers: tuple[OfferTable, ...] = ()


class CatalogueSource(_Table, frozen=True, kw_only=True):
    """All files together, each list in the order of its ids, so that the files' names do not matter."""

    catalogue: CatalogueTable
    zones: tuple[ZoneTable, ...]
    periods: tuple[PeriodTable, ...]
    quotas: tuple[QuotaTable, ...]
    allowances: tuple[AllowanceTable, ...]
    offers: tuple[OfferTable, ...]
