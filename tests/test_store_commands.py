"""`ocs verify|backup|restore` as an operator calls them."""

import json
import re
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import trio

from ocs import cli
from ocs.balance import keys
from ocs.balance.embedded import EmbeddedStore
from tests.support.charged_store import PARTITIONS, ChargedStore, started_server
from tests.support.processes import write_config

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, f"[store]\npartitions = {PARTITIONS}\n")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; returns its status, what it printed, and what it wrote to stderr."""

    def _run(*arguments: object, data_dir: Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main([*map(str, arguments), "--config", str(config), "--data-dir", str(data_dir)])
        assert isinstance(ended.value.code, int)
        output, errors = capsys.readouterr()
        return ended.value.code, output, errors

    return _run


@pytest.fixture
def store(data: Path) -> Generator[ChargedStore]:
    """The embedded store of the data folder, in use."""
    embedded = EmbeddedStore(data)
    address = trio.run(embedded.start)
    store = ChargedStore(address.url)
    store.set_up()
    store.fill()
    yield store
    store.close()
    trio.run(embedded.stop)


@pytest.fixture
def at_rest(data: Path) -> Path:
    """A data folder whose store was stopped."""
    embedded = EmbeddedStore(data)
    store = ChargedStore(trio.run(embedded.start).url)
    store.set_up()
    store.fill()
    store.close()
    trio.run(embedded.stop)
    return data


# --- verify ---------------------------------------------------------------------------------------------------


def test_verify_of_a_clean_store_in_use_ends_with_status_0(store: ChargedStore, run: Run, data: Path) -> None:
    status, output, errors = run("verify", data_dir=data)
    assert (status, errors) == (0, "")
    assert output.startswith("clean: no findings; looked at 6 accounts, ")


def test_verify_of_a_store_at_rest_starts_it_for_the_time(at_rest: Path, run: Run) -> None:
    status, output, _ = run("verify", data_dir=at_rest)
    assert (status, output.startswith("clean: ")) == (0, True)
    assert not (at_rest / "store.json").exists()


def test_verify_names_what_it_finds_with_the_remedy_and_ends_with_status_1(
    store: ChargedStore, run: Run, data: Path, tmp_path: Path
) -> None:
    for partition in range(PARTITIONS):
        store.admin.delete(keys.deadlines_key(partition))
    status, output, _ = run("verify", "--json", tmp_path / "report.json", data_dir=data)
    assert status == 1
    assert "FINDING deadline_missing: open;1 of account a1\n" in output
    assert "what to do: nobody would ever close this session" in output
    assert "NOT CLEAN: 6 deadline_missing; looked at" in output
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert (report["clean"], report["findings"]) == (False, {"deadline_missing": 6})
    assert report["told"][0].keys() == {"kind", "subject", "detail", "remedy", "warning"}
    assert report["counted"]["accounts"] == 6


def test_warnings_alone_end_with_status_0(store: ChargedStore, run: Run, data: Path) -> None:
    store.admin.set(keys.identity_key("e164:1\x1b[2J"), keys.encode_location("nobody", "nobody"))
    status, output, _ = run("verify", data_dir=data)
    assert status == 0
    assert "warning directory_astray: e164:1\\x1b[2J" in output
    assert "clean: 1 directory_astray" in output


def test_verify_that_cannot_be_done_ends_with_status_2_and_one_line(run: Run, data: Path) -> None:
    status, output, errors = run("verify", data_dir=data)
    assert (status, output, errors.count("\n")) == (2, "", 1)
    assert "no store runs on this data folder" in errors


def test_verify_tells_when_there_are_more_findings_than_it_tells(
    store: ChargedStore, run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocs.balance.verify.FINDINGS_TOLD_MAX", 2)
    for partition in range(PARTITIONS):
        store.admin.delete(keys.deadlines_key(partition))
    status, output, _ = run("verify", data_dir=data)
    assert status == 1
    assert "and 4 more" in output


# --- backup and restore ---------------------------------------------------------------------------------------


def test_backup_is_restored_and_verified(store: ChargedStore, run: Run, data: Path, tmp_path: Path) -> None:
    status, output, _ = run("backup", tmp_path / "backup", data_dir=data)
    assert status == 0
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    latest = re.search(rf"octets; can be restored to any second from {time} to ({time})\n", output)
    assert latest is not None
    status, output, errors = run("restore", tmp_path / "backup", data_dir=tmp_path / "new")
    assert (status, errors) == (0, "")
    assert f"restored as of {latest[1]}\nclean: no findings; looked at 6 accounts" in output
    status, output, _ = run(
        "restore", tmp_path / "backup", "--until", latest[1], data_dir=tmp_path / "another"
    )
    assert (status, latest[1] in output) == (0, True)


def test_store_of_one_s_own_is_backed_up_with_its_own_tools(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    with started_server(tmp_path) as url:
        monkeypatch.setenv("OCS_STORE__URL", url)
        status, _, errors = run("backup", tmp_path / "backup", data_dir=data)
    assert (status, errors.count("\n")) == (2, 1)
    assert "is backed up with its own tools; docs/runbook.md says how" in errors


def test_backup_needs_a_store_that_runs(run: Run, data: Path, tmp_path: Path) -> None:
    status, _, errors = run("backup", tmp_path / "backup", data_dir=data)
    assert (status, errors.count("\n")) == (2, 1)


def test_damaged_backup_is_refused_with_one_line(
    store: ChargedStore, run: Run, data: Path, tmp_path: Path
) -> None:
    run("backup", tmp_path / "backup", data_dir=data)
    base = next((tmp_path / "backup" / "appendonlydir").glob("*.rdb"))
    base.write_bytes(base.read_bytes() + b"x")
    status, _, errors = run("restore", tmp_path / "backup", data_dir=tmp_path / "new")
    assert (status, errors.count("\n")) == (2, 1)
    assert "the backup is damaged, take another" in errors


@pytest.mark.parametrize("text", ["yesterday", "2027-13-01"])
def test_time_that_is_none_is_one_line(run: Run, data: Path, text: str) -> None:
    status, _, errors = run("restore", "backup", "--until", text, data_dir=data)
    assert status == 2
    assert f"invalid time value: '{text}'" in errors
