"""What the HTTP process brings to its API: offers of today, services on the store, the way to gateways. Blocking."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ocs.alarm_history import SqlAlarmHistory
from ocs.alarm_names import resource_names
from ocs.api.alarms.office import AlarmSide
from ocs.api.tmf.resources import date_time
from ocs.api.tmf.sql_side import SqlSide
from ocs.api.views import CatalogueView
from ocs.balance.barrier import Barrier
from ocs.balance.client import BalanceClient
from ocs.balance.model import SessionState
from ocs.balance.redis_stream import StoreServers
from ocs.balance.store_client import StoreClient
from ocs.catalogue_schedule import in_force, read_catalogue, read_schedule
from ocs.clock import Clock
from ocs.diameter_gy.session_demand import DemandKind
from ocs.faults.store.desk import AlarmDesk
from ocs.faults.store.desk_door import RedisDeskDoor
from ocs.faults.store.reader import AlarmReader
from ocs.faults.view.follower import AlarmFollower
from ocs.limits import CATALOGUE_LOOK_INTERVAL_S
from ocs.log import get_logger
from ocs.rating import Catalogue
from ocs.reauthoriser import Reauthoriser, demands_on
from ocs.secret_file import SecretFileError
from ocs.settings import Settings
from ocs.subscribers.operations import OperationError, account_rules
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.voucher_secret import voucher_secret
from ocs.subscribers.voucher_service import VoucherService

if TYPE_CHECKING:
    from ocs.provisioning.services.planner import ServicePlanner
    from ocs.sql import Database

log = get_logger(__name__)


class LazyDatabase:
    """Gives the SQL database, with our schema; threads share it. SQLAlchemy is loaded by the first who asks."""

    def __init__(self, settings: Settings, data_dir: Path) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._lock = threading.Lock()
        self._database: Database | None = None

    def __call__(self) -> "Database":
        """The database; blocks.

        Raises:
            SqlError: it cannot be used.
        """
        from ocs.migrations import upgrade_schema
        from ocs.sql import Database, database_url

        with self._lock:
            if self._database is None:
                database = Database(database_url(self._settings, self._data_dir))
                upgrade_schema(database)
                self._database = database
            return self._database


class StoreBackstage:
    """The offers in force, looked for again when they may have changed; threads may share it.

    Args:
        connection: where catalogues are published. client: commits.
        settings: the operator's rules. data_dir: where the vouchers' key lies unless a setting names it.
        reauthoriser: brings changes to gateways; must be running when it is asked.
    """

    def __init__(
        self,
        connection: StoreClient,
        client: BalanceClient,
        clock: Clock,
        settings: Settings,
        data_dir: Path,
        reauthoriser: Reauthoriser,
    ) -> None:
        self._store = connection
        self._client = client
        self._clock = clock
        self._settings = settings
        self._data_dir = data_dir
        self._reauthoriser = reauthoriser
        barrier = Barrier.from_settings(settings.store)
        self.alarms = AlarmSide(
            AlarmFollower(AlarmReader(StoreServers(connection.address)), resource_names(settings)),
            AlarmDesk(RedisDeskDoor(connection, barrier)),
            SqlAlarmHistory(settings, data_dir),
        )
        self.sql = SqlSide(LazyDatabase(settings, data_dir))
        self._lock = threading.Lock()
        self._known: Catalogue | None = None
        self._looked_ms = 0

    def service_planner(self) -> "ServicePlanner":
        """Who knows which elements an order for a service concerns; loaded by the first order."""
        from ocs.provisioning_setup import service_planner

        return service_planner()

    def service(self) -> SubscriberService:
        """What moves balances, with the offers of today."""
        tell = self._reauthoriser.account_changed
        rules = account_rules(self._settings.accounts)
        return SubscriberService(self._client, self.catalogue(), self._clock, rules=rules, on_change=tell)

    def vouchers(self, *, may_create: bool = False) -> VoucherService:
        """What redeems vouchers.

        Args:
            may_create: make their key when there is none yet, as with the first batch.

        Raises:
            OperationError: no batch was ever made here, or their key cannot be read; why is in the log alone.
        """
        try:
            secret = voucher_secret(self._settings, self._data_dir, may_create=may_create)
        except (OperationError, SecretFileError) as error:
            log.warning("vouchers_without_key", reason=str(error), remedy="put the key where the reason says")
            raise OperationError(
                "vouchers are not set up here: `ocs voucher generate` or POST /api/v1/vouchers makes the first batch"
            ) from None
        return VoucherService(self.service().office, secret, self._settings.vouchers)

    def reauthorise(self, *, session_id: str, account_id: str) -> int:
        """Have the gateway of a session, or those of an account, report and ask again.

        Returns:
            For how many sessions a worker took that on; without one, none is open or no gateway can be reached.
        """
        if account_id:
            sessions = self._client.open_sessions(account_id)
        else:
            session = self._client.session(session_id)
            sessions = [] if session is None or session.state is not SessionState.OPEN else [session]
        demands = demands_on(sessions, DemandKind.REAUTHORISE)
        return self._reauthoriser.demand_from_thread(demands).passed_on if demands else 0

    def catalogue(self) -> Catalogue:
        """The catalogue in force.

        Raises:
            OperationError: none is.
        """
        with self._lock:
            now_ms = self._clock.steady_ms()
            if self._known is None or now_ms - self._looked_ms >= CATALOGUE_LOOK_INTERVAL_S * 1000:
                self._known = self._read()
                self._looked_ms = now_ms
            return self._known

    def _read(self) -> Catalogue:
        publication = in_force(read_schedule(self._store), self._clock.now_ms() // 1000)
        if publication is None:
            raise OperationError("no catalogue is in force yet")
        if self._known is not None and self._known.version == publication.version:
            return self._known
        return read_catalogue(self._store, publication.version)

    def publications(self) -> tuple[CatalogueView, ...]:
        """Which catalogues are, were and will be in force, as they were published."""
        schedule = read_schedule(self._store)
        current = in_force(schedule, self._clock.now_ms() // 1000)
        return tuple(
            CatalogueView(
                publication.version,
                date_time(publication.effective_s * 1000),
                date_time(publication.published_s * 1000),
                publication.is_from_folder,
                publication is current,
            )
            for publication in schedule
        )
