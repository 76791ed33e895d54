"""Is a request that came through agents meant for us? (RFC 6733 sections 6.1.3 and 6.1.4.) Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from ocs.diameter_gy.errors import LoopDetected, RealmNotServed, UnableToDeliver


@dataclass(frozen=True)
class RoutingPolicy:
    """The names under which requests may reach us, in lower case.

    Attributes:
        hosts: values of Destination-Host that are us.
        realms: values of Destination-Realm that are served here.
    """

    hosts: frozenset[str]
    realms: frozenset[str]

    @classmethod
    def of(cls, hosts: Iterable[str], realms: Iterable[str]) -> Self:
        """Make a policy from names in any case."""
        return cls(frozenset(map(str.lower, hosts)), frozenset(map(str.lower, realms)))

    def check(
        self, destination_host: str | None, destination_realm: str | None, route_records: Iterable[str]
    ) -> None:
        """Pass a request that is for local consumption (section 6.1.4); we forward nothing.

        Args:
            destination_host: None or empty when absent, which any host of the realm may serve.
            destination_realm: None or empty when absent.
            route_records: identities of the agents that the request came through.

        Raises:
            LoopDetected: we have forwarded it ourselves (section 6.1.3).
            RealmNotServed: Destination-Realm is another's.
            UnableToDeliver: Destination-Host is another node, which we cannot reach.
        """
        for agent in route_records:
            if agent.lower() in self.hosts:
                raise LoopDetected(f"Route-Record holds our own identity {agent}")
        if destination_realm and destination_realm.lower() not in self.realms:
            raise RealmNotServed(f"Destination-Realm {destination_realm} is not served here")
        if destination_host and destination_host.lower() not in self.hosts:
            raise UnableToDeliver(f"Destination-Host {destination_host} is not this node")
