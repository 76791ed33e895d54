"""A catalogue with everything that a decision must handle beside flat prices: switches, tiers, caps, pools, bars."""

from functools import cache

from ocs.rating import Catalogue
from tests.support.catalogue import HEADER, catalogue_from

RICH = """
[[zones]]
id = "emergency"
numbers = ["112"]
emergency = true

[[networks]]
id = "home-network"
prefixes = ["26201"]
home = true

[[quotas]]
id = "crossing"
unit = "octets"
default = 1000
minimum = 10
maximum = 10000
validity_time = 3600
tariff_switch = "tariff_time_change"

[[quotas]]
id = "held"
unit = "octets"
default = 1000
minimum = 10
maximum = 10000
validity_time = 3600
holding_time = 30
triggers = ["rat"]

[[quotas]]
id = "pooled"
unit = "octets"
default = 1000
minimum = 10
maximum = 10000
validity_time = 3600
pool = 7

[[counters]]
id = "spent-today"
unit = "money"
period = "day"

[[counters]]
id = "octets-this-month"
unit = "octets"
period = "month"

[[offers]]
id = "rich"

# Rating group 1: by day 100 an octet; by night 50, with bigger blocks and a dearer variant in group 2.
[[offers.prices]]
id = "day"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [1]
quota = "crossing"

[[offers.prices]]
id = "night"
service = "data"
unit = "octets"
amount = "0.0005"
per = 10
rounding = "10/10"
rating_groups = [1]
periods = ["night"]
quota = "crossing"

[[offers.prices]]
id = "cheap-day"
service = "data"
unit = "octets"
amount = "0.00005"
rating_groups = [2]
quota = "crossing"

[[offers.prices]]
id = "dear-night"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [2]
periods = ["night"]
quota = "crossing"

# Group 3: 100 an octet, after 2,000 octets of a month 50, after 5,000 nothing more.
[[offers.prices]]
id = "tiered"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [3]
counter = "octets-this-month"
quota = "held"
[[offers.prices.tiers]]
above = 2000
amount = "0.00005"
[[offers.prices.tiers]]
above = 5000
denied = true

# Group 4: 100 an octet, at most 150,000 a day.
[[offers.prices]]
id = "capped"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [4]
quota = "held"
[[offers.prices.caps]]
counter = "spent-today"
limit = "0.15"
then = "free"

# Groups 5 and 6 share a pool: 100 and 30 an octet.
[[offers.prices]]
id = "pool-a"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [5]
quota = "pooled"

[[offers.prices]]
id = "pool-b"
service = "data"
unit = "octets"
amount = "0.0003"
per = 10
rounding = "10/10"
rating_groups = [6]
quota = "pooled"

# Group 7: at home 100 an octet, abroad 1,000.
[[offers.prices]]
id = "at-home"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [7]

[[offers.prices]]
id = "abroad-data"
service = "data"
unit = "octets"
amount = "0.001"
rating_groups = [7]
roaming = true

# Group 8: redirected when there is no money.
[[offers.prices]]
id = "redirected"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [8]
[offers.prices.final_unit]
action = "redirect"
redirect_address_type = "url"
redirect_address = "http://topup.example/"

[[offers.prices]]
id = "call"
service = "voice"
unit = "seconds"
amount = "0.001"
zones = ["home"]

[[offers.prices]]
id = "received"
service = "voice"
unit = "seconds"
amount = "0.0005"
roles = ["terminating"]

[[offers.prices]]
id = "help"
service = "voice"
unit = "seconds"
zones = ["emergency"]

[[offers.prices]]
id = "sms"
service = "sms"
unit = "events"
amount = "0.09"

[[offers.prices]]
id = "night-mms"
service = "mms"
unit = "events"
amount = "0.1"
periods = ["night"]

[[offers.prices]]
id = "mms"
service = "mms"
unit = "events"
amount = "0.2"
per_recipient = false

[[offers]]
id = "graceful"
zero_balance_grace = "0.05"

[[offers.prices]]
id = "data"
service = "data"
unit = "octets"
amount = "0.0001"
"""


@cache
def rich_catalogue() -> Catalogue:
    """The catalogue above."""
    return catalogue_from(HEADER + RICH)
