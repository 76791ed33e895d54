"""What an operator does by hand, on a real store: open, look, top up once per reference."""

import json
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from ocs import cli
from ocs.balance import keys
from ocs.balance.client import BalanceClient, Change
from ocs.balance.model import Hold, RememberedAnswer, Session, SessionService, SessionState
from ocs.balance.store_admin import connect
from ocs.events import SCHEMA_VERSION, BucketMovement, ChargeEvent, EventKind, PriceTrace
from ocs.messages import NO_CONTEXT, Service
from ocs.units import UnitType
from tests.support.processes import ROOT, run_ocs, write_config

STORE = """
import sys, trio
from pathlib import Path
from ocs.balance.embedded import EmbeddedStore
from ocs.clock import SystemClock
from ocs.settings import Settings
from ocs.store_setup import prepare_store
async def main():
    async with EmbeddedStore(Path(sys.argv[1])) as store:
        prepare_store(Settings(), store.address.url, SystemClock())
        print(store.address.url, flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
trio.run(main)
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A data folder on which a store runs that is set up."""
    folder = tmp_path_factory.mktemp("data")
    store = subprocess.Popen(
        [sys.executable, "-c", STORE, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert store.stdout is not None
    assert store.stdout.readline().startswith(b"unix://")
    yield folder
    store.communicate(timeout=60)


@pytest.fixture(scope="module")
def options(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    return "--config", str(write_config(tmp_path_factory.mktemp("config"))), "--data-dir", str(data_dir)


@pytest.fixture(scope="module")
def client(data_dir: Path) -> Generator[BalanceClient]:
    connection = connect(json.loads((data_dir / "store.json").read_text())["url"])
    yield BalanceClient(connection, partitions=64)
    connection.close()


@pytest.fixture
def run(options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that succeeds; returns what it printed."""

    def _run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            cli.main((*arguments, *options))
        output, errors = capsys.readouterr()
        assert (ended.value.code, errors) == (0, "")
        return output

    return _run


@pytest.fixture
def read(run: Callable[..., str]) -> Callable[..., Any]:
    """The same with ``--json``, decoded."""
    return lambda *arguments: json.loads(run(*arguments, "--json"))


@pytest.fixture
def refused(options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that is refused with status 1; returns its one line."""

    def _refused(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            cli.main((*arguments, *options))
        output, errors = capsys.readouterr()
        (line,) = errors.splitlines()
        assert (ended.value.code, output) == (1, "")
        return line.removeprefix("ocs: ")

    return _refused


def create(run: Callable[..., str], account_id: str, *arguments: str) -> str:
    """Opens an account; an identity is made up where none is given."""
    named = {"--msisdn", "--imsi", "--identity"} & set(arguments)
    identity = () if named else ("--identity", f"sip:{account_id}@ims.example")
    return run("account", "create", "--id", account_id, "--offer", "prepaid-basic", *identity, *arguments)


# --- accounts ----------------------------------------------------------------------------------------------------


def test_account_is_opened_with_its_money_and_identities(run, read, client: BalanceClient) -> None:
    shown = create(run, "new", "--msisdn", "+491710000001", "--imsi", "262010000000001", "--balance", "10.00")
    assert "account new (active): 10.00 EUR, 0.00 reserved, 1 event" in shown
    record = read("account", "show", "new")
    assert (record["balance_micro"], record["balance"], record["currency"]) == (10_000_000, "10.00", "EUR")
    assert client.locate("e164:491710000001") == client.locate("imsi:262010000000001") == ("new", "new")


def test_account_without_a_balance_starts_with_that_of_its_first_offer(run, read) -> None:
    run(
        "account",
        "create",
        "--id",
        "postpaid",
        "--offer",
        "family-postpaid",
        "--identity",
        "sip:a@ims.example",
    )
    record = read("account", "show", "postpaid")
    assert record["credit_limit_micro"] > 0
    assert record["balance_micro"] == 0


def test_credit_limit_can_be_given(run, read) -> None:
    create(run, "limit", "--balance", "0", "--credit-limit", "50.00")
    assert read("account", "show", "limit")["credit_limit_micro"] == 50_000_000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--offer", "gold"), "offer 'gold' is not in catalogue"),
        (("--balance", "ten"), "'ten' is not a decimal amount"),
        (("--balance", "1e3"), "'1e3' is not a decimal amount"),
        (("--balance", "0.0000001"), "not a whole number of micro-units"),
        (("--balance", "-1.00"), "are not negative"),
        (("--balance", "99999999999999999999"), "at most"),
        (("--msisdn", "4917x"), "e164 is digits alone"),
        (
            ("--msisdn", "01715550000"),
            "'01715550000' is not an international number: write it with the country code",
        ),
        (("--imsi", "٢٦٢"), "imsi is digits alone"),
        (("--identity", "alice"), "'alice' is not an identity such as"),
        (("--id", "a:b"), "is not an id"),
        (("--id", "a{b}"), "is not an id"),
        (("--id", "a/b"), "letters, digits and . _ @ + -"),
        (("--id", ""), "is not an id"),
        (("--id", "x" * 65), "is not an id"),
    ],
)
def test_account_that_is_not_well_formed_is_one_line(
    refused, client, arguments: tuple[str, ...], says: str
) -> None:
    well_formed = (
        "--id",
        "malformed",
        "--offer",
        "prepaid-basic",
        "--imsi",
        "262010000000099",
        "--balance",
        "1.00",
    )
    assert says in refused("account", "create", *well_formed, *arguments)
    assert client.account("malformed") is None


def test_account_without_an_offer_is_refused_and_told_which_there_are(refused) -> None:
    line = refused("account", "create", "--id", "bare", "--msisdn", "491710000077")
    assert line.startswith("a subscriber needs an --offer; the catalogue has ")
    assert "prepaid-basic" in line


def test_account_that_no_request_can_name_is_refused(refused, client: BalanceClient) -> None:
    line = refused("account", "create", "--id", "mute", "--offer", "prepaid-basic")
    assert line == "a subscriber needs a name that requests can give: --msisdn, --imsi or --identity"
    assert client.account("mute") is None


def test_subscriber_is_added_to_an_account(run, read, client: BalanceClient, refused) -> None:
    create(run, "family", "--balance", "9.00")
    shown = run(
        "account", "add", "family", "--subscriber", "child", "--offer", "prepaid-basic", "--msisdn", "491799"
    )
    assert "9.00" in shown
    assert client.locate("e164:491799") == ("family", "child")
    both = ["child", "family"]
    assert [each["subscriber_id"] for each in read("account", "show", "family")["subscribers"]] == both
    nobody = ("account", "add", "nobody", "--subscriber", "x", "--offer", "prepaid-basic", "--imsi", "26299")
    assert refused(*nobody) == "there is no account 'nobody'"


def test_events_are_listed_on_the_operators_clock(run) -> None:
    """Also those that no catalogue priced: a list has one clock."""
    create(run, "clock", "--balance", "9.00")
    run("topup", "clock", "1.00", "--reference", "clock-1")
    lines = [line for line in run("account", "events", "clock").splitlines()[1:] if "20" in line[:12]]
    assert len(lines) == 2
    assert {line.split()[3] for line in lines} <= {"CET", "CEST"}


def test_account_is_shown_with_its_subscriber(run, read) -> None:
    create(run, "whole", "--msisdn", "491710000088", "--imsi", "262010000000088", "--balance", "1.00")
    (subscriber,) = read("account", "show", "whole")["subscribers"]
    assert subscriber == {
        "subscriber_id": "whole",
        "account_id": "whole",
        "state": "active",
        "identities": ["e164:491710000088", "imsi:262010000000088"],
        "offers": ["prepaid-basic"],
        "profile": {"currency": "", "favourites": [], "groups": []},
        "counters": [],
        "limits": [],
        "subscriptions": [],
    }
    shown = run("account", "show", "whole")
    assert "subscriber whole (active): prepaid-basic" in shown
    assert "known as e164:491710000088, imsi:262010000000088" in shown


def test_allowances_are_shown_as_the_catalogue_writes_them(run) -> None:
    create(run, "packed", "--offer", "prepaid-data-5g", "--balance", "1.00")
    assert "20 GB" in run("account", "show", "packed")
    assert "20 GB" in run("account", "list")


def test_bucket_ids_are_whole_however_narrow_the_terminal_is(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    create(run, "narrow-account", "--offer", "prepaid-smart", "--balance", "50.00")
    lines = run("account", "show", "narrow-account").splitlines()
    heading = next(line for line in lines if line.startswith("holds"))
    assert heading.endswith("bucket")
    buckets = [line[heading.index("bucket") :] for line in lines[lines.index(heading) + 1 :]]
    assert {"main", "prepaid-smart.home-data", "prepaid-smart.friends-minutes"} <= set(buckets)


def test_id_that_is_taken_is_refused_and_nothing_changes(run, read, refused) -> None:
    create(run, "taken", "--balance", "3.00")
    before = read("account", "show", "taken")
    line = refused(
        "account",
        "create",
        "--id",
        "taken",
        "--offer",
        "prepaid-basic",
        "--balance",
        "5.00",
        "--msisdn",
        "491710000009",
    )
    assert line == "account 'taken' exists already"
    assert read("account", "show", "taken") == before


def test_identity_that_is_taken_is_refused_and_the_others_stay_free(
    run, refused, client: BalanceClient
) -> None:
    create(run, "owner", "--msisdn", "491710000011")
    line = refused(
        "account", "create", "--id", "thief", "--offer", "prepaid-basic",
        "--msisdn", "491710000012", "--msisdn", "491710000011",
    )  # fmt: skip
    assert line == "identity 'e164:491710000011' belongs to another account"
    assert client.account("thief") is None
    assert client.locate("e164:491710000012") is None
    assert client.locate("e164:491710000011") == ("owner", "owner")


def test_list_shows_every_account_once_in_order(run, read) -> None:
    for name in ("list-b", "list-a"):
        create(run, name, "--balance", "1.00")
    listed = [record["account_id"] for record in read("account", "list")]
    assert listed == sorted(listed)
    assert {"list-a", "list-b"} <= set(listed)
    assert len(read("account", "list", "--limit", "1")) == 1
    assert "list-a" in run("account", "list")


def test_session_whose_id_looks_like_a_key_of_an_account_is_no_account(
    run, read, client: BalanceClient
) -> None:
    create(run, "plain", "--balance", "1.00")
    put_session(client, "plain", "gw}a:1")
    assert "gw}a:1" not in [record["account_id"] for record in read("account", "list")]


@pytest.mark.parametrize(
    "command", [("account", "show"), ("account", "events"), ("topup", "1.00", "--reference", "r")]
)
def test_account_that_is_not_there_is_named(refused, command: tuple[str, ...]) -> None:
    first = 1 if command[0] == "topup" else 2
    assert refused(*command[:first], "nobody", *command[first:]) == "there is no account 'nobody'"


def test_names_from_the_network_are_shown_literally_and_move_no_cursor(run, client: BalanceClient) -> None:
    put_session(client, "[/b]", "[/x]:smile:[red]\x1b[2J\r\u202e")
    listed = run("session", "list")
    cells = [line.split("│") for line in listed.splitlines()]
    assert "[/x]:smile:[red]\\x1b[2J\\r\\u202e" in "".join(row[1].strip() for row in cells if len(row) > 1)
    assert "[/b]" in listed


# --- top-ups -----------------------------------------------------------------------------------------------------


def test_topup_counts_once_per_reference(run, read) -> None:
    create(run, "top", "--balance", "1.00")
    first = read("topup", "top", "5.00", "--reference", "R1")
    assert first["balance_micro"] == 6_000_000
    assert read("topup", "top", "5.00", "--reference", "R1") == {**first, "repeated": True}
    again = run("topup", "top", "5.00", "--reference", "R1")
    assert again == "already credited: R1 put 5.00 EUR on top; nothing changed\n"
    assert read("account", "show", "top")["balance_micro"] == 6_000_000
    assert run("topup", "top", "5", "--reference", "R2") == "5.00 EUR on top (R2): 11.00 EUR now\n"


def test_reference_of_one_account_says_nothing_of_another(run, read) -> None:
    for name in ("one", "two"):
        create(run, name, "--balance", "0")
        assert read("topup", name, "2.00", "--reference", "same")["balance_micro"] == 2_000_000


@pytest.mark.parametrize(
    ("amount", "reference", "says"),
    [
        ("6.00", "R1", "reference 'R1' was used for 5.00 EUR"),
        ("0", "R2", "a top-up is more than nothing"),
        ("-1", "R2", "a top-up is more than nothing"),
        ("5,00", "R2", "'5,00' is not a decimal amount"),
        ("1e2", "R2", "'1e2' is not a decimal amount"),
        ("1.00", "", "is not a reference"),
        ("1.00", "a\nb", "is not a reference"),
        ("99999999999.00", "R2", "a balance is 100000000000.00 at most"),
    ],
)
def test_topup_that_cannot_be_done_changes_nothing(
    run, read, refused, client: BalanceClient, amount: str, reference: str, says: str
) -> None:
    if client.account("steady") is None:
        create(run, "steady", "--balance", "2.00")
        run("topup", "steady", "5.00", "--reference", "R1")
    assert says in refused("topup", "steady", amount, "--reference", reference)
    assert read("account", "show", "steady")["balance_micro"] == 7_000_000


def test_events_tell_what_moved_the_account_and_why(run, read) -> None:
    create(run, "story", "--balance", "1.00")
    run("topup", "story", "2.50", "--reference", "R7")
    opening, topup = read("account", "events", "story")
    assert (opening["kind"], opening["event_id"], opening["amount_micro"]) == (
        "opening",
        "opening:story",
        1_000_000,
    )
    assert (topup["kind"], topup["event_id"], topup["sequence"]) == ("top_up", "topup:story:R7", 2)
    assert topup["balance_after_micro"] == 3_500_000
    explained = run("account", "events", "story", "--explain")
    assert "opening: 1.00 EUR" in explained
    assert "top up: 2.50 EUR" in explained
    last = run("account", "events", "story", "--last", "1")
    assert "reference R7" in last
    assert "opening" not in last


def put_charges(client: BalanceClient, account_id: str) -> None:
    """An account whose stream has a charge of data, one that an allowance paid a part of."""
    key = keys.account_key(client.partition_of(account_id), account_id)
    account = client.account(account_id)
    assert account is not None
    trace = PriceTrace(0, 1_258_291, 0, 1_259_520, 10_240, 0, 1_249_280, 10_000, 2**20, 10_240, 10_240, 0)
    movements = (
        BucketMovement("packs.data", UnitType.TOTAL_OCTETS, -10_240, 0),
        BucketMovement("main", UnitType.MONEY, -11_915, 988_085),
    )
    event = ChargeEvent(
        SCHEMA_VERSION, "gw;1;0", EventKind.DEBIT, account_id, account.sequence + 1, account_id,
        "gateway.with.a.long.name.example;1790000000;" + "7" * 60, 1, "data", 10, (), UnitType.TOTAL_OCTETS,
        1_258_291, 1_259_520, -11_915, "EUR", "standard", movements, 988_085, "2020-01-01.0", "basic/data", trace,
        1_790_000_000_000, "Europe/Berlin",
    )  # fmt: skip
    client.change(account_id, (key,), lambda _values: Change({key: account}, (event,)))


def test_charges_are_read_in_eighty_columns(run, client: BalanceClient) -> None:
    create(run, "reader", "--balance", "1.00")
    put_charges(client, "reader")
    lines = run("account", "events", "reader").splitlines()
    assert lines[0].split() == ["#", "time", "what", "units", "EUR", "moved", "balance"]
    assert lines[2].split() == [
        "2", "2026-09-21", "16:13:20", "CEST", "data", "1.2", "MiB", "-0.011915", "0.988085",
    ]  # fmt: skip
    assert lines[3].startswith("      rating group 10, 10 KiB from packs.data, session")
    assert "".join(line.strip() for line in lines[3:]).endswith("7" * 60)
    assert max(map(len, lines)) <= 80


def test_charges_are_explained_on_request(run, client: BalanceClient) -> None:
    create(run, "asker", "--balance", "1.00")
    put_charges(client, "asker")
    assert "0.01 EUR per 1 MiB" not in run("account", "events", "asker")
    explained = " ".join(run("account", "events", "asker", "--explain").split())
    assert "tariff basic/data of catalogue 2020-01-01.0" in explained
    assert "10 KiB from allowances (packs.data)" in explained
    assert "from money at 0.01 EUR per 1 MiB: 0.011915 EUR" in explained


# --- sessions ----------------------------------------------------------------------------------------------------


def put_session(client: BalanceClient, account_id: str, session_id: str, state=SessionState.OPEN) -> None:
    service = SessionService(
        10, (), "v1", "prepaid-basic/browsing", 100, 0, False, 5_000, (Hold("main", 40_000),)
    )
    session = Session(
        session_id, account_id, account_id, state, Service.DATA, NO_CONTEXT, "pgw.example", "example",
        1_790_000_000_000, 1_790_003_600_000, (service,), 90_000,
        (RememberedAnswer(1, 0, b"fingerprint", b"\x90"),),  # type: ignore[arg-type]
        opening_fingerprint=b"\x0a\x0b",
    )  # fmt: skip
    key = keys.session_key(client.partition_of(account_id), account_id, session_id)
    client.change(account_id, (key,), lambda _values: Change({key: session}))
    client._redis.set(keys.locator_key(session_id), keys.encode_location(account_id, account_id))


def test_open_sessions_are_listed_and_ended_ones_on_request(run, read, client: BalanceClient) -> None:
    create(run, "busy", "--balance", "1.00")
    put_session(client, "busy", "gw;1;open")
    put_session(client, "busy", "gw;2;closed", SessionState.CLOSED)
    listed = {record["session_id"]: record["state"] for record in read("session", "list")}
    assert listed["gw;1;open"] == "open"
    assert "gw;2;closed" not in listed
    assert "gw;2;closed" in {record["session_id"] for record in read("session", "list", "--all")}
    assert len(read("session", "list", "--limit", "1")) == 1
    assert "gw;1;open" in run("session", "list")
    assert "4.9 KiB" in run("session", "list")


def test_session_id_is_listed_whole_so_that_it_can_be_shown(run, client: BalanceClient) -> None:
    create(run, "long", "--balance", "1.00")
    put_session(client, "long", "gateway.with.a.long.name.example;1790000000;" + "7" * 60)
    listed = run("session", "list")
    assert "…" not in listed
    assert listed.count("7") >= 60


def test_one_session_is_shown_with_what_it_holds(run, client: BalanceClient) -> None:
    create(run, "holder", "--balance", "1.00")
    put_session(client, "holder", "gw;3;x")
    record = json.loads(run("session", "show", "gw;3;x"))
    assert record["account_id"] == "holder"
    assert record["services"][0]["holds"] == [{"bucket_id": "main", "amount": 40_000}]
    assert record["opening_fingerprint"] == "0a0b"


def test_session_that_is_not_there_is_named(refused) -> None:
    assert refused("session", "show", "gw;9;9") == "there is no session 'gw;9;9'"


# --- the command as a process -------------------------------------------------------------------------------------


def test_catalogue_that_is_broken_is_one_line_with_status_2(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "operator.toml").write_text("nonsense = 1\n")
    config = tmp_path / "ocs.toml"
    config.write_text("")
    ended = run_ocs("account", "create", "--id", "x", "--config", str(config), "--data-dir", str(data_dir))
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "operator.toml" in line
