"""Events go when everybody has acknowledged them, together with what they came to; whatever is killed between."""

from typing import Any

import msgspec
import pytest
import redis
import structlog

from ocs.balance import keys, trimming
from ocs.balance.checkpoints import POSITION_FIELD, decode_checkpoint
from ocs.balance.client import BalanceClient
from ocs.balance.trimming import Trimmer, parse_id, successor
from ocs.balance.verify import verify_store
from ocs.events import BILLING_GROUP, LISTENERS_GROUP, decode_event, encode_event
from tests.support.charged_store import PARTITIONS, ChargedStore, started_server


class Reader:
    """The business side: reads in a group, acknowledges."""

    def __init__(self, store: ChargedStore, group: str = BILLING_GROUP) -> None:
        self._redis = store.admin
        self._group = group
        self.delivered: dict[int, list[bytes]] = {p: [] for p in range(PARTITIONS)}
        for partition in range(PARTITIONS):
            self._redis.xgroup_create(keys.events_key(partition), group, "0", mkstream=True)

    def read(self) -> None:
        for partition, delivered in self.delivered.items():
            name = keys.events_key(partition)
            for _, entries in self._redis.xreadgroup(self._group, "bss", {name: ">"}):
                delivered += [entry_id for entry_id, _ in entries]

    def acknowledge(self, partition: int, entries: list[bytes]) -> None:
        self._redis.xack(keys.events_key(partition), self._group, *entries)

    def acknowledge_all(self) -> None:
        self.read()
        for partition, delivered in self.delivered.items():
            if delivered:
                self.acknowledge(partition, delivered)


def trim(store: ChargedStore, trimmer: Trimmer | None = None) -> int:
    trimmer = trimmer or Trimmer(store.admin)
    return sum(trimmer.trim_partition(partition) for partition in range(PARTITIONS))


def kept(store: ChargedStore) -> dict[int, list[bytes]]:
    return {
        partition: [entry_id for entry_id, _ in store.admin.xrange(keys.events_key(partition))]
        for partition in range(PARTITIONS)
    }


def busiest(store: ChargedStore) -> int:
    return max(kept(store), key=lambda partition: len(kept(store)[partition]))


def assert_clean(store: ChargedStore) -> None:
    report = verify_store(store.admin, partitions=PARTITIONS)
    assert report.findings == []
    assert report.counted["accounts"] == 6


def test_nothing_is_trimmed_while_nobody_reads(store: ChargedStore) -> None:
    before = kept(store)
    assert trim(store) == 0
    assert kept(store) == before


def test_nothing_is_trimmed_while_others_read_and_the_business_side_does_not(store: ChargedStore) -> None:
    reader = Reader(store, "statistics")
    reader.acknowledge_all()
    assert trim(store) == 0


def test_nothing_is_trimmed_that_was_only_delivered(store: ChargedStore) -> None:
    Reader(store).read()
    assert trim(store) == 0


def test_nothing_is_trimmed_that_was_not_delivered(store: ChargedStore) -> None:
    Reader(store)
    assert trim(store) == 0


def test_event_of_the_same_millisecond_that_was_not_delivered_stays(store: ChargedStore) -> None:
    partition = keys.partition_of("a1", PARTITIONS)
    name = keys.events_key(partition)
    events = [fields for _, fields in store.admin.xrange(name)]
    store.admin.delete(name)
    for count, fields in enumerate(events):
        store.admin.xadd(name, fields, id=f"1800000000000-{count}")
    reader = Reader(store)
    store.admin.xreadgroup(BILLING_GROUP, "bss", {name: ">"}, count=2)
    reader.acknowledge(partition, kept(store)[partition][:2])
    assert Trimmer(store.admin).trim_partition(partition) == 2
    assert kept(store)[partition][0] == b"1800000000000-2"


def test_acknowledged_events_go_and_the_books_still_agree(store: ChargedStore) -> None:
    Reader(store).acknowledge_all()
    count = sum(map(len, kept(store).values()))
    assert trim(store) == count
    assert kept(store) == {partition: [] for partition in range(PARTITIONS)}
    assert_clean(store)
    for number in range(6):
        store.use(f"a{number}", f"open;{number}", 2)
    assert_clean(store)


def test_events_go_up_to_the_first_that_is_not_acknowledged(store: ChargedStore) -> None:
    reader, partition = Reader(store), busiest(store)
    reader.read()
    entries = kept(store)[partition]
    reader.acknowledge(partition, [*entries[:2], *entries[3:]])
    assert trim(store) == 2
    assert kept(store)[partition] == entries[2:]
    assert_clean(store)


def test_slowest_of_all_groups_decides(store: ChargedStore) -> None:
    billing, slow, partition = Reader(store), Reader(store, "slow"), busiest(store)
    billing.acknowledge_all()
    slow.read()
    entries = kept(store)[partition]
    slow.acknowledge(partition, entries[:1])
    assert trim(store) == 1
    assert kept(store)[partition] == entries[1:]


def test_event_delivered_while_we_look_stays(store: ChargedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is delivered after the groups were asked, and was never acknowledged."""
    reader, partition = Reader(store), busiest(store)
    name, entries = keys.events_key(partition), kept(store)[partition]
    store.admin.xreadgroup(BILLING_GROUP, "bss", {name: ">"}, count=2)
    reader.acknowledge(partition, entries[:1])
    ask = store.admin.xpending

    def xpending(stream: str, group: str) -> Any:
        reader.acknowledge(partition, entries[1:2])
        store.admin.xreadgroup(BILLING_GROUP, "bss", {name: ">"}, count=1)
        return ask(stream, group)

    monkeypatch.setattr(store.admin, "xpending", xpending)
    assert Trimmer(store.admin).trim_partition(partition) == 2
    assert kept(store)[partition] == entries[2:]


def test_trimming_goes_on_page_by_page(store: ChargedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trimming, "EVENTS_PER_TRIM_MAX", 2)
    Reader(store).acknowledge_all()
    count = sum(map(len, kept(store).values()))
    assert trim(store) == count
    assert_clean(store)


def test_one_look_at_a_partition_is_bounded(store: ChargedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trimming, "EVENTS_PER_TRIM_MAX", 1)
    monkeypatch.setattr(trimming, "TRIMS_PER_LOOK_MAX", 2)
    Reader(store).acknowledge_all()
    assert Trimmer(store.admin).trim_partition(busiest(store)) == 2


def test_second_trimmer_that_is_late_changes_nothing(
    store: ChargedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    Reader(store).acknowledge_all()
    partition = busiest(store)
    read = store.admin.hmget
    first = ChargedStore(store.url)

    def hmget(*arguments: Any) -> Any:
        found = read(*arguments)
        monkeypatch.setattr(store.admin, "hmget", read)
        assert Trimmer(first.admin).trim_partition(partition) > 0
        return found

    monkeypatch.setattr(store.admin, "hmget", hmget)
    assert Trimmer(store.admin).trim_partition(partition) == 0
    first.close()
    assert_clean(store)


def test_late_trimmer_whose_partition_got_new_events_trims_none_of_them_twice(
    store: ChargedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(store)
    reader.acknowledge_all()
    partition = keys.partition_of("a1", PARTITIONS)
    name = keys.checkpoints_key(partition)
    ask = store.admin.fcall
    first = ChargedStore(store.url)

    def fcall(*arguments: Any) -> Any:
        monkeypatch.setattr(store.admin, "fcall", ask)
        Trimmer(first.admin).trim_partition(partition)
        store.use("a1", "open;1", 2)
        reader.acknowledge_all()
        Trimmer(first.admin).trim_partition(partition)
        books = store.admin.hgetall(name)
        result = ask(*arguments)
        assert store.admin.hgetall(name) == books
        return result

    monkeypatch.setattr(store.admin, "fcall", fcall)
    assert Trimmer(store.admin).trim_partition(partition) == 0
    first.close()
    assert_clean(store)


class DiedError(Exception):
    """The trimmer's process is gone."""


@pytest.mark.parametrize("is_answer_lost", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("step", ["xinfo_groups", "hget", "xrange", "hmget", "fcall"])
def test_trimmer_killed_at_any_step_leaves_books_that_agree(
    store: ChargedStore, monkeypatch: pytest.MonkeyPatch, step: str, *, is_answer_lost: bool
) -> None:
    Reader(store).acknowledge_all()
    count = sum(map(len, kept(store).values()))
    carry_out = getattr(store.admin, step)

    def die(*arguments: Any, **more: Any) -> Any:
        if is_answer_lost:
            carry_out(*arguments, **more)
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(store.admin, step, die)
        with pytest.raises(DiedError):
            trim(store)
    assert_clean(store)
    gone = count - sum(map(len, kept(store).values()))
    assert (gone > 0) == (step == "fcall" and is_answer_lost)
    assert trim(store) == count - gone
    assert_clean(store)


def test_store_killed_after_a_trim_has_both_or_neither(tmp_path: Any) -> None:
    """The step is one entry of the append-only file: cut anywhere in it, it has not happened."""
    with started_server(tmp_path, "--appendfsync", "always") as url:
        store = ChargedStore(url)
        store.set_up()
        store.fill()
        Reader(store).acknowledge_all()
        file = tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof"
        before = file.stat().st_size
        assert Trimmer(store.admin).trim_partition(busiest(store)) > 0
        after = file.stat().st_size
        store.close()
    whole = file.read_bytes()
    for cut in (before + 1, (before + after) // 2, after - 1, after):
        file.write_bytes(whole[:cut])
        with started_server(tmp_path) as url:
            store = ChargedStore(url)
            assert_clean(store)
            positions = [
                store.admin.hexists(keys.checkpoints_key(p), POSITION_FIELD) for p in range(PARTITIONS)
            ]
            assert any(positions) == (cut == after)
            store.close()


# --- Evidence stays -------------------------------------------------------------------------------------------


def test_events_whose_numbers_do_not_follow_are_kept(store: ChargedStore) -> None:
    partition = keys.partition_of("a1", PARTITIONS)
    name = keys.events_key(partition)
    entries = [e for e in store.admin.xrange(name) if decode_event(e[1][b"e"]).account_id == "a1"]
    store.admin.xdel(name, entries[1][0])
    Reader(store).acknowledge_all()
    trimmer = Trimmer(store.admin)
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            assert trimmer.trim_partition(partition) == 0
    assert store.admin.xlen(name) > 0
    assert [line["event"] for line in lines] == ["events_not_trimmed"]


def test_event_that_cannot_be_read_is_kept(store: ChargedStore) -> None:
    Reader(store)
    store.admin.xadd(keys.events_key(0), {"e": b"\xc1"})
    reader_of = store.admin.xreadgroup(BILLING_GROUP, "bss", {keys.events_key(0): ">"})
    store.admin.xack(keys.events_key(0), BILLING_GROUP, *(i for _, entries in reader_of for i, _ in entries))
    assert Trimmer(store.admin).trim_partition(0) == 0


def test_event_of_the_past_that_comes_again_is_kept(store: ChargedStore) -> None:
    reader, partition = Reader(store), keys.partition_of("a1", PARTITIONS)
    name = keys.events_key(partition)
    event = decode_event(store.admin.xrange(name)[0][1][b"e"])
    reader.acknowledge_all()
    trim(store)
    store.admin.xadd(name, {"e": encode_event(msgspec.structs.replace(event, event_id="again"))})
    reader.acknowledge_all()
    assert Trimmer(store.admin).trim_partition(partition) == 0


def test_account_s_events_that_are_left_are_still_listed(store: ChargedStore) -> None:
    Reader(store).acknowledge_all()
    trim(store)
    store.use("a1", "open;1", 2)
    client = BalanceClient(store.admin, partitions=PARTITIONS)
    account = client.account("a1")
    assert account is not None
    assert [event.sequence for event in client.events("a1")] == [account.sequence]
    checkpoint = decode_checkpoint(store.admin.hget(keys.checkpoints_key(client.partition_of("a1")), "a1"))
    assert checkpoint.sequence == account.sequence - 1


def test_store_that_does_not_answer_is_told_to_the_caller(tmp_path: Any) -> None:
    with started_server(tmp_path) as url:
        store = ChargedStore(url)
    with pytest.raises(redis.RedisError):
        Trimmer(store.admin).trim_partition(0)
    store.close()


def test_ids_of_a_stream_are_ordered_as_numbers() -> None:
    assert parse_id(b"9-10") < parse_id(b"10-2") < parse_id(b"10-10")
    assert successor(parse_id(b"5-1")) == (5, 2)
    assert parse_id(b"7") == (7, 0)


def test_listeners_hold_events_back_for_some_time_only(
    store: ChargedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    billing, listeners = Reader(store), Reader(store, LISTENERS_GROUP)
    billing.acknowledge_all()
    before = kept(store)
    assert trim(store) == 0
    partition = busiest(store)
    listeners.read()
    listeners.acknowledge(partition, before[partition][:1])
    assert trim(store) == 1
    monkeypatch.setattr(trimming, "LISTENERS_LAG_MAX_S", -1)  # the newest is older than that
    assert trim(store) == sum(map(len, before.values())) - 1
    assert_clean(store)


def test_listeners_hold_nothing_back_without_the_business_side_and_beyond_it(store: ChargedStore) -> None:
    Reader(store, LISTENERS_GROUP).acknowledge_all()
    assert trim(store) == 0
    Reader(store)
    for partition in range(PARTITIONS):
        assert Trimmer(store.admin).trim_partition(partition, waits_for_listeners=False) == 0


def test_listeners_are_not_waited_for_when_there_is_no_room(store: ChargedStore) -> None:
    Reader(store).acknowledge_all()
    Reader(store, LISTENERS_GROUP)
    assert trim(store) == 0
    for partition in range(PARTITIONS):
        Trimmer(store.admin).trim_partition(partition, waits_for_listeners=False)
    assert not any(kept(store).values())
    assert_clean(store)
