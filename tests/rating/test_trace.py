import msgspec

from ocs.events import SCHEMA_VERSION, BucketMovement, ChargeEvent, EventKind, PriceTrace
from ocs.messages import NO_CONTEXT, Service, UsageContext
from ocs.rating import Catalogue, explain
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


def test_trace_tells_every_step_from_use_to_amount(shipped: Catalogue) -> None:
    rate = shipped.rate_at_path("prepaid-basic/voice-national>national")
    assert explain(EVENT, rate) == (
        (
            "Prepaid Basic, calls in Germany: 0.09 EUR per 1 min, rounded 60/1, "
            "to German fixed network or German mobile networks"
        ),
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
        "1259520 octets (1.2 MiB) from money at 0.01 EUR per 1 MiB: 0.012012 EUR",
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


def test_every_price_that_is_delivered_describes_itself(shipped: Catalogue) -> None:
    free = shipped.rate(("prepaid-basic",), Service.DATA, 9, (), NO_CONTEXT, 1_790_000_000)
    sensor = shipped.rate(("iot-sensor",), Service.DATA, 1, (), NO_CONTEXT, 1_790_000_000)
    premium = shipped.rate(
        ("prepaid-basic",), Service.VOICE, None, (), UsageContext("4990012345"), 1_790_000_000
    )
    assert free is not None
    assert sensor is not None
    assert premium is not None
    assert free.description == ("Prepaid Basic, self-care portal: free, rounded 1/1",)
    assert sensor.description == ("IoT Sensor, sensor data: from allowances only, rounded 1 KiB/1 KiB",)
    assert premium.description == (
        (
            "Prepaid Basic, calls to premium numbers: 1.99 EUR per 1 min, rounded 60/60, connection fee 0.50 EUR, "
            "to premium numbers"
        ),
    )
