"""Faults on command."""

from simulators.element.faults import ALWAYS, Fault, FaultKind, Faults


def kinds(faults: Faults, step: str) -> list[str]:
    return [fault.kind.value for fault in faults.take(step)]


def test_a_fault_comes_about_once_at_its_step_and_nowhere_else() -> None:
    faults = Faults()
    faults.add(Fault(kind=FaultKind.REFUSE, on="lock"))
    assert [kinds(faults, step) for step in ("edit-config", "lock", "lock")] == [[], ["refuse"], []]
    assert list(faults.steps) == ["edit-config", "lock", "lock"]
    assert faults.fired == [("lock", FaultKind.REFUSE)]


def test_so_many_steps_go_well_first_and_so_many_go_wrong() -> None:
    faults = Faults()
    faults.add(Fault(kind=FaultKind.LIE, on="commit", skip=1, times=2))
    steps = ["commit plain", "commit confirmed", "commit confirming", "commit plain"]
    assert [kinds(faults, step) for step in steps] == [[], ["lie"], ["lie"], []]


def test_first_words_name_a_step_and_parts_of_words_do_not() -> None:
    assert Fault(kind=FaultKind.LIE, on="commit").fits("commit confirmed")
    assert Fault(kind=FaultKind.LIE, on="commit confirmed").fits("commit confirmed")
    assert not Fault(kind=FaultKind.LIE, on="comm").fits("commit")
    assert not Fault(kind=FaultKind.LIE, on="commit plain").fits("commit confirmed")
    assert Fault(kind=FaultKind.LIE).fits("anything")


def test_without_end_it_stays_until_it_is_cleared() -> None:
    faults = Faults()
    faults.add(Fault(kind=FaultKind.LATENCY, times=ALWAYS))
    assert all(kinds(faults, "get") == ["latency"] for _ in range(5))
    faults.clear()
    assert kinds(faults, "get") == []


def test_several_come_about_in_the_order_in_which_they_were_given() -> None:
    faults = Faults()
    faults.add(Fault(kind=FaultKind.LATENCY))
    faults.add(Fault(kind=FaultKind.DROP_AFTER))
    assert kinds(faults, "get") == ["latency", "drop-after"]
