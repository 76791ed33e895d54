"""`ocs maintenance` as an operator calls it."""

import json
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import trio

from ocs import cli
from ocs.balance.embedded import EmbeddedStore
from tests.support.charged_store import ChargedStore
from tests.support.processes import write_config

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("maintenance")


@pytest.fixture(scope="module")
def store(folder: Path) -> Generator[ChargedStore]:
    embedded = EmbeddedStore(folder / "data")
    address = trio.run(embedded.start)
    store = ChargedStore(address.url)
    yield store
    store.close()
    trio.run(embedded.stop)


@pytest.fixture
def run(folder: Path, store: ChargedStore, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; returns its status, what it printed, and what it wrote to stderr."""
    store.set_up()
    store.admin.delete("{alarms}windows")
    config = write_config(folder)

    def _run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["maintenance", *arguments, "--config", str(config), "--data-dir", str(folder / "data")])
        assert isinstance(ended.value.code, int)
        output, errors = capsys.readouterr()
        return ended.value.code, output, errors

    return _run


def test_window_is_planned_listed_and_removed(run: Run):
    status, output, _ = run("add", "router7", "--for", "2h", "--text", "new card", "--operator", "ada")
    assert status == 0
    (window,) = json.loads(run("list", "--json")[1])
    assert window["id"] == output.strip()
    assert (window["resource"], window["operator"], window["text"]) == ("router7", "ada", "new card")
    assert "router7" in run("list")[1]
    assert run("remove", window["id"])[0] == 0
    assert "no maintenance is planned" in run("list")[1]


@pytest.fixture
def described(run: Run, folder: Path) -> Generator[Run]:
    """With a topology, which the command reads each time."""
    topology = folder / "described"
    topology.mkdir()
    (topology / "t.toml").write_text(
        '[[sites]]\nname = "north"\n[[elements]]\nname = "core-1"\ninterfaces = [{ name = "xe-1/0", index = 1 }]\n'
    )
    write_config(folder, f'[faults]\ntopology = "{topology}"\n')
    yield run
    (topology / "t.toml").unlink()
    topology.rmdir()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("core-1", "core-1"),
        ("north", "north"),
        ("core-1/if/1", "core-1/if/xe-1/0"),  # by number: windows are kept by the one name
        ("core-1/card/9", "core-1/card/9"),
    ],
)
def test_resource_that_is_known_is_taken_without_a_word(described: Run, typed: str, kept: str):
    status, _, errors = described("add", typed, "--for", "2h")
    assert (status, errors) == (0, "")
    (window,) = json.loads(described("list", "--json")[1])
    assert window["resource"] == kept


def test_resource_that_nobody_knows_is_planned_with_a_note(described: Run):
    status, output, errors = described("add", "core1", "--for", "2h")
    assert (status, len(output.split())) == (0, 1)
    assert errors == "note: neither the topology nor the alarm list knows core1, did you mean core-1?\n"


def test_window_may_begin_later(run: Run):
    run("add", "router7", "--from", "2099-01-01T00:00Z", "--for", "30m")
    (window,) = json.loads(run("list", "--json")[1])
    assert (window["from"], window["until"]) == ("2099-01-01T00:00:00.000Z", "2099-01-01T00:30:00.000Z")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", "router7", "--for", "2"), "length of time"),
        (("add", "router7", "--from", "tomorrow", "--for", "2h"), "moment"),
        (("add", "router7", "--from", "2020-01-01T00:00Z", "--for", "2h"), "over already"),
        (("remove", "nothing"), "no window 'nothing'"),
    ],
)
def test_what_cannot_be_planned_is_one_clear_line(run: Run, arguments: tuple[str, ...], told: str):
    status, _, errors = run(*arguments)
    assert status != 0
    assert told in errors and errors.count("\n") == 1
