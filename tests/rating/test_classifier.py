from datetime import date

import pytest

from ocs.limits import CALLED_NUMBERS_REMEMBERED
from ocs.messages import NO_CONTEXT, NO_PROFILE, Profile, RoleOfNode, UsageContext
from ocs.rating.classifier import Classifier, Networks
from ocs.rating.conditions import Circumstances, Conditions
from ocs.rating.errors import ExpectationError
from ocs.rating.schema import CatalogueTable, GroupTable, NetworkTable, ZoneTable
from ocs.rating.zones import Destinations

HEADER = CatalogueTable(
    name="n", currency="EUR", time_zone="UTC", effective=date(2026, 11, 1), country_code="49",
    national_prefix="0", international_prefix="00",
)  # fmt: skip
DESTINATIONS = Destinations(
    [ZoneTable(id="national", prefixes=("49",)), ZoneTable(id="france", prefixes=("33",))], HEADER
)
NETWORKS = (
    NetworkTable(id="home", prefixes=("26201", "26278"), home=True),
    NetworkTable(id="eu", prefixes=("262", "208", "23430")),
    NetworkTable(id="uk", prefixes=("234",)),
)
GROUPS = (
    GroupTable(id="acme", numbers=("49301",), prefixes=("4940", "4989")),
    GroupTable(id="club", numbers=("49301", "49302")),
)
EVERYTHING = Conditions(
    zones=frozenset({"national"}),
    calling_zones=frozenset({"france"}),
    networks=frozenset({"eu"}),
    roaming=True,
    access_points=frozenset({"internet"}),
    rat_types=frozenset({"nr"}),
    roles=frozenset({RoleOfNode.TERMINATING}),
    media=frozenset({"video"}),
    message_types=frozenset({"submission"}),
    applications=frozenset({"chat"}),
    favourites=True,
    groups=frozenset({"acme", "club"}),
)


def classifier(*conditions: Conditions) -> Classifier:
    return Classifier(conditions, DESTINATIONS, Networks(NETWORKS), GROUPS)


FULL = classifier(EVERYTHING)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (NO_CONTEXT, Circumstances()),
        (UsageContext(called_party="030123"), Circumstances(zone="national")),
        (UsageContext(calling_party="+33612"), Circumstances(calling_zone="france")),
        (UsageContext(calling_party="4930"), Circumstances()),
        (UsageContext(serving_network="20801"), Circumstances(network="eu", is_roaming=True)),
        (UsageContext(serving_network="26201"), Circumstances()),
        (UsageContext(serving_network="26202"), Circumstances(network="eu", is_roaming=True)),
        (UsageContext(serving_network="23415"), Circumstances(is_roaming=True)),
        (UsageContext(serving_network="310410"), Circumstances(is_roaming=True)),
        (UsageContext(access_point_name="internet"), Circumstances(access_point="internet")),
        (
            UsageContext(access_point_name="internet.mnc001.mcc262.gprs"),
            Circumstances(access_point="internet"),
        ),
        (UsageContext(access_point_name="ims"), Circumstances()),
        (UsageContext(rat_type="nr"), Circumstances(rat_type="nr")),
        (UsageContext(rat_type="eutran"), Circumstances()),
        (UsageContext(media=("audio", "video")), Circumstances(media="video")),
        (UsageContext(media=("audio",)), Circumstances()),
        (UsageContext(message_type="submission"), Circumstances(message_type="submission")),
        (UsageContext(application="chat"), Circumstances(application="chat")),
        (UsageContext(role_of_node=RoleOfNode.TERMINATING), Circumstances(role=RoleOfNode.TERMINATING)),
        (UsageContext(role_of_node=RoleOfNode.ORIGINATING), Circumstances()),
    ],
)
def test_context_is_told_by_what_the_catalogue_asks(context: UsageContext, expected: Circumstances) -> None:
    assert FULL.classify(context, NO_PROFILE) == expected


def test_what_nobody_asks_about_does_not_make_a_class_nor_an_entry() -> None:
    plain = classifier(Conditions(zones=frozenset({"national"})))
    context = UsageContext(
        called_party="4930", calling_party="33612", serving_network="20801", rat_type="nr", user_location="01"
    )
    first = plain.classify(context, Profile(favourites=("4930",), groups=("acme",)))
    assert first == Circumstances(zone="national")
    assert plain.classify(UsageContext(called_party="4930"), NO_PROFILE) is first


@pytest.mark.parametrize(
    ("context", "is_favourite"),
    [
        (UsageContext(called_party="030123"), True),
        (UsageContext(called_party="004930123"), True),
        (UsageContext(called_party="+4930123"), True),
        (UsageContext(called_party="4930124"), False),
        (UsageContext(calling_party="4930123"), False),
        (UsageContext("4917", "4930123", role_of_node=RoleOfNode.TERMINATING), True),
        (UsageContext("4930123", "4917", role_of_node=RoleOfNode.TERMINATING), False),
        (UsageContext("4930123", "4917", role_of_node=RoleOfNode.FORWARDING), True),
    ],
)
def test_favourite_is_the_party_at_the_other_end(context: UsageContext, *, is_favourite: bool) -> None:
    assert FULL.classify(context, Profile(favourites=("4930123",))).is_favourite is is_favourite
    assert not FULL.classify(context, NO_PROFILE).is_favourite


@pytest.mark.parametrize(
    ("conditions", "stranger"),
    [
        (Conditions(favourites=True), Profile(favourites=("49309",), groups=("acme",))),
        (Conditions(groups=frozenset({"acme"})), Profile(favourites=("49301",), groups=("club",))),
    ],
)
def test_who_is_at_the_other_end_is_read_for_every_call_and_subscriber(
    conditions: Conditions, stranger: Profile
) -> None:
    asked = classifier(conditions)
    profile = Profile(favourites=("49301",), groups=("acme",))
    called = UsageContext("49301", "49302")

    def is_known(context: UsageContext, who: Profile) -> bool:
        use = asked.classify(context, who)
        return use.is_favourite or bool(use.groups)

    assert is_known(called, profile)
    assert not is_known(called, stranger)
    received = UsageContext("49301", "49302", role_of_node=RoleOfNode.TERMINATING)
    assert not is_known(received, profile)
    assert is_known(UsageContext("49301", "49301", role_of_node=RoleOfNode.TERMINATING), profile)


@pytest.mark.parametrize(
    ("called", "groups", "shared"),
    [
        ("49301", ("acme",), {"acme"}),
        ("49301", ("club", "acme"), {"acme", "club"}),
        ("49302", ("acme",), set()),
        ("49302", ("club", "unknown"), {"club"}),
        ("040555", ("acme",), {"acme"}),
        ("49895", ("acme",), {"acme"}),
        ("", ("acme", "club"), set()),
        ("49301", (), set()),
    ],
)
def test_closed_user_group_takes_both_ends(called: str, groups: tuple[str, ...], shared: set[str]) -> None:
    context = UsageContext(called_party=called)
    assert FULL.classify(context, Profile(groups=groups)).groups == shared


def test_session_with_components_that_nobody_ranked_has_one_class_in_any_order() -> None:
    asked = classifier(Conditions(media=frozenset({"b", "a"})))
    for media in (("a", "b"), ("b", "a")):
        assert asked.classify(UsageContext(media=media), NO_PROFILE).media == "a"


def test_network_that_nobody_names_is_the_home_one_where_there_is_one_group_of_these() -> None:
    asked = classifier(Conditions(networks=frozenset({"home"})))
    assert asked.classify(NO_CONTEXT, NO_PROFILE) == Circumstances(network="home")
    assert asked.classify(UsageContext(serving_network="310410"), NO_PROFILE) == Circumstances()
    two = Networks((*NETWORKS, NetworkTable(id="other", prefixes=("901",), home=True)))
    assert two.group_of("") is None
    assert Networks(NETWORKS[1:]).group_of("") is None


def test_without_a_home_network_nobody_roams() -> None:
    networks = Networks([NetworkTable(id="eu", prefixes=("262",))])
    assert not networks.has_home
    assert not networks.is_roaming("310410")


@pytest.mark.parametrize(
    ("tables", "key"),
    [
        ((NetworkTable(id="n", prefixes=()),), "networks[n].prefixes"),
        ((NetworkTable(id="n", prefixes=("26 2",)),), "networks[n].prefixes"),
        ((NetworkTable(id="n", prefixes=("2620123",)),), "networks[n].prefixes"),
        ((*NETWORKS, NetworkTable(id="n", prefixes=("262",))), "networks[n].prefixes"),
    ],
)
def test_networks_that_cannot_decide_are_refused(tables: tuple[NetworkTable, ...], key: str) -> None:
    with pytest.raises(ExpectationError) as caught:
        Networks(tables)
    assert caught.value.key == key


def test_numbers_from_the_network_do_not_fill_the_memory() -> None:
    asked = classifier(EVERYTHING)
    for number in range(CALLED_NUMBERS_REMEMBERED + 10):
        asked.classify(UsageContext(called_party=f"49{number}"), NO_PROFILE)
    assert len(asked._remembered) <= CALLED_NUMBERS_REMEMBERED
