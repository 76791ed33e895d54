"""Figures, saved and shown."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench.figures import Figure, format_value, print_figures, write_figures

FIGURE = Figure("gy_p50_ms_1", 0.42, "ms", "under 1", "note")


def test_file_is_a_list_of_objects_with_the_agreed_keys(tmp_path: Path) -> None:
    write_figures(tmp_path / "results.json", [FIGURE])
    (saved,) = json.loads((tmp_path / "results.json").read_text())
    assert saved == {"name": "gy_p50_ms_1", "value": 0.42, "unit": "ms", "goal": "under 1", "note": "note"}


def test_figures_of_other_groups_stay_and_older_values_go(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_figures(path, [FIGURE, Figure("other", 1.0, "", "", "")])
    write_figures(path, [Figure("gy_p50_ms_1", 0.5, "ms", "under 1", "")])
    assert {saved["name"]: saved["value"] for saved in json.loads(path.read_text())} == {
        "gy_p50_ms_1": 0.5,
        "other": 1.0,
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0"), (0.1234, "0.123"), (99.94, "99.9"), (21_600.4, "21,600"), (-150.0, "-150")],
)
def test_values_have_three_digits(value: float, text: str) -> None:
    assert format_value(value) == text


def test_table_names_value_and_goal() -> None:
    out = StringIO()
    print_figures([FIGURE], Console(file=out, width=100))
    assert "gy_p50_ms_1" in out.getvalue()
    assert "under 1" in out.getvalue()
