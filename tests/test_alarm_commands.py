"""`ocs alarms` as a network operations centre calls it, on a real store.

alarm_commands with what they print by (alarm_listing, alarm_terminal) and alarm_report_commands.

Covers ``alarm_administration_commands``, ``alarm_desk`` and ``alarm_names`` too.
"""

import json
import logging
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
import trio

from ocs import cli
from ocs.alarm_listing import id_letters_of
from ocs.alarm_terminal import duration_ms
from ocs.balance.embedded import EmbeddedStore
from ocs.clock import SystemClock
from ocs.faults.alarm import Alarm, Severity, StatusChange
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.history.recording import record_changes
from ocs.faults.operator_axis import OperatorState
from ocs.faults.store import keys
from ocs.faults.store.batch import decode_signal
from ocs.faults.view.alarm_view import AlarmView
from ocs.migrations import upgrade_schema
from ocs.settings import Settings
from ocs.sql import Database, database_url
from tests.support.alarm_lab import AlarmLab
from tests.support.alarms import alarm_of, batch_of
from tests.support.processes import write_config

pytestmark = pytest.mark.bounded(120)

Run = Callable[..., tuple[int, str, str]]
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("alarms")


@pytest.fixture(scope="module")
def store_url(folder: Path) -> Generator[str]:
    embedded = EmbeddedStore(folder / "data")
    address = trio.run(embedded.start)
    yield address.url
    trio.run(embedded.stop)


@pytest.fixture(autouse=True)
def log_as_before() -> Generator[None]:
    """Commands set up their log."""
    handlers = list(logging.root.handlers)
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers


@pytest.fixture
def lab(store_url: str) -> Generator[AlarmLab]:
    lab = AlarmLab(store_url)
    lab.empty()
    yield lab
    lab.client.close()


@pytest.fixture
def run(folder: Path, lab: AlarmLab, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; returns its status, what it printed, and what it wrote to stderr."""
    config = write_config(folder)

    def _run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["alarms", *arguments, "--config", str(config), "--data-dir", str(folder / "data")])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return _run


def aged(resource: str, age_ms: int = HOUR_MS, **more: Any) -> Alarm:
    """An alarm that was raised so long ago."""
    at_ms = SystemClock().now_ms() - age_ms
    moments = ("created_ms", "last_raised_ms", "last_changed_ms", "last_signal_ms")
    return alarm_of(resource, more.pop("alarm_type", "link-down"), **dict.fromkeys(moments, at_ms) | more)


ROOT = aged("router1", alarm_type="card-failed", severity=Severity.CRITICAL, text="card 3 failed", symptoms=7)
SYMPTOMS = [
    aged(f"router1/if/{number}", root_cause=ROOT.alarm_id, suppression="symptom") for number in range(7)
]
LONE = aged(
    "router9", 2 * HOUR_MS + 300_000, severity=Severity.WARNING, will_clear=False, text="fan \x1b[31m slow"
)
OVER = aged("router8", is_cleared=True)


@pytest.fixture
def listed(lab: AlarmLab) -> AlarmLab:
    lab.commit(batch_of(ROOT, LONE, OVER, *SYMPTOMS))
    return lab


def test_list_shows_what_stands_worst_first_with_symptoms_under_their_cause(run, listed):
    code, out, _ = run("list")
    lines = out.splitlines()
    assert code == 0
    assert "card 3 failed" in lines[1] and lines[1].startswith("critical") and "7 symptoms" in lines[1]
    assert all("└ router1/if/" in line for line in lines[2:7])
    assert f"and 2 more: --root-cause {ROOT.alarm_id}" in lines[7]
    assert lines[8].startswith("warning") and " 2h " in lines[8]
    assert "router8" not in out and "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--severity", "warning"), {LONE}),
        (("--cleared",), {OVER}),
        (("--all", "--roots"), {ROOT, LONE, OVER}),
        (("--root-cause", ROOT.alarm_id), set(SYMPTOMS)),
        (("--resource", "router1", "--type", "card-failed"), {ROOT}),
        (("--text", "FAN"), {LONE}),
        (("--changed-within", "90m", "--roots"), {ROOT}),
        (("--shelved",), set()),
        (("--limit", "1"), {ROOT}),
    ],
)
def test_list_is_filtered(run, listed, arguments, found):
    code, out, _ = run("list", "--json", *arguments)
    assert code == 0
    assert {alarm["alarm_id"] for alarm in json.loads(out)} == {alarm.alarm_id for alarm in found}


def test_list_without_alarms_says_so(run, lab):
    assert run("list")[1] == "no alarms\n"


def test_acknowledging_several_by_their_first_letters_is_seen_in_the_list(run, listed):
    code, _, err = run("ack", ROOT.alarm_id[:6], LONE.alarm_id, "--operator", "anna", "--text", "on it")
    assert (code, err) == (0, "")
    rows = json.loads(run("list", "--json", "--open")[1])
    assert {row["alarm_id"] for row in rows} == {alarm.alarm_id for alarm in SYMPTOMS}
    assert "ack anna" in run("list")[1]


def test_each_deed_does_what_it_says(run, listed):
    name = LONE.alarm_id
    for arguments, state in (
        (("assign", name, "--to", "field-1"), "none"),
        (("comment", name, "--text", "called the site"), "none"),
        (("shelve", name, "--for", "2h"), "shelved"),
        (("unshelve", name), "un-shelved"),
        (("ack", name), "ack"),
        (("unack", name), "none"),
        (("close", name), "closed"),
    ):
        assert run(*arguments, "--operator", "anna")[0] == 0, arguments
        operator = json.loads(run("show", name, "--json")[1])["operator"]
        assert operator["state"] == state, arguments
    assert operator["assigned_to"] == "field-1"
    out = run("show", name)[1]
    assert "anna: says called the site" in out and "anna: closed" in out and "field-1" in out


def test_deed_that_the_state_does_not_allow_is_refused_with_one_line(run, listed):
    code, _, err = run("unack", LONE.alarm_id)
    assert code == 1
    assert err == f"ocs: {LONE.alarm_id}: cannot unacknowledge an alarm that is not taken care of\n"
    assert run("clear", ROOT.alarm_id)[0] == 1


@pytest.mark.parametrize("name", ["a" * 16, "zzz", ""])
def test_alarm_that_is_not_there_is_refused(run, listed, name):
    code, _, err = run("ack", name)
    assert code == 1
    assert err.startswith("ocs: ")


def test_clear_asks_the_owner_of_the_list(run, listed):
    assert run("clear", LONE.alarm_id, "--operator", "anna", "--text", "fixed")[0] == 0
    (signal,) = map(decode_signal, listed.client.hgetall(keys.ORDERS).values())
    assert (signal.key, signal.severity, signal.text) == (
        LONE.key,
        Severity.CLEARED,
        "cleared by anna: fixed",
    )


def test_purge_takes_what_is_over_and_only_what_is_meant(run, listed):
    assert run("purge", "--dry-run")[1] == "1 alarms would be purged\n"
    assert run("purge", "--older-than", "2h")[1] == "0 alarms purged\n"
    assert run("purge")[1] == "1 alarms purged\n"
    assert run("purge", "--clearance", "any", "--severity", "minor", "--severity-is", "below")[1] == (
        "1 alarms purged\n"
    )
    assert {key.decode() for key in listed.client.hkeys(keys.LIST)} == {
        alarm.alarm_id for alarm in (ROOT, *SYMPTOMS)
    }


def test_summary_counts_by_severity(run, listed):
    out = run("summary")[1]
    assert out.splitlines()[1].split() == ["critical", "1", "0", "0", "0", "1"]
    severities = {row["severity"]: row for row in json.loads(run("summary", "--json")[1])["severities"]}
    assert (severities["major"]["cleared"], severities["major"]["not_cleared"]) == (1, 7)


def test_explain_says_what_explains_it_and_who_is_told(run, listed):
    out = run("explain", SYMPTOMS[0].alarm_id)[1]
    assert f"router1 explains it: card 3 failed ({ROOT.alarm_id})" in out
    assert "nobody is told of it: it is a symptom: its cause is told" in out
    assert "the device never says when it is over" in run("explain", LONE.alarm_id)[1]


def test_watch_prints_changes_as_they_happen(run, listed):
    def write() -> None:
        with AlarmLab(listed.url).client as client:
            while not any(one["cmd"] == "xread" for one in client.client_list()):
                threading.Event().wait(0.01)
        listed.commit(batch_of(aged("router7", 0, text="port down"), kind=ChangeKind.RAISED))

    thread = threading.Thread(target=write)
    thread.start()
    code, out, _ = run("watch", "--count", "1", "--json")
    thread.join()
    change = json.loads(out)
    assert code == 0
    assert (change["kind"], change["alarm"]["resource"]) == ("raised", "router7")


def test_compress_keeps_the_last_change_of_what_is_chosen(run, lab):
    at_ms = SystemClock().now_ms()
    changes = tuple(StatusChange(at_ms + number, Severity.MAJOR, f"step {number}") for number in range(3))
    port, card = aged("router1", changes=changes), aged("router2", alarm_type="card-failed", changes=changes)
    lab.commit(batch_of(port, card))
    assert run("compress", "--type", "link-down", "--dry-run")[1] == "1 alarms would be compressed\n"
    assert run("compress", "--type", "link-down")[1] == "1 alarms compressed\n"
    assert json.loads(run("show", port.alarm_id, "--json")[1])["changes"][0]["text"] == "step 2"
    assert len(json.loads(run("show", card.alarm_id, "--json")[1])["changes"]) == 3
    assert run("compress", "--type", "link-down")[1] == "0 alarms compressed\n"


def test_alarms_are_grouped_by_hand_and_it_is_told(run, listed):
    code, out, _ = run("group", LONE.alarm_id[:6], "--under", ROOT.alarm_id[:6])
    assert (code, out) == (0, f"{LONE.alarm_id}: not acknowledged, under {ROOT.alarm_id}\n")
    assert "operators put it under router1: card 3 failed" in run("explain", LONE.alarm_id)[1]
    assert f"under {ROOT.alarm_id[:6]}" in run("list", "--severity", "warning")[1]
    assert run("ungroup", LONE.alarm_id, "--under", ROOT.alarm_id)[0] == 0
    code, _, errors = run("ungroup", LONE.alarm_id, "--under", ROOT.alarm_id)
    assert (code, errors.count("\n")) == (1, 1)


def test_interface_is_listed_and_found_by_its_name(run, lab):
    lab.commit(batch_of(aged("pe1/if/3", details=(("IF-MIB::ifName", "Gi0/3"),)), aged("pe1/if/4")))
    out = run("list", "--resource", "pe1/if/Gi0/3")[1]
    assert "pe1/if/Gi0/3" in out and "pe1/if/4" not in out
    assert "known as pe1/if/3" in run("show", aged("pe1/if/3").alarm_id)[1]


def test_people_are_shown_no_more_letters_of_an_id_than_name_it(listed):
    alarms = [alarm_of(f"router{number}") for number in range(3)]
    assert id_letters_of(AlarmView(alarms)) == 6
    twin = msgspec.structs.replace(alarms[0], alarm_id=alarms[0].alarm_id[:9] + "a" * 7)
    assert id_letters_of(AlarmView([*alarms, twin])) == 10


def test_history_and_reports_look_back(run, folder, listed):
    settings = Settings(directory=folder)
    database = Database(database_url(settings, folder / "data"))
    upgrade_schema(database)
    over = msgspec.structs.replace(LONE, is_cleared=True)
    listed.commit(batch_of(over, kind=ChangeKind.CLEARED))
    hour_ago = SystemClock().now_ms() - HOUR_MS
    changes = [msgspec.structs.replace(change, at_ms=hour_ago) for change in listed.changes()]
    database.write_blocking(lambda connection: record_changes(connection, changes))
    database.close()
    out = run("history", LONE.alarm_id)[1]
    assert [line.split()[3] for line in out.splitlines()[1:]] == ["cleared", "raised"]
    assert run("history", LONE.alarm_id[:5].upper())[1] == out
    for typed, says in (("abc", "too short"), ("zzzzzz", "nothing is known")):
        code, _, errors = run("history", typed)
        assert code != 0
        assert says in errors
    rows = json.loads(run("history", "--resource", "router1", "--json", "--limit", "3")[1])
    assert len(rows) == 3
    assert "critical" in run("reports", "repair")[1]
    assert json.loads(run("reports", "repair", "--by", "resource", "--json")[1])
    assert "router1" in run("reports", "elements")[1]
    assert run("reports", "services", "--json")[0] == 0


@pytest.mark.parametrize(("text", "length_ms"), [("90s", 90_000), ("2h", 2 * HOUR_MS), ("7d", 168 * HOUR_MS)])
def test_length_of_time_is_read(text, length_ms):
    assert duration_ms(text) == length_ms


@pytest.mark.parametrize("text", ["", "0s", "2", "h", "-1h", "1.5h", "1w"])
def test_length_of_time_that_is_none_is_refused(text):
    with pytest.raises(ValueError):
        duration_ms(text)


def test_states_that_an_option_names_are_all_states(run, listed):
    for state in OperatorState:
        assert run("purge", "--dry-run", "--state", state.name.lower().replace("_", "-"))[0] == 0
