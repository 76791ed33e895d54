"""Addresses of stores: what is read, what is refused, and that no secret is shown."""

import pytest

from ocs.store_url import Endpoint, StoreUrl, StoreUrlError, parse_store_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:7000/3", StoreUrl("single", (Endpoint("h", 7000),), database=3)),
        ("redis://h", StoreUrl("single", (Endpoint("h", 6379),))),
        ("valkey://user:p%40ss@h/", StoreUrl("single", (Endpoint("h", 6379),), username="user", password="p@ss")),
        ("rediss://:secret@[::1]:1", StoreUrl("single", (Endpoint("::1", 1),), is_tls=True, password="secret")),
        ("valkeys://h", StoreUrl("single", (Endpoint("h", 6379),), is_tls=True)),
        ("unix:///run/my%20store.sock", StoreUrl("single", (Endpoint("", 0, "/run/my store.sock"),))),
        ("unix://a:b@/s", StoreUrl("single", (Endpoint("", 0, "/s"),), username="a", password="b")),
        (
            "redis+sentinel://u:p@h1,h2:1/main",
            StoreUrl(
                "sentinel", (Endpoint("h1", 26379), Endpoint("h2", 1)), name="main", username="u", password="p"
            ),
        ),
        ("valkeys+sentinel://h/m/2", StoreUrl("sentinel", (Endpoint("h", 26379),), True, "m", database=2)),
        (
            "rediss+cluster://h:7001,[::1]:7002",
            StoreUrl("cluster", (Endpoint("h", 7001), Endpoint("::1", 7002)), is_tls=True),
        ),
        ("redis+cluster://h/0", StoreUrl("cluster", (Endpoint("h", 6379),))),
    ],
)  # fmt: skip
def test_address_is_read(url: str, expected: StoreUrl):
    assert parse_store_url(url) == expected


@pytest.mark.parametrize(
    ("url", "expectation"),
    [
        ("", "expected an address that begins with redis"),
        ("http://h", "expected an address that begins with redis"),
        ("redis:h", "expected an address that begins with redis"),
        ("unix+cluster:///s", "expected an address that begins with redis"),
        ("redis+://h", "expected an address that begins with redis"),
        ("redis+sentry://h/m", "expected an address that begins with redis"),
        ("redis://", "expected redis://HOST:PORT/0"),
        ("redis://h:0", "a host or port is none"),
        ("redis://h:65536", "a host or port is none"),
        ("redis://a b", "a host or port is none"),
        ("redis://a,b", "each server once"),
        ("redis://h/x", "the number of a database is none"),
        ("unix://", "unix:///PATH"),
        ("unix://h/s", "unix:///PATH"),
        ("redis+sentinel://h:1,h:1/m", "each server once"),
        ("redis+sentinel://h:1", "what the Sentinels call the primary comes last"),
        ("redis+cluster://h,", "a host or port is none"),
        ("redis+cluster://h/1", "a cluster has database 0 only"),
    ],
)
def test_address_of_nothing_is_refused_with_what_was_expected(url: str, expectation: str):
    with pytest.raises(StoreUrlError) as caught:
        parse_store_url(url)
    assert expectation in str(caught.value)


@pytest.mark.parametrize(
    "shown",
    [
        "redis://h:7000/3",
        "unix:///run/s",
        "unix://ann@/run/s",
        "rediss://ann@[::1]:1",
        "redis+sentinel://h:1,h:2/main",
        "rediss+cluster://ann@h:1,h:2",
    ],
)
def test_address_is_shown_as_it_was_written(shown: str):
    assert str(parse_store_url(shown)) == shown


def test_password_is_never_shown():
    url = parse_store_url("redis+cluster://ann:hunter2@h:1")
    assert "hunter2" not in f"{url} {url!r} {[url]}"
    with pytest.raises(StoreUrlError) as caught:
        parse_store_url("redis://ann:hunter2@h:x")
    assert "hunter2" not in str(caught.value)
