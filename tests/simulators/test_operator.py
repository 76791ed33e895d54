"""The operator's command: what is called, and what is understood of its JSON."""

import json
import sys
from pathlib import Path

import pytest

from ocs.events import EventKind
from ocs.units import UnitType
from simulators import operator as operator_module
from simulators.operator import (
    AccountView,
    Operator,
    OperatorError,
    read_account,
    read_events,
    read_http_account,
)

BUCKETS = [
    {"unit_type": "money", "value": 1_500_000, "reserved": 20},
    {"unit_type": "total_octets", "value": 7, "reserved": 3},
]
ACCOUNT = {"account_id": "A1", "state": "active", "buckets": BUCKETS}
EVENT = {
    "kind": "debit",
    "amount_micro": -90_000,
    "units": 60,
    "unit_type": "time",
    "session_id": "g;1",
    "rating_group": 100,
    "sequence": 2,
    "balance_after_micro": 10,
}


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script that stands for ``ocs``: writes down its words and prints an account."""
    path = tmp_path / "ocs"
    path.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"open({str(tmp_path / 'words')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        "if 'broken' in sys.argv: sys.exit('no such account')\n"
        f"print({json.dumps(ACCOUNT)!r})\n"
    )
    path.chmod(0o755)
    monkeypatch.setattr(operator_module, "ocs_command", lambda: path)
    return tmp_path / "words"


def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path / "data", tmp_path / "ocs.toml", http_address="127.0.0.1:1")


def test_commands_are_those_of_the_documentation(command: Path, tmp_path: Path) -> None:
    hand = operator(tmp_path)
    hand.create_account("A1", offer="prepaid-basic", msisdn="49171", imsi="26201", balance="10.00")
    hand.top_up("A1", "5.00", reference="R1")
    assert hand.account("A1").money_micro == 1_500_000
    common = f" --config {tmp_path / 'ocs.toml'} --data-dir {tmp_path / 'data'}"
    assert command.read_text().splitlines() == [
        "account create --id A1 --offer prepaid-basic --msisdn 49171 --imsi 26201 --balance 10.00" + common,
        "topup A1 5.00 --reference R1" + common,
        "account show A1 --json" + common,
    ]


def test_live_look_falls_back_on_the_command(command: Path, tmp_path: Path) -> None:
    assert operator(tmp_path).live_account("A1").money_micro == 1_500_000


def test_failed_command_is_quoted(command: Path, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no such account"):
        operator(tmp_path).account("broken")


def test_account_is_its_money_and_all_that_is_reserved() -> None:
    account = read_account(json.dumps(ACCOUNT))
    assert (account.money_micro, account.reserved, account.state) == (1_500_000, 23, "active")
    assert account.allowance_octets == 7
    buckets = [{"unit": bucket["unit_type"], "value": 7, "reserved": 1} for bucket in BUCKETS]
    shown = {"state": "active", "balance": {"micro": 5}, "buckets": buckets}
    assert read_http_account(json.dumps(shown)) == AccountView(5, 2, "active", 7)


def test_events_are_read() -> None:
    (event,) = read_events(json.dumps([EVENT]))
    assert (event.kind, event.unit_type, event.amount_micro) == (EventKind.DEBIT, UnitType.TIME, -90_000)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"buckets": [{}]}', "3"])
def test_other_json_is_not_understood(text: str) -> None:
    with pytest.raises(OperatorError, match="not understood"):
        read_account(text)
    with pytest.raises(OperatorError, match="not understood"):
        read_http_account(text)


@pytest.mark.parametrize("text", ["", '[{"kind": "debit"}]', '[{"kind": "nonsense"}]', "3"])
def test_other_events_are_not_understood(text: str) -> None:
    with pytest.raises(OperatorError, match="not understood"):
        read_events(text)
