"""The catalogue as it is written: the tables and keys of ``config/catalogue/*.toml``.

Only shapes stand here. What the texts mean (amounts, sizes, references) is checked in :mod:`ocs.rating.compiler`.
A quantity is a whole number or a text with a suffix, such as ``"10 MiB"`` or ``"60 s"``.
"""

from datetime import date
from typing import Annotated, Literal

import msgspec

from ocs import limits

Unsigned32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
PoolNumber = Annotated[int, msgspec.Meta(ge=0, le=limits.POOL_NUMBER_MAX)]
Days = Annotated[int, msgspec.Meta(ge=0, le=36_500)]

Unit = Literal["octets", "input_octets", "output_octets", "seconds", "events"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday", "weekdays", "weekend", "daily"]
ServiceName = Literal["data", "voice", "sms", "mms"]
RoleName = Literal["originating", "terminating", "forwarding"]
PeriodName = Literal["day", "week", "month", "billing"]
# TS 32.299 section 7.2.235, the values that a gateway can be asked for.
TriggerName = Literal[
    "sgsn", "qos", "location", "rat", "time_zone", "location_mcc", "location_mnc", "location_rac", "location_lac",
    "location_cell", "location_tac", "location_ecgi", "media", "participants", "service_condition", "serving_node",
]  # fmt: skip


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: a key that is not named here is an error."""


class CatalogueTable(_Table, frozen=True, kw_only=True):
    """``[catalogue]``: what holds for all offers; exactly one file has it.

    Attributes:
        effective: the date from which this catalogue is meant to be used; the first part of its version.
        billing_day: day of the month on which the counters' period ``billing`` begins.
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
    billing_day: Annotated[int, msgspec.Meta(ge=1, le=28)] = 1
    country_code: str = ""
    international_prefix: str = ""
    national_prefix: str = ""
    holidays: tuple[date, ...] = ()


class ZoneTable(_Table, frozen=True, kw_only=True):
    """``[[zones]]``: a group of destinations.

    Attributes:
        prefixes: digits with country code; of all prefixes that a number begins with, the longest decides.
        numbers: whole numbers as dialled (short codes, emergency); they win over every prefix.
        emergency: calls to it are open to barred subscribers too, and its prices come before all others.
    """

    id: str
    name: str = ""
    prefixes: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    emergency: bool = False


class NetworkTable(_Table, frozen=True, kw_only=True):
    """``[[networks]]``: a group of serving networks.

    Attributes:
        prefixes: of MCC and MNC digits; of all that a network begins with, the longest decides.
        home: the operator's own; any other is roaming.
    """

    id: str
    name: str = ""
    prefixes: tuple[str, ...]
    home: bool = False


class GroupTable(_Table, frozen=True, kw_only=True):
    """``[[groups]]``: a closed user group; who belongs to it is written with each subscriber.

    Attributes:
        numbers: of its members, with country code.
        prefixes: number ranges that belong to it, such as a company's.
    """

    id: str
    name: str = ""
    numbers: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


class PeriodTable(_Table, frozen=True, kw_only=True):
    """``[[periods]]``: a part of the week on the operator's clock.

    Attributes:
        days: on which days it begins; past midnight it reaches into the next day.
        start: local time ``HH:MM`` from which it is in effect (key ``from``).
        end: local time ``HH:MM`` at which it ends (key ``to``), up to ``24:00``.
        first_date: local date before which it does not begin. last_date: the last on which it does.
    """

    id: str
    name: str = ""
    days: tuple[Day, ...] = ("daily",)
    start: str = msgspec.field(name="from", default="00:00")
    end: str = msgspec.field(name="to", default="24:00")
    first_date: date | None = None
    last_date: date | None = None


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
        holding_time: Quota-Holding-Time: idle time after which the gateway gives a grant back; 0 is never.
        consumption_time: Quota-Consumption-Time: idle time that still uses a time quota.
        triggers: changes at which the gateway reports at once.
        pool: number of the credit pool that its grants share, 65,535 at most; one that an allowance pays for, whose
            price has tiers or caps or whose subscriber has a limit of its own shares none.
        tariff_switch: whether a grant ends where another tariff begins, or crosses it and is reported in two parts.
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
    holding_time: int | str | None = None
    consumption_time: int | str | None = None
    triggers: tuple[TriggerName, ...] = ()
    pool: PoolNumber | None = None
    tariff_switch: Literal["validity", "tariff_time_change"] = "validity"


class CounterTable(_Table, frozen=True, kw_only=True):
    """``[[counters]]``: what a subscriber used or spent in a period, for tiers and caps.

    Attributes:
        unit: ``money`` counts what was charged; else billed units that no allowance paid.
    """

    id: str
    name: str = ""
    unit: Unit | Literal["money"]
    period: PeriodName


class TaxTable(_Table, frozen=True, kw_only=True):
    """``[[taxes]]``: the tax of a tax class, which is its id.

    Attributes:
        rate: percent, as text: ``"19"``, ``"7.7"``.
        included: amounts of the catalogue hold it already; else it is added to them.
    """

    id: str
    name: str = ""
    rate: str
    included: bool = True


class ExchangeRateTable(_Table, frozen=True, kw_only=True):
    """``[[exchange_rates]]``: prices of one currency for accounts of another, at a fixed rate.

    Attributes:
        rate: how much of ``target`` (key ``to``) one main unit of ``source`` (key ``from``) is, as text.
    """

    id: str
    source: str = msgspec.field(name="from")
    target: str = msgspec.field(name="to")
    rate: str


class FinalUnitTable(_Table, frozen=True, kw_only=True):
    """``final_unit``: what the gateway does after the last grant (RFC 8506 section 8.34).

    Attributes:
        qos: told as QoS-Final-Unit-Indication (section 8.68) to gateways that know it.
    """

    action: Literal["terminate", "redirect", "restrict"]
    redirect_address_type: Literal["ipv4", "ipv6", "url", "sip_uri"] | None = None
    redirect_address: str = ""
    filter_rules: tuple[str, ...] = ()
    filter_ids: tuple[str, ...] = ()
    qos: bool = False


class ConditionsTable(_Table, frozen=True, kw_only=True):
    """What prices, allowances and discounts may ask of a use; what is left out is no restriction.

    Of a list one entry must hold, and all keys that are given must.

    Attributes:
        rating_groups: of the Multiple-Services-Credit-Control; service_identifiers likewise.
        zones: of the called number. calling_zones: of the calling one.
        networks: groups of serving networks; an unknown network is the home one, where there is one group of these.
        roaming: true abroad, false in the home network or where it is unknown.
        access_points: APN network identifiers, lower case. rat_types: radio access technologies, such as ``nr``.
        roles: on whose behalf the network charges a call or message.
        media: what a session carries; one with picture and sound is ``video``.
        message_types: of SMS and MMS, such as ``submission``. applications: as traffic was recognised.
        favourites: the other party is one of the subscriber's friends & family numbers.
        groups: closed user groups to which the subscriber and the other party both belong.
        periods: times in which it holds.
    """

    rating_groups: tuple[Unsigned32, ...] = ()
    service_identifiers: tuple[Unsigned32, ...] = ()
    zones: tuple[str, ...] = ()
    calling_zones: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    roaming: bool | None = None
    access_points: tuple[str, ...] = ()
    rat_types: tuple[str, ...] = ()
    roles: tuple[RoleName, ...] = ()
    media: tuple[str, ...] = ()
    message_types: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    favourites: bool = False
    groups: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()


class AllowanceTable(ConditionsTable, frozen=True, kw_only=True):
    """``[[allowances]]``: what buckets of this id may pay for.

    Attributes:
        priority: of the buckets made from it; lower is drawn first.
    """

    id: str
    name: str = ""
    unit: Unit
    services: tuple[ServiceName, ...]
    priority: int = 100


class DiscountTable(ConditionsTable, frozen=True, kw_only=True):
    """``[[discounts]]``: a percentage off what offers that name it, or others of the same subscriber, charge for use.

    Attributes:
        percent: taken off, as text: ``"20"``, ``"12.5"``; ``"100"`` makes it free.
        priority: of several that hold, the lowest is taken.
        combines: it is taken besides others, off what they leave.
    """

    id: str
    name: str = ""
    percent: str
    services: tuple[ServiceName, ...] = ()
    priority: int = 100
    combines: bool = False


class BonusTable(_Table, frozen=True, kw_only=True):
    """``[[bonuses]]``: what a top-up brings besides itself.

    Attributes:
        at_least: smallest amount that brings it. at_most: the largest; none when left out.
        currency: of the amounts; the catalogue's when left out.
        offers: only for subscribers with one of these.
        money: amount. percent: of the top-up, in money. allowance: id, with ``amount`` of it.
        valid_days: how long what it brings can pay; 0 is for ever.
    """

    id: str
    name: str = ""
    at_least: str
    at_most: str = ""
    currency: str = ""
    offers: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()
    money: str = ""
    percent: str = ""
    allowance: str = ""
    amount: int | str = 0
    valid_days: Days = 0


class OfferAllowanceTable(_Table, frozen=True, kw_only=True):
    """``[[offers.allowances]]``: a bucket that a subscriber gets with the offer.

    Attributes:
        valid_days: how long the bucket can pay; 0 is for ever.
        renewed: it is granted again with each recurring charge.
        rollover_periods: for so many further periods what is left can still pay.
        sharing: of several subscribers of one account, each brings its own amount into the pool, or it is granted
            once for all.
        priority: in place of the allowance's.
    """

    allowance: str
    amount: int | str
    valid_days: Days = 0
    renewed: bool = False
    rollover_periods: Annotated[int, msgspec.Meta(ge=0, le=24)] = 0
    sharing: Literal["each_member", "once"] = "each_member"
    priority: int | None = None


class ChargeTable(_Table, frozen=True, kw_only=True):
    """``[[offers.charges]]``: what an offer costs besides use.

    Attributes:
        kind: at activation, once every period, or when it is ordered by hand.
        period: of a recurring one: ``billing`` and ``week`` begin on the operator's days, ``month`` on the day of the
            month on which the subscriber began, ``day`` at midnight.
        proration: a part of a period is charged by its days.
        grace_days: for how long it may stay unpaid before the offer rests.
    """

    id: str
    name: str = ""
    kind: Literal["setup", "recurring", "one_off"]
    amount: str
    period: PeriodName | None = None
    proration: bool = False
    grace_days: Annotated[int, msgspec.Meta(ge=0, le=366)] = 0
    tax_class: str = ""


class TierTable(_Table, frozen=True, kw_only=True):
    """``[[offers.prices.tiers]]``: another price from a count on.

    Attributes:
        above: how much of the price's ``counter`` comes before it.
        amount: price from there on, per ``per`` of the price unless it has its own.
        denied: nothing is granted from there on.
    """

    above: int | str
    amount: str = ""
    per: int | str | None = None
    denied: bool = False


class CapTable(_Table, frozen=True, kw_only=True):
    """``[[offers.prices.caps]]``: a limit on a counter.

    Attributes:
        limit: amount of money, as text, or quantity, as the counter's unit is; tax is in it.
        then: what follows: use is free, denied, or has another price.
        amount: that price, per ``per`` of the price unless it has its own.
    """

    counter: str
    limit: int | str
    then: Literal["free", "deny", "price"]
    amount: str = ""
    per: int | str | None = None


class PriceTable(ConditionsTable, frozen=True, kw_only=True):
    """``[[offers.prices]]``: what one use costs.

    Attributes:
        amount: decimal amount of the price's currency, as text: ``"0.09"``.
        per: so many units cost ``amount``.
        rounding: first and later billing block, ``"60/1"`` or ``"10 KiB/10 KiB"``.
        connection_fee: once a session and service, with the first unit that money pays.
        currency: in place of the offer's.
        counter: id of the counter by which ``tiers`` are told.
        counters: further ones that its use moves, beside those of ``counter`` and ``caps``.
        allowance_only: no money may pay, only allowances.
        allowances: ids of those that may pay, where not all that fit may; an empty list is none.
        credit_control: false where a free service need not be metered: the gateway is told so and asks no more.
        per_recipient: a message counts once for each of its recipients.
        discounts: false where no discount is given.
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
    currency: str = ""
    counter: str = ""
    tiers: tuple[TierTable, ...] = ()
    caps: tuple[CapTable, ...] = ()
    counters: tuple[str, ...] = ()
    allowance_only: bool = False
    allowances: tuple[str, ...] | None = None
    credit_control: bool = True
    per_recipient: bool = True
    discounts: bool = True
    quota: str = ""
    tax_class: str = ""
    final_unit: FinalUnitTable | None = None


class OfferTable(_Table, frozen=True, kw_only=True):
    """``[[offers]]``: what a subscriber buys.

    Attributes:
        priority: of two offers of one subscriber the lower is asked for a price first.
        currency: of its amounts; the catalogue's when left out.
        opening_balance: money on a new account of this offer.
        credit_limit: how far money may go below zero.
        zero_balance_grace: how far it may for a last grant, where there is no credit limit.
        discounts: ids; they hold for all of the subscriber's offers.
        final_unit: of all its prices that name none; terminate when left out.
        without: services that it means to have no price for: another offer has one, or their use is refused.
    """

    id: str
    name: str = ""
    priority: int = 100
    currency: str = ""
    opening_balance: str = "0"
    credit_limit: str = "0"
    zero_balance_grace: str = "0"
    discounts: tuple[str, ...] = ()
    final_unit: FinalUnitTable | None = None
    allowances: tuple[OfferAllowanceTable, ...] = ()
    charges: tuple[ChargeTable, ...] = ()
    prices: tuple[PriceTable, ...] = ()
    without: tuple[ServiceName, ...] = ()


class _Lists(_Table, frozen=True, kw_only=True):
    """The tables that every file may have."""

    zones: tuple[ZoneTable, ...] = ()
    networks: tuple[NetworkTable, ...] = ()
    groups: tuple[GroupTable, ...] = ()
    periods: tuple[PeriodTable, ...] = ()
    quotas: tuple[QuotaTable, ...] = ()
    counters: tuple[CounterTable, ...] = ()
    taxes: tuple[TaxTable, ...] = ()
    exchange_rates: tuple[ExchangeRateTable, ...] = ()
    allowances: tuple[AllowanceTable, ...] = ()
    discounts: tuple[DiscountTable, ...] = ()
    bonuses: tuple[BonusTable, ...] = ()
    offers: tuple[OfferTable, ...] = ()


class CatalogueFile(_Lists, frozen=True, kw_only=True):
    """One file of the folder."""

    catalogue: CatalogueTable | None = None


class CatalogueSource(_Lists, frozen=True, kw_only=True):
    """All files together, each list in the order of its ids, so that the files' names do not matter.

    Lists that a version published by an earlier release does not have are empty.
    """

    catalogue: CatalogueTable
