"""What the API shows of accounts, sessions and peers."""

import msgspec

from ocs.api.tmf.resources import date_time
from ocs.api.views import (
    LatencyView,
    MoneyView,
    ReadyView,
    account_view,
    peers_view,
    session_view,
    status_view,
)
from ocs.balance.model import Account, Bucket, LifecycleState, Session, SessionState
from ocs.messages import Service, UsageContext
from ocs.metrics import Counter, Histogram, Registry, Snapshot
from ocs.units import UnitType


def test_account_shows_its_money_in_sum_and_each_bucket():
    buckets = (
        Bucket("bonus", UnitType.MONEY, 1_500_000, reserved=500_000, valid_until_ms=86_400_000),
        Bucket("main", UnitType.MONEY, -250_000),
        Bucket("data", UnitType.TOTAL_OCTETS, 5_000, 1_000, "data-5", 10),
    )
    view = account_view(Account("a", "EUR", LifecycleState.SUSPENDED, 3, buckets, (), 2_000_000))
    assert view.balance == MoneyView("1.25", 1_250_000, "EUR")
    assert view.reserved.micro == 500_000
    assert view.available.amount == "0.75"
    assert view.credit_limit.amount == "2.00"
    assert view.state == "suspended"
    assert view.buckets[0].valid_until == "1970-01-02T00:00:00.000Z"
    assert view.buckets[0].valid_from is None
    assert (view.buckets[2].unit, view.buckets[2].allowance, view.buckets[2].reserved) == (
        "total_octets",
        "data-5",
        1_000,
    )
    assert [bucket.available for bucket in view.buckets] == ["1.00 EUR", "-0.25 EUR", "4 kB"]


def test_session_does_not_show_remembered_answers_or_fingerprints():
    session = Session(
        "gw;1", "a", "s", SessionState.CLOSED, Service.VOICE, UsageContext("4930"), "h", "r", 0, 1_500, charged_micro=90_000,
        opening_fingerprint=b"secret",
    )  # fmt: skip
    text = msgspec.json.encode(session_view(session))
    view = msgspec.json.decode(text)
    assert (view["state"], view["service"], view["charged"], view["charged_micro"]) == (
        "closed",
        "voice",
        "0.09",
        90_000,
    )
    assert view["supervised_until"] == "1970-01-01T00:00:01.500Z"
    assert b"secret" not in text
    assert "answers" not in view


def test_moment_beyond_the_calendar_is_its_end():
    assert date_time(1 << 60) == "9999-12-31T23:59:59.000Z"


def test_peers_are_sorted_by_name_whatever_worker_serves_them():
    view = peers_view({"w0": [{"origin_host": "b"}, {}], "w1": [{"origin_host": "a"}]}, {"w2": "w2: silent"})
    assert [(item.worker, item.connection.get("origin_host")) for item in view.items] == [
        ("w0", None), ("w1", "a"), ("w0", "b"),
    ]  # fmt: skip
    assert view.silent_workers == {"w2": "w2: silent"}


def test_status_condenses_what_the_workers_count():
    registry = Registry()
    requests = Counter("ocs_diameter_requests_total", "R.", ("request_type",), registry=registry)
    requests.inc("initial", by=2)
    requests.inc("update", by=3)
    Counter("ocs_diameter_answers_total", "A.", ("outcome",), registry=registry).inc("success", by=5)
    Histogram("ocs_diameter_answer_seconds", "L.", (0.1,), registry=registry).observe(0.05)
    view = status_view(0, ReadyView(ready=True, checks=()), registry.snapshot(), 4)
    assert (view.requests, view.answers, view.open_sessions) == (5, {"success": 5}, 4)
    assert view.latency == LatencyView((0.1,), (1, 0))


def test_status_of_workers_that_count_nothing_yet_is_zero():
    view = status_view(0, ReadyView(ready=False, checks=()), Snapshot(), None)
    assert (view.requests, view.answers, view.latency, view.open_sessions) == (0, {}, LatencyView(), None)
