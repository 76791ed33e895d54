"""Recorded uses rated again: the same letters every time, whatever the order of the record, and what would have been."""

import random
from pathlib import Path

import msgspec
import pytest

from ocs.messages import Service, UsageContext
from ocs.rating import Catalogue, load_catalogue
from ocs.rehearsal import Use
from ocs.rerating import RecordedUse, Rerated, record_line, record_of, rerate, summary_of
from ocs.subscribers.operations import OperationError
from tests.test_rehearsal import AT_MS, rehearsal

DAY = Path(__file__).resolve().parent / "data" / "rating" / "day.jsonl"


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load_catalogue(Path(__file__).resolve().parents[1] / "config" / "catalogue")


@pytest.fixture(scope="module")
def day() -> list[bytes]:
    """A day of 24 accounts, recorded from a worker."""
    return DAY.read_bytes().splitlines(keepends=True)


def letters(rerated: Rerated) -> bytes:
    return "\n".join(rerated.lines()).encode()


def test_recorded_day_rated_again_gives_the_same_letters(shipped: Catalogue, day: list[bytes]) -> None:
    once = letters(rerate(shipped, day, {}))
    again = load_catalogue(Path(__file__).resolve().parents[1] / "config" / "catalogue")
    assert letters(rerate(again, day, {})) == once
    assert len(once.splitlines()) == len(day) > 300


@pytest.mark.parametrize("seed", range(3))
def test_order_of_accounts_in_the_record_does_not_matter(
    shipped: Catalogue, day: list[bytes], seed: int
) -> None:
    shuffled = list(day)
    random.Random(seed).shuffle(shuffled)
    assert letters(rerate(shipped, shuffled, {})) == letters(rerate(shipped, day, {}))


def test_recorded_day_costs_under_its_own_prices_what_it_cost(shipped: Catalogue, day: list[bytes]) -> None:
    rerated = rerate(shipped, day, {})
    assert [
        (use.event_id, use.after_micro) for use in rerated.uses if use.after_micro != use.before_micro
    ] == []


def test_use_that_is_recorded_twice_counts_once(shipped: Catalogue, day: list[bytes]) -> None:
    assert letters(rerate(shipped, day + day[:50], {})) == letters(rerate(shipped, day, {}))


def test_other_offer_tells_what_it_would_have_cost(shipped: Catalogue) -> None:
    call = RecordedUse(
        event_id="e", account="a", subscriber="a", offers=("prepaid-basic",), sequence=1, session="s",
        service=Service.VOICE, units=120, at_ms=1_793_790_000_000, amount_micro=180_000, currency="EUR",
        context=UsageContext("4930123"),
    )  # fmt: skip
    (same,) = rerate(shipped, [record_line(call)], {}).uses
    assert (same.before_micro, same.after_micro) == (180_000, 180_000)
    (other,) = rerate(shipped, [record_line(call)], {"prepaid-basic": "metered"}).uses
    assert (other.after_micro, other.tariff_path) == (200_000, "metered/voice>national")
    (refused,) = rerate(shipped, [record_line(call)], {"prepaid-basic": "iot-sensor"}).uses
    assert (refused.after_micro, refused.refusal) == (0, "rating_failed")


def test_summary_tells_services_and_all_of_it(shipped: Catalogue, day: list[bytes]) -> None:
    head, *lines = summary_of(rerate(shipped, day, {"prepaid-basic": "metered"}))
    assert head.endswith(f"{len(day)} uses")
    assert [line.split()[0] for line in lines][:3] == ["data", "mms", "sms"] or lines[0].startswith("data")
    assert lines[-1].startswith("all") or "could not be priced" in lines[-1]


def test_charge_is_recorded_with_all_that_is_needed_to_make_it_again() -> None:
    made = rehearsal()
    context = UsageContext("4930123", serving_network="26201")
    (event,) = made.use(Use(service=Service.VOICE, units=61, at_ms=AT_MS, context=context))
    use = record_of(event, ("basic",), None)
    assert use is not None
    assert (use.units, use.context, use.offers, use.amount_micro) == (
        61,
        context,
        ("basic",),
        -event.amount_micro,
    )
    assert msgspec.json.decode(record_line(use), type=RecordedUse) == use


def test_what_is_no_charge_for_a_use_is_not_recorded() -> None:
    made = rehearsal()
    (event,) = made.use(Use(service=Service.VOICE, units=61, at_ms=AT_MS, context=UsageContext("4930123")))
    assert record_of(msgspec.structs.replace(event, trace=None), (), None) is None
    assert record_of(msgspec.structs.replace(event, service="money"), (), None) is None


def test_line_that_is_no_recorded_use_is_named(shipped: Catalogue) -> None:
    with pytest.raises(OperationError, match="line 2 is no recorded use"):
        rerate(shipped, [b"\n", b"{}\n"], {})
