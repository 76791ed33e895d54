"""Makes ``tests/data/rating/day.jsonl``: a day of 24 accounts, charged by the decisions under the delivered catalogue.

``python -m tests.support.recorded_day`` writes it anew, which is due when the price list changes what the day costs.
"""

import random
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ocs.charging.tariffs import Tariffs
from ocs.limits import BALANCE_MICRO_MAX
from ocs.messages import Profile, RoleOfNode, Service, UsageContext
from ocs.rating import Catalogue, load_catalogue
from ocs.rehearsal import Rehearsal, Use
from ocs.rerating import RecordedUse, record_line, record_of
from ocs.units import Money

ROOT = Path(__file__).resolve().parents[2]
DAY = ROOT / "tests" / "data" / "rating" / "day.jsonl"
OFFERS = (
    ("prepaid-basic",), ("prepaid-basic", "talk-and-text"), ("prepaid-data-5g", "prepaid-basic"),
    ("prepaid-smart", "roaming"), ("postpaid-flat", "roaming"), ("metered", "roaming"), ("young", "roaming"),
    ("fleet", "roaming"), ("iot-pool",), ("visitor", "roaming"), ("prepaid-basic", "roaming", "day-pass"),
    ("family-postpaid",),
)  # fmt: skip
SHARED = {"fleet", "iot-pool", "family-postpaid"}
NUMBERS = (
    "4930123456",
    "491711234567",
    "33123456789",
    "12025550100",
    "819012345678",
    "112",
    "498001234",
    "4990012345",
)
NETWORKS = ("26201", "26201", "26201", "20801", "22801", "310410")
START_MS = int(datetime(2026, 12, 2, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()) * 1000
DAY_MS = 86_400_000


def record_day(catalogue: Catalogue, accounts: int = 24) -> list[RecordedUse]:
    """The charges of a day in the order of time."""
    chance = random.Random(20261202)
    uses = [use for number in range(accounts) for use in _account(catalogue, chance, number)]
    return sorted(uses, key=lambda use: (use.at_ms, use.account, use.sequence))


def _account(catalogue: Catalogue, chance: random.Random, number: int) -> list[RecordedUse]:
    offers = OFFERS[number % len(OFFERS)]
    account = f"account-{number:02}"
    currency = "USD" if "visitor" in offers else "EUR"
    members = [account, f"{account}-b"] if offers[0] in SHARED else [account]
    profile = Profile(currency if currency == "USD" else "", ("491711234567",), ("fleet",))
    rehearsal = Rehearsal(
        Tariffs(catalogue), Money(0, currency), credit_limit_micro=BALANCE_MICRO_MAX, account_id=account
    )
    recorded: list[RecordedUse] = []
    at_ms = START_MS + chance.randrange(3_600_000)
    while at_ms < START_MS + DAY_MS:
        use = _use(chance, offers, chance.choice(members), at_ms, account)
        if use.subscriber_id not in rehearsal.subscribers:
            rehearsal.join(offers, at_ms, subscriber_id=use.subscriber_id, profile=profile)
        for event in rehearsal.use(use):
            made = record_of(event, offers, catalogue.rate_at_path(event.tariff_path), profile)
            recorded += [] if made is None else [made]
        at_ms += chance.randrange(1_000, 9_000_000)
    return recorded


def _use(chance: random.Random, offers: tuple[str, ...], member: str, at_ms: int, account: str) -> Use:
    is_thing = offers[0] == "iot-pool"
    service = Service(chance.choice(("data", "sms") if is_thing else ("data", "data", "voice", "sms", "mms")))
    context: dict[str, Any] = {
        "serving_network": chance.choice(NETWORKS) if "roaming" in offers else "26201",
        "rat_type": chance.choice(("nr", "eutran", "nb-iot")),
    }
    session = f"{account};{at_ms}"
    if service is Service.DATA:
        units = chance.choice((1, 500, 70_000, 3_000_000, 150_000_000))
        context["access_point_name"] = "iot.lab" if is_thing else "internet"
        context["application"] = chance.choice(("", "social"))
        session = f"{account};{member};{chance.randrange(3)}"
    elif service is Service.VOICE:
        units = chance.randrange(1, 900)
        context["called_party"] = chance.choice(NUMBERS)
        context["role_of_node"] = chance.choice((None, RoleOfNode.ORIGINATING, RoleOfNode.TERMINATING))
    else:
        units = chance.randrange(1, 4)
        context["called_party"] = chance.choice(NUMBERS[:5])
        context["role_of_node"] = RoleOfNode.ORIGINATING
        context["recipients"] = chance.choice((1, 1, 2))
    return Use(
        service=service,
        units=units,
        at_ms=at_ms,
        rating_group=1 if service is Service.DATA else None,
        context=UsageContext(**context),
        session_id=session,
        subscriber_id=member,
    )


if __name__ == "__main__":
    day = record_day(load_catalogue(ROOT / "config" / "catalogue"))
    DAY.write_bytes(b"".join(map(record_line, day)))
