import msgspec

from ocs.events import SCHEMA_VERSION, ChargeEvent, EventKind, PriceTrace
from ocs.messages import Service
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
        "80 seconds reported, 130 in this session",
        "70 seconds billed: rounded 60/1 over the session, 60 billed before",
        "10 seconds from allowances",
        "60 seconds from money at 0.09 EUR per 60: 0.09 EUR",
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
        "80 seconds reported, 130 in this session",
        "70 seconds billed: rounded 60/1 over the session, 60 billed before",
        "70 seconds from allowances",
        "charged: 0.00 EUR",
    )


def test_refund_is_told_as_given_back() -> None:
    event = msgspec.structs.replace(EVENT, kind=EventKind.REFUND, amount_micro=90_000)
    assert explain(event)[-1] == "given back: 0.09 EUR"


def test_event_without_a_price_has_one_sentence() -> None:
    event = msgspec.structs.replace(EVENT, kind=EventKind.TOP_UP, amount_micro=10_000_000, trace=None)
    assert explain(event) == ("top up: 10.00 EUR",)


def test_every_price_that_is_delivered_describes_itself(shipped: Catalogue) -> None:
    free = shipped.rate(("prepaid-basic",), Service.DATA, 9, (), "", 1_790_000_000)
    sensor = shipped.rate(("iot-sensor",), Service.DATA, 1, (), "", 1_790_000_000)
    premium = shipped.rate(("prepaid-basic",), Service.VOICE, None, (), "4990012345", 1_790_000_000)
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
