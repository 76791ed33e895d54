"""What the simulated operator sells: the test operator's prices, and some that change, count, and share a pool."""

from functools import cache

from ocs.rating import Catalogue
from tests.support.catalogue import HEADER, OFFERS, catalogue_from
from tests.support.prices import POOL_ID

# Every other quarter of an hour, so that grants of ten minutes mostly cross a switch.
_QUARTERS = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 30)]
_PERIODS = "".join(
    f"""
[[periods]]
id = "from-{start[:2]}{start[3:]}"
from = "{start}"
to = "{start[:3]}{int(start[3:]) + 15}"
"""
    for start in _QUARTERS
)

_QUOTAS = f"""
[[quotas]]
id = "crossing"
unit = "octets"
default = 1000
minimum = 10
maximum = 10000
validity_time = 600
tariff_switch = "tariff_time_change"

[[quotas]]
id = "pooled"
unit = "octets"
default = 1000
minimum = 10
maximum = 10000
validity_time = 600
pool = {POOL_ID}

[[counters]]
id = "octets-today"
unit = "octets"
period = "day"

[[counters]]
id = "spent-today"
unit = "money"
period = "day"
"""

_PRICES = f"""
[[offers]]
id = "stories"

[[offers.prices]]
id = "by-turns"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [91]
periods = {[f"from-{start[:2]}{start[3:]}" for start in _QUARTERS]}
quota = "crossing"

[[offers.prices]]
id = "else"
service = "data"
unit = "octets"
amount = "0.0005"
per = 10
rounding = "10/10"
rating_groups = [91]
quota = "crossing"

[[offers.prices]]
id = "tiered"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [92]
counter = "octets-today"
[[offers.prices.tiers]]
above = 3000
amount = "0.00004"

[[offers.prices]]
id = "capped"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [93]
[[offers.prices.caps]]
counter = "spent-today"
limit = "0.15"
then = "free"

[[offers.prices]]
id = "pool-a"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [94]
quota = "pooled"

[[offers.prices]]
id = "pool-b"
service = "data"
unit = "octets"
amount = "0.0003"
per = 10
rounding = "10/10"
rating_groups = [95]
quota = "pooled"
"""


_PLANS = """
[[allowances]]
id = "together"
unit = "octets"
services = ["data"]
rating_groups = [10, 11]
priority = 5

[[offers]]
id = "daily"
[[offers.charges]]
id = "day"
kind = "recurring"
period = "day"
amount = "0.05"
[[offers.allowances]]
allowance = "pack"
amount = 400
renewed = true

[[offers]]
id = "daily-big"
[[offers.charges]]
id = "set-up"
kind = "setup"
amount = "0.02"
[[offers.charges]]
id = "day-big"
kind = "recurring"
period = "day"
amount = "0.08"
[[offers.charges]]
id = "extra"
kind = "one_off"
amount = "0.03"
[[offers.allowances]]
allowance = "pack"
amount = 900
renewed = true

[[offers]]
id = "family"
[[offers.charges]]
id = "week"
kind = "recurring"
period = "week"
amount = "0.07"
proration = true
[[offers.allowances]]
allowance = "together"
amount = 700
renewed = true
sharing = "once"

[[bonuses]]
id = "short"
at_least = "0.1"
money = "0.05"
valid_days = 1

[[bonuses]]
id = "extra"
at_least = "0.2"
allowance = "pack"
amount = 300
valid_days = 1
"""


@cache
def story_catalogue() -> Catalogue:
    """The catalogue above."""
    return catalogue_from(HEADER + OFFERS + _PERIODS + _QUOTAS + _PRICES + _PLANS)
