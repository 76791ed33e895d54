"""Credit pools: whatever mix a gateway makes of the pooled quotas, it has been paid for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ocs.balance.model import SessionState
from ocs.charging.decision import Decision
from ocs.charging.pools import multiplier
from ocs.charging.tariffs import money_rate
from ocs.messages import MultipleServicesCreditControl, PoolReference
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
    both = ledger.ask(initial(mscc(6, requested=octets(10)), mscc(5, requested=octets(1000)))).answer.services
    assert both[0].pools
    assert both[1].final_unit is not None and not both[1].pools
    packed = Ledger(money(EUR), pack(5000))
    assert not only(packed.ask(initial(mscc(10)))).pools


def test_service_that_stays_alone_in_its_session_has_no_pool_from_its_first_report_on():
    ledger = rich()
    asks = mscc(5, requested=octets(100), used=octets(100))
    assert identifiers(ledger.ask(initial(mscc(5, requested=octets(100))))) == [7]
    assert identifiers(ledger.ask(update(1, asks))) == []
    assert identifiers(ledger.ask(update(2, mscc(6, requested=octets(100))))) == [7 + (1 << 16)]
    assert identifiers(ledger.ask(update(3, asks))) == [7 + (1 << 16)]


def identifiers(decision: Decision) -> list[int]:
    return [pool.pool_id for service in decision.answer.services for pool in service.pools]


def test_pool_goes_on_under_its_identifier_while_a_grant_of_it_is_open():
    ledger = opened()
    assert identifiers(ledger.ask(update(1, mscc(5, requested=octets(10), used=octets(1))))) == [7]
    assert identifiers(ledger.ask(update(2, mscc(6, requested=octets(10), used=octets(1))))) == [7]


def test_pool_that_all_have_reported_is_followed_by_one_with_another_identifier():
    ledger = opened()
    both = [mscc(group, requested=octets(1000), used=octets(10)) for group in (5, 6)]
    assert identifiers(ledger.ask(update(1, *both))) == [7 + (2 << 16)] * 2
    assert identifiers(ledger.ask(update(2, *both))) == [7 + (4 << 16)] * 2
    assert ledger.reserved == 130_400
    ledger.ask(update(3, mscc(5, used=octets(0))))
    ledger.ask(update(4, mscc(6, used=octets(0))))
    assert ledger.reserved == 0
    assert identifiers(ledger.ask(update(5, mscc(5, requested=octets(1000))))) == [7 + (5 << 16)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([(5,), (6,), (5, 6)]), st.integers(0, 100), st.booleans(), st.integers(10, 2000)
        ),
        max_size=12,
    )
)
def test_gateway_that_follows_the_standard_never_uses_what_is_not_reserved(
    steps: list[tuple[tuple[int, ...], int, bool, int]],
):
    """A gateway's own account of its pools: quotas in, what is used out, and nothing else (section 5.1.2)."""
    ledger = opened(300_000)
    credit = {7: 130_000}
    member_of = {5: 7, 6: 7}
    for number, (groups, percent, asks, wanted) in enumerate(steps, start=1):
        reports: list[MultipleServicesCreditControl] = []
        for group in groups:
            use = 0
            if group in member_of:
                use = credit[member_of[group]] * percent // 100 // PRICE[group]
                credit[member_of.pop(group)] -= use * PRICE[group]
            reports.append(mscc(group, requested=octets(wanted) if asks else None, used=octets(use)))
        decision = ledger.ask(update(number, *reports))
        assert ledger.balance >= 0
        if ledger.session().state != SessionState.OPEN:
            break
        for answer in decision.answer.services:
            if answer.granted is None:
                continue
            if not answer.pools:
                return  # the last units, a quota apart
            (pool,) = answer.pools
            assert answer.granted.total_octets is not None and answer.rating_group is not None
            credit[pool.pool_id] = (
                credit.get(pool.pool_id, 0) + answer.granted.total_octets * PRICE[answer.rating_group]
            )
            member_of[answer.rating_group] = pool.pool_id
        assert ledger.reserved >= sum(credit[pool_id] for pool_id in set(member_of.values()))
