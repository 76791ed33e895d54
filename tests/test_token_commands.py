"""`ocs token` as an operator calls it: made once, listed without secrets, revoked."""

import json
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import trio

from ocs import cli
from ocs.api.tokens import TokenStore, is_good, split_token
from ocs.balance.embedded import EmbeddedStore
from tests.support.charged_store import ChargedStore
from tests.support.processes import write_config

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("token")


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
    config = write_config(folder)

    def _run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["token", *arguments, "--config", str(config), "--data-dir", str(folder / "data")])
        assert isinstance(ended.value.code, int)
        output, errors = capsys.readouterr()
        return ended.value.code, output, errors

    return _run


def test_token_is_printed_once_and_listed_without_its_secret(run: Run, store: ChargedStore):
    status, text, _ = run("create", "--name", "crm", "--scope", "balance:read", "--scope", "balance:topup")
    assert status == 0
    parts = split_token(text.strip())
    assert parts is not None
    token_id, secret = parts
    found = TokenStore(store.admin).some([token_id])[token_id]
    assert is_good(found, secret, now_ms=0) and found.scopes == ("balance:read", "balance:topup")
    _, listed, _ = run("list")
    assert "crm" in listed and found.token_id in listed and "never" in listed
    assert text.strip()[-43:] not in listed
    (row,) = json.loads(run("list", "--json")[1])
    assert row["name"] == "crm" and row["expires"] is None


def test_token_may_end_by_itself(run: Run, store: ChargedStore):
    _, text, _ = run("create", "--name", "crm", "--scope", "balance:read", "--days", "1")
    (token,) = TokenStore(store.admin).all()
    assert token.expires_ms - token.created_ms == 86_400_000
    parts = split_token(text.strip())
    assert parts is not None and not is_good(token, parts[1], now_ms=token.expires_ms)


def test_revoked_token_is_gone(run: Run, store: ChargedStore):
    run("create", "--name", "crm", "--scope", "balance:read")
    (token,) = TokenStore(store.admin).all()
    assert run("revoke", token.token_id)[0] == 0
    assert TokenStore(store.admin).all() == []
    status, _, errors = run("revoke", token.token_id)
    assert (status, "ocs token list" in errors) == (1, True)


@pytest.mark.parametrize(
    "arguments", [("--name", "crm", "--scope", "everything"), ("--name", "a\nb", "--scope", "balance:read")]
)
def test_malformed_token_is_one_line_and_refused(run: Run, arguments: tuple[str, ...]):
    status, _, errors = run("create", *arguments)
    assert (status, errors.count("\n")) == (1, 1)


@pytest.mark.parametrize("days", ["-1", "x", "0"])
def test_days_are_a_positive_number(run: Run, days: str):
    assert run("create", "--name", "crm", "--scope", "balance:read", "--days", days)[0] == 2
