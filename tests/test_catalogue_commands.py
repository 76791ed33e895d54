"""`ocs catalogue check|diff|publish|list|explain|record|rerate` as a product manager calls them.

Covers ``described_use_options`` too.
"""

import json
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from ocs import cli
from ocs.balance.embedded import EmbeddedStore
from ocs.clock import SystemClock
from ocs.limits import CATALOGUE_LOOK_INTERVAL_S
from ocs.rating import load_catalogue
from ocs.settings import Settings
from ocs.store_setup import prepare_store
from tests.support.charged_store import ChargedStore
from tests.support.processes import CATALOGUE, write_config

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `ocs catalogue ...`; returns its status, what it printed, and what it wrote to stderr."""
    config = write_config(tmp_path, "[store]\npartitions = 4\n")

    def _run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(
                [
                    "catalogue",
                    *map(str, arguments),
                    "--config",
                    str(config),
                    "--data-dir",
                    str(tmp_path / "data"),
                ]
            )
        assert isinstance(ended.value.code, int)
        output, errors = capsys.readouterr()
        return ended.value.code, output, errors

    return _run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue of one's own, a copy of the delivered one."""
    return Path(shutil.copytree(CATALOGUE, tmp_path / "catalogue"))


def change(folder: Path, old: str, new: str, file: str = "prepaid.toml") -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def store(tmp_path: Path) -> Generator[str]:
    """The embedded store of the data folder, set up; its URL."""
    embedded = EmbeddedStore(tmp_path / "data")
    url = trio.run(embedded.start).url
    prepare_store(Settings(), url, SystemClock())
    yield url
    trio.run(embedded.stop)


# --- check --------------------------------------------------------------------------------------------------------


def test_usable_catalogue_is_told_with_its_version_and_status_0(run: Run) -> None:
    status, output, errors = run("check")
    assert (status, errors) == (0, "")
    version = load_catalogue(CATALOGUE).version
    assert output.splitlines()[-1].startswith(f"usable: {version}, 16 offers, ")


def test_all_mistakes_are_told_with_file_and_line_and_status_1(run: Run, folder: Path) -> None:
    change(folder, 'amount = "0.09"', 'amount = "9 cents"')
    change(folder, 'rounding = "30/1"', 'rounding = "30"  # rounding = broken')
    change(folder, 'groups = ["taxi"]', 'groups = ["nobody"]', "business.toml")
    status, output, errors = run("check", folder)
    assert (status, errors) == (1, "")
    *lines, verdict = output.splitlines()
    assert verdict == "NOT USABLE: 3 errors"
    business, prepaid = folder / "business.toml", folder / "prepaid.toml"
    assert [line.partition(": expected")[0] for line in lines] == [
        f"{business}:{line_of(business, 'nobody')}: offers[fleet].prices[dispatcher].groups",
        f"{prepaid}:{line_of(prepaid, '9 cents')}: offers[prepaid-basic].prices[voice].amount",
        f"{prepaid}:{line_of(prepaid, 'rounding = broken')}: offers[prepaid-basic].prices[voice-europe].rounding",
    ]


def line_of(file: Path, words: str) -> int:
    return next(n for n, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if words in line)


def test_findings_are_told_to_programs(run: Run, folder: Path) -> None:
    change(folder, 'amount = "0.09"', 'amount = "9 cents"')
    status, output, _ = run("check", folder, "--json")
    report = json.loads(output)
    assert (status, report["usable"], report["version"]) == (1, False, None)
    (finding,) = report["findings"]
    assert finding.keys() == {"file", "line", "key", "text", "is_warning"}
    status, output, _ = run("check", "--json")
    assert (status, json.loads(output)["usable"]) == (0, True)


def test_folder_without_files_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    status, output, errors = run("check", tmp_path / "empty")
    assert (status, output, errors.count("\n")) == (2, "", 1)
    (tmp_path / "empty" / "a.toml").write_bytes(b"\xff")
    status, output, errors = run("check", tmp_path / "empty")
    assert (status, output, errors.count("\n")) == (2, "", 1)


# --- diff ---------------------------------------------------------------------------------------------------------


def test_two_folders_are_compared_in_the_field_s_words(run: Run, folder: Path) -> None:
    change(folder, 'amount = "0.09"', 'amount = "0.10"')
    status, output, _ = run("diff", CATALOGUE, folder)
    assert (status, output) == (0, "offer prepaid-basic, price voice: amount: 0.09 -> 0.10 (+11.1 %)\n")
    (told,) = json.loads(run("diff", CATALOGUE, folder, "--json")[1])
    assert told == {
        "kind": "changed", "entry": "offer prepaid-basic, price voice", "key": "amount", "before": "0.09", "after": "0.10",
    }  # fmt: skip
    assert run("diff", folder, folder)[1] == "no difference\n"


# --- publish and list ---------------------------------------------------------------------------------------------


def test_catalogue_is_published_listed_and_compared(store: str, run: Run, folder: Path) -> None:
    assert "nothing was published yet" in run("list")[1]
    first = load_catalogue(folder).version
    status, output, _ = run("publish", folder)
    assert status == 0
    assert output.startswith(f"published {first}, in force from now; told nobody")
    change(folder, 'amount = "0.09"', 'amount = "0.10"')
    second = load_catalogue(folder).version
    status, output, _ = run("publish", folder, "--effective", "2099-01-01T06:00", "--json")
    told = json.loads(output)
    assert (status, told["version"], told["in_force"]) == (0, second, False)
    assert told["effective_s"] - told["published_s"] > 86_400
    entries = json.loads(run("list", "--json")[1])
    assert [(entry["version"], entry["in_force"]) for entry in entries] == [(first, True), (second, False)]
    lines = run("list")[1].splitlines()
    assert lines[1].endswith("in force")
    assert "2099-01-01 06:00:00 CET" in lines[2]
    assert lines[2].endswith("to come")
    assert run("diff", "published", second)[1] == (
        "offer prepaid-basic, price voice: amount: 0.09 -> 0.10 (+11.1 %)\n"
    )


def test_catalogue_with_a_mistake_is_not_published(store: str, run: Run, folder: Path) -> None:
    change(folder, 'amount = "0.09"', 'amount = "9 cents"')
    status, output, _ = run("publish", folder)
    assert status == 1
    assert output.splitlines()[-1] == "NOT USABLE: 1 error; nothing was published"
    assert json.loads(run("list", "--json")[1]) == []


@pytest.mark.parametrize("when", ["2020-01-01", "tomorrow"])
def test_moment_that_has_passed_or_is_none_is_refused(store: str, run: Run, when: str) -> None:
    status, output, errors = run("publish", "--effective", when)
    assert (status, output, errors.count("\n")) == (1, "", 1)


def test_same_catalogue_again_is_refused(store: str, run: Run) -> None:
    run("publish")
    status, _, errors = run("publish")
    assert (status, errors.count("\n")) == (1, 1)
    assert "is in force at that time already" in errors


def test_gateways_are_asked_again_when_the_catalogue_is_in_force_and_not_before(
    store: str, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited_s: list[float] = []
    # Only this module's: other threads of the process sleep too.
    monkeypatch.setattr("ocs.catalogue_commands.time", SimpleNamespace(sleep=waited_s.append))
    run("publish", folder)
    change(folder, 'amount = "0.09"', 'amount = "0.10"')
    status, output, errors = run("publish", folder, "--effective", "2099-01-01", "--reauthorise")
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert "--effective now" in errors
    status, output, _ = run("publish", folder, "--effective", "now", "--reauthorise", "--per-second", "5")
    assert status == 0
    assert output.splitlines()[1] == "0 sessions with another price: gateway asked to re-authorise"
    assert waited_s == [CATALOGUE_LOOK_INTERVAL_S]  # nobody was told: workers look by themselves
    change(folder, 'amount = "0.10"', 'amount = "0.11"')
    report = json.loads(run("publish", folder, "--reauthorise", "--json")[1])
    assert (report["reauthorised"], report["unreachable"]) == (0, [])


def test_version_that_nobody_published_is_named(store: str, run: Run) -> None:
    status, _, errors = run("diff", CATALOGUE, "2020-01-01.00000000")
    assert (status, errors.count("\n")) == (2, 1)
    assert "`ocs catalogue list` names them" in errors
    status, _, errors = run("diff", CATALOGUE, "published")
    assert (status, errors.count("\n")) == (1, 1)


# --- explain ------------------------------------------------------------------------------------------------------


def test_event_is_explained_without_a_store(run: Run) -> None:
    status, output, errors = run(
        "explain", "--offer", "prepaid-basic", "--service", "voice", "--to", "+4930123456", "--units", "75",
        "--at", "2026-12-23T20:00",
    )  # fmt: skip
    assert (status, errors) == (0, "")
    first, *steps, verdict = output.splitlines()
    assert first.startswith("voice 75 s, to +4930123456 (zone national), at 2026-12-23 20:00:00 CET;")
    assert "  charged: 0.0625 EUR" in steps
    assert verdict.startswith("costs 0.0625 EUR by prepaid-basic/voice-national-off-peak")


def test_event_abroad_is_explained_to_programs(run: Run) -> None:
    _, output, _ = run(
        "explain", "--offer", "prepaid-basic", "--offer", "roaming", "--service", "data", "--units", "1 MB",
        "--network", "310410", "--apn", "Internet", "--rat", "nr", "--at", "2026-12-23T20:00", "--json",
    )  # fmt: skip
    told = json.loads(output)
    assert (told["amount_micro"], told["paths"]) == (490_000, ["roaming/far-data~world-data"])


def test_use_abroad_needs_no_network_s_name(run: Run) -> None:
    asked = ("--offer", "roaming", "--service", "voice", "--units", "61", "--roaming", "--json")
    told = json.loads(run("explain", *asked)[1])
    assert (told["amount_micro"], told["paths"]) == (2_980_000, ["roaming/far-voice"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--offer", "x", "--service", "sms"), "offer 'x' is not in catalogue"),
        (
            ("--offer", "metered", "--service", "data", "--units", "much"),
            "--units: expected a whole number of octets",
        ),
        (("--offer", "metered", "--service", "sms", "--at", "noon"), "expected a time such as"),
    ],
)
def test_event_that_cannot_be_read_is_one_line(run: Run, arguments: tuple[str, ...], words: str) -> None:
    status, output, errors = run("explain", *arguments)
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert words in errors


# --- record and rerate --------------------------------------------------------------------------------------------


def test_charges_are_recorded_and_rated_again_under_other_prices(tmp_path: Path, run: Run) -> None:
    embedded = EmbeddedStore(tmp_path / "data")
    charged = ChargedStore(trio.run(embedded.start).url)
    charged.set_up()
    charged.fill()
    status, output, errors = run("record", tmp_path / "uses")
    assert (status, errors) == (0, "")
    lines = (tmp_path / "uses").read_bytes().splitlines()
    assert output == f"{tmp_path / 'uses'}: {len(lines)} charges\n"
    assert len(lines) == 18  # six accounts, three reports each
    charged.close()
    trio.run(embedded.stop)
    arguments = ("rerate", tmp_path / "uses", "--catalogue", CATALOGUE)
    same = ("--offer", "basic=metered", "--offer", "packs=roaming")
    status, output, _ = run(*arguments, *same)
    assert status == 0
    assert output.splitlines()[0].endswith("18 uses")
    assert output.splitlines()[-1].startswith("all")
    details = run(*arguments, *same, "--details")[1]
    assert details == run(*arguments, *same, "--details")[1]
    assert {json.loads(line)["tariff_path"] for line in details.splitlines()} == {
        "metered/data~bonus-data+home-data"
    }


def test_file_that_is_there_is_not_written_over(store: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "uses").write_text("mine")
    status, _, errors = run("record", tmp_path / "uses")
    assert (status, errors.count("\n")) == (2, 1)
    assert (tmp_path / "uses").read_text() == "mine"


def test_offer_to_rate_by_must_be_one_of_the_catalogue(run: Run, tmp_path: Path) -> None:
    (tmp_path / "uses").write_text("")
    status, _, errors = run("rerate", tmp_path / "uses", "--offer", "a=b")
    assert (status, errors.count("\n")) == (1, 1)
    assert "expected OLD=NEW" in errors
