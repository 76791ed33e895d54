"""Offers with charges, for tests that move the clock by months."""

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from ocs.rating import Catalogue
from tests.support.catalogue import HEADER, OFFERS, catalogue_from

CHARGED = """
[[offers]]
id = "monthly"
[[offers.charges]]
id = "setup"
kind = "setup"
amount = "5"
[[offers.charges]]
id = "month"
kind = "recurring"
period = "month"
amount = "10"
[[offers.charges]]
id = "paper"
kind = "one_off"
amount = "1.50"
[[offers.allowances]]
allowance = "pack"
amount = 1000
renewed = true
rollover_periods = 1
[[offers.allowances]]
allowance = "texts"
amount = 5
valid_days = 3

[[offers]]
id = "graceful"
[[offers.charges]]
id = "day"
kind = "recurring"
period = "day"
amount = "1"
grace_days = 2
[[offers.prices]]
id = "sms"
service = "sms"
unit = "events"
amount = "0.01"

[[offers]]
id = "billed"
[[offers.charges]]
id = "month"
kind = "recurring"
period = "billing"
amount = "31"
proration = true
[[offers.allowances]]
allowance = "pack"
amount = 3100
renewed = true

[[offers]]
id = "booster"
[[offers.charges]]
id = "booster"
kind = "setup"
amount = "2"
[[offers.allowances]]
allowance = "pack"
amount = 500
valid_days = 7

[[offers]]
id = "family"
[[offers.charges]]
id = "month"
kind = "recurring"
period = "billing"
amount = "1"
[[offers.allowances]]
allowance = "pack"
amount = 700
renewed = true
sharing = "once"

[[offers]]
id = "graced"
[[offers.charges]]
id = "month"
kind = "recurring"
period = "billing"
amount = "31"
proration = true
grace_days = 10
[[offers.prices]]
id = "sms"
service = "sms"
unit = "events"
amount = "0.01"

[[offers]]
id = "shared"
[[offers.charges]]
id = "month"
kind = "recurring"
period = "billing"
amount = "3.10"
proration = true
[[offers.allowances]]
allowance = "pack"
amount = 310
renewed = true
sharing = "once"

[[bonuses]]
id = "ten-percent"
at_least = "20"
percent = "10"
valid_days = 30

[[bonuses]]
id = "texts"
at_least = "50"
allowance = "texts"
amount = 20
"""


@cache
def charged_catalogue() -> Catalogue:
    """The test operator's catalogue, with offers that cost something."""
    return catalogue_from(HEADER + OFFERS + CHARGED)


def at(text: str) -> int:
    """Epoch milliseconds of a time in Berlin, such as ``2027-01-31 12:00``."""
    moment = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    return int(moment.timestamp()) * 1000
