"""All keys of a store by partition: nothing lost, whatever a name contains, in bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.balance import key_spool
from ocs.balance.key_spool import KeySpool


def test_keys_come_back_by_kind_and_partition() -> None:
    names = [
        b"{0}a:x",
        b"{0}a:y",
        b"{0}u:x",
        b"{1}s:x:smf;1",
        b"{12}a:z",
        b"d:e164:49",
        b"meta",
        b"{0}events",
    ]
    with KeySpool() as spool:
        spool.fill(names)
        assert spool.keys("a", 0) == {b"{0}a:x", b"{0}a:y"}
        assert spool.keys("u", 0) == {b"{0}u:x"}
        assert spool.keys("s", 1) == {b"{1}s:x:smf;1"}
        assert spool.keys("a", 1) == set()
        assert list(spool.directory()) == [b"d:e164:49"]
        assert spool.partitions() == {0, 1, 12}


def test_key_that_a_scan_gave_twice_comes_back_once() -> None:
    with KeySpool() as spool:
        spool.fill([b"{0}a:x", b"{0}a:x"])
        assert spool.keys("a", 0) == {b"{0}a:x"}


def test_nothing_is_lost_when_more_keys_come_than_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_spool, "SPOOLED_KEYS_MAX", 3)
    names = {b"{%d}a:%d" % (n % 2, n) for n in range(20)}
    with KeySpool() as spool:
        spool.fill(names)
        spool.fill([b"{0}a:another"])
        assert spool.keys("a", 0) | spool.keys("a", 1) == names | {b"{0}a:another"}


@given(st.binary(min_size=1, max_size=40))
def test_names_are_octets_of_any_kind(name: bytes) -> None:
    with KeySpool() as spool:
        spool.fill([b"{3}s:a:" + name, b"{3}s:a:other"])
        assert spool.keys("s", 3) == {b"{3}s:a:" + name, b"{3}s:a:other"}
