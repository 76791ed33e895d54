"""A call flow as it is written: accounts, then steps in their order. Every key is checked.

    title, clause, story        what is shown, where it stands, how it goes
    service                     data, voice, sms or mms: the Service-Context-Id
    [accounts.NAME]             balance, offers, credit_limit; or: of, offers
    [common]                    AVPs that every request of ours has
    [[steps]]                   each has one of the verbs below, and may say in `says` what happens

Texts may name an account's numbers: ``tel:+{alice.msisdn}``, ``{alice.imsi}``, ``{alice.account}``,
``{alice.subscriber}``.
"""

import tomllib
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from tests.scenarios.avps import ScenarioError

FOLDER: Final = Path(__file__).resolve().parent
CONTEXTS: Final = {
    "data": "32251@3gpp.org",
    "voice": "32260@3gpp.org",
    "mms": "32270@3gpp.org",
    "sms": "32274@3gpp.org",
}


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: a key that is not named here is an error."""


class AccountTable(_Table, frozen=True, kw_only=True):
    """``[accounts.NAME]``: an account with one subscriber, under an E.164 number and an IMSI.

    Attributes:
        of: an account before it that this subscriber belongs to and pays with, in place of one of its own.
    """

    offers: tuple[str, ...]
    balance: str = "0"
    credit_limit: str = "0"
    of: str = ""


class _Step(_Table, frozen=True, kw_only=True):
    says: str = ""


class Send(_Step, frozen=True, kw_only=True):
    """Send a Credit-Control-Request and compare the answer.

    Attributes:
        send: its CC-Request-Type; ``COPY`` is the session's last request again, with the T flag.
        session: a name within the scenario; an EVENT_REQUEST has one of its own unless it names one.
        account: who uses the service; the first of the scenario when left out.
        avps: what it has beside, or in place of, the usual and the common ones. without: usual ones left out.
        expect: of the answer; Result-Code is 2001 unless it says otherwise.
    """

    send: Literal["INITIAL_REQUEST", "UPDATE_REQUEST", "TERMINATION_REQUEST", "EVENT_REQUEST", "COPY"]
    session: str = ""
    account: str = ""
    avps: dict[str, Any] = {}
    without: tuple[str, ...] = ()
    expect: dict[str, Any] = {}


class Hear(_Step, frozen=True, kw_only=True):
    """Wait for what the server asks about a session: RAR or ASR; compare it and answer.

    Attributes:
        answer: Result-Code of the answer, as the `diameter` package calls it without DIAMETER.
    """

    hear: Literal["RAR", "ASR"]
    session: str = ""
    expect: dict[str, Any] = {}
    answer: str = "SUCCESS"


class TopUp(_Step, frozen=True, kw_only=True):
    """Put an amount on an account."""

    top_up: str
    account: str = ""


class Command(_Step, frozen=True, kw_only=True):
    """Run ``ocs`` as an operator does. ``{session}`` in a word is the session's id."""

    command: tuple[str, ...]
    session: str = ""


class Purse(_Table, frozen=True, kw_only=True):
    """What an account's books say.

    Attributes:
        balance, reserved: money. charges: the money that each debit and refund since the opening moved, in order.
        allowances: what is left of each.
        notices: what there was to tell, each as ``"bundle 50"``: kind and what was crossed.
    """

    balance: str | None = None
    reserved: str | None = None
    charges: tuple[str, ...] | None = None
    allowances: dict[str, int] = {}
    notices: tuple[str, ...] | None = None


class Books(_Step, frozen=True, kw_only=True):
    """Compare the books of accounts."""

    books: dict[str, Purse]


Step = Send | Hear | TopUp | Command | Books
_VERBS: Final[dict[str, Any]] = {
    "send": Send,
    "hear": Hear,
    "top_up": TopUp,
    "command": Command,
    "books": Books,
}


class _File(_Table, frozen=True, kw_only=True):
    title: str
    clause: str
    service: Literal["data", "voice", "sms", "mms"]
    accounts: dict[str, AccountTable]
    steps: tuple[dict[str, Any], ...]
    story: str = ""
    common: dict[str, Any] = {}


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read."""

    name: str
    title: str
    clause: str
    service: str
    accounts: dict[str, AccountTable]
    common: dict[str, Any]
    steps: tuple[Step, ...]


def read_scenario(name: str, text: str) -> Scenario:
    """Read a scenario.

    Raises:
        ScenarioError: where it is not written as scenarios are.
    """
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ScenarioError(f"{name}: {error}") from None
    if not file.accounts:
        raise ScenarioError(f"{name}: it has no account")
    owners: set[str] = set()
    for member, table in file.accounts.items():
        if table.of and table.of not in owners:
            raise ScenarioError(f"{name}: {member} is of {table.of!r}, which is no account before it")
        if not table.of:
            owners.add(member)
    steps = tuple(_step(f"{name}, step {number}", raw) for number, raw in enumerate(file.steps, 1))
    begun: set[str] = set()
    for number, step in enumerate(steps, 1):
        _check_names(step, f"{name}, step {number}", file.accounts.keys(), begun)
    return Scenario(
        name=name, title=file.title, clause=file.clause, service=file.service, accounts=file.accounts,
        common=file.common, steps=steps,
    )  # fmt: skip


def _step(where: str, raw: dict[str, Any]) -> Step:
    verbs = [verb for verb in _VERBS if verb in raw]
    if len(verbs) != 1:
        raise ScenarioError(f"{where}: it has one of {', '.join(_VERBS)}")
    try:
        return msgspec.convert(raw, _VERBS[verbs[0]])
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{where}: {error}") from None


def _check_names(step: Step, where: str, accounts: AbstractSet[str], begun: set[str]) -> None:
    """Refuse what names an account or a session that there is not; take note of sessions that begin."""
    named = [step.account] if isinstance(step, Send | TopUp) and step.account else []
    for account in [*named, *(step.books if isinstance(step, Books) else ())]:
        if account not in accounts:
            raise ScenarioError(f"{where}: there is no account {account!r}")
    if isinstance(step, Send) and step.send != "COPY":
        begun.add(step.session)
    elif not isinstance(step, TopUp | Books) and step.session not in begun:
        needs_one = not isinstance(step, Command) or any("{session}" in word for word in step.command)
        if needs_one:
            raise ScenarioError(f"{where}: no step before it begins session {step.session!r}")


def scenario_files() -> list[Path]:
    """All scenarios, in the order of their folders and names."""
    return sorted(path for path in FOLDER.glob("*/*.toml") if path.parent.name != "catalogue")
