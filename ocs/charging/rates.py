"""Which rate prices one service of one request: the subscriber's offers, the circumstances and the moment decide."""

from ocs.balance.model import SessionService
from ocs.charging.decision import State
from ocs.charging.tariffs import Tariffs
from ocs.charging.usage import counts_nothing
from ocs.messages import NO_PROFILE, MultipleServicesCreditControl, Service, ServiceUnit, UsageContext
from ocs.rating import Rate


class RateFinder:
    """Asks the tariffs on behalf of one account and subscriber.

    Attributes:
        now_s: the moment of the decision, epoch seconds: whose tariff a new grant gets.
    """

    __slots__ = ("_context", "_service", "_state", "_tariffs", "now_s")

    def __init__(
        self, state: State, tariffs: Tariffs, service: Service, context: UsageContext, now_s: int
    ) -> None:
        self._state = state
        self._tariffs = tariffs
        self._service = service
        self._context = context
        self.now_s = now_s

    def at(self, asked: MultipleServicesCreditControl, unit: ServiceUnit, at_s: int) -> Rate | None:
        """The rate of a service at a moment.

        Args:
            unit: what is asked for or reported: CC-Money alone has a rate of its own.

        Returns:
            None when no price applies, or none in the account's currency (DIAMETER_RATING_FAILED): money is never
            converted on the way.
        """
        currency, money = self._state.account.currency, unit.money
        if money is not None and counts_nothing(unit):
            return self._tariffs.money(currency) if money.currency == currency else None
        subscriber = self._state.subscriber
        rate = self._tariffs.rate(
            () if subscriber is None else subscriber.offers,
            self._service,
            asked.rating_group,
            asked.service_identifiers,
            self._context,
            at_s,
            NO_PROFILE if subscriber is None else subscriber.profile,
        )
        return rate if rate is None or rate.currency == currency else None

    def held(self, service: SessionService) -> Rate | None:
        """The rate under which a service's grant was made; None when it has none, or its catalogue is not known."""
        path = service.tariff_path
        return self._tariffs.held_rate(service.catalogue_version, path) if path else None

    def after_switch(self, service: SessionService) -> Rate | None:
        """The rate of what is used of the open grant after its Tariff-Time-Change."""
        path = service.after_path
        return self._tariffs.held_rate(service.catalogue_version, path) if path else None
