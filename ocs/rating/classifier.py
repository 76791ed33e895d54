"""From the context of a request to its class: the few things that a catalogue tells apart."""

import re
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final

from ocs.limits import CALLED_NUMBERS_REMEMBERED
from ocs.messages import Profile, RoleOfNode, UsageContext
from ocs.rating.conditions import Circumstances, Conditions
from ocs.rating.errors import ExpectationError
from ocs.rating.schema import GroupTable, NetworkTable
from ocs.rating.zones import Destinations

# What a session with several media components is charged as: the first of these that it has.
_MEDIA_BY_WEIGHT: Final = ("video", "image", "application", "message", "text", "audio")
# TS 23.003 section 9.1: what follows the network identifier of an access point's name.
_OPERATOR_IDENTIFIER: Final = re.compile(r"\.mnc[0-9]{2,3}\.mcc[0-9]{3}\.gprs$")


class Networks:
    """Finds the group of a serving network, and whether it is a home network."""

    def __init__(self, tables: Iterable[NetworkTable]) -> None:
        """Index the groups.

        Raises:
            ExpectationError: a prefix is not MCC and MNC digits, or stands in two groups; the key begins with
                ``networks[id]``.
        """
        self._prefixes: dict[str, str] = {}
        self._home: set[str] = set()
        for table in tables:
            if not table.prefixes:
                raise ExpectationError(f"networks[{table.id}].prefixes", "expected at least one prefix")
            if table.home:
                self._home.add(table.id)
            for prefix in table.prefixes:
                self._add(table.id, prefix)
        self._presumed = next(iter(self._home)) if len(self._home) == 1 else None
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)

    def _add(self, network_id: str, prefix: str) -> None:
        key = f"networks[{network_id}].prefixes"
        if not (prefix.isascii() and prefix.isdigit() and len(prefix) <= 6):
            raise ExpectationError(key, f"expected MCC and MNC digits, six at most, got {prefix!r}")
        other = self._prefixes.setdefault(prefix, network_id)
        if other != network_id:
            raise ExpectationError(
                key, f"expected each prefix in one group, but {prefix!r} is in {other} too"
            )

    @property
    def has_home(self) -> bool:
        """Whether roaming can be told."""
        return bool(self._home)

    def group_of(self, serving_network: str) -> str | None:
        """Name the group of a network by the longest prefix, None when it is in none.

        An unknown one is taken for home, as in :meth:`is_roaming`, where that is one group.
        """
        if not serving_network:
            return self._presumed
        for length in self._lengths:
            group = self._prefixes.get(serving_network[:length])
            if group is not None:
                return group
        return None

    def is_roaming(self, serving_network: str) -> bool:
        """Whether a network is another than the home ones; an unknown one is taken for home."""
        return bool(self._home) and bool(serving_network) and self.group_of(serving_network) not in self._home


class Classifier:
    """Brings contexts of one service into classes; there are only as many as the catalogue's conditions tell apart."""

    def __init__(
        self,
        conditions: Iterable[Conditions],
        destinations: Destinations,
        networks: Networks,
        groups: Iterable[GroupTable],
        *,
        has_emergency_calls: bool = False,
    ) -> None:
        """Note what has to be read.

        Args:
            conditions: of everything that a price of the service may depend on.
            destinations: tell the zones. networks: tell the group of a serving network. groups: closed user groups.
            has_emergency_calls: the zone matters, whether or not a price asks for it.
        """
        self._destinations = destinations
        self._networks = networks
        self._groups = {
            table.id: (frozenset(table.numbers), tuple(sorted(table.prefixes))) for table in groups
        }
        asked = tuple(conditions)
        self._tells_zones = has_emergency_calls or any(c.zones for c in asked)
        self._calling_zones = _union(c.calling_zones for c in asked)
        self._network_groups = _union(c.networks for c in asked)
        self._tells_roaming = any(c.roaming is not None for c in asked)
        self._access_points = _union(c.access_points for c in asked)
        self._rat_types = _union(c.rat_types for c in asked)
        self._roles: frozenset[RoleOfNode] = frozenset().union(*(c.roles for c in asked))
        self._media = _union(c.media for c in asked)
        self._message_types = _union(c.message_types for c in asked)
        self._applications = _union(c.applications for c in asked)
        self._asks_favourites = any(c.favourites for c in asked)
        self._group_ids = _union(c.groups for c in asked)
        self._asks_profile = self._asks_favourites or bool(self._group_ids)
        # Only what is asked about is read, so that a location or number that changes does not make a new entry.
        fields = self._fields_read()
        self._facts: Callable[[UsageContext], Any] = attrgetter(*fields) if fields else _nothing
        self._remembered: dict[Any, Circumstances] = {}

    def _fields_read(self) -> list[str]:
        asked = {
            "called_party": self._tells_zones or self._asks_profile,
            "calling_party": bool(self._calling_zones) or self._asks_profile,
            "serving_network": bool(self._network_groups) or self._tells_roaming,
            "access_point_name": bool(self._access_points),
            "rat_type": bool(self._rat_types),
            "role_of_node": bool(self._roles) or self._asks_profile,
            "media": bool(self._media),
            "message_type": bool(self._message_types),
            "application": bool(self._applications),
        }
        return [name for name, is_asked in asked.items() if is_asked]

    def classify(self, context: UsageContext, profile: Profile) -> Circumstances:
        """The class of a use."""
        facts = self._facts(context)
        if self._asks_profile and (profile.favourites or profile.groups):
            facts = (facts, profile.favourites, profile.groups)
        try:
            return self._remembered[facts]
        except KeyError:
            pass
        # Numbers come from the network, so remembering them needs a bound; refilling an emptied memory is cheap.
        if len(self._remembered) >= CALLED_NUMBERS_REMEMBERED:
            self._remembered.clear()
        known = self._remembered[facts] = self._classify(context, profile)
        return known

    def _classify(self, context: UsageContext, profile: Profile) -> Circumstances:
        network = self._networks.group_of(context.serving_network)
        access_point = _OPERATOR_IDENTIFIER.sub("", context.access_point_name)
        medium = _medium(context.media)
        zone = self._destinations.zone_of(context.called_party) if self._tells_zones else None
        calling_zone = (
            self._destinations.zone_of(context.calling_party)
            if self._calling_zones and context.calling_party
            else None
        )
        return Circumstances(
            zone=zone,
            calling_zone=calling_zone if calling_zone in self._calling_zones else None,
            network=network if network in self._network_groups else None,
            is_roaming=self._tells_roaming and self._networks.is_roaming(context.serving_network),
            access_point=_if_asked(access_point, self._access_points),
            rat_type=_if_asked(context.rat_type, self._rat_types),
            role=context.role_of_node if context.role_of_node in self._roles else None,
            media=_if_asked(medium, self._media),
            message_type=_if_asked(context.message_type, self._message_types),
            application=_if_asked(context.application, self._applications),
            is_favourite=self._asks_favourites and self._is_favourite(context, profile),
            groups=self._shared_groups(context, profile),
        )

    def _other_party(self, context: UsageContext) -> str:
        """The number at the other end, with country code: who calls a called subscriber, else who is called."""
        if context.role_of_node is RoleOfNode.TERMINATING:
            return self._destinations.international_form(context.calling_party)
        return self._destinations.international_form(context.called_party)

    def _is_favourite(self, context: UsageContext, profile: Profile) -> bool:
        return bool(profile.favourites) and self._other_party(context) in profile.favourites

    def _shared_groups(self, context: UsageContext, profile: Profile) -> frozenset[str]:
        if not self._group_ids or not profile.groups:
            return frozenset()
        other = self._other_party(context)
        return frozenset(
            group_id
            for group_id in profile.groups
            if group_id in self._group_ids and other and self._is_member(group_id, other)
        )

    def _is_member(self, group_id: str, number: str) -> bool:
        numbers, prefixes = self._groups[group_id]
        return number in numbers or (bool(prefixes) and number.startswith(prefixes))


def _nothing(_context: UsageContext) -> None:
    """The facts of a service whose prices ask for none."""


def _medium(media: tuple[str, ...]) -> str:
    """The component that a session with several is charged as."""
    return next((medium for medium in _MEDIA_BY_WEIGHT if medium in media), min(media) if media else "")


def _if_asked(value: str, asked: frozenset[str]) -> str:
    return value if value in asked else ""


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*sets)
