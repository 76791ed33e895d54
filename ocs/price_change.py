"""After a catalogue was published: which open sessions have grants whose use costs something else from now on.

What is granted stays at the price that it was granted at. Who wants the new prices to hold at once has the gateways of
these sessions report and ask again; the rest find them with their next request.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction

from ocs.balance.model import Session, SessionService, Subscriber
from ocs.diameter_gy.session_demand import DemandKind, SessionDemand
from ocs.rating import Catalogue, Rate
from ocs.reauthoriser import demands_on

ReadCatalogue = Callable[[str], Catalogue]
FindSubscriber = Callable[[str, str], Subscriber | None]


class PriceChange:
    """Tells for whom a catalogue changes the price of what is granted.

    Args:
        catalogue: that is in force now. read: gives the one that a grant was made under, by its version.
        find: a subscriber, by account and id.
        now_s: epoch second at which prices are compared.
    """

    def __init__(
        self, catalogue: Catalogue, *, read: ReadCatalogue, find: FindSubscriber, now_s: int
    ) -> None:
        self._catalogue = catalogue
        self._read = read
        self._find = find
        self._now_s = now_s
        self._known = {catalogue.version: catalogue}

    def demands(self, sessions: Iterable[Session]) -> list[SessionDemand]:
        """What the gateways of open sessions are asked: to come again with the rating groups whose price changed.

        Raises:
            StoreRefusedError, CatalogueError: as ``read`` does.
        """
        found: list[SessionDemand] = []
        for session in sessions:
            older = [
                service
                for service in session.services
                if service.granted_units and service.catalogue_version != self._catalogue.version
            ]
            subscriber = self._find(session.account_id, session.subscriber_id) if older else None
            if subscriber is None:
                continue
            changed = [each.rating_group for each in older if self._differs(session, subscriber, each)]
            if changed:
                # What has no rating group cannot be named: then all of the session is meant.
                groups = () if None in changed else tuple(group for group in changed if group is not None)
                found += demands_on([session], DemandKind.REAUTHORISE, groups)
        return found

    def _differs(self, session: Session, subscriber: Subscriber, service: SessionService) -> bool:
        before, now = (
            catalogue.rate(
                subscriber.offers,
                session.service,
                service.rating_group,
                service.service_identifiers,
                session.context,
                self._now_s,
                subscriber.profile,
            )
            for catalogue in (self._version(service.catalogue_version), self._catalogue)
        )
        if before is None or now is None:
            return before is not now
        return _price(before) != _price(now)

    def _version(self, version: str) -> Catalogue:
        if version not in self._known:
            self._known[version] = self._read(version)
        return self._known[version]


def _price(rate: Rate) -> tuple[object, ...]:
    """What of a rate makes an amount: not what it is called, and not how much is granted at a time."""
    return (
        rate.unit_type,
        Fraction(rate.price_micro, rate.price_units),
        rate.first_units,
        rate.step_units,
        rate.connection_fee_micro,
        rate.currency,
        rate.allowances,
        rate.allowance_only,
        rate.credit_control_applicable,
        rate.counters,
        rate.tiers,
        rate.caps,
        rate.is_per_recipient,
        rate.tax_parts_per_million,
    )
