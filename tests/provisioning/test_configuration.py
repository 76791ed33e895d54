"""Paths, differences, reverses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.provisioning.configuration import (
    ConfigurationDiff,
    PathError,
    Step,
    canonical_path,
    changed,
    diff_lines,
    difference,
    entries_above,
    format_path,
    is_within,
    outermost,
    parse_path,
    paths_above,
    restricted,
    reverse,
)

INTERFACE = "/ietf-interfaces:interfaces/interface[name='ge-0/0/1']"
ADDRESS = f"{INTERFACE}/ietf-ip:ipv4/address[ip='192.0.2.1']"

names = st.from_regex(r"[a-z_][a-z0-9_.-]{0,6}", fullmatch=True)
values = st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=8) | st.text(
    st.characters(exclude_characters="'", exclude_categories=["Cs"]), max_size=8
)
steps = st.lists(
    st.builds(
        lambda module, name, keys: Step(f"{module}:{name}", tuple(keys.items())),
        names,
        names,
        st.dictionaries(names, values, max_size=2),
    ),
    min_size=1,
    max_size=4,
).map(tuple)
# Few names and keys, so that entries lie in each other.
paths = st.sampled_from(["/m:a", "/m:b"]).flatmap(
    lambda root: st.lists(st.sampled_from(["/c", "/l[k='1']", "/l[k='2']", "/x"]), max_size=3).map(
        lambda tail: root + "".join(tail)
    )
)


def complete(paths_and_values: dict[str, str | None]) -> dict[str, str | None]:
    """A configuration as elements have them: what exists does not stand without what it lies in."""
    whole = dict(paths_and_values)
    for path in paths_and_values:
        whole.update(dict.fromkeys(paths_above(path)))
    return whole


configurations = st.dictionaries(paths, st.sampled_from(["1", "2", None]), max_size=8).map(complete)


def test_path_is_cut_into_steps_that_know_their_module() -> None:
    assert parse_path(ADDRESS) == (
        Step("ietf-interfaces:interfaces"),
        Step("ietf-interfaces:interface", (("name", "ge-0/0/1"),)),
        Step("ietf-ip:ipv4"),
        Step("ietf-ip:address", (("ip", "192.0.2.1"),)),
    )
    assert parse_path(ADDRESS)[3].module == "ietf-ip"
    assert parse_path(ADDRESS)[3].local_name == "address"


@given(steps)
def test_path_that_is_written_is_read_again(path: tuple[Step, ...]) -> None:
    assert parse_path(format_path(path)) == path


def test_needless_module_names_and_quotes_have_one_form() -> None:
    written = '/ietf-interfaces:interfaces/ietf-interfaces:interface[name="ge-0/0/1"]'
    assert canonical_path(written) == INTERFACE


@pytest.mark.parametrize(
    "text",
    ["", "/", "a:b", "/interfaces", "/m:a/", "/m:a[k=1]", "/m:a[k='1'", "/m:a b", "/m:a[='1']", "/m:a//b"],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(PathError):
        parse_path(text)


def test_key_with_both_kinds_of_quotes_has_no_form() -> None:
    with pytest.raises(PathError, match="both kinds of quotes"):
        format_path((Step("m:a", (("k", "'\""),)),))


def test_entries_around_a_path_are_known_outermost_first() -> None:
    assert entries_above(f"{ADDRESS}/prefix-length") == (INTERFACE, ADDRESS)
    assert entries_above(INTERFACE) == ()


def test_a_name_that_begins_like_another_is_not_within_it() -> None:
    assert is_within(f"{INTERFACE}/mtu", INTERFACE)
    assert is_within("/m:a[k='1']", "/m:a")
    assert not is_within("/m:ab", "/m:a")


def test_what_lies_in_an_entry_that_goes_is_not_named_again() -> None:
    assert outermost([INTERFACE, f"{INTERFACE}/mtu", ADDRESS, "/m:x"]) == (INTERFACE, "/m:x")


@given(configurations, configurations)
def test_difference_leads_from_one_configuration_to_the_other(
    before: dict[str, str | None], after: dict[str, str | None]
) -> None:
    assert changed(before, difference(before, after)) == after


@given(configurations, configurations)
def test_reverse_undoes_a_difference(before: dict[str, str | None], after: dict[str, str | None]) -> None:
    diff = difference(before, after)
    assert changed(changed(before, diff), reverse(diff, before)) == before


@given(configurations, configurations)
def test_change_that_is_done_twice_is_done_once(
    before: dict[str, str | None], after: dict[str, str | None]
) -> None:
    diff = difference(before, after)
    assert changed(changed(before, diff), diff) == after


@given(configurations)
def test_no_difference_is_no_change(configuration: dict[str, str | None]) -> None:
    assert not difference(configuration, dict(configuration))


def test_part_of_a_configuration_is_what_lies_at_or_below_paths() -> None:
    configuration = {INTERFACE: None, f"{INTERFACE}/mtu": "1500", "/m:x": "1", "/m:y": "2"}
    assert restricted(configuration, [INTERFACE, "/m:y", "/m:z"]) == {
        INTERFACE: None,
        f"{INTERFACE}/mtu": "1500",
        "/m:y": "2",
    }


def test_people_see_a_difference_by_path_the_old_value_before_the_new_one() -> None:
    before = {INTERFACE: None, f"{INTERFACE}/mtu": "1500", "/m:x": "1"}
    diff = ConfigurationDiff({"/m:x": "2", "/m:y": "3"}, (INTERFACE,))
    assert diff_lines(before, diff) == [
        f"- {INTERFACE}",
        f"- {INTERFACE}/mtu = 1500",
        "- /m:x = 1",
        "+ /m:x = 2",
        "+ /m:y = 3",
    ]


def test_what_lies_below_a_container_is_read_with_it() -> None:
    ntp, server = "/ietf-system:system/ntp", "/ietf-system:system/ntp/server[name='a']"
    there: dict[str, str | None] = {ntp: None, server: None, "/ietf-system:system/contact": "noc"}
    assert restricted(there, [ntp]) == {ntp: None, server: None}
    assert restricted(there, ["/ietf-system:system"]) == there
    assert restricted(there, ["/ietf-system:system/ntp/server[name='b']"]) == {}
