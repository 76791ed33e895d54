"""`ocs config drift|comply|backup|history|restore|adopt` as an operator calls them, beside a process that watches.

Covers ``compliance_setup`` too.
"""

import json
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

from ocs.provisioning.compliance.drift import FOREIGN_SECRET
from simulators.element.netconf_element import NetconfElement
from simulators.element.park import Park
from tests.support.element_lab import ElementLab, Run
from tests.support.elements import ethernet, interface
from tests.support.processes import Ocs, running

NAMES = ("pe1", "pe2", "pe3", "pe4", "pe5")
BASELINE = ("--model", "baseline", "--set", 'ntp_servers=["192.0.2.1"]')
SERVER = "/ietf-system:system/ntp/server[name='192.0.2.1']"
ADDRESS = f"{SERVER}/udp/address"
GE0 = f"{interface('ge-0')}/description"
PATIENCE_S = 30
RULES = """
[[rules]]
id = "ntp"
severity = "minor"
path = "/ietf-system:system/ntp/server"
at_least = 1

[[rules]]
id = "described"
each = "/ietf-interfaces:interfaces/interface"
path = "description"
at_least = 1

[[exceptions]]
rule = "ntp"
element = "pe3"
until = 9999-12-31
reason = "it has no way to a server"
"""


@pytest.fixture(scope="module")
def park() -> Generator[Park]:
    with Park() as opened:
        for name in NAMES:
            opened.netconf(name, running=ethernet("ge-0", "to core"))
        yield opened


@pytest.fixture(scope="module")
def lab(park: Park, tmp_path_factory: pytest.TempPathFactory) -> Generator[ElementLab]:
    folder = tmp_path_factory.mktemp("lab")
    golden = folder / "network" / "golden"
    golden.mkdir(parents=True)
    (golden / "rules.toml").write_text(RULES)
    lab = ElementLab(folder, dict.fromkeys(park.elements.values(), "pe"))
    yield lab
    lab.close()


@pytest.fixture(scope="module", autouse=True)
def _process(lab: ElementLab) -> Generator[Ocs]:
    overrides = {"OCS_PROVISIONING__SESSIONS_MAX": "32"}
    with running("elements", data_dir=lab.data_dir, config=lab.config, overrides=overrides) as ocs:
        yield ocs


@pytest.fixture
def run(lab: ElementLab, capsys: pytest.CaptureFixture[str]) -> Run:
    return lab.runner(capsys)


def element(park: Park, name: str) -> NetconfElement:
    found = park.elements[name]
    assert isinstance(found, NetconfElement)
    return found


def drift(run: Run, name: str, *more: str) -> list[dict[str, Any]]:
    return json.loads(run("config", "drift", name, "--json", *more)[1])["drift"]


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_listened_to(park: Park, name: str) -> bool:
    one = element(park, name)
    clients = one.call(lambda: list(one.operations.clients.values()))
    return any(client.subscription is not None for client in clients)


def test_a_foreign_change_is_found_by_the_process_shown_and_reverted(run: Run, park: Park) -> None:
    assert run("provision", "create", "base-1", *BASELINE, "--set", "element=pe1")[0] == 0
    until(lambda: is_listened_to(park, "pe1"))
    element(park, "pe1").change({ADDRESS: "198.51.100.66"}, user="mallory")
    until(lambda: drift(run, "pe1"))
    status, out, _ = run("config", "drift", "pe1")
    assert status == 1
    assert f"- {ADDRESS} = 192.0.2.1" in out
    assert f"+ {ADDRESS} = 198.51.100.66" in out
    assert "base-1" in out
    assert "mallory" in out
    status, out, _ = run("config", "drift", "pe1", "--revert", "--dry-run")
    assert status == 0
    assert "192.0.2.1" in out
    assert element(park, "pe1").running()[ADDRESS] == "198.51.100.66"
    assert run("config", "drift", "pe1", "--revert")[0] == 0
    assert element(park, "pe1").running()[ADDRESS] == "192.0.2.1"
    until(lambda: not drift(run, "pe1"))
    assert run("config", "drift", "pe1")[0] == 0


def test_what_is_accepted_differs_no_longer(run: Run, park: Park) -> None:
    assert run("provision", "create", "base-2", *BASELINE, "--set", "element=pe2")[0] == 0
    element(park, "pe2").change({ADDRESS: "198.51.100.66"}, user="mallory")
    assert [one["finding"]["path"] for one in drift(run, "pe2", "--now")] == [ADDRESS]
    assert drift(run, "pe2", "--path", "/ietf-interfaces:interfaces/**") == []
    assert run("config", "drift", "--accept")[0] == 2, "of which element is to be said"
    assert run("config", "drift", "pe2", "--accept", "--dry-run")[0] == 0
    assert drift(run, "pe2", "--now")
    assert run("config", "drift", "pe2", "--accept")[0] == 0
    assert drift(run, "pe2", "--now") == []
    assert element(park, "pe2").running()[ADDRESS] == "198.51.100.66"


def test_rules_are_reported_with_exceptions(run: Run, park: Park) -> None:
    element(park, "pe3").change({}, [GE0])
    status, out, _ = run("config", "comply", "pe3", "--now", "--json")
    assert status == 1
    report = {one["rule"]: one for one in json.loads(out)["judgements"]}
    assert report["ntp"]["verdict"] == "excepted"
    assert "no way" in report["ntp"]["reason"]
    assert report["described"]["verdict"] == "broken"
    assert interface("ge-0") in report["described"]["problems"][0]
    assert "described" in run("config", "comply", "pe3")[1]
    assert run("config", "comply", "pe3", "--rule", "ntp")[0] == 0
    status, _, error = run("config", "comply", "--rule", "colour")
    assert status == 2
    assert "colour" in error


def test_a_backup_is_shown_compared_and_restored(run: Run, park: Park) -> None:
    status, out, error = run("config", "history", "pe9")
    assert (status, error) == (0, "")
    assert run("config", "backup", "pe4")[0] == 0
    first = json.loads(run("config", "history", "pe4", "--json")[1])[0]["version"]
    element(park, "pe4").change({GE0: "changed", f"{interface('ge-0')}/enabled": "false"}, user="mallory")
    status, out, _ = run("config", "backup", "pe4")
    assert status == 0
    _, out, _ = run("config", "history", "pe4", "--diff", str(first))
    assert f"+ {GE0} = changed" in out
    assert (
        "<description>to core</description>"
        in run("config", "history", "pe4", "--version", str(first), "--native")[1]
    )
    status, out, _ = run("config", "restore", "pe4", "--version", str(first), "--dry-run")
    assert status == 0
    assert f"+ {GE0} = to core" in out
    assert element(park, "pe4").running()[GE0] == "changed"
    assert run("config", "restore", "pe4", "--version", str(first), "--within", GE0)[0] == 0
    assert element(park, "pe4").running()[GE0] == "to core"
    assert element(park, "pe4").running()[f"{interface('ge-0')}/enabled"] == "false"
    assert run("config", "restore", "pe4", "--version", str(first))[0] == 0
    assert element(park, "pe4").running() == ethernet("ge-0", "to core")
    assert "runs what" in run("config", "restore", "pe4", "--version", str(first))[1]
    status, _, error = run("config", "restore", "pe4", "--version", "999")
    assert status == 1
    assert "ocs config history pe4" in error


def test_a_service_that_is_there_is_adopted_without_sending(run: Run, park: Park) -> None:
    arguments = ("config", "adopt", "base-5", *BASELINE, "--set", "element=pe5")
    status, out, error = run(*arguments)
    assert (status, "nothing was recorded" in error) == (1, True), error
    assert f"pe5: + {ADDRESS} = 192.0.2.1" in out
    assert run("inventory", "show", "base-5")[0] != 0
    assert run("provision", "create", "base-5", *BASELINE, "--set", "element=pe5", "--dry-run")[0] == 0
    wanted = {
        path: value
        for path, value in element(park, "pe1").running().items()
        if path.startswith("/ietf-system:system")
    }
    element(park, "pe5").change(wanted)
    element(park, "pe5").faults.steps.clear()
    assert run(*arguments, "--dry-run")[0] == 0
    status, out, error = run(*arguments)
    assert (status, error) == (0, "")
    service = json.loads(run("inventory", "show", "base-5", "--json")[1])["service"]
    assert service["model"] == "baseline"
    assert element(park, "pe5").running().items() >= wanted.items()
    assert drift(run, "pe5", "--now") == []
    assert run("provision", "create", "base-5", *BASELINE, "--set", "element=pe5")[0] == 0, "as any other"
    element(park, "pe5").change({ADDRESS: "198.51.100.66"}, user="mallory")
    assert [one["finding"]["path"] for one in drift(run, "pe5", "--now")] == [ADDRESS]
    assert FOREIGN_SECRET not in out
