"""What an operator changes by hand, on a real store: ocs.account_commands, ocs.voucher_commands, ocs.event_listing."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from ocs import cli
from tests.support.processes import ROOT, write_config
from tests.test_admin_commands import STORE


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


@pytest.fixture
def ended(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command; returns its status, what it printed, and its errors."""

    def _ended(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            cli.main((*arguments, *options))
        output, errors = capsys.readouterr()
        return int(exit_.value.code or 0), output, errors

    return _ended


@pytest.fixture
def run(ended: Callable[..., tuple[int, str, str]]) -> Callable[..., str]:
    """Runs a command that succeeds; returns what it printed."""

    def _run(*arguments: str) -> str:
        status, output, errors = ended(*arguments)
        assert (status, errors) == (0, "")
        return output

    return _run


@pytest.fixture
def read(run: Callable[..., str]) -> Callable[..., Any]:
    """The same with ``--json``, decoded."""
    return lambda *arguments: json.loads(run(*arguments, "--json"))


@pytest.fixture
def account(run: Callable[..., str], request: pytest.FixtureRequest) -> str:
    """An account of the test's own with 20.00 EUR."""
    name = f"acc{crc32(request.node.name.encode()):010d}"
    run("account", "create", "--id", name, "--offer", "prepaid-basic", "--balance", "20", "--imsi", name[3:])
    return name


def test_balance_is_adjusted_upwards_and_downwards_once_per_reference(run, read, account: str) -> None:
    assert "adjustment 1.50 EUR" in run(
        "account", "adjust", account, "1.50", "--reason", "goodwill", "--reference", "r1"
    )
    down = "account", "adjust", account, "-2.00", "--reason", "billing-error", "--reference", "r2"
    assert read(*down)["balance_micro"] == 19_500_000
    assert read(*down)["repeated"]
    assert run(*down) == f"{account}: adjustment -2.00 EUR: was done already; balance 19.50 EUR\n"
    events = read("account", "history", account)["events"]
    assert [(event["kind"], event["reason"], event["amount_micro"]) for event in events] == [
        ("adjustment", "billing-error", -2_000_000),
        ("adjustment", "goodwill", 1_500_000),
        ("opening", "", 20_000_000),
    ]


def test_money_is_sent_to_another_account(run, read, ended, account: str) -> None:
    other = f"{account}x"
    run("account", "create", "--id", other, "--offer", "prepaid-basic", "--identity", f"sip:{other}@x")
    assert "transfer to" in run("account", "transfer", account, other, "5", "--reference", "t")
    assert read("account", "show", account)["balance"] == "15.00"
    assert f"to {other}" in run("account", "history", account)
    assert f"from {account}" in run("account", "history", other)
    status, _, errors = ended("account", "transfer", account, other, "500", "--reference", "t2")
    assert status == 1 and "can send 15.00" in errors


def test_history_is_shown_newest_first_by_the_page(run, account: str) -> None:
    for number in range(3):
        run("topup", account, "1", "--reference", f"t{number}")
    page = run("account", "history", account, "--limit", "2")
    assert " CE" in page and " UTC" not in page  # the operator's clock, also where no event was priced
    assert page.index("reference t2") < page.index("reference t1") and "reference t0" not in page
    cursor = page.split("--cursor ")[1].strip()
    assert "reference t0" in run("account", "history", account, "--limit", "2", "--cursor", cursor)


def test_account_is_barred_let_in_and_closed(run, read, ended, account: str) -> None:
    run("account", "bar", account, "--one-way")
    assert read("account", "show", account)["state"] == "one_way_barred"
    run("account", "bar", account)
    assert read("account", "show", account)["state"] == "suspended"
    run("account", "unbar", account)
    assert read("account", "show", account)["state"] == "active"
    run("account", "bar", account, "--subscriber", account)
    assert read("account", "members", account)[0]["state"] == "suspended"
    assert run("account", "unbar", account, "--subscriber", account).startswith(
        f"{account}: {account} active; "
    )
    closed = run("account", "close", account)
    assert closed.startswith(f"{account}: closed; balance 20.00 EUR\n")
    assert "for good" in closed
    assert f"20.00 EUR is left: `ocs account adjust {account} -20.00 " in closed
    status, _, errors = ended("account", "unbar", account)
    assert status == 1 and "for good" in errors
    assert "closed" in run("account", "members", account)


@pytest.mark.parametrize(
    ("command", "is_required"),
    [("topup A 1", True), ("account adjust A 1 --reason x", True), ("account transfer A B 1", True),
     ("offer buy A o", True), ("offer cancel A o", True), ("offer change A o p", True), ("offer order A o c", True),
     ("account bar A", False), ("account unbar A", False), ("account close A", False), ("account credit-limit A 1", False),
     ("account auto-top-up A --off", False), ("account change A S", False)],
)  # fmt: skip
def test_reference_is_the_same_everywhere_and_must_be_said_where_money_moves(
    command: str, is_required: bool, ended, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, errors = ended(*command.split())
    assert ("--reference" in errors) == is_required
    assert (status == 2) == is_required
    with pytest.raises(SystemExit):
        cli.main((*command.split()[: 1 if command.startswith("topup") else 2], "--help"))
    assert "what you call this request, such as a payment's number: a repeat under" in " ".join(
        capsys.readouterr().out.split()
    )


def test_terms_are_changed(run, read, ended, account: str) -> None:
    run("account", "credit-limit", account, "50")
    assert read("account", "show", account)["credit_limit_micro"] == 50_000_000
    run("account", "auto-top-up", account, "--below", "5", "--amount", "20", "--method", "card-1")
    run("account", "auto-top-up", account, "--off")
    for arguments in ((), ("--below", "5"), ("--off", "--amount", "5")):
        status, _, errors = ended("account", "auto-top-up", account, *arguments)
        assert status == 1 and "or --off" in errors
    change = "account", "change", account, account
    run(*change, "--limit", "money:month:20.00", "--limit", "octets:day:1000", "--favourite", "4912")
    (member,) = read("account", "members", account)
    assert [limit["counter_id"] if isinstance(limit, dict) else limit[0] for limit in member["limits"]] == [
        "limit.money.month",
        "limit.octets.day",
    ]
    assert "at most 20.00 EUR a month" in run("account", "members", account)
    assert "at most 1 kB a day" in run("account", "show", account)
    run(*change, "--limit", "none")
    assert read("account", "members", account)[0]["limits"] == []
    status, _, errors = ended(*change, "--limit", "sheep:day:1")
    assert status == 1 and "is no limit such as" in errors


def test_history_says_whose_event_it_was_where_several_share_an_account(run, account: str) -> None:
    kid = f"{account}k"
    run(
        "account",
        "add",
        account,
        "--subscriber",
        kid,
        "--offer",
        "prepaid-basic",
        "--identity",
        f"sip:{kid}@x",
    )
    run("account", "bar", account, "--subscriber", kid)
    history = run("account", "history", account)
    assert f"subscriber {kid}, suspended" in history
    assert f"subscriber {account}," not in history


def test_offer_that_could_not_be_paid_at_the_opening_is_said_to_rest(run, account: str) -> None:
    name = f"{account}r"
    opened = run(
        "account", "create", "--id", name, "--offer", "prepaid-smart", "--balance", "1", "--identity", f"sip:{name}@x"
    )  # fmt: skip
    assert "prepaid-smart rests until it can be paid" in opened
    run("topup", name, "50", "--reference", "t")
    assert "rests" not in run("account", "show", name)
    history = run("account", "history", name)
    assert "5.00 EUR to bonus.thirty" in history
    assert "prepaid-smart, setup" in history


def test_offer_is_bought_and_cancelled(run, read, ended, account: str) -> None:
    run("offer", "buy", account, "prepaid-data-5g", "--reference", "o1")
    assert "prepaid-data-5g" in read("account", "members", account)[0]["offers"]
    status, _, errors = ended("offer", "buy", account, "prepaid-data-5g", "--reference", "o2")
    assert status == 1 and "already" in errors
    run("offer", "cancel", account, "prepaid-data-5g", "--reference", "o3")
    assert read("account", "members", account)[0]["offers"] == ["prepaid-basic"]
    status, _, errors = ended("offer", "order", account, "prepaid-basic", "nothing", "--reference", "o4")
    assert status == 1 and "cannot order" in errors
    status, _, errors = ended("offer", "change", account, "nothing", "prepaid-data-5g", "--reference", "o5")
    assert status == 1 and "has no offer" in errors


def test_vouchers_are_made_activated_redeemed_and_blocked(
    run, read, ended, account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = tmp_path / "codes.csv"
    made = "voucher", "generate", "SPRING", "--count", "3", "--amount", "10", "--out", str(codes)
    run(*made, "--valid-until", "2099-12-31")
    assert codes.stat().st_mode & 0o777 == 0o600
    with codes.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["serial"] for row in rows] == [f"SPRING-000000{number}" for number in (1, 2, 3)]
    status, _, errors = ended("voucher", "redeem", account, rows[0]["code"])
    assert status == 1 and "not active yet" in errors
    assert "3 active" in run("voucher", "activate", "SPRING")
    assert read("voucher", "redeem", account, rows[0]["code"])["balance_micro"] == 30_000_000
    monkeypatch.setattr("sys.stdin", io.StringIO(rows[1]["code"] + "\n"))  # not for all to see in `ps`
    assert "voucher 10.00 EUR" in run("voucher", "redeem", account)
    assert "1 blocked, 2 are redeemed already" in run("voucher", "block", "SPRING")
    shown = read("voucher", "show", "SPRING")
    assert (shown["blocked"], shown["redeemed"]) == (1, 2)
    assert "expires: 2100-01-01T00:00:00.000Z" in run("voucher", "show", "SPRING")
    assert "state: redeemed" in run("voucher", "show", "SPRING-0000001")
    assert "digest" not in read("voucher", "show", "SPRING-0000003")


def test_codes_never_write_over_a_file_and_a_refused_batch_leaves_none(ended, tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine")
    asked = "voucher", "generate", "AUTUMN", "--count", "1", "--amount", "1"
    status, _, _ = ended(*asked, "--out", str(there))
    assert status != 0 and there.read_text() == "mine"
    new = tmp_path / "new.csv"
    status, _, errors = ended(
        "voucher", "generate", "A-B", "--count", "1", "--amount", "1", "--out", str(new)
    )
    assert status == 1 and "names no batch" in errors
    assert not new.exists()
