"""What the process around the API brings to it."""

from typing import TYPE_CHECKING, Protocol

from ocs.api.alarms.office import AlarmSide
from ocs.api.tmf.sql_side import SqlSide
from ocs.api.views import CatalogueView
from ocs.rating import Catalogue
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.voucher_service import VoucherService

if TYPE_CHECKING:
    from ocs.provisioning.services.planner import ServicePlanner


class Backstage(Protocol):
    """What the process around the API brings: the offers of today, and the way to gateways."""

    @property
    def alarms(self) -> AlarmSide:
        """The alarm list, wherever its owner runs."""
        ...

    @property
    def sql(self) -> SqlSide:
        """The inventory and the journal of transactions."""
        ...

    def service_planner(self) -> "ServicePlanner":
        """Who knows which elements an order for a service concerns."""
        ...

    def service(self) -> SubscriberService:
        """What moves balances, with the offers of today."""
        ...

    def vouchers(self, *, may_create: bool = False) -> VoucherService:
        """What redeems vouchers.

        Args:
            may_create: make their key when there is none yet, as with the first batch.

        Raises:
            OperationError: vouchers are not set up here.
        """
        ...

    def catalogue(self) -> Catalogue:
        """The catalogue in force."""
        ...

    def publications(self) -> tuple[CatalogueView, ...]:
        """Which catalogues are, were and will be in force."""
        ...

    def reauthorise(self, *, session_id: str, account_id: str) -> int:
        """Have gateways report and ask again; returns for how many sessions."""
        ...
