import msgspec
import pytest

from ocs.messages import RoleOfNode
from ocs.rating.conditions import Circumstances, Conditions

SOMEWHERE = Circumstances()

# Every condition alone, from the least specific to the most, with a use that it holds for.
LADDER: list[tuple[Conditions, int | None, tuple[int, ...], Circumstances]] = [
    (Conditions(periods=frozenset({"night"})), None, (), SOMEWHERE),
    (Conditions(rating_groups=frozenset({1, 2})), 2, (), SOMEWHERE),
    (Conditions(service_identifiers=frozenset({1000})), None, (5, 1000), SOMEWHERE),
    (Conditions(rat_types=frozenset({"nr"})), None, (), Circumstances(rat_type="nr")),
    (Conditions(access_points=frozenset({"ims"})), None, (), Circumstances(access_point="ims")),
    (Conditions(applications=frozenset({"chat"})), None, (), Circumstances(application="chat")),
    (Conditions(media=frozenset({"video"})), None, (), Circumstances(media="video")),
    (Conditions(message_types=frozenset({"submission"})), None, (), Circumstances(message_type="submission")),
    (Conditions(calling_zones=frozenset({"national"})), None, (), Circumstances(calling_zone="national")),
    (Conditions(zones=frozenset({"national"})), None, (), Circumstances(zone="national")),
    (
        Conditions(roles=frozenset({RoleOfNode.ORIGINATING})),
        None,
        (),
        Circumstances(role=RoleOfNode.ORIGINATING),
    ),
    (Conditions(roaming=True), None, (), Circumstances(is_roaming=True)),
    (Conditions(networks=frozenset({"eu"})), None, (), Circumstances(network="eu")),
    (Conditions(favourites=True), None, (), Circumstances(is_favourite=True)),
    (Conditions(groups=frozenset({"acme"})), None, (), Circumstances(groups=frozenset({"acme", "b"}))),
    (Conditions(zones=frozenset({"112"}), is_emergency=True), None, (), Circumstances(zone="112")),
]


def test_each_condition_is_more_specific_than_all_those_after_it_together() -> None:
    below: list[tuple[bool, ...]] = []
    for conditions, *_ in LADDER:
        together = tuple(any(column) for column in zip(*below, strict=True)) if below else ()
        assert conditions.specificity > together
        below.append(conditions.specificity)
    assert Conditions().specificity < LADDER[0][0].specificity


@pytest.mark.parametrize(("conditions", "rating_group", "identifiers", "use"), LADDER[1:])
def test_condition_holds_for_its_use_and_for_no_other(
    conditions: Conditions, rating_group: int | None, identifiers: tuple[int, ...], use: Circumstances
) -> None:
    assert conditions.hold(rating_group, identifiers, use)
    assert Conditions().hold(rating_group, identifiers, use)
    assert not conditions.hold(7, (7,), SOMEWHERE)


def test_home_only_is_a_condition_too() -> None:
    home = Conditions(roaming=False)
    assert home.hold(None, (), SOMEWHERE)
    assert not home.hold(None, (), Circumstances(is_roaming=True))
    assert home.specificity == Conditions(roaming=True).specificity
    assert not home.can_meet(Conditions(roaming=True))


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("rating_groups", {1}, {2}),
        ("service_identifiers", {1}, {2}),
        ("zones", {"a"}, {"b"}),
        ("calling_zones", {"a"}, {"b"}),
        ("networks", {"a"}, {"b"}),
        ("access_points", {"a"}, {"b"}),
        ("rat_types", {"a"}, {"b"}),
        ("roles", {RoleOfNode.ORIGINATING}, {RoleOfNode.TERMINATING}),
        ("media", {"a"}, {"b"}),
        ("message_types", {"a"}, {"b"}),
        ("applications", {"a"}, {"b"}),
        ("groups", {"a"}, {"b"}),
    ],
)
def test_two_that_have_nothing_in_common_do_not_meet(field: str, one: set[str], other: set[str]) -> None:
    def asking(values: set[str]) -> Conditions:
        return msgspec.structs.replace(Conditions(), **{field: frozenset(values)})

    assert not asking(one).can_meet(asking(other))
    assert asking(one | other).can_meet(asking(other))


def test_zone_rating_group_and_time_are_told_by_a_tariff_path() -> None:
    for conditions, *_ in LADDER:
        told = bool(conditions.zones or conditions.rating_groups or conditions.periods)
        assert conditions.is_told_by_path == told
