import msgspec
import pytest

from ocs.events import (
    SCHEMA_VERSION,
    BucketMovement,
    ChargeEvent,
    CounterMovement,
    EventKind,
    PricePart,
    PriceTrace,
)
from ocs.rating import Catalogue, explain, load_catalogue
from ocs.units import UnitType

TRACE = PriceTrace(
    counted_before=50,
    counted_after=130,
    billed_before=60,
    billed_after=130,
    allowance_units=10,
    money_units_before=0,
    money_units_after=60,
    price_micro=90_000,
    price_units=60,
    first_units=60,
    step_units=1,
    connection_fee_micro=150_000,
)
EVENT = ChargeEvent(
    schema_version=SCHEMA_VERSION,
    event_id="s;1;0",
    kind=EventKind.DEBIT,
    account_id="a",
    sequence=1,
    subscriber_id="s",
    session_id="s",
    request_number=1,
    service="voice",
    rating_group=None,
    service_identifiers=(),
    unit_type=UnitType.TIME,
    units=80,
    billed_units=70,
    amount_micro=-240_000,
    currency="EUR",
    tax_class="standard",
    movements=(),
    balance_after_micro=0,
    catalogue_version="2026-10-01.00000000",
    tariff_path="prepaid-basic/voice-national>national",
    trace=TRACE,
    event_time_ms=0,
    time_zone="Europe/Berlin",
)


BOOK = """
[[zones]]
id = "national"
name = "Germany"
prefixes = ["49"]

[[zones]]
id = "premium"
name = "premium numbers"
prefixes = ["49900"]

[[taxes]]
id = "vat"
rate = "19"

[[offers]]
id = "prepaid-basic"
name = "Prepaid Basic"

[[offers.prices]]
id = "voice-national"
name = "calls"
service = "voice"
unit = "seconds"
zones = ["national"]
amount = "0.09"
per = "1 min"
rounding = "60/1"

[[offers.prices]]
id = "taxed"
service = "voice"
unit = "seconds"
amount = "0.09"
per = "1 min"
tax_class = "vat"

[[offers.prices]]
id = "premium"
name = "premium calls"
service = "voice"
unit = "seconds"
zones = ["premium"]
amount = "1.99"
per = "1 min"
rounding = "60/60"
connection_fee = "0.50"

[[offers.prices]]
id = "portal"
service = "data"
unit = "octets"
rating_groups = [9]

[[offers.prices]]
id = "sensor"
service = "data"
unit = "octets"
allowance_only = true
rounding = "1 KiB/1 KiB"
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory, header: str) -> Catalogue:
    folder = tmp_path_factory.mktemp("book")
    (folder / "book.toml").write_text(header + BOOK, encoding="utf-8")
    return load_catalogue(folder)


def test_trace_tells_every_step_from_use_to_amount(book: Catalogue) -> None:
    rate = book.rate_at_path("prepaid-basic/voice-national>national")
    assert explain(EVENT, rate) == (
        "Prepaid Basic, calls: 0.09 EUR per 1 min, rounded 60/1, to Germany",
        "80 s reported, 130 s in this session",
        "70 s billed: rounded 60/1 over the session, 60 s billed before",
        "10 s from allowances",
        "60 s from money at 0.09 EUR per 1 min: 0.09 EUR",
        "connection fee: 0.15 EUR",
        "charged: 0.24 EUR",
    )


def test_trace_without_the_catalogue_names_the_path() -> None:
    assert explain(EVENT)[0] == (
        "tariff prepaid-basic/voice-national>national of catalogue 2026-10-01.00000000"
    )


def test_steps_that_did_not_happen_are_not_told() -> None:
    trace = msgspec.structs.replace(TRACE, allowance_units=70, money_units_after=0, connection_fee_micro=0)
    event = msgspec.structs.replace(EVENT, trace=trace, amount_micro=0)
    assert explain(event)[1:] == (
        "80 s reported, 130 s in this session",
        "70 s billed: rounded 60/1 over the session, 60 s billed before",
        "70 s from allowances",
        "charged: 0.00 EUR",
    )


def test_volume_is_told_in_the_multiples_of_its_price() -> None:
    trace = msgspec.structs.replace(
        TRACE,
        counted_before=0, counted_after=1_258_291, billed_before=0, billed_after=1_259_520, allowance_units=0,
        money_units_before=0, money_units_after=1_259_520, price_micro=10_000, price_units=2**20,
        first_units=10_240, step_units=10_240, connection_fee_micro=0,
    )  # fmt: skip
    event = msgspec.structs.replace(
        EVENT, unit_type=UnitType.TOTAL_OCTETS, trace=trace, amount_micro=-12_012, service="data"
    )
    assert explain(event)[1:] == (
        "1258291 octets (1.2 MiB) reported, 1258291 octets (1.2 MiB) in this session",
        "1259520 octets (1.2 MiB) billed: rounded 10 KiB/10 KiB over the session, 0 B billed before",
        (
            "1259520 octets (1.2 MiB) from money at 0.01 EUR per 1 MiB: 0.012012 EUR "
            "(the cumulative price is rounded up to a micro-unit)"
        ),
        "charged: 0.012012 EUR",
    )


def test_what_costs_nothing_is_called_free() -> None:
    trace = msgspec.structs.replace(TRACE, price_micro=0, connection_fee_micro=0, allowance_units=0)
    event = msgspec.structs.replace(EVENT, trace=trace, amount_micro=0)
    assert "60 s free" in explain(event)
    assert not any("0.00 EUR per" in sentence for sentence in explain(event))


def test_allowances_that_paid_are_named() -> None:
    movements = (
        BucketMovement("talk.minutes", UnitType.TIME, -10, 290),
        BucketMovement("main", UnitType.MONEY, -240_000, 0),
    )
    event = msgspec.structs.replace(EVENT, movements=movements)
    assert "10 s from allowances (talk.minutes)" in explain(event)


def test_one_message_is_singular() -> None:
    trace = msgspec.structs.replace(
        TRACE,
        counted_before=0, counted_after=1, billed_before=0, billed_after=1, allowance_units=0, money_units_after=1,
        price_units=1, first_units=1, step_units=1, connection_fee_micro=0,
    )  # fmt: skip
    event = msgspec.structs.replace(EVENT, unit_type=UnitType.SERVICE_SPECIFIC_UNITS, trace=trace)
    assert explain(event)[1] == "1 message reported, 1 message in this session"
    assert "1 message from money at 0.09 EUR per 1 message: 0.09 EUR" in explain(event)


def test_refund_is_told_as_given_back() -> None:
    event = msgspec.structs.replace(EVENT, kind=EventKind.REFUND, amount_micro=90_000)
    assert explain(event)[-1] == "given back: 0.09 EUR"


def test_event_without_a_price_has_one_sentence() -> None:
    event = msgspec.structs.replace(EVENT, kind=EventKind.TOP_UP, amount_micro=10_000_000, trace=None)
    assert explain(event) == ("top up: 10.00 EUR",)


@pytest.mark.parametrize(
    ("path", "description"),
    [
        ("prepaid-basic/portal", "Prepaid Basic, portal: free, rounded 1/1"),
        ("prepaid-basic/sensor", "Prepaid Basic, sensor: from allowances only, rounded 1 KiB/1 KiB"),
        (
            "prepaid-basic/premium>premium",
            (
                "Prepaid Basic, premium calls: 1.99 EUR per 1 min, rounded 60/60, connection fee 0.50 EUR, "
                "to premium numbers"
            ),
        ),
    ],
)
def test_price_describes_itself(book: Catalogue, path: str, description: str) -> None:
    rate = book.rate_at_path(path)
    assert rate is not None
    assert rate.description == (description,)


def test_tax_in_the_amount_is_told_with_its_rounding(book: Catalogue) -> None:
    rate = book.rate_at_path("prepaid-basic/taxed")
    assert explain(EVENT, rate)[-2:] == (
        "charged: 0.24 EUR",
        "tax in it: 0.038319 EUR at 19 %, rounded half up",
    )
    nothing = msgspec.structs.replace(EVENT, amount_micro=0)
    assert explain(nothing, rate)[-1] == "charged: 0.00 EUR"


def counted(*parts: PricePart, counters: tuple[CounterMovement, ...]) -> tuple[str, ...]:
    trace = msgspec.structs.replace(TRACE, allowance_units=0, parts=parts, counters=counters)
    return explain(msgspec.structs.replace(EVENT, trace=trace))[3:-2]


def test_units_of_each_tier_are_told_with_the_count_that_led_to_it() -> None:
    assert counted(
        PricePart(50, 90_000, 60, 75_000),
        PricePart(20, 60_000, 60, 20_000, "minutes", 6_000),
        counters=(CounterMovement("minutes", 5_950, 6_020, UnitType.TIME),),
    ) == (
        "50 s from money at 0.09 EUR per 1 min: 0.075 EUR",
        "20 s from money at 0.06 EUR per 1 min (above 6000 s of minutes): 0.02 EUR",
        "counter minutes: 5950 s before, 6020 s after",
    )


def test_cap_that_is_reached_is_told_and_what_is_free_beyond_it() -> None:
    assert counted(
        PricePart(50, 90_000, 60, 70_000),
        PricePart(20, 0, 1, 0, "roaming", 5_000_000, is_capped=True),
        counters=(CounterMovement("roaming", 4_930_000, 5_000_000, UnitType.MONEY),),
    ) == (
        "50 s from money at 0.09 EUR per 1 min: 0.07 EUR, all that was left below the cap",
        "20 s free (beyond the cap of 5.00 EUR on roaming)",
        "counter roaming: 4.93 EUR before, 5.00 EUR after",
    )
