"""``ocs sql``: status and upgrade, as an operator sees them."""

from pathlib import Path

import pytest

from ocs.cli import main


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, list[str], str]:
    with pytest.raises(SystemExit) as ended:
        main(["sql", *words])
    told = capsys.readouterr()
    return ended.value.code, told.out.splitlines(), told.err


def test_schema_is_made_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = ("--data-dir", str(tmp_path))
    status, lines, _ = run(capsys, "status", *folder)
    assert (status, lines[0]) == (0, f"sqlite:///{tmp_path}/ocs.db")
    assert lines[1].startswith("no schema")
    made = run(capsys, "upgrade", *folder)[1][1]
    step = made.removesuffix(": upgraded from nothing")
    assert (made != step, step.startswith("step 0")) == (True, True)
    assert run(capsys, "upgrade", *folder)[1][1] == f"{step}: up to date"
    assert run(capsys, "status", *folder)[1][1] == f"{step}: up to date"


def test_database_that_cannot_be_used_is_one_line_and_holds_no_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OCS_SQL__URL", f"postgresql://u:hush@/d?host={tmp_path}")
    status, _, error = run(capsys, "status")
    assert status == 2
    assert error.startswith("ocs: postgresql+psycopg://u:***@/d")
    assert error.count("\n") == 1
    assert "hush" not in error


def test_address_of_a_driver_that_we_do_not_use_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OCS_SQL__URL", "postgresql+asyncpg://u@h/d")
    status, _, error = run(capsys, "upgrade")
    assert (status, error.startswith("ocs: sql.url: expected sqlite")) == (2, True)
