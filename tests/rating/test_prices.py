"""What a price list may not say, and what it says when it may."""

from collections.abc import Callable

import pytest

from ocs.messages import NO_CONTEXT, Service
from ocs.rating import AfterCap, Cap, Catalogue, CatalogueError, Rate, Tier

Loader = Callable[..., Catalogue]

SHARED = """
[[zones]]
id = "national"
prefixes = ["49"]

[[networks]]
id = "home"
prefixes = ["26201"]
home = true

[[networks]]
id = "eu"
prefixes = ["208"]

[[groups]]
id = "acme"
numbers = ["49301"]

[[groups]]
id = "club"
numbers = ["49302"]

[[counters]]
id = "minutes"
unit = "seconds"
period = "month"

[[counters]]
id = "octets"
unit = "octets"
period = "day"

[[counters]]
id = "spent"
unit = "money"
period = "billing"

[[offers]]
id = "base"
"""
PRICE = (
    '[[offers.prices]]\nid = "{id}"\nservice = "voice"\nunit = "seconds"\namount = "0.09"\nper = "1 min"\n'
)


def priced(*extras: str) -> str:
    return SHARED + "".join(
        PRICE.format(id=f"p{number}") + f"{extra}\n" for number, extra in enumerate(extras)
    )


def rate_of(catalogue: Catalogue) -> Rate:
    rate = catalogue.rate(("base",), Service.VOICE, None, (), NO_CONTEXT, 0)
    assert rate is not None
    return rate


def test_tiers_take_the_units_of_the_price_unless_they_have_their_own(load: Loader) -> None:
    tiers = '{ above = "10 min", amount = "0.05" }, { above = "1 h", amount = "0.01", per = 1 }'
    rate = rate_of(load(priced(f'counter = "minutes"\ntiers = [{tiers}]')))
    assert rate.tiers == (Tier(0, 90_000, 60), Tier(600, 50_000, 60), Tier(3_600, 10_000, 1))


def test_denied_tier_keeps_the_price_before_it(load: Loader) -> None:
    rate = rate_of(load(priced('counter = "minutes"\ntiers = [{ above = 60, denied = true }]')))
    assert rate.tiers[1] == Tier(60, 90_000, 60, is_denied=True)


def test_counters_are_those_of_tiers_then_caps_then_others_each_once(load: Loader) -> None:
    caps = (
        '{ counter = "spent", limit = "5", then = "deny" }, '
        '{ counter = "minutes", limit = "5 h", then = "price", amount = "0.5" }'
    )
    rate = rate_of(load(priced(f'caps = [{caps}]\ncounters = ["minutes"]')))
    assert [rule.counter_id for rule in rate.counters] == ["spent", "minutes"]
    assert rate.caps == (Cap(0, 5_000_000, AfterCap.DENY), Cap(1, 18_000, AfterCap.PRICE, 500_000, 60))
    assert rate.description[1:] == (
        "beyond 5 EUR of spent in a billing period: denied",
        "beyond 5 h of minutes in a month: 0.5 EUR per 1 min",
    )


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ('counter = "minutes"', "counter: expected a counter where there are tiers, and only there"),
        ("tiers = [{ above = 1, amount = '1' }]", "counter: expected a counter where there are tiers"),
        (
            'counter = "x"\ntiers = [{ above = 1, amount = "1" }]',
            "counter: expected an existing counter (minutes, octets, spent), got 'x'",
        ),
        (
            'counter = "octets"\ntiers = [{ above = 1, amount = "1" }]',
            "counter: expected a counter of seconds, octets is another's",
        ),
        (
            'counter = "spent"\ntiers = [{ above = 1, amount = "1" }]',
            "counter: expected a counter of seconds, spent is another's",
        ),
        ('counters = ["octets"]', "counters: expected a counter of seconds, octets is another's"),
        (
            'counter = "minutes"\ntiers = [{ above = 5, amount = "1" }, { above = 5, amount = "2" }]',
            "tiers[1].above: expected more than the tier before it has",
        ),
        (
            'counter = "minutes"\ntiers = [{ above = 5, amount = "1", denied = true }]',
            "tiers[0].amount: expected none where use is denied",
        ),
        (
            'counter = "minutes"\ntiers = [{ above = 5 }]',
            "tiers[0].amount: expected an amount of money",
        ),
        (
            'caps = [{ counter = "spent", limit = "0", then = "deny" }]',
            "caps[0].limit: expected more than nothing",
        ),
        (
            'caps = [{ counter = "spent", limit = "5", then = "free", amount = "1" }]',
            "caps[0].amount: expected only with then = 'price'",
        ),
        (
            'caps = [{ counter = "minutes", limit = "5 GB", then = "free" }]',
            "caps[0].limit: expected a whole number of seconds",
        ),
        (
            'caps = [{ counter = "x", limit = "5", then = "free" }]',
            "caps: expected an existing counter (minutes, octets, spent), got 'x'",
        ),
        ('currency = "EU"', "currency: expected an ISO 4217 code such as EUR, got 'EU'"),
        ('access_points = ["Internet"]', "access_points: expected lower-case words, got 'Internet'"),
        ('networks = ["mars"]', "networks: expected an existing group of networks (eu, home), got 'mars'"),
        ('groups = ["x"]', "groups: expected an existing closed user group (acme, club), got 'x'"),
        ('calling_zones = ["x"]', "calling_zones: expected an existing zone (national), got 'x'"),
    ],
)
def test_price_that_contradicts_itself_is_refused(load: Loader, extra: str, line: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        load(priced(extra))
    assert str(caught.value).startswith(f"lab.toml: offers[base].prices[p0].{line}"), str(caught.value)


@pytest.mark.parametrize("key", ["allowance_only = true", "credit_control = false"])
def test_price_that_counts_is_metered_and_paid_by_money(load: Loader, key: str) -> None:
    with pytest.raises(CatalogueError, match=key.partition(" ")[0]):
        load(priced(f'{key}\ncounters = ["minutes"]').replace('amount = "0.09"', ""))


@pytest.mark.parametrize(
    ("one", "other", "compete"),
    [
        ("roaming = true", "roaming = false", False),
        ("roaming = true", "roaming = true", True),
        ('networks = ["eu"]', "roaming = true", False),
        ('networks = ["eu"]', 'networks = ["home"]', False),
        ('networks = ["eu", "home"]', 'networks = ["home"]', True),
        ('roles = ["terminating"]', 'roles = ["originating"]', False),
        ('roles = ["terminating"]', 'roles = ["terminating", "originating"]', True),
        ('media = ["video"]', 'media = ["audio"]', False),
        ('access_points = ["a"]', 'access_points = ["b"]', False),
        ('access_points = ["a"]', 'rat_types = ["nr"]', False),
        ('rat_types = ["nr"]', 'rat_types = ["nr"]', True),
        ('message_types = ["submission"]', 'message_types = ["submission"]', True),
        ('applications = ["chat"]', 'applications = ["mail"]', False),
        ("favourites = true", "favourites = true", True),
        ("favourites = true", "", False),
        ('groups = ["acme"]', 'groups = ["club"]', False),
        ('groups = ["acme"]', 'groups = ["acme", "club"]', True),
        ('currency = "USD"', "", False),
        ('currency = "USD"', 'currency = "USD"', True),
        ('calling_zones = ["national"]', 'zones = ["national"]', False),
    ],
)
def test_two_prices_of_equal_rank_may_not_apply_to_one_use(
    load: Loader, one: str, other: str, *, compete: bool
) -> None:
    if not compete:
        assert load(priced(one, other)).offers
        return
    with pytest.raises(CatalogueError, match="expected no use to which p0 applies too"):
        load(priced(one, other))
