"""Credit pools: whatever mix a gateway makes of the pooled quotas, it has been paid for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ocs.balance.model import SessionState
from ocs.charging.pools import multiplier
from ocs.charging.tariffs import money_rate
from ocs.messages import PoolReference
from tests.support.ledger import Ledger, money, only, pack
from tests.support.requests import initial, mscc, octets, termination, update
from tests.support.rich_catalogue import rich_catalogue

# Rating groups 5 and 6 share pool 7: 100 an octet, and 30 an octet in blocks of ten.
EUR = 1_000_000
PRICE = {5: 100, 6: 30}
TOTAL_OCTETS = 2


def rich(micro: int = EUR) -> Ledger:
    return Ledger(money(micro), catalogue=rich_catalogue(), offers=("rich",))


def opened(micro: int = EUR) -> Ledger:
    ledger = rich(micro)
    ledger.ask(initial(mscc(5, requested=octets(1000)), mscc(6, requested=octets(1000))))
    return ledger


def test_each_grant_refers_to_the_pool_with_the_price_of_its_unit():
    ledger = rich()
    answer = ledger.ask(initial(mscc(5, requested=octets(1000)), mscc(6, requested=octets(1000)))).answer
    assert [service.pools for service in answer.services] == [
        (PoolReference(7, TOTAL_OCTETS, 100, 0),),
        (PoolReference(7, TOTAL_OCTETS, 30, 0),),
    ]
    # Both quotas in pool units, and one block of each.
    assert ledger.reserved == 100_000 + 30_000 + 100 + 300


@pytest.mark.parametrize(
    ("price", "per", "expected"),
    [(100, 1, (100, 0)), (3, 10, (3, -1)), (1, 1024, (976_563, -9)), (1, 3, (333_333_334, -9))],
)
def test_multiplier_is_the_price_of_one_unit_never_less(price: int, per: int, expected: tuple[int, int]):
    rate = replace(money_rate(rich_catalogue(), "EUR"), price_micro=price, price_units=per)
    assert multiplier(rate) == expected
    digits, exponent = expected
    assert digits * per >= price * 10**-exponent


def test_gateway_may_use_the_whole_pool_for_one_service():
    ledger = opened(130_400)
    ledger.ask(termination(1, mscc(5, used=octets(1300)), mscc(6, used=octets(0))))
    assert ledger.balance == 400


@given(st.integers(0, 130_000))
def test_any_mix_within_the_pool_is_paid_for(by_first: int):
    ledger = opened(130_400)
    first = by_first // 100
    second = (130_000 - first * 100) // 30
    ledger.ask(termination(1, mscc(5, used=octets(first)), mscc(6, used=octets(second))))
    assert ledger.balance >= 0


def test_report_of_one_service_leaves_the_rest_of_its_quota_to_the_pool():
    ledger = opened()
    answer = only(ledger.ask(update(1, mscc(5, used=octets(400)))))
    assert answer.granted is None
    assert ledger.balance == EUR - 40_000
    assert ledger.reserved == 130_400 - 40_000


def test_service_that_used_anothers_share_leaves_so_much_less_to_it():
    ledger = opened()
    ledger.ask(update(1, mscc(5, used=octets(1200))))
    assert ledger.balance == EUR - 120_000
    assert ledger.reserved == 130_400 - 120_000


def test_new_quota_is_smaller_by_what_the_pool_still_has():
    ledger = opened()
    answer = only(ledger.ask(update(1, mscc(5, requested=octets(1000), used=octets(400)))))
    assert answer.granted == octets(399)  # 60,000 and a block of the first quota are still there
    assert answer.pools


def test_pool_that_is_reported_as_a_whole_is_given_back_as_a_whole():
    ledger = opened()
    ledger.ask(update(1, mscc(5, used=octets(400))))
    ledger.ask(update(2, mscc(6, used=octets(100))))
    assert ledger.reserved == 0
    assert ledger.balance == EUR - 40_000 - 3_000


def test_closing_gives_everything_back():
    ledger = opened()
    ledger.ask(update(1, mscc(5, requested=octets(10), used=octets(400))))
    ledger.expire()
    assert ledger.reserved == 0


def test_last_grant_and_what_an_allowance_pays_stand_alone():
    ledger = rich(50_000)
    last = only(ledger.ask(initial(mscc(5, requested=octets(1000)))))
    assert last.final_unit is not None and not last.pools
    packed = Ledger(money(EUR), pack(5000))
    assert not only(packed.ask(initial(mscc(10)))).pools


@given(
    st.lists(
        st.tuples(st.sampled_from([5, 6]), st.integers(0, 100), st.booleans(), st.integers(10, 2000)),
        max_size=12,
    )
)
def test_gateway_that_follows_the_standard_never_uses_what_is_not_reserved(
    steps: list[tuple[int, int, bool, int]],
):
    """A gateway's own account of the pool: quotas in, what is reported out (section 5.1.2)."""
    ledger = opened(300_000)
    pool = 130_000
    is_in = {5: True, 6: True}
    for number, (group, percent, asks, wanted) in enumerate(steps, start=1):
        use = pool * percent // 100 // PRICE[group] if is_in[group] else 0
        report = mscc(group, requested=octets(wanted) if asks else None, used=octets(use))
        decision = ledger.ask(update(number, report))
        if ledger.session().state != SessionState.OPEN:
            break
        pool -= use * PRICE[group]
        is_in[group] = False
        if not any(is_in.values()):
            pool = 0
        answer = decision.answer.services[0]
        if answer.pools and answer.granted is not None:
            assert answer.granted.total_octets is not None
            pool += answer.granted.total_octets * PRICE[group]
            is_in[group] = True
        elif answer.granted is not None:
            break  # the last units, a quota apart
        assert ledger.reserved >= pool
        assert ledger.balance >= 0
