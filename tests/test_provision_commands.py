"""`ocs provision` as an operator calls it: services on elements that are really configured."""

import json
import re
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest

from ocs.provision_listing import print_transactions
from ocs.provisioning.transactions.record import Transaction, Work
from ocs.provisioning.transactions.states import TransactionState
from simulators.element.faults import Fault, FaultKind
from simulators.element.netconf_element import NetconfElement
from simulators.element.park import Park
from tests.support.element_lab import ElementLab, Run
from tests.support.processes import Ocs, running

NAMES = ("pe1", "pe2", "pe3")
NTP = "/ietf-system:system/ntp/server"
BASELINE = ("--model", "baseline", "--set", 'ntp_servers=["192.0.2.1"]')


@pytest.fixture(scope="module")
def park() -> Generator[Park]:
    with Park() as opened:
        for name in NAMES:
            opened.netconf(name)
        yield opened


@pytest.fixture(scope="module")
def lab(park: Park, tmp_path_factory: pytest.TempPathFactory) -> Generator[ElementLab]:
    lab = ElementLab(tmp_path_factory.mktemp("lab"), dict.fromkeys(park.elements.values(), "pe"))
    yield lab
    lab.close()


@pytest.fixture(scope="module", autouse=True)
def _process(lab: ElementLab) -> Generator[Ocs]:
    overrides = {"OCS_PROVISIONING__SESSIONS_MAX": "8"}
    with running("elements", data_dir=lab.data_dir, config=lab.config, overrides=overrides) as ocs:
        yield ocs


@pytest.fixture
def run(lab: ElementLab, capsys: pytest.CaptureFixture[str]) -> Run:
    return lab.runner(capsys)


def servers(park: Park, name: str) -> set[str]:
    element = park.elements[name]
    assert isinstance(element, NetconfElement)
    return {
        value
        for path, value in element.running().items()
        if path.startswith(NTP) and "address" in path and value
    }


def test_service_is_created_changed_and_deleted(run: Run, park: Park) -> None:
    status, out, error = run(
        "provision", "create", "base-1", *BASELINE, "--set", "element=pe1", "--customer", "we"
    )
    assert (status, error) == (0, "")
    assert out.splitlines()[-1].endswith("is done")
    assert servers(park, "pe1") == {"192.0.2.1"}
    # What is not said stays as it is.
    assert run("provision", "modify", "base-1", "--set", "timezone=Europe/Berlin")[0] == 0
    assert servers(park, "pe1") == {"192.0.2.1"}
    service = json.loads(run("inventory", "show", "base-1", "--json")[1])["service"]
    assert service["customer"] == "we"
    assert service["parameters"]["timezone"] == "Europe/Berlin"
    assert run("provision", "delete", "base-1")[0] == 0
    assert servers(park, "pe1") == set()


def written(park: Park, name: str) -> list[str]:
    """What was done to an element; that the element process listens to it and reads it is no change."""
    changing = {"lock", "edit-config", "validate", "commit", "copy-config", "discard-changes"}
    return [step for step in park.elements[name].faults.steps if step.split()[0] in changing]


def test_unchanged_service_sends_nothing(run: Run, park: Park) -> None:
    assert run("provision", "create", "base-2", *BASELINE, "--set", "element=pe2")[::2] == (0, "")
    park.elements["pe2"].faults.steps.clear()
    assert run("provision", "create", "base-2", *BASELINE, "--set", "element=pe2")[::2] == (0, "")
    assert not written(park, "pe2")


def test_dry_run_shows_what_would_be_sent_and_records_nothing(run: Run, park: Park) -> None:
    park.elements["pe1"].faults.steps.clear()
    status, out, _ = run("provision", "create", "base-3", *BASELINE, "--set", "element=pe1", "--dry-run")
    assert status == 0
    assert "<address>192.0.2.1</address>" in out
    assert "undone by" in out
    assert not written(park, "pe1")
    assert run("inventory", "show", "base-3")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("create", "x", "--model", "baseline"), "element"),
        (("create", "x", *BASELINE, "--set", "element=pe9"), "pe9"),
        (("create", "x", *BASELINE, "--set", "element=pe1", "--set", "colour=red"), "colour"),
        (("modify", "nobody"), "nobody"),
        (("create", "x", *BASELINE, "--set", "element=pe1", "--reference", "UPPER"), "--reference"),
    ],
    ids=["missing parameter", "unknown element", "unknown parameter", "unknown service", "bad reference"],
)
def test_order_that_cannot_be_is_refused_in_one_line(run: Run, arguments: tuple[str, ...], word: str) -> None:
    status, _, error = run("provision", *arguments)
    assert status in {1, 2}
    assert error.count("\n") == 1
    assert word in error


def test_batch_stops_after_its_canary_failed(run: Run, park: Park, tmp_path: Path) -> None:
    file = tmp_path / "batch.toml"
    entries = (
        f'[[services]]\nservice = "batch-{name}"\nmodel = "baseline"\n'
        f'parameters = {{ element = "{name}", log_servers = [], ntp_servers = ["192.0.2.9"] }}\n'
        for name in ("pe1", "pe3")
    )
    file.write_text("\n".join(entries))
    park.elements["pe1"].faults.add(Fault(kind=FaultKind.REFUSE, on="edit-config"))
    status, out, _ = run("provision", "batch", str(file), "--reference", "b1", "--json")
    assert status == 1
    assert [one["state"] for one in json.loads(out)["transactions"]] == ["refused", "cancelled"]
    assert servers(park, "pe3") == set()
    status, out, _ = run("provision", "batch", str(file), "--reference", "b2")
    assert (status, out.splitlines()[-1]) == (0, "batch b2: 2 of 2 are done")
    assert servers(park, "pe3") == {"192.0.2.9"}
    assert len(json.loads(run("provision", "list", "--batch", "b1", "--json")[1])) == 2
    assert "batch-pe1" in run("provision", "list", "--batch", "b2")[1]


def test_show_tells_what_was_changed_on_which_element(run: Run) -> None:
    assert (
        run("provision", "create", "base-4", *BASELINE, "--set", "element=pe2", "--reference", "shown")[0]
        == 0
    )
    _, out, _ = run("provision", "show", "shown")
    assert "create base-4" in out
    assert "pe2: settled" in out


def test_models_are_told_with_their_parameters(run: Run) -> None:
    _, out, _ = run("provision", "models")
    assert "baseline: The time" in out
    assert "ntp_servers (list of text; may be left out)" in out
    assert "--set port=pe1/if/ge-0" in out


def test_list_keeps_whole_ids_and_reasons_on_a_terminal_of_100_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    name = "a-change-by-whoever-long-name-32"
    whole = Transaction(
        transaction_id=name,
        state=TransactionState.REFUSED,
        work=Work("service", b""),
        description="create base-pe1",
        requested_by="somebody",
        elements=("pe1", "pe2"),
        not_before_ms=1,
        reason="it has no host key that is trusted yet",
        changed_ms=1_795_000_000_000,
    )
    print_transactions([whole, msgspec.structs.replace(whole, state=TransactionState.QUEUED, reason="")])
    out = capsys.readouterr().out
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out).splitlines()
    assert max(map(len, lines)) <= 100
    assert sum(name in line for line in lines) == 2
    assert "11-18 " in out
    rows = [line.split("│")[-2].strip() for line in lines if line.count("│") == 8]
    assert "".join(rows).replace(" ", "") == "ithasnohostkeythatistrustedyetnotbefore01-0100:00"


def test_whoever_stops_waiting_is_told_that_it_goes_on(
    lab: ElementLab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ocs.transaction_desk.standing", interrupted)
    status, _, error = run(
        "provision", "create", "base-9", *BASELINE, "--set", "element=pe3", "--reference", "left"
    )
    assert status == 130
    assert error == "transaction left goes on: `ocs provision show left`, `ocs provision cancel left`\n"
