"""Figures of the machine are there and leave nothing behind."""

from pathlib import Path

from bench.machine import measure_machine


def test_machine_is_measured_in_python_work_and_synced_writes(tmp_path: Path) -> None:
    figures = measure_machine(tmp_path)
    assert [figure.name for figure in figures] == ["machine_package_decode_us", "machine_fdatasync_us"]
    assert all(figure.value > 0 and figure.unit == "us" for figure in figures)
    assert list(tmp_path.iterdir()) == []
