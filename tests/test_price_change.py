"""Whose gateway is asked after prices changed: sessions with a grant that would cost something else, and no others."""

from pathlib import Path

import pytest

from ocs.balance.model import LifecycleState, Session, SessionService, SessionState, Subscriber
from ocs.diameter_gy.session_demand import DemandKind
from ocs.messages import NO_CONTEXT, Service
from ocs.price_change import PriceChange
from ocs.rating import Catalogue, load_catalogue

NOW_S = 1_796_000_000
BOOK = """
[catalogue]
name = "test"
currency = "EUR"
time_zone = "Europe/Berlin"
effective = 2026-11-01

[[quotas]]
id = "octets"
unit = "octets"
standard = true
default = 1000
minimum = 10
maximum = 10000
validity_time = 600

[[offers]]
id = "basic"

[[offers.prices]]
id = "data"
service = "data"
unit = "octets"
amount = "0.01"
per = "1 kB"

[[offers.prices]]
id = "video"
service = "data"
unit = "octets"
rating_groups = [2]
amount = "0.02"
per = "1 kB"
"""


def book(folder: Path, *changes: tuple[str, str]) -> Catalogue:
    text = BOOK
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    folder.mkdir(exist_ok=True)
    (folder / "a.toml").write_text(text, encoding="utf-8")
    return load_catalogue(folder)


@pytest.fixture
def before(tmp_path: Path) -> Catalogue:
    return book(tmp_path / "before")


def grant(version: str, rating_group: int | None, units: int = 100) -> SessionService:
    return SessionService(rating_group, (), version, "basic/data", granted_units=units)


def session(*services: SessionService) -> Session:
    return Session(
        "s;1", "A1", "S1", SessionState.OPEN, Service.DATA, NO_CONTEXT, "pgw", "lab", 1_000, 5_000, services
    )


def asked(
    before: Catalogue, after: Catalogue, *sessions: Session, offers=("basic",)
) -> list[tuple[int, ...]]:
    """The rating groups of each demand."""
    subscriber = Subscriber("S1", "A1", LifecycleState.ACTIVE, (), offers)
    change = PriceChange(
        after, read={before.version: before}.__getitem__, find=lambda *_: subscriber, now_s=NOW_S
    )
    demands = change.demands(sessions)
    assert all(demand.kind is DemandKind.REAUTHORISE for demand in demands)
    return [demand.rating_groups for demand in demands]


def test_rating_groups_whose_price_changed_are_asked_for_and_no_others(before, tmp_path):
    after = book(tmp_path / "after", ('"0.02"', '"0.03"'))
    both = session(grant(before.version, 1), grant(before.version, 2))
    assert asked(before, after, both) == [(2,)]
    assert asked(before, after, session(grant(before.version, 1))) == []


@pytest.mark.parametrize(
    "change",
    [('per = "1 kB"', 'per = "2 kB"'), ('per = "1 kB"', 'per = "1 kB"\nrounding = "100/100"'),
     ('per = "1 kB"', 'per = "1 kB"\nconnection_fee = "0.10"'),
     ('id = "data"\nservice = "data"', 'id = "data"\nservice = "sms"')],
)  # fmt: skip
def test_whatever_makes_the_amount_counts(before, tmp_path, change):
    after = book(tmp_path / "after", change)
    assert asked(before, after, session(grant(before.version, 1))) == [(1,)]


@pytest.mark.parametrize(
    "change",
    [('id = "basic"', 'id = "basic"\nname = "Basic"'), ("default = 1000", "default = 2000"),
     ('amount = "0.01"\nper = "1 kB"', 'amount = "0.10"\nper = "10 kB"')],
)  # fmt: skip
def test_name_quota_or_another_way_of_writing_the_price_is_no_change(before, tmp_path, change):
    after = book(tmp_path / "after", change)
    assert after.version != before.version
    assert asked(before, after, session(grant(before.version, 1))) == []


def test_grant_under_the_new_catalogue_and_service_without_a_grant_are_left_alone(before, tmp_path):
    after = book(tmp_path / "after", ('"0.01"', '"0.03"'))
    assert asked(before, after, session(grant(after.version, 1), grant(before.version, 1, units=0))) == []


def test_service_without_a_rating_group_has_the_whole_session_asked_for(before, tmp_path):
    after = book(tmp_path / "after", ('"0.01"', '"0.03"'))
    assert asked(before, after, session(grant(before.version, None), grant(before.version, 2))) == [()]


def test_offer_that_is_gone_is_a_change_and_one_that_never_priced_it_is_none(before, tmp_path):
    after = book(tmp_path / "after", ('id = "basic"', 'id = "other"'))
    assert asked(before, after, session(grant(before.version, 1))) == [(1,)]
    assert asked(before, after, session(grant(before.version, 1)), offers=("none",)) == []


def test_session_of_nobody_is_passed_over(before, tmp_path):
    after = book(tmp_path / "after", ('"0.01"', '"0.03"'))
    change = PriceChange(after, read={before.version: before}.__getitem__, find=lambda *_: None, now_s=NOW_S)
    assert change.demands([session(grant(before.version, 1))]) == []
