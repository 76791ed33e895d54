"""A decision in the making: its events are numbered, counted, and named for ever."""

import pytest

from ocs.balance.model import Account, Bucket, Hold, LifecycleState, Session, SessionState, Total
from ocs.charging.draft import Draft, operation_of
from ocs.charging.tariffs import money_rate
from ocs.events import ChargeEvent, EventKind, PriceTrace
from ocs.messages import NO_CONTEXT, ChargingRequest, Service
from ocs.units import UnitType
from tests.support.catalogue import lab_catalogue
from tests.support.requests import SESSION, event, initial, mscc, octets, termination, update

NOW_MS = 1_800_000_000_000
RATE = money_rate(lab_catalogue(), "EUR")
TRACE = PriceTrace(0, 10, 0, 10, 0, 0, 10, 1, 1, 1, 1, 0)
MONEY = Bucket("main", UnitType.MONEY, 1_000, 0, "", 1000)
PACK = Bucket("pack", UnitType.TOTAL_OCTETS, 50, 0, "pack", 10, 0, NOW_MS)


def draft(operation: str, *buckets: Bucket, opened_by: bytes = b"\x01") -> Draft:
    totals = tuple(Total(bucket.unit_type, bucket.value) for bucket in buckets)
    account = Account("A1", "EUR", LifecycleState.ACTIVE, 7, buckets, totals)
    return Draft(account, NOW_MS, session(opened_by), operation, lab_catalogue())


def session(opened_by: bytes = b"\x01") -> Session:
    return Session(
        SESSION, "A1", "S1", SessionState.OPEN, Service.DATA, NO_CONTEXT, "smf.example", "example", 0, 0,
        opening_fingerprint=opened_by,
    )  # fmt: skip


def charge(made: Draft, request: ChargingRequest) -> ChargeEvent:
    movements = made.debit((Hold("main", 10),))
    made.record_charge(EventKind.DEBIT, request, session(), RATE, 1, (), 10, -10, movements, TRACE)
    return made.events[-1]


def test_charge_is_one_event_and_one_step_of_the_sequence() -> None:
    request = update(4, mscc(1, used=octets(10)), event_time_s=1_799_999_999)
    made = draft(operation_of(request), MONEY)
    first, second = charge(made, request), charge(made, request)
    assert (first.sequence, second.sequence, made.account().sequence) == (8, 9, 9)
    assert (first.balance_after_micro, second.balance_after_micro) == (990, 980)
    assert (first.account_id, first.subscriber_id, first.session_id, first.billed_units) == (
        "A1",
        "S1",
        SESSION,
        10,
    )
    assert first.event_time_ms == 1_799_999_999_000
    assert first.event_id != second.event_id


def test_event_without_a_time_of_its_own_has_that_of_the_decision() -> None:
    request = update(4, mscc(1, used=octets(10)))
    assert charge(draft(operation_of(request), MONEY), request).event_time_ms == NOW_MS


def test_event_id_is_the_same_however_often_the_request_is_decided() -> None:
    request = update(4, mscc(1, used=octets(10)))
    ids = {charge(draft(operation_of(request), MONEY), request).event_id for _ in range(3)}
    assert len(ids) == 1


@pytest.mark.parametrize(
    "other",
    [update(5), termination(4), initial(number=4), event(number=4)],
    ids=operation_of,
)
def test_another_request_has_another_event_id(other: ChargingRequest) -> None:
    request = update(4)
    first = charge(draft(operation_of(request), MONEY), request)
    assert charge(draft(operation_of(other), MONEY), other).event_id != first.event_id


def test_another_life_of_the_session_id_has_other_event_ids() -> None:
    request = update(4)
    first = charge(draft(operation_of(request), MONEY), request)
    again = charge(draft(operation_of(request), MONEY, opened_by=b"\x02"), request)
    assert again.event_id != first.event_id


def test_event_id_of_a_charge_does_not_depend_on_what_has_expired_before_it() -> None:
    request = update(4, mscc(1, used=octets(10)))
    with_expiry, without = (draft(operation_of(request), *buckets, MONEY) for buckets in ((PACK,), ()))
    assert charge(with_expiry, request).event_id == charge(without, request).event_id
    assert len({event.event_id for event in with_expiry.events}) == 2


def test_whatever_touches_an_account_first_takes_out_what_has_expired() -> None:
    made = draft("u4", PACK, MONEY)
    (expiry,) = made.events
    assert (expiry.kind, expiry.sequence) == (EventKind.EXPIRY, 8)
    assert [(m.bucket_id, m.amount) for m in expiry.movements] == [("pack", -50)]
    assert charge(made, update(4)).event_id != expiry.event_id
    assert made.account().sequence == 9
