"""Patterns of paths, as people write them."""

import pytest

from ocs.provisioning.compliance.path_pattern import PathPattern, path_pattern, text_pattern
from ocs.provisioning.configuration import PathError
from tests.support.elements import interface

GE = interface("ge-0/0/1")
ADDRESS = f"{GE}/ietf-ip:ipv4/address[ip='10.0.0.1']"


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/ietf-interfaces:interfaces/interface/description", f"{GE}/description", True),
        ("/ietf-interfaces:interfaces/interface/description", f"{GE}/enabled", False),
        ("/ietf-interfaces:interfaces/interface", GE, True),
        ("/ietf-interfaces:interfaces/interface", f"{GE}/enabled", False),
        ("/ietf-interfaces:interfaces/interface[name='ge-*']/enabled", f"{GE}/enabled", True),
        ("/ietf-interfaces:interfaces/interface[name='ge-?']/enabled", f"{GE}/enabled", False),
        ('/ietf-interfaces:interfaces/interface[name="xe-*"]/enabled', f"{GE}/enabled", False),
        ("/ietf-interfaces:interfaces/interface[other='*']", GE, False),
        ("/ietf-interfaces:interfaces/**", "/ietf-interfaces:interfaces", True),
        ("/ietf-interfaces:interfaces/**", ADDRESS, True),
        ("/ietf-interfaces:interfaces/interface/ietf-ip:ipv4/address", ADDRESS, True),
        ("/ietf-interfaces:interfaces/interface/ipv4/address", ADDRESS, False),
        ("/ietf-interfaces:interfaces/*/*/**", ADDRESS, True),
        ("/ietf-interfaces:interfaces/*/*/*/*", ADDRESS, False),
        ("/**", ADDRESS, True),
    ],
)
def test_a_pattern_means_these_paths(pattern: str, path: str, matches: bool) -> None:
    assert path_pattern(pattern).matches(path) is matches


@pytest.mark.parametrize(
    "pattern", ["", "interfaces", "/interfaces", "/a:b/**/c", "/a:b[c=d]", "/a:b//c", "/a:b*"]
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PathError):
        PathPattern(pattern)


def test_in_a_text_only_star_and_question_mark_mean_more_than_themselves() -> None:
    assert text_pattern("10.0.*").fullmatch("10.0.0.1")
    assert not text_pattern("10.0.*").fullmatch("1000.1")
    assert text_pattern("a[b]?").fullmatch("a[b]\n")
