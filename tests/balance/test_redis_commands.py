"""Slots of keys; what commits and replies look like is told by the contract's tests on real servers."""

import pytest

from ocs.balance.redis_commands import slot_of
from tests.support import store_servers


@pytest.mark.parametrize(
    "key",
    ["{3}a:x", "clock", "d:e164:1", "l:a{b}c", "l:a{}b{c}", "l:}{x", "l:{", "l:{{x}}", "d:sip:é@x", ""],
)
def test_slot_is_what_a_cluster_makes_of_the_key(key: str):
    assert slot_of(key) == store_servers.slot_of(key)
