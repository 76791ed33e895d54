"""Three hundred uses of the delivered price list, computed by hand: each costs what the list says, to the micro-unit."""

import pytest

from ocs.rating import Catalogue, explain
from ocs.units import format_micro, parse_micro
from tests.support.price_list_paths import path_of
from tests.support.rating_cases import Case, cases, charge

CASES = cases()


def test_there_are_three_hundred_cases_of_every_offer(shipped: Catalogue) -> None:
    assert len(CASES) >= 300
    used = {offer for case in CASES for offer in case.get("offers")}
    assert used == {offer.offer_id for offer in shipped.offers}


def test_paths_of_all_cases_are_those_that_the_files_lead_to_without_our_rating() -> None:
    charged = [case for case in CASES if not case.get("refused")]
    assert {case.name: path_of(case.fields) for case in charged} == {
        case.name: case.get("path") for case in charged
    }


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_use_costs_what_the_price_list_says(shipped: Catalogue, case: Case) -> None:
    result = charge(shipped, case)
    if case.get("refused"):
        assert (result.refusal, result.events) == (case.get("refused"), ())
        return
    assert result.refusal == ""
    assert format_micro(result.cost_micro) == format_micro(parse_micro(case.get("cost")))
    assert result.paid_micro() == result.cost_micro
    assert result.drawn() == case.get("drawn", {})
    assert result.paths == [case.get("path")]
    if "billed" in case.fields:
        assert result.billed == case.get("billed")
    (event,) = result.events
    steps = explain(event, shipped.rate_at_path(event.tariff_path))
    assert any(step == f"charged: {format_micro(result.cost_micro)} {event.currency}" for step in steps)
    for words in case.get("trace", ()):
        assert any(words in step for step in steps), steps
