"""A repeated inform raises nothing twice and is acknowledged again, but never before its alarm is durable."""

from ocs.faults.notification import LINK_DOWN, Notification, SecurityLevel, Version
from ocs.faults.receiver.inform_memory import InformMemory, Standing
from ocs.faults.snmp.engine import Arrival
from ocs.limits import INFORMS_REMEMBERED_MAX

NOTIFICATION = Notification(
    LINK_DOWN, 1, (), "10.0.0.1", "10.0.0.1", Version.V3, "user", SecurityLevel.AUTH_PRIV, b"engine", True, 0
)


def inform(key: object, acknowledgement: bytes = b"ok") -> Arrival:
    return Arrival(NOTIFICATION, acknowledgement, "10.0.0.1", 40_000, key)


def test_inform_is_new_once() -> None:
    memory = InformMemory()
    assert memory.meet(inform("a")) is Standing.NEW
    assert memory.meet(inform("a")) is Standing.WAITING
    assert memory.meet(inform("b")) is Standing.NEW


def test_repeat_after_the_commit_is_known() -> None:
    memory = InformMemory()
    memory.meet(inform("a"))
    memory.settle(inform("a"))
    assert memory.meet(inform("a")) is Standing.DURABLE


def test_latest_copy_is_the_one_that_is_acknowledged() -> None:
    """RFC 3414 section 3.1: a repeat has a msgID of its own, and its sender takes no other."""
    memory = InformMemory()
    first, second = inform("a", b"message 1"), inform("a", b"message 2")
    memory.meet(first)
    memory.meet(second)
    assert memory.settle(first) is second


def test_memory_is_bounded() -> None:
    memory = InformMemory()
    for key in range(INFORMS_REMEMBERED_MAX + 1):
        memory.settle(inform(key))
    assert memory.meet(inform(0)) is Standing.NEW
    assert memory.meet(inform(1)) is Standing.DURABLE


def test_inform_that_was_not_taken_is_new_again() -> None:
    memory = InformMemory()
    memory.meet(inform("a"))
    memory.forget(inform("a"))
    assert memory.meet(inform("a")) is Standing.NEW
