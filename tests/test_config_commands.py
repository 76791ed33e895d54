"""`ocs config` as an operator calls it, on elements that are really asked."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from ocs import config_commands
from ocs.provisioning.transactions.tables import OWNER
from ocs.settings_file import SettingsError
from simulators.element.park import Park
from tests.support.element_lab import ElementLab, Run
from tests.support.elements import ethernet, interface

GE0 = interface("ge-0")


@pytest.fixture(scope="module")
def park() -> Generator[Park]:
    with Park() as opened:
        opened.netconf("pe1", running=ethernet("ge-0", "to core"))
        opened.netconf("pe2", running=ethernet("ge-0", "to Berlin"))
        yield opened


@pytest.fixture(scope="module")
def lab(park: Park, tmp_path_factory: pytest.TempPathFactory) -> Generator[ElementLab]:
    lab = ElementLab(tmp_path_factory.mktemp("lab"), {park.elements["pe1"]: "pe", park.elements["pe2"]: "pe"})
    yield lab
    lab.close()


@pytest.fixture
def run(lab: ElementLab, capsys: pytest.CaptureFixture[str]) -> Run:
    return lab.runner(capsys)


def test_show_prints_what_runs_a_path_a_line(run: Run) -> None:
    status, out, _ = run("config", "show", "pe1", GE0)
    assert status == 0
    assert out.splitlines() == [
        GE0,
        f"{GE0}/description = to core",
        f"{GE0}/type = iana-if-type:ethernetCsmacd",
    ]


def test_show_prints_a_tree(run: Run) -> None:
    status, out, _ = run("config", "show", "pe1", "--tree")
    assert status == 0
    assert "interface ge-0" in out
    assert "description = to core" in out


def test_show_as_json_is_what_diff_compares_with(run: Run, tmp_path: Path) -> None:
    _, out, _ = run("config", "show", "pe1", "--json")
    file = tmp_path / "pe1.json"
    file.write_text(out)
    assert run("config", "diff", "pe1", str(file))[:2] == (0, "")
    status, out, _ = run("config", "diff", "pe2", str(file), "--json")
    assert status == 1
    assert json.loads(out) == {"set": {f"{GE0}/description": "to core"}}


def test_diff_of_two_elements_shows_both_values(run: Run) -> None:
    status, out, _ = run("config", "diff", "pe1", "pe2")
    assert status == 1
    assert f"- {GE0}/description = to core" in out
    assert f"+ {GE0}/description = to Berlin" in out


def test_unknown_element_is_refused_in_one_line(run: Run) -> None:
    status, _, error = run("config", "show", "pe9")
    assert status == 1
    assert error.count("\n") == 1
    assert "pe9" in error


def test_dry_run_shows_native_forward_and_reverse_without_a_connection(run: Run, park: Park) -> None:
    park.elements["pe1"].faults.steps.clear()
    status, out, _ = run("config", "set", "pe1", f"{GE0}/description=new", "--dry-run", "--json")
    assert status == 0
    (preview,) = json.loads(out)
    assert ">new</" in preview["forward"]
    assert "delete" in preview["reverse"] or "remove" in preview["reverse"]
    assert not park.elements["pe1"].faults.steps


def test_live_dry_run_knows_what_stands_there(run: Run) -> None:
    status, out, _ = run("config", "set", "pe1", f"{GE0}/description=new", "--dry-run", "--live")
    assert status == 0
    assert f"- {GE0}/description = to core" in out
    assert f"+ {GE0}/description = new" in out
    assert "<description>to core</description>" in out


def test_path_that_the_type_does_not_have_is_refused_by_name(run: Run) -> None:
    status, _, error = run("config", "set", "pe1", f"{GE0}/colour=red", "--no-wait")
    assert status == 1
    assert "colour" in error


def test_set_waits_for_somebody_who_works_on_it_or_says_that_nobody_does(run: Run) -> None:
    status, _, error = run("config", "set", "pe1", f"{GE0}/description=new")
    assert status == 2
    assert "--no-wait" in error
    assert json.loads(run("provision", "list", "--json")[1]) == []


def test_set_without_waiting_is_queued_once_under_its_reference(run: Run) -> None:
    arguments = ("config", "set", "pe1", f"{GE0}/description=new", "--no-wait", "--json")
    for _ in range(2):
        status, out, _ = run(*arguments, "--reference", "change-1")
        assert status == 0
        assert json.loads(out)["state"] == "queued"
    assert [one["transaction_id"] for one in json.loads(run("provision", "list", "--json")[1])] == [
        "change-1"
    ]


def test_what_a_service_owns_is_not_changed_by_hand_unless_forced(run: Run, lab: ElementLab) -> None:
    row = {"element": "pe2", "path": f"{GE0}/description", "service_id": "vpn-7", "value": "to Berlin"}
    lab.database.write_blocking(lambda connection: connection.execute(OWNER.insert().values(**row)))
    arguments = ("config", "set", "pe2", f"{GE0}/description=new", "--dry-run")
    status, _, error = run(*arguments)
    assert status == 1
    assert "vpn-7" in error
    assert run("config", "set", "pe2", f"{GE0}/description=to Berlin", "--dry-run")[0] == 0
    assert run("config", "remove", "pe2", GE0, "--dry-run")[0] == 1
    assert run(*arguments, "--force")[0] == 0


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("/m:a/b=c", "/m:a/b", "c"),
        ("/m:a[k='x=]']/b=c=d", "/m:a[k='x=]']/b", "c=d"),
        ("/m:a[k='x']", "/m:a[k='x']", None),
        ("/m:a/b=", "/m:a/b", ""),
    ],
)
def test_change_is_cut_at_the_first_equals_sign_outside_of_keys(
    text: str, path: str, value: str | None
) -> None:
    assert config_commands.split_change(text) == (path, value)


def test_change_that_begins_with_no_path_is_refused() -> None:
    with pytest.raises(SettingsError, match="no path"):
        config_commands.split_change("description=x")
