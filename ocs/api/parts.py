"""What the application is made of, given to it by the process that builds it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ocs.api.access import AccessGuard
from ocs.api.announcer import Announcer
from ocs.api.backstage import Backstage
from ocs.api.charge_stream import ChargeStream
from ocs.api.operations import Operations
from ocs.api.payments import Payments
from ocs.api.prepay_balance.actions import Actions
from ocs.api.prepay_balance.announcements import announcement
from ocs.api.prepay_balance.desk import PrepayBalanceDesk
from ocs.api.prepay_balance.resources import BASE
from ocs.api.prepay_balance.sweep import sweep_actions
from ocs.api.reader import BalanceReader
from ocs.api.tmf.callback import CallbackPolicy
from ocs.api.tmf.delivery import Delivery
from ocs.api.tmf.hub_routes import HubDesk
from ocs.api.tmf.hubs import HubStore
from ocs.api.tmf.records import RecordStore
from ocs.api.tokens import TokenStore
from ocs.api.workers import FindChannels, WorkerOverview
from ocs.balance.client import BalanceClient
from ocs.balance.store_client import StoreClient
from ocs.clock import Clock
from ocs.metrics import REGISTRY, Registry
from ocs.settings import HttpSettings
from ocs.settings_file import is_loopback

# Runs beside the server until it is cancelled.
Background = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Parts:
    """What routes ask, what guards them, and what runs beside them."""

    reader: BalanceReader
    workers: WorkerOverview
    guard: AccessGuard
    operations: Operations
    desk: PrepayBalanceDesk
    hubs: HubDesk
    payments: Payments
    clock: Clock
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

    return Parts(
        reader=reader,
        workers=WorkerOverview(find_channels, reader, clock, registry=registry),
        guard=AccessGuard(TokenStore(store), clock, reads_are_open=is_open),
        operations=Operations(backstage),
        desk=PrepayBalanceDesk(reader, actions, clock),
        hubs=HubDesk(hubs, policy, clock, stream.open),
        payments=payments,
        clock=clock,
        background=(Delivery(hubs, policy).run, announcer.run, sweep),
    )
