from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.messages import NO_CONTEXT, Service, UsageContext
from ocs.rating import (
    AllowanceGrant,
    Catalogue,
    CatalogueError,
    ChargeKind,
    CountingPeriod,
    OfferCharge,
)
from ocs.rating.compiler import compile_tariff
from ocs.rating.errors import ExpectationError
from ocs.rating.schema import (
    CatalogueSource,
    CatalogueTable,
    OfferTable,
    PeriodTable,
    PriceTable,
    QuotaTable,
    ZoneTable,
)
from ocs.units import UnitType

Loader = Callable[..., Catalogue]

SHARED = """
[[zones]]
id = "national"
prefixes = ["49"]

[[zones]]
id = "mobile"
prefixes = ["4917"]

[[periods]]
id = "evening"
from = "20:00"
to = "08:00"

[[periods]]
id = "morning"
from = "07:00"
to = "12:00"

[[periods]]
id = "noon"
from = "12:00"
to = "13:00"

[[allowances]]
id = "data"
unit = "octets"
services = ["data"]
"""
PRICE = """
[[offers.prices]]
id = "{id}"
service = "voice"
unit = "seconds"
amount = "0.09"
"""
OFFER = '[[offers]]\nid = "base"\n'


def prices(*extras: str) -> str:
    parts = [PRICE.format(id=f"p{number}") + extra + "\n" for number, extra in enumerate(extras)]
    return SHARED + OFFER + "".join(parts)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            prices('amount_per_minute = "1"'),
            "offers[base].prices[p0].amount_per_minute: unknown key, expected one of ",
        ),
        (
            prices().replace('id = "base"', 'id = "Base"') + PRICE.format(id="p"),
            "offers[Base].id: expected lower-case",
        ),
        (prices(""), ""),
        (
            prices('per = "1 MiB"'),
            "offers[base].prices[p0].per: expected a whole number of seconds or a number with s",
        ),
        (prices('rounding = "60"'), "offers[base].prices[p0].rounding: expected two blocks such as '60/1'"),
        (
            prices('zones = ["mars"]'),
            "offers[base].prices[p0].zones: expected an existing zone (mobile, national), got 'mars'",
        ),
        (
            prices('periods = ["dawn"]'),
            "offers[base].prices[p0].periods: expected an existing period (evening, morning, noon), got 'dawn'",
        ),
        (
            prices('quota = "big"'),
            "offers[base].prices[p0].quota: expected an existing quota for seconds (seconds), got 'big'",
        ),
        (
            prices('connection_fee = "-1"'),
            "offers[base].prices[p0].connection_fee: expected an amount of money",
        ),
        (
            prices("credit_control = false"),
            "offers[base].prices[p0].credit_control: expected false only where",
        ),
        (
            prices("allowance_only = true"),
            "offers[base].prices[p0].allowance_only: expected neither amount nor",
        ),
        (
            prices('final_unit = { action = "redirect" }'),
            "offers[base].prices[p0].final_unit.redirect_address_type: expected ipv4, ipv6, url or sip_uri",
        ),
        (
            prices("", ""),
            "offers[base].prices[p1]: expected no use to which p0 applies too: tell them apart by",
        ),
        (
            prices("").replace('"p0"', '"same"') + PRICE.format(id="same"),
            "offers[base].prices[same].id: expected an id that no other entry has",
        ),
        (SHARED + OFFER, "offers[base]: expected at least one price, allowance or discount"),
        (
            SHARED + OFFER + '[[offers.allowances]]\nallowance = "minutes"\namount = 1\n',
            "offers[base].allowances: expected an existing allowance (data), got 'minutes'",
        ),
        (
            SHARED + OFFER + '[[offers.allowances]]\nallowance = "data"\namount = "60 s"\n',
            "offers[base].allowances[data].amount: expected a whole number of octets",
        ),
        (
            SHARED + OFFER + 'opening_balance = "five"\n' + PRICE.format(id="p"),
            "offers[base].opening_balance: expected an amount of money",
        ),
        (
            prices("") + '[[zones]]\nid = "the-same"\nprefixes = ["4917"]\n',
            "zones[the-same].prefixes: expected each of the prefixes in one zone, but '4917' is in mobile too",
        ),
        (
            prices("") + '[[zones]]\nid = "mobile"\nprefixes = ["1"]\n',
            "zones[mobile].id: expected an id that no other",
        ),
        (
            prices("") + '[[periods]]\nid = "p"\nfrom = "8"\n',
            "periods[p].from: expected a local time 'HH:MM'",
        ),
        (
            prices("") + '[[allowances]]\nid = "a"\nunit = "octets"\nservices = ["data"]\nzones = ["mars"]\n',
            "allowances[a].zones: expected an existing zone (mobile, national), got 'mars'",
        ),
        (
            prices("") + '[[allowances]]\nid = "a"\nunit = "octets"\nservices = []\n',
            "allowances[a].services: expected at least one of data, voice, sms and mms",
        ),
    ],
)
def test_each_mistake_is_one_line_naming_file_key_and_expectation(load: Loader, text: str, line: str) -> None:
    if not line:
        assert load(text).rate(("base",), Service.VOICE, None, (), NO_CONTEXT, 0) is not None
        return
    with pytest.raises(CatalogueError) as caught:
        load(text)
    assert str(caught.value).startswith(f"lab.toml: {line}"), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"EUR"', '"EURO"', "catalogue.currency: expected an ISO 4217 code such as EUR, got 'EURO'"),
        ('"Europe/Berlin"', '"Berlin"', "catalogue.time_zone: expected an IANA time zone"),
        ('"Europe/Berlin"', '"../etc"', "catalogue.time_zone: expected an IANA time zone"),
        ('"Europe/Berlin"', '""', "catalogue.time_zone: expected an IANA time zone"),
        ('"00"', '"+"', "catalogue.international_prefix: expected digits, got '+'"),
        (
            'country_code = "49"',
            'country_code = ""',
            "catalogue.country_code: expected digits where national_prefix",
        ),
        (
            'maximum = "1 h"',
            'maximum = "59 s"',
            "quotas[seconds].default: expected minimum <= default <= maximum",
        ),
        ('id = "seconds"', 'id = "s"', ""),
        (
            'unit = "seconds"\nstandard = true',
            'unit = "seconds"',
            "offers[base].prices[p0].quota: expected the id of",
        ),
    ],
)
def test_mistakes_in_what_offers_share_are_told_alike(
    load: Loader, header: str, old: str, new: str, line: str
) -> None:
    changed = header.replace(old, new)
    assert changed != header
    if not line:
        assert load(prices(""), header=changed).offers
        return
    with pytest.raises(CatalogueError) as caught:
        load(prices(""), header=changed)
    assert str(caught.value).startswith(f"lab.toml: {line}"), str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "compete"),
    [
        ("", 'zones = ["mobile"]', False),
        ('zones = ["national"]', 'zones = ["mobile"]', False),
        ('zones = ["national", "mobile"]', 'zones = ["mobile"]', True),
        ("rating_groups = [1, 2]", "rating_groups = [3]", False),
        ("rating_groups = [1, 2]", "rating_groups = [2, 3]", True),
        ("service_identifiers = [1]", "service_identifiers = [2]", False),
        ("service_identifiers = [1]", "service_identifiers = [1]", True),
        ('rating_groups = [1]\nzones = ["mobile"]', 'rating_groups = [2]\nzones = ["mobile"]', False),
        ('periods = ["evening"]', 'periods = ["noon"]', False),
        ('periods = ["morning"]', 'periods = ["noon"]', False),
        ('periods = ["evening"]', 'periods = ["morning"]', True),
        ('periods = ["noon"]', 'periods = ["evening", "noon"]', True),
    ],
)
def test_two_prices_of_equal_rank_may_not_apply_to_one_use(
    load: Loader, one: str, other: str, compete: bool
) -> None:
    if not compete:
        assert load(prices(one, other)).offers
        return
    with pytest.raises(CatalogueError, match="expected no use to which p0 applies too"):
        load(prices(one, other))


OFFERS = """
[[taxes]]
id = "vat"
rate = "19"
included = false

[[discounts]]
id = "second"
percent = "10"

[[discounts]]
id = "first"
percent = "20"
priority = 1

[[offers]]
id = "monthly"
currency = "USD"
zero_balance_grace = "0.25"
discounts = ["second"]

[[offers.allowances]]
allowance = "data"
amount = "1 GB"
renewed = true
rollover_periods = 2
sharing = "once"
priority = 3

[[offers.allowances]]
allowance = "data"
amount = "2 GB"
valid_days = 7

[[offers.charges]]
id = "setup"
kind = "setup"
amount = "4.99"

[[offers.charges]]
id = "fee"
name = "monthly fee"
kind = "recurring"
period = "month"
amount = "9.999999"
proration = true
grace_days = 5
tax_class = "vat"
"""


def test_offer_tells_what_it_costs_and_brings(load: Loader) -> None:
    catalogue = load(SHARED + OFFERS)
    offer = catalogue.offer("monthly")
    assert offer is not None
    assert (offer.currency, offer.grace_micro, offer.discounts) == ("USD", 250_000, ("second",))
    assert offer.charges == (
        OfferCharge("setup", "setup", ChargeKind.SETUP, 4_990_000, None, False, 0, "standard"),
        # 9.999999 x 1.19, rounded up to a micro-unit.
        OfferCharge(
            "fee", "monthly fee", ChargeKind.RECURRING, 11_899_999, CountingPeriod.MONTH, True, 5, "vat"
        ),
    )
    assert offer.allowances == (
        AllowanceGrant("data", "data", UnitType.TOTAL_OCTETS, 10**9, 0, 3, True, 2, True),
        AllowanceGrant("data", "data", UnitType.TOTAL_OCTETS, 2 * 10**9, 7, 100),
    )
    zone = ZoneInfo("Europe/Berlin")
    begun = int(datetime(2026, 1, 31, 12, tzinfo=zone).timestamp() * 1000)
    due = catalogue.next_due_ms(offer.charges[1], begun, begun)
    assert due is not None
    assert due == int(datetime(2026, 2, 28, tzinfo=zone).timestamp() * 1000)
    assert catalogue.prorated_micro(offer.charges[1], begun, due) == 11_899_999


def test_counting_periods_run_on_the_operators_clock(load: Loader, header: str) -> None:
    catalogue = load(
        prices(""), header=header.replace('country_code = "49"', 'country_code = "49"\nbilling_day = 5')
    )
    zone = ZoneInfo("Europe/Berlin")
    at, start, end = (
        int(datetime(2026, month, day, hour, tzinfo=zone).timestamp() * 1000)
        for month, day, hour in ((11, 22, 12), (11, 5, 0), (12, 5, 0))
    )
    assert catalogue.period_start_ms(CountingPeriod.BILLING, at) == start
    assert catalogue.period_end_ms(CountingPeriod.BILLING, at) == end
    assert catalogue.period_start_ms(CountingPeriod.BILLING, end) == end
    assert catalogue.period_start_ms(CountingPeriod.BILLING, end - 1) == start


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            'kind = "setup"',
            'kind = "recurring"',
            "offers[monthly].charges[setup].period: expected where kind",
        ),
        (
            'period = "month"',
            "",
            "offers[monthly].charges[fee].period: expected where kind = 'recurring', and only there",
        ),
        (
            'kind = "setup"',
            'kind = "setup"\nproration = true',
            "offers[monthly].charges[setup].proration: expected only where kind = 'recurring'",
        ),
        ('id = "setup"', 'id = "fee"', "offers[monthly].charges[fee].id: expected an id that no other"),
        ('amount = "4.99"', 'amount = "x"', "offers[monthly].charges[setup].amount: expected an amount"),
        (
            "renewed = true",
            "",
            "offers[monthly].allowances[data].rollover_periods: expected only where renewed",
        ),
        (
            'discounts = ["second"]',
            'discounts = ["third"]',
            "offers[monthly].discounts: expected an existing discount (first, second), got 'third'",
        ),
        ('percent = "10"', 'percent = "110"', "discounts[second].percent: expected percent such as '19'"),
        ('currency = "USD"', 'currency = "US"', "offers[monthly].currency: expected an ISO 4217 code"),
        ('rate = "19"', 'rate = "x"', "taxes[vat].rate: expected percent such as '19'"),
        (
            "[[taxes]]",
            '[[groups]]\nid = "g"\nnumbers = ["+49"]\n\n[[taxes]]',
            "groups[g].numbers: expected digits with country code, without '+', got '+49'",
        ),
    ],
)
def test_mistakes_in_what_offers_cost_and_bring_are_told(load: Loader, old: str, new: str, line: str) -> None:
    changed = OFFERS.replace(old, new, 1)
    assert changed != OFFERS
    with pytest.raises(CatalogueError) as caught:
        load(SHARED + changed)
    assert str(caught.value).startswith(f"lab.toml: {line}"), str(caught.value)


# --- the choice of a price against a model that knows no order, no index and no memory ---------------------------

HEADER_TABLE = CatalogueTable(name="n", currency="EUR", time_zone="UTC", effective=date(2026, 11, 1))
groups = st.lists(st.integers(0, 2), max_size=2, unique=True).map(tuple)
names = st.lists(st.sampled_from(["z1", "z2"]), max_size=2, unique=True).map(tuple)
times = st.lists(st.sampled_from(["am", "pm"]), max_size=1).map(tuple)
price_tables = st.builds(
    lambda rating_groups, identifiers, zones, periods: PriceTable(
        id="p",
        service="voice",
        unit="seconds",
        rating_groups=rating_groups,
        service_identifiers=identifiers,
        zones=zones,
        periods=periods,
        amount="1",
    ),
    groups,
    groups,
    names,
    times,
)


@given(
    st.lists(price_tables, min_size=1, max_size=6),
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([(), (0,), (1,)]),
    st.sampled_from(["", "1", "2", "3"]),
    st.sampled_from([6, 18]),
)
def test_the_most_specific_price_that_fits_is_picked(
    tables: list[PriceTable],
    rating_group: int | None,
    service_identifiers: tuple[int, ...],
    called_party: str,
    hour: int,
) -> None:
    named = tuple(msgspec.structs.replace(table, id=f"p{number}") for number, table in enumerate(tables))
    source = CatalogueSource(
        catalogue=HEADER_TABLE,
        zones=(ZoneTable(id="z1", prefixes=("1",)), ZoneTable(id="z2", prefixes=("2",))),
        periods=(PeriodTable(id="am", end="12:00"), PeriodTable(id="pm", start="12:00")),
        quotas=(
            QuotaTable(
                id="q", unit="seconds", standard=True, default=1, minimum=1, maximum=1, validity_time=1
            ),
        ),
        allowances=(),
        offers=(OfferTable(id="o", prices=named),),
    )
    zone, period = {"1": "z1", "2": "z2"}.get(called_party), "am" if hour < 12 else "pm"
    fitting = [
        table
        for table in named
        if (not table.zones or zone in table.zones)
        and (not table.service_identifiers or set(table.service_identifiers) & set(service_identifiers))
        and (not table.rating_groups or rating_group in table.rating_groups)
        and (not table.periods or period in table.periods)
    ]

    def rank(table: PriceTable) -> list[bool]:
        return [bool(t) for t in (table.zones, table.service_identifiers, table.rating_groups, table.periods)]

    best = [table for table in fitting if rank(table) == max(map(rank, fitting))]
    try:
        catalogue = Catalogue(source)
    except ExpectationError:
        return
    assert len(best) <= 1, "an ambiguity that loading did not see"
    rate = catalogue.rate(
        ("o",), Service.VOICE, rating_group, service_identifiers, UsageContext(called_party), hour * 3_600
    )
    assert (rate.path.split("/")[1].split("@")[0].split(">")[0] if rate else None) == (
        best[0].id if best else None
    )
    assert list(compile_tariff(source).offers) == ["o"]
