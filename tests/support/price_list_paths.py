"""Which price of the delivered list a use falls under, and its tariff path: read from the files, without ``ocs.rating``.

Written from docs/catalogue.md and the list's own words.
"""

import tomllib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "config" / "catalogue"
_Table = dict[str, Any]
# docs/catalogue.md, "Which price applies": from the most to the least specific.
_ORDER = (
    "groups", "favourites", "networks", "roaming", "roles", "zones", "calling_zones", "message_types", "media",
    "applications", "access_points", "rat_types", "service_identifiers", "rating_groups", "periods",
)  # fmt: skip
_TOLD_BY_PATH = {"zones", "rating_groups", "periods"}
_MEDIA = ("video", "image", "application", "message", "text", "audio")
_WEEKEND = 5


@cache
def price_list() -> dict[str, list[_Table]]:
    """All tables of all files, by name."""
    found: dict[str, list[_Table]] = {"catalogue": []}
    for path in sorted(FOLDER.glob("*.toml")):
        for name, tables in tomllib.loads(path.read_text(encoding="utf-8")).items():
            found.setdefault(name, []).extend(tables if isinstance(tables, list) else [tables])
    return found


def path_of(fields: _Table) -> str:
    """The tariff path of a case's use; empty when no price applies."""
    use = _facts(fields)
    offers = {offer["id"]: offer for offer in price_list()["offers"]}
    for offer in sorted(
        (offers[name] for name in fields["offers"]), key=lambda each: each.get("priority", 100)
    ):
        fitting = [
            price
            for price in offer.get("prices", ())
            if price["service"] == fields["service"] and _hold(price, use) and _is_now(price, use)
        ]
        if fitting:
            # One in the account's currency comes before one that is converted.
            wanted = fields.get("currency", "EUR")
            own = [each for each in fitting if _currency(offer, each) == wanted]
            price = max(
                own or fitting, key=lambda each: [_asks(each, name) for name in ("emergency", *_ORDER)]
            )
            return _path(offer, price, use, [offers[name] for name in fields["offers"]], fields)
    return ""


def _path(offer: _Table, price: _Table, use: _Table, held: list[_Table], fields: _Table) -> str:
    path = f"{offer['id']}/{price['id']}"
    if price.get("periods"):
        path += "@" + "+".join(sorted(price["periods"]))
    payers = _payers(price, use)
    unnamed = [payer for payer in payers if not _is_named(payer)]
    emergencies = {zone["id"] for zone in price_list()["zones"] if zone.get("emergency")}
    zone = use["zones"]
    if zone and (
        zone in price.get("zones", ()) or zone in emergencies or any(payer.get("zones") for payer in unnamed)
    ):
        path += f">{zone}"
    if use["rating_groups"] in _rating_groups():
        path += f"#{use['rating_groups']}"
    names = sorted(payer["id"] for payer in payers if _is_named(payer))
    path += "~" + "+".join(names) if names else ""
    discounts = _discounts(price, use, held)
    path += "%" + "+".join(discounts) if discounts else ""
    wanted = fields.get("currency", "EUR")
    return path if wanted == _currency(offer, price) else f"{path}${wanted}"


def _currency(offer: _Table, price: _Table) -> str:
    return price.get("currency") or offer.get("currency") or "EUR"


# --- What of the list applies ---------------------------------------------------------------------------------


def _asks(conditions: _Table, name: str) -> bool:
    if name == "emergency":
        emergencies = {zone["id"] for zone in price_list()["zones"] if zone.get("emergency")}
        return bool(set(conditions.get("zones", ())) & emergencies)
    return conditions.get(name) not in (None, [], ())


def _hold(conditions: _Table, use: _Table) -> bool:
    """Whether what a price, an allowance or a discount asks for is so; periods apart."""
    for name in _ORDER:
        if name == "periods" or not _asks(conditions, name):
            continue
        wanted, found = conditions[name], use[name]
        if isinstance(wanted, bool):
            is_so = wanted == found
        elif isinstance(found, set):
            is_so = bool(found & set(wanted))
        else:
            is_so = found in wanted
        if not is_so:
            return False
    return True


def _is_now(conditions: _Table, use: _Table) -> bool:
    return not conditions.get("periods") or bool(use["periods"] & set(conditions["periods"]))


def _is_named(allowance: _Table) -> bool:
    return bool(allowance.get("periods")) or any(
        _asks(allowance, name) for name in _ORDER if name not in _TOLD_BY_PATH
    )


def _payers(price: _Table, use: _Table) -> list[_Table]:
    is_free = not (
        float(price.get("amount", 0)) or float(price.get("connection_fee", 0)) or price.get("allowance_only")
        or price.get("counter") or price.get("counters") or price.get("caps")
    )  # fmt: skip
    if is_free:
        return []
    return [
        allowance
        for allowance in price_list()["allowances"]
        if price["service"] in allowance["services"]
        and allowance["unit"] == price["unit"]
        and ("allowances" not in price or allowance["id"] in price["allowances"])
        and _hold(allowance, use)
        and _is_now(allowance, use)
    ]


def _discounts(price: _Table, use: _Table, held: list[_Table]) -> list[str]:
    """The best of those that exclude each other, and those that combine, by their priority."""
    names = {name for offer in held for name in offer.get("discounts", ())}
    if price.get("discounts") is False or not float(price.get("amount", 0)):
        return []
    given = [
        each for each in sorted(price_list()["discounts"], key=lambda each: (each.get("priority", 100), each["id"]))
        if each["id"] in names
        and price["service"] in each.get("services", (price["service"],))
        and _hold(each, use)
        and _is_now(each, use)
    ]  # fmt: skip
    first = next((each for each in given if not each.get("combines")), None)
    return [each["id"] for each in given if each is first or each.get("combines")]


def _rating_groups() -> set[int]:
    """Those by which something is paid that a path would not tell otherwise."""
    rules = [*price_list()["allowances"], *price_list()["quotas"]]
    return {group for each in rules for group in each.get("rating_groups", ())}


# --- What a case says -----------------------------------------------------------------------------------------


def _facts(fields: _Table) -> _Table:
    network = fields.get("network", "")
    homes = {each["id"] for each in price_list()["networks"] if each.get("home")}
    group = _longest(price_list()["networks"], network) if network else next(iter(homes))
    role = fields.get("role")
    number, calling = fields.get("to", ""), fields.get("calling", "")
    other = calling if role == "terminating" else number
    media = fields.get("media", ())
    return {
        "groups": _groups(fields.get("groups", ()), other),
        "favourites": bool(other) and _digits(other) in fields.get("friends", ()),
        "networks": group,
        "roaming": group not in homes,
        "roles": role,
        "zones": _longest(price_list()["zones"], _digits(number)),
        "calling_zones": _longest(price_list()["zones"], _digits(calling)),
        "message_types": fields.get("message_type", ""),
        "media": next((each for each in _MEDIA if each in media), ""),
        "applications": fields.get("application", ""),
        # TS 23.003 section 9.1: the operator's part is no part of what it is called by.
        "access_points": fields.get("apn", "").lower().partition(".mnc")[0],
        "rat_types": fields.get("rat", ""),
        "service_identifiers": set(fields.get("service_identifiers", ())),
        "rating_groups": fields.get("rating_group"),
        "periods": _periods(datetime.fromisoformat(fields["at"])),
    }


def _digits(number: str) -> str:
    """A number with its country code, as the catalogue's header says how numbers are dialled."""
    header = price_list()["catalogue"][0]
    abroad, at_home = header["international_prefix"], header["national_prefix"]
    if number.startswith(abroad):
        return number.removeprefix(abroad)
    if number.startswith(at_home):
        return header["country_code"] + number.removeprefix(at_home)
    return number.removeprefix("+")


def _longest(tables: list[_Table], number: str) -> str | None:
    """Where a number lies: a whole number comes before any prefix, a longer prefix before a shorter one."""
    if not number:
        return None
    for table in tables:
        if number in table.get("numbers", ()):
            return table["id"]
    found = [
        (len(p), table["id"]) for table in tables for p in table.get("prefixes") or () if number.startswith(p)
    ]
    return max(found)[1] if found else None


def _groups(mine: list[str] | tuple[str, ...], other: str) -> set[str]:
    tables = [table for table in price_list().get("groups", []) if table["id"] in mine]
    return {
        table["id"]
        for table in tables
        if _digits(other) in table.get("numbers", ())
        or any(_digits(other).startswith(prefix) for prefix in table.get("prefixes", ()) if other)
    }


def _periods(at: datetime) -> set[str]:
    """The periods that a local time lies in; one over midnight belongs to the day on which it begins."""
    found: set[str] = set()
    for period in price_list()["periods"]:
        begin, end = period.get("from", "00:00"), period.get("to", "24:00")
        time = f"{at:%H:%M}"
        if begin < end:
            days = [at] if begin <= time < end else []
        else:
            days = [at] if time >= begin else [datetime.fromordinal(at.toordinal() - 1)] if time < end else []
        if any(_is_day(period, day) for day in days):
            found.add(period["id"])
    return found


def _is_day(period: _Table, day: datetime) -> bool:
    if not period.get("first_date", day.date()) <= day.date() <= period.get("last_date", day.date()):
        return False
    if "days" not in period:
        return True
    if day.date() in price_list()["catalogue"][0]["holidays"]:
        return "holiday" in period["days"]
    return ("weekend" if day.weekday() >= _WEEKEND else "weekdays") in period["days"]
