"""Names of keys: one partition's keys lie in one slot, and no two things share a name."""

from zlib import crc32

import pytest
import redis.crc
from hypothesis import given
from hypothesis import strategies as st

from ocs.balance import keys

names = st.text(
    st.characters(blacklist_characters="{}:\n", blacklist_categories=("Cs",)), min_size=1, max_size=30
)


@given(names, st.sampled_from([1, 16, 64, 1024]))
def test_partition_of_an_account_is_fixed_for_ever(account_id: str, partitions: int) -> None:
    partition = keys.partition_of(account_id, partitions)
    assert 0 <= partition < partitions
    assert partition == crc32(account_id.encode()) % partitions


def test_accounts_spread_over_all_partitions() -> None:
    counts = [0] * 64
    for number in range(64_000):
        counts[keys.partition_of(f"A{number}", 64)] += 1
    assert min(counts) > 500
    assert max(counts) < 2_000


@given(names, st.integers(0, 1023))
def test_all_keys_of_a_partition_lie_in_one_slot(name: str, partition: int) -> None:
    of_partition = [
        keys.account_key(partition, name),
        keys.subscriber_key(partition, name),
        keys.session_key(partition, name, "gw;1;{2}"),
        keys.operation_key(partition, name),
        keys.deadlines_key(partition),
        keys.events_key(partition),
    ]
    slots = {redis.crc.key_slot(key.encode()) for key in of_partition}
    assert len(slots) == 1
    assert len(set(of_partition)) == len(of_partition)


def test_one_session_id_of_two_accounts_makes_two_keys() -> None:
    assert keys.session_key(1, "a", "s") != keys.session_key(1, "b", "s")


@given(names, st.text(st.characters(blacklist_categories=("Cs",)), max_size=60))
def test_locations_and_deadlines_read_back(account_id: str, session_id: str) -> None:
    assert keys.parse_deadline_member(keys.deadline_member(account_id, session_id)) == (
        account_id,
        session_id,
    )
    assert keys.decode_location(keys.encode_location(account_id, session_id)) == (account_id, session_id)


@pytest.mark.parametrize(
    "key", [keys.identity_key("e164:1"), keys.locator_key("gw;1"), keys.catalogue_key("v1")]
)
def test_hints_and_catalogues_carry_no_hash_tag(key: str) -> None:
    assert "{" not in key
