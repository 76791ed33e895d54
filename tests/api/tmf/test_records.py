"""Records of actions: claimed once, finished once, listed by account, found again while pending."""

import hashlib

import msgspec
import pytest

from ocs.api.tmf import records as module
from ocs.api.tmf.hubs import Hub, HubStore
from ocs.api.tmf.records import ActionRecord, ActionStatus, RecordsTooManyError, RecordStore
from ocs.api.tokens import TokenStore, make_token
from ocs.balance.client import BalanceClient
from ocs.balance.store_admin import connect, set_up_store
from tests.support.charged_store import LIBRARY
from tests.support.store_servers import cluster

KIND = "topupBalance"


@pytest.fixture
def records(balance, store) -> RecordStore:
    return RecordStore(balance, store)


def record(
    records: RecordStore, account_id: str = "A1", at_ms: int = 1_000_000_000_000, key: str = ""
) -> ActionRecord:
    record_id = records.new_id(KIND, account_id, caller="c", key=key)
    return ActionRecord(
        record_id, KIND, account_id, "c", hashlib.sha256(b"x").digest(), b"{}", ActionStatus.CREATED, at_ms
    )


def test_claimed_record_is_found_pending_and_listed(records):
    mine = record(records)
    assert records.claim(mine) == mine
    assert records.get(mine.record_id) == mine
    assert records.listed(KIND) == records.listed(KIND, ("A1",)) == [mine]
    assert records.listed(KIND, ("A2",)) == records.listed("adjustBalance") == []
    assert records.pending(mine.requested_ms, 10) == [(mine.record_id, mine)]
    assert records.pending(mine.requested_ms - 1, 10) == []


def test_second_claim_gets_the_first_record(records):
    mine = record(records, key="k")
    again = record(records, key="k", at_ms=mine.requested_ms + 5)
    records.claim(mine)
    assert again.record_id == mine.record_id
    assert records.claim(again) == mine
    assert len(records.listed(KIND)) == 1
    assert records.pending(mine.requested_ms, 10) == [(mine.record_id, mine)]  # its time is the first claim's


def test_keys_of_another_caller_account_or_kind_do_not_meet(records):
    ids = {
        records.new_id(KIND, "A1", caller="c", key="k"), records.new_id(KIND, "A1", caller="d", key="k"),
        records.new_id(KIND, "A2", caller="c", key="k"), records.new_id("adjustBalance", "A1", caller="c", key="k"),
        records.new_id(KIND, "A1", caller="c"), records.new_id(KIND, "A1", caller="c"),
    }  # fmt: skip
    assert len(ids) == 6


def test_record_is_finished_once(records):
    mine = record(records)
    records.claim(mine)
    done = msgspec.structs.replace(mine, status=ActionStatus.COMPLETED, confirmed_ms=5)
    failed = msgspec.structs.replace(mine, status=ActionStatus.FAILED, confirmed_ms=6)
    assert records.finish(done) == done
    assert records.finish(failed) == done
    records.settled(done)
    assert records.pending(mine.requested_ms, 10) == []


def test_record_is_cancelled_only_from_the_state_that_was_seen(records):
    mine = record(records)
    records.claim(mine)
    cancelled = msgspec.structs.replace(mine, status=ActionStatus.CANCELLED)
    assert records.replace(cancelled, ActionStatus.COMPLETED) == mine
    records.finish(msgspec.structs.replace(mine, status=ActionStatus.COMPLETED))
    assert records.replace(cancelled, ActionStatus.COMPLETED) == cancelled


def test_records_are_listed_newest_first(records):
    made = [record(records, account_id=f"A{number}", at_ms=1_000_000_000_000 + number) for number in range(5)]
    for each in made:
        records.claim(each)
    assert records.listed(KIND) == made[::-1]


def test_forgotten_record_is_gone_everywhere(records):
    mine = record(records)
    records.claim(mine)
    records.settled(mine)
    records.delete(mine)
    assert records.get(mine.record_id) is None
    assert records.listed(KIND) == records.listed(KIND, ("A1",)) == []


def test_what_a_crash_left_before_the_claim_is_dropped(records, store):
    mine = record(records)
    records.claim(mine)
    store.delete(f"{{{mine.record_id.partition('-')[0]}}}r:{mine.record_id}")
    assert records.pending(mine.requested_ms, 10) == [(mine.record_id, None)]
    records.drop_pending(mine.record_id)
    assert records.pending(mine.requested_ms, 10) == []


@pytest.mark.parametrize("record_id", ["", "x", "1", "99-ab", "-ab", "1-a{}", "²-a", "12345-a", "1-"])
def test_made_up_id_is_none(records, record_id: str):
    assert records.get(record_id) is None


def test_more_records_than_are_looked_through_ask_for_an_account(records, monkeypatch):
    monkeypatch.setattr(module, "ACTION_RECORDS_LISTED_MAX", 3)
    for number in range(4):
        records.claim(record(records, account_id=f"A{number}"))
    with pytest.raises(RecordsTooManyError):
        records.listed(KIND)
    assert len(records.listed(KIND, ("A1",))) == 1


def test_indexes_forget_what_is_older_than_records_live(records):
    old = record(records, at_ms=1_000)
    records.claim(old)
    records.claim(record(records))
    assert old not in records.listed(KIND, ("A1",))


# --- On a cluster ------------------------------------------------------------------------------------------------


async def test_records_tokens_and_listeners_are_kept_on_a_cluster_too(tmp_path):
    with cluster(tmp_path, primaries=3) as nodes, connect(nodes.url) as store:
        set_up_store(store, partitions=8, now_s=1, library=LIBRARY)
        records = RecordStore(BalanceClient(store, partitions=8), store)
        made = [
            record(records, account_id=f"A{number}", at_ms=1_000_000_000_000 + number) for number in range(20)
        ]
        for each in made:
            assert records.claim(each) == each
        assert records.listed(KIND) == made[::-1]
        assert {record_id for record_id, _ in records.pending(made[-1].requested_ms, 50)} == {
            each.record_id for each in made
        }
        records.settled(made[0])
        records.delete(made[0])
        assert records.get(made[0].record_id) is None and records.get(made[1].record_id) == made[1]
        tokens, hubs = TokenStore(store), HubStore(store)
        token, _ = make_token("crm", ("balance:read",), now_ms=1)
        tokens.add(token)
        assert tokens.some([token.token_id, "x"]) == {token.token_id: token}
        hubs.add(Hub("h", "/b", "https://x"))
        hubs.enqueue(["h"], b"1")
        assert hubs.hold_lease("h", "p", 5) and hubs.first("h") == b"1"
        assert hubs.remove("h")
