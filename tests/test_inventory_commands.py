"""``ocs inventory`` as an operator sees it; its tables come from ``inventory_listing``, numbers and SIMs from
``inventory_number_commands``, what elements say themselves from ``inventory_element_commands``.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocs import inventory_element_commands
from ocs.cli import main
from ocs.inventory.asking import PresentedKey
from ocs.inventory.discovery import Discovered
from ocs.inventory.iccid import luhn_digit
from ocs.inventory.model import Kind

_TOPOLOGY = Path(__file__).resolve().parents[1] / "config" / "topology"
_KI = "00112233445566778899aabbccddeeff"
Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["inventory", *words, "--data-dir", str(tmp_path)])
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


@pytest.fixture
def lab(run: Run) -> Run:
    assert run("import", str(_TOPOLOGY))[0] == 0
    return run


def test_shipped_network_is_imported_once(lab: Run) -> None:
    assert lab("import", str(_TOPOLOGY))[1].endswith("0 added, 0 changed, 35 as they were\n")


def test_tree_shows_what_lies_in_what(lab: Run) -> None:
    assert [line.strip("│├└─ ") for line in lab("tree", "north")[1].splitlines()] == [
        "site/north",
        "core-1",
        "core-1/card/1",
        "core-1/if/xe-1/0",
        "core-1/card/2",
        "core-1/if/xe-2/0",
    ]
    assert "site/west" in lab("tree")[1]


def test_impact_is_told_in_words_and_as_json(lab: Run) -> None:
    told = lab("impact", "core-1")[1]
    assert "core-1: when it fails, 3 services with 2,014 subscribers suffer" in told
    assert "2 may not be reached any more: agg-west, cell-west" in told
    assert json.loads(lab("impact", "core-1", "--json")[1])["subscribers"] == 2_014


def test_resource_is_added_changed_shown_and_removed(lab: Run) -> None:
    made = lab("add", "pe1", "--kind", "element", "--in", "site/north", "--role", "pe", "--type", "netconf",
               "--address", "192.0.2.1", "--credential", "lab", "--set", "rack=12", "--set", "spare=true")  # fmt: skip
    assert made[:2] == (0, "pe1: added\n")
    assert lab("update", "pe1", "--set", "rack=13", "--unset", "spare", "--port", "2022")[0] == 0
    shown = json.loads(lab("show", "pe1", "--json")[1])
    assert shown["resource"]["attributes"] == {"rack": 13}
    assert shown["element"]["management"]["port"] == 2022
    text = lab("show", "pe1")[1]
    assert "managed as  netconf at 192.0.2.1 port 2022" in text
    assert "none trusted" in text
    assert lab("update", "pe1", "--set", "rack=14", "--version", "1")[0] == 1
    assert lab("remove", "pe1")[:2] == (0, "pe1: removed\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "nowhere"), "ocs: nowhere: no such resource in the inventory\n"),
        (("remove", "core-1"), "ocs: core-1: core-1/card/1 lies in it\n"),
        (("add", "x/y", "--kind", "element"), "ocs: x/y: expected the name of a resource of kind element"),
        (("update", "core-1", "--set", "x"), "ocs: x: expected NAME=VALUE\n"),
        (("reserve", "core-1", "--holder", "h"), "ocs: core-1: expected a site or a prefix\n"),
        (("release",), "ocs: expected a resource and its --holder, or --expired\n"),
        (("trust", "core-1"), "ocs: core-1: the inventory does not say how this element is managed\n"),
        (("discover", "core-1"), "ocs: core-1: the inventory does not say how it is asked"),
        (
            ("reconcile", "core-1"),
            "ocs: core-1: it was not asked yet what it consists of: `ocs inventory discover",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(lab: Run, words: tuple[str, ...], said: str) -> None:
    status, _, error = lab(*words)
    assert (status, error.count("\n")) == (1, 1)
    assert error.startswith(said)


def test_type_of_elements_that_there_is_not_is_refused(lab: Run) -> None:
    status, _, error = lab(
        "add", "pe1", "--kind", "element", "--type", "lab-router", "--address", "192.0.2.1"
    )
    assert status == 1
    assert "there are candidate-cli, ios-like, netconf, yuma" in error
    assert lab("show", "pe1")[0] == 1


def test_credential_that_the_configuration_has_not_is_warned_about(lab: Run) -> None:
    status, _, error = lab("add", "pe1", "--kind", "element", "--type", "netconf", "--address", "192.0.2.1",
                           "--credential", "lab")  # fmt: skip
    assert status == 0
    assert "no [[provisioning.credentials]] with name = 'lab'" in error


def test_vlans_and_addresses_are_reserved_and_given_back(lab: Run) -> None:
    assert lab("reserve", "north", "--holder", "vpn-1", "--first", "100")[1] == "vlan/north/100\n"
    assert lab("add", "prefix/core/10.0.0.0/24", "--kind", "prefix")[0] == 0
    taken = lab("reserve", "prefix/core/10.0.0.0/24", "--holder", "vpn-1", "--keep")[1]
    assert taken == "prefix/core/10.0.0.1/32\n"
    assert "held by     vpn-1 (prefix), for good" in lab("show", taken.strip())[1]
    assert lab("release", "vlan/north/100", "--holder", "vpn-1")[1] == "vlan/north/100: released\n"
    assert lab("release", "--expired")[:2] == (0, "")


def test_export_is_imported_again(lab: Run, tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    assert lab("export", str(file))[0] == 0
    assert lab("import", str(file))[1].endswith("0 added, 0 changed, 35 as they were\n")
    assert json.loads(lab("export")[1]) == json.loads(file.read_text())
    file.write_text("{]")
    assert lab("import", str(file))[2].startswith(f"ocs: {file}: expected what `ocs inventory export` writes")


def test_lists_are_tables_or_json(lab: Run) -> None:
    assert [one["resource_id"] for one in json.loads(lab("list", "--kind", "site", "--json")[1])] == [
        "site/east",
        "site/north",
        "site/south",
        "site/west",
    ]
    assert "core-1/if/xe-1/0" in lab("list", "--within", "core-1")[1]
    assert [one["service_id"] for one in json.loads(lab("services", "--uses", "pgw-1", "--json")[1])] == [
        "mobile-east",
        "mobile-west",
    ]
    assert "described" in lab("services")[1]
    assert "pgw-1" in lab("show", "mobile-east")[1]


def test_numbers_go_their_way(run: Run) -> None:
    assert (
        run("numbers", "add-range", "mobile", "4917000000", "4917000009")[1] == "mobile: 10 numbers added\n"
    )
    assert run("numbers", "reserve", "--range", "mobile", "--holder", "s")[1] == "4917000000 reserved s\n"
    assert run("numbers", "assign", "4917000000", "--holder", "s")[1] == "4917000000 assigned s\n"
    assert run("numbers", "port-out", "4917000000", "--network", "D1")[1] == "4917000000 ported-out D1\n"
    assert run("numbers", "port-back", "4917000000")[1] == "4917000000 quarantined\n"
    assert run("numbers", "port-in", "447700900001", "--network", "U", "--holder", "t")[1].endswith(
        "assigned t\n"
    )
    assert "back with the network" in run("numbers", "withdraw", "447700900001", "--holder", "t")[1]
    assert run("numbers", "recover")[1] == "0 numbers are available again\n"
    (use,) = json.loads(run("numbers", "ranges", "--json")[1])
    assert use["states"] == {"available": 9, "quarantined": 1}
    assert "quarantined" in run("numbers", "list", "--state", "quarantined")[1]
    assert run("numbers", "release", "4917000001", "--holder", "s")[0] == 1
    assert "mobile" in run("numbers", "ranges")[1]


def test_sims_are_taken_in_and_their_keys_are_never_shown(run: Run, tmp_path: Path) -> None:
    digits = "894901700000000001"
    iccid = digits + luhn_digit(digits)
    delivery = tmp_path / "delivery.csv"
    delivery.write_text(f"ICCID,IMSI,Ki\n{iccid},262011234567890,{_KI}\n")
    told = run("sims", "import", str(delivery))
    assert "1 SIMs added" in told[1]
    again = run("sims", "import", str(delivery))
    assert again[0] == 1
    shown = [told, again, run("sims", "list"), run("sims", "list", "--json")]
    shown += [
        run("sims", "assign", iccid, "--holder", "s"),
        run("sims", "block", iccid),
        run("sims", "retire", iccid),
    ]
    assert shown[-1][1] == f"{iccid} retired\n"
    assert not any(_KI in text for _, out, error in shown for text in (out, error))
    delivery.write_text("iccid;imsi;ki\n1;2;3\n")
    assert "whose first line names iccid, imsi and ki" in run("sims", "import", str(delivery))[2]


# --- What elements say themselves ---------------------------------------------------------------------------------


def present(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    async def presented(element: str, address: str, port: int) -> PresentedKey:
        return PresentedKey(f"ssh-ed25519 {key}", f"SHA256:{key}")

    monkeypatch.setattr(inventory_element_commands, "presented_key", presented)


def test_key_is_trusted_after_a_yes_and_another_one_is_told(
    lab: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusted() -> Any:
        return json.loads(lab("show", "core-1", "--json")[1])["element"]["management"].get("host_key")

    lab("update", "core-1", "--type", "netconf", "--address", "192.0.2.1", "--credential", "lab")
    present(monkeypatch, "AAA")
    status, out, error = lab("trust", "core-1")
    assert (status, "SHA256:AAA" in out, "was not accepted" in error) == (1, True, True)
    assert lab("trust", "core-1", "--fingerprint", "SHA256:BBB")[0] == 1
    assert trusted() == ""
    assert lab("trust", "core-1", "--fingerprint", "SHA256:AAA")[1].endswith("trusted from now on\n")
    assert trusted() == "ssh-ed25519 AAA"
    assert "trusted already" in lab("trust", "core-1")[1]
    present(monkeypatch, "BBB")
    assert "ANOTHER KEY IS TRUSTED NOW" in lab("trust", "core-1", "--yes")[1]
    assert trusted() == "ssh-ed25519 BBB"


def test_what_was_found_is_compared_and_accepted(
    lab: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def found(agent: Any) -> list[Discovered]:
        assert agent.secrets.community == "lookup"
        ports = [("xe-1/0", 1), ("xe-2/0", 9), ("xe-3/0", 3)]
        return [
            Discovered(
                resource_id=f"core-1/if/{name}",
                kind=Kind.INTERFACE,
                parent="core-1",
                attributes={"index": index},
            )
            for name, index in ports
        ]

    monkeypatch.setattr(inventory_element_commands, "discovered_by_snmp", found)
    secret = tmp_path / "lookup"
    secret.write_text("lookup")
    secret.chmod(0o600)
    lab("update", "core-1", "--set", f"agent.community_file={secret}")
    assert lab("discover", "core-1")[1].startswith("core-1: 3 interfaces and parts found")
    status, out, _ = lab("reconcile", "core-1", "--json")
    assert (status, [(one["finding"], one["resource_id"]) for one in json.loads(out)]) == (
        1,
        [("different", "core-1/if/xe-2/0"), ("unexpected", "core-1/if/xe-3/0")],
    )
    assert "index=9" in lab("reconcile", "core-1")[1]
    assert lab("reconcile", "core-1", "--accept", "core-1/if/xe-9")[0] == 1
    assert lab("reconcile", "core-1", "--accept", "core-1/if/xe-3/0")[0] == 1
    assert lab("reconcile", "core-1", "--accept", "all")[:2] == (
        0,
        "core-1: the inventory says what the element says\n",
    )
