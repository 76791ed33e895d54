"""What services own against what runs, as properties."""

from hypothesis import given
from hypothesis import strategies as st

from ocs.provisioning.compliance.drift import (
    FOREIGN_SECRET,
    Finding,
    FindingKind,
    OwnedConfiguration,
    compare,
    concealed,
    expected,
    is_readable,
    repair,
)
from ocs.provisioning.configuration import changed, restricted
from ocs.provisioning.services.ownership import complete
from tests.support.elements import ethernet, interface

A, B = interface("a"), interface("b")
NTP = "/ietf-system:system/ntp/enabled"
PATHS = [
    A, f"{A}/description", f"{A}/enabled", f"{A}/ietf-ip:ipv4/address[ip='10.0.0.1']",
    f"{A}/ietf-ip:ipv4/address[ip='10.0.0.1']/prefix-length", B, f"{B}/description", f"{B}/enabled", NTP,
]  # fmt: skip
LEAVES = [path for path in PATHS if not path.endswith("]")]


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, str | None]:
    """Configurations as an element can have them: no leaf without its entries."""
    chosen = draw(st.sets(st.sampled_from(PATHS)))
    values = {path: draw(st.sampled_from(["x", "y"])) if path in LEAVES else None for path in chosen}
    return complete(values)


@given(configurations(), configurations(), st.sets(st.sampled_from([A, B])))
def test_a_repair_leaves_nothing_to_find_and_touches_nobody_else_s(
    wanted: dict[str, str | None], running: dict[str, str | None], shared: set[str]
) -> None:
    owned = OwnedConfiguration(wanted, frozenset(shared))
    findings = compare(owned, running)
    repaired = changed(running, repair(findings))
    assert compare(owned, repaired) == []
    assert restricted(repaired, wanted).items() >= wanted.items()
    foreign = {path for path in running if path not in wanted and not owned.maker_of(path)}
    assert {path: repaired[path] for path in foreign} == {path: running[path] for path in foreign}
    assert all(running[path] == value for path, value in expected(findings).items())


@given(configurations(), configurations(), st.sampled_from(PATHS))
def test_what_is_found_in_a_part_is_what_is_found_of_it_in_the_whole(
    wanted: dict[str, str | None], running: dict[str, str | None], part: str
) -> None:
    owned = OwnedConfiguration(wanted)
    whole = {finding.path: finding for finding in compare(owned, running)}
    found = compare(owned, restricted(running, [part]), [part])
    inside = restricted(dict.fromkeys(whole), [part])
    assert found == [whole[path] for path in sorted(inside)]


@given(configurations(), configurations())
def test_what_equals_what_is_wanted_is_never_found(
    wanted: dict[str, str | None], other: dict[str, str | None]
) -> None:
    assert compare(OwnedConfiguration(wanted), wanted) == []
    assert compare(OwnedConfiguration({}), other) == []


def test_findings_say_what_is_wanted_and_what_is_there() -> None:
    owned = OwnedConfiguration({**ethernet("a", "mine"), **ethernet("b")})
    running = {**ethernet("a", "theirs"), f"{A}/enabled": "false"}
    findings = compare(owned, running)
    assert [(finding.path, finding.kind) for finding in findings] == [
        (f"{A}/description", FindingKind.CHANGED),
        (f"{A}/enabled", FindingKind.EXTRA),
        (B, FindingKind.MISSING),
        (f"{B}/type", FindingKind.MISSING),
    ]
    assert findings[0].lines == (f"- {A}/description = mine", f"+ {A}/description = theirs")
    assert findings[1].lines == (f"+ {A}/enabled = false",)
    assert findings[1].place == A
    assert findings[2].lines == (f"- {B}",)


def test_what_stands_in_an_entry_that_was_there_before_is_nobody_s_business() -> None:
    owned = OwnedConfiguration(ethernet("a", "mine"), frozenset({A}))
    assert compare(owned, {**ethernet("a", "mine"), f"{A}/enabled": "false"}) == []


def test_somebody_else_s_secret_is_never_told_and_never_sent() -> None:
    owned = OwnedConfiguration({NTP: "secret:ntp"})
    running = concealed({NTP: "hunter2", f"{A}/description": "hunter2"}, owned)
    assert running == {NTP: FOREIGN_SECRET, f"{A}/description": "hunter2"}
    (finding,) = compare(owned, running)
    assert finding == Finding(NTP, FindingKind.CHANGED, NTP, "secret:ntp", FOREIGN_SECRET)
    assert expected([finding]) == {}
    assert concealed({NTP: "secret:ntp"}, owned) == {NTP: "secret:ntp"}


def test_a_list_without_the_keys_of_an_entry_is_not_looked_at_by_itself() -> None:
    owned = OwnedConfiguration(ethernet("a"))
    assert not is_readable(["/ietf-interfaces:interfaces/interface"], owned)
    assert is_readable(["/ietf-interfaces:interfaces", A], owned)
