"""What an element lacks of a service, and what is not the service's alone."""

from ocs.provisioning.compliance.adoption import missing, shared_entries
from ocs.provisioning.configuration import ConfigurationDiff
from tests.support.elements import ethernet, interface

A, B = interface("a"), interface("b")
WANTED = ConfigurationDiff({**ethernet("a", "mine"), **ethernet("b")})


def test_nothing_is_missing_where_all_of_it_stands_whatever_else_does() -> None:
    assert not missing(WANTED, {**WANTED.set, f"{A}/enabled": "false", **ethernet("c")})


def test_what_is_missing_or_has_another_value_is_told() -> None:
    lacking = missing(WANTED, ethernet("a", "theirs"))
    assert lacking == ConfigurationDiff({f"{A}/description": "mine", **ethernet("b")})


def test_what_is_to_be_gone_must_be_gone() -> None:
    assert missing(ConfigurationDiff({}, (A,)), ethernet("a")).removed == (A,)
    assert not missing(ConfigurationDiff({}, (A,)), ethernet("b"))


def test_an_entry_that_holds_more_is_not_the_service_s_alone() -> None:
    standing = {**WANTED.set, f"{A}/enabled": "false"}
    assert shared_entries(WANTED, standing) == {A: None}
    assert shared_entries(WANTED, WANTED.set) == {}
