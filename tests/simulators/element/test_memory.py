"""What an element still knows after a restart."""

from pathlib import Path

from simulators.element.memory import Memory


def test_a_file_is_read_by_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "new" / "pe1.json"
    Memory(path).save(running={"a": "b"}, before=None)
    Memory(path).save(before={"c": None})
    assert Memory(path).load() == {"running": {"a": "b"}, "before": {"c": None}}
    assert list(path.parent.iterdir()) == [path]


def test_without_a_file_it_lasts_as_long_as_the_process() -> None:
    memory = Memory()
    assert memory.load() == {}
    memory.save(a=1)
    assert memory.load() == {"a": 1}
