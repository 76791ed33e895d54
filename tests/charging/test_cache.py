"""What a worker remembers of the store: bounded, the last used kept longest, work under way never dropped."""

from ocs.balance import keys
from ocs.balance.model import Account, LifecycleState, Subscriber, encode_value
from ocs.balance.store import ABSENT, NOTHING, Stored
from ocs.charging.cache import AccountCache, Entry, HintCache


def test_entry_remembers_values_with_their_tokens_and_absence() -> None:
    entry = Entry("A1", 3)
    account = Account("A1", "EUR", LifecycleState.ACTIVE, 0, (), ())
    subscriber = Subscriber("S1", "A1", LifecycleState.ACTIVE, (), ())
    copies = entry.account, entry.subscriber("S1"), entry.session("gw}u:1")
    assert not any(copy.is_seen for copy in copies)
    entry.put(copies[0], Stored(b"token", encode_value(account)))
    entry.put(copies[1], Stored(b"other", encode_value(subscriber)))
    entry.put(copies[2], NOTHING)
    assert [copy.key for copy in copies] == [
        keys.account_key(3, "A1"),
        keys.subscriber_key(3, "S1"),
        keys.session_key(3, "A1", "gw}u:1"),
    ]
    seen = [entry.account, entry.subscriber("S1"), entry.session("gw}u:1")]
    assert [(copy.token, copy.value) for copy in seen] == [
        (b"token", account),
        (b"other", subscriber),
        (ABSENT, None),
    ]
    entry.forget()
    seen = [entry.account, entry.subscriber("S1"), entry.session("gw}u:1")]
    assert not any(copy.is_seen for copy in seen)


def test_account_used_longest_ago_gives_way() -> None:
    cache = AccountCache(2, 64)
    first, _ = cache.entry("A1"), cache.entry("A2")
    assert cache.entry("A1") is first
    cache.entry("A3")
    assert len(cache) == 2
    assert cache.entry("A1") is first


def test_account_with_work_under_way_is_kept() -> None:
    cache = AccountCache(2, 64)
    busy, waiting = cache.entry("A1"), cache.entry("A2")
    busy.is_busy = True
    waiting.waiting.append(object())
    cache.entry("A3")
    assert len(cache) == 3
    for entry in (busy, waiting):
        cache.discard(entry)
        assert cache.entry(entry.account_id) is entry
    busy.is_busy = False
    cache.discard(busy)
    assert cache.entry("A1") is not busy


def test_hint_used_longest_ago_gives_way_and_a_wrong_one_is_dropped() -> None:
    hints = HintCache(2)
    hints.put(("e164:1",), "A1", "S1")
    hints.put(("e164:2",), "A2", "S2")
    assert hints.get(("e164:1",)) == ("A1", "S1")
    hints.put(("e164:3",), "A3", "S3")
    assert hints.get(("e164:2",)) is None
    hints.forget(("e164:1",))
    hints.forget(("e164:9",))
    assert hints.get(("e164:1",)) is None
    assert hints.get(("e164:3",)) == ("A3", "S3")
