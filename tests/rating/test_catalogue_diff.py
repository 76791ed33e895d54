"""Two catalogues compared: what a product manager would say changed, and nothing else."""

from pathlib import Path

import pytest

from ocs.rating import load_catalogue
from ocs.rating.catalogue_check import check_catalogue
from ocs.rating.catalogue_diff import difference
from ocs.rating.schema import CatalogueSource

FOLDER = Path(__file__).resolve().parents[2] / "config" / "catalogue"
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.toml")))
BASIC = 'id = "voice"\nname = "calls"\nservice = "voice"\nunit = "seconds"\namount = "0.09"'


def source(text: str) -> CatalogueSource:
    check = check_catalogue({"all": text})
    assert check.errors == ()
    assert check.source is not None
    return check.source


def changed(*replacements: tuple[str, str], text: str = TEXT) -> list[str]:
    other = text
    for old, new in replacements:
        assert old in other
        other = other.replace(old, new, 1)
    return [str(change) for change in difference(source(text), source(other))]


def test_catalogue_does_not_differ_from_itself_however_it_is_divided() -> None:
    assert difference(source(TEXT), source(TEXT)) == ()
    whole = check_catalogue({path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.toml")})
    assert whole.source is not None
    assert difference(source(TEXT), whole.source) == ()
    assert load_catalogue(FOLDER).to_bytes() == whole.catalogue.to_bytes()  # type: ignore[union-attr]


def test_price_is_told_from_what_to_what_and_by_how_much() -> None:
    assert changed((BASIC, BASIC.replace("0.09", "0.12"))) == [
        "offer prepaid-basic, price voice: amount: 0.09 -> 0.12 (+33.3 %)"
    ]
    assert changed((BASIC, BASIC.replace("0.09", "0.06"))) == [
        "offer prepaid-basic, price voice: amount: 0.09 -> 0.06 (-33.3 %)"
    ]


def test_key_that_was_left_out_is_told_with_its_standard_value() -> None:
    assert changed((BASIC, BASIC + '\nconnection_fee = "0.05"\ntax_class = "reduced"')) == [
        "offer prepaid-basic, price voice: connection_fee: 0 -> 0.05",
        "offer prepaid-basic, price voice: tax_class: nothing -> reduced",
    ]


@pytest.mark.parametrize(
    ("added", "told"),
    [
        (
            '\n[[offers]]\nid = "zz"\nname = "New"\n[[offers.prices]]\nid = "a"\nservice = "sms"\nunit = "events"\n',
            ["offer zz: added (New, 1 price)"],
        ),
        ('\n[[zones]]\nid = "moon"\nprefixes = ["000"]\n', ["zone moon: added"]),
    ],
)
def test_entry_that_came_or_went_is_told_in_a_word(added: str, told: list[str]) -> None:
    one, other = source(TEXT), source(TEXT + added)
    assert [str(change) for change in difference(one, other)] == told
    assert [str(change) for change in difference(other, one)] == [
        line.replace("added", "removed") for line in told
    ]


def test_list_is_told_by_what_it_has_more_and_less() -> None:
    assert changed(('prefixes = ["4915", "4916", "4917"]', 'prefixes = ["4915", "4917", "4918"]')) == [
        "zone mobile: prefixes: without 4916 and with 4918"
    ]


def test_header_is_told_too() -> None:
    assert changed(("effective = 2026-10-01", "effective = 2027-01-01")) == [
        "catalogue: effective: 2026-10-01 -> 2027-01-01"
    ]
