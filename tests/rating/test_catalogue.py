from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocs.limits import RATES_REMEMBERED
from ocs.messages import NO_CONTEXT, Service, UsageContext
from ocs.rating import Catalogue, CatalogueError, Rate
from ocs.units import UnitType

Loader = Callable[..., Catalogue]
BERLIN = ZoneInfo("Europe/Berlin")

OFFERS = """
[[zones]]
id = "national"
prefixes = ["49"]

[[zones]]
id = "mobile"
prefixes = ["4917"]

[[periods]]
id = "evening"
days = ["weekdays"]
from = "20:00"
to = "08:00"

[[periods]]
id = "weekend"
days = ["weekend", "holiday"]

[[periods]]
id = "night"
from = "00:00"
to = "06:00"

[[allowances]]
id = "any-data"
unit = "octets"
services = ["data"]

[[allowances]]
id = "night-data"
unit = "octets"
services = ["data"]
periods = ["night"]

[[allowances]]
id = "video"
unit = "octets"
services = ["data"]
rating_groups = [2]

[[allowances]]
id = "mobile-minutes"
unit = "seconds"
services = ["voice"]
zones = ["mobile"]

[[offers]]
id = "base"
opening_balance = "1.50"
credit_limit = "20.00"

[[offers.allowances]]
allowance = "any-data"
amount = "1 GB"
valid_days = 30

[[offers.prices]]
id = "data"
service = "data"
unit = "octets"
amount = "0.01"
per = "1 MiB"

[[offers.prices]]
id = "free"
service = "data"
unit = "octets"
rating_groups = [9]

[[offers.prices]]
id = "unmetered"
service = "data"
unit = "octets"
rating_groups = [8]
credit_control = false

[[offers.prices]]
id = "voice"
service = "voice"
unit = "seconds"
amount = "0.20"
per = "1 min"
rounding = "60/1"

[[offers.prices]]
id = "ims"
service = "voice"
unit = "seconds"
service_identifiers = [1000]
amount = "0.15"
per = "1 min"

[[offers.prices]]
id = "german"
service = "voice"
unit = "seconds"
zones = ["national", "mobile"]
amount = "0.09"
per = "1 min"

[[offers.prices]]
id = "german-cheap"
service = "voice"
unit = "seconds"
zones = ["national", "mobile"]
periods = ["evening", "weekend"]
amount = "0.05"
per = "1 min"

[[offers]]
id = "addon"
priority = 10

[[offers.prices]]
id = "video"
service = "data"
unit = "octets"
rating_groups = [2]
amount = "0.001"
per = "1 MiB"

[[offers]]
id = "nights-only"
priority = 200

[[offers.prices]]
id = "sms"
service = "sms"
unit = "events"
periods = ["night"]
amount = "0.02"
"""


@pytest.fixture
def catalogue(load: Loader) -> Catalogue:
    return load(OFFERS)


def local(text: str, *, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp())


NOON = local("2026-11-04T12:00:00")  # a Wednesday


def path(rate: Rate | None) -> str | None:
    return None if rate is None else rate.path


# --- which price -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offers", "service", "rating_group", "service_identifiers", "called_party", "expected"),
    [
        (("base",), Service.DATA, None, (), "", "base/data"),
        (("base",), Service.DATA, 77, (), "", "base/data"),
        (("base",), Service.DATA, 2, (), "", "base/data#2"),
        (("base",), Service.DATA, 9, (), "", "base/free"),
        (("base", "addon"), Service.DATA, 2, (), "", "addon/video#2"),
        (("addon", "base"), Service.DATA, 2, (), "", "addon/video#2"),
        (("addon", "base"), Service.DATA, 1, (), "", "base/data"),
        (("base",), Service.VOICE, None, (), "", "base/voice"),
        (("base",), Service.VOICE, 100, (1000,), "", "base/ims"),
        (("base",), Service.VOICE, 100, (5, 1000), "", "base/ims"),
        (("base",), Service.VOICE, 100, (1000,), "4930123", "base/german>national"),
        (("base",), Service.VOICE, None, (), "4917123", "base/german>mobile"),
        (("base",), Service.VOICE, None, (), "33123", "base/voice"),
        (("unknown", "base"), Service.DATA, None, (), "", "base/data"),
        (("unknown",), Service.DATA, None, (), "", None),
        ((), Service.DATA, None, (), "", None),
        (("addon",), Service.DATA, 1, (), "", None),
        (("base",), Service.SMS, None, (), "", None),
    ],
)
def test_first_price_that_applies_is_taken(
    catalogue: Catalogue,
    offers: tuple[str, ...],
    service: Service,
    rating_group: int | None,
    service_identifiers: tuple[int, ...],
    called_party: str,
    expected: str | None,
) -> None:
    rate = catalogue.rate(
        offers, service, rating_group, service_identifiers, UsageContext(called_party), NOON
    )
    without_period = None if rate is None else rate.path
    assert without_period == expected


def test_rate_carries_everything_that_charging_needs(catalogue: Catalogue) -> None:
    rate = catalogue.rate(("base",), Service.VOICE, None, (), UsageContext("33123"), NOON)
    assert rate is not None
    assert rate.unit_type == UnitType.TIME
    assert (rate.price_micro, rate.price_units, rate.first_units, rate.step_units) == (200_000, 60, 60, 1)
    assert (rate.currency, rate.time_zone, rate.tax_class) == ("EUR", "Europe/Berlin", "standard")
    assert rate.catalogue_version == catalogue.version
    assert rate.quota.maximum_units == 3_600
    assert rate.changes_at_s == 0
    assert rate.credit_control_applicable


def test_service_that_need_not_be_metered_says_so(catalogue: Catalogue) -> None:
    rate = catalogue.rate(("base",), Service.DATA, 8, (), NO_CONTEXT, NOON)
    assert rate is not None
    assert not rate.credit_control_applicable
    assert rate.is_free


def test_equal_queries_get_the_same_object(catalogue: Catalogue) -> None:
    one = catalogue.rate(("base",), Service.DATA, 1, (), NO_CONTEXT, NOON)
    other = catalogue.rate(("base",), Service.DATA, 1, (), NO_CONTEXT, NOON + 5)
    assert one is other


# --- allowances ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "rating_group", "called_party", "at", "expected"),
    [
        (Service.DATA, None, "", "2026-11-04T12:00:00", {"any-data"}),
        (Service.DATA, None, "", "2026-11-04T05:59:59", {"any-data", "night-data"}),
        (Service.DATA, 2, "", "2026-11-04T12:00:00", {"any-data", "video"}),
        (Service.DATA, 2, "", "2026-11-04T00:00:00", {"any-data", "video", "night-data"}),
        (Service.DATA, 9, "", "2026-11-04T12:00:00", set()),
        (Service.VOICE, None, "4917123", "2026-11-04T12:00:00", {"mobile-minutes"}),
        (Service.VOICE, None, "4930123", "2026-11-04T12:00:00", set()),
        (Service.VOICE, None, "", "2026-11-04T12:00:00", set()),
    ],
)
def test_rate_names_the_allowances_that_may_pay(
    catalogue: Catalogue,
    service: Service,
    rating_group: int | None,
    called_party: str,
    at: str,
    expected: set[str],
) -> None:
    rate = catalogue.rate(("base",), service, rating_group, (), UsageContext(called_party), local(at))
    assert rate is not None
    assert rate.allowances == expected


def test_offer_tells_what_comes_with_it(catalogue: Catalogue) -> None:
    offer = catalogue.offer("base")
    assert offer is not None
    assert (offer.opening_micro, offer.credit_limit_micro, offer.name) == (1_500_000, 20_000_000, "base")
    (grant,) = offer.allowances
    assert (grant.allowance, grant.unit_type, grant.units, grant.validity_days) == (
        "any-data",
        UnitType.TOTAL_OCTETS,
        10**9,
        30,
    )
    assert catalogue.offer("unknown") is None
    assert [offer.offer_id for offer in catalogue.offers] == ["addon", "base", "nights-only"]


# --- time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "is_cheap", "changes_at"),
    [
        ("2026-11-04T12:00:00", False, "2026-11-04T20:00:00"),
        ("2026-11-04T19:59:59", False, "2026-11-04T20:00:00"),
        ("2026-11-04T20:00:00", True, "2026-11-05T08:00:00"),
        ("2026-11-06T20:00:00", True, "2026-11-09T00:00:00"),  # evening, weekend, and not Sunday's evening
        ("2026-11-07T07:00:00", True, "2026-11-09T00:00:00"),
        ("2026-11-09T00:00:00", False, "2026-11-09T20:00:00"),
        ("2026-12-24T21:00:00", True, "2026-12-28T00:00:00"),  # Christmas is a Friday
        ("2026-10-24T12:00:00", True, "2026-10-26T00:00:00"),  # the clocks go back
        ("2027-03-27T12:00:00", True, "2027-03-29T00:00:00"),  # and forward
        ("2026-11-30T21:00:00", True, "2026-12-01T08:00:00"),
        ("2026-12-31T21:00:00", True, "2027-01-01T08:00:00"),
    ],
)
def test_rate_changes_when_the_first_other_rate_applies(
    catalogue: Catalogue, at: str, is_cheap: bool, changes_at: str
) -> None:
    rate = catalogue.rate(("base",), Service.VOICE, None, (), UsageContext("4930123"), local(at))
    assert rate is not None
    assert rate.path == ("base/german-cheap@evening+weekend>national" if is_cheap else "base/german>national")
    assert rate.changes_at_s == local(changes_at)


def test_change_of_eligible_allowances_is_a_change_of_rate(catalogue: Catalogue) -> None:
    rate = catalogue.rate(("base",), Service.DATA, None, (), NO_CONTEXT, NOON)
    assert rate is not None
    assert rate.changes_at_s == local("2026-11-05T00:00:00")
    night = catalogue.rate(("base",), Service.DATA, None, (), NO_CONTEXT, rate.changes_at_s)
    assert night is not None
    assert night.path == "base/data~night-data"
    assert night.price_micro == rate.price_micro


def test_service_sold_at_night_only_cannot_be_rated_by_day(catalogue: Catalogue) -> None:
    offers = ("nights-only",)
    assert catalogue.rate(offers, Service.SMS, None, (), NO_CONTEXT, NOON) is None
    night = catalogue.rate(offers, Service.SMS, None, (), NO_CONTEXT, local("2026-11-05T00:00:00"))
    assert night is not None
    assert night.path == "nights-only/sms@night"
    assert night.changes_at_s == local("2026-11-05T06:00:00")
    assert catalogue.rate(offers, Service.SMS, None, (), NO_CONTEXT, night.changes_at_s) is None


def test_change_far_ahead_is_seen_when_it_comes_into_sight(load: Loader) -> None:
    text = OFFERS.replace('id = "night"\nfrom = "00:00"\nto = "06:00"', 'id = "night"\ndays = ["holiday"]')
    assert text != OFFERS
    catalogue = load(text)

    def allowances_and_change(at: str) -> tuple[bool, int]:
        rate = catalogue.rate(("base",), Service.DATA, None, (), NO_CONTEXT, local(at))
        assert rate is not None
        return "night-data" in rate.allowances, rate.changes_at_s

    assert allowances_and_change("2026-11-04T12:00:00") == (False, 0)
    assert allowances_and_change("2026-12-20T12:00:00") == (False, local("2026-12-25T00:00:00"))
    assert allowances_and_change("2026-12-25T12:00:00") == (True, local("2026-12-26T00:00:00"))
    assert allowances_and_change("2026-11-04T12:00:00") == (False, 0)
    assert allowances_and_change("2026-12-25T12:00:00") == (True, local("2026-12-26T00:00:00"))


def test_report_from_before_a_change_is_rated_as_of_then(catalogue: Catalogue) -> None:
    evening, noon = local("2026-11-04T20:00:00"), NOON
    for at, expected in [(evening, 50_000), (noon, 90_000), (evening, 50_000), (noon - 86_400, 90_000)]:
        rate = catalogue.rate(("base",), Service.VOICE, None, (), UsageContext("4930123"), at)
        assert rate is not None
        assert rate.price_micro == expected


queries = st.tuples(
    st.sampled_from(
        [
            ("prepaid-basic",),
            ("prepaid-basic", "prepaid-data-5g"),
            ("family-postpaid",),
            ("talk-and-text", "prepaid-basic"),
            ("iot-sensor",),
        ]
    ),
    st.sampled_from(list(Service)),
    st.sampled_from([None, 1, 2, 3, 8, 9, 100, 4_000_000_000]),
    st.sampled_from([(), (1000,), (7,)]),
    st.sampled_from(["", "4930123", "491711", "33612345678", "112", "88161234567", "alice"]).map(
        UsageContext
    ),
)
# Minutes around the changes of clocks in October 2026 and March 2027, Christmas and an ordinary week.
moments = st.builds(
    lambda start, minute: local(start) + minute * 60 + 7,
    st.sampled_from(
        ["2026-10-23T12:00:00", "2026-11-03T00:00:00", "2026-12-23T00:00:00", "2027-03-26T12:00:00"]
    ),
    st.integers(min_value=0, max_value=4 * 1_440),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(queries, moments), min_size=1, max_size=8))
def test_remembered_answers_equal_those_worked_out_anew(
    shipped: Catalogue,
    asked: list[tuple[tuple[tuple[str, ...], Service, int | None, tuple[int, ...], UsageContext], int]],
) -> None:
    written = shipped.to_bytes()
    for query, at in asked:
        remembered = shipped.rate(*query, at)
        fresh = Catalogue.from_bytes(written)
        assert remembered == fresh.rate(*query, at)


@settings(max_examples=60)
@given(queries, moments)
def test_rate_stays_until_it_says_and_changes_then(
    shipped: Catalogue,
    query: tuple[tuple[str, ...], Service, int | None, tuple[int, ...], UsageContext],
    at: int,
) -> None:
    rate = shipped.rate(*query, at)
    end = rate.changes_at_s if rate is not None and rate.changes_at_s else at + 3 * 86_400
    assert end > at
    for moment in [*range(at, end, 1_777), end - 1]:
        assert path(shipped.rate(*query, moment)) == path(rate)
    if rate is not None and rate.changes_at_s and not rate.counters:
        assert path(shipped.rate(*query, end)) != rate.path


# --- what the catalogue promises to its readers ------------------------------------------------------------


@settings(max_examples=60)
@given(queries, moments)
def test_rate_is_found_again_by_its_path(
    shipped: Catalogue,
    query: tuple[tuple[str, ...], Service, int | None, tuple[int, ...], UsageContext],
    at: int,
) -> None:
    rate = shipped.rate(*query, at)
    if rate is None:
        return
    for catalogue in (shipped, Catalogue.from_bytes(shipped.to_bytes())):
        again = catalogue.rate_at_path(rate.path)
        assert again is not None
        assert again.changes_at_s == 0
        assert (again.path, again.price_micro, again.allowances, again.quota) == (
            rate.path,
            rate.price_micro,
            rate.allowances,
            rate.quota,
        )


@pytest.mark.parametrize(
    "unknown",
    [
        "",
        "base",
        "base/nothing",
        "nothing/data",
        "base/data@night",
        "base/data>national",
        "base/data#7",
        "base/data~video",
        "base/data~unknown",
        "base/german-cheap>national",
        "base/data#99999999999999999999",
    ],
)
def test_path_of_another_version_leads_nowhere(catalogue: Catalogue, unknown: str) -> None:
    assert catalogue.rate_at_path(unknown) is None


def test_published_catalogue_is_rebuilt_under_its_version(catalogue: Catalogue) -> None:
    again = Catalogue.from_bytes(catalogue.to_bytes())
    assert again.version == catalogue.version
    assert again.to_bytes() == catalogue.to_bytes()
    assert (again.currency, again.time_zone, again.name) == ("EUR", "Europe/Berlin", "test")
    assert again.effective == date(2026, 11, 1)
    assert again.offers == catalogue.offers


def test_version_is_the_effective_date_and_a_digest_of_the_content(load: Loader) -> None:
    one = load(OFFERS)
    other = load(OFFERS.replace('amount = "0.09"', 'amount = "0.08"'))
    commented = load(OFFERS + "# prices since November\n")
    assert one.version.startswith("2026-11-01.")
    assert len(one.version) == len("2026-11-01.3fa94c1e")
    assert other.version != one.version
    assert commented.version == one.version


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"catalogue": 1}'])
def test_content_that_is_no_catalogue_is_refused(content: bytes) -> None:
    with pytest.raises(CatalogueError, match="published catalogue: expected a serialised catalogue"):
        Catalogue.from_bytes(content)


def test_published_catalogue_that_cannot_be_used_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(
        CatalogueError, match=r"published catalogue: catalogue\.currency: expected an ISO 4217 code"
    ):
        Catalogue.from_bytes(catalogue.to_bytes().replace(b'"EUR"', b'"ZZZ"'))


def test_rating_groups_from_the_network_do_not_fill_the_memory(load: Loader) -> None:
    catalogue = load(OFFERS)
    for rating_group in range(RATES_REMEMBERED + 100):
        catalogue.rate(("base",), Service.SMS, rating_group, (), NO_CONTEXT, NOON)
    assert len(catalogue._remembered) <= RATES_REMEMBERED
    for rating_group in range(1_000):
        catalogue.rate(("base",), Service.DATA, rating_group, (), NO_CONTEXT, NOON)
    assert len(catalogue._resolver.rates) < 20


def test_zone_of_a_number_can_be_asked(catalogue: Catalogue) -> None:
    assert catalogue.zone("01712345") == "mobile"
    assert catalogue.zone("33123") is None
