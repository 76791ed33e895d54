"""Money that comes back is what it was: in its bucket, with its end."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ocs.balance.model import Account, Bucket, LifecycleState, decode_account, encode_value
from ocs.balance.purse import Purse, check_invariants, in_drawing_order, money_balance
from ocs.events import EventKind
from ocs.subscribers.adjustments import give_back, receive, send, set_aside, take_set_aside
from ocs.subscribers.operations import OperationError
from ocs.units import Money, UnitType

NOW_MS = 1_000


def eur(micro: int) -> Money:
    return Money(micro, "EUR")


def account_with(*buckets: Bucket) -> Account:
    purse = Purse(Account("a", "EUR", LifecycleState.ACTIVE, 0, (), ()), NOW_MS)
    for bucket in buckets:
        purse.add_bucket(bucket)
    return purse.account()


def bonus(micro: int, until_ms: int = 2_000, name: str = "bonus") -> Bucket:
    return Bucket(name, UnitType.MONEY, micro, priority=500, valid_until_ms=until_ms)


def main(micro: int) -> Bucket:
    return Bucket("main", UnitType.MONEY, micro, priority=1000)


def held(account: Account) -> dict[str, int]:
    return {bucket.bucket_id: bucket.value for bucket in account.buckets}


some_accounts = st.lists(
    st.builds(
        bonus,
        st.integers(0, 20),
        st.sampled_from((0, NOW_MS + 1, NOW_MS + 500)),
        st.sampled_from(("bonus.a", "bonus.b", "gift")),
    ),
    max_size=3,
    unique_by=lambda bucket: bucket.bucket_id,
).map(lambda buckets: account_with(main(10), *buckets))


@given(some_accounts, st.integers(1, 60))
def test_reservation_given_back_leaves_the_account_as_it_was(account: Account, micro: int):
    try:
        aside = set_aside(account, eur(micro), reference="r", now_ms=NOW_MS).account
    except OperationError:
        assert micro > money_balance(account)
        return
    stored = decode_account(encode_value(aside))
    back = give_back(stored, reservation="r", reference="g", now_ms=NOW_MS).account
    check_invariants(back)
    assert back.buckets == account.buckets == in_drawing_order(back.buckets)


@given(some_accounts, st.integers(1, 60))
def test_transfer_that_comes_back_leaves_the_account_as_it_was(account: Account, micro: int):
    try:
        sent = send(account, eur(micro), to="b", reference="t", now_ms=NOW_MS)
    except OperationError:
        return
    assert all(
        before.value == after.value
        for before, after in zip(account.buckets, sent.account.buckets, strict=True)
        if before.valid_until_ms
    )
    back = receive(
        sent.account, eur(micro), sender="a", event_id="e", now_ms=NOW_MS + 400, origins=sent.origins
    ).account
    check_invariants(back)
    assert [b for b in back.buckets if not b.valid_until_ms] == [
        b for b in account.buckets if not b.valid_until_ms
    ]


@given(some_accounts, st.integers(1, 60), st.integers(0, 60), st.sampled_from((NOW_MS, NOW_MS + 100)))
def test_no_reservation_makes_money_last_longer(account: Account, micro: int, taken: int, then_ms: int):
    lasting = sum(b.value for b in account.buckets if not b.valid_until_ms)
    try:
        aside = set_aside(account, eur(micro), reference="r", now_ms=NOW_MS).account
        if taken:
            aside = take_set_aside(aside, eur(taken), reservation="r", reference="d", now_ms=NOW_MS).account
        done = give_back(aside, reservation="r", reference="g", now_ms=then_ms)
    except OperationError:
        return
    check_invariants(done.account)
    assert sum(b.value for b in done.account.buckets if not b.valid_until_ms) <= lasting
    expired = sum(event.amount_micro for event in done.events if event.kind is EventKind.EXPIRY)
    assert money_balance(account) == money_balance(done.account) + taken - expired


def test_what_has_expired_meanwhile_stays_expired_and_is_told():
    aside = set_aside(account_with(main(5), bonus(3)), eur(4), reference="r", now_ms=NOW_MS).account
    done = give_back(aside, reservation="r", reference="g", now_ms=2_000)
    check_invariants(done.account)
    assert held(done.account) == {"main": 5}
    release, expiry = done.events
    assert (release.kind, release.amount_micro) == (EventKind.RESERVATION, 0)
    assert [(m.bucket_id, m.amount) for m in release.movements] == [
        ("set-aside.r", -4), ("bonus", 3), ("main", 1),
    ]  # fmt: skip
    assert (expiry.kind, expiry.event_id, expiry.amount_micro) == (EventKind.EXPIRY, "expiry:release:a:g", -3)


def test_bucket_that_was_swept_away_comes_back_only_to_expire():
    aside = set_aside(account_with(main(5), bonus(3)), eur(3), reference="r", now_ms=NOW_MS).account
    purse = Purse(aside, 2_000)
    purse.expire()
    done = give_back(purse.account(), reservation="r", reference="g", now_ms=3_000)
    check_invariants(done.account)
    assert held(done.account) == {"main": 5}
    assert done.events[-1].amount_micro == -3


def test_bucket_of_the_same_name_with_another_end_gets_nothing_of_it():
    aside = set_aside(account_with(main(5), bonus(3)), eur(3), reference="r", now_ms=NOW_MS).account
    swept = msgspec.structs.replace(aside, buckets=tuple(b for b in aside.buckets if b.bucket_id != "bonus"))
    purse = Purse(swept, NOW_MS)
    purse.add_bucket(bonus(7, 9_000))
    done = give_back(purse.account(), reservation="r", reference="g", now_ms=NOW_MS)
    assert held(done.account) == {"bonus": 7, "bonus#2": 3, "main": 5}
    assert next(b for b in done.account.buckets if b.bucket_id == "bonus#2").valid_until_ms == 2_000


def test_bonus_is_the_first_that_a_deduction_takes():
    aside = set_aside(account_with(main(5), bonus(3)), eur(5), reference="r", now_ms=NOW_MS).account
    taken = take_set_aside(aside, eur(2), reservation="r", reference="d", now_ms=NOW_MS).account
    back = give_back(taken, reservation="r", reference="g", now_ms=NOW_MS).account
    assert held(back) == {"bonus": 1, "main": 5}


def test_reservation_of_an_earlier_release_goes_back_to_the_main_bucket():
    aside = set_aside(account_with(main(5), bonus(3)), eur(5), reference="r", now_ms=NOW_MS).account
    old = msgspec.structs.replace(
        aside, buckets=tuple(msgspec.structs.replace(bucket, origins=()) for bucket in aside.buckets)
    )
    back = give_back(old, reservation="r", reference="g", now_ms=NOW_MS).account
    check_invariants(back)
    assert held(back) == {"bonus": 0, "main": 8}


def test_values_without_origins_still_decode():
    account = account_with(main(5))
    old = msgspec.msgpack.decode(encode_value(account))
    old[4] = [bucket[:9] for bucket in old[4]]
    assert decode_account(msgspec.msgpack.encode(old)) == account
