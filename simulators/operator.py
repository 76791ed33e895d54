"""The operator's hands: the ``ocs`` command, called as a person or a script would."""

import contextlib
import http.client
import json
import subprocess
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from ocs.events import EventKind
from ocs.units import UnitType
from simulators.system import ocs_command

_COMMAND_TIMEOUT_S: Final = 30.0
_HTTP_TIMEOUT_S: Final = 2.0


class OperatorError(RuntimeError):
    """A command failed; its own words are in the message."""


class AccountView(msgspec.Struct, frozen=True):
    """What ``ocs account show --json`` says about an account.

    Attributes:
        money_micro: money, reserved or not. reserved: sum of what open sessions hold, over all buckets.
        allowance_octets: included volume, reserved or not, over all allowances.
    """

    money_micro: int
    reserved: int
    state: str = ""
    allowance_octets: int = 0


class ChargedEvent(msgspec.Struct, frozen=True):
    """One event of ``ocs account events --json``, as far as an audit needs it."""

    kind: EventKind
    amount_micro: int
    units: int
    unit_type: UnitType
    session_id: str
    rating_group: int | None
    sequence: int
    balance_after_micro: int


class Operator:
    """Runs ``ocs`` commands against a data folder, and looks at the HTTP interface where a look is enough."""

    def __init__(self, data_dir: Path, config: Path, *, http_address: str) -> None:
        self._http = http_address
        self._data_dir = data_dir
        self._config = config

    def create_account(self, account: str, *, offer: str, msisdn: str, imsi: str, balance: str) -> None:
        """``ocs account create``."""
        identities = ["--msisdn", msisdn, "--imsi", imsi]
        self._run("account", "create", "--id", account, "--offer", offer, *identities, "--balance", balance)

    def top_up(self, account: str, amount: str, *, reference: str) -> None:
        """``ocs topup``; a reference counts once."""
        self._run("topup", account, amount, "--reference", reference)

    def account(self, account: str) -> AccountView:
        """``ocs account show``."""
        return read_account(self._run("account", "show", account, "--json"))

    def live_account(self, account: str) -> AccountView:
        """The same by HTTP, for frequent looks: a command takes a hundred times as long. By command if that fails."""
        try:
            connection = http.client.HTTPConnection(self._http, timeout=_HTTP_TIMEOUT_S)
            with contextlib.closing(connection):
                connection.request("GET", f"/api/v1/accounts/{account}")
                return read_http_account(connection.getresponse().read().decode())
        except (OSError, http.client.HTTPException, OperatorError):
            return self.account(account)

    def events(self, account: str) -> list[ChargedEvent]:
        """``ocs account events``."""
        return read_events(self._run("account", "events", account, "--json"))

    def _run(self, *words: str) -> str:
        """Run a command.

        Raises:
            OperatorError: it failed or took too long.
        """
        command = [
            str(ocs_command()),
            *words,
            "--config",
            str(self._config),
            "--data-dir",
            str(self._data_dir),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise OperatorError(
                f"`ocs {' '.join(words)}` took longer than {_COMMAND_TIMEOUT_S:g} s"
            ) from None
        if done.returncode != 0:
            raise OperatorError(f"`ocs {' '.join(words)}`: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def read_account(text: str) -> AccountView:
    """Read the JSON of ``ocs account show``: an account with its buckets.

    Raises:
        OperatorError: it is something else.
    """
    try:
        shown = cast("dict[str, Any]", json.loads(text))
        buckets = cast("list[dict[str, Any]]", shown["buckets"])
        return AccountView(
            money_micro=_sum_of(UnitType.MONEY, buckets, "unit_type"),
            reserved=sum(bucket["reserved"] for bucket in buckets),
            state=str(shown.get("state", "")),
            allowance_octets=_sum_of(UnitType.TOTAL_OCTETS, buckets, "unit_type"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise OperatorError(f"`ocs account show --json` is not understood: {error!r}") from None


def read_http_account(text: str) -> AccountView:
    """Read the JSON of ``GET /api/v1/accounts/ID``.

    Raises:
        OperatorError: it is something else.
    """
    try:
        shown = cast("dict[str, Any]", json.loads(text))
        buckets = cast("list[dict[str, Any]]", shown["buckets"])
        return AccountView(
            money_micro=shown["balance"]["micro"],
            reserved=sum(bucket["reserved"] for bucket in buckets),
            state=str(shown["state"]),
            allowance_octets=_sum_of(UnitType.TOTAL_OCTETS, buckets, "unit"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise OperatorError(f"the account's JSON is not understood: {error!r}") from None


def _sum_of(unit_type: UnitType, buckets: list[dict[str, Any]], key: str) -> int:
    """What all buckets of a kind hold; ``key`` is what the kind is called in this JSON."""
    return sum(bucket["value"] for bucket in buckets if _unit_type(bucket, key) is unit_type)


def _unit_type(shown: dict[str, Any], key: str = "unit_type") -> UnitType:
    return UnitType[str(shown[key]).upper()]


def read_events(text: str) -> list[ChargedEvent]:
    """Read the JSON of ``ocs account events``: a list of charge events, oldest first.

    Raises:
        OperatorError: it is something else.
    """
    try:
        found = cast("list[dict[str, Any]]", json.loads(text))
        return [
            ChargedEvent(
                kind=EventKind[str(event["kind"]).upper()],
                amount_micro=event["amount_micro"],
                units=event["units"],
                unit_type=_unit_type(event),
                session_id=event["session_id"],
                rating_group=event["rating_group"],
                sequence=event["sequence"],
                balance_after_micro=event["balance_after_micro"],
            )
            for event in found
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise OperatorError(f"`ocs account events --json` is not understood: {error!r}") from None
