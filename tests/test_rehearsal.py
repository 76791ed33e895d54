"""A use charged in memory comes out as a worker would charge it: rounded over its session, drawn, refused."""

import pytest

from ocs.balance.purse import money_balance
from ocs.charging.tariffs import Tariffs
from ocs.messages import Outcome, Service, UsageContext
from ocs.rehearsal import Rehearsal, Use
from ocs.subscribers.operations import OperationError
from ocs.units import Money
from tests.support.catalogue import lab_catalogue
from tests.support.prices import PRICES

AT_MS = 1_800_000_000_000


def rehearsal(*offers: str, money: int = 10_000_000) -> Rehearsal:
    made = Rehearsal(Tariffs(lab_catalogue()), Money(money, "EUR"))
    made.join(offers or ("basic",), AT_MS)
    return made


def data(units: int, session_id: str = "", rating_group: int = 1) -> Use:
    return Use(
        service=Service.DATA, units=units, at_ms=AT_MS, rating_group=rating_group, session_id=session_id
    )


def spent(events) -> int:
    return -sum(event.amount_micro for event in events)


def test_use_costs_what_the_price_says_and_comes_off_the_balance() -> None:
    made = rehearsal()
    assert spent(made.use(data(1_234))) == PRICES["basic/data"].cost(1_240)
    assert made.account.buckets[0].value == 10_000_000 - PRICES["basic/data"].cost(1_240)
    assert made.account.buckets[0].reserved == 0
    assert made.refusal is None


def test_uses_of_one_session_share_their_rounding() -> None:
    made = rehearsal()
    assert spent(made.use(data(5, "s"))) == PRICES["basic/data"].cost(10)
    assert spent(made.use(data(5, "s"))) == 0
    assert spent(made.use(data(5, "t"))) == PRICES["basic/data"].cost(10)
    assert made.end("s", AT_MS + 1) == ()


def test_bundle_of_an_offer_pays_first() -> None:
    made = rehearsal("packs", "basic")
    (event,) = made.use(data(3_000, rating_group=10))
    assert event.amount_micro == 0
    assert [m.amount for m in event.movements if m.amount] == [-3_000]


def test_messages_are_one_time_events() -> None:
    made = rehearsal("packs", "basic")
    use = Use(service=Service.SMS, units=5, at_ms=AT_MS)
    assert spent(made.use(use)) == 2 * 90_000  # three are in the pack


@pytest.mark.parametrize(
    ("use", "money", "refusal"),
    [
        (data(10), 0, Outcome.CREDIT_LIMIT_REACHED),
        (data(10, rating_group=50), 0, Outcome.CREDIT_LIMIT_REACHED),
        (data(10, rating_group=30), 0, Outcome.CREDIT_CONTROL_NOT_APPLICABLE),
        (Use(service=Service.SMS, units=1, at_ms=AT_MS), 0, Outcome.CREDIT_LIMIT_REACHED),
        (
            Use(service=Service.VOICE, units=1, at_ms=AT_MS, context=UsageContext("99")),
            9,
            Outcome.RATING_FAILED,
        ),
    ],
)
def test_refusal_is_told_and_costs_nothing(use: Use, money: int, refusal: Outcome) -> None:
    made = rehearsal(money=money)
    assert made.use(use) == ()
    assert made.refusal is refusal
    assert made.account.buckets[0].value == money


def test_use_after_a_refused_one_is_judged_by_itself() -> None:
    made = rehearsal()
    made.use(data(10, rating_group=30))
    made.use(data(10))
    assert made.refusal is None


def test_several_subscribers_share_one_account() -> None:
    made = rehearsal("packs", "basic")
    made.join(("packs", "basic"), AT_MS, subscriber_id="other")
    use = Use(service=Service.DATA, units=9_000, at_ms=AT_MS, rating_group=10, subscriber_id="other")
    (event,) = made.use(use)
    assert (event.amount_micro, event.subscriber_id) == (0, "other")  # both packs pay
    assert money_balance(made.account) == 10_000_000


def test_offer_that_is_not_there_is_named() -> None:
    with pytest.raises(OperationError, match="offer 'x' is not in catalogue"):
        rehearsal("x")


def test_account_that_nobody_joined_is_none() -> None:
    with pytest.raises(LookupError):
        _ = Rehearsal(Tariffs(lab_catalogue()), Money(0, "EUR")).account
