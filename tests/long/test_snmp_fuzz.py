"""Millions of datagrams that nobody should send: the engine raises nothing, and forgets what it need not remember."""

import itertools

import pytest

from ocs.limits import (
    SNMP_ENGINES_REMEMBERED_MAX,
    SNMP_KEYS_REMEMBERED,
    SNMP_NAMES_REMEMBERED,
    SNMP_VARBINDS_REMEMBERED,
)
from tests.support.snmp_mutations import assert_one_outcome, judge, mutations
from tests.support.snmp_recordings import recordings

pytestmark = pytest.mark.long
MUTATIONS = 2_000_000


def test_two_million_mutated_datagrams_raise_nothing_and_fill_no_memory() -> None:
    by = judge()
    read = sum(assert_one_outcome(by, octets) for octets in itertools.islice(mutations(5), MUTATIONS))
    assert read > MUTATIONS // 50, "some are still read"
    assert len(by._reader._names) <= SNMP_NAMES_REMEMBERED
    assert len(by._reader._varbinds) <= SNMP_VARBINDS_REMEMBERED
    assert len(by._keys) <= SNMP_KEYS_REMEMBERED
    assert len(by._clocks._clocks) <= SNMP_ENGINES_REMEMBERED_MAX
    for recording in recordings():
        assert assert_one_outcome(by, recording.octets) == (recording.kind != "probe"), (
            "good ones are still read"
        )
