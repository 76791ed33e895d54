"""What prices, allowances and discounts may ask of a use, and how much they ask.

The order of specificity is the order in which prices of one offer are tried: of two prices that both fit, the one that
asks for something earlier in ``_ORDER`` wins, whatever they ask for later in it.
"""

from typing import Final, TypeVar

import msgspec

from ocs.messages import RoleOfNode

_Value = TypeVar("_Value", str, int)

# From the most to the least specific. An emergency call is one from anywhere and for anybody; who talks to whom comes
# before where, where before how, and the time is last.
_ORDER: Final = (
    "is_emergency",
    "groups",
    "favourites",
    "networks",
    "roaming",
    "roles",
    "zones",
    "calling_zones",
    "message_types",
    "media",
    "applications",
    "access_points",
    "rat_types",
    "service_identifiers",
    "rating_groups",
    "periods",
)
# A request can meet two of these at once: an ambiguity that the written order settles.
_SEVERAL: Final = frozenset({"service_identifiers", "groups"})
_SINGLE: Final = (
    "networks", "roles", "zones", "calling_zones", "message_types", "media", "applications", "access_points",
    "rat_types", "rating_groups",
)  # fmt: skip
# What a tariff path says by itself: the zone and the rating group stand in it.
_TOLD_BY_PATH: Final = frozenset({"zones", "rating_groups", "periods", "is_emergency"})


class Circumstances(msgspec.Struct, frozen=True, cache_hash=True):
    """The class of a use: what of its context the catalogue can tell apart; empty where it does not matter.

    Attributes:
        zone: of the called number. calling_zone: of the calling one.
        network: group of the serving network.
        groups: closed user groups that subscriber and other party share.
    """

    zone: str | None = None
    calling_zone: str | None = None
    network: str | None = None
    is_roaming: bool = False
    access_point: str = ""
    rat_type: str = ""
    role: RoleOfNode | None = None
    media: str = ""
    message_type: str = ""
    application: str = ""
    is_favourite: bool = False
    groups: frozenset[str] = frozenset()


class Conditions(msgspec.Struct, frozen=True):
    """What must hold for a use; an empty set, None or False is no restriction.

    Attributes:
        is_emergency: all of ``zones`` are emergency numbers.
    """

    rating_groups: frozenset[int] = frozenset()
    service_identifiers: frozenset[int] = frozenset()
    zones: frozenset[str] = frozenset()
    calling_zones: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    roaming: bool | None = None
    access_points: frozenset[str] = frozenset()
    rat_types: frozenset[str] = frozenset()
    roles: frozenset[RoleOfNode] = frozenset()
    media: frozenset[str] = frozenset()
    message_types: frozenset[str] = frozenset()
    applications: frozenset[str] = frozenset()
    favourites: bool = False
    groups: frozenset[str] = frozenset()
    periods: frozenset[str] = frozenset()
    is_emergency: bool = False

    @property
    def specificity(self) -> tuple[bool, ...]:
        """How much is asked for, in the order of importance: the greater is tried first."""
        return tuple(self._asks(name) for name in _ORDER)

    @property
    def is_told_by_path(self) -> bool:
        """Whether zone, rating group and time alone decide, which a tariff path says anyway."""
        return not any(self._asks(name) for name in _ORDER if name not in _TOLD_BY_PATH)

    def hold(
        self, rating_group: int | None, service_identifiers: tuple[int, ...], circumstances: Circumstances
    ) -> bool:
        """Whether they hold for a use at some time; the periods are another question."""
        use = circumstances
        return (
            _admits(self.zones, use.zone)
            and (not self.rating_groups or rating_group in self.rating_groups)
            and (not self.service_identifiers or not self.service_identifiers.isdisjoint(service_identifiers))
            and _admits(self.calling_zones, use.calling_zone)
            and _admits(self.networks, use.network)
            and (self.roaming is None or self.roaming == use.is_roaming)
            and _admits(self.access_points, use.access_point)
            and _admits(self.rat_types, use.rat_type)
            and (not self.roles or use.role in self.roles)
            and _admits(self.media, use.media)
            and _admits(self.message_types, use.message_type)
            and _admits(self.applications, use.application)
            and (not self.favourites or use.is_favourite)
            and (not self.groups or not self.groups.isdisjoint(use.groups))
        )

    def can_meet(self, other: "Conditions") -> bool:
        """Whether one use could fulfil both, whatever the time; both ask for the same things.

        A use with several service identifiers, or parties in several closed user groups, may meet two that name
        different ones; the one written first is taken then, and only naming the same one is an ambiguity.
        """
        return self.roaming == other.roaming and all(
            _overlap(getattr(self, name), getattr(other, name)) for name in (*_SINGLE, *_SEVERAL)
        )

    def _asks(self, name: str) -> bool:
        value = getattr(self, name)
        return value is not None if name == "roaming" else bool(value)


def _admits(allowed: frozenset[str], value: str | None) -> bool:
    return not allowed or value in allowed


def _overlap(one: frozenset[_Value], other: frozenset[_Value]) -> bool:
    return not one or not one.isdisjoint(other)
