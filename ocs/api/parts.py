"""What the application is made of, given to it by the process that builds it."""

from dataclasses import dataclass, replace

from ocs.api.access import AccessGuard
from ocs.api.alarms.announcer import GROUP, AlarmAnnouncer
from ocs.api.alarms.gauges import AlarmGauges
from ocs.api.alarms.native import native_alarm_api
from ocs.api.alarms.office import AlarmOffice
from ocs.api.alarms.resources import BASE as ALARM_BASE
from ocs.api.alarms.routes import alarm_management_api
from ocs.api.alarms.tasks import AlarmTasks
from ocs.api.announcer import Announcer
from ocs.api.backstage import Backstage
from ocs.api.charge_stream import ChargeStream
from ocs.api.event_stream import EventStreams
from ocs.api.operations import Operations
from ocs.api.payments import Payments
from ocs.api.prepay_balance.actions import Actions
from ocs.api.prepay_balance.announcements import announcement
from ocs.api.prepay_balance.desk import PrepayBalanceDesk
from ocs.api.prepay_balance.resources import BASE
from ocs.api.prepay_balance.routes import prepay_balance_api
from ocs.api.prepay_balance.sweep import sweep_actions
from ocs.api.reader import BalanceReader
from ocs.api.resource_inventory.resources import BASE as RESOURCE_INVENTORY_BASE
from ocs.api.resource_inventory.routes import resource_inventory_api
from ocs.api.service_activation.announcer import TransactionAnnouncer
from ocs.api.service_activation.resources import BASE as SERVICE_ACTIVATION_BASE
from ocs.api.service_activation.routes import ActivationDesk, service_activation_api
from ocs.api.service_inventory.resources import BASE as SERVICE_INVENTORY_BASE
from ocs.api.service_inventory.routes import ServiceRecords, service_inventory_api
from ocs.api.service_ordering.resources import BASE as SERVICE_ORDERING_BASE
from ocs.api.service_ordering.routes import OrderDesk, service_ordering_api
from ocs.api.tmf.api import Api, Background
from ocs.api.tmf.callback import CallbackPolicy
from ocs.api.tmf.delivery import Delivery
from ocs.api.tmf.event_desk import EventDesk
from ocs.api.tmf.hub_routes import HubDesk
from ocs.api.tmf.hubs import HubStore
from ocs.api.tmf.records import RecordStore
from ocs.api.tokens import TokenStore
from ocs.api.workers import FindChannels, WorkerOverview
from ocs.balance.client import BalanceClient
from ocs.balance.store_client import StoreClient
from ocs.clock import Clock
from ocs.faults.store.change_group import ChangeGroup
from ocs.metrics import REGISTRY, Registry
from ocs.settings import HttpSettings
from ocs.settings_checks import is_loopback


@dataclass(frozen=True)
class Parts:
    """What routes ask, what guards them, what runs beside them, and the TM Forum APIs."""

    reader: BalanceReader
    workers: WorkerOverview
    guard: AccessGuard
    operations: Operations
    payments: Payments
    clock: Clock
    apis: tuple[Api, ...] = ()
    background: tuple[Background, ...] = ()


def build_parts(
    settings: HttpSettings,
    reader: BalanceReader,
    find_channels: FindChannels,
    *,
    store: StoreClient,
    client: BalanceClient,
    backstage: Backstage,
    clock: Clock,
    registry: Registry = REGISTRY,
) -> Parts:
    """Put the parts together on a store.

    Args:
        reader: where accounts and sessions are read. find_channels: the processes that answer for metrics and health.
        client: commits. registry: what this process itself counts.
    """
    hubs = HubStore(store)
    policy = CallbackPolicy(settings.hub_callbacks)
    actions = Actions(
        RecordStore(client, store), hubs, clock, service=backstage.service, vouchers=backstage.vouchers
    )
    stream, payments = ChargeStream(client), Payments(client, clock, backstage)
    announcer = Announcer(stream, hubs, BASE, announcement, payments.carry_out)
    is_open = is_loopback(settings.host) and not settings.reads_need_token

    async def sweep() -> None:
        await sweep_actions(actions)

    desk = PrepayBalanceDesk(reader, actions, clock)
    office = AlarmOffice(backstage.alarms, AlarmTasks(store), hubs, clock)
    AlarmGauges(registry, office.follower, clock)
    alarm_announcer = AlarmAnnouncer(ChangeGroup(store, GROUP), hubs)
    apis = (
        prepay_balance_api(desk, HubDesk(hubs, policy, clock, BASE, stream.open)),
        native_alarm_api(office, EventStreams()),
        replace(
            alarm_management_api(office, HubDesk(hubs, policy, clock, ALARM_BASE, alarm_announcer.open)),
            background=(office.follower.run, alarm_announcer.run),
        ),
        *_network_apis(backstage, store, hubs, policy, clock),
    )
    beside = [run for api in apis for run in api.background]
    return Parts(
        reader=reader,
        workers=WorkerOverview(find_channels, reader, clock, registry=registry),
        guard=AccessGuard(TokenStore(store), clock, reads_are_open=is_open),
        operations=Operations(backstage),
        payments=payments,
        clock=clock,
        apis=apis,
        background=(Delivery(hubs, policy).run, announcer.run, sweep, *beside),
    )


def _network_apis(
    backstage: Backstage, store: StoreClient, hubs: HubStore, policy: CallbackPolicy, clock: Clock
) -> tuple[Api, ...]:
    """The APIs on the inventory and on the journal of transactions."""
    sql, events = backstage.sql, EventDesk(hubs, clock)
    announcer = TransactionAnnouncer(sql, store, hubs, clock)

    def hub(base: str) -> HubDesk:
        return HubDesk(hubs, policy, clock, base, announcer.open)

    return (
        service_inventory_api(ServiceRecords(sql, events), hub(SERVICE_INVENTORY_BASE)),
        resource_inventory_api(sql, events, HubDesk(hubs, policy, clock, RESOURCE_INVENTORY_BASE)),
        replace(
            service_activation_api(
                ActivationDesk(sql, events, backstage.service_planner), hub(SERVICE_ACTIVATION_BASE)
            ),
            background=(announcer.run,),
        ),
        service_ordering_api(OrderDesk(sql, events, backstage.service_planner), hub(SERVICE_ORDERING_BASE)),
    )
