"""What is odd about a usable catalogue is told, and what is not odd is not."""

from pathlib import Path

import pytest

from ocs.rating.catalogue_check import check_catalogue
from ocs.rating.catalogue_warnings import warnings_of

HEADER = """\
[catalogue]
name = "test"
currency = "EUR"
time_zone = "Europe/Berlin"
effective = 2026-11-01

[[quotas]]
id = "octets"
unit = "octets"
standard = true
default = 1000
minimum = 10
maximum = 10000
validity_time = 600

[[quotas]]
id = "events"
unit = "events"
standard = true
default = 1
minimum = 1
maximum = 10
validity_time = 60
"""
DATA = """\
[[offers]]
id = "basic"
[[offers.prices]]
id = "data"
service = "data"
unit = "octets"
amount = "0.01"
"""
HALVES = """\
[[periods]]
id = "day"
from = "06:00"
to = "18:00"
[[periods]]
id = "night"
from = "18:00"
to = "06:00"
"""


def price(price_id: str, **conditions: str) -> str:
    lines = [f"[[offers.prices]]\nid = {price_id!r}\nservice = 'data'\nunit = 'octets'\namount = '0.02'"]
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in conditions.items())]) + "\n"


def told(text: str) -> list[str]:
    check = check_catalogue({"f": HEADER + text})
    assert check.errors == ()
    assert check.catalogue is not None
    assert check.source is not None
    found = warnings_of(check.catalogue, check.source, check.places)
    assert all(finding.is_warning and finding.line for finding in found)
    return [f"{finding.key}: {finding.text}" for finding in found]


def test_ordinary_catalogue_has_no_warning() -> None:
    zones = '[[zones]]\nid = "home"\nprefixes = ["49"]\n'
    assert told(zones + DATA + price("home", zones="['home']")) == []


def test_price_that_two_halves_of_the_day_cover_is_never_got() -> None:
    (warning,) = told(
        HALVES + DATA + price("by-day", periods="['day']") + price("by-night", periods="['night']")
    )
    assert warning.startswith("offers[basic].prices[data]: no use gets this price")


def test_price_with_a_gap_in_the_day_is_got() -> None:
    gap = HALVES.replace('to = "06:00"', 'to = "05:59"')
    assert (
        told(gap + DATA + price("by-day", periods="['day']") + price("by-night", periods="['night']")) == []
    )


def test_price_that_needs_a_network_and_roaming_at_home_is_never_got() -> None:
    networks = '[[networks]]\nid = "ours"\nhome = true\nprefixes = ["26201"]\n'
    (warning,) = told(networks + DATA + price("odd", networks="['ours']", roaming="true"))
    assert warning.startswith("offers[basic].prices[odd]: no use gets this price")


def test_prices_by_every_kind_of_condition_are_got() -> None:
    tables = (
        '[[zones]]\nid = "home"\nprefixes = ["49"]\n[[zones]]\nid = "far"\nprefixes = ["1"]\n'
        '[[networks]]\nid = "ours"\nhome = true\nprefixes = ["26201"]\n[[networks]]\nid = "eu"\nprefixes = ["208"]\n'
        '[[groups]]\nid = "club"\nnumbers = ["4930"]\n'
        '[[periods]]\nid = "sale"\nfirst_date = 2026-12-01\nlast_date = 2026-12-31\n'
    )
    prices = [
        price("a", zones="['home']"), price("b", calling_zones="['far']"), price("c", networks="['eu']"),
        price("d", roaming="true"), price("e", roles="['terminating']"), price("f", media="['video']"),
        price("g", message_types="['submission']"), price("h", applications="['social']"),
        price("i", access_points="['ims']"), price("j", rat_types="['nr']"), price("k", service_identifiers="[7]"),
        price("l", rating_groups="[9]"), price("m", favourites="true"), price("n", groups="['club']"),
        price("o", periods="['sale']"), price("p", groups="['club']", roles="['terminating']", zones="['far']"),
        price("q", currency="'USD'"), price("r", favourites="true", roles="['terminating']"),
    ]  # fmt: skip
    assert told(tables + DATA + "".join(prices)) == []


def test_entries_that_nothing_refers_to_are_named() -> None:
    unused = (
        '[[zones]]\nid = "z"\nprefixes = ["49"]\n[[periods]]\nid = "p"\n'
        '[[counters]]\nid = "c"\nunit = "money"\nperiod = "day"\n'
        '[[allowances]]\nid = "a"\nunit = "octets"\nservices = ["data"]\n'
        '[[quotas]]\nid = "q"\nunit = "octets"\ndefault = 100\nminimum = 10\nmaximum = 1000\nvalidity_time = 60\n'
    )
    assert told(unused + DATA) == [
        f"{key}: nothing refers to it"
        for key in ("zones[z]", "periods[p]", "counters[c]", "allowances[a]", "quotas[q]")
    ]


def test_zone_that_others_cover_is_named() -> None:
    zones = '[[zones]]\nid = "z"\nprefixes = ["4"]\n[[zones]]\nid = "all"\nprefixes = [{}]\n'.format(
        ", ".join(f'"4{digit}"' for digit in range(10))
    )
    found = told(zones + DATA + price("a", zones="['z']") + price("b", zones="['all']"))
    assert found[0].startswith("zones[z]: no number lies in it")
    assert found[1].startswith("offers[basic].prices[a]: no use gets this price")


def test_service_that_an_offer_does_not_price_is_named() -> None:
    other = '[[offers]]\nid = "texts"\n[[offers.prices]]\nid = "sms"\nservice = "sms"\nunit = "events"\n'
    hint = "refused unless another of the subscriber's offers has one; where that is meant, write without ="
    assert told(DATA + other) == [
        f'offers[basic]: no price for sms: {hint} ["sms"]',
        f'offers[texts]: no price for data: {hint} ["data"]',
    ]


def test_service_that_an_offer_says_it_is_without_is_not_missed_unless_it_has_a_price() -> None:
    other = (
        '[[offers]]\nid = "texts"\nWITHOUT\n[[offers.prices]]\nid = "sms"\nservice = "sms"\nunit = "events"\n'
    )
    data = DATA.replace('id = "basic"\n', 'id = "basic"\nwithout = ["sms"]\n', 1)
    assert told(data + other.replace("WITHOUT", 'without = ["data"]')) == []
    assert told(data + other.replace("WITHOUT", 'without = ["data", "sms"]')) == [
        "offers[texts].without: it has a price for sms all the same"
    ]


@pytest.mark.parametrize(
    ("opening", "credit_limit", "is_told"),
    [("9.99", "0", True), ("10.00", "0", False), ("9.99", "5", False), ("0", "0", False)],
)
def test_opening_balance_that_does_not_pay_for_the_first_day_is_told(
    opening: str, credit_limit: str, is_told: bool
) -> None:
    terms = f"opening_balance = '{opening}'\ncredit_limit = '{credit_limit}'\n"
    charges = "".join(
        f"[[offers.charges]]\nid = '{kind}'\nkind = '{kind}'\namount = '{amount}'\n{period}"
        for kind, amount, period in (
            ("setup", "4.00", ""), ("recurring", "6.00", "period = 'month'\n"), ("one_off", "50.00", ""),
        )
    )  # fmt: skip
    found = told(DATA.replace('id = "basic"\n', f'id = "basic"\n{terms}', 1) + charges)
    text = (
        "offers[basic].opening_balance: 9.99 does not pay for the first day, 10.00: it rests until a top-up"
    )
    assert found == ([text] if is_told else [])


def test_delivered_catalogue_has_no_price_that_nobody_gets_and_nothing_unused() -> None:
    folder = Path(__file__).resolve().parents[2] / "config" / "catalogue"
    check = check_catalogue({path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.toml")})
    assert check.catalogue is not None
    assert check.source is not None
    found = warnings_of(check.catalogue, check.source, check.places)
    assert [finding for finding in found if "no price for" not in finding.text] == []
