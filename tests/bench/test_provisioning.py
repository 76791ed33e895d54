"""The group `provisioning`, small: it measures what it says, and refuses to measure what was not done."""

from pathlib import Path

from bench.provisioning import run_provisioning


def test_provisioning_figures_are_measured_on_few_elements(tmp_path: Path) -> None:
    said: list[str] = []
    figures = {
        figure.name: figure for figure in run_provisioning(tmp_path, say=said.append, count=3, edits=2)
    }
    assert list(figures) == [
        "provisioning_sessions_up_s",
        "provisioning_session_kb",
        "provisioning_elements_per_min_core",
        "provisioning_elements_per_min",
        "provisioning_edits_per_s",
    ]
    assert figures["provisioning_edits_per_s"].value > 0
    assert said
