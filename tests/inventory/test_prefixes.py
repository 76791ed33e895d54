"""What is free in a pool."""

from ipaddress import IPv4Network, ip_network

import hypothesis.strategies as st
from hypothesis import given

from ocs.inventory.prefixes import first_free

_POOL = IPv4Network("10.0.0.0/26")


def free(pool: str, taken: list[str], length: int) -> str | None:
    found = first_free(ip_network(pool), map(ip_network, taken), length)
    return None if found is None else str(found)


def test_first_gap_that_is_large_enough_is_taken() -> None:
    assert free("10.0.0.0/24", [], 26) == "10.0.0.0/26"
    assert free("10.0.0.0/24", ["10.0.0.0/30", "10.0.0.128/26"], 26) == "10.0.0.64/26"
    assert free("10.0.0.0/24", ["10.0.0.0/25", "10.0.0.128/25"], 26) is None
    assert free("10.0.0.0/24", [], 23) is None


def test_hosts_of_a_pool_leave_out_its_own_addresses_but_in_the_smallest_ones() -> None:
    assert free("10.0.0.0/30", [], 32) == "10.0.0.1/32"
    assert free("10.0.0.0/30", ["10.0.0.1/32", "10.0.0.2/32"], 32) is None
    assert free("10.0.0.0/31", ["10.0.0.0/32"], 32) == "10.0.0.1/32"
    assert free("2001:db8::/126", [], 128) == "2001:db8::/128"


@given(lengths=st.lists(st.integers(27, 32), max_size=30))
def test_what_is_taken_one_after_the_other_never_meets_and_fills_every_gap(lengths: list[int]) -> None:
    taken: list[IPv4Network] = []
    for length in lengths:
        found = first_free(_POOL, taken, length)
        fits = [
            one for one in _POOL.subnets(new_prefix=length) if not any(one.overlaps(two) for two in taken)
        ]
        if length == 32:
            fits = [one for one in fits if one.network_address not in (_POOL[0], _POOL[-1])]
        assert found == (fits[0] if fits else None)
        if isinstance(found, IPv4Network):
            taken.append(found)
