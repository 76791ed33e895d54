"""What a described use would cost, in words: the price, every step, and why not where it would be refused."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ocs.described_use import DescribedUse, describe, quote
from ocs.rating import Catalogue, load_catalogue
from ocs.subscribers.operations import OperationError

EVENING = int(datetime(2026, 12, 23, 20, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load_catalogue(Path(__file__).resolve().parents[1] / "config" / "catalogue")


def use(
    service: str = "voice", units: str = "75", offers: tuple[str, ...] = ("prepaid-basic",), **more
) -> DescribedUse:
    return DescribedUse(offers=offers, service=service, units=units, at_s=EVENING, **more)


def test_call_is_told_with_its_price_and_every_step(shipped: Catalogue) -> None:
    answer = quote(shipped, use(called_party="+491711234567"))
    assert (answer.amount_micro, answer.currency, answer.refusal) == (62_500, "EUR", "")
    assert answer.paths == ("prepaid-basic/voice-national-off-peak@evening+weekend>mobile",)
    assert answer.verdict == f"costs 0.0625 EUR by {answer.paths[0]}"
    assert "75 s from money at 0.05 EUR per 1 min: 0.0625 EUR" in answer.steps
    assert [(drawn.bucket_id, drawn.amount, drawn.left) for drawn in answer.drawn] == [
        ("main", 62_500, 999_937_500)
    ]


def test_what_buckets_pay_is_told(shipped: Catalogue) -> None:
    answer = quote(shipped, use("data", "2 MiB", ("prepaid-data-5g",)))
    assert answer.amount_micro == 0
    assert [(d.bucket_id, d.unit_type, d.amount) for d in answer.drawn] == [
        ("prepaid-data-5g.data", "total_octets", 2 * 2**20)
    ]


@pytest.mark.parametrize(
    ("described", "verdict"),
    [
        (use(balance="0.01", called_party="49301"), "not charged: not one unit can be paid"),
        (use("mms", "1", ("prepaid-data-5g",)), "not charged: no price of these offers applies"),
        (use("data", "1 MiB", rating_group=8), "not charged: it costs nothing and is not metered"),
    ],
)
def test_refusal_is_told_with_its_reason(shipped: Catalogue, described: DescribedUse, verdict: str) -> None:
    assert quote(shipped, described).verdict.startswith(verdict)


def test_circumstances_decide_the_price(shipped: Catalogue) -> None:
    offers = ("prepaid-smart", "roaming")
    assert (
        quote(shipped, use(offers=offers, serving_network="310410", called_party="49301")).amount_micro
        == 2_980_000
    )
    assert quote(shipped, use(offers=offers, role="terminating", called_party="49301")).amount_micro == 0
    friend = use(offers=offers, called_party="491715", favourites=("+491715",))
    assert quote(shipped, friend).drawn[0].bucket_id == "prepaid-smart.friends-minutes"
    company = use(offers=("fleet",), called_party="493055512", groups=("fleet",))
    assert quote(shipped, company).paths == ("fleet/within",)
    visitor = use(offers=("visitor",), currency="USD", called_party="12025550100")
    assert (quote(shipped, visitor).amount_micro, quote(shipped, visitor).currency) == (350_000, "USD")


def test_use_is_described_in_a_line(shipped: Catalogue) -> None:
    described = use(
        called_party="+491711234567", serving_network="20801", role="originating", media=("audio",)
    )
    assert describe(shipped, described) == (
        "voice 75 s, to +491711234567 (zone mobile), in network 20801, originating, with audio,"
        " at 2026-12-23 20:00:00 CET; offers prepaid-basic"
    )
    assert "(in no zone)" in describe(shipped, use(called_party="alice"))


def test_units_that_cannot_be_read_are_named(shipped: Catalogue) -> None:
    with pytest.raises(OperationError, match="--units: expected a whole number of seconds"):
        quote(shipped, use(units="three"))
