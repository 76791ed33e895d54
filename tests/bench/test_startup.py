"""Group startup on a small store: it serves again what it held."""

from pathlib import Path

from bench.startup import run_startup


def test_system_that_starts_again_answers_and_its_figures_say_when(tmp_path: Path) -> None:
    figures = {
        figure.name: figure for figure in run_startup(tmp_path, accounts=40, sessions=20, say=lambda _: None)
    }
    assert 0 < figures["startup_ready_s"].value <= figures["startup_first_answer_s"].value
    assert figures["startup_created_per_s"].value > 0
    assert "40 accounts, 20 sessions open" in figures["startup_ready_s"].note
