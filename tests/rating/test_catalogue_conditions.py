"""Prices that depend on who, where and how: one small price book with every condition, asked as the network asks."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocs.messages import NO_CONTEXT, NO_PROFILE, Profile, RoleOfNode, Service, UsageContext
from ocs.rating import AfterCap, Cap, Catalogue, CatalogueError, Rate, Tier, load_catalogue

Loader = Callable[..., Catalogue]
BERLIN = ZoneInfo("Europe/Berlin")

BOOK = (Path(__file__).resolve().parents[1] / "data" / "catalogue" / "conditions.toml").read_text(
    encoding="utf-8"
)


def local(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp())


NOVEMBER = local("2026-11-22T12:00:00")
ADVENT = local("2026-12-10T12:00:00")
FRIEND = Profile(favourites=("49301", "4940555"), groups=("acme",))
ORIGINATING, TERMINATING, FORWARDING = RoleOfNode


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory, header: str) -> Catalogue:
    folder = tmp_path_factory.mktemp("book")
    (folder / "book.toml").write_text(header + BOOK, encoding="utf-8")
    return load_catalogue(folder)


def ask(
    book: Catalogue,
    service: Service,
    context: UsageContext = NO_CONTEXT,
    *,
    offers: tuple[str, ...] = ("base",),
    profile: Profile = NO_PROFILE,
    at: int = NOVEMBER,
) -> Rate:
    rate = book.rate(offers, service, None, (), context, at, profile)
    assert rate is not None
    again = book.rate_at_path(rate.path)
    assert again is not None
    assert again.path == rate.path
    return rate


VOICE, DATA, SMS = Service.VOICE, Service.DATA, Service.SMS


@pytest.mark.parametrize(
    ("service", "context", "profile", "path"),
    [
        (VOICE, NO_CONTEXT, NO_PROFILE, "base/call"),
        (VOICE, UsageContext("4930"), FRIEND, "base/call"),
        (VOICE, UsageContext("112"), FRIEND, "base/emergency>emergency"),
        (VOICE, UsageContext("112", serving_network="20801"), FRIEND, "base/emergency>emergency"),
        (VOICE, UsageContext("33612"), NO_PROFILE, "base/world>world"),
        (VOICE, UsageContext("4930", "4917", role_of_node=ORIGINATING), NO_PROFILE, "base/call"),
        (VOICE, UsageContext("4917", "33612", role_of_node=TERMINATING), NO_PROFILE, "base/received"),
        (VOICE, UsageContext("33612", "4930", role_of_node=FORWARDING), NO_PROFILE, "base/forwarded"),
        (VOICE, UsageContext("33612", serving_network="310410"), NO_PROFILE, "base/abroad"),
        (VOICE, UsageContext("33612", serving_network="20801"), NO_PROFILE, "base/eu"),
        (VOICE, UsageContext("4930", serving_network="26201"), NO_PROFILE, "base/call"),
        (
            VOICE,
            UsageContext("4917", "1555", serving_network="310410", role_of_node=TERMINATING),
            NO_PROFILE,
            "base/abroad-received",
        ),
        (VOICE, UsageContext("0301"), FRIEND, "base/family>national"),
        (VOICE, UsageContext("040999"), FRIEND, "base/colleagues"),
        (VOICE, UsageContext("040555"), FRIEND, "base/colleagues"),
        (VOICE, UsageContext("040999"), NO_PROFILE, "base/call"),
        (VOICE, UsageContext(media=("audio", "video")), NO_PROFILE, "base/video"),
        (VOICE, UsageContext(media=("audio",)), NO_PROFILE, "base/call"),
        (DATA, NO_CONTEXT, NO_PROFILE, "base/data"),
        (DATA, UsageContext(access_point_name="iot", rat_type="nb-iot"), NO_PROFILE, "base/iot"),
        (DATA, UsageContext(access_point_name="iot", rat_type="eutran"), NO_PROFILE, "base/data"),
        (DATA, UsageContext(application="chat"), NO_PROFILE, "base/chat"),
        (
            DATA,
            UsageContext(access_point_name="internet", serving_network="20801"),
            NO_PROFILE,
            "base/data~eu-data",
        ),
        (
            DATA,
            UsageContext(access_point_name="internet", serving_network="310410"),
            NO_PROFILE,
            "base/data",
        ),
        (Service.MMS, NO_CONTEXT, NO_PROFILE, "base/mms"),
        (SMS, UsageContext(message_type="delivery-report"), NO_PROFILE, "base/report"),
        (SMS, UsageContext("4917", "33612"), NO_PROFILE, "base/from-world"),
    ],
)
def test_circumstances_choose_the_price(
    book: Catalogue, service: Service, context: UsageContext, profile: Profile, path: str
) -> None:
    assert ask(book, service, context, profile=profile).path == path


def test_use_that_no_price_fits_is_not_rated(book: Catalogue) -> None:
    assert book.rate(("base",), SMS, None, (), UsageContext("4917", "4930"), NOVEMBER) is None


def test_emergency_calls_are_told_apart_for_barred_subscribers(book: Catalogue) -> None:
    assert ask(book, VOICE, UsageContext("112")).is_emergency
    assert not ask(book, VOICE, UsageContext("33612")).is_emergency
    # Also where the price itself knows nothing of it.
    rate = ask(book, VOICE, UsageContext("112"), offers=("dollars",), profile=Profile("USD"))
    assert (rate.path, rate.is_emergency) == ("dollars/call>emergency", True)


def test_allowances_ask_for_circumstances_too(book: Catalogue) -> None:
    def allowances(context: UsageContext) -> frozenset[str]:
        rate = ask(book, DATA, context)
        again = book.rate_at_path(rate.path)
        assert again is not None
        assert again.allowances == rate.allowances
        return rate.allowances

    assert allowances(NO_CONTEXT) == {"data"}
    assert allowances(UsageContext(access_point_name="internet", serving_network="26201")) == {
        "data",
        "eu-data",
    }
    assert allowances(UsageContext(access_point_name="ims", serving_network="26201")) == {"data"}
    assert allowances(UsageContext(application="chat")) == set()


def test_message_counts_once_for_each_recipient_unless_the_price_says_else(book: Catalogue) -> None:
    assert ask(book, Service.MMS).is_per_recipient
    assert not ask(book, SMS, UsageContext(message_type="delivery-report")).is_per_recipient


# --- tax -------------------------------------------------------------------------------------------------


def test_tax_that_is_added_is_in_the_price_exactly(book: Catalogue) -> None:
    rate = ask(book, VOICE)
    assert (rate.price_micro, rate.price_units, rate.tax_parts_per_million) == (119_000, 60, 190_000)
    assert rate.description == ("base, call: 0.10 EUR per 1 min, rounded 1/1", "tax VAT: 19 % added")


def test_tax_that_is_included_changes_no_price(load: Loader) -> None:
    book = load(BOOK.replace("included = false", "included = true"))
    rate = ask(book, VOICE)
    assert (rate.price_micro, rate.price_units, rate.tax_parts_per_million) == (100_000, 60, 190_000)
    assert rate.description[-1] == "tax VAT: 19 % included"


# --- counters --------------------------------------------------------------------------------------------


def test_tiers_and_caps_stand_in_the_rate(book: Catalogue) -> None:
    family = ask(book, VOICE, UsageContext("49301"), profile=FRIEND)
    assert [rule.counter_id for rule in family.counters] == ["minutes"]
    assert family.tiers == (
        Tier(0, 0, 1),
        Tier(6_000, 59_500, 1),
        Tier(12_000, 59_500, 1, is_denied=True),
    )
    assert not family.is_free
    assert family.description == (
        "base, family: free, rounded 1/1, to national, with friends & family",
        "above 100 min of minutes in a month: 0.05 EUR per 1 s",
        "above 200 min of minutes in a month: denied",
        "tax VAT: 19 % added",
    )
    received = ask(
        book, VOICE, UsageContext("4917", "1555", serving_network="310410", role_of_node=TERMINATING)
    )
    # What the customer reads as the cap has the tax in it.
    assert received.caps == (Cap(0, 5_000_000, AfterCap.FREE),)
    assert "beyond 5.00 EUR of roaming in a day: free" in received.description
    abroad = ask(book, VOICE, UsageContext("33612", serving_network="310410"))
    assert abroad.counters == received.counters
    assert (abroad.tiers, abroad.caps) == ((), ())


@pytest.mark.parametrize(
    ("at", "offers", "ends"),
    [
        ("2026-11-22T23:59:59", ("base",), "2026-11-23T00:00:00"),
        ("2026-11-23T00:00:00", ("base",), "2026-11-24T00:00:00"),
        ("2026-10-25T01:00:00", ("base",), "2026-10-26T00:00:00"),
        ("2026-11-30T12:00:00", ("base", "perks"), "2026-12-01T00:00:00"),
    ],
)
def test_rate_ends_where_its_counter_starts_from_nothing(
    book: Catalogue, at: str, offers: tuple[str, ...], ends: str
) -> None:
    context = UsageContext("33612", serving_network="310410")
    rate = ask(book, VOICE, context, at=local(at), offers=offers)
    assert rate.changes_at_s == local(ends)
    assert ask(book, VOICE, context, at=local(ends) - 1, offers=offers).changes_at_s == local(ends)
    assert ask(book, VOICE, context, at=local(ends), offers=offers).changes_at_s > local(ends)
    assert ask(book, VOICE, context, at=local(at), offers=offers) == rate


# --- discounts -------------------------------------------------------------------------------------------


def test_first_discount_is_given_and_all_that_combine(book: Catalogue) -> None:
    offers = ("base", "perks")
    rate = ask(book, VOICE, offers=offers)
    assert (rate.path, rate.price_micro) == ("base/call%evening-of-life", 25_000 * 119 // 100)
    assert rate.changes_at_s == local("2026-12-01T00:00:00")
    advent = ask(book, VOICE, offers=offers, at=ADVENT)
    assert (advent.path, advent.price_micro) == ("base/call%advent+evening-of-life", 23_800)
    assert advent.changes_at_s == local("2026-12-25T00:00:00")
    assert "discount advent: 20 % off" in advent.description
    data = ask(book, DATA, offers=offers, at=ADVENT)
    assert (data.path, data.price_micro) == ("base/data%advent", 9_520)


def test_price_that_gives_no_discount_gives_none(book: Catalogue) -> None:
    assert ask(book, VOICE, UsageContext("33612"), offers=("perks", "base"), at=ADVENT).path == (
        "base/world>world"
    )


def test_discount_for_all_services_asks_for_what_no_price_asks(load: Loader) -> None:
    discount = '[[discounts]]\nid = "wlan"\npercent = "100"\nrat_types = ["wlan"]\n'
    book = load(BOOK + discount + '[[offers]]\nid = "hotspot"\ndiscounts = ["wlan"]\n')
    offers = ("hotspot", "base")
    wlan = ask(book, VOICE, UsageContext(rat_type="wlan"), offers=offers)
    assert (wlan.path, wlan.price_micro) == ("base/call%wlan", 0)
    assert ask(book, VOICE, UsageContext(rat_type="nr"), offers=offers).path == "base/call"


# --- currencies ------------------------------------------------------------------------------------------


def test_accounts_currency_decides_which_prices_apply(book: Catalogue) -> None:
    offers = ("dollars",)
    dollars = ask(book, VOICE, offers=offers, profile=Profile("USD"))
    assert (dollars.path, dollars.currency, dollars.price_micro) == ("dollars/call", "USD", 130_900)
    assert dollars.grace_micro == 500_000
    euros = ask(book, VOICE, offers=offers)
    assert (euros.path, euros.currency) == ("dollars/call-eur", "EUR")


def test_price_is_converted_at_a_declared_rate_only(book: Catalogue) -> None:
    francs = ask(book, VOICE, offers=("dollars",), profile=Profile("CHF"))
    assert (francs.path, francs.currency) == ("dollars/call-eur$CHF", "CHF")
    # 0.10 EUR x 0.95 x 1.19 per minute; the fee 0.01 x 0.95 x 1.19 is a whole number of micro-units.
    assert (francs.price_micro, francs.price_units, francs.connection_fee_micro) == (113_050, 60, 11_305)
    assert "converted from EUR to CHF at 0.95" in francs.description
    assert book.rate(("dollars",), VOICE, None, (), NO_CONTEXT, NOVEMBER, Profile("GBP")) is None


def test_price_in_the_accounts_own_currency_comes_before_a_converted_one(load: Loader) -> None:
    prices = ""
    for price_id, currency in (("a", "EUR"), ("b", "CHF"), ("c", "EUR")):
        prices += f'[[offers.prices]]\nid = "{price_id}"\nservice = "sms"\nunit = "events"\namount = "1"\n'
        prices += f'currency = "{currency}"\n' + ('zones = ["world"]\n' if price_id == "c" else "")
    book = load(BOOK + '[[offers]]\nid = "francs"\n' + prices)
    francs = Profile("CHF")
    assert ask(book, SMS, offers=("francs",), profile=francs).path == "francs/b"
    assert ask(book, SMS, offers=("francs",)).path == "francs/a"
    # What is more specific comes first, converted or not.
    assert ask(book, SMS, UsageContext("33612"), offers=("francs",), profile=francs).path == (
        "francs/c>world$CHF"
    )


def test_limit_of_a_cap_is_converted_with_its_price(book: Catalogue) -> None:
    context = UsageContext("4917", "1555", serving_network="310410", role_of_node=TERMINATING)
    francs = ask(book, VOICE, context, profile=Profile("CHF"))
    assert francs.caps == (Cap(0, 4_750_000, AfterCap.FREE),)


def test_what_is_free_is_free_in_every_currency(book: Catalogue) -> None:
    free = ask(book, DATA, offers=("dollars",), profile=Profile("GBP"))
    assert (free.path, free.currency, free.is_free) == ("dollars/free$GBP", "GBP", True)


# --- properties ------------------------------------------------------------------------------------------

contexts = st.builds(
    UsageContext,
    called_party=st.sampled_from(["", "112", "4930", "49301", "040999", "33612", "alice"]),
    calling_party=st.sampled_from(["", "49301", "33612"]),
    access_point_name=st.sampled_from(["", "internet", "iot", "ims"]),
    serving_network=st.sampled_from(["", "26201", "20801", "310410"]),
    rat_type=st.sampled_from(["", "eutran", "nb-iot"]),
    role_of_node=st.sampled_from([None, *RoleOfNode]),
    media=st.sampled_from([(), ("audio",), ("audio", "video")]),
    message_type=st.sampled_from(["", "delivery-report"]),
    application=st.sampled_from(["", "chat"]),
)
profiles = st.builds(
    Profile,
    currency=st.sampled_from(["", "EUR", "USD", "CHF", "GBP"]),
    favourites=st.sampled_from([(), ("49301",)]),
    groups=st.sampled_from([(), ("acme",), ("unknown", "acme")]),
)
offers = st.permutations(["base", "perks", "dollars"]).flatmap(
    lambda order: st.integers(1, 3).map(lambda count: tuple(order[:count]))
)


@settings(max_examples=300)
@given(offers, st.sampled_from(Service), contexts, profiles, st.sampled_from([NOVEMBER, ADVENT]))
def test_every_rate_is_found_again_by_its_path(
    book: Catalogue,
    offers: tuple[str, ...],
    service: Service,
    context: UsageContext,
    profile: Profile,
    at: int,
) -> None:
    rate = book.rate(offers, service, None, (), context, at, profile)
    fresh = Catalogue.from_bytes(book.to_bytes())
    assert fresh.rate(offers, service, None, (), context, at, profile) == rate
    if rate is None:
        return
    assert rate.currency == (profile.currency or "EUR")
    for version in (Catalogue.from_bytes(book.to_bytes()), fresh, book):
        again = version.rate_at_path(rate.path)
        assert again is not None
        assert _terms(again) == _terms(rate)


def _terms(rate: Rate) -> tuple[object, ...]:
    return tuple(getattr(rate, field) for field in rate.__struct_fields__ if field != "changes_at_s")


@pytest.mark.parametrize(
    "unknown",
    [
        "base/call%unknown",
        "base/call%staff+unknown",
        "base/call$QQQ",
        "base/call$EUR",
        "base/call$GBP",
        "base/data~data",
        "base/call~eu-data",
        "base/call>national",
    ],
)
def test_path_that_this_version_would_not_write_leads_nowhere(book: Catalogue, unknown: str) -> None:
    assert book.rate_at_path(unknown) is None


def test_roaming_needs_a_home_network(load: Loader) -> None:
    with pytest.raises(
        CatalogueError, match=r"offers\[base\]\.prices\[abroad\]\.roaming: expected an entry of networks"
    ):
        load(BOOK.replace("home = true", "home = false"))
