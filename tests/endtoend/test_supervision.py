"""Supervision (Tcc): a gateway that vanished, and two workers that both see it."""

import time

import trio

from ocs.balance.redis_store import RedisStore
from ocs.balance.redis_stream import StoreServers
from ocs.balance.store_address import plain_address
from ocs.charging.engine import Engine
from ocs.charging.tariffs import Tariffs
from ocs.clock import ManualClock
from ocs.messages import (
    NO_CONTEXT,
    CCRequestType,
    ChargingAnswer,
    ChargingRequest,
    MultipleServicesCreditControl,
    Outcome,
    Service,
    ServiceUnit,
)
from ocs.settings import ChargingSettings
from tests.endtoend.lab import CATALOGUE, EURO, browsing_micro, wait_until
from tests.endtoend.wire import TERMINATION, UPDATE, new_session, requested, service, subscription, used

DAY_MS = 86_400_000


async def opened_a_day_ago(ocs, session, msisdn):
    """Have a worker that died since open a session on the store of the running system, a day ago.

    Its deadline, an hour of validity and Tcc later, lies in the past: nobody need wait for it.
    """
    store = RedisStore(StoreServers(plain_address(ocs.store.url)), partitions=ocs.client.partitions)
    clock = ManualClock(time.time_ns() // 1_000_000 - DAY_MS)
    engine = Engine(store, Tariffs(CATALOGUE), ChargingSettings(), clock, partitions=ocs.client.partitions)
    asked = MultipleServicesCreditControl(10, (), ServiceUnit(total_octets=1 << 20), ())
    request = ChargingRequest(
        session, CCRequestType.INITIAL, 0, "pgw.example", "example", Service.DATA, (f"e164:{msisdn}",), (asked,),
        multiple_services=True, requested_action=None, event_time_s=None, context=NO_CONTEXT,
        fingerprint=b"a day ago",
    )  # fmt: skip
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            nursery.start_soon(engine.run)
            send, receive = trio.open_memory_channel[ChargingAnswer](1)
            engine.submit(request, send.send_nowait)
            answer = await receive.receive()
            nursery.cancel_scope.cancel()
    assert answer.outcome is Outcome.SUCCESS
    granted = answer.services[0].granted
    assert granted is not None
    assert granted.total_octets is not None
    assert granted.total_octets >= 1 << 20


def is_closed(ocs, session):
    found = ocs.session(session)
    return found is not None and found.state.name == "CLOSED"


async def test_session_of_a_vanished_gateway_is_closed_and_its_reservation_released_once(ocs, subscribe):
    subscriber, session = subscribe(), new_session()
    await opened_a_day_ago(ocs, session, subscriber.msisdn)
    await trio.to_thread.run_sync(wait_until, lambda: is_closed(ocs, session))
    assert ocs.reserved(subscriber.account) == 0
    assert ocs.balance(subscriber.account) == 5 * EURO
    assert ocs.debits(subscriber.account) == []


async def test_report_after_supervision_closed_the_session_is_still_debited_once(ocs, gateway, subscribe):
    subscriber, session = subscribe(), new_session()
    await opened_a_day_ago(ocs, session, subscriber.msisdn)
    await trio.to_thread.run_sync(wait_until, lambda: is_closed(ocs, session))
    who = (subscription(0, subscriber.msisdn),)
    late = gateway.credit(session, UPDATE, 1, service(10, requested(), used(total=50_000)), subscriptions=who)
    assert [gateway.ask(late).result for _ in range(2)] == [5002, 5002]
    end = gateway.credit(session, TERMINATION, 2, service(10, used(total=1_000)), subscriptions=who)
    assert gateway.ask(end).result == 2001
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(51_000)
    assert len(ocs.debits(subscriber.account)) == 2
    assert ocs.reserved(subscriber.account) == 0
