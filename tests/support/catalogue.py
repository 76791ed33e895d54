"""The test operator's catalogue, and its prices once more as plain figures for tests that calculate by themselves."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from ocs.rating import Catalogue, load_catalogue

HEADER = """
[catalogue]
name = "test"
currency = "EUR"
time_zone = "Europe/Berlin"
effective = 2026-11-01
country_code = "49"
national_prefix = "0"
international_prefix = "00"

[[zones]]
id = "home"
prefixes = ["49"]

[[zones]]
id = "abroad"
prefixes = ["33"]

[[zones]]
id = "far"
prefixes = ["1"]

[[periods]]
id = "night"
from = "20:00"
to = "06:00"

[[quotas]]
id = "octets"
unit = "octets"
standard = true
default = 1000
minimum = 10
maximum = 10000
validity_time = 600
volume_threshold = 100

[[quotas]]
id = "seconds"
unit = "seconds"
standard = true
default = 60
minimum = 1
maximum = 3600
validity_time = 300
time_threshold = 10

[[quotas]]
id = "events"
unit = "events"
standard = true
default = 1
minimum = 1
maximum = 10
validity_time = 60

[[allowances]]
id = "pack"
unit = "octets"
services = ["data"]
rating_groups = [10, 11, 40]
priority = 10

[[allowances]]
id = "texts"
unit = "events"
services = ["sms"]
priority = 10
"""

OFFERS = """
[[offers]]
id = "basic"

[[offers.prices]]
id = "data"
service = "data"
unit = "octets"
amount = "0.002"
per = 10
rounding = "10/10"

[[offers.prices]]
id = "thirds"
service = "data"
unit = "octets"
amount = "0.000001"
per = 3
rating_groups = [15]

[[offers.prices]]
id = "free"
service = "data"
unit = "octets"
rating_groups = [20]

[[offers.prices]]
id = "unmetered"
service = "data"
unit = "octets"
rating_groups = [30]
credit_control = false

[[offers.prices]]
id = "pack-only"
service = "data"
unit = "octets"
rating_groups = [40]
allowance_only = true

[[offers.prices]]
id = "redirected"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [50]
[offers.prices.final_unit]
action = "redirect"
redirect_address_type = "url"
redirect_address = "http://topup.example/"

[[offers.prices]]
id = "restricted"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [60]
[offers.prices.final_unit]
action = "restrict"
filter_ids = ["walled-garden"]

[[offers.prices]]
id = "by-night"
service = "data"
unit = "octets"
amount = "0.00005"
rating_groups = [70]
periods = ["night"]

[[offers.prices]]
id = "by-day"
service = "data"
unit = "octets"
amount = "0.0001"
rating_groups = [70]

[[offers.prices]]
id = "nothing"
service = "data"
unit = "seconds"
amount = "0.01"
rating_groups = [80]

[[offers.prices]]
id = "home"
service = "voice"
unit = "seconds"
amount = "0.06"
per = 60
rounding = "60/1"
connection_fee = "0.05"
zones = ["home"]

[[offers.prices]]
id = "abroad"
service = "voice"
unit = "seconds"
amount = "0.6"
per = 60
rounding = "60/60"
zones = ["abroad"]

[[offers.prices]]
id = "far"
service = "voice"
unit = "seconds"
amount = "0.02"
zones = ["far"]

[[offers.prices]]
id = "sms"
service = "sms"
unit = "events"
amount = "0.09"

[[offers]]
id = "packs"
priority = 50

[[offers.allowances]]
allowance = "pack"
amount = 5000
valid_days = 1

[[offers.allowances]]
allowance = "texts"
amount = 3
"""


def catalogue_from(text: str) -> Catalogue:
    """Read a catalogue as an operator writes it."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "test.toml").write_text(text, encoding="utf-8")
        return load_catalogue(Path(folder))


@cache
def lab_catalogue() -> Catalogue:
    """The catalogue above."""
    return catalogue_from(HEADER + OFFERS)


@cache
def dearer_catalogue() -> Catalogue:
    """The next version: data costs half as much again."""
    return catalogue_from(HEADER + OFFERS.replace('amount = "0.002"', 'amount = "0.003"'))
