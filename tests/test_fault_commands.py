"""`ocs faults rules check`, `faults explain` and `faults mib add|list|explain` as an operator calls them.

Covers ``near_names`` too.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ocs import cli
from ocs.limits import MIB_SOURCE_OCTETS_MAX
from tests.support.notifications import ALARM_RULES, link_down_datagram
from tests.support.processes import ROOT, write_config

MIBS = ROOT / "tests" / "data" / "mibs"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `ocs faults ...`; returns its status, what it printed, and what it wrote to stderr."""
    config = write_config(tmp_path, f'[faults]\nrules = "{ALARM_RULES}"\n')

    def _run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            data = str(tmp_path / "data")
            cli.main(["faults", *map(str, arguments), "--config", str(config), "--data-dir", data])
        assert isinstance(ended.value.code, int)
        output, errors = capsys.readouterr()
        return ended.value.code, output, errors

    return _run


@pytest.fixture
def run_with_topology(run: Run, tmp_path: Path) -> Run:
    folder = tmp_path / "config" / "topology"
    folder.mkdir(parents=True)
    (folder / "t.toml").write_text(
        '[[elements]]\nname = "core-1"\naddresses = ["192.0.2.7"]\n[[elements]]\nname = "bare"\n'
    )
    write_config(tmp_path, f'[faults]\nrules = "{ALARM_RULES}"\ntopology = "{folder}"\n')
    return run


# --- rules --------------------------------------------------------------------------------------------------------


def test_usable_rules_are_told_with_their_number_and_status_0(run: Run) -> None:
    status, output, errors = run("rules", "check")
    assert (status, errors) == (0, "")
    assert output.startswith("usable: ")


def test_mistake_in_a_rule_is_told_with_file_and_line_and_status_1(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "mine.toml").write_text('[[rules]]\nid = "one"\ntrap = "IF-MIB::linkDwn"\nsignals = []\n')
    status, output, _ = run("rules", "check", folder)
    assert status == 1
    assert output.splitlines()[0].startswith(f"{folder}/mine.toml:4: rules[one].signals: expected array")
    assert output.splitlines()[-1] == "NOT USABLE"


def test_folder_that_does_not_exist_is_told_with_status_1(run: Run, tmp_path: Path) -> None:
    status, output, _ = run("rules", "check", tmp_path / "none")
    assert status == 1
    assert "expected a folder with alarm rules" in output


def test_explain_of_a_trap_with_broken_rules_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("x = 1")
    status, output, errors = run("explain", "--trap", "SNMPv2-MIB::coldStart", "--rules", tmp_path)
    assert (status, output) == (2, "")
    assert errors == f"ocs: {tmp_path}/a.toml:1: x: unknown key\n"


# --- explain ------------------------------------------------------------------------------------------------------

LINK_DOWN = ("--trap", "IF-MIB::linkDown", "--varbind", "IF-MIB::ifIndex.3=3")


def test_described_trap_is_explained_step_by_step(run: Run) -> None:
    status, output, _ = run("explain", *LINK_DOWN, "--source", "192.0.2.7")
    assert status == 0
    assert output.splitlines() == [
        "IF-MIB::linkDown from 192.0.2.7",
        "  IF-MIB::ifIndex.3 = 3",
        (
            "- rule link-down-by-administrator is about 1.3.6.1.6.3.1.1.5.3, and wants that ifAdminStatus is down or testing: "
            "it was not sent, so the next rule is tried"
        ),
        "- rule link-down is about 1.3.6.1.6.3.1.1.5.3: it applies",
        "- link-down of 192.0.2.7/if/3 is major (lossOfSignal): Interface 3 is down (ifOperStatus unknown)",
    ]


@pytest.mark.parametrize("source", ["192.0.2.7", "core-1"])
def test_element_is_called_as_the_topology_calls_it(run_with_topology: Run, source: str) -> None:
    _, output, _ = run_with_topology("explain", *LINK_DOWN, "--source", source)
    assert output.splitlines()[0] == "IF-MIB::linkDown from 192.0.2.7 (core-1)"
    assert output.splitlines()[-1].startswith("- link-down of core-1/if/3 is major")


def test_source_that_the_topology_does_not_know_is_said_so(run_with_topology: Run) -> None:
    _, output, _ = run_with_topology("explain", *LINK_DOWN)
    assert output.splitlines()[0] == "IF-MIB::linkDown from 192.0.2.1 (no element of the topology)"
    for source, says in (("core1", "did you mean core-1?"), ("bare", "knows no address of bare")):
        status, _, errors = run_with_topology("explain", *LINK_DOWN, "--source", source)
        assert (status, errors.count("\n")) == (2, 1)
        assert says in errors


def test_explanation_is_given_as_JSON(run: Run) -> None:
    _, output, _ = run("explain", *LINK_DOWN, "--json")
    explained = json.loads(output)
    assert explained["rule"] == "link-down"
    assert explained["signals"][0][0] == ["192.0.2.1/if/3", "link-down", ""]


def test_recorded_datagram_is_explained(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "trap.hex"
    file.write_text(link_down_datagram().hex(" "))
    status, output, _ = run("explain", "--packet", file)
    assert status == 0
    assert output.splitlines()[:2] == ["IF-MIB::linkDown from 192.0.2.1", "  IF-MIB::ifIndex.3 = 3"]
    file.write_text("3000")
    status, output, errors = run("explain", "--packet", file)
    assert (status, output) == (2, "")
    assert errors.startswith("ocs: expected one trap or inform of SNMPv1 or v2c: ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--trap", "IF-MIB::linkDwn"), "perhaps linkDown"),
        (("--trap", "IF-MIB::linkDown", "--varbind", "x"), "expected NAME=VALUE"),
        (("--packet", "none", "--varbind", "x=1"), "--varbind goes with --trap"),
        (("--packet", "/none/such"), "/none/such: No such file or directory"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(run: Run, arguments, says) -> None:
    status, output, errors = run("explain", *arguments)
    assert (status, output) == (2, "")
    (line,) = errors.splitlines()
    assert says in line


# --- mib ----------------------------------------------------------------------------------------------------------


def test_added_mib_names_what_was_only_numbers(run: Run, tmp_path: Path) -> None:
    trap = ("--trap", "1.3.6.1.4.1.32473.7.0.1", "--varbind", "1.3.6.1.4.1.32473.7.1.1.1.3.2.97=3")
    assert "SNMPv2-SMI::enterprises.32473.7.0.1" in run("explain", *trap)[1]
    status, output, _ = run("mib", "add", MIBS / "EXAMPLE-SHELF-MIB.txt", MIBS / "EXAMPLE-ROOT-MIB.txt")
    assert status == 0
    assert output.splitlines()[0].startswith("EXAMPLE-ROOT-MIB, 2 objects, 0 of them notifications: ")
    assert (tmp_path / "data" / "mibs" / "EXAMPLE-SHELF-MIB.json").is_file()
    assert "EXAMPLE-SHELF-MIB::cardState.2.97 = failed" in run("explain", *trap)[1]
    assert "EXAMPLE-SHELF-MIB, " in run("mib", "list")[1]


def test_mib_that_imports_what_nobody_knows_is_refused_and_nothing_is_kept(run: Run, tmp_path: Path) -> None:
    status, _, errors = run("mib", "add", MIBS / "EXAMPLE-SHELF-MIB.txt")
    assert status == 2
    assert "EXAMPLE-SHELF-MIB.txt:9: imports exampleRoot from EXAMPLE-ROOT-MIB, which nobody knows" in errors
    assert not (tmp_path / "data" / "mibs").exists()
    assert run("mib", "list")[1] == "none was added; standard MIBs are known without it\n"


def test_file_that_is_far_too_large_is_refused(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "big.txt").open("wb") as file:
        file.truncate(MIB_SOURCE_OCTETS_MAX + 1)
    status, _, errors = run("mib", "add", tmp_path / "big.txt")
    assert status == 2
    assert f"expected at most {MIB_SOURCE_OCTETS_MAX} octets" in errors


def test_name_is_explained_with_type_labels_and_index(run: Run) -> None:
    _, output, _ = run("mib", "explain", "BGP4-MIB::bgpPeerState.10.0.0.1")
    assert output.splitlines()[0] == "BGP4-MIB::bgpPeerState.10.0.0.1 is 1.3.6.1.2.1.15.3.1.2.10.0.0.1"
    assert "    6 established" in output.splitlines()
    assert output.splitlines()[-1] == "  index 1: 10.0.0.1 (BGP4-MIB::bgpPeerRemoteAddr)"


def test_notification_and_row_are_explained_with_what_belongs_to_them(run: Run) -> None:
    assert "  objects: IF-MIB::ifIndex, IF-MIB::ifAdminStatus" in run("mib", "explain", "linkDown")[1]
    assert "  index: IF-MIB::ifIndex" in run("mib", "explain", "ifEntry")[1]


@pytest.mark.parametrize("name", ["9.9.9", "no-such-thing", "IF-MIB::"])
def test_name_that_nobody_knows_is_refused_in_one_line(run: Run, name) -> None:
    status, output, errors = run("mib", "explain", name)
    assert (status, output) == (2, "")
    assert len(errors.splitlines()) == 1


# --- elements -----------------------------------------------------------------------------------------------------


def resync(tmp_path: Path, capsys: pytest.CaptureFixture[str], element: str) -> tuple[int, str]:
    topology = tmp_path / "topology"
    topology.mkdir()
    (topology / "network.toml").write_text(
        '[[elements]]\nname = "core"\naddresses = ["10.0.0.1"]\nagent = { community_file = "lookup" }\n'
        '[[elements]]\nname = "cell"\n'
    )
    config = write_config(tmp_path, f'[faults]\ntopology = "{topology}"\n')
    with pytest.raises(SystemExit) as ended:
        cli.main(["faults", "resync", element, "--config", str(config), "--data-dir", str(tmp_path / "data")])
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("element", "says"),
    [
        ("moon", "moon: expected the name of an element of the topology\n"),
        ("cel", "cel: expected the name of an element of the topology, did you mean cell?\n"),
        ("cell", "elements[cell].agent: expected how it is asked"),
        ("core", "does `ocs up` run here, with this topology?"),
    ],
)
def test_element_that_cannot_be_asked_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], element: str, says: str
) -> None:
    status, errors = resync(tmp_path, capsys, element)
    assert status != 0
    assert says in errors
    assert errors.count("\n") == 1
