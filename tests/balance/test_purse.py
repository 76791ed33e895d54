"""Moves of money and allowances: drawing order, expiry, overrun, and what must hold after every move."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from ocs.balance.model import Account, Bucket, Hold, LedgerInvariantError, LifecycleState, Total
from ocs.balance.purse import Purse, check_invariants, in_drawing_order, is_valid
from ocs.units import UnitType

MONEY, OCTETS, INPUT, TEXTS = (
    UnitType.MONEY, UnitType.TOTAL_OCTETS, UnitType.INPUT_OCTETS, UnitType.SERVICE_SPECIFIC_UNITS,
)  # fmt: skip
PACK = frozenset({"pack"})


def bucket(name: str, value: int, unit_type: UnitType = MONEY, **more) -> Bucket:
    return Bucket(name, unit_type, value, allowance="" if unit_type == MONEY else "pack", **more)


def purse_with(*buckets: Bucket, now_ms: int = 1000, limit: int = 0) -> Purse:
    sums: dict[UnitType, int] = {}
    for b in buckets:
        sums[b.unit_type] = sums.get(b.unit_type, 0) + b.value
    totals = tuple(Total(t, v) for t, v in sums.items())
    return Purse(
        Account("a", "EUR", LifecycleState.ACTIVE, 0, in_drawing_order(buckets), totals, limit), now_ms
    )


def test_drawing_order_is_priority_then_earlier_expiry_then_id():
    buckets = (
        bucket("d", 1), bucket("c", 1, valid_until_ms=9), bucket("b", 1, valid_until_ms=5), bucket("a", 1),
        bucket("z", 1, priority=1),
    )  # fmt: skip
    assert [b.bucket_id for b in in_drawing_order(buckets)] == ["z", "b", "c", "a", "d"]


def test_bucket_pays_from_its_first_moment_to_just_before_its_end():
    b = bucket("b", 1, valid_from_ms=10, valid_until_ms=20)
    assert [is_valid(b, now) for now in (9, 10, 19, 20)] == [False, True, True, False]


def test_units_come_from_admitted_allowances_in_order_less_what_others_hold():
    purse = purse_with(
        bucket("first", 100, OCTETS, priority=1, reserved=30), bucket("second", 50, OCTETS), bucket("texts", 9, TEXTS),
        bucket("main", 9),
    )  # fmt: skip
    assert purse.plan_units(OCTETS, PACK, 100) == ((Hold("first", 70), Hold("second", 30)), 100)
    assert purse.plan_units(OCTETS, PACK, 500)[1] == 120
    assert purse.plan_units(OCTETS, frozenset({"other"}), 5) == ((), 0)
    assert purse.plan_units(OCTETS, frozenset(), 5) == ((), 0)
    assert purse.plan_units(OCTETS, PACK, 0) == ((), 0)


def test_octets_of_any_direction_are_paid_by_an_allowance_of_octets_and_no_other():
    purse = purse_with(bucket("octets", 100, OCTETS))
    assert purse.plan_units(INPUT, PACK, 10)[1] == 10
    assert purse.plan_units(UnitType.TIME, PACK, 10)[1] == 0


def test_money_comes_in_order_and_the_last_bucket_takes_the_overrun():
    purse = purse_with(bucket("bonus", 30, priority=1), bucket("main", 50))
    assert purse.plan_money(20) == (Hold("bonus", 20),)
    assert purse.plan_money(60) == (Hold("bonus", 30), Hold("main", 30))
    assert purse.plan_money(100) == (Hold("bonus", 30), Hold("main", 70))
    assert purse.plan_money(0) == () and purse.plan_money(-5) == ()
    purse.debit(purse.plan_money(100))
    assert purse.money_balance == -20
    assert purse.plan_money(5) == (Hold("main", 5),)


def test_account_without_money_bucket_cannot_be_charged_money():
    with pytest.raises(LedgerInvariantError, match="no money bucket"):
        purse_with(bucket("pack", 5, OCTETS)).plan_money(1)


def test_available_money_leaves_out_what_is_held_or_expired_and_counts_the_credit_limit():
    purse = purse_with(
        bucket("old", 1000, valid_until_ms=999), bucket("soon", 500, valid_from_ms=1001), bucket("main", 100, reserved=30),
        limit=50,
    )  # fmt: skip
    assert purse.available_money() == 120
    assert purse.money_balance == 1600


def test_expired_bucket_pays_only_for_the_grant_that_was_made_from_it():
    purse = purse_with(bucket("old", 100, OCTETS, valid_until_ms=1000, reserved=40), bucket("main", 9))
    purse.expire()
    assert purse.plan_units(OCTETS, PACK, 100)[1] == 0
    purse.release((Hold("old", 40),))
    assert purse.plan_units(OCTETS, PACK, 100, own=(Hold("old", 40),)) == ((Hold("old", 40),), 40)


def test_expiry_takes_what_nobody_holds_and_leaves_the_rest_until_it_is_used_or_released():
    purse = purse_with(
        bucket("held", 100, OCTETS, valid_until_ms=1000, reserved=40), bucket("free", 7, TEXTS, valid_until_ms=1),
        bucket("later", 5, OCTETS, valid_until_ms=1001), bucket("future", 5, OCTETS, valid_from_ms=2000),
    )  # fmt: skip
    assert {m.bucket_id: (m.amount, m.balance_after) for m in purse.expire()} == {
        "held": (-60, 40),
        "free": (-7, 0),
    }
    assert {b.bucket_id for b in purse.buckets} == {"held", "later", "future"}
    check_invariants(purse.account())
    assert {t.unit_type: t.expired for t in purse.account().totals} == {OCTETS: 60, TEXTS: 7}
    purse.release((Hold("held", 40),))
    again = Purse(purse.account(), 1000)
    assert [m.amount for m in again.expire()] == [-40]
    assert Purse(again.account(), 1000).expire() == ()


def test_account_is_the_same_object_while_nothing_moved():
    purse = purse_with(bucket("main", 5))
    before = purse.account()
    assert purse.expire() == () and purse.plan_money(3)
    assert purse.account() is before


@pytest.mark.parametrize(
    "move",
    [
        lambda p: p.release((Hold("main", 1),)),
        lambda p: p.release((Hold("gone", 1),)),
        lambda p: p.debit((Hold("pack", 6),)),
        lambda p: p.credit((Hold("gone", 1),)),
        lambda p: p.add_bucket(bucket("main", 1)),
        lambda p: p.add_bucket(bucket("new", 1, reserved=1)),
    ],
)
def test_impossible_moves_are_our_fault(move):
    with pytest.raises(LedgerInvariantError):
        move(purse_with(bucket("main", 5), bucket("pack", 5, OCTETS)))


def test_invariants_name_what_is_wrong():
    def account(*buckets: Bucket, totals: tuple[Total, ...]) -> Account:
        return Account("a", "EUR", LifecycleState.ACTIVE, 0, buckets, totals)

    for broken in (
        account(bucket("main", 5), totals=(Total(MONEY, 6),)),
        account(bucket("main", 5), totals=()),
        account(bucket("main", 5), bucket("other", -5), totals=()),
        account(bucket("main", 5, reserved=-1), totals=(Total(MONEY, 5),)),
        account(bucket("pack", 5, OCTETS, reserved=6), totals=(Total(OCTETS, 5),)),
    ):
        with pytest.raises(LedgerInvariantError):
            check_invariants(broken)
    check_invariants(account(bucket("main", 5, reserved=9), totals=(Total(MONEY, 5),)))  # after an overrun


class PurseMachine(RuleBasedStateMachine):
    """Any sequence of moves, beside plain sums."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1000
        self.account = purse_with(bucket("main", 1000), bucket("pack0", 500, OCTETS)).account()
        self.values = {"main": 1000, "pack0": 500}
        self.holds: list[Hold] = []
        self.count = 0

    def _purse(self) -> Purse:
        purse = Purse(self.account, self.now_ms)
        for movement in purse.expire():
            self.values[movement.bucket_id] += movement.amount
        return purse

    def _moved(self, movements) -> None:
        for movement in movements:
            self.values[movement.bucket_id] += movement.amount
            assert self.values[movement.bucket_id] == movement.balance_after

    @rule(target=held, wanted=st.integers(1, 800))
    def reserve(self, wanted: int):
        purse = self._purse()
        parts, covered = purse.plan_units(OCTETS, PACK, wanted)
        assert covered == sum(p.amount for p in parts) <= wanted
        money = max(0, min(wanted - covered, purse.available_money()))
        parts += purse.plan_money(money)
        purse.reserve(parts)
        self.holds += parts
        self.account = purse.account()
        return parts

    @rule(parts=consumes(held), used=st.integers(0, 1500))
    def report(self, parts: tuple[Hold, ...], used: int):
        purse = self._purse()
        purse.release(parts)
        for part in parts:
            self.holds.remove(part)
        taken, covered = purse.plan_units(OCTETS, PACK, used, parts)
        taken += purse.plan_money(used - covered, parts)
        assert sum(p.amount for p in taken) == used
        self._moved(purse.debit(taken))
        self.account = purse.account()

    @rule(amount=st.integers(1, 1000))
    def top_up(self, amount: int):
        purse = self._purse()
        self._moved(purse.credit((Hold("main", amount),)))
        self.account = purse.account()

    @rule(units=st.integers(0, 500), lives_ms=st.integers(1, 50))
    def add_pack(self, units: int, lives_ms: int):
        self.count += 1
        purse = self._purse()
        new = bucket(f"pack{self.count}", units, OCTETS, valid_until_ms=self.now_ms + lives_ms)
        purse.add_bucket(new)
        self.values[new.bucket_id] = units
        self.account = purse.account()

    @rule(ms=st.integers(1, 60))
    def time_passes(self, ms: int):
        self.now_ms += ms

    @invariant()
    def books_agree(self):
        check_invariants(self.account)
        assert {b.bucket_id: b.value for b in self.account.buckets if b.value} == {
            k: v for k, v in self.values.items() if v
        }
        held: dict[str, int] = {}
        for hold in self.holds:
            held[hold.bucket_id] = held.get(hold.bucket_id, 0) + hold.amount
        assert {b.bucket_id: b.reserved for b in self.account.buckets if b.reserved} == held
        assert in_drawing_order(self.account.buckets) == self.account.buckets


TestPurseMachine = PurseMachine.TestCase
TestPurseMachine.settings = settings(max_examples=150, stateful_step_count=40)


def test_bucket_that_comes_too_late_expires_like_those_that_were_there():
    account = Account("a", "EUR", LifecycleState.ACTIVE, 0, (Bucket("main", UnitType.MONEY, 0),), ())
    purse = Purse(account, 1_000)
    purse.add_bucket(Bucket("late", UnitType.MONEY, 5, valid_until_ms=999))
    assert [(movement.bucket_id, movement.amount) for movement in purse.expire()] == [("late", -5)]
    check_invariants(purse.account())
